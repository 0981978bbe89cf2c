"""How policies are asked: about what they were trained to see, in batches that fit into memory.

An exact score asks about single observations, in any order. Policies that need more than the one observation (a state,
a stack of frames, statistics that are kept elsewhere) are refused with what to do instead, never scored wrongly.
"""

import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cointer_gym.baselines.policies import Policy, StochasticPolicy
from cointer_gym.dynamics import OFFLOAD
from cointer_gym.observation import Layout, Observation, SplittingLayout
from cointer_gym.units import BoolArray, FloatArray, IntArray

Transform = Callable[[Observation], Any]
"""What a policy takes, from a batch of observations of the environment."""

_NUMBERS_PER_BATCH = 2**22  # 16 MB of observations; small networks are asked in one batch
_ROUNDING = 1e-5  # of float32 bounds
_SIMULATE = "simulate it: bl.simulate carries the state of every task and gives an interval"


class Asked:
    """A policy, and what it is to see of the observations of a problem.

    Args:
        policy: anything with ``predict``.
        layout: of the observations.
        transform: what ``predict`` takes, from observations of ``layout``. None applies the normalisation that a model
            of Stable-Baselines3 carries (``get_vec_normalize_env``), if any.

    Raises:
        TypeError: ``policy`` has no ``predict``.
        ValueError: without ``transform``, the policy was made for other observations than those of ``layout``.
    """

    def __init__(self, policy: Policy, layout: Layout, transform: Transform | None = None) -> None:
        self.name = type(policy).__name__
        if not callable(getattr(policy, "predict", None)):
            raise TypeError(f"{self.name} has no predict; a Solution gives its policy as solution.policy()")
        self._policy: Any = policy
        self._takes_masks = _takes_masks(policy)
        self._transform = _own_transform(policy, layout) if transform is None else transform

    def answers(
        self,
        observations: Observation,
        allowed: BoolArray,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """What ``predict`` says to a batch of observations: actions as they come, and the state.

        Args:
            observations: shape (batch, slots).
            allowed: which actions the environment does not mask, shape (actions,); for the policies of sb3-contrib that
                choose among those.
            state: of the tasks, as ``predict`` returned it.
            episode_start: which tasks begin, shape (batch,).
            deterministic: whether to take the most likely action.
        """
        masks = {"action_masks": np.tile(allowed, (len(observations), 1))} if self._takes_masks else {}
        actions, state = self._policy.predict(
            self._seen(observations), state=state, episode_start=episode_start, deterministic=deterministic, **masks
        )
        return np.asarray(actions), state

    def decide(self, observations: Observation, state: Any = None, episode_start: Any = None) -> tuple[BoolArray, Any]:
        """Whether it offloads, shape (batch,), for observations of shape (batch, M+2), and the state.

        Raises:
            ValueError: ``predict`` returned something other than one action in {0, 1} per observation.
        """
        actions, state = self.answers(observations, np.ones(2, dtype=np.bool_), state, episode_start)
        if actions.shape != observations.shape[:1] or not np.isin(actions, (0, 1)).all():
            raise ValueError(
                f"predict returned shape {actions.shape} for {observations.shape[0]} observations; "
                "expected one action per observation, 0 or 1"
            )
        return np.asarray(actions == OFFLOAD), state

    def chances(self, observations: Observation) -> FloatArray:
        """P(offload), shape (batch,), of a policy that randomises.

        Raises:
            ValueError: ``offload_probability`` returned something other than one probability per observation.
        """
        given = np.asarray(self._policy.offload_probability(self._seen(observations)), dtype=np.float64)
        if given.shape != observations.shape[:1] or not ((given >= 0) & (given <= 1)).all():
            raise ValueError(
                f"offload_probability returned shape {given.shape} for {observations.shape[0]} observations; "
                "expected one probability per observation, in [0, 1]"
            )
        return given

    def _seen(self, observations: Observation) -> Any:
        if self._transform is None:
            return observations
        seen = self._transform(observations)
        if isinstance(seen, np.ndarray) and np.isnan(seen).any():
            raise ValueError(f"the transform of the observations of {self.name} returned NaN")
        return seen


class AskedSplitting(Asked):
    """A policy of ``CoInference-v0``, asked about stages and SNRs; takes what ``Asked`` takes."""

    def __init__(self, policy: Policy, layout: SplittingLayout, transform: Transform | None = None) -> None:
        super().__init__(policy, layout, transform)
        self.randomises = isinstance(policy, StochasticPolicy)
        self.layout = layout

    def offloads(self, stage: IntArray, snr: FloatArray) -> BoolArray:
        """Whether it offloads, shape (batch,), at stages and linear SNRs of the same shape.

        Raises:
            TypeError: it keeps a state.
            ValueError: ``predict`` does not give one action in {0, 1} per observation.
        """
        chosen = np.empty(stage.size, dtype=np.bool_)
        for batch in batches(stage.size, self.layout.size):
            chosen[batch], state = self.decide(self.layout.encode(stage[batch], snr[batch]))
            refuse_state(self.name, state)
        return chosen

    def offload_probability(self, stage: IntArray, snr: FloatArray) -> FloatArray:
        """P(offload) of a policy that randomises, shape (batch,), at stages and linear SNRs of the same shape."""
        chance = np.empty(stage.size)
        for batch in batches(stage.size, self.layout.size):
            chance[batch] = self.chances(self.layout.encode(stage[batch], snr[batch]))
        return chance

    def blocks(self, points: int) -> Iterator[IntArray]:
        """The stages with a decision, in runs that fit into memory when each is asked about so many SNRs."""
        size = max(1, _NUMBERS_PER_BATCH // (self.layout.size * points))
        for first in range(0, self.layout.layers, size):
            yield np.arange(first, min(first + size, self.layout.layers))


def refuse_state(name: str, state: Any, instead: str = _SIMULATE) -> None:
    """Refuse a policy that returned a state: single observations do not tell what it does.

    Raises:
        TypeError: ``state`` is not None.
    """
    if state is not None:
        raise TypeError(
            f"{name} keeps a state from stage to stage (predict returned one), so its decisions do not follow from "
            f"single observations and no exact score exists; {instead}"
        )


def pairs(stages: IntArray, snr: FloatArray) -> tuple[IntArray, FloatArray]:
    """Every SNR at every stage: two arrays of shape (stages * SNRs,)."""
    return np.repeat(stages, snr.size), np.tile(snr, stages.size)


def batches(rows: int, width: int) -> Iterator[slice]:
    """Slices of so many rows of ``width`` numbers each, that fit into memory; no row, no slice."""
    size = max(1, _NUMBERS_PER_BATCH // width)
    for first in range(0, rows, size):
        yield slice(first, first + size)


def _takes_masks(policy: Policy) -> bool:
    try:
        return "action_masks" in inspect.signature(policy.predict).parameters
    except ValueError:  # compiled code without a signature
        return False


def _own_transform(policy: Any, layout: Layout) -> Transform | None:
    """The normalisation that a model carries, after checking that it was made for observations of this layout."""
    _check_space(policy, layout)
    normaliser = getattr(policy, "get_vec_normalize_env", lambda: None)()
    if normaliser is None:
        _check_last_observations(policy, layout)
        return None
    transform: Transform = normaliser.normalize_obs
    return transform


def _check_space(policy: Any, layout: Layout) -> None:
    trained, name = getattr(policy, "observation_space", None), type(policy).__name__
    if trained is None:
        return
    shown, shape = layout.space(), getattr(trained, "shape", None)
    if shape != shown.shape:
        raise ValueError(
            f"{name} takes observations of shape {shape}, the problem shows {shown.shape}. If it sees a stack of past "
            "observations, no exact score exists: simulate a policy whose predict keeps them as its state "
            "(bl.simulate). If it sees each observation in another form, pass that as transform="
        )
    low, high = getattr(trained, "low", None), getattr(trained, "high", None)
    if low is None or high is None:
        return
    other = ~(np.isclose(low, shown.low, atol=_ROUNDING) & np.isclose(high, shown.high, atol=_ROUNDING))
    if other[:-1].any():
        slot = int(np.argmax(other))
        raise ValueError(
            f"{name} was trained on observations with slot {slot} from {low[slot]:g} to {high[slot]:g}, the problem "
            f"shows {shown.low[slot]:g} to {shown.high[slot]:g}: it saw them transformed. "
            "Pass transform=, or transform=lambda seen: seen if it takes them as they are"
        )
    beyond = float(max(low[-1] - shown.low[-1], shown.high[-1] - high[-1]))
    if beyond > _ROUNDING:
        warnings.warn(
            f"{name} was trained with log10(SNR / mean SNR) from {low[-1]:g} to {high[-1]:g}, the problem shows "
            f"{shown.low[-1]:g} to {shown.high[-1]:g}: it is asked up to {beyond:.2g} beyond what it could see",
            stacklevel=2,
        )


def _check_last_observations(policy: Any, layout: Layout) -> None:
    """A model that was trained behind a normalisation but no longer has it still holds what it saw last."""
    last = getattr(policy, "_last_obs", None)
    if not isinstance(last, np.ndarray) or last.shape[-1:] != (layout.size,):
        return
    one_hot = last[..., :-1]
    if one_hot.min(initial=0.0) < -_ROUNDING or one_hot.max(initial=1.0) > 1 + _ROUNDING:
        raise ValueError(
            f"{type(policy).__name__} was trained on transformed observations: the last it saw hold "
            f"{one_hot.min():.3g} to {one_hot.max():.3g} where the problem shows 0 to 1. Load the model with the "
            "VecNormalize that was saved beside it, or pass transform=statistics.normalize_obs"
        )

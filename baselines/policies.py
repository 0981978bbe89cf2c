"""Policies that act on the environment's observations with the signature of Stable-Baselines3's ``predict``."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cointer_gym.dynamics import CONTINUE, OFFLOAD
from cointer_gym.observation import Observation, PlacementLayout, SplittingLayout
from cointer_gym.problem import StoppingProblem
from cointer_gym.units import FloatArray, IntArray

_ROUNDING, _NEVER = 1e-6, 1e-9  # relative; a probability that makes no difference


class Policy(Protocol):
    """Anything with Stable-Baselines3's ``predict``: every algorithm of that library, and the policies below."""

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[NDArray[Any], Any]:
        """Actions for a batch of observations of shape (batch, M+2), and the recurrent state (unused here)."""


@runtime_checkable
class StochasticPolicy(Protocol):
    """A policy that randomises and says with what probability it offloads, so that it can be scored exactly."""

    def offload_probability(self, observation: Any) -> FloatArray:
        """P(offload) for a batch of observations."""


class ThresholdPolicy:
    """Offload at stage n iff the SNR is at least ``threshold_snr[n]``.

    Args:
        problem: gives the layout of the observations.
        threshold_snr: linear SNRs, shape (M,); 0 always, inf never. At stage M it offloads.

    Raises:
        ValueError: wrong shape, a NaN or a negative threshold, or one among SNRs that observations do not tell apart.
    """

    def __init__(self, problem: StoppingProblem, threshold_snr: ArrayLike) -> None:
        self.threshold_snr = np.append(checked_thresholds(problem, threshold_snr), 0.0)
        self._layout = SplittingLayout.of(problem)
        _check_visible(problem, self._layout.snr_range, self.threshold_snr)
        self._threshold_slot = self._layout.threshold_slot(self.threshold_snr)

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[NDArray[Any], Any]:
        """Offload where the observed SNR reaches the threshold of the observed stage."""
        stage, _ = self._layout.decode(observation)
        return self.decide(stage, np.asarray(observation)[..., -1]), state

    def decide(self, stage: IntArray, snr_slot: Observation) -> NDArray[Any]:
        """Offload where the SNR slot of an observation reaches that of the threshold of the stage, elementwise."""
        return np.where(snr_slot >= self._threshold_slot[stage], OFFLOAD, CONTINUE)


class RandomPolicy:
    """Offload with a fixed probability at every stage.

    Args:
        probability: of offloading, in [0, 1].
        seed: seed of its own generator, used by ``predict``.
    """

    def __init__(self, probability: float = 0.5, seed: int | None = None) -> None:
        if not 0 <= probability <= 1:
            raise ValueError(f"probability = {probability} must be in [0, 1]")
        self.probability = probability
        self._rng = np.random.default_rng(seed)

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[NDArray[Any], Any]:
        """Draw actions; a coin has no deterministic mode, so ``deterministic`` is ignored."""
        batch = np.shape(observation)[:-1]
        return np.where(self._rng.random(batch) < self.probability, OFFLOAD, CONTINUE), state

    def offload_probability(self, observation: Any) -> FloatArray:
        """The fixed probability, once per observation."""
        return np.full(np.shape(observation)[:-1], self.probability)


class PlacementPolicy:
    """Choose one placement, then split by its thresholds: acts on ``CoInferencePlacement-v0``.

    Args:
        layout: of the observations.
        problem: the stopping problem with the placement M, which is chosen first.
        threshold_snr: linear SNRs, shape (M,); 0 always, inf never.

    Raises:
        ValueError: the thresholds do not fit the problem.
    """

    def __init__(self, layout: PlacementLayout, problem: StoppingProblem, threshold_snr: ArrayLike) -> None:
        self.placement = problem.horizon
        self._layout = layout
        self._splitting = ThresholdPolicy(problem, threshold_snr)

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[NDArray[Any], Any]:
        """The placement while it is to be chosen, then 0 (continue) or 1 (offload)."""
        placement, stage, _ = self._layout.decode(observation)
        split = self._splitting.decide(np.minimum(stage, self.placement), np.asarray(observation)[..., -1])
        return np.where(placement < 0, self.placement, split), state


def checked_thresholds(problem: StoppingProblem, threshold_snr: ArrayLike) -> FloatArray:
    """Thresholds of a rule as an array of shape (M,).

    Raises:
        ValueError: wrong shape, a NaN or a negative threshold.
    """
    thresholds = np.array(threshold_snr, dtype=np.float64)
    if thresholds.shape != (problem.horizon,):
        raise ValueError(f"threshold_snr has shape {thresholds.shape}, expected ({problem.horizon},)")
    if np.isnan(thresholds).any() or (thresholds < 0).any():
        raise ValueError(f"threshold_snr = {thresholds} must hold linear SNRs >= 0 (inf = never offload)")
    return thresholds


def _check_visible(problem: StoppingProblem, snr_range: tuple[float, float], thresholds: FloatArray) -> None:
    """A threshold where the rate changes no more splits SNRs that look alike, which an agent cannot do."""
    low, high = snr_range
    below = (thresholds > 0) & (thresholds <= low * (1 + _ROUNDING)) & (1 - problem.channel.survival(low) > _NEVER)
    above = (thresholds > high * (1 + _ROUNDING)) & (thresholds < np.inf) & (problem.channel.survival(high) > _NEVER)
    for hidden, instead in ((below, f"more than {low:.6g}, or 0"), (above, f"at most {high:.6g}, or inf")):
        if hidden.any():
            n = int(np.argmax(hidden))
            raise ValueError(
                f"threshold_snr[{n}] = {thresholds[n]:.6g} lies where the rate changes no more and observations do not "
                f"tell SNRs apart; take {instead}"
            )

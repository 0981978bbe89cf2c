"""What the scalar and the vector environment share: the problem, the fading path, and the step from cost to reward."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from cointer_gym.problem import StoppingProblem
from cointer_gym.scenario import Scenario
from cointer_gym.stopping import incurred, transition, upload_is_forced
from cointer_gym.units import BoolArray, FloatArray, IntArray, linear_to_db

_LOWEST_SNR_DB = -300.0  # an SNR of 0 in ``info``, which must stay finite


class Outcome(NamedTuple):
    """Result of one decision per task; every field has the batch's shape."""

    stage: IntArray
    reward: FloatArray
    terminated: BoolArray
    offloaded: BoolArray
    amounts: dict[str, FloatArray]
    """``cost`` (ETC), ``time_s`` and ``energy_j`` incurred by the decision."""


@dataclass(frozen=True, eq=False)
class InferenceTask:
    """One inference of a scenario's network, the unit of an episode."""

    scenario: Scenario
    problem: StoppingProblem
    reward_scale: float
    """ETC that counts as a reward of -1."""

    @classmethod
    def create(
        cls, scenario: str | Path | dict[str, Any] | Scenario, placement: int | None, reward_scale: float | None
    ) -> Self:
        """Load a scenario; ``reward_scale`` None is the expected ETC of the best static split."""
        loaded = scenario if isinstance(scenario, Scenario) else Scenario.load(scenario)
        problem = loaded.problem(placement)
        scale = float(problem.static_cost.min()) if reward_scale is None else reward_scale
        if not (np.isfinite(scale) and scale > 0):
            origin = "the best static split costs" if reward_scale is None else "reward_scale ="
            raise ValueError(f"{origin} {scale}; reward_scale must be finite and > 0")
        return cls(loaded, problem, float(scale))

    def draw_path(self, rng: np.random.Generator, tasks: tuple[int, ...], options: dict[str, Any] | None) -> FloatArray:
        """SNRs of all stages, shape (*tasks, M+1): drawn, or injected as ``options={"snr": ...}`` (linear).

        The whole path is drawn at once, so the same seed gives every policy the same fading.
        """
        shape = (*tasks, self.problem.horizon + 1)
        unknown = set(options or {}) - {"snr"}
        if unknown:
            raise ValueError(f"reset options {sorted(unknown)} are unknown; the only option is 'snr', the fading path")
        if not options:
            return self.problem.channel.sample_snr(rng, shape)
        path = np.array(options["snr"], dtype=np.float64)
        if path.shape != shape:
            raise ValueError(f"options['snr'] has shape {path.shape}, expected {shape}: one linear SNR per stage 0..M")
        if not (np.isfinite(path).all() and (path >= 0).all()):
            bad = path[~(np.isfinite(path) & (path >= 0))][0]
            raise ValueError(f"options['snr'] holds {bad}; SNRs are linear, finite and >= 0")
        return path

    def step(self, stage: ArrayLike, snr: ArrayLike, action: ArrayLike) -> Outcome:
        """Apply one decision per task. The only place where cost becomes reward."""
        move = transition(self.problem, stage, snr, action)
        cost = incurred(self.problem.cost, stage, move)
        amounts = {"cost": cost}
        for name, terms in (("time_s", self.problem.time), ("energy_j", self.problem.energy)):
            if terms is not None:
                amounts[name] = incurred(terms, stage, move)
        return Outcome(move.stage, -cost / self.reward_scale, move.terminated, move.offloaded, amounts)

    def info(self, stage: ArrayLike, snr: ArrayLike, amounts: dict[str, FloatArray] | None = None) -> dict[str, Any]:
        """Arrays of ``info``: stage, SNR in dB, action mask, and the amounts of the last decision (0 at reset)."""
        now = np.array(stage)  # a copy: what the caller does to info stays there
        spent = amounts or {name: np.zeros(now.shape) for name in ("cost", "time_s", "energy_j")}
        free = ~upload_is_forced(self.problem, now)
        mask = np.stack([free, np.ones_like(free)], axis=-1).astype(np.int8)
        return {"stage": now, "snr_db": np.maximum(linear_to_db(snr), _LOWEST_SNR_DB), "action_mask": mask, **spent}

"""Where the time of one vector step goes, with and without Numba, and what a step gives in any case."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import cointer_gym  # noqa: F401 (registers the ids)
from benchmarks.findings import Findings
from benchmarks.rounds import Side, SideBySide, in_turns, rounded
from cointer_gym.channels.counter import keys, uniform
from cointer_gym.envs.kernel import make_kernel
from cointer_gym.experiments.speed import StepPart

ENV_ID, PEER_ID = "CoInference-v0", "CartPole-v1"
COMPILED, PLAIN, FLOOR, PEER = "with Numba", "NumPy only", "floor", "CartPole"
_SETTLED = 50  # steps after which tasks are at all stages

Runs = dict[str, Callable[[], object]]


def _stepping(env_id: str, num_envs: int, **arguments: Any) -> Callable[[], object]:
    env = gym.make_vec(env_id, num_envs, vectorization_mode="vector_entry_point", **arguments)
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(2, size=num_envs)
    return lambda: env.step(actions)


def _parts(num_envs: int, *, compiled: bool) -> Runs:
    """The functions of a kernel, and those within them, on arrays as a step of that many tasks has them."""
    task = gym.make(ENV_ID).get_wrapper_attr("task")
    kernel, moves, rng = make_kernel(task, compiled), task.moves, np.random.default_rng(0)
    state, placement = np.full(num_envs, moves.start), np.full(num_envs, task.first_placement)
    counter = keys(range(num_envs))
    for _ in range(_SETTLED):
        action = rng.integers(2, size=num_envs)
        uses = kernel.uses(kernel.snr(counter))
        decision = kernel.decide(state, placement, counter, uses, action)
        state, placement, counter = decision.state, decision.placement, decision.counter
    snr, stage, fraction, law = kernel.snr(counter), moves.stage.take(state), uniform(counter), task.problem.channel
    return {
        "decide": lambda: kernel.decide(state, placement, counter, uses, action),
        "snr": lambda: kernel.snr(counter),
        "law": lambda: law.inverse_survival(fraction),
        "uses": lambda: kernel.uses(snr),
        "observe": lambda: kernel.observe(stage, placement, snr),
        "log10": lambda: np.log10(snr),
    }


def _floor(num_envs: int) -> Runs:
    """One exponential per task from NumPy's generator, and a copy of observations."""
    rng, space = np.random.default_rng(0), gym.make(ENV_ID).observation_space
    observations = np.zeros((num_envs, *(space.shape or ())), dtype=np.float32)
    return {"NumPy's exponential": lambda: rng.standard_exponential(num_envs), "copied observations": observations.copy}


@pytest.mark.parametrize("num_envs", [256, 4096])
def bench_parts(side_by_side: SideBySide, findings: Findings, num_envs: int) -> None:
    """The parts in turns with whole steps of ours and of the peer."""
    kernels = {COMPILED: True, PLAIN: False} if find_spec("numba") else {PLAIN: False}
    steps = {bar: _stepping(ENV_ID, num_envs, compiled=compiled) for bar, compiled in kernels.items()}
    runs: dict[tuple[str, str], Callable[[], object]] = {(bar, "step"): step for bar, step in steps.items()}
    for bar, compiled in kernels.items():
        runs |= {(bar, name): run for name, run in _parts(num_envs, compiled=compiled).items()}
    runs |= {(FLOOR, name): run for name, run in _floor(num_envs).items()}
    runs[PEER, "whole step"] = _stepping(PEER_ID, num_envs)
    seconds = in_turns(side_by_side, {names: Side(run) for names, run in runs.items()})

    def add(bar: str, part: str, whole: float) -> None:
        if whole > 0:  # a difference below the noise is none
            each = rounded(whole / num_envs)
            findings.step.append(StepPart(num_envs=num_envs, bar=bar, part=part, seconds=each))

    for bar in kernels:
        step, decide, snr, law, uses, observe, log10 = (time for (of, _), time in seconds.items() if of == bar)
        add(bar, "random words", snr - law)
        add(bar, "law (logarithm)", law)
        add(bar, "rate (logarithm)", uses)
        add(bar, "SNR slot (logarithm)", log10)
        add(bar, "rest of the observation", observe - log10)
        add(bar, "tables", decide)
        add(bar, "checks, flags, info", step - decide - snr - uses - observe)
    for (bar, name), time in seconds.items():
        if bar in (FLOOR, PEER):
            add(bar, name, time)

"""Where a deterministic policy changes its mind: bracketed on a grid, looked at more closely, and bisected."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cointer_gym.baselines.asking import AskedSplitting, Transform, pairs
from cointer_gym.baselines.grid import snr_grid
from cointer_gym.baselines.policies import Policy
from cointer_gym.channels import OffloadMoments
from cointer_gym.observation import SplittingLayout
from cointer_gym.problem import StoppingProblem
from cointer_gym.records import checked_integer
from cointer_gym.units import BoolArray, FloatArray

_CLOSER = 64  # parts of the cells around a switch
_ASKED_AGAIN = 1024  # observations
_LARGEST_DISAGREEMENT = 1 / 64  # share of other answers; a batch of another size may round a tie the other way


class Switches(NamedTuple):
    """Where a deterministic policy changes its mind as the SNR rises."""

    offloads_at_zero: BoolArray
    """Whether it offloads at the lowest SNR, shape (M,)."""
    stage: NDArray[np.intp]
    """Stage of each switch, non-decreasing, shape (S,)."""
    snr: FloatArray
    """Linear SNR of each switch, shape (S,), rising within a stage."""
    to_offload: BoolArray
    """Whether it offloads above the switch, shape (S,)."""


def switches(
    policy: Policy, problem: StoppingProblem, *, grid: int = 4096, transform: Transform | None = None
) -> Switches:
    """Locate every switch of a deterministic policy to the resolution of its observations; see ``evaluate``."""
    return find_switches(AskedSplitting(policy, SplittingLayout.of(problem), transform), problem, grid)


def find_switches(asked: AskedSplitting, problem: StoppingProblem, grid: int) -> Switches:
    """Locate every switch of a policy that is being asked; see ``switches``."""
    edges = snr_grid(problem.channel, checked_integer("grid", grid, 1))
    offloads_at_zero, stage, cell = _suspects(asked, edges)
    parts = np.linspace(0.0, 1.0, _CLOSER + 1)
    left, right = edges[cell][:, None], edges[cell + 1][:, None]
    inner = np.maximum.accumulate(np.clip(left ** (1.0 - parts) * right**parts, left, right), axis=1)
    inner[:, -1:] = right
    chosen = asked.offloads(np.repeat(stage, _CLOSER + 1), inner.ravel()).reshape(inner.shape)
    row, part = np.nonzero(chosen[:, 1:] != chosen[:, :-1])
    stage, low, high, to_offload = stage[row], inner[row, part], inner[row, part + 1], chosen[row, part + 1]
    while np.any(np.nextafter(low, high) < high):  # near the mean SNR, observations tell even neighbours apart
        middle = low + 0.5 * (high - low)
        above = asked.offloads(stage, middle) == to_offload
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return Switches(offloads_at_zero, stage, high, to_offload)


def switched_moments(found: Switches, problem: StoppingProblem) -> OffloadMoments:
    """P(offload) and E[x; offload] at every stage, shape (M,), between the switches."""
    law = problem.channel
    always, above = law.offload_moments(0.0), law.offload_moments(found.snr)
    offloads_at_top = found.offloads_at_zero ^ (np.bincount(found.stage, minlength=problem.horizon) % 2 == 1)
    probability, uses = (np.where(found.offloads_at_zero, whole, 0.0) for whole in always[:2])
    goes_on = np.where(offloads_at_top, 0.0, 1.0)
    for total, change in ((probability, above.probability), (uses, above.channel_uses), (goes_on, above.waiting)):
        np.add.at(total, found.stage, np.where(found.to_offload, change, -change))
    return OffloadMoments(np.clip(probability, 0.0, 1.0), uses, np.clip(goes_on, 0.0, 1.0))


def _suspects(asked: AskedSplitting, edges: FloatArray) -> tuple[BoolArray, NDArray[np.intp], NDArray[np.intp]]:
    """Decisions at the lowest SNR, and the stages and cells of the grid in which, or beside which, a switch lies."""
    layers = asked.layout.layers
    sample = slice(None, None, max(1, layers * edges.size // _ASKED_AGAIN))
    lowest, sampled = np.empty(layers, dtype=np.bool_), np.empty((layers, edges[sample].size), dtype=np.bool_)
    stages, cells = [np.empty(0, dtype=np.intp)], [np.empty(0, dtype=np.intp)]
    for block in asked.blocks(edges.size):
        chosen = asked.offloads(*pairs(block, edges)).reshape(block.size, edges.size)
        lowest[block], sampled[block] = chosen[:, 0], chosen[:, sample]
        switched = np.pad(chosen[:, 1:] != chosen[:, :-1], ((0, 0), (1, 1)))
        row, cell = np.nonzero(switched[:, :-2] | switched[:, 1:-1] | switched[:, 2:])
        stages.append(block[row])
        cells.append(cell)
    _check_function(asked, sampled, edges[sample])
    return lowest, np.concatenate(stages), np.concatenate(cells)


def _check_function(asked: AskedSplitting, chosen: BoolArray, snr: FloatArray) -> None:
    """Ask again in reverse: what answers otherwise is no function of the observation."""
    stage, at = pairs(np.arange(chosen.shape[0]), snr)
    again = asked.offloads(stage[::-1], at[::-1])[::-1]
    differ = np.count_nonzero(again != chosen.ravel())
    if differ > _LARGEST_DISAGREEMENT * again.size:
        raise ValueError(
            f"{asked.name} answered {differ} of {again.size} observations otherwise when asked again: it randomises, "
            "or remembers what it was asked. Give it offload_probability(observations), or simulate it (bl.simulate)"
        )

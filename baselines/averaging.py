"""What a policy that randomises does on average: its offload probability, integrated over the law of the SNR.

In a cell with ends a and b the probability p is averaged by the trapezoidal rule against what the law says of the cell,

    E[p; a <= SNR < b] ~ (p(a) + p(b)) / 2 P(a <= SNR < b),    the same with x for E[x p; a <= SNR < b]

on one, two and four parts. From the first two and from the last two the error that falls with the square of the part is
eliminated; where the two results differ by more than is allowed, the cell is halved.

All terms of the cost of a policy are positive, so it is as accurate in relative terms as P(offload), E[x; offload] and
P(continue) are; these are the columns of the arrays below, in this order.
"""

from typing import NamedTuple, Self

import numpy as np

from cointer_gym.baselines.asking import AskedSplitting, pairs
from cointer_gym.baselines.grid import snr_grid
from cointer_gym.channels import ChannelLaw, Empirical, OffloadMoments
from cointer_gym.problem import StoppingProblem
from cointer_gym.units import BoolArray, FloatArray, IntArray

_TOLERANCE = 1e-7  # of each column, relative
_HALVINGS = 30  # the cells of a jump are then narrower than float32 observations can tell
_FEWEST_CELLS, _MOST_CELLS = 256, 2**17  # among which the error is shared out, per stage; at once


class _Cells(NamedTuple):
    """Cells of the SNR at stages, each with five points that lie evenly on the log scale."""

    stage: IntArray
    """Shape (cells,)."""
    snr: FloatArray
    """Linear, shape (cells, 5)."""
    tail: FloatArray
    """P(SNR >= snr), E[x; SNR >= snr] and P(SNR < snr), shape (cells, 5, 3)."""
    chance: FloatArray
    """P(offload), shape (cells, 5)."""

    @classmethod
    def of(cls, stages: IntArray, knots: FloatArray, tail: FloatArray, chance: FloatArray) -> Self:
        """Every four parts between knots, at every stage; ``chance`` has shape (stages, knots)."""
        five = 4 * np.arange(knots.size // 4)[:, None] + np.arange(5)
        every = (stages.size, 1, 1)
        return cls(
            np.repeat(stages, len(five)),
            np.tile(knots[five], every[:2]),
            np.tile(tail[five], every),
            chance[:, five].reshape(-1, 5),
        )

    def rule(self) -> tuple[FloatArray, FloatArray]:
        """What every cell adds, and by how much two rules differ there; shape (cells, 3) each."""
        once, twice, four_times = (self._trapezoids(step) for step in (4, 2, 1))
        rough, fine = (4.0 * twice - once) / 3.0, (4.0 * four_times - twice) / 3.0
        return fine, np.abs(fine - rough)

    def _trapezoids(self, step: int) -> FloatArray:
        chance, tail = self.chance[:, ::step], self.tail[:, ::step]
        left, right, mean = tail[:, :-1], tail[:, 1:], 0.5 * (chance[:, :-1] + chance[:, 1:])
        # the difference of small numbers: in the tails the other one would cancel
        mass = np.where(left[..., 0] < left[..., 2], left[..., 0] - right[..., 0], right[..., 2] - left[..., 2])
        parts = mean * mass, mean * (left[..., 1] - right[..., 1]), (1.0 - mean) * mass
        return np.stack([part.sum(axis=1) for part in parts], axis=-1)

    def halved(self, which: BoolArray, asked: AskedSplitting, law: ChannelLaw) -> Self:
        """Both halves of the cells ``which``, with the points that they lack."""
        stage, snr = self.stage[which], self.snr[which]
        new = _as_observed(asked, np.sqrt(snr[:, :-1]) * np.sqrt(snr[:, 1:]))
        chance = asked.offload_probability(np.repeat(stage, 4), new.ravel()).reshape(new.shape)
        old_and_new = zip((snr, self.tail[which], self.chance[which]), (new, _tail(law, new), chance), strict=True)
        return type(self)(np.tile(stage, 2), *(_interleaved(old, added) for old, added in old_and_new))


def _interleaved(five: FloatArray, four: FloatArray) -> FloatArray:
    """Nine points in order, as two rows of five that share the middle one; shape (2 * cells, 5, ...)."""
    nine = np.empty((five.shape[0], 9, *five.shape[2:]))
    nine[:, ::2], nine[:, 1::2] = five, four
    return np.concatenate([nine[:, :5], nine[:, 4:]])


def average(asked: AskedSplitting, problem: StoppingProblem, grid: int) -> tuple[OffloadMoments, OffloadMoments]:
    """The moments of a policy that randomises, and how uncertain they are; arrays of shape (M,).

    Args:
        asked: the policy.
        problem: gives the law.
        grid: parts per stage to begin with. Of a measured trace every sample is asked about instead, without error.
    """
    if isinstance(problem.channel, Empirical):
        return _over_samples(asked, problem.channel)
    law, knots = problem.channel, _as_observed(asked, _knots(problem.channel, grid))
    tail, below = _tail(law, knots), _below(law, float(knots[0]))
    totals, errors = np.zeros((2, problem.horizon, 3))
    for stages in asked.blocks(knots.size):
        chance = asked.offload_probability(*pairs(stages, knots)).reshape(stages.size, knots.size)
        totals[stages] += _weighted(chance[:, 0], *below) + _weighted(chance[:, -1], *tail[-1, :2])  # alike beyond
        _integrate(asked, law, _Cells.of(stages, knots, tail, chance), totals, errors)
    return OffloadMoments(*np.clip(totals, 0.0, [1.0, np.inf, 1.0]).T), OffloadMoments(*errors.T)


def _over_samples(asked: AskedSplitting, law: Empirical) -> tuple[OffloadMoments, OffloadMoments]:
    """Without error: the mean over all samples."""
    snr, count = np.unique(law.snr, return_counts=True)
    share, totals = count / count.sum(), np.zeros((asked.layout.layers, 3))
    for stages in asked.blocks(snr.size):
        chance = asked.offload_probability(*pairs(stages, snr)).reshape(stages.size, snr.size)
        totals[stages] = _weighted(chance, share, share * law.channel_uses_per_bit(snr)).sum(axis=1)
    return OffloadMoments(*totals.T), OffloadMoments(*np.zeros_like(totals).T)


def _integrate(asked: AskedSplitting, law: ChannelLaw, cells: _Cells, totals: FloatArray, errors: FloatArray) -> None:
    """Add what the cells add to ``totals``, shape (M, 3), and the doubt to ``errors``, halving cells where needed."""
    per_stage = max(_FEWEST_CELLS, np.bincount(cells.stage).max(initial=0))
    for halvings_left in reversed(range(_HALVINGS + 1)):
        fine, doubt = cells.rule()
        expected = totals.copy()
        np.add.at(expected, cells.stage, fine)
        rough = (doubt > _TOLERANCE * np.abs(expected)[cells.stage] / per_stage).any(axis=1)
        rough &= halvings_left > 0 and np.count_nonzero(rough) <= _MOST_CELLS
        np.add.at(totals, cells.stage[~rough], fine[~rough])
        np.add.at(errors, cells.stage[~rough], doubt[~rough])
        if not rough.any():
            return
        cells = cells.halved(rough, asked, law)


def _tail(law: ChannelLaw, snr: FloatArray) -> FloatArray:
    moments = law.offload_moments(snr)
    return np.stack([moments.probability, moments.channel_uses, moments.waiting], axis=-1)


def _below(law: ChannelLaw, snr: float) -> tuple[float, float]:
    """P(SNR < snr) and E[x; SNR < snr]."""
    outage, uses = float(law.outage(snr)), float(law.channel_uses_per_bit(snr))
    return outage, float(law.mean_excess(uses)) + uses * outage


def _weighted(chance: FloatArray, probability: FloatArray | float, uses: FloatArray | float) -> FloatArray:
    """What SNRs of this probability add; what is never chosen adds nothing even where x is infinite."""
    of_uses = np.multiply(chance, uses, out=np.zeros_like(chance), where=chance > 0)
    return np.stack([chance * probability, of_uses, (1.0 - chance) * probability], axis=-1)


def _knots(law: ChannelLaw, grid: int) -> FloatArray:
    """About ``grid`` parts that follow the law, evenly on the log scale in fours, shape (4 * cells + 1,)."""
    edges = np.log10(snr_grid(law, max(1, grid // 4)))
    return np.asarray(10.0 ** np.interp(np.arange(4 * edges.size - 3) / 4, np.arange(edges.size), edges))


def _as_observed(asked: AskedSplitting, snr: FloatArray) -> FloatArray:
    """The SNRs nearest by that float32 observations tell apart: there the answers are those of the SNR itself."""
    return np.asarray(asked.layout.average_snr * 10.0 ** asked.layout.snr_slot(snr).astype(np.float64))

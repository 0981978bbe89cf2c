"""Many problems in blocks that are solved side by side: stages on the first axis, problems on the last one."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol, cast

import numpy as np

from cointer_gym.baselines.bellman import Uplink
from cointer_gym.channels import ChannelLaw, FadingLaw, OffloadMoments
from cointer_gym.channels.capped import reaches_deep
from cointer_gym.channels.columns import SEEN_THROUGH, FadingLaws, LawColumns, Rates, stand_side_by_side
from cointer_gym.problem import StageTerms
from cointer_gym.units import BoolArray, FloatArray, IntArray

_NEAR = 2**16  # problems that are put in order: it gains nothing to fetch them from all over the memory
_SHARED = 64  # problems with one law object that make a group of their own


class Laws(Uplink, Protocol):
    """What one law, and many laws side by side, are asked here."""

    def threshold_snr(self, channel_uses: FloatArray) -> FloatArray:
        """The SNR from which x <= tau, elementwise."""

    def offload_moments(self, threshold_snr: FloatArray) -> OffloadMoments:
        """P(SNR >= threshold), E[x; SNR >= threshold] and P(SNR < threshold), elementwise."""


class Group(NamedTuple):
    """Problems whose channels are asked together."""

    rows: IntArray
    """Their numbers, shape (R,)."""
    law: ChannelLaw
    """The law of all; where they have columns, of one of them."""
    columns: dict[str, FloatArray] | None = None
    """Mean SNR, ``min_efficiency`` and ``max_efficiency`` (inf is none) of fading laws that share that of the gain."""

    def without_mean(self) -> BoolArray:
        """Whether E[x] is infinite, shape (R,)."""
        if self.columns is None:
            return np.full(self.rows.size, np.isinf(self.law.mean_channel_uses_per_bit))
        pure = self.columns["min_efficiency"] == 0
        return np.asarray(pure & bool(pure.any() and self.mean_needs_a_robust_rate()))

    def mean_needs_a_robust_rate(self) -> bool:
        """Whether E[x] is infinite without a most robust scheme."""
        return bool(np.isinf(self.law.model_copy(update={"min_efficiency": 0.0}).mean_channel_uses_per_bit))


class Block(NamedTuple):
    """Problems that are solved side by side."""

    rows: IntArray
    """Their numbers, shape (R,)."""
    last: IntArray
    """Their horizons, shape (R,)."""
    channel: Laws

    @property
    def horizon(self) -> int:
        """The longest horizon."""
        return int(self.last.max())

    def cut(self, terms: StageTerms) -> StageTerms:
        """The terms of these problems, of shape (horizon + 1, R), (horizon + 1, R) and (horizon, R)."""

        def cut(array: FloatArray, stages: int) -> FloatArray:
            return np.ascontiguousarray(array.take(self.rows, axis=0)[:, :stages].T)

        last = self.horizon
        return StageTerms(
            airtime=cut(terms.airtime, last + 1), edge=cut(terms.edge, last + 1), device=cut(terms.device, last)
        )

    def ended(self, terms: StageTerms) -> StageTerms:
        """Cut terms in which stages behind the last one of a problem take what that one takes, whatever is decided."""
        if not self._ragged:
            return terms
        last = (self.last, np.arange(self.last.size))
        end = StageTerms(airtime=terms.airtime[last], edge=terms.edge[last], device=np.empty(0))
        over = np.arange(self.horizon + 1)[:, None] >= self.last
        return StageTerms(
            airtime=np.where(over, 0.0, terms.airtime),
            edge=np.where(over, self.mean_upload(end), terms.edge),
            device=terms.device,
        )

    def mean_upload(self, terms: StageTerms) -> FloatArray:
        """E[airtime x + edge], of the shape of both."""
        return terms.mean_upload(cast(ChannelLaw, self.channel))  # of which it takes the mean

    def store(self, target: FloatArray, found: FloatArray) -> None:
        """Write what was found for the stages, or for all but the last one, into the rows; NaN behind that."""
        if self._ragged:
            last = self.last - (self.horizon + 1 - len(found))
            found = np.where(np.arange(len(found))[:, None] > last, np.nan, found)
        target[self.rows, : len(found)] = found.T
        target[self.rows, len(found) :] = np.nan

    @property
    def _ragged(self) -> bool:
        return bool(self.last.min() < self.last.max())


def blocks(groups: Sequence[Group], cost: StageTerms, horizon: IntArray, size: int) -> Iterator[Block]:
    """The problems in blocks of at most ``size``; equal horizons and similar mean SNRs stand together.

    Args:
        groups: of all problems.
        cost: their costs, 0 behind the last stage.
        horizon: of every problem.
        size: problems at a time.
    """
    for group in groups:
        for rows, channel in _parts(group, cost, horizon, size):
            yield Block(rows, horizon[rows], channel)


def _parts(group: Group, cost: StageTerms, horizon: IntArray, size: int) -> Iterator[tuple[IntArray, Laws]]:
    """Rows of a group with their channels side by side."""
    if group.columns is None:
        order = np.argsort(horizon[group.rows], kind="stable")
        yield from ((rows, group.law) for rows in _split(group.rows[order], size))
        return
    snr, low, high = (group.columns[name] for name in SEEN_THROUGH)
    with np.errstate(divide="ignore"):
        rate = Rates(1.0 / high, 1.0 / low)
    asked = _largest_caps(group, cost, rate.most_uses)
    alone = reaches_deep(snr, np.minimum(rate.most_uses, asked))
    for one in np.flatnonzero(alone):  # the tables of many laws are not made for these
        limits = {"min_efficiency": low[one], "max_efficiency": None if np.isinf(high[one]) else high[one]}
        yield group.rows[[one]], group.law.model_copy(update={"mean_snr": snr[one], **limits})
    for near in _split(np.flatnonzero(~alone), max(size, _NEAR)):
        order = np.lexsort((snr[near], horizon[group.rows[near]]))
        for part in _split(near[order], size):
            own = Rates(*(limit[part] for limit in rate))
            yield group.rows[part], FadingLaws(cast(FadingLaw, group.law), snr[part], own, asked[part])


def _split(rows: IntArray, size: int) -> Iterator[IntArray]:
    return (rows[first : first + size] for first in range(0, rows.size, size))


def _largest_caps(group: Group, cost: StageTerms, most: FloatArray) -> FloatArray:
    """A bound of the finite caps tau = (C - B) / A where there is no most robust scheme and E[x] is infinite, else inf.

    No finite C exceeds the cost of all layers and of the dearest upload without airtime; twice that for rounding.
    """
    caps = np.full(group.rows.size, np.inf)
    pure = np.isinf(most)
    if pure.any() and group.mean_needs_a_robust_rate():
        rows = group.rows[pure]
        largest = cost.device[rows].sum(axis=1) + cost.edge[rows].max(axis=1)
        airtime = cost.airtime[rows]
        caps[pure] = np.maximum(2.0 * largest / np.where(airtime > 0, airtime, np.inf).min(axis=1), 1.0)
    return caps


def groups_of_columns(columns: LawColumns, size: int) -> Iterator[Group]:
    """Rows that share the law of the gain."""
    seen_through = {name: columns.full(size)[name] for name in SEEN_THROUGH}
    for rows in columns.gains(size):
        law = columns.row(int(rows[0]))
        if stand_side_by_side(law):
            yield Group(rows, law, {name: column[rows] for name, column in seen_through.items()})
        else:
            yield from (Group(np.array([row]), columns.row(int(row))) for row in rows)


def groups_of_laws(laws: Sequence[ChannelLaw]) -> Iterator[Group]:
    """What many problems share stands alone; other fading laws stand beside those with the same law of the gain."""
    by_law: dict[Any, list[int]] = {}
    for row, law in enumerate(laws):
        by_law.setdefault(id(law) if isinstance(law, FadingLaw) else law, []).append(row)
    by_gain: dict[Any, list[int]] = {}
    for rows in by_law.values():
        law = laws[rows[0]]
        if len(rows) < _SHARED and isinstance(law, FadingLaw) and stand_side_by_side(law):
            by_gain.setdefault((type(law), repr(law.gain_parameters)), []).extend(rows)
        else:
            yield Group(np.array(rows), law)
    for rows in by_gain.values():
        members: list[Any] = [laws[row] for row in rows]
        columns = {name: np.array([getattr(law, name) for law in members], dtype=np.float64) for name in SEEN_THROUGH}
        columns["max_efficiency"][np.isnan(columns["max_efficiency"])] = np.inf
        yield Group(np.array(rows), members[0], columns)

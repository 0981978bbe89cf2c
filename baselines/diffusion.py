"""The recursion of a task in a Gauss-Markov channel: functions of the amplitude, one per stage.

    C_n(y) = c_n + E[V_{n+1}(y') | y],    V_n(y) = s_n(y) where the rule stops, C_n(y) elsewhere

with y the amplitude (m g)^(1/2), on which the transition is nearly a normal law of one width everywhere. C_n is kept as
polynomials on panels. How wide they may be is known beforehand: V has kinks at the rate limits, and kinks or jumps at
the ends of the stopping set; a step moves a kink from y to y / rho and blurs it to the width of the step; away from
kinks C is as smooth as the rate, whose only singularity near the real line is at y = 0. The integrals are split at
every kink and at the panels, into cells no wider than three standard deviations of the step.

Quantities that are added up side by side (ETC, seconds, joules, probabilities of splits) are columns.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from cointer_gym.baselines.panels import ORDER, Blur, Panels, points
from cointer_gym.channels import Rate
from cointer_gym.channels.amplitude import AmplitudeStep
from cointer_gym.channels.markov import GaussMarkov
from cointer_gym.problem import StageTerms
from cointer_gym.units import BoolArray, FloatArray, IntArray

_CELL_NODES = 14
_CELL = 3.0  # deviations of the step, at most: a normal density, of half that variance too, is integrated to 1e-14
_BLOCK = 512  # pairs of amplitude and cell at a time: they stay in the cache
_POLE = 3.0  # panels begin this much finer than the place below which the rate is constant
_NEVER = 1e-25  # probability of amplitudes that are left out
_HARDLY = 1e-17  # of those that have panels of their own: what is left out shows there, and nowhere else
_MARGIN = 12.0  # beyond those: more than any step reaches
_SCAN = 8  # points per doubling of the amplitude at which stopping and going on are compared
_ROUNDS = 4  # of sections into 16 parts, before the last secant
_TIE = 1e-11  # relative: stopping and going on are equally good
_LOWEST_POLE = 1e-7  # amplitude, for a rate that falls to 0

_LEGENDRE, _WEIGHTS = np.polynomial.legendre.leggauss(_CELL_NODES)
_LEGENDRE, _WEIGHTS = 0.5 * (1.0 + _LEGENDRE), 0.5 * _WEIGHTS

Function = Callable[[FloatArray], FloatArray]


class Line:
    """The amplitudes of a process seen through a rate: where they lie, and where the rate has kinks.

    Args:
        process: the channel.
        rate: through which it is seen.
    """

    def __init__(self, process: GaussMarkov, rate: Rate) -> None:
        self.process, self.rate, self.m = process, rate, process.m
        self._scale = float(np.sqrt(process.m / process.law.average_snr))
        self.ends = _support(self.m)
        self.low, self.high = float(self.ends[0]), float(self.ends[-1])
        slow = float(self.amplitude(rate.snr(rate.most_uses)))
        fast = float(self.amplitude(rate.snr(rate.fewest_uses)))
        self.kinks = np.array([limit for limit in (slow, fast) if 0.0 < limit < np.inf])
        self.start = Blur(self.kinks, np.zeros(self.kinks.size)).joined(
            np.zeros(1), np.array([max(slow, _LOWEST_POLE) / _POLE])
        )
        self._ladder = self._rate_edges(max(slow, _LOWEST_POLE))

    def amplitude(self, snr: FloatArray) -> FloatArray:
        """(m g)^(1/2) of linear SNRs."""
        return np.asarray(self._scale * np.sqrt(snr))

    def snr(self, amplitude: FloatArray) -> FloatArray:
        """Linear SNRs of amplitudes."""
        return np.asarray((amplitude / self._scale) ** 2)

    def uses(self, amplitude: FloatArray) -> FloatArray:
        """Channel uses per bit."""
        return self.rate.channel_uses_per_bit(self.snr(amplitude))

    def _rate_edges(self, slow: float) -> FloatArray:
        """Edges between which the rate is smooth: doubling from where it begins to rise, and its kinks."""
        bottom, top = max(self.low - _MARGIN, 0.0), self.high + _MARGIN
        first = max(slow, bottom, 1e-300)
        doubling = first * 2.0 ** np.arange(max(int(np.ceil(np.log2(top / first))), 0) + 1)
        edges = np.concatenate([[bottom, self.low, self.high, top], doubling, self.kinks])
        return np.unique(edges[(edges >= bottom) & (edges <= top)])

    @cached_property
    def scan(self) -> FloatArray:
        """Points between which the rate changes little."""
        edges = self._ladder[(self._ladder >= self.low) & (self._ladder <= self.high)]
        between = np.append(
            (edges[:-1, None] + np.diff(edges)[:, None] * (np.arange(_SCAN) / _SCAN)).ravel(), edges[-1]
        )
        return np.asarray(np.unique(between))

    def source_edges(self, *more: FloatArray) -> FloatArray:
        """Edges between which V is smooth."""
        edges = np.unique(np.concatenate([self._ladder, *more]))
        return np.asarray(edges[(edges >= self._ladder[0]) & (edges <= self._ladder[-1])])


@lru_cache(maxsize=64)
def _support(m: float) -> FloatArray:
    """The amplitudes between which all but 1e-25, and all but 1e-17, on either side lies; from 0 unless that is far."""
    from scipy.special import gammainccinv, gammaincinv

    below, above = (np.sqrt(inverse(m, [_NEVER, _HARDLY])) for inverse in (gammaincinv, gammainccinv))
    return np.concatenate([below if below[0] > 0.5 else [0.0], above[::-1]])


@dataclass(frozen=True, eq=False)
class Stage:
    """V_n: what is still to come at stage n, by the amplitude."""

    line: Line
    airtime: FloatArray
    """Shape (columns,)."""
    edge: FloatArray
    """Shape (columns,)."""
    ends: FloatArray
    """Amplitudes at which the stopping set begins and ends, shape (2 k,)."""
    going_on: Panels | None
    """C_n; None at the last stage, where all stops."""
    blur: Blur
    """Of C_n."""

    def stops(self, amplitude: FloatArray) -> BoolArray:
        """Whether the rule stops there, elementwise."""
        if self.going_on is None:
            return np.ones(amplitude.shape, dtype=bool)
        return np.asarray(np.searchsorted(self.ends, amplitude, side="right") % 2 == 1)

    def stop_cost(self, amplitude: FloatArray) -> FloatArray:
        """s_n, shape (*amplitude.shape, columns)."""
        if not self.airtime.any():
            return np.broadcast_to(self.edge, (*amplitude.shape, self.edge.size))
        return np.asarray(self.line.uses(amplitude)[..., None] * self.airtime + self.edge)

    def __call__(self, amplitude: FloatArray, stops: BoolArray | None = None) -> FloatArray:
        """V_n, shape (*amplitude.shape, columns)."""
        stops = self.stops(amplitude) if stops is None else stops
        if self.going_on is None or stops.all():
            return self.stop_cost(amplitude)
        value = np.empty((*amplitude.shape, self.edge.size))
        value[stops], value[~stops] = self.stop_cost(amplitude[stops]), self.going_on(amplitude[~stops])
        return value

    @cached_property
    def edges(self) -> FloatArray:
        """Between them V_n is smooth."""
        inside = self.ends[np.isfinite(self.ends)]
        return self.line.source_edges(inside, *([] if self.going_on is None else [self.going_on.edges]))

    @cached_property
    def value_blur(self) -> Blur:
        """Of V_n."""
        inside = self.ends[np.isfinite(self.ends) & (self.ends > 0)]
        both = self.blur.joined(self.line.start.at, self.line.start.width)
        return both.joined(inside, np.zeros(inside.size))

    def mean_after(self, step: AmplitudeStep, amplitude: FloatArray) -> FloatArray:
        """E[V_n(y') | y] at amplitudes of shape (T,), shape (T, columns)."""
        if step.is_still:
            return self(amplitude)
        cells = _Cells(self.edges, _CELL * step.deviation)
        low, high = step.window(amplitude)
        first, last = cells.at(low), cells.at(high)
        count = last - first + 1
        begins = np.cumsum(count) - count
        target = np.repeat(np.arange(amplitude.size), count)
        cell, which = np.unique(np.arange(target.size) - begins[target] + first[target], return_inverse=True)
        nodes, weights = cells.nodes(cell, 2.0 * self.line.m - 1.0)
        stops = np.repeat(self.stops(cells.middle(cell))[:, None], _CELL_NODES, axis=1)
        weighted = self(nodes, stops) * weights[..., None]
        parts = np.empty((target.size, self.edge.size))
        for start in range(0, target.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            kernel = step.density(amplitude[target[block]][:, None], nodes[which[block]])
            parts[block] = np.einsum("pk,pkc->pc", kernel, weighted[which[block]])
        return np.add.reduceat(parts, begins, axis=0)

    def mean(self) -> FloatArray:
        """E[V_n] under the stationary law, shape (columns,)."""
        return np.asarray(self.mean_after(AmplitudeStep(self.line.m, 0.0, 1.0), np.zeros(1))[0])

    def before(self, step: AmplitudeStep, device: FloatArray) -> tuple[Panels, Blur]:
        """C_{n-1} = device + E[V_n(y') | y], and where it is not smooth."""
        blur = self.value_blur.after(step)
        if step.is_still:
            inside = (self.edges >= self.line.low) & (self.edges <= self.line.high)
            edges = self.edges[inside]
        else:
            edges = blur.panels(self.line.ends)
        at = points(edges)
        if step.rho == 0.0:
            mean = np.broadcast_to(self.mean(), (*at.shape, self.edge.size))
        else:
            mean = self.mean_after(step, at.ravel()).reshape(*at.shape, -1)
        return Panels(edges, mean + device), blur


class _Cells:
    """Every interval between edges in equal cells of a width at most; they are numbered, and made when asked for."""

    def __init__(self, edges: FloatArray, widest: float) -> None:
        self._edges, widths = edges, np.diff(edges)
        parts = np.ceil(np.maximum(widths / widest, 1.0))
        self._width, self._parts = widths / parts, parts.astype(np.int64)
        self._before = np.append(0, np.cumsum(self._parts))

    def at(self, amplitude: FloatArray) -> IntArray:
        """Numbers of the cells that hold amplitudes."""
        within = np.clip(np.searchsorted(self._edges, amplitude, side="right") - 1, 0, self._width.size - 1)
        part = np.floor((amplitude - self._edges[within]) / self._width[within]).astype(np.int64)
        return np.asarray(self._before[within] + np.clip(part, 0, self._parts[within] - 1))

    def _begin(self, cell: IntArray) -> tuple[FloatArray, FloatArray]:
        within = np.searchsorted(self._before, cell, side="right") - 1
        width = self._width[within]
        return self._edges[within] + (cell - self._before[within]) * width, width

    def middle(self, cell: IntArray) -> FloatArray:
        """Middles of cells."""
        begin, width = self._begin(cell)
        return np.asarray(begin + 0.5 * width)

    def nodes(self, cell: IntArray, power: float) -> tuple[FloatArray, FloatArray]:
        """Nodes and weights of cells, shape (cells, 14); at 0 exact for a smooth function times y^power."""
        begin, width = self._begin(cell)
        nodes, weights = begin[:, None] + width[:, None] * _LEGENDRE, width[:, None] * _WEIGHTS
        touches = begin == 0.0
        if touches.any() and power != round(power):
            at, share = _jacobi(power)
            nodes[touches] = width[touches, None] * at
            weights[touches] = width[touches, None] * share
        return nodes, weights


@lru_cache(maxsize=32)
def _jacobi(power: float) -> tuple[FloatArray, FloatArray]:
    """Nodes on [0, 1], and weights for the integral of t^power f(t) given the product at the nodes."""
    from scipy.special import roots_jacobi

    at, weights = roots_jacobi(_CELL_NODES, 0.0, power)
    at = 0.5 * (1.0 + at)
    return at, weights * 0.5 ** (power + 1.0) / at**power


def stopping_ends(line: Line, stop_cost: Function, going_on: Panels) -> FloatArray:
    """Amplitudes between which s <= C, shape (2 k,): begin, end, begin, ...; 0 and inf where it has no end.

    Signs are looked at at the points of every panel, and where the rate is steep. Where |s - C| has a minimum between
    two points of the same sign, the place is scanned again, twice: a band that is missed costs less than 1e-9 of s - C
    at the points around it.
    """

    def over_by(amplitude: FloatArray, go_on: FloatArray) -> FloatArray:
        return np.asarray(stop_cost(amplitude)[..., 0] - go_on - _TIE * np.abs(go_on))

    def excess(amplitude: FloatArray) -> FloatArray:
        return over_by(amplitude, going_on(amplitude)[..., 0])

    known = points(going_on.edges).ravel()
    at, chosen = np.unique(np.append(known, line.scan), return_index=True)
    over = np.append(over_by(known, going_on.values[:, :, 0].ravel()), excess(line.scan))[chosen]
    for _ in range(2):
        size = np.abs(over)
        same = (np.sign(over[1:-1]) == np.sign(over[:-2])) & (np.sign(over[1:-1]) == np.sign(over[2:]))
        dips = 1 + np.flatnonzero(same & (size[1:-1] < size[:-2]) & (size[1:-1] < size[2:]))
        if dips.size == 0:
            break
        finer = (at[dips - 1, None] + (at[dips + 1] - at[dips - 1])[:, None] * (np.arange(1, 64) / 64.0)).ravel()
        at, chosen = np.unique(np.append(at, finer), return_index=True)
        over = np.append(over, excess(finer))[chosen]
    stops = over <= 0
    change = np.flatnonzero(stops[1:] != stops[:-1])
    roots = _refined(excess, at[change], at[change + 1], stops[change])
    begin, end = [0.0] if stops[0] else [], [np.inf] if stops[-1] else []
    return np.concatenate([begin, roots, end])


def _refined(excess: Function, low: FloatArray, high: FloatArray, stops_below: BoolArray) -> FloatArray:
    """Where the sign changes between ``low`` and ``high``, elementwise."""
    if low.size == 0:
        return low
    parts = np.arange(17) / 16.0
    rows = np.arange(low.size)
    for _ in range(_ROUNDS):
        at = low[:, None] + (high - low)[:, None] * parts
        over = excess(at)
        changed = (over <= 0) != stops_below[:, None]
        changed[:, -1], changed[:, 0] = True, False
        first = changed.argmax(axis=1)
        low, high = at[rows, first - 1], at[rows, first]
        before, after = over[rows, first - 1], over[rows, first]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = before / (before - after)
    return np.asarray(low + np.where((share >= 0) & (share <= 1), share, 1.0) * (high - low))


def last_stage(line: Line, airtime: FloatArray, edge: FloatArray) -> Stage:
    """V_M: all stops, at the cost of the last upload, or at none."""
    return Stage(line, airtime, edge, np.array([0.0, np.inf]), None, line.start)


def optimal_stages(line: Line, terms: StageTerms, steps: list[AmplitudeStep]) -> list[Stage]:
    """V_0 .. V_M of the rule that stops where that costs no more than going on."""
    stages = [last_stage(line, terms.airtime[-1:], terms.edge[-1:])]
    for n in reversed(range(terms.device.size)):
        going_on, blur = stages[0].before(steps[n], terms.device[n : n + 1])
        nowhere = Stage(line, terms.airtime[n : n + 1], terms.edge[n : n + 1], np.zeros(0), going_on, blur)
        ends = stopping_ends(line, nowhere.stop_cost, going_on)
        stages.insert(0, Stage(line, nowhere.airtime, nowhere.edge, ends, going_on, blur))
    return stages


def followed_stages(line: Line, columns: StageTerms, steps: list[AmplitudeStep], ends: list[FloatArray]) -> list[Stage]:
    """V_0 .. V_M of given stopping sets.

    Args:
        line: the amplitudes.
        columns: terms of shape (M+1, columns) and (M, columns).
        steps: of the channel from stage to stage, M of them.
        ends: of the stopping sets as amplitudes, M of them.
    """
    stages = [last_stage(line, columns.airtime[-1], columns.edge[-1])]
    for n in reversed(range(len(steps))):
        going_on, blur = stages[0].before(steps[n], columns.device[n])
        stages.insert(0, Stage(line, columns.airtime[n], columns.edge[n], ends[n], going_on, blur))
    return stages


class Diffusion:
    """A Gauss-Markov channel on the way through the stages of a task.

    Args:
        process: the channel.
        rate: through which it is seen.
        elapsed_s: seconds from stage to stage, shape (M,).
    """

    def __init__(self, process: GaussMarkov, rate: Rate, elapsed_s: FloatArray) -> None:
        self._line = Line(process, rate)
        self._steps = [process.transition(seconds) for seconds in elapsed_s.tolist()]

    def optimal(self, terms: StageTerms) -> "Walk":
        """The rule that stops where that costs no more than going on."""
        return Walk(self._line, optimal_stages(self._line, terms, self._steps))

    def following(self, columns: StageTerms, sets: Sequence[FloatArray]) -> "Walk":
        """The rule with given stopping sets."""
        ends = [self._line.amplitude(part).ravel() for part in sets]
        return Walk(self._line, followed_stages(self._line, columns, self._steps, ends))

    def probability_of_never(self, sets: Sequence[FloatArray]) -> float:
        """P(the SNR lies in the set of no stage) for M+1 sets."""
        line, ends = self._line, [self._line.amplitude(part).ravel() for part in sets]
        nothing = np.zeros(1)
        always = Panels(np.array([line.low, line.high]), np.ones((1, ORDER, 1)))
        stage = Stage(line, nothing, nothing, ends[-1], always, Blur(nothing[:0], nothing[:0]))
        for step, part in zip(reversed(self._steps), reversed(ends[:-1]), strict=True):
            going_on, blur = stage.before(step, nothing)
            stage = Stage(line, nothing, nothing, part, going_on, blur)
        return float(stage.mean()[0])


@dataclass(frozen=True, eq=False)
class Walk:
    """A rule on its way: V_0 .. V_M."""

    line: Line
    stages: list[Stage]

    @property
    def sets(self) -> tuple[FloatArray, ...]:
        """Stopping sets of stages 0 .. M-1 as SNRs, shape (k, 2) each."""
        return tuple(self.line.snr(stage.ends).reshape(-1, 2) for stage in self.stages[:-1])

    def mean(self) -> FloatArray:
        """E[V_0], shape (columns,)."""
        return self.stages[0].mean()

    def value(self, stage: int, snr: FloatArray) -> FloatArray:
        """V_n, shape (*snr.shape, columns)."""
        return self.stages[stage](self._likely(snr))

    def going_on(self, stage: int, snr: FloatArray) -> FloatArray:
        """C_n, n < M, shape (*snr.shape, columns)."""
        panels = self.stages[stage].going_on
        if panels is None:
            raise ValueError(f"stage = {stage} is the last one: nothing goes on from there")
        return panels(self._likely(snr))

    def _likely(self, snr: FloatArray) -> FloatArray:
        """Amplitudes of SNRs, or the nearest that are likelier than 1e-25."""
        return np.clip(self.line.amplitude(snr), self.line.low, self.line.high)

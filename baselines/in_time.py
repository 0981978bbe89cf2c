"""Optimal stopping while the channel moves in time, solved and scored exactly.

    C_n(g) = c_n + E[V_{n+1}(g') | g],    V_n(g) = min(s_n(g), C_n(g)),    cost = E[V_0(g)]

with g' the channel an elapsed time after g: the seconds that layer n+1 takes. The rule sees stage and SNR, which is all
there is to see in a Markov channel. Where it stops need not be all SNRs above a threshold: a set is a union of
intervals [low, high).

The independent law of ``backward_induction`` is the limit of a coherence time of 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from cointer_gym.baselines.chain import Chain, LevelWalk
from cointer_gym.baselines.diffusion import Diffusion, Walk
from cointer_gym.channels.finite_state import FiniteState
from cointer_gym.channels.markov import GaussMarkov, MarkovProcess, checked_elapsed
from cointer_gym.problem import StageTerms, StoppingProblem
from cointer_gym.records import checked_integer
from cointer_gym.units import BoolArray, FloatArray

_ABOVE_OPTIMUM = 1e-8  # relative
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
_MOST_HALVINGS = 12


@dataclass(frozen=True, eq=False, kw_only=True)
class TimedSolution:
    """A rule of stage and SNR in a channel that moves in time, and its exact cost."""

    problem: StoppingProblem
    process: MarkovProcess
    elapsed_s: FloatArray
    """Seconds from stage to stage, shape (M,)."""
    stopping_sets: tuple[FloatArray, ...]
    """Where the rule offloads at stages 0..M-1: linear SNRs [low, high), shape (intervals, 2) each; () is never."""
    walk: Walk | LevelWalk
    """The functions of the recursion."""

    @cached_property
    def cost(self) -> float:
        """Exact expected ETC of one inference, before its first SNR is seen."""
        return float(self.walk.mean()[0])

    @property
    def time_s(self) -> float | None:
        """Expected seconds; None if the problem does not know them."""
        return None if self.problem.time is None else float(self._amounts[self.problem.horizon + 1])

    @property
    def energy_j(self) -> float | None:
        """Expected joules; None if the problem does not know them."""
        return None if self.problem.energy is None else float(self._amounts[-1])

    @property
    def split_probability(self) -> FloatArray:
        """P(the network is split after layer n), shape (M+1,)."""
        return self._amounts[: self.problem.horizon + 1]

    @property
    def is_threshold(self) -> bool:
        """Whether at every stage all SNRs above some SNR offload, or none."""
        return all(_is_upper(part) for part in self.stopping_sets)

    @property
    def threshold_snr(self) -> FloatArray:
        """Linear thresholds, shape (M,); 0 always, inf never.

        Raises:
            ValueError: the set of a stage is no threshold.
        """
        for n, part in enumerate(self.stopping_sets):
            if not _is_upper(part):
                bands = ", ".join(f"[{low:g}, {high:g})" for low, high in part.tolist())
                raise ValueError(f"the stopping set of stage {n} is no threshold: it is {bands}")
        return np.array([part[0, 0] if part.size else np.inf for part in self.stopping_sets])

    def stops(self, stage: int, snr: ArrayLike) -> BoolArray:
        """Whether the rule offloads at an SNR, elementwise; at the last stage it always does."""
        at, given = self._checked(stage, snr)
        if at == self.problem.horizon:
            return np.ones(given.shape, dtype=bool)
        return np.asarray(np.searchsorted(self.stopping_sets[at].ravel(), given, side="right") % 2 == 1)

    def value(self, stage: int, snr: ArrayLike) -> FloatArray:
        """Expected ETC still to come at a stage when its SNR has been seen, elementwise.

        In a Gauss-Markov channel an SNR beyond which less than 1e-25 lies counts as the nearest that is likelier.
        """
        at, given = self._checked(stage, snr)
        return np.asarray(self.walk.value(at, given)[..., 0])

    def continuation_cost(self, stage: int, snr: ArrayLike) -> FloatArray:
        """C_n: expected ETC still to come if the device goes on at an SNR, elementwise.

        Raises:
            ValueError: from the last stage nothing goes on.
        """
        at, given = self._checked(stage, snr)
        return np.asarray(self.walk.going_on(at, given)[..., 0])

    def _checked(self, stage: int, snr: ArrayLike) -> tuple[int, FloatArray]:
        given = np.asarray(snr, dtype=np.float64)
        if not (given >= 0).all():
            raise ValueError(f"snr = {snr!r} must be >= 0")
        return checked_integer("stage", stage, 0, self.problem.horizon), given

    @cached_property
    def _amounts(self) -> FloatArray:
        """Probabilities of all splits, then seconds and joules where they are known, in one more recursion."""
        size = self.problem.horizon + 1
        airtime, edge, device = np.zeros((size, size)), np.eye(size), np.zeros((size - 1, size))
        for terms in (self.problem.time, self.problem.energy):
            if terms is not None:
                airtime, edge = np.column_stack([airtime, terms.airtime]), np.column_stack([edge, terms.edge])
                device = np.column_stack([device, terms.device])
        world = _world(self.problem, self.process, self.elapsed_s)
        columns = StageTerms(airtime=airtime, edge=edge, device=device)
        return world.following(columns, self.stopping_sets).mean()


def solve_in_time(
    problem: StoppingProblem, process: MarkovProcess, elapsed_s: ArrayLike | None = None
) -> TimedSolution:
    """Solve the stopping problem exactly in a channel that moves in time.

    Args:
        problem: horizon M. Its channel is the process's stationary law; of a finite-state process only the rate is
            taken from it.
        process: ``GaussMarkov`` or ``FiniteState``.
        elapsed_s: seconds from stage n to stage n+1, shape (M,); what layer n+1 takes on the device unless given.

    Returns:
        TimedSolution: relative error of ``cost`` below 1e-9 for Gauss-Markov channels, rounding for finite-state ones.
        SNRs that are reached with a probability below 1e-25 stop or go on as the nearest one that is likelier.

    Raises:
        ValueError: another law than the process's, times that are missing, negative or of the wrong shape, or an upload
            of infinite mean cost.
    """
    elapsed = _elapsed(problem, elapsed_s)
    walk = _world(problem, process, elapsed).optimal(problem.cost)
    _check_bounded(problem, walk.sets)
    return TimedSolution(problem=problem, process=process, elapsed_s=elapsed, stopping_sets=walk.sets, walk=walk)


def score_in_time(
    stopping_sets: Sequence[ArrayLike],
    problem: StoppingProblem,
    process: MarkovProcess,
    elapsed_s: ArrayLike | None = None,
) -> TimedSolution:
    """Score any rule of stage and SNR exactly, such as the thresholds of the independent optimum.

        score_in_time(threshold_sets(bl.backward_induction(problem).threshold_snr), problem, process)

    Args:
        stopping_sets: M arrays of intervals [low, high) of linear SNRs, shape (intervals, 2), rising and apart.
        problem: as for ``solve_in_time``.
        process: as there.
        elapsed_s: as there.

    Raises:
        ValueError: as for ``solve_in_time``, or a set that is none.
    """
    elapsed = _elapsed(problem, elapsed_s)
    sets = checked_sets(stopping_sets, problem.horizon)
    _check_bounded(problem, sets)
    terms = problem.cost
    columns = StageTerms(airtime=terms.airtime[:, None], edge=terms.edge[:, None], device=terms.device[:, None])
    walk = _world(problem, process, elapsed).following(columns, sets)
    return TimedSolution(problem=problem, process=process, elapsed_s=elapsed, stopping_sets=sets, walk=walk)


def threshold_sets(threshold_snr: ArrayLike) -> tuple[FloatArray, ...]:
    """The stopping sets of thresholds, shape (M,): all SNRs from the threshold on, none if it is inf."""
    given = np.asarray(threshold_snr, dtype=np.float64)
    return tuple(np.array([[low, np.inf]]) if low < np.inf else np.empty((0, 2)) for low in given.tolist())


def checked_sets(stopping_sets: Sequence[ArrayLike], stages: int) -> tuple[FloatArray, ...]:
    """Stopping sets as arrays of shape (intervals, 2).

    Raises:
        ValueError: not one per stage, or intervals that do not rise.
    """
    if len(stopping_sets) != stages:
        raise ValueError(
            f"stopping_sets has {len(stopping_sets)} entries, expected {stages}, one per stage but the last"
        )
    sets = []
    for n, given in enumerate(stopping_sets):
        part = np.asarray(given, dtype=np.float64)
        part = part.reshape(0, 2) if part.size == 0 else part
        if part.ndim != 2 or part.shape[1] != 2:
            raise ValueError(f"stopping_sets[{n}] has shape {part.shape}, expected (intervals, 2)")
        ends = part.ravel()
        if not ((ends >= 0).all() and (np.diff(ends) > 0).all()):
            raise ValueError(
                f"stopping_sets[{n}] = {part.tolist()} must be intervals of SNRs >= 0 that rise and are apart"
            )
        sets.append(part)
    return tuple(sets)


def clairvoyant_in_time(
    problem: StoppingProblem, process: MarkovProcess, elapsed_s: ArrayLike | None = None, *, rtol: float = 1e-6
) -> float:
    """Expected cost when the whole path of the channel is known beforehand; no causal rule can be cheaper.

        E[min_n (sum_{k<n} c_k + s_n)] = integral over t of P(sum_{k<n} c_k + s_n > t at every n)

    For a finite-state channel the integral is an exact sum. For a Gauss-Markov channel every t takes a recursion of its
    own; panels of t are halved until they change by less than ``rtol`` of the whole: some seconds for 20 stages.

    Args:
        problem: as for ``solve_in_time``.
        process: as there.
        elapsed_s: as there.
        rtol: relative error of the integral, from 1e-9.

    Raises:
        ValueError: as for ``solve_in_time``.
        ArithmeticError: the bound exceeds the optimum, which only a bug can do, or the integral does not settle.
    """
    if not 1e-9 <= rtol < 1:
        raise ValueError(f"rtol = {rtol} must be from 1e-9 to below 1")
    optimum = solve_in_time(problem, process, elapsed_s)
    world = _world(problem, process, optimum.elapsed_s)
    if isinstance(world, Chain):
        bound, allowed = world.mean_least(problem.cost), _ABOVE_OPTIMUM
    else:
        bound, allowed = _mean_least(world, problem, rtol), _ABOVE_OPTIMUM + rtol
    if bound > optimum.cost * (1.0 + allowed):
        raise ArithmeticError(
            f"clairvoyant bound {bound!r} exceeds the optimum {optimum.cost!r}: one of them is faulty"
        )
    return bound


def _mean_least(world: Diffusion, problem: StoppingProblem, rtol: float) -> float:
    """The integral of P(minimum > t), between the t at which it jumps or has kinks."""
    terms, rate = problem.cost, problem.channel.rate
    base = np.append(0.0, np.cumsum(terms.device)) + terms.edge
    with np.errstate(invalid="ignore"):
        most = base + np.where(terms.airtime > 0, terms.airtime * rate.most_uses, 0.0)
    least = base + terms.airtime * rate.fewest_uses
    low, high = float(least.min()), float(most.min())
    if not np.isfinite(high):
        raise ValueError(
            "min_efficiency = 0: with no stage of bounded cost the clairvoyant bound needs a most robust rate"
        )

    def above(level: float) -> float:
        """P(minimum > level)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(
                terms.airtime > 0, (level - base) / terms.airtime, np.where(base <= level, np.inf, -np.inf)
            )
        never = (reach <= 0) | (reach < rate.fewest_uses)
        thresholds = np.where(never, np.inf, np.where(reach >= rate.most_uses, 0.0, rate.snr(np.maximum(reach, 0.0))))
        return world.probability_of_never(threshold_sets(thresholds))

    def panel(start: float, stop: float) -> float:
        middle, half = 0.5 * (start + stop), 0.5 * (stop - start)
        return half * sum(weight * above(middle + half * node) for node, weight in zip(_NODES, _WEIGHTS, strict=True))

    knots = np.unique(np.concatenate([least, most, [low, high]]))
    knots = knots[(knots >= low) & (knots <= high)]
    todo = [(start, stop, panel(start, stop), 0) for start, stop in pairwise(knots.tolist())]
    scale = low + sum(part for _, _, part, _ in todo)
    total = low
    while todo:
        start, stop, whole, depth = todo.pop()
        middle = 0.5 * (start + stop)
        halves = panel(start, middle), panel(middle, stop)
        if abs(sum(halves) - whole) <= rtol * scale * max((stop - start) / (high - low), 1e-2):
            total += sum(halves)
        elif depth == _MOST_HALVINGS:
            raise ArithmeticError(f"the integral between {start:g} and {stop:g} does not settle within rtol = {rtol:g}")
        else:
            todo += [(start, middle, halves[0], depth + 1), (middle, stop, halves[1], depth + 1)]
    return total


def _elapsed(problem: StoppingProblem, elapsed_s: ArrayLike | None) -> FloatArray:
    if elapsed_s is None:
        if problem.time is None:
            raise ValueError("elapsed_s is missing: the problem does not know how many seconds its layers take")
        return problem.time.device
    return checked_elapsed(elapsed_s, problem.horizon)


def _world(problem: StoppingProblem, process: MarkovProcess, elapsed_s: FloatArray) -> Diffusion | Chain:
    rate = problem.channel.rate
    if isinstance(process, FiniteState):
        return Chain(process, rate, elapsed_s)
    if not isinstance(process, GaussMarkov):
        raise ValueError(f"process = {process!r} must be a GaussMarkov or a FiniteState")
    if process.law != problem.channel:
        raise ValueError(f"process.law = {process.law!r} must be the channel of the problem, {problem.channel!r}")
    return Diffusion(process, rate, elapsed_s)


def _check_bounded(problem: StoppingProblem, sets: Sequence[FloatArray]) -> None:
    """Refuse uploads at an SNR of 0 without a most robust rate."""
    if problem.channel.min_efficiency > 0:
        return
    at_zero = [part.size > 0 and part[0, 0] == 0.0 for part in sets] + [not problem.completes]
    bad = [n for n, stops in enumerate(at_zero) if stops and problem.cost.airtime[n] > 0]
    if bad:
        raise ValueError(
            f"min_efficiency = 0 and an upload at stage {bad[0]} at any SNR: give the link a most robust rate"
        )


def _is_upper(part: FloatArray) -> bool:
    return part.size == 0 or (part.shape == (1, 2) and bool(np.isinf(part[0, 1])))

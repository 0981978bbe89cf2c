"""What it costs to plan for independent fading where the channel stays coherent for a while: one record for all."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from cointer_gym import baselines as bl
from cointer_gym.channels.markov import GaussMarkov
from cointer_gym.problem import StoppingProblem
from cointer_gym.records import Model
from cointer_gym.scenario import Scenario
from cointer_gym.units import linear_to_db

IN_TIME = "optimal-in-time"
"""Name of the optimum in the channel that moves in time; the others are names of rules."""
SHORTEST_S, LONGEST_S = 1e-6, 1e4

_FIRST, _STEP, _STEPS = -4.0, 5.0 / 12.0, 12  # of the picture: 0.1 ms to 10 s, decades

_HARDLY = 1e-6  # a share of uploads below which their mean time is rounding
_UNBOUNDED = (
    "it uploads at every SNR, and with min_efficiency = 0 the mean time of such an upload diverges or is not computed"
)


class MismatchRow(Model):
    """One rule in both worlds, ETC per task; None where ``null_because`` tells why.

    Args:
        label: how it is shown.
        promised: exact cost if the fading of every layer is independent.
        got: exact cost in the coherent world.
        difference: got above promised, as a share of promised.
        loss: got above the optimum in time, as a share of it.
        null_because: why numbers are None.
    """

    label: str
    promised: float | None
    got: float | None
    difference: float | None
    loss: float | None
    null_because: str | None = None


class MismatchAnswer(Model):
    """What a scenario costs when its channel stays coherent for a while, and what independent fading promises.

    Args:
        version: of this shape.
        scenario: its name.
        placement: layers on the device, M.
        layers: of the network, L.
        law: the stationary law.
        mean_snr_db: of it.
        coherence_time_s: seconds in which the correlation of the complex gain falls to 1/e.
        layer_s: what each layer takes on the device, (M,), seconds.
        snr_correlation: of the SNR before and after each layer, e^(-2 layer_s / coherence_time_s), (M,).
        upload_s: mean seconds of an upload under the optimum in time, during which its SNR is taken as frozen; None if
            it uploads nothing.
        rules: by name; the last one is ``optimal-in-time``.
        clairvoyant_cost: what no causal rule passes in the coherent world; None if it was not asked for.
        swept_s: coherence times of the picture, rising; the one above is among them.
        swept_cost: cost of every rule at each of them; None where it has none.
    """

    version: Literal[1] = 1
    scenario: str
    placement: int
    layers: int
    law: str
    mean_snr_db: float
    coherence_time_s: float
    layer_s: tuple[float, ...]
    snr_correlation: tuple[float, ...]
    upload_s: float | None
    rules: dict[str, MismatchRow]
    clairvoyant_cost: float | None
    swept_s: tuple[float, ...]
    swept_cost: dict[str, tuple[float | None, ...]]


def mismatch_answer(
    scenario: Scenario, coherence_time_s: float, placement: int | None = None, *, bound: bool = True
) -> MismatchAnswer:
    """Score every rule in both worlds, exactly.

    Args:
        scenario: its stationary law is Rayleigh or Nakagami.
        coherence_time_s: from 1e-6 to 1e4.
        placement: layers on the device; all unless given.
        bound: whether to add the clairvoyant bound, which takes longer than all the rest.

    Raises:
        ValueError: a coherence time outside of the range, a law whose SNR is not Markov, or a placement that is none.
    """
    if not SHORTEST_S <= coherence_time_s <= LONGEST_S:
        raise ValueError(
            f"coherence_time_s = {coherence_time_s:g} must be from {SHORTEST_S:g} to {LONGEST_S:g} seconds"
        )
    problem = scenario.problem(placement)
    process = GaussMarkov(problem.channel, coherence_time_s)
    solutions = bl.reference_rules(problem)
    optimum = bl.solve_in_time(problem, process)
    independent = bl.score_in_time(optimum.stopping_sets, problem, GaussMarkov(problem.channel, 0.0))
    swept = _swept_s(coherence_time_s)
    costs = [_costs(problem, solutions, seconds) for seconds in swept]
    got = costs[swept.index(coherence_time_s)]
    rules = {
        name: _row(f"{bl.RULES[name].label}{', i.i.d.' * (name == 'optimal')}", solution.cost, got[name], optimum.cost)
        for name, solution in solutions.items()
    }
    rules[IN_TIME] = _row("Optimum in time", independent.cost, got[IN_TIME], optimum.cost)
    return MismatchAnswer(
        scenario=scenario.name,
        placement=problem.horizon,
        layers=scenario.layers,
        law=problem.channel.name,
        mean_snr_db=float(linear_to_db(problem.channel.average_snr)),
        coherence_time_s=coherence_time_s,
        layer_s=tuple(optimum.elapsed_s.tolist()),
        snr_correlation=tuple((process.correlation(optimum.elapsed_s) ** 2).tolist()),
        upload_s=_upload_s(optimum),
        rules=rules,
        clairvoyant_cost=bl.clairvoyant_in_time(problem, process) if bound else None,
        swept_s=swept,
        swept_cost={name: tuple(cost[name] for cost in costs) for name in rules},
    )


def _swept_s(coherence_time_s: float) -> tuple[float, ...]:
    """Coherence times from 0.1 ms to 10 s and on to the one that is asked for, which is among them."""
    low, high = min(10.0**_FIRST, coherence_time_s), max(10.0 ** (_FIRST + _STEP * _STEPS), coherence_time_s)
    asked = int(np.ceil(abs(np.log10(coherence_time_s) - _FIRST) / _STEP))
    times = 10.0 ** (_FIRST + _STEP * np.arange(-asked, max(asked, _STEPS) + 1))
    apart = np.abs(times / coherence_time_s - 1.0) > 1e-9
    return tuple(sorted([*times[apart & (low <= times) & (times <= high)].tolist(), coherence_time_s]))


def _costs(
    problem: StoppingProblem, solutions: Mapping[str, bl.Solution], coherence_time_s: float
) -> dict[str, float | None]:
    """Exact costs of all rules at a coherence time.

    Raises:
        ArithmeticError: one is below the optimum, which only a bug can do.
    """
    process = GaussMarkov(problem.channel, coherence_time_s)
    costs: dict[str, float | None] = {}
    for name, solution in solutions.items():
        sets = bl.threshold_sets(solution.threshold_snr)
        known = _is_bounded(solution)
        costs[name] = bl.score_in_time(sets, problem, process).cost if known else None
    optimum = bl.solve_in_time(problem, process).cost
    below = [name for name, cost in costs.items() if cost is not None and cost < optimum * (1.0 - 1e-8)]
    if below:
        raise ArithmeticError(
            f"{below[0]} costs {costs[below[0]]!r}, the optimum in time {optimum!r}: one of them is wrong"
        )
    return costs | {IN_TIME: optimum}


def _is_bounded(solution: bl.Solution) -> bool:
    """Whether the rule has a cost in time: without a most robust rate no upload may be at any SNR."""
    problem = solution.problem
    at_any = np.append(solution.threshold_snr == 0.0, True) & (problem.cost.airtime > 0)
    return problem.channel.min_efficiency > 0 or not bool(at_any.any())


def _row(label: str, promised: float, got: float | None, optimum: float) -> MismatchRow:
    if got is None:
        return MismatchRow(label=label, promised=None, got=None, difference=None, loss=None, null_because=_UNBOUNDED)
    free = "the optimum costs nothing" if min(promised, optimum) <= 0 else None
    return MismatchRow(
        label=label,
        promised=promised,
        got=got,
        difference=got / promised - 1.0 if promised > 0 else None,
        loss=got / optimum - 1.0 if optimum > 0 else None,
        null_because=free,
    )


def _upload_s(optimum: bl.TimedSolution) -> float | None:
    """Mean seconds of an upload, given that there is one."""
    terms, total_s = optimum.problem.time, optimum.time_s
    if terms is None or total_s is None:
        return None
    share = optimum.split_probability
    uploads = float(share[terms.airtime > 0].sum())
    computing = float(share @ (np.append(0.0, np.cumsum(terms.device)) + terms.edge))
    return (total_s - computing) / uploads if uploads > _HARDLY else None

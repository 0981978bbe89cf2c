"""The answer to "how many layers on the device?": one record for table, JSON and picture."""

import numpy as np

from cointer_gym import baselines as bl
from cointer_gym.experiments.alternatives import Alternative, Comparison
from cointer_gym.experiments.results import LookAheadAnswer, PlacedCost, PlacementAnswer, StaticAnswer
from cointer_gym.scenario import Scenario
from cointer_gym.units import FloatArray, linear_to_db

NEAR = 0.01
"""Placements at most this share above the least total count as equally good."""


def placement_answer(scenario: Scenario, rule: str = "optimal") -> PlacementAnswer:
    """Every placement under ``rule``, the cheapest, and how far look-ahead and static are from the joint optimum.

    Args:
        scenario: network, hardware and prices.
        rule: name of a rule.

    Returns:
        PlacementAnswer: in ETC per task.

    Raises:
        ValueError: unknown rule, or every placement that fits into the memory has infinite mean cost.
    """
    here = Comparison(scenario)
    table = here.table(rule)
    compared = dict.fromkeys(("optimal", "look-ahead", "device-only", rule))
    costs = {each: here.cost(each) for each in _COMPARED}
    optimum = costs[Alternative.JOINT]
    excess = {each: cost / optimum - 1.0 for each, cost in costs.items()}
    closed, reason = _closed_form(scenario)
    return PlacementAnswer(
        scenario=scenario.name,
        rule=rule,
        layers=scenario.layers,
        largest_placement=scenario.largest_placement,
        tasks_per_update=scenario.tasks_per_update,
        mean_snr_db=float(linear_to_db(scenario.channel_law.average_snr)),
        stage_names=scenario.dnn.stage_names,
        placement=table.placement,
        cost=table.cost,
        within_1_percent=tuple(table.within(NEAR)),
        inference_cost=_plain(table.inference_cost),
        download_cost=_plain(table.download_cost),
        marginal_value=_plain(table.marginal_value),
        total={name: _plain(here.table(name).total) for name in compared},
        joint_optimum=PlacedCost(placement=here.placed(Alternative.JOINT), cost=optimum),
        look_ahead=LookAheadAnswer(
            placement=here.placed(Alternative.AHEAD),
            cost=costs[Alternative.AHEAD],
            excess=excess[Alternative.AHEAD],
            excess_with_optimal_splitting=excess[Alternative.AHEAD_PLACED],
        ),
        static=StaticAnswer(placement=here.placed(Alternative.STATIC), excess=excess[Alternative.STATIC]),
        closed_form=closed,
        no_closed_form_because=reason,
    )


_COMPARED = (Alternative.JOINT, Alternative.AHEAD, Alternative.AHEAD_PLACED, Alternative.STATIC)


def _closed_form(scenario: Scenario) -> tuple[PlacedCost | None, str | None]:
    try:
        closed = bl.closed_form_placement(scenario)
    except ValueError as error:
        return None, str(error)
    return PlacedCost(placement=closed.placement, cost=closed.cost), None


def _plain(values: FloatArray) -> tuple[float | None, ...]:
    return tuple(float(value) if np.isfinite(value) else None for value in values)

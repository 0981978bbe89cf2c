"""``cointer-gym solve``: the exact solution and the analytic rules beside it."""

import json
from typing import Any

from cointer_gym import baselines as bl
from cointer_gym import text
from cointer_gym.cli.app import Json, Overrides, Placement, ScenarioName, command, console, load_scenario
from cointer_gym.report.tables import score_table, threshold_table
from cointer_gym.scenario import Scenario


@command("cointer-gym solve alexnet-pi --set channel.mean_snr_db=5")
def solve(
    scenario: ScenarioName = "alexnet-pi",
    placement: Placement = None,
    override: Overrides = None,
    as_json: Json = False,
) -> None:
    """Solve a scenario exactly and compare the analytic rules."""
    loaded = load_scenario(scenario, override)
    problem = loaded.problem(placement)
    rules = bl.reference_rules(problem)
    optimum = rules["optimal"]
    scores = {bl.RULES[name].label: bl.score_moments(rule.moments, problem) for name, rule in rules.items()}
    bound = bl.clairvoyant_cost(problem)
    if as_json:
        console.print_json(json.dumps(_solution(loaded, optimum, scores, bound)))
        return
    console.print(threshold_table(loaded, optimum, rules["look-ahead"]))
    console.print(score_table(scores, problem))
    console.print(f"Clairvoyant bound: {bound:.6f} ({text.excess(bound, optimum.cost)})")


def _solution(scenario: Scenario, optimum: bl.Solution, scores: dict[str, bl.Score], bound: float) -> dict[str, Any]:
    """What ``solve --json`` prints."""
    policies = {
        label: {
            "cost": score.cost,
            "relative_gap": score.relative_gap,
            "time_s": score.time_s,
            "energy_j": score.energy_j,
            "split_probability": score.split_probability.tolist(),
        }
        for label, score in scores.items()
    }
    return {
        "scenario": scenario.name,
        "placement": optimum.problem.horizon,
        "stage_names": list(optimum.problem.stage_names),
        "threshold_db": [text.threshold(snr) for snr in optimum.threshold_snr],
        "value": optimum.value.tolist(),
        "clairvoyant_cost": bound,
        "policies": policies,
    }

"""``cointer-gym solve``: the exact solution and the analytic rules beside it."""

from cointer_gym import baselines as bl
from cointer_gym import text
from cointer_gym.cli.app import Json, Overrides, Placement, ScenarioName, command, console, load_scenario
from cointer_gym.cli.terminal import print_json
from cointer_gym.report.solve import solve_answer
from cointer_gym.report.tables import score_table, threshold_table


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
    scores = {name: bl.score_moments(rule.moments, problem) for name, rule in rules.items()}
    bound = bl.clairvoyant_cost(problem)
    if as_json:
        print_json(console, solve_answer(loaded, scores, optimum, bound))
        return
    console.print(threshold_table(loaded, optimum, rules["look-ahead"]))
    console.print(score_table({bl.RULES[name].label: score for name, score in scores.items()}, problem))
    console.print(f"Clairvoyant bound: {bound:z.6f} ({text.excess(bound, optimum.cost)})")

"""Tables of the terminal: scenarios, thresholds, scores and regrets."""

from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from cointer_gym import baselines as bl
from cointer_gym.problem import StoppingProblem
from cointer_gym.scenario import Scenario
from cointer_gym.text import excess, percent, splits, threshold


class PlainTable(Table):
    """A table that shows its cells as they are, on any console: names in brackets are no markup."""

    def add_row(self, *cells: Any, **how: Any) -> None:
        """Add a line; ``how`` as for ``rich.table.Table``."""
        super().add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells), **how)


def table(*headers: str, text: int = 1, title: str | None = None) -> Table:
    """A light table whose first ``text`` columns and last column are text, the others numbers."""
    heading = None if title is None else Text(title)
    result = PlainTable(box=box.SIMPLE_HEAD, title=heading, title_justify="left", title_style="bold", pad_edge=False)
    for index, header in enumerate(headers):
        words = index < text or index == len(headers) - 1
        result.add_column(header, justify="left" if words else "right", no_wrap=index < text)
    return result


def scenario_table(scenarios: list[Scenario]) -> Table:
    """One line per scenario with its exact solution."""
    result = table("Scenario", "Layers", "Optimum", "Static", "Look-ahead", "The optimum splits at")
    for scenario in scenarios:
        rules = bl.reference_rules(scenario.problem())
        optimum = rules["optimal"]
        above = [excess(rules[name].cost, optimum.cost) for name in ("best-static", "look-ahead")]
        where = splits(optimum.split_probability, optimum.problem.stage_names, most=3)
        result.add_row(scenario.name, str(scenario.layers), f"{optimum.cost:z.4f}", *above, where)
    return result


def threshold_table(scenario: Scenario, optimum: bl.Solution, ahead: bl.Solution) -> Table:
    """One line per stage: feature size, optimal threshold, where it stops, and the look-ahead threshold."""
    problem = optimum.problem
    title = f"{scenario.name}: {problem.horizon} of {scenario.layers} layers on the device"
    result = table("Feature", "kbit", "Offload from dB", "Look-ahead dB", "P(offload)", "P(split)", "", title=title)
    for n in range(problem.horizon):
        thresholds = [threshold(rule.threshold_snr[n]) for rule in (optimum, ahead)]
        probabilities = [f"{p[n]:.3f}" for p in (optimum.offload_probability, optimum.split_probability)]
        result.add_row(
            problem.stage_names[n], f"{scenario.dnn.output_bits[n] / 1e3:,.0f}", *thresholds, *probabilities, ""
        )
    last = "result ready" if problem.completes else "upload forced"
    size = f"{scenario.dnn.output_bits[problem.horizon] / 1e3:,.0f}"
    result.add_row(problem.stage_names[-1], size, "", "", "", f"{optimum.split_probability[-1]:.3f}", last)
    return result


def score_table(scores: dict[str, bl.Score], problem: StoppingProblem) -> Table:
    """One line per policy.

    Args:
        scores: by the name that is shown.
        problem: what they are scores of.
    """
    result = table("Policy", "ETC", "Gap", "Time (s)", "Energy (J)", "Where it splits")
    for name, score in scores.items():
        amounts = ["" if value is None else f"{value:z.4f}" for value in (score.time_s, score.energy_j)]
        where = splits(score.split_probability, problem.stage_names, most=3)
        result.add_row(name, f"{score.cost:z.6f}", percent(score.relative_gap, 4), *amounts, where)
    return result


def regret_table(score: bl.Score, found: bl.Switches, optimum: bl.Solution) -> Table:
    """One line per stage of a learned policy: its switches, the optimal one, and what the difference costs."""
    result = table("Feature", "Optimal dB", "P(offload)", "P(split)", "Share of gap", "Switches at dB")
    for n, name in enumerate(optimum.problem.stage_names[:-1]):
        switches = ", ".join(threshold(snr) for snr in found.snr[found.stage == n])
        share = percent(score.stage_regret[n] / score.gap, 1) if score.gap > 0 else "-"
        probabilities = [f"{p[n]:.3f}" for p in (score.offload_probability, score.split_probability)]
        fallback = "always" if found.offloads_at_zero[n] else "never"
        result.add_row(name, threshold(optimum.threshold_snr[n]), *probabilities, share, switches or fallback)
    return result

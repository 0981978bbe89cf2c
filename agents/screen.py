"""Tables and progress bars of the command line."""

from collections.abc import Callable
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from cointer_gym import baselines as bl
from cointer_gym.problem import StoppingProblem
from cointer_gym.scenario import Scenario
from cointer_gym.units import linear_to_db

_terminal = Console()
console = _terminal if _terminal.is_terminal else Console(width=120)  # a log or a pipe has no width of its own


def table(*headers: str, text: int = 1, title: str | None = None) -> Table:
    """A light table whose first ``text`` columns and last column are text, the others numbers."""
    result = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for index, header in enumerate(headers):
        words = index < text or index == len(headers) - 1
        result.add_column(header, justify="left" if words else "right", no_wrap=index < text)
    return result


def threshold_text(snr: float) -> str:
    """A threshold in dB, ``always`` or ``never``."""
    return "always" if snr <= 0 else "never" if np.isinf(snr) else f"{float(linear_to_db(snr)):.2f}"


def excess_text(cost: float, optimum: float) -> str:
    """Cost above the optimum in per cent."""
    return percent(cost / optimum - 1.0, 1, sign="+") if optimum > 0 else "-"


def percent(share: float, digits: int = 0, sign: str = "") -> str:
    """A share in per cent; a rounded 0 has no sign, and the no-break space keeps the unit on the line."""
    value = round(100 * share, digits) + 0.0
    return f"{value:{sign if value else ''}.{digits}f}\N{NO-BREAK SPACE}%"


def splits_text(probability: Any, stage_names: Any, most: int = 4) -> str:
    """The likeliest splits in order of the layers, e.g. ``input 71 %, pool1 18 %``."""
    likely = sorted(sorted(range(len(probability)), key=lambda n: -probability[n])[:most])
    return ", ".join(
        f"{stage_names[n]}\N{NO-BREAK SPACE}{percent(probability[n])}" for n in likely if probability[n] >= 0.005
    )


def scenario_table(scenarios: list[Scenario]) -> Table:
    """One line per scenario with its exact solution."""
    result = table("Scenario", "Layers", "Optimum", "Static", "Look-ahead", "The optimum splits at")
    for scenario in scenarios:
        rules = bl.reference_rules(scenario.problem())
        optimum = rules["Optimum"]
        excess = [excess_text(rules[name].cost, optimum.cost) for name in ("Best static split", "Look-ahead, 1 stage")]
        splits = splits_text(optimum.split_probability, optimum.problem.stage_names, most=3)
        result.add_row(scenario.name, str(scenario.layers), f"{optimum.cost:.4f}", *excess, splits)
    return result


def threshold_table(scenario: Scenario, optimum: bl.Solution, ahead: bl.Solution) -> Table:
    """One line per stage: feature size, optimal threshold, where it stops, and the look-ahead threshold."""
    problem = optimum.problem
    title = f"{scenario.name}: {problem.horizon} of {scenario.layers} layers on the device"
    result = table("Feature", "kbit", "Offload from dB", "Look-ahead dB", "P(offload)", "P(split)", "", title=title)
    for n in range(problem.horizon):
        thresholds = [threshold_text(rule.threshold_snr[n]) for rule in (optimum, ahead)]
        probabilities = [f"{p[n]:.3f}" for p in (optimum.offload_probability, optimum.split_probability)]
        result.add_row(
            problem.stage_names[n], f"{scenario.dnn.output_bits[n] / 1e3:,.0f}", *thresholds, *probabilities, ""
        )
    last = "result ready" if problem.completes else "upload forced"
    size = f"{scenario.dnn.output_bits[problem.horizon] / 1e3:,.0f}"
    result.add_row(problem.stage_names[-1], size, "", "", "", f"{optimum.split_probability[-1]:.3f}", last)
    return result


def score_table(scores: dict[str, bl.Score], problem: StoppingProblem) -> Table:
    """One line per policy."""
    result = table("Policy", "ETC", "Gap", "Time (s)", "Energy (J)", "Where it splits")
    for name, score in scores.items():
        amounts = ["" if value is None else f"{value:.4f}" for value in (score.time_s, score.energy_j)]
        splits = splits_text(score.split_probability, problem.stage_names, most=3)
        result.add_row(name, f"{score.cost:.6f}", percent(score.relative_gap, 4), *amounts, splits)
    return result


def regret_table(score: bl.Score, found: bl.Switches, optimum: bl.Solution) -> Table:
    """One line per stage of a learned policy: its switches, the optimal one, and what the difference costs."""
    result = table("Feature", "Optimal dB", "P(offload)", "P(split)", "Share of gap", "Switches at dB")
    for n, name in enumerate(optimum.problem.stage_names[:-1]):
        switches = ", ".join(threshold_text(snr) for snr in found.snr[found.stage == n])
        share = percent(score.stage_regret[n] / score.gap, 1) if score.gap > 0 else "-"
        probabilities = [f"{p[n]:.3f}" for p in (score.offload_probability, score.split_probability)]
        fallback = "always" if found.offloads_at_zero[n] else "never"
        result.add_row(name, threshold_text(optimum.threshold_snr[n]), *probabilities, share, switches or fallback)
    return result


def training_bars() -> tuple[Progress, Callable[[str, int, float, int], None]]:
    """Progress bars, one per training, and the function that moves them."""
    columns = (
        "{task.description:<10}",
        BarColumn(),
        "{task.completed:>9,.0f} of {task.total:,.0f} steps",
        "gap {task.fields[gap]:>9}",
    )
    bars = Progress(
        *(TextColumn(c) if isinstance(c, str) else c for c in columns), TimeElapsedColumn(), console=console
    )
    tasks: dict[str, TaskID] = {}

    def update(name: str, steps: int, gap: float, total: int) -> None:
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=total, gap="")
        bars.update(tasks[name], completed=min(steps, total), gap=percent(gap, 3))

    return bars, update

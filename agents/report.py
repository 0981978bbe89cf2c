"""Tables, Markdown report and CSV of a benchmark, from its ``results.json`` alone."""

import csv
import io
import re
from pathlib import Path
from typing import Any

from cointer_gym.agents.plots import plot_learning, plot_thresholds
from cointer_gym.agents.screen import percent, splits_text
from cointer_gym.agents.storage import read_json, write_text

HEADER = ("Policy", "ETC", "Gap to optimum", "Time (s)", "Energy (J)", "Where it splits")
_BEGIN, _END = (
    "<!-- benchmark table: written by `cointer-gym report`, do not edit -->",
    "<!-- end of benchmark table -->",
)


def table_rows(results: dict[str, Any]) -> list[tuple[str, ...]]:
    """The benchmark table as text cells under ``HEADER``."""
    return [_cells(row, results["stage_names"]) for row in results["policies"]]


def markdown_table(results: dict[str, Any]) -> str:
    """The benchmark table in Markdown."""
    lines = [HEADER, ("---", *["---:"] * 4, "---"), *table_rows(results)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write_report(out: Path) -> dict[str, Any]:
    """Write ``report.md``, ``results.csv``, ``thresholds.png`` and ``learning.png`` from ``results.json``.

    Args:
        out: directory with ``results.json``.

    Returns:
        dict: the results.

    Raises:
        ValueError: there is no readable ``results.json``.
    """
    results = read_json(out / "results.json")
    plot_thresholds(results, out / "thresholds.png")
    plot_learning(results, out / "learning.png")
    write_text(out / "results.csv", _csv(results))
    write_text(out / "report.md", _markdown(results))
    return dict(results)


def insert_table(document: Path, results: dict[str, Any]) -> None:
    """Replace the marked table of a Markdown file.

    Raises:
        ValueError: the file lacks the two marks.
    """
    text = document.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(_BEGIN) + ".*?" + re.escape(_END), re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{document} lacks the marks {_BEGIN!r} and {_END!r}")
    block = f"{_BEGIN}\n{markdown_table(results)}\n{_END}"
    write_text(document, pattern.sub(lambda _: block, text))


def gap_text(row: dict[str, Any]) -> str:
    """Relative gap in per cent; several seeds show their worst, too."""
    by_seed = row.get("relative_gap_by_seed", [])
    if len(by_seed) < 2:
        return percent(row["relative_gap"], 1, "+")
    return f"{percent(row['relative_gap'], 3, '+')} (worst {percent(max(by_seed), 3, '+')})"


def _cells(row: dict[str, Any], stage_names: list[str]) -> tuple[str, ...]:
    time_s, energy_j = row.get("time_s"), row.get("energy_j")
    return (
        row["policy"],
        f"{row['cost']:.4f}",
        gap_text(row),
        "" if time_s is None else f"{time_s:.4f}",
        "" if energy_j is None else f"{energy_j:.4f}",
        _layers_text(row) + splits_text(row.get("split_probability") or [], stage_names),
    )


def _layers_text(row: dict[str, Any]) -> str:
    """The placements of a joint policy, e.g. ``8 layers: ``; nothing where the placement is given."""
    chosen = sorted(set(row.get("placements") or []))
    return f"{', '.join(map(str, chosen))} layers: " if chosen else ""


def _csv(results: dict[str, Any]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [f"split_{name}" for name in results["stage_names"]]
    writer.writerow(["policy", "cost", "relative_gap", "worst_relative_gap", "time_s", "energy_j", *names])
    for row in results["policies"]:
        worst = max(row.get("relative_gap_by_seed", [row["relative_gap"]]))
        splits = row.get("split_probability") or [""] * len(names)
        writer.writerow(
            [row["policy"], row["cost"], row["relative_gap"], worst, row.get("time_s"), row.get("energy_j"), *splits]
        )
    return text.getvalue()


def _markdown(results: dict[str, Any]) -> str:
    settings = [
        f"- {name}: " + ", ".join(f"{k} = {v}" for k, v in s.items()) for name, s in results["settings"].items()
    ]
    trainings = [
        f"| {t['algorithm'].upper()} | {t['seed']} | {steps:,} | {t['seconds']:.0f} | {percent(gap, 4)} |"
        for t in results["trainings"]
        for steps, gap in t["curve"][-1:]
    ]
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    joint = results["env_id"] == "CoInferencePlacement-v0"
    placed = "Each policy chooses how many of the" if joint else f"{results['placement']} of the"
    return f"""# {results["env_id"]} on {results["scenario"]}

{placed} {results["layers"]} layers are on the device. Every number is an exact expectation,
not a rollout average; PPO and DQN are means over their seeds, with the gap of the worst seed.

{markdown_table(results)}

![Learned thresholds over the optimal ones](thresholds.png)

![Gap to the optimum during training](learning.png)

## Trainings

| Algorithm | Seed | Steps | Seconds | Final gap |
| --- | ---: | ---: | ---: | ---: |
{chr(10).join(trainings)}

Settings:

{chr(10).join(settings)}

Versions: Python {results["python"]}, {versions}.
"""

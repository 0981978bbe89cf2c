"""The report of the studies: what the abstract of the paper claims and what this model shows, from the rows alone."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from rich.table import Table

from cointer_gym.agents.comparison import (
    AHEAD,
    AHEAD_PLACED,
    CLAIRVOYANT,
    DEVICE,
    EDGE,
    FULL,
    HALF,
    JOINT,
    RIVALS,
    STATIC,
)
from cointer_gym.agents.screen import table
from cointer_gym.agents.storage import write_text
from cointer_gym.agents.studies import STUDIES
from cointer_gym.agents.study_claims import claims, percent, where
from cointer_gym.agents.study_data import Study, read_csv, write_csv
from cointer_gym.agents.study_plots import plot_study
from cointer_gym.scenario import Scenario

SUMMARY_HEADER = ("Alternative", "Least", "Median", "Most", "Most at")
_CAPTIONS = {
    "snr": "Cost against the mean SNR",
    "distance": "Cost against the distance to the base station",
    "tasks": "Cost against the number of tasks between two updates",
    "weights": "Energy-time front, and cost against the price of energy",
    "speed": "Cost against device and edge speed",
    "structure": "Cost by network structure",
    "phase": "Where deciding online pays",
    "closed-form": "The closed form for equal layers",
}
_NOTES = {
    "snr": """\
Split entropy is that of the layer after which the joint optimum splits; at 0 bits the channel decides nothing. Where it
is small but not 0 the rule acts in rare deep fades only, which may still be worth several per cent.""",
    "weights": """\
`time_weight` is 1; the ends of the front are the pure prices of time and of energy. A weighted sum finds the convex
part of the front; points between two dots are reached by changing between their policies from task to task.""",
    "speed": """\
A device given by speed and power keeps its power at every speed, so a faster one also spends less energy per task;
under DVFS its power grows with the cube of the clock.""",
    "structure": """\
Left, each network in the catalogue scenario made for it; most of these were chosen to be interesting. Right, all on the
hardware, radio, prices and K of one scenario, which was not chosen for them.""",
}
_INTRODUCTION = f"""# Studies of joint placement and splitting

Written by `cointer-gym study all --out docs/studies`; do not edit. Every number is an exact expectation in the model of
this package, on its scenarios, whose constants are partly assumed (each scenario file says which). **None is a number
of the paper.** That no alternative is cheaper than the joint optimum, and the clairvoyant bound not dearer, is checked
at every point. Shares of points are shares of these grids, not of practice.

| Curve | Layers downloaded | Splitting of a task |
| --- | --- | --- |
| {JOINT} | the best number for it | backward induction |
| {AHEAD} | the best number for it | one-stage look-ahead |
| {AHEAD_PLACED} | as many as look-ahead would | backward induction |
| {FULL} | all that fit | backward induction |
| {HALF} | the first half | backward induction |
| {STATIC} | those it runs | always after the same layer |
| {DEVICE} | all that fit | runs them all |
| {EDGE} | none | sends the input |
| {CLAIRVOYANT} | the best number for it | knows the fading of the task beforehand |"""


def study_names(name: str) -> list[str]:
    """The studies that ``name`` stands for: itself, or ``all`` of them.

    Raises:
        ValueError: there is no such study.
    """
    if name not in ("all", *STUDIES):
        raise ValueError(f"study = {name!r} must be one of {', '.join(STUDIES)}, all")
    return list(STUDIES) if name == "all" else [name]


def write_study(name: str, scenario: Scenario, out: Path) -> Study:
    """Run one study and write its CSV, PNG and PDF.

    Args:
        name: one of ``STUDIES``.
        scenario: where it is run.
        out: directory.

    Returns:
        Study: as read back from the CSV.

    Raises:
        ValueError: the scenario does not allow this study; says why.
        ArithmeticError: an alternative beats the joint optimum, which only a bug can do.
    """
    path = out / f"{name}.csv"
    write_csv(Study(name, STUDIES[name][0](scenario)), path)
    study = read_csv(path)
    for suffix in (".png", ".pdf"):
        plot_study(study, path.with_suffix(suffix))
    return study


def write_report(studies: Iterable[Study], out: Path) -> Path:
    """Write ``README.md`` of these studies into ``out``."""
    write_text(out / "README.md", markdown(studies))
    return out / "README.md"


def markdown(studies: Iterable[Study]) -> str:
    """The report, a function of the rows only."""
    by_name = {study.name: study for study in studies}
    sections = [_section(by_name[name]) for name in _CAPTIONS if name in by_name]
    title = "## What the abstract claims, and what this model shows"
    return "\n\n".join([_INTRODUCTION, title, *claims(by_name), *sections]) + "\n"


def summary_table(study: Study) -> Table:
    """The summary for the terminal."""
    result = table(*SUMMARY_HEADER, title=f"{_CAPTIONS[study.name]}: distance to the joint optimum")
    for row in summary(study):
        result.add_row(*row)
    return result


def summary(study: Study) -> list[tuple[str, ...]]:
    """Per alternative its least, median and largest distance to the joint optimum, and where the largest is."""
    rows = []
    for name in (*RIVALS, CLAIRVOYANT):
        if name in study.rows[0]:
            excess = study.excess(name)
            order = np.argsort(np.abs(excess), kind="stable")
            numbers = (excess[order[0]], np.median(excess), excess[order[-1]])
            rows.append((name, *(percent(number, "+") for number in numbers), where(study.rows[order[-1]])))
    return rows


def _section(study: Study) -> str:
    caption, first = _CAPTIONS[study.name], study.rows[0]
    title = f"## {caption}" if "dnn" in first else f"## {caption}: {first['scenario']}"
    note = [_NOTES[study.name]] if study.name in _NOTES else []
    data = f"Distance to the joint optimum at {len(study.rows)} points, listed in [{study.name}.csv]({study.name}.csv):"
    lines = [SUMMARY_HEADER, ("---", "---:", "---:", "---:", "---"), *summary(study)]
    rows = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return "\n\n".join([title, f"![{caption}]({study.name}.png)", *note, data, rows])

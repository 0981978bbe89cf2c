"""The report of the studies: what Yan, Bi and Zhang claim and what this model shows, from the rows alone."""

from collections.abc import Iterable
from pathlib import Path

from rich.table import Table

from cointer_gym.experiments.alternatives import RIVALS, Alternative
from cointer_gym.experiments.statistics import spread
from cointer_gym.experiments.study_rows import StructureRow, Study, read_csv, write_csv
from cointer_gym.files import write_text
from cointer_gym.report.abstract import paragraphs
from cointer_gym.report.markdown import code, escaped, markdown_table
from cointer_gym.report.study_words import SHORT, share, where
from cointer_gym.report.tables import table

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
Above, each network in the catalogue scenario made for it; most of these were chosen to be interesting. Below, all on
the hardware, radio, prices and K of one scenario, which was not chosen for them.""",
}
_CURVES = (
    (Alternative.JOINT, "the best number for it", "backward induction"),
    (Alternative.AHEAD, "the best number for it", "one-stage look-ahead"),
    (Alternative.AHEAD_PLACED, "as many as look-ahead would", "backward induction"),
    (Alternative.FULL, "all that fit", "backward induction"),
    (Alternative.HALF, "the first half", "backward induction"),
    (Alternative.STATIC, "those it runs", "always after the same layer"),
    (Alternative.DEVICE, "all that fit", "runs them all"),
    (Alternative.EDGE, "none", "sends the input"),
    (Alternative.CLAIRVOYANT, "the best number for it", "knows the fading of the task beforehand"),
)
"""What is downloaded and how a task is split."""
_PAPER = """\
J. Yan, S. Bi, Y.-J. A. Zhang, "Optimal Model Placement and Online Model Splitting for Device-Edge Co-Inference," *IEEE
Transactions on Wireless Communications* 21(10), 2022"""


def _introduction(command: str) -> str:
    return f"""\
# Studies of joint placement and splitting

Written by {code(command)}; do not edit. Every number is an exact expectation in the model of
this package, on its scenarios, whose constants are partly assumed (each scenario file says which). The claims are those
of the abstract of {_PAPER}; **none of the numbers is
one of that paper.** That no alternative is cheaper than the joint optimum, and the clairvoyant bound not dearer, is
checked at every point. Shares of points are shares of these grids, not of practice."""


def write_study(study: Study, out: Path) -> Study:
    """Write CSV, PNG and PDF of a study, and return it as read back from the CSV, of which the figures are made."""
    from cointer_gym.report.study_figures import plot_study

    path = out / f"{study.name}.csv"
    write_csv(study, path)
    written = read_csv(path)
    for suffix in (".png", ".pdf"):
        plot_study(written, path.with_suffix(suffix))
    return written


def write_report(studies: Iterable[Study], out: Path, command: str) -> Path:
    """Write ``README.md`` of these studies into ``out``."""
    write_text(out / "README.md", report_markdown(studies, command))
    return out / "README.md"


def report_markdown(studies: Iterable[Study], command: str) -> str:
    """The report, a function of the rows only.

    Args:
        studies: what is reported.
        command: what was run for it.
    """
    by_name = {study.name: study for study in studies}
    curves = [(each.label, SHORT[each].replace("\n", " "), downloaded, split) for each, downloaded, split in _CURVES]
    legend = markdown_table(
        ("Curve", "In the figures", "Layers downloaded", "Splitting of a task"), ["---"] * 4, curves
    )
    title = "## What Yan, Bi and Zhang claim, and what this model shows"
    sections = [_section(by_name[name]) for name in _CAPTIONS if name in by_name]
    return "\n\n".join([_introduction(command), legend, title, *paragraphs(by_name), *sections]) + "\n"


def summary_table(study: Study) -> Table:
    """The summary for the terminal."""
    result = table(*SUMMARY_HEADER, title=f"{_CAPTIONS[study.name]}: distance to the joint optimum")
    for row in summary(study):
        result.add_row(*row)
    return result


def summary(study: Study) -> list[tuple[str, ...]]:
    """Per alternative its least, median and largest distance to the joint optimum, and where the largest is."""
    rows = []
    for each in (*RIVALS, Alternative.CLAIRVOYANT):
        if each in study.alternatives:
            found = spread(study, each)
            shares = [share(number, "+") for number in (found.least, found.median, found.most)]
            rows.append((each.label, *shares, where(found.most_at)))
    return rows


def _section(study: Study) -> str:
    caption, first = _CAPTIONS[study.name], study.rows[0]
    title = f"## {caption}" if isinstance(first, StructureRow) else f"## {caption}: {escaped(first.scenario)}"
    note = [_NOTES[study.name]] if study.name in _NOTES else []
    data = f"Distance to the joint optimum at {len(study.rows)} points, listed in [{study.name}.csv]({study.name}.csv):"
    rows = markdown_table(SUMMARY_HEADER, ("---", "---:", "---:", "---:", "---"), summary(study))
    return "\n\n".join([title, f"![{caption}]({study.name}.png)", *note, data, rows])

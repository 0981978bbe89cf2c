"""Tables, Markdown report and CSV of a benchmark, from its results alone."""

from pathlib import Path

from rich.table import Table

from cointer_gym import text
from cointer_gym.experiments.results import BenchmarkResults, PolicyRow
from cointer_gym.files import csv_text, write_text
from cointer_gym.report import markdown
from cointer_gym.report.tables import table
from cointer_gym.text import percent

HEADER = ("Policy", "ETC", "Gap to optimum", "Time (s)", "Energy (J)", "Where it splits")
_ALIGNMENT = ("---", *["---:"] * 4, "---")
_BEGIN, _END = (
    "<!-- benchmark table: written by `cointer-gym report`, do not edit -->",
    "<!-- end of benchmark table -->",
)


def table_rows(results: BenchmarkResults) -> list[tuple[str, ...]]:
    """The benchmark table as text cells under ``HEADER``."""
    return [_cells(row, results.stage_names) for row in results.policies]


def benchmark_table(results: BenchmarkResults) -> Table:
    """The benchmark table for the terminal."""
    result = table(*HEADER, title=f"{results.scenario}: exact expected cost per task")
    for row in table_rows(results):
        result.add_row(*row)
    return result


def markdown_table(results: BenchmarkResults) -> str:
    """The benchmark table in Markdown."""
    return markdown.markdown_table(HEADER, _ALIGNMENT, table_rows(results))


def write_report(results: BenchmarkResults, out: Path) -> None:
    """Write ``report.md``, ``results.csv``, ``thresholds.png`` and ``learning.png`` into ``out``."""
    from cointer_gym.report.benchmark_figures import plot_learning, plot_thresholds

    plot_thresholds(results, out / "thresholds.png")
    plot_learning(results, out / "learning.png")
    write_text(out / "results.csv", results_csv(results))
    write_text(out / "report.md", report_markdown(results))


def insert_table(document: Path, results: BenchmarkResults) -> None:
    """Replace the marked table of a Markdown file.

    Raises:
        ValueError: the file lacks the two marks.
    """
    markdown.replace_marked(document, _BEGIN, _END, markdown_table(results))


def gap_text(row: PolicyRow) -> str:
    """Relative gap in per cent; several seeds show their worst, too."""
    if len(row.relative_gap_by_seed) < 2:
        return percent(row.relative_gap, 1, "+")
    return f"{percent(row.relative_gap, 3, '+')} (worst {percent(row.worst_relative_gap, 3, '+')})"


def results_csv(results: BenchmarkResults) -> str:
    """The benchmark table with all digits, as CSV."""
    names = [f"split_{name}" for name in results.stage_names]
    header = ["policy", "cost", "relative_gap", "worst_relative_gap", "time_s", "energy_j", *names]
    return csv_text(header, (_numbers(row, len(names)) for row in results.policies))


def report_markdown(results: BenchmarkResults) -> str:
    """The report of a benchmark."""
    settings = "\n".join(
        f"- {markdown.escaped(algorithm)}: " + ", ".join(f"{field} = {value}" for field, value in fields.items())
        for algorithm, fields in results.settings.items()
    )
    versions = ", ".join(f"{package} {number}" for package, number in results.versions.items())
    return f"""# {results.env_id} on {markdown.escaped(results.scenario)}

{_placed(results)} {results.layers} layers are on the device. Every number is an exact expectation,
not a rollout average{_seeds(results)}.

{markdown_table(results)}

![Learned thresholds over the optimal ones](thresholds.png)

![Gap to the optimum during training](learning.png)

## Trainings

{_trainings(results)}

Settings:

{settings}

Versions: Python {results.python}, {versions}.
"""


def _cells(row: PolicyRow, stage_names: tuple[str, ...]) -> tuple[str, ...]:
    amounts = ["" if amount is None else f"{amount:z.4f}" for amount in (row.time_s, row.energy_j)]
    where = _layers_text(row) + text.splits(row.split_probability, stage_names)
    return (row.label, f"{row.cost:z.4f}", gap_text(row), *amounts, where)


def _layers_text(row: PolicyRow) -> str:
    """The placements of a joint policy, e.g. ``8 layers: ``; nothing where the placement is given."""
    chosen = sorted(set(row.placements))
    return f"{', '.join(map(str, chosen))} layers: " if chosen else ""


def _numbers(row: PolicyRow, stages: int) -> list[str | float | None]:
    splits = row.split_probability or [""] * stages
    return [row.label, row.cost, row.relative_gap, row.worst_relative_gap, row.time_s, row.energy_j, *splits]


def _placed(results: BenchmarkResults) -> str:
    return "Each policy chooses how many of the" if results.task == "placement" else f"{results.placement} of the"


def _seeds(results: BenchmarkResults) -> str:
    """What the numbers of the trained policies are."""
    labels = [markdown.escaped(row.label) for row in results.policies if row.kind == "agent"]
    if not labels:
        return ""
    means = "are means over their seeds" if len(labels) > 1 else "is the mean over its seeds"
    return f"; {markdown.in_words(labels)} {means}, with the gap of the worst seed"


def _trainings(results: BenchmarkResults) -> str:
    header, alignment = ("Algorithm", "Seed", "Steps", "Seconds", "Final gap"), ("---", *["---:"] * 4)
    rows = [
        (each.label, str(each.seed), f"{last.steps:,}", f"{each.seconds:.0f}", percent(last.relative_gap, 4))
        for each in results.trainings
        for last in each.curve[-1:]
    ]
    return markdown.markdown_table(header, alignment, rows)

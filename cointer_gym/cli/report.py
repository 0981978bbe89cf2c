"""``cointer-gym report``: the report of a finished benchmark, once more."""

from pathlib import Path
from typing import Annotated

import typer

from cointer_gym.cli.app import command


@command("cointer-gym report runs/benchmark/alexnet-pi --into README.md")
def report(
    out: Annotated[Path, typer.Argument(help="Directory of a benchmark, or of a run of make bench.")],
    into: Annotated[Path | None, typer.Option(help="Markdown file whose marked part is replaced.")] = None,
) -> None:
    """Write the report and plots of a finished benchmark again."""
    from cointer_gym.experiments.speed import COMPARISONS

    if (out / COMPARISONS).exists():
        _report_speed(out, into)
    else:
        _report_benchmark(out, into)


def _report_benchmark(out: Path, into: Path | None) -> None:
    from cointer_gym.experiments.results import BenchmarkResults, load
    from cointer_gym.report.benchmark import insert_table, write_report

    results = load(out / "results.json", BenchmarkResults)
    if into is not None:  # first, because it fails where the file has no marks
        insert_table(into, results)
    write_report(results, out)


def _report_speed(out: Path, into: Path | None) -> None:
    from cointer_gym.experiments.speed import read_speed
    from cointer_gym.report.speed import insert_speed, write_figures

    results = read_speed(out)
    if into is not None:
        insert_speed(into, results, out)
    write_figures(results, out)

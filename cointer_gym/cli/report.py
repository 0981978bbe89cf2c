"""``cointer-gym report``: the report of a finished benchmark, once more."""

from pathlib import Path
from typing import Annotated

import typer

from cointer_gym.cli.app import command


@command("cointer-gym report runs/benchmark/alexnet-pi --into README.md")
def report(
    out: Annotated[Path, typer.Argument(help="Directory of a benchmark.")],
    into: Annotated[Path | None, typer.Option(help="Markdown file whose marked table is replaced.")] = None,
) -> None:
    """Write the report and plots of a finished benchmark again."""
    from cointer_gym.experiments.results import BenchmarkResults, load
    from cointer_gym.report.benchmark import insert_table, write_report

    results = load(out / "results.json", BenchmarkResults)
    if into is not None:  # first, because it fails where the file has no marks
        insert_table(into, results)
    write_report(results, out)

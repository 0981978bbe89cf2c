"""``cointer-gym fleet``: every device of a file, solved."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cointer_gym.cli.app import Overrides, command, console, load_scenario
from cointer_gym.cli.terminal import new_console


class OnError(StrEnum):
    """What to do with a row that is refused."""

    STOP = "stop"
    SKIP = "skip"


@command("cointer-gym fleet devices.csv --base alexnet-pi --out solved.csv --workers 4")
def fleet(
    devices: Annotated[
        Path,
        typer.Argument(
            help="A row per device, .csv or .parquet. Columns with a dot, like channel.mean_snr_db, override fields of "
            "the base; the others are kept."
        ),
    ],
    out: Annotated[Path, typer.Option(help="A row per device with its solution, .csv or .parquet.", dir_okay=False)],
    base: Annotated[str, typer.Option(help="Built-in scenario or .toml whose fields rows override.")] = "alexnet-pi",
    override: Overrides = None,
    placement: Annotated[
        str, typer.Option(help="Layers on each device: 'optimal' for it, 'all', or a number.")
    ] = "optimal",
    id: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="COLUMN", help="Keep a column that is named like a field. May be repeated."),
    ] = None,
    on_error: Annotated[
        OnError,
        typer.Option(
            help="At a bad row stop, or skip it: it goes to OUT.errors.csv with the reason, and the exit status is 1."
        ),
    ] = OnError.STOP,
    chunk: Annotated[int, typer.Option(help="Rows that are read, solved and written at a time.", min=1)] = 20_000,
    workers: Annotated[
        int | None, typer.Option(help="Processes; 1 unless given, with Ray all CPUs of the cluster.", min=1)
    ] = None,
    backend: Annotated[str, typer.Option(help="Where chunks are solved: local or ray.")] = "local",
    fresh: Annotated[bool, typer.Option("--fresh", help="Drop the parts of a killed run and start again.")] = False,
) -> None:
    """Solve every device of a file exactly; a killed run goes on from the chunks that are done."""
    from cointer_gym.experiments.fleet import solve_fleet
    from cointer_gym.report.fleet import device_bar, fleet_table, placement_sentence, refused_sentence

    scenario = load_scenario(base, override)
    bar, on_progress = device_bar(console)
    with bar:
        summary = solve_fleet(
            devices,
            out,
            scenario,
            placement=int(placement) if placement.isdecimal() else placement,
            kept=id or (),
            skip=on_error is OnError.SKIP,
            chunk=chunk,
            workers=workers,
            backend=backend,
            fresh=fresh,
            on_progress=on_progress,
        )
    console.print(fleet_table(summary))
    if summary.devices:
        console.print(placement_sentence(summary), highlight=False)
    console.print(f"One row per device: {out}", soft_wrap=True)
    if summary.refused:
        new_console(stderr=True).print(refused_sentence(summary), style="yellow", highlight=False, soft_wrap=True)
        raise typer.Exit(1)

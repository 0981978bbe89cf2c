"""``cointer-gym study``: the joint optimum and its alternatives over a sweep."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from cointer_gym.cli.app import Overrides, command, console, load_scenario
from cointer_gym.experiments.studies import STUDIES, run_study, study_names
from cointer_gym.report.markdown import in_words

_NAMES = f"What is swept: {in_words(list(STUDIES), 'or')}; 'all' runs every study and writes the report."


@command("cointer-gym study snr resnet50-jetson --out runs/studies")
def study(
    name: Annotated[str, typer.Argument(help=_NAMES)],
    scenario: Annotated[str | None, typer.Argument(help="Built-in name or .toml; a fitting one unless given.")] = None,
    override: Overrides = None,
    out: Annotated[Path, typer.Option(help="Where to write.", file_okay=False)] = Path("runs") / "studies",
) -> None:
    """Compare the joint optimum with its alternatives over a sweep: CSV, PNG and PDF."""
    from cointer_gym.report.studies import summary_table, write_report, write_study

    done = []
    for each in study_names(name):
        loaded = load_scenario(scenario or STUDIES[each].scenario, override)
        try:
            done.append(write_study(run_study(each, loaded), out))
        except ValueError as error:
            if name != "all":
                raise
            console.print(f"{each}: left out, {error}", style="yellow", highlight=False)
        else:
            console.print(summary_table(done[-1]))
    if name == "all":
        write_report(done, out, _command(name, scenario, override, out))
    console.print(f"Data and figures are in {out}", soft_wrap=True)


def _command(name: str, scenario: str | None, override: list[str] | None, out: Path) -> str:
    """What was run, as one would type it."""
    options = [word for text in override or [] for word in ("--set", text)]
    return shlex.join(["cointer-gym", "study", name, *filter(None, [scenario]), *options, "--out", out.as_posix()])

"""What all commands share: the app, the terminal, the options, and one line for a foreseen error."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cointer_gym import __version__
from cointer_gym.cli.terminal import new_console
from cointer_gym.loading import read_value
from cointer_gym.scenario import Scenario

if TYPE_CHECKING:
    from cointer_gym.envs.task import Task

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Device-edge co-inference: the exact optimum, learned policies, and the gap between them.",
)

console = new_console()

ScenarioName = Annotated[str, typer.Argument(help="Built-in name or path to a .toml file.")]
Placement = Annotated[int | None, typer.Option(help="Layers on the device; all unless given.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Override a field: --set link.bandwidth_hz=1e6; --set channel.max_efficiency=none takes it away. Another "
        "dnn.profile keeps only the precision, another channel.law only the fields that it takes. May be repeated.",
    ),
]
Steps = Annotated[int | None, typer.Option(help="Training steps; the committed settings unless given.", min=1)]
Out = Annotated[Path | None, typer.Option(help="Where to write; a folder under runs/ unless given.", file_okay=False)]
Fresh = Annotated[bool, typer.Option("--fresh", help="Delete earlier trainings there and start again.")]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Also read files that need pickle (checkpoints) and were not written by this program on this machine. "
        "Whoever made them can run code here.",
    ),
]
Joint = Annotated[bool, typer.Option("--joint", help="Learn the placement, too (CoInferencePlacement-v0).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Seed = Annotated[int, typer.Option(help="Seed of networks, exploration and fading.", min=0)]


def command(example: str, help: str | None = None) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command whose help ends with an example and whose foreseen errors are one line on stderr.

    Args:
        example: ends the help.
        help: begins it; the docstring of the command unless given.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except (ValueError, OSError, ModuleNotFoundError) as error:
                new_console(stderr=True).print(f"error: {error}", style="red", highlight=False, soft_wrap=True)
                raise typer.Exit(2) from None

        return app.command(help=help, epilog=f"Example: [bold]{example}[/bold]")(run)

    return register


def _show_version(wanted: bool) -> None:
    if wanted:
        console.print(f"cointer-gym {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of the program itself."""


def load_scenario(scenario: Any, override: list[str] | None) -> Scenario:
    """The scenario of that name or file with the fields that ``--set`` replaces."""
    return Scenario.load(scenario, **dict(_parse(text) for text in override or []))


def chosen_task(scenario: Scenario, placement: int | None, joint: bool) -> "Task":
    """The task to train for; the one place where ``--joint`` becomes the name of a task."""
    from cointer_gym.envs.task import make_task

    return make_task("placement" if joint else "splitting", scenario, placement)


def given(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _parse(text: str) -> tuple[str, Any]:
    """``field=value`` with the value in TOML; what is not TOML is text, and no value or ``none`` is None."""
    field, separator, value = (part.strip() for part in text.partition("="))
    if not separator or not field:
        raise ValueError(f"--set {text!r} must look like field=value, e.g. link.bandwidth_hz=1e6")
    try:
        return field, read_value(value)
    except ValueError as error:
        raise ValueError(f"--set {field}: {error}") from None

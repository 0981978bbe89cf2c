"""``cointer-gym train``: one training of one algorithm."""

from pathlib import Path
from typing import Annotated

import typer

from cointer_gym.agents.algorithms import ALGORITHMS, as_algorithm
from cointer_gym.cli.app import (
    Fresh,
    Joint,
    Out,
    Overrides,
    Placement,
    ScenarioName,
    Seed,
    Steps,
    Trust,
    chosen_task,
    command,
    console,
    given,
    load_scenario,
)
from cointer_gym.files import folder_name
from cointer_gym.report.markdown import in_words
from cointer_gym.report.progress import training_bars
from cointer_gym.text import percent

_LABELS = in_words([entry.label for entry in ALGORITHMS.values()], "or")
_ALGORITHM_HELP = f"{in_words(list(ALGORITHMS), 'or')}, or package.module:NAME of an entry of one's own."
_DEFAULT = next(iter(ALGORITHMS))


@command(
    f"cointer-gym train alexnet-pi --algorithm {_DEFAULT} --seed 0",
    help=f"Train {_LABELS}; a killed training goes on from its last checkpoint.",
)
def train(
    scenario: ScenarioName = "alexnet-pi",
    algorithm: Annotated[str, typer.Option(help=_ALGORITHM_HELP)] = _DEFAULT,
    placement: Placement = None,
    joint: Joint = False,
    override: Overrides = None,
    seed: Seed = 0,
    steps: Steps = None,
    out: Out = None,
    fresh: Fresh = False,
    trust: Trust = False,
) -> None:
    """Train one algorithm; a killed training goes on from its last checkpoint."""
    from cointer_gym.agents.extra import require_extra
    from cointer_gym.agents.folder import RunFolder
    from cointer_gym.agents.training import train as train_model

    require_extra()
    task = chosen_task(load_scenario(scenario, override), placement, joint)
    entry = as_algorithm(algorithm)
    settings = entry.load_settings(task.name, **given(total_steps=steps))
    directory = out or Path("runs") / "train" / folder_name(task.label) / f"{entry.name}-seed{seed}"
    if fresh:
        RunFolder(directory).delete()
    bars, on_progress = training_bars(console)
    with bars:
        run = train_model(
            task,
            entry,
            directory,
            seed=seed,
            settings=settings,
            trust=trust,
            on_progress=lambda done, gap: on_progress(entry.name, done, gap, settings.total_steps),
        )
    last = run.curve[-1]
    gap = f"{percent(last.relative_gap, 4)} above the optimum"
    console.print(f"{entry.label}, {last.steps:,} steps in {last.seconds:.0f} s: {last.cost:.6f} ETC, {gap}")
    console.print(f"Model and log: {directory}", soft_wrap=True)

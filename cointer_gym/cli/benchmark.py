"""``cointer-gym benchmark``: every algorithm and every rule beside the optimum."""

from pathlib import Path
from typing import Annotated

import typer

from cointer_gym.agents.algorithms import ALGORITHMS
from cointer_gym.cli.app import (
    Fresh,
    Joint,
    Out,
    Overrides,
    Placement,
    ScenarioName,
    Steps,
    Trust,
    chosen_task,
    command,
    console,
    load_scenario,
)
from cointer_gym.files import folder_name
from cointer_gym.report.markdown import in_words
from cointer_gym.report.progress import training_bars

_LABELS = in_words([entry.label for entry in ALGORITHMS.values()])


@command(
    "cointer-gym benchmark alexnet-pi --seeds 3 --out runs/mine",
    help=f"Train {_LABELS} and compare every policy with the exact optimum.",
)
def benchmark(
    scenario: ScenarioName = "alexnet-pi",
    placement: Placement = None,
    joint: Joint = False,
    override: Overrides = None,
    seeds: Annotated[int, typer.Option(help="Trainings per algorithm.", min=1)] = 3,
    steps: Steps = None,
    jobs: Annotated[int, typer.Option(help="Trainings at the same time.", min=1)] = 2,
    out: Out = None,
    fresh: Fresh = False,
    trust: Trust = False,
) -> None:
    """Train every algorithm and compare every policy with the exact optimum."""
    from cointer_gym.agents.extra import require_extra
    from cointer_gym.agents.folder import RunFolder
    from cointer_gym.experiments.benchmark import benchmark as run_benchmark
    from cointer_gym.report.benchmark import benchmark_table, write_report

    require_extra()
    task = chosen_task(load_scenario(scenario, override), placement, joint)
    directory = out or Path("runs") / "benchmark" / folder_name(task.label)
    if fresh:
        for training in map(RunFolder, (directory / "trainings").glob("*")):
            if training.is_run:
                training.delete()
    bars, on_progress = training_bars(console)
    with bars:
        results = run_benchmark(
            task, directory, seeds=seeds, jobs=jobs, steps=steps, trust=trust, on_progress=on_progress
        )
    write_report(results, directory)
    console.print(benchmark_table(results))
    console.print(f"Report, data and plots are in {directory}", soft_wrap=True)

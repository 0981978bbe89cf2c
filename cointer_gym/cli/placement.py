"""``cointer-gym placement``: how many layers belong on the device."""

from pathlib import Path
from typing import Annotated

import typer

from cointer_gym import baselines as bl
from cointer_gym.cli.app import Json, Out, Overrides, ScenarioName, command, console, load_scenario
from cointer_gym.cli.terminal import print_json
from cointer_gym.files import folder_name
from cointer_gym.report.markdown import in_words


@command("cointer-gym placement resnet50-jetson --set channel.mean_snr_db=5 --set tasks_per_update=10000")
def placement(
    scenario: ScenarioName = "alexnet-pi",
    rule: Annotated[str, typer.Option(help=f"How tasks are split: {in_words(list(bl.RULES), 'or')}.")] = "optimal",
    override: Overrides = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Tell how many layers to put on the device, and draw why."""
    from cointer_gym.experiments.placement import placement_answer
    from cointer_gym.report.placement import placement_sentences, placement_table
    from cointer_gym.report.placement_figure import plot_placement

    loaded = load_scenario(scenario, override)
    answer = placement_answer(loaded, rule)
    directory = out or Path("runs") / "placement" / folder_name(loaded.name)
    for suffix in ("png", "pdf"):
        plot_placement(answer, directory / f"placement.{suffix}")
    if as_json:
        print_json(console, answer)
        return
    console.print(placement_table(answer))
    for line in placement_sentences(answer):
        console.print(line, highlight=False)
    if answer.no_closed_form_because:
        console.print(f"No closed form. {answer.no_closed_form_because}", style="dim", highlight=False)
    console.print(f"Why, in one picture: {directory / 'placement.png'}", soft_wrap=True)

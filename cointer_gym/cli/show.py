"""``cointer-gym show``: one task under the optimal policy, as text or as a picture."""

from pathlib import Path
from typing import Annotated

import typer

from cointer_gym import baselines as bl
from cointer_gym.cli.app import Overrides, Placement, ScenarioName, Seed, command, console, load_scenario
from cointer_gym.envs import CoInferenceEnv

_PICTURES = (".png", ".pdf")


@command("cointer-gym show alexnet-pi --seed 3 --decisions 2 --out task.png")
def show(
    scenario: ScenarioName = "alexnet-pi",
    placement: Placement = None,
    override: Overrides = None,
    seed: Seed = 0,
    decisions: Annotated[int, typer.Option(help="Stop after so many decisions; the whole task is 0.", min=0)] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Write a picture of the last state (.png or .pdf).", dir_okay=False)
    ] = None,
) -> None:
    """Follow the optimal policy through one task, as text or as a picture."""
    if out is not None and out.suffix not in _PICTURES:
        raise ValueError(f"out = {str(out)!r} must end in {' or '.join(_PICTURES)}")
    env = CoInferenceEnv(load_scenario(scenario, override), placement, render_mode="ansi")
    policy = bl.backward_induction(env.problem).policy()
    observation, _ = env.reset(seed=seed)
    made, ended = 0, False
    while not ended and (made < decisions or decisions == 0):
        console.print(env.render(), highlight=False, soft_wrap=True)
        action = int(policy.predict(observation)[0])
        observation, _, ended, _, _ = env.step(action)
        made += 1
    console.print(env.render(), highlight=False, soft_wrap=True)
    if out is not None:
        from cointer_gym.report.style import save_scene

        save_scene(env.scene(), out)

"""``cointer-gym evaluate``: the exact score of a trained model, stage by stage."""

from pathlib import Path
from typing import Annotated

import typer

from cointer_gym import baselines as bl
from cointer_gym.agents.algorithms import ALGORITHMS
from cointer_gym.cli.app import Overrides, Seed, Trust, command, console, load_scenario
from cointer_gym.report.tables import regret_table, score_table
from cointer_gym.text import percent


@command(f"cointer-gym evaluate runs/train/alexnet-pi/{next(iter(ALGORITHMS))}-seed0 --episodes 100000")
def evaluate(
    run: Annotated[Path, typer.Argument(help="Directory of a finished training.")],
    scenario: Annotated[str | None, typer.Option(help="Score on this scenario instead of the training's.")] = None,
    override: Overrides = None,
    episodes: Annotated[int, typer.Option(help="Also simulate this many tasks.", min=0)] = 0,
    seed: Seed = 0,
    trust: Trust = False,
) -> None:
    """Score a trained model exactly, stage by stage."""
    from cointer_gym.agents.runs import load_run

    trained, learned = load_run(run, trust=trust)
    task = learned.on(load_scenario(scenario or learned.scenario, override))
    if task.observation_space.shape != learned.observation_space.shape:
        raise ValueError(
            f"{run} was trained with observations of shape {learned.observation_space.shape}, which do not fit"
        )
    policy, layers = task.splitting(trained.policy())
    problem = task.scenario.problem(layers)
    optimum, score = bl.backward_induction(problem), bl.evaluate(policy, problem)
    total = task.with_download(score, layers)
    if task.scenario == learned.scenario:
        trained.confirm(total.cost)
    if isinstance(total, bl.JointScore):
        gap = f"{percent(total.relative_gap, 4)} above the joint optimum"
        console.print(f"Places {layers} layers: {total.cost:.6f} ETC with the download, {gap}. With this placement:")
    optimal = bl.score_moments(optimum.moments, problem)
    console.print(score_table({bl.RULES["optimal"].label: optimal, trained.algorithm.label: score}, problem))
    console.print(regret_table(score, bl.switches(policy, problem), optimum))
    if episodes:
        estimate = bl.simulate(policy, problem, episodes, seed)
        low, high = estimate.interval()
        console.print(f"Simulated {episodes:,} tasks: {estimate.cost:.6f} ETC, 95 % interval {low:.6f} to {high:.6f}")

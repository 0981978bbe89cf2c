"""The ``cointer-gym`` command."""

import json
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from cointer_gym import baselines as bl
from cointer_gym.agents import screen
from cointer_gym.agents.screen import console
from cointer_gym.envs import CoInferenceEnv
from cointer_gym.scenario import Scenario, list_scenarios

if TYPE_CHECKING:
    from cointer_gym.agents.targets import Target

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="Device-edge co-inference: the exact optimum, learned policies, and the gap between them.",
)

ScenarioName = Annotated[str, typer.Argument(help="Built-in name or path to a .toml file.")]
Placement = Annotated[int | None, typer.Option(help="Layers on the device; all unless given.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="Override a field: --set link.bandwidth_hz=1e6.")]
Steps = Annotated[int | None, typer.Option(help="Training steps; the committed settings unless given.", min=1)]
Out = Annotated[Path | None, typer.Option(help="Where to write; a folder under runs/ unless given.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Delete earlier trainings there and start again.")]
Joint = Annotated[bool, typer.Option("--joint", help="Learn the placement, too (CoInferencePlacement-v0).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
Seed = Annotated[int, typer.Option(help="Seed of networks, exploration and fading.", min=0)]


def _command(example: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command whose help ends with an example and whose foreseen errors are one line on stderr."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except (ValueError, OSError) as error:
                Console(stderr=True).print(
                    f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True
                )
                raise typer.Exit(2) from None

        return app.command(epilog=f"Example: [bold]{example}[/bold]")(run)

    return register


@_command("cointer-gym scenarios")
def scenarios() -> None:
    """List the built-in scenarios with their exact solutions."""
    console.print(screen.scenario_table([Scenario.load(name) for name in list_scenarios()]))
    console.print("ETC per task with all layers placed; static split and look-ahead as excess over the optimum.")


@_command("cointer-gym solve alexnet-pi --set channel.mean_snr_db=5")
def solve(
    scenario: ScenarioName = "alexnet-pi",
    placement: Placement = None,
    override: Overrides = None,
    as_json: Json = False,
) -> None:
    """Solve a scenario exactly and compare the analytic rules."""
    loaded = _load(scenario, override)
    problem = loaded.problem(placement)
    rules = bl.reference_rules(problem)
    scores = {name: bl.score_moments(rule.moments, problem) for name, rule in rules.items()}
    bound = bl.clairvoyant_cost(problem)
    if as_json:
        console.print_json(json.dumps(_solution(loaded, rules["Optimum"], scores, bound)))
        return
    console.print(screen.threshold_table(loaded, rules["Optimum"], rules["Look-ahead, 1 stage"]))
    console.print(screen.score_table(scores, problem))
    console.print(f"Clairvoyant bound: {bound:.6f} ({screen.excess_text(bound, rules['Optimum'].cost)})")


@_command("cointer-gym show alexnet-pi --seed 3 --decisions 2 --out task.png")
def show(
    scenario: ScenarioName = "alexnet-pi",
    placement: Placement = None,
    override: Overrides = None,
    seed: Seed = 0,
    decisions: Annotated[int, typer.Option(help="Stop after so many decisions; the whole task is 0.", min=0)] = 0,
    out: Annotated[Path | None, typer.Option(help="Write a picture of the last state (.png or .pdf).")] = None,
) -> None:
    """Follow the optimal policy through one task, as text or as a picture."""
    from cointer_gym.agents.plots import save_scene

    env = CoInferenceEnv(_load(scenario, override), placement, render_mode="ansi")
    policy = bl.backward_induction(env.problem).policy()
    observation, _ = env.reset(seed=seed)
    made, ended = 0, False
    while not ended and (made < decisions or decisions == 0):
        console.print(env.render(), highlight=False, markup=False, soft_wrap=True)
        action = int(policy.predict(observation)[0])
        observation, _, ended, _, _ = env.step(action)
        made += 1
    console.print(env.render(), highlight=False, markup=False, soft_wrap=True)
    if out is not None:
        save_scene(env.scene(), out)


@_command("cointer-gym train alexnet-pi --algorithm ppo --seed 0")
def train(
    scenario: ScenarioName = "alexnet-pi",
    algorithm: Annotated[str, typer.Option(help="ppo or dqn.")] = "ppo",
    placement: Placement = None,
    joint: Joint = False,
    override: Overrides = None,
    seed: Seed = 0,
    steps: Steps = None,
    out: Out = None,
    fresh: Fresh = False,
) -> None:
    """Train PPO or DQN; a killed training goes on from its last checkpoint."""
    from cointer_gym.agents.settings import as_algorithm, load_settings
    from cointer_gym.agents.training import train as train_model

    target, chosen = _target(_load(scenario, override), placement, joint), as_algorithm(algorithm)
    settings = load_settings(chosen, joint=target.joint, **_given(total_steps=steps))
    directory = out or Path("runs") / "train" / target.label / f"{chosen}-seed{seed}"
    if fresh:
        _delete_training(directory)
    bars, on_progress = screen.training_bars()
    with bars:
        run = train_model(
            target,
            chosen,
            directory,
            seed=seed,
            settings=settings,
            on_progress=lambda done, gap: on_progress(chosen, done, gap, settings.total_steps),
        )
    last = run.curve[-1]
    gap = f"{100 * last.relative_gap:.4f} % above the optimum"
    console.print(f"{chosen.upper()}, {last.steps:,} steps in {last.seconds:.0f} s: {last.cost:.6f} ETC, {gap}")
    console.print(f"Model and log: {directory}", soft_wrap=True)


@_command("cointer-gym evaluate runs/train/alexnet-pi/ppo-seed0 --episodes 100000")
def evaluate(
    run: Annotated[Path, typer.Argument(help="Directory of a finished training.")],
    scenario: Annotated[str | None, typer.Option(help="Score on this scenario instead of the training's.")] = None,
    override: Overrides = None,
    episodes: Annotated[int, typer.Option(help="Also simulate this many tasks.", min=0)] = 0,
    seed: Seed = 0,
) -> None:
    """Score a trained model exactly, stage by stage."""
    from cointer_gym.agents.training import load_run

    trained, target = load_run(run)
    target = replace(target, scenario=_load(scenario or target.scenario, override))
    model = trained.model()
    if model.observation_space.shape != target.vec_env(1).observation_space.shape:
        raise ValueError(
            f"{run} was trained with observations of shape {model.observation_space.shape}, which do not fit"
        )
    policy, layers = target.splitting(model)
    problem = target.scenario.problem(layers)
    optimum, score = bl.backward_induction(problem), bl.evaluate(policy, problem)
    scores = {"Optimum": bl.score_moments(optimum.moments, problem), trained.algorithm.upper(): score}
    if target.joint:
        joint = bl.joint_score(score, layers, bl.optimal_placement(target.scenario))
        gap = f"{screen.percent(joint.relative_gap, 4)} above the joint optimum"
        console.print(f"Places {layers} layers: {joint.cost:.6f} ETC with the download, {gap}. With this placement:")
    console.print(screen.score_table(scores, problem))
    console.print(screen.regret_table(score, bl.switches(policy, problem), optimum))
    if episodes:
        estimate = bl.simulate(policy, problem, episodes, seed)
        low, high = estimate.interval()
        console.print(f"Simulated {episodes:,} tasks: {estimate.cost:.6f} ETC, 95 % interval {low:.6f} to {high:.6f}")


@_command("cointer-gym benchmark alexnet-pi --seeds 3 --out runs/mine")
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
) -> None:
    """Train PPO and DQN and compare every policy with the exact optimum."""
    from cointer_gym.agents.benchmark import benchmark as run_benchmark
    from cointer_gym.agents.report import HEADER, table_rows, write_report

    target = _target(_load(scenario, override), placement, joint)
    directory = out or Path("runs") / "benchmark" / target.label
    if fresh:
        for training in (directory / "trainings").glob("*"):
            _delete_training(training)
    bars, on_progress = screen.training_bars()
    with bars:
        run_benchmark(target, directory, seeds=seeds, jobs=jobs, steps=steps, on_progress=on_progress)
    results = write_report(directory)
    table = screen.table(*HEADER, title=f"{results['scenario']}: exact expected cost per task")
    for row in table_rows(results):
        table.add_row(*row)
    console.print(table)
    console.print(f"Report, data and plots are in {directory}", soft_wrap=True)


@_command("cointer-gym placement resnet50-jetson --set channel.mean_snr_db=5 --set tasks_per_update=10000")
def placement(
    scenario: ScenarioName = "alexnet-pi",
    rule: Annotated[str, typer.Option(help="How tasks are split: optimal, look-ahead or static.")] = "optimal",
    override: Overrides = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Tell how many layers to put on the device, and draw why."""
    from cointer_gym.agents import placement_report
    from cointer_gym.agents.placement_plot import plot_placement

    loaded = _load(scenario, override)
    answer = placement_report.placement_answer(loaded, placement_report.as_rule(rule))
    directory = out or Path("runs") / "placement" / loaded.name
    for suffix in ("png", "pdf"):
        plot_placement(answer, directory / f"placement.{suffix}")
    if as_json:
        console.print_json(json.dumps(answer, allow_nan=False))
        return
    console.print(placement_report.placement_table(answer))
    for line in placement_report.placement_sentences(answer):
        console.print(line, highlight=False)
    if answer["no_closed_form_because"]:
        console.print(f"No closed form. {answer['no_closed_form_because']}", style="dim", markup=False, highlight=False)
    console.print(f"Why, in one picture: {directory / 'placement.png'}", soft_wrap=True)


@_command("cointer-gym study snr resnet50-jetson --out runs/studies")
def study(
    name: Annotated[str, typer.Argument(help="What is swept; 'all' runs every study and writes the report.")],
    scenario: Annotated[str | None, typer.Argument(help="Built-in name or .toml; a fitting one unless given.")] = None,
    override: Overrides = None,
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("runs") / "studies",
) -> None:
    """Compare the joint optimum with its alternatives over a sweep: CSV, PNG and PDF."""
    from cointer_gym.agents import study_report
    from cointer_gym.agents.studies import STUDIES

    done = []
    for each in study_report.study_names(name):
        loaded = _load(scenario or STUDIES[each][1], override)
        try:
            done.append(study_report.write_study(each, loaded, out))
        except ValueError as error:
            if name != "all":
                raise
            console.print(f"{each}: left out, {error}", style="yellow", markup=False, highlight=False)
        else:
            console.print(study_report.summary_table(done[-1]))
    if name == "all":
        study_report.write_report(done, out)
    console.print(f"Data and figures are in {out}", soft_wrap=True)


@_command("cointer-gym report runs/benchmark/alexnet-pi --into README.md")
def report(
    out: Annotated[Path, typer.Argument(help="Directory of a benchmark.")],
    into: Annotated[Path | None, typer.Option(help="Markdown file whose marked table is replaced.")] = None,
) -> None:
    """Write the report and plots of a finished benchmark again."""
    from cointer_gym.agents.report import insert_table, write_report

    results = write_report(out)
    if into is not None:
        insert_table(into, results)


def _target(scenario: Scenario, placement: int | None, joint: bool) -> "Target":
    from cointer_gym.agents.targets import Target

    return Target(scenario, "CoInferencePlacement-v0" if joint else "CoInference-v0", placement)


def _load(scenario: Any, override: list[str] | None) -> Scenario:
    return Scenario.load(scenario, **dict(_parse(text) for text in override or []))


def _parse(text: str) -> tuple[str, Any]:
    """``field=value`` with the value in TOML; what is not TOML is a string."""
    field, separator, value = text.partition("=")
    if not separator or not field:
        raise ValueError(f"--set {text!r} must look like field=value, e.g. link.bandwidth_hz=1e6")
    try:
        return field.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return field.strip(), value


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _delete_training(directory: Path) -> None:
    """Delete a training's directory, and nothing that is not one."""
    if directory.exists() and not (directory / "run.json").exists():
        raise ValueError(f"{directory} is not the directory of a training; --fresh does not delete it")
    shutil.rmtree(directory, ignore_errors=True)


def _solution(scenario: Scenario, optimum: bl.Solution, scores: dict[str, bl.Score], bound: float) -> dict[str, Any]:
    """What ``solve --json`` prints."""
    policies = {
        name: {
            "cost": score.cost,
            "relative_gap": score.relative_gap,
            "time_s": score.time_s,
            "energy_j": score.energy_j,
            "split_probability": score.split_probability.tolist(),
        }
        for name, score in scores.items()
    }
    return {
        "scenario": scenario.name,
        "placement": optimum.problem.horizon,
        "stage_names": list(optimum.problem.stage_names),
        "threshold_db": [screen.threshold_text(snr) for snr in optimum.threshold_snr],
        "value": optimum.value.tolist(),
        "clairvoyant_cost": bound,
        "policies": policies,
    }


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()

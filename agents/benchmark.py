"""The main job: every policy on one scenario, scored exactly, in one table.

Everything that is reported later (table, CSV, Markdown, plots) is computed here once and kept in ``results.json``.
"""

import platform
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from cointer_gym import baselines as bl
from cointer_gym.agents.settings import ALGORITHMS, Algorithm, DqnSettings, PpoSettings, load_settings
from cointer_gym.agents.storage import write_json
from cointer_gym.agents.training import GapPoint, TrainingRun, installed_versions, read_curve, train
from cointer_gym.problem import StoppingProblem
from cointer_gym.scenario import Scenario
from cointer_gym.units import linear_to_db

Progress = Callable[[str, int, int, float], None]
"""Called with the name of a training, its steps, its total steps, and its latest relative gap."""

_POLL_S = 0.5


@dataclass(frozen=True)
class TrainingJob:
    """One training of the benchmark."""

    algorithm: Algorithm
    seed: int
    directory: Path
    settings: PpoSettings | DqnSettings

    @property
    def name(self) -> str:
        """Label in progress displays and directories."""
        return f"{self.algorithm}-seed{self.seed}"


def benchmark(
    scenario: Scenario,
    out: Path,
    *,
    placement: int | None = None,
    seeds: int = 3,
    jobs: int = 2,
    steps: int | None = None,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Train PPO and DQN, score them and every analytic policy exactly, and write ``results.json``.

    Finished trainings in ``out`` are kept, killed ones go on where they were.

    Args:
        scenario: the scenario.
        out: directory of results and trainings.
        placement: layers on the device; None is all.
        seeds: trainings per algorithm, with seeds 0..seeds-1.
        jobs: trainings at the same time.
        steps: training steps instead of the committed settings.
        on_progress: called twice a second per training.

    Returns:
        dict: the content of ``results.json``.

    Raises:
        ValueError: ``out`` holds trainings of something else.
    """
    problem = scenario.problem(placement)
    optimum = bl.backward_induction(problem)
    plan = _plan(out, seeds, steps)
    runs = _train_all(scenario, placement, plan, jobs, on_progress)
    results = {
        "scenario": scenario.name,
        "placement": problem.horizon,
        "layers": scenario.layers,
        "stage_names": list(problem.stage_names),
        "optimal_threshold_db": [_db(t) for t in optimum.threshold_snr],
        "snr_quantiles_db": [_db(problem.channel.snr_quantile(p)) for p in (0.001, 0.999)],
        "reach_probability": _reach(optimum),
        "policies": _policy_rows(problem, runs),
        "trainings": [_training_row(problem, run) for run in runs],
        "settings": {job.algorithm: job.settings.model_dump(mode="json") for job in plan},
        "versions": installed_versions(),
        "python": platform.python_version(),
    }
    write_json(out / "results.json", results)
    return results


def _plan(out: Path, seeds: int, steps: int | None) -> list[TrainingJob]:
    overrides = {} if steps is None else {"total_steps": steps}
    return [
        TrainingJob(
            algorithm, seed, out / "trainings" / f"{algorithm}-seed{seed}", load_settings(algorithm, **overrides)
        )
        for algorithm in ALGORITHMS
        for seed in range(seeds)
    ]


def _train_all(
    scenario: Scenario, placement: int | None, plan: list[TrainingJob], jobs: int, on_progress: Progress | None
) -> list[TrainingRun]:
    """Run the trainings in worker processes; progress is read from their ``gap.csv``."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(_run_job, scenario, placement, job): job for job in plan}
        try:
            pending: set[Future[TrainingRun]] = set(futures)
            while pending:
                _, pending = wait(pending, timeout=_POLL_S)
                for job in plan if on_progress else ():
                    _report(job, on_progress)
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _run_job(scenario: Scenario, placement: int | None, job: TrainingJob) -> TrainingRun:
    return train(scenario, job.algorithm, job.directory, placement=placement, seed=job.seed, settings=job.settings)


def _report(job: TrainingJob, on_progress: Progress | None) -> None:
    curve = read_curve(job.directory / "gap.csv")
    if curve and on_progress is not None:
        on_progress(job.name, curve[-1].steps, job.settings.total_steps, curve[-1].relative_gap)


def _policy_rows(problem: StoppingProblem, runs: list[TrainingRun]) -> list[dict[str, Any]]:
    """The table: rules, trained agents, the optimum, and the bound that no causal policy can pass."""
    rules = bl.reference_rules(problem)
    optimum = rules.pop("Optimum")
    agents = {a.upper(): [run.model() for run in runs if run.algorithm == a] for a in ALGORITHMS}
    policies: dict[str, list[Any]] = {"Random": [bl.RandomPolicy()]}
    policies |= {name: [rule.policy()] for name, rule in rules.items()} | agents | {"Optimum": [optimum.policy()]}
    bound = bl.clairvoyant_cost(problem)
    return [
        *(_row(name, [bl.evaluate(policy, problem) for policy in seeds]) for name, seeds in policies.items()),
        {"policy": "Clairvoyant bound", "cost": bound, "relative_gap": bound / optimum.cost - 1.0},
    ]


def _row(policy: str, scores: list[bl.Score]) -> dict[str, Any]:
    """Means over seeds, and the gap of every seed."""

    def mean(values: list[Any]) -> Any:
        return None if values[0] is None else np.mean(values, axis=0).tolist()

    gaps = [score.relative_gap for score in scores]
    return {
        "policy": policy,
        "cost": mean([score.cost for score in scores]),
        "relative_gap": mean(gaps),
        "relative_gap_by_seed": gaps,
        "time_s": mean([score.time_s for score in scores]),
        "energy_j": mean([score.energy_j for score in scores]),
        "split_probability": mean([score.split_probability for score in scores]),
    }


def _training_row(problem: StoppingProblem, run: TrainingRun) -> dict[str, Any]:
    """Curve and learned thresholds of one training."""
    found = bl.switches(run.model(), problem)
    switch_db: list[list[float | str]] = [["always"] if zero else ["never"] for zero in found.offloads_at_zero]
    for stage in range(problem.horizon):
        here = found.snr[found.stage == stage]
        if here.size:
            switch_db[stage] = [_db(snr) for snr in here]
    return {
        "algorithm": run.algorithm,
        "seed": run.seed,
        "seconds": run.curve[-1].seconds,
        "curve": [_point(point) for point in run.curve],
        "switch_db": switch_db,
    }


def _point(point: GapPoint) -> list[float]:
    return [point.steps, point.relative_gap]


def _reach(solution: bl.Solution) -> list[float]:
    """P(stage n is reached) under the rule, shape (M+1,)."""
    return [float(p) for p in np.cumsum(solution.split_probability[::-1])[::-1]]


def _db(snr: float) -> float | str:
    """A threshold in dB; ``always`` and ``never`` where it has no number."""
    return "always" if snr <= 0 else "never" if np.isinf(snr) else float(linear_to_db(snr))

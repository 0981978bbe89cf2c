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
from cointer_gym.agents.targets import Target
from cointer_gym.agents.training import TrainingRun, installed_versions, read_curve, train
from cointer_gym.policies import Policy
from cointer_gym.scenario import Scenario
from cointer_gym.units import linear_to_db

Progress = Callable[[str, int, float, int], None]
"""Called with the name of a training, its steps, its latest relative gap, and its total steps."""

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
    target: Target,
    out: Path,
    *,
    seeds: int = 3,
    jobs: int = 2,
    steps: int | None = None,
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Train PPO and DQN, score them and every analytic policy exactly, and write ``results.json``.

    Finished trainings in ``out`` are kept, killed ones go on where they were.

    Args:
        target: environment and scenario.
        out: directory of results and trainings.
        seeds: trainings per algorithm, with seeds 0..seeds-1.
        jobs: trainings at the same time.
        steps: training steps instead of the committed settings.
        on_progress: called twice a second per training.

    Returns:
        dict: the content of ``results.json``.

    Raises:
        ValueError: ``out`` holds trainings of something else.
    """
    plan = _plan(target, out, seeds, steps)
    runs = _train_all(target, plan, jobs, on_progress)
    scenario = target.scenario
    placement = bl.optimal_placement(scenario).placement if target.joint else target.placement
    optimum = bl.backward_induction(scenario.problem(placement))
    results = {
        "env_id": target.env_id,
        "scenario": scenario.name,
        "placement": optimum.problem.horizon,
        "layers": scenario.layers,
        "stage_names": list(scenario.dnn.stage_names if target.joint else optimum.problem.stage_names),
        "optimal_threshold_db": [_db(snr) for snr in optimum.threshold_snr],
        "snr_quantiles_db": [_db(optimum.problem.channel.snr_quantile(p)) for p in (0.001, 0.999)],
        "reach_probability": _reach(optimum),
        "policies": _policy_rows(target, runs),
        "trainings": [_training_row(target, run) for run in runs],
        "settings": {job.algorithm: job.settings.model_dump(mode="json") for job in plan},
        "versions": installed_versions(),
        "python": platform.python_version(),
    }
    write_json(out / "results.json", results)
    return results


def _plan(target: Target, out: Path, seeds: int, steps: int | None) -> list[TrainingJob]:
    overrides = {} if steps is None else {"total_steps": steps}
    settings = {a: load_settings(a, joint=target.joint, **overrides) for a in ALGORITHMS}
    return [
        TrainingJob(algorithm, seed, out / "trainings" / f"{algorithm}-seed{seed}", settings[algorithm])
        for algorithm in ALGORITHMS
        for seed in range(seeds)
    ]


def _train_all(target: Target, plan: list[TrainingJob], jobs: int, on_progress: Progress | None) -> list[TrainingRun]:
    """Run the trainings in worker processes; progress is read from their ``gap.csv``."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(_run_job, target, job): job for job in plan}
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


def _run_job(target: Target, job: TrainingJob) -> TrainingRun:
    return train(target, job.algorithm, job.directory, seed=job.seed, settings=job.settings)


def _report(job: TrainingJob, on_progress: Progress | None) -> None:
    curve = read_curve(job.directory / "gap.csv")
    if curve and on_progress is not None:
        on_progress(job.name, curve[-1].steps, curve[-1].relative_gap, job.settings.total_steps)


def _policy_rows(target: Target, runs: list[TrainingRun]) -> list[dict[str, Any]]:
    """The table: rules, trained agents, the optimum, and the bound that no causal policy can pass."""
    reference = _joint_reference(target.scenario) if target.joint else _splitting_reference(target)
    optimum, bound = reference.pop("Optimum"), reference.pop("Clairvoyant bound")
    agents = {a.upper(): [target.score(run.model()) for run in runs if run.algorithm == a] for a in ALGORITHMS}
    rows = {name: [score] for name, score in reference.items()} | agents | {"Optimum": [optimum]}
    clairvoyant = {"policy": "Clairvoyant bound", "cost": bound, "relative_gap": bound / optimum.cost - 1.0}
    random = [_random_row(target.scenario)] if target.joint else []
    return [*random, *(_row(name, scores) for name, scores in rows.items()), clairvoyant]


def _splitting_reference(target: Target) -> dict[str, Any]:
    """Scores of the analytic policies with the given placement."""
    problem = target.scenario.problem(target.placement)
    policies: dict[str, Policy] = {"Random": bl.RandomPolicy()}
    policies |= {name: rule.policy() for name, rule in bl.reference_rules(problem).items()}
    scores = {name: bl.evaluate(policy, problem) for name, policy in policies.items()}
    return {**scores, "Clairvoyant bound": bl.clairvoyant_cost(problem)}


def _joint_reference(scenario: Scenario) -> dict[str, Any]:
    """Scores of the analytic policies, each with the placement that suits it best."""
    table = bl.optimal_placement(scenario)
    placements = range(scenario.largest_placement + 1)
    best: dict[str, Any] = {}
    for placement in placements:
        problem = scenario.problem(placement)
        for name, rule in bl.reference_rules(problem).items():
            if name == "Device only" and placement < scenario.layers:
                continue
            score = bl.joint_score(bl.score_moments(rule.moments, problem), placement, table)
            if name not in best or score.cost < best[name].cost:
                best[name] = score
    bound = min(bl.clairvoyant_cost(scenario.problem(m)) + float(scenario.download_cost[m]) for m in placements)
    in_order = {name: best[name] for name in bl.reference_rules(scenario.problem()) if name in best}
    return {**in_order, "Clairvoyant bound": bound}


def _random_row(scenario: Scenario) -> dict[str, Any]:
    """A random placement, then a coin at every stage: the mean over all placements."""
    table, coin = bl.optimal_placement(scenario), bl.RandomPolicy()
    placements = range(scenario.largest_placement + 1)
    scores = [bl.joint_score(bl.evaluate(coin, scenario.problem(m)), m, table) for m in placements]
    row = _row("Random", scores)
    return row | {"relative_gap_by_seed": [row["relative_gap"]], "placements": []}


def _row(policy: str, scores: list[Any]) -> dict[str, Any]:
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
        "placements": [score.placement for score in scores if isinstance(score, bl.JointScore)],
    }


def _training_row(target: Target, run: TrainingRun) -> dict[str, Any]:
    """Curve, placement and learned thresholds of one training."""
    policy, placement = target.splitting(run.model())
    found = bl.switches(policy, target.scenario.problem(placement))
    switch_db: list[list[float | str]] = [["always"] if zero else ["never"] for zero in found.offloads_at_zero]
    for stage in range(placement):
        here = found.snr[found.stage == stage]
        if here.size:
            switch_db[stage] = [_db(snr) for snr in here]
    return {
        "algorithm": run.algorithm,
        "seed": run.seed,
        "placement": placement,
        "seconds": run.curve[-1].seconds,
        "curve": [[point.steps, point.relative_gap] for point in run.curve],
        "switch_db": switch_db,
    }


def _reach(solution: bl.Solution) -> list[float]:
    """P(stage n is reached) under the rule, shape (M+1,)."""
    return [float(p) for p in np.cumsum(solution.split_probability[::-1])[::-1]]


def _db(snr: float) -> float | str:
    """A threshold in dB; ``always`` and ``never`` where it has no number."""
    return "always" if snr <= 0 else "never" if np.isinf(snr) else float(linear_to_db(snr))

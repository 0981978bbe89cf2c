"""The main job: every policy on one task, scored exactly, in one table.

Everything that is reported later (table, CSV, Markdown, plots) is computed here once and kept in ``results.json``.
"""

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cointer_gym import baselines as bl
from cointer_gym.agents.extra import require_extra
from cointer_gym.agents.folder import installed_versions
from cointer_gym.agents.runs import TrainingRun
from cointer_gym.envs.task import Task
from cointer_gym.experiments.reference import reference
from cointer_gym.experiments.results import (
    BenchmarkResults,
    CurvePoint,
    PolicyKind,
    PolicyRow,
    Threshold,
    TrainingRow,
    save,
)
from cointer_gym.experiments.trainings import Progress, TrainingJob, check_folders, plan, train_all
from cointer_gym.units import linear_to_db

Scored = bl.Score | bl.JointScore


def benchmark(
    task: Task,
    out: Path,
    *,
    seeds: int = 3,
    jobs: int = 2,
    steps: int | None = None,
    trust: bool = False,
    on_progress: Progress | None = None,
) -> BenchmarkResults:
    """Train every registered algorithm, score it and every analytic policy exactly, and write ``results.json``.

    Finished trainings in ``out`` are kept, killed ones go on where they were.

    Args:
        task: what is learned, and on which scenario.
        out: directory of results and trainings.
        seeds: trainings per algorithm, with seeds 0..seeds-1.
        jobs: trainings at the same time.
        steps: training steps instead of the committed settings.
        trust: whether to read checkpoints, and models of learners with a format of their own, that were not written by
            this program on this machine, although reading them can run code.
        on_progress: called twice a second per training.

    Returns:
        BenchmarkResults: the content of ``results.json``.

    Raises:
        ModuleNotFoundError: the ``agents`` extra is not installed.
        ValueError: ``out`` holds trainings of something else, or damaged ones; nothing has been trained then.
        ChildProcessError: a training was killed; the same call goes on.
    """
    require_extra()
    planned = plan(task, out / "trainings", seeds, steps)
    check_folders(task, planned, trust=trust)
    results = collect(task, planned, train_all(task, planned, jobs, on_progress, trust=trust))
    save(out / "results.json", results)
    return results


def collect(task: Task, planned: Sequence[TrainingJob], runs: Sequence[TrainingRun]) -> BenchmarkResults:
    """The results of finished trainings, beside those of the analytic policies."""
    optimum = task.optimal_splitting()
    law = optimum.problem.channel
    quantiles = np.maximum(law.inverse_survival([0.999, 0.001]), 1e-300)  # an outage has no level in dB
    low_db, high_db = (float(linear_to_db(snr)) for snr in quantiles)
    return BenchmarkResults(
        env_id=task.env_id,
        task=task.name,
        scenario=task.scenario.name,
        placement=optimum.problem.horizon,
        layers=task.scenario.layers,
        stage_names=task.stage_names,
        optimal_threshold=tuple(Threshold.of(snr) for snr in optimum.threshold_snr),
        snr_quantiles_db=(low_db, high_db),
        reach_probability=tuple(float(p) for p in np.cumsum(optimum.split_probability[::-1])[::-1]),
        policies=policy_rows(task, runs),
        trainings=tuple(_training_row(task, run) for run in runs),
        settings={job.algorithm.name: job.settings.model_dump(mode="json") for job in planned},
        versions=installed_versions(),
        python=platform.python_version(),
    )


def policy_rows(task: Task, runs: Sequence[TrainingRun] = ()) -> tuple[PolicyRow, ...]:
    """The table: rules, trained agents, the optimum, and the bound that no causal policy can pass."""
    known = reference(task)
    rules = {name: known.score(name) for name in bl.RULES}
    optimum = rules.pop("optimal")
    bound = known.clairvoyant_cost
    return (
        _random_row(task),
        *(_row(name, bl.RULES[name].label, "rule", [score]) for name, score in rules.items()),
        *_agent_rows(task, runs),
        _row("optimal", bl.RULES["optimal"].label, "rule", [optimum]),
        PolicyRow(
            policy="clairvoyant",
            label="Clairvoyant bound",
            kind="bound",
            cost=bound,
            relative_gap=bound / optimum.cost - 1.0,
        ),
    )


def _random_row(task: Task) -> PolicyRow:
    """A random placement where it is chosen, then a coin at every stage: the mean over all placements."""
    coin = bl.RandomPolicy()
    scores = [task.with_download(bl.evaluate(coin, task.scenario.problem(m)), m) for m in task.placements]
    row = _row("random", "Random", "random", scores)
    return row.model_copy(update={"relative_gap_by_seed": (row.relative_gap,), "placements": ()})


def _agent_rows(task: Task, runs: Sequence[TrainingRun]) -> list[PolicyRow]:
    """One row per algorithm, over its seeds."""
    scores: dict[str, list[Scored]] = {}
    for run in runs:
        score = task.score(run.policy())
        run.confirm(score.cost)
        scores.setdefault(run.algorithm.name, []).append(score)
    labels = {run.algorithm.name: run.algorithm.label for run in runs}
    return [_row(name, labels[name], "agent", found) for name, found in scores.items()]


def _row(policy: str, label: str, kind: PolicyKind, scores: Sequence[Scored]) -> PolicyRow:
    """Means over seeds, and the gap of every seed."""

    def mean(values: list[Any]) -> Any:
        return None if values[0] is None else np.mean(values, axis=0).tolist()

    gaps = [score.relative_gap for score in scores]
    return PolicyRow(
        policy=policy,
        label=label,
        kind=kind,
        cost=mean([score.cost for score in scores]),
        relative_gap=mean(gaps),
        relative_gap_by_seed=tuple(gaps),
        time_s=mean([score.time_s for score in scores]),
        energy_j=mean([score.energy_j for score in scores]),
        split_probability=mean([score.split_probability for score in scores]),
        placements=tuple(score.placement for score in scores if isinstance(score, bl.JointScore)),
    )


def _training_row(task: Task, run: TrainingRun) -> TrainingRow:
    """Curve, placement and learned thresholds of one training."""
    policy, placement = task.splitting(run.policy())
    found = bl.switches(policy, task.scenario.problem(placement))
    switches: list[tuple[Threshold, ...]] = [
        (Threshold(when="always" if zero else "never"),) for zero in found.offloads_at_zero
    ]
    for stage in range(placement):
        here = found.snr[found.stage == stage]
        if here.size:
            switches[stage] = tuple(Threshold.of(snr) for snr in here)
    return TrainingRow(
        algorithm=run.algorithm.name,
        label=run.algorithm.label,
        seed=run.seed,
        placement=placement,
        seconds=run.curve[-1].seconds,
        curve=tuple(CurvePoint(steps=point.steps, relative_gap=point.relative_gap) for point in run.curve),
        switches=tuple(switches),
    )

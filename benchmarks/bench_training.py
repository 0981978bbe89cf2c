"""Seconds of a whole training."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.rounds import SideBySide, rounded
from cointer_gym.experiments.speed import Comparison

_NEAR = 0.001


@pytest.mark.usefixtures("full_run_only")
def bench_ppo_on_alexnet(side_by_side: SideBySide, tmp_path: Path) -> None:
    """PPO with the committed settings and seed 0, scored exactly 40 times on the way, which counts."""
    pytest.importorskip("stable_baselines3")
    from cointer_gym.agents.training import train
    from cointer_gym.envs import make_task
    from cointer_gym.scenario import Scenario

    task = make_task("splitting", Scenario.load("alexnet-pi"))
    runs: list[Any] = []
    side_by_side.benchmark.group = "training"
    side_by_side.benchmark.pedantic(lambda: runs.append(train(task, "ppo", tmp_path, seed=0)), rounds=1)
    curve = runs[0].curve
    last, above = curve[-1], [k for k, point in enumerate(curve) if point.relative_gap > _NEAR]
    assert last.relative_gap <= _NEAR, f"PPO ends {100 * last.relative_gap:.3f} % above the optimum"
    near = curve[above[-1] + 1 if above else 0]  # and stays there
    for id, what, point in (
        ("training-ppo", f"PPO on alexnet-pi, within 0.1 % from then on ({near.steps:,} steps)", near),
        ("training-ppo-all", f"PPO on alexnet-pi, to the end ({last.steps:,} steps)", last),
    ):
        side_by_side.keep(
            Comparison(
                id=id,
                group="training",
                what=what,
                unit="s",
                ours=rounded(point.seconds),
                ours_error=rounded(point.relative_gap),
                goal=side_by_side.goals.get(id),
            )
        )

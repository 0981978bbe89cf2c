"""Scenes: what a picture is made of."""

from dataclasses import replace

import pytest

from cointer_gym.rendering import draw_text
from support.scenes import scene_of


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"feature_bits": (1.0,)}, "feature_bits has 1 entries, expected 12"),
        ({"threshold_snr": (1.0,) * 12}, "threshold_snr has 12 entries, expected 11"),
        ({"stage": 12}, r"stage = 12 must be in 0\.\.11"),
        ({"stage": -1}, r"stage = -1 must be in 0\.\.11"),
        ({"snr_path": (1.0, 1.0)}, "snr_path has 2 entries, at most 1"),
        ({"total_layers": 10}, "total_layers = 10 must be at least the horizon 11"),
        ({"finished": "lost"}, "finished = 'lost' must be one of"),
    ],
)
def test_scene_rejects_what_does_not_fit(change, message):
    scene = scene_of()
    with pytest.raises(ValueError, match=message):
        replace(scene, **change)


def test_start_is_what_all_scenes_of_a_task_share():
    start = scene_of(placement=8)
    for changes in ({"stage": 3}, {"stage": 5, "finished": "offloaded"}, {"cost": 0.3}):
        scene = replace(scene_of(placement=8, **changes), problem=start.problem)
        assert scene.start == start.start
        assert hash(scene.start) == hash(start.start)
    for other in (scene_of(placement=8), replace(start, title="other"), scene_of(placement=7)):
        assert other.start != start.start  # a problem is only like itself


def test_a_cost_with_the_download_is_compared_with_a_split_with_its_download():
    """The first placement that pays, with all of its download in the cost: 0.5 of a best split that costs 2."""
    scene = scene_of(placement=8, cost=1.0)
    alone = 1.0 / float(scene.problem.static_cost.min())
    assert (scene.cost_caption, scene.cost_text) == ("cost so far", f"1 ({alone:.0%} of best static split)")
    joint = replace(scene, best_fixed_cost=2.0)
    assert (joint.cost_caption, joint.cost_text) == ("cost so far, with download", "1 (50% of best static split)")
    assert draw_text(joint).splitlines()[1].endswith("| cost 1 (50% of best static split) with download")

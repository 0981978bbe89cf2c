"""Studies: what they sweep, what they add up to, and what a scenario does not allow."""

import numpy as np
import pytest

from cointer_gym import Scenario
from cointer_gym import baselines as bl
from cointer_gym.experiments import studies
from cointer_gym.experiments.alternatives import Alternative, Comparison
from cointer_gym.experiments.study_rows import Study
from support.commands import python

ALEXNET = Scenario.load("alexnet-pi")


def test_a_closed_form_that_disagrees_with_the_search_is_an_error(monkeypatch):
    solve = bl.closed_form_placement
    monkeypatch.setattr(bl, "closed_form_placement", lambda scenario: solve(scenario.replace(tasks_per_update=10.0)))
    with pytest.raises(ArithmeticError, match="mlp-pi: closed form"):
        studies.closed_form_study(Scenario.load("mlp-pi"), [1e5])


def test_seconds_and_joules_of_the_joint_optimum_add_up_to_its_cost():
    scenario = ALEXNET.replace(**{"weights.time_weight": 0.7, "weights.energy_weight": 3.0})
    (row,) = studies.tasks_study(scenario, [50.0])
    optimum = bl.optimal_placement(scenario.replace(tasks_per_update=50.0)).cost
    assert 0.7 * row.time_s + 3.0 * row.energy_j == pytest.approx(optimum)
    assert row.costs[Alternative.JOINT] == optimum


def test_split_entropy_and_depth_by_hand():
    facts = studies.facts(Comparison(ALEXNET))
    splits = bl.backward_induction(ALEXNET.problem(facts.placement)).split_probability
    assert facts.split_depth == pytest.approx(sum(n * p for n, p in enumerate(splits)))
    assert facts.split_entropy_bits == pytest.approx(-sum(p * np.log2(p) for p in splits if p > 0))
    certain = studies.facts(Comparison(Scenario.load("vgg16-pi-all-edge")))
    assert (certain.split_depth, certain.split_entropy_bits) == (0.0, 0.0)


def test_dearer_energy_moves_along_the_energy_time_front():
    study = Study("weights", studies.weights_study(ALEXNET, [0.0, 0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0, np.inf]))
    assert (np.diff(study.column("time_s")) >= -1e-12).all()
    assert (np.diff(study.column("energy_j")) <= 1e-12).all()
    assert study.column("energy_j")[0] > 2 * study.column("energy_j")[-1]


def test_seconds_and_joules_of_the_other_rules_add_up_to_their_cost():
    (row,) = studies.weights_study(ALEXNET, [2.0])
    assert row.look_ahead_time_s + 2.0 * row.look_ahead_energy_j == pytest.approx(row.costs[Alternative.AHEAD])
    assert row.static_time_s + 2.0 * row.static_energy_j == pytest.approx(row.costs[Alternative.STATIC])


def test_distance_sets_the_mean_snr_by_the_path_loss_exponent():
    near, far = studies.distance_study(Scenario.load("resnet50-jetson"), [100.0, 1000.0])
    assert near.mean_snr_db - far.mean_snr_db == pytest.approx(35.0)  # ten times the distance, exponent 3.5
    assert near.costs[Alternative.JOINT] < far.costs[Alternative.JOINT]


def test_distances_outside_the_allowed_snr_are_left_out():
    scenario = Scenario.load("resnet50-jetson", **{"channel.budget.distance_m": 2000.0})  # -25.4 dB; -30 dB at 2711 m
    distances = [row.value for row in studies.distance_study(scenario)]
    assert distances[0] == 250.0
    assert 2000.0 < distances[-1] < 2711.0


def test_under_dvfs_the_clock_is_swept():
    rows = studies.speed_study(Scenario.load("resnet18-phone"), [0.5, 2.0])
    swept = [(row.parameter, row.value) for row in rows]
    clock, edge = "device.dvfs.clock_hz", "edge.flops_per_s"
    assert swept == [(clock, 1e9), (clock, 4e9), (edge, 2.5e12), (edge, 1e13)]


@pytest.mark.parametrize("computer", ["device", "edge"])
def test_measured_times_do_not_follow_a_speed(computer):
    layer = {"name": "only", "output_elements": 10, "flops": 1e6}
    measured = {"network": "tiny", "layers": [{"name": "only", "seconds": 0.1}]}
    tiny = ALEXNET.replace(
        **{"dnn": {"name": "tiny", "input_elements": 100, "layers": [layer]}, f"{computer}.measured": measured}
    )
    with pytest.raises(ValueError, match="layer 'only' of alexnet-pi has measured times"):
        studies.speed_study(tiny)


def test_studies_that_a_scenario_does_not_allow_say_why():
    for study, scenario, message in (
        (studies.snr_study, Scenario.load("mobilenetv2-phone"), "law = 'empirical' does not take mean_snr_db"),
        (studies.distance_study, ALEXNET, "alexnet-pi has no channel.budget"),
        (studies.closed_form_study, ALEXNET, "the closed form needs equal layers"),
    ):
        with pytest.raises(ValueError, match=message):
            study(scenario)


def test_names_of_studies():
    assert studies.study_names("all") == list(studies.STUDIES)
    assert studies.study_names("snr") == ["snr"]
    with pytest.raises(ValueError, match=r"study = 'weather' must be one of snr, distance, .*, all"):
        studies.study_names("weather")


def test_studies_and_claims_need_no_torch():
    code = "import sys, cointer_gym.experiments.studies, cointer_gym.experiments.claims; print(*sys.modules)"
    loaded = python(code).split()
    assert "cointer_gym.experiments.studies" in loaded
    assert {"torch", "stable_baselines3", "matplotlib", "rich"}.isdisjoint(loaded)

"""Tasks: what callers ask of every kind alike, and that a task survives plain data and worker processes."""

import json
import pickle
import tracemalloc

import numpy as np
import pytest

from cointer_gym import Rayleigh, Scenario
from cointer_gym import baselines as bl
from cointer_gym.channels import LAWS
from cointer_gym.dnn import MAX_LAYERS
from cointer_gym.envs import (
    TASKS,
    CoInferenceEnv,
    CoInferencePlacementEnv,
    CoInferencePlacementVectorEnv,
    CoInferenceVectorEnv,
    PlacementTask,
    SplittingTask,
    Task,
    make_task,
)
from support.play import MODES, PLACEMENT, SPLITTING
from support.scenarios import tiny_scenario

MADE = [
    ("splitting", "alexnet-pi", None, None),
    ("splitting", "mobilenetv2-phone", 3, 2.0),
    ("placement", "alexnet-pi", None, None),
    ("placement", "mobilenetv2-phone", None, 0.5),
]
every_task = pytest.mark.parametrize("arguments", MADE, ids=str)


def assert_same(one, other):
    assert type(one) is type(other)
    assert one.record() == other.record()
    assert one.reward_scale == other.reward_scale
    np.testing.assert_array_equal(one.problem.static_cost, other.problem.static_cost)


def test_every_kind_is_known_by_its_name():
    assert {"splitting": SplittingTask, "placement": PlacementTask} == TASKS
    assert {name: kind.env_id for name, kind in TASKS.items()} == {"splitting": SPLITTING, "placement": PLACEMENT}


def test_environments_hold_the_task_of_their_arguments():
    assert_same(CoInferenceEnv("alexnet-pi", 3, 2.0).task, make_task("splitting", "alexnet-pi", 3, 2.0))
    assert_same(CoInferencePlacementEnv("alexnet-pi", 2.0).task, make_task("placement", "alexnet-pi", None, 2.0))


# --- plain data -------------------------------------------------------------------------------------------------------


@every_task
def test_rebuilt_from_plain_data_and_from_a_pickle(arguments):
    task = make_task(*arguments)
    record = task.record()
    assert ("reward_scale" in record) == (arguments[3] is not None)
    assert (record["env_id"], record["placement"]) == (TASKS[arguments[0]].env_id, arguments[2])
    assert_same(task, Task.from_record(json.loads(json.dumps(record))))
    assert_same(task, Task.from_record(record | {"seed": 3}))  # a caller may keep more beside it
    assert_same(task, pickle.loads(pickle.dumps(task)))


@every_task
def test_on_another_scenario(arguments):
    name, _, placement, reward_scale = arguments
    assert_same(make_task(*arguments).on("resnet18-phone"), make_task(name, "resnet18-phone", placement, reward_scale))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make_task("joint", "alexnet-pi"), "task = 'joint' must be one of placement, splitting"),
        (
            lambda: make_task("placement", "alexnet-pi", 3),
            "placement = 3 is given, but CoInferencePlacement-v0 learns the placement",
        ),
        (lambda: make_task("splitting", "alexnet-pi", 12), "placement = 12 must be an integer from 0 to 11"),
        (lambda: make_task("splitting", "alexnet-pi", 12, 1.0), "placement = 12 must be an integer from 0 to 11"),
        (lambda: make_task("splitting", "alexnet-pi", None, 0.0), "reward_scale = 0.0; reward_scale must be finite"),
        (lambda: make_task("placement", "alexnet-pi", None, "1"), "reward_scale = '1' must be a number"),
        (lambda: make_task("placement", "alexnet-pi", None, np.True_), "reward_scale = .*True.* must be a number"),
        (
            lambda: Task.from_record({"env_id": "CartPole-v1", "scenario": "alexnet-pi"}),
            "env_id = 'CartPole-v1' must be one of CoInference-v0, CoInferencePlacement-v0",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("kind", [CoInferenceVectorEnv, CoInferencePlacementVectorEnv])
def test_memory_is_that_of_the_observations_for_the_deepest_networks(kind):
    env = kind(20, tiny_scenario([(f"layer{n}", 10, 1e6, 10) for n in range(MAX_LAYERS)]))
    batch = env.reset(seed=0)[0].nbytes
    tracemalloc.start()
    env.step(np.full(20, 1))
    env.step(np.zeros(20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * batch  # an identity matrix would be 50 to 100 times as large


def test_memory_of_single_tasks_does_not_grow_with_what_was_seen_of_the_deepest_networks():
    env = CoInferencePlacementEnv(tiny_scenario([(f"layer{n}", 10, 1e6, 10) for n in range(MAX_LAYERS)]))
    tracemalloc.start()
    for placement in range(400, 1600, 200):
        env.reset(seed=0)
        terminated = env.step(placement)[2]
        while not terminated:
            terminated = env.step(0)[2]
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 30e6  # what is kept for every stage of every placement would be 140 MB after these tasks


# --- what callers ask -------------------------------------------------------------------------------------------------


@every_task
@pytest.mark.parametrize("mode", MODES)
def test_vector_environment_plays_the_task_itself(arguments, mode):
    task = make_task(*arguments)
    for given in (mode, mode.value):
        env = task.vector_env(3, given)
        assert env.task is task
        assert (env.num_envs, env.autoreset_mode) == (3, mode)
    assert env.single_observation_space == task.observation_space


def test_label_and_stage_names():
    names = Scenario.load("alexnet-pi").dnn.stage_names
    given, chosen = make_task("splitting", "alexnet-pi", 3), make_task("placement", "alexnet-pi")
    assert (given.label, given.stage_names) == ("alexnet-pi", names[:4])
    assert (chosen.label, chosen.stage_names) == ("alexnet-pi-joint", names)


def test_placements_that_a_policy_may_end_up_with():
    small = Scenario.load("alexnet-pi", **{"device.memory_bytes": 1e6})
    assert list(make_task("splitting", "alexnet-pi").placements) == [11]
    assert list(make_task("splitting", small, 8).placements) == [8]
    assert list(make_task("placement", "alexnet-pi").placements) == list(range(12))
    assert list(make_task("placement", small).placements) == list(range(small.largest_placement + 1))


@pytest.mark.parametrize("placement", [0, 8, 11])
def test_splitting_task_scores_its_policies_exactly(placement):
    task = make_task("splitting", "alexnet-pi", placement)
    problem = task.scenario.problem(placement)
    policy = bl.look_ahead(problem).policy() if placement else bl.edge_only(problem).policy()
    score = bl.evaluate(policy, problem)
    assert task.score(policy).cost == score.cost
    assert task.with_download(score, placement) is score
    assert task.splitting(policy) == (policy, placement)
    assert task.optimal_splitting().cost == bl.backward_induction(problem).cost


def test_placement_task_scores_its_policies_exactly():
    task = make_task("placement", "alexnet-pi")
    table, policy = bl.optimal_placement(task.scenario), bl.joint_optimum(task.scenario)
    assert task.score(policy).relative_gap == pytest.approx(0.0, abs=1e-7)
    splitting, layers = task.splitting(policy)
    assert layers == table.placement == task.optimal_splitting().problem.horizon
    inference = bl.evaluate(splitting, task.scenario.problem(layers))
    assert inference.cost < task.with_download(inference, layers).cost == task.score(policy).cost


# --- two phases -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("snr", [0.0, 10.0, 1e9])
def test_choosing_leaves_the_input_in_hand_whatever_the_snr(snr):
    task = make_task("placement", "alexnet-pi", reward_scale=2.0)
    env = task.vector_env(12)
    env.reset(options={"snr": np.full((12, 12), snr)})
    _, reward, terminated, _, info = env.step(np.arange(12))
    np.testing.assert_array_equal(info["stage"], 0)
    np.testing.assert_array_equal(info["placement"], np.arange(12))
    np.testing.assert_array_equal(info["cost"], task.scenario.download.cost)
    np.testing.assert_array_equal(reward, -0.5 * task.scenario.download.cost)
    assert not terminated.any()


@every_task
def test_a_reward_is_minus_the_cost_over_its_scale_in_every_row(arguments):
    task = make_task(*arguments)
    rows = np.arange(task.moves.rows)
    for uses in (0.7, np.inf):
        x = np.full(rows.size, uses)
        expected = -task.moves.charges.cost.of(rows, x) / task.reward_scale
        np.testing.assert_allclose(task.rewards.of(rows, x), expected, rtol=1e-14)


def test_an_observation_that_cannot_support_the_optimum_says_so():
    class Shortsighted(Rayleigh):
        @property
        def snr_range(self):
            return 8.0, 12.0  # from here on it shows less than what the optimum goes by

    try:
        scenario = Scenario.load("alexnet-pi", channel=Shortsighted(mean_snr=10.0))
        with pytest.warns(UserWarning, match=r"observations cannot support the optimum: threshold_snr\[\d+\] = "):
            make_task("splitting", scenario)
    finally:
        del LAWS["shortsighted"]

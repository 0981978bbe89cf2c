"""The spec that Gymnasium keeps of an environment: plain data whatever the arguments were, and as they were then."""

import copy
import json
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode

from cointer_gym import Rayleigh, Scenario
from cointer_gym.channels import LAWS
from support.play import PLACEMENT, SPLITTING, assert_same_steps, rollout
from support.scenarios import BY_HAND

THERE = Path(__file__).parents[2] / "cointer_gym" / "data" / "scenarios" / "mlp-pi.toml"


class Doubled(Rayleigh, law="doubled-of-this-test"):
    """A law of somebody else's module: Rayleigh fading with twice the gain."""

    def inverse_survival(self, probability):
        return 2.0 * super().inverse_survival(probability)


del LAWS["doubled-of-this-test"]  # other tests count the laws; it is found by its module


def remade(env, make=gym.make):
    """The environment of its spec, after a trip through JSON."""
    spec = EnvSpec.from_json(env.spec.to_json())
    assert spec == env.spec
    return make(spec)


@pytest.mark.parametrize("name", [SPLITTING, PLACEMENT])
@pytest.mark.parametrize(
    "scenario",
    [
        Scenario.load("alexnet-pi", **{"link.bandwidth_hz": 123456.7}),
        Scenario.load(BY_HAND | {"channel": {"law": "empirical", "trace_snr_db": [1.0, 2.5, 20.0]}}),
        BY_HAND | {"channel": Scenario.load("resnet50-jetson").channel_law},
    ],
    ids=["object", "empirical", "law object"],
)
def test_scenario_objects_are_stored_as_plain_data(name, scenario):
    env = gym.make(name, scenario=scenario)
    again = remade(env)
    assert again.unwrapped.task.scenario == env.unwrapped.task.scenario
    assert_same_steps(rollout(env, [1, 0, 0], seed=3), rollout(again, [1, 0, 0], seed=3))


@pytest.mark.parametrize("name", [SPLITTING, PLACEMENT])
def test_paths_are_stored_as_strings(name):
    for given in (THERE, str(THERE)):
        env = gym.make(name, scenario=given)
        assert env.spec.kwargs["scenario"] == str(THERE)
        assert remade(env).unwrapped.task.scenario == Scenario.load("mlp-pi")


def test_names_stay_names():
    assert gym.make(SPLITTING, scenario="mlp-pi").spec.kwargs == {"scenario": "mlp-pi"}
    assert gym.make(SPLITTING).spec.kwargs == {}


def test_numbers_of_numpy_and_modes_become_plain():
    arguments = {"placement": np.int64(3), "reward_scale": np.float32(0.5)}
    env = gym.make(SPLITTING, **arguments)
    assert env.spec.kwargs == {"placement": 3, "reward_scale": 0.5}
    assert remade(env).unwrapped.task.reward_scale == 0.5
    vector = gym.make_vec(
        SPLITTING,
        np.int64(3),
        autoreset_mode=AutoresetMode.SAME_STEP,
        max_episode_steps=np.int32(4),
        scenario=Scenario.load("alexnet-pi"),
        **arguments,
    )
    again = remade(vector, gym.make_vec)
    assert json.loads(vector.spec.to_json())["kwargs"]["autoreset_mode"] == "SameStep"
    assert (again.num_envs, again.max_episode_steps, again.autoreset_mode) == (3, 4, AutoresetMode.SAME_STEP)
    assert (again.problem.horizon, again.task.scenario) == (3, vector.task.scenario)


def test_spec_is_that_of_the_moment_whatever_becomes_of_the_dictionary():
    scenario = copy.deepcopy(BY_HAND)
    env = gym.make(SPLITTING, scenario=scenario)
    scenario["link"]["bandwidth_hz"] = 1.0
    again = remade(env)
    assert again.unwrapped.task.scenario == env.unwrapped.task.scenario == Scenario.load(BY_HAND)


def test_a_law_from_elsewhere_is_stored_by_its_reference():
    env = gym.make(SPLITTING, scenario=BY_HAND | {"channel": Doubled(mean_snr=3.0)})
    stored = env.spec.kwargs["scenario"]["channel"]
    assert (stored["law"], stored["mean_snr"]) == (f"{__name__}:Doubled", 3.0)
    again = remade(env)
    assert type(again.unwrapped.problem.channel) is Doubled
    assert_same_steps(rollout(env, [0, 0], seed=3), rollout(again, [0, 0], seed=3))


def test_wrappers_keep_the_plain_spec():
    env = gym.wrappers.TimeLimit(gym.make(SPLITTING, scenario=Scenario.load("mlp-pi")), 2)
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert again.unwrapped.task.scenario == Scenario.load("mlp-pi")
    assert [step[3] for step in rollout(again, [0, 0], seed=0)] == [False, False, True]

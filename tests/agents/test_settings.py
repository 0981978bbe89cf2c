"""Settings of a training: what is committed, what changes with the task, and what is refused."""

import pytest

from cointer_gym.agents.algorithms import ALGORITHMS, DQN, PPO
from cointer_gym.agents.settings import NetworkSettings, committed_settings


@pytest.mark.parametrize("algorithm", [PPO, DQN], ids=["ppo", "dqn"])
def test_the_table_of_a_task_says_only_what_differs_there(algorithm):
    splitting, placement = (algorithm.load_settings(task).model_dump() for task in ("splitting", "placement"))
    differing = {name for name in splitting if splitting[name] != placement[name]}
    assert differing == {"ppo": {"total_steps", "entropy_bonus"}, "dqn": {"total_steps"}}[algorithm.name]
    assert splitting["total_steps"] < placement["total_steps"]
    assert algorithm.load_settings() == algorithm.load_settings("splitting")


def test_every_committed_table_is_complete():
    for name, algorithm in ALGORITHMS.items():
        assert set(committed_settings(name, "splitting")) == set(algorithm.settings.model_fields)


def test_an_algorithm_without_a_table_has_none():
    assert committed_settings("a2c", "placement") == {}


def test_settings_are_checked():
    assert PPO.load_settings(total_steps=7).total_steps == 7
    with pytest.raises(ValueError, match=r"total_steps\s+Input should be greater than 0"):
        PPO.load_settings(total_steps=0)
    with pytest.raises(ValueError, match="buffer_size"):
        PPO.load_settings(buffer_size=5)


def test_a_default_or_a_committed_value_is_needed():
    with pytest.raises(ValueError, match=r"learning_rate\s+Field required"):
        NetworkSettings(total_steps=1, num_envs=1, net_arch=(8,))

"""The registry of algorithms, and one of one's own added from outside."""

import pickle
import sys
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from cointer_gym import baselines as bl
from cointer_gym.agents.algorithms import ALGORITHMS, DQN, PPO, Algorithm, as_algorithm, network_keywords, register
from cointer_gym.agents.runs import load_run
from cointer_gym.agents.settings import NetworkSettings, TrainingSettings
from cointer_gym.agents.training import train
from cointer_gym.envs import make_task
from support.commands import python

MODULE = """
from cointer_gym.agents.algorithms import Algorithm, network_keywords, register
from cointer_gym.agents.settings import NetworkSettings


class A2cSettings(NetworkSettings):
    total_steps: int = 3_000
    num_envs: int = 32
    net_arch: tuple[int, ...] = (16,)
    learning_rate: float = 1e-2
    steps_per_rollout: int = 8


A2C = register(
    Algorithm(
        name="a2c",
        label="A2C",
        model="stable_baselines3:A2C",
        settings=A2cSettings,
        keywords=lambda settings: network_keywords(settings) | {"n_steps": settings.steps_per_rollout},
        colour="#CC79A7",
        marker="s",
    )
)
"""


@pytest.fixture
def registry():
    """The registry; what a test adds is gone afterwards."""
    kept = dict(ALGORITHMS)
    yield ALGORITHMS
    ALGORITHMS.clear()
    ALGORITHMS.update(kept)


@pytest.fixture
def own_module(registry, tmp_path, monkeypatch):
    """A module ``my_a2c`` that registers an algorithm."""
    (tmp_path / "my_a2c.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield "my_a2c"
    sys.modules.pop("my_a2c", None)


def entry(**changes):
    return replace(PPO, **({"name": "mine"} | changes))


class Stubborn:
    """Learns nothing: offloads at every stage."""

    def __init__(self, env=None, seed=0, keyword=None, **_):
        self.env, self.num_timesteps, self.keyword = env, 0, keyword

    def learn(self, total_timesteps, callback, **_):
        self.env.reset()
        end = self.num_timesteps + total_timesteps
        while self.num_timesteps < end:
            self.env.step(np.ones(self.env.num_envs, dtype=int))
            self.num_timesteps += self.env.num_envs
            callback(locals(), globals())

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return np.ones(len(observation), dtype=int), state

    def save(self, path):
        path.write_text(str(self.num_timesteps))

    @classmethod
    def load(cls, path, env=None, device="cpu"):
        model = cls(env)
        model.num_timesteps = int(path.read_text())
        return model


class StubbornSettings(TrainingSettings):
    total_steps: int = 100
    num_envs: int = 4
    strength: float = 0.5


STUBBORN = Algorithm(
    name="stubborn",
    label="Stubborn",
    model=f"{__name__}:Stubborn",
    settings=StubbornSettings,
    keywords=lambda settings: {"keyword": settings.strength},
    colour="k",
    marker="x",
)


def test_known_algorithms_in_order():
    assert [(name, a.name, a.label, a.id) for name, a in ALGORITHMS.items()] == [
        ("ppo", "ppo", "PPO", "ppo"),
        ("dqn", "dqn", "DQN", "dqn"),
    ]
    assert as_algorithm("dqn") is as_algorithm(DQN) is DQN
    assert (PPO.has_replay_buffer, DQN.has_replay_buffer) == (False, True)


def test_algorithms_are_told_apart_in_figures():
    for one, other in combinations(ALGORITHMS.values(), 2):
        assert one.colour != other.colour
        assert one.marker != other.marker


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="algorithm = 'a2c' must be one of ppo, dqn"):
        as_algorithm("a2c")
    with pytest.raises(ValueError, match="cannot import 'nowhere:A2C'"):
        as_algorithm("nowhere:A2C")
    with pytest.raises(ValueError, match="names no Algorithm but a str"):
        as_algorithm("cointer_gym:__version__")
    with pytest.raises(ValueError, match="name = 'Mine!' must consist of"):
        entry(name="Mine!")


def test_a_name_is_registered_once(registry):
    assert register(entry()) is registry["mine"]
    with pytest.raises(ValueError, match="algorithm = 'mine' is taken; there are ppo, dqn, mine"):
        register(entry())


def test_entries_are_pickled_by_id(registry):
    assert pickle.loads(pickle.dumps(PPO)) is PPO
    mine = register(entry())
    assert pickle.loads(pickle.dumps(mine)) is mine
    stranger = pickle.dumps(entry(name="stranger"))
    with pytest.raises(ValueError, match="algorithm = 'stranger' must be one of"):
        pickle.loads(stranger)


def test_entries_and_runs_load_no_torch():
    code = "import sys, cointer_gym.agents.algorithms, cointer_gym.agents.runs, cointer_gym.agents.training; {}"
    assert python(code.format("print({'torch', 'stable_baselines3'} & set(sys.modules))")).strip() == "set()"


def test_stable_baselines3s_a2c_is_added_from_outside(toy, own_module, tmp_path, small_training):
    pytest.importorskip("stable_baselines3")
    found = as_algorithm(f"{own_module}:A2C")
    assert (found.name, found.id) == ("a2c", f"{own_module}:A2C")
    assert as_algorithm("a2c").id == "a2c"
    run = train(make_task("splitting", toy), found, tmp_path / "run", evaluations=3)
    assert run.curve[-1].relative_gap < run.curve[0].relative_gap
    ALGORITHMS.pop("a2c")  # as in another process: the record alone says where the algorithm is
    loaded, task = load_run(tmp_path / "run")
    assert loaded == run
    assert type(loaded.model()).__name__ == "A2C"
    assert task.score(loaded.policy()).cost == pytest.approx(run.curve[-1].cost, rel=1e-12)


def test_a_class_of_ones_own_needs_learn_predict_save_and_load(toy, registry, tmp_path):
    pytest.importorskip("stable_baselines3")
    task = make_task("splitting", toy)
    mine = register(STUBBORN)
    run = train(task, mine, tmp_path, evaluations=2)
    assert [point.steps for point in run.curve] == [4, 52, 100]
    assert run.curve[-1].cost == pytest.approx(task.problem.static_cost[0], rel=1e-12)
    assert mine.create(mine.load_settings(strength=2.0), None, 0, tmp_path).keyword == 2.0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gap.csv", "model.zip", "run.json"]
    loaded, _ = load_run(tmp_path)
    assert loaded == run
    assert loaded.model().num_timesteps == 100


def test_an_entry_says_what_of_its_model_is_scored(toy, tmp_path):
    pytest.importorskip("stable_baselines3")
    task = make_task("splitting", toy)
    optimum = bl.backward_induction(task.problem).policy()
    run = train(task, replace(STUBBORN, policy=lambda _: optimum), tmp_path, evaluations=1)
    assert run.curve[-1].relative_gap == pytest.approx(0.0, abs=1e-9)
    assert run.policy() is optimum
    assert isinstance(run.model(), Stubborn)


def test_shared_keywords_discount_nothing_and_end_with_step_size_0():
    pytest.importorskip("stable_baselines3")
    keywords = network_keywords(NetworkSettings(total_steps=1, num_envs=1, net_arch=(8, 4), learning_rate=0.5))
    assert (keywords["gamma"], keywords["policy_kwargs"]) == (1.0, {"net_arch": [8, 4]})
    assert [keywords["learning_rate"](left) for left in (1.0, 0.5, 0.0)] == [0.5, 0.25, 0.0]

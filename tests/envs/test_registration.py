"""Ids, and what they gave when their version was released."""

import gymnasium as gym
import pytest

from cointer_gym.envs import (
    CoInferenceEnv,
    CoInferencePlacementEnv,
    CoInferencePlacementVectorEnv,
    CoInferenceVectorEnv,
)
from support.commands import python
from support.play import PLACEMENT, SPLITTING, own_ids, rollout


def test_make_from_ids_alone_in_a_fresh_process():
    code = (
        "import gymnasium as gym\n"
        f"for name in {own_ids()}:\n"
        "    env = gym.make('cointer_gym:' + name)\n"
        "    observation, info = env.reset(seed=0)\n"
        "    print(name, observation.shape[0], type(env.step(1)[1]).__name__)\n"
    )
    assert python(code, "-W", "error").split() == [
        "CoInference-v0",
        "13",
        "float",
        "CoInferencePlacement-v0",
        "26",
        "float",
    ]


@pytest.mark.parametrize(
    ("name", "scalar", "vector"),
    [
        (SPLITTING, CoInferenceEnv, CoInferenceVectorEnv),
        (PLACEMENT, CoInferencePlacementEnv, CoInferencePlacementVectorEnv),
    ],
)
def test_ids_stand_for_these_classes(name, scalar, vector):
    assert type(gym.make(name).unwrapped) is scalar
    assert type(gym.make_vec(name, 2)) is vector


@pytest.mark.parametrize(
    "kind", [CoInferenceEnv, CoInferencePlacementEnv, CoInferenceVectorEnv, CoInferencePlacementVectorEnv]
)
def test_direct_bases_tell_that_they_are_gymnasiums(kind):
    """skrl picks its wrapper by the names of the direct bases, and would not know an environment without one."""
    names = [f"{base.__module__}.{base.__qualname__}" for base in kind.__bases__]
    assert any(name.startswith("gymnasium.") for name in names), names


# What seed 2022 and these actions gave when the version was released; who changes it gives the id a new version.
GOLDEN = {
    "CoInference-v0": {
        "arguments": {"scenario": "alexnet-pi", "placement": 8, "reward_scale": 1.0},
        "actions": [0, 0, 0, 0, 1],
        "snr_db": [
            10.936464608283057,
            9.472348503050096,
            10.890817312636331,
            14.272898242113563,
            13.96035926574159,
            13.96035926574159,
        ],
        "reward": [0.0, -0.042166079999999995, 0.0, -0.13436927999999998, 0.0, -0.12249335850840913],
    },
    "CoInferencePlacement-v0": {
        "arguments": {"scenario": "alexnet-pi", "reward_scale": 1.0},
        "actions": [6, 0, 0, 7],
        "snr_db": [
            10.936464608283057,
            10.936464608283057,
            9.472348503050096,
            10.890817312636331,
            10.890817312636331,
        ],
        "reward": [0.0, -0.00031577548799999997, -0.042166079999999995, 0.0, -0.22138541771357167],
    },
}


# --- golden -----------------------------------------------------------------------------------------------------------


def test_every_registered_id_has_a_golden_run():
    assert own_ids() == sorted(GOLDEN)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_run(name):
    golden = GOLDEN[name]
    steps = rollout(gym.make(name, **golden["arguments"]), golden["actions"], seed=2022)
    assert [step[4]["snr_db"] for step in steps] == pytest.approx(golden["snr_db"], rel=1e-9)
    assert [step[1] for step in steps] == pytest.approx(golden["reward"], rel=1e-9)

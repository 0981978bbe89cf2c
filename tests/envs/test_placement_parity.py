"""The placement environment against the splitting one, vectors of scalars and the exact optimum; its fading."""

import hashlib

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from scipy.stats import norm

from cointer_gym import Scenario
from cointer_gym import baselines as bl
from cointer_gym.envs import CoInferenceEnv, CoInferencePlacementEnv
from support.play import AMOUNTS, INFO_KEYS, MODES, hand_amounts, native_placement, random_actions, rollout
from support.scenarios import THREE_LAYERS, every_placement_scenario, with_memory

ALPHA = 1e-6


def seen_db(env, actions, **reset):
    return [step[4]["snr_db"] for step in rollout(env, actions, **reset)][1:]


# --- fading -----------------------------------------------------------------------------------------------------------


def test_same_seed_gives_every_placement_and_every_policy_the_same_fading():
    envs = [CoInferencePlacementEnv() for _ in range(12)]
    for episode in range(3):  # the tasks of the twelve have very different lengths
        seed = 4 if episode == 0 else None
        whole = seen_db(envs[11], [11, *[0] * 11], seed=seed)
        for placement in range(11):
            part = seen_db(envs[placement], [placement, *[0] * 12], seed=seed)
            assert part[:-1] == whole[: placement + 1]
            assert part[-1] == part[-2]  # the last step uploads the feature in hand
    assert not set(seen_db(envs[0], [11, *[0] * 11], seed=4)) & set(seen_db(envs[0], [11, *[0] * 11], seed=5))


def test_same_seed_gives_every_placement_the_same_fading_in_every_slot():
    def first_two_tasks(placements):
        env = native_placement(3, scenario=THREE_LAYERS)
        env.reset(seed=2)
        first = env.step(placements)[0][:, -1]
        env.step(np.array([1, 1, 1]))
        return np.stack([first, env.step(placements)[0][:, -1]])

    expected = first_two_tasks(np.array([0, 0, 0]))
    for placements in ([3, 2, 1], [1, 3, 3]):
        np.testing.assert_array_equal(first_two_tasks(np.array(placements)), expected)
    assert len(np.unique(expected)) == 6


# --- parity -----------------------------------------------------------------------------------------------------------


@every_placement_scenario
def test_after_the_placement_it_is_the_splitting_environment_with_that_placement(scenario):
    joint, rng = CoInferencePlacementEnv(scenario, reward_scale=0.5), np.random.default_rng(0)
    layers, room = joint.problem.horizon, joint.task.scenario.largest_placement
    for placement in {0, 1, layers // 2, layers - 1, layers} & set(range(room + 1)):
        alone = CoInferenceEnv(scenario, placement, reward_scale=2.0)
        for path in joint.problem.paths(placement, np.arange(8)):
            actions = random_actions(rng, layers, placement)
            steps = rollout(joint, actions, options={"snr": path})[1:]
            splits = rollout(alone, [min(action, 1) for action in actions[1:]], options={"snr": path[: placement + 1]})
            assert len(steps) == len(splits)
            for count, ((obs, reward, *ends, info), (seen, paid, *stops, told)) in enumerate(
                zip(steps, splits, strict=True)
            ):
                np.testing.assert_array_equal(obs[0], 0.0)
                np.testing.assert_array_equal(obs[1 : layers + 2], np.eye(layers + 1)[placement])
                np.testing.assert_array_equal(obs[layers + 2 : layers + 2 + placement + 1], seen[:-1])
                np.testing.assert_array_equal(obs[layers + 2 + placement + 1 : -1], 0.0)
                assert obs[-1] == seen[-1]
                assert ends == stops
                np.testing.assert_array_equal(info["action_mask"][:2], told["action_mask"])
                assert not info["action_mask"][2:].any()
                assert (info["stage"], info["snr_db"]) == (told["stage"], told["snr_db"])
                if count:  # step 0 paid the download there and nothing here
                    assert [info[name] for name in AMOUNTS] == [told[name] for name in AMOUNTS]
                    assert reward == pytest.approx(4.0 * paid, rel=1e-14)


def assert_same_info(got, expected, rows):
    """Equal values in ``rows`` of every entry of ``INFO_KEYS``."""
    for key in INFO_KEYS:
        for row in rows:
            np.testing.assert_allclose(got[key][row], expected[key][row], rtol=1e-14, err_msg=key)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "scenario", [THREE_LAYERS, with_memory(40_000), "alexnet-pi"], ids=["small", "two fit", "alexnet-pi"]
)
def test_native_vector_and_vector_of_scalars_and_hand_agree_on_injected_paths(scenario, mode):
    """Every placement with every split: all lengths from 2 to L+2 steps run side by side, each slot plays one task."""
    loaded = Scenario.load(scenario)
    layers, room = loaded.layers, loaded.largest_placement
    plans = [(m, n) for m in range(layers + 1) for n in range(min(m, room) + 1)]
    slots, mean_snr = len(plans), loaded.channel_law.average_snr
    paths = mean_snr * np.random.default_rng(4).exponential(size=(slots, layers + 1))
    vector = native_placement(slots, mode, scenario=scenario, reward_scale=1.0)
    scalar = SyncVectorEnv([lambda: CoInferencePlacementEnv(scenario, 1.0)] * slots, autoreset_mode=mode)
    scalar.reset(seed=9), vector.reset(seed=9)
    for env, path in zip(scalar.envs, paths, strict=True):
        env.reset(options={"snr": path})
    vector.reset(options={"snr": paths})
    scripts = [[m, *[0] * n, *[1] * (n < layers)] for m, n in plans]
    by_hand = [hand_amounts(loaded, path, script) for path, script in zip(paths, scripts, strict=True)]
    assert {len(amounts) for amounts in by_hand} == set(range(2, room + 2 + (room < layers)))
    played = np.zeros(slots, dtype=int)
    for count in range(layers + 2):
        actions = np.array([script[count] if count < len(script) else 0 for script in scripts])
        got, expected = vector.step(actions), scalar.step(actions)
        for one, two in zip(got[:4], expected[:4], strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-14)
        assert_same_info(got[4], expected[4], range(slots))
        running = np.flatnonzero(count < np.array([len(amounts) for amounts in by_hand]))
        last = count == np.array([len(amounts) - 1 for amounts in by_hand])
        np.testing.assert_array_equal(got[2][running], last[running])
        final = np.flatnonzero(got[2]) if mode is AutoresetMode.SAME_STEP else np.array([], dtype=int)
        if final.size:
            np.testing.assert_array_equal(got[4]["_final_obs"], got[2])
            np.testing.assert_array_equal(got[4]["_final_info"], expected[4]["_final_info"])
            for row in final:
                np.testing.assert_array_equal(got[4]["final_obs"][row], expected[4]["final_obs"][row])
                np.testing.assert_array_equal(got[0][row], np.eye(2 * layers + 4)[0])  # the next task chooses
            assert_same_info(got[4]["final_info"], expected[4]["final_info"], final)
        for row in running:
            info = got[4]["final_info"] if row in final else got[4]
            assert [info["time_s"][row], info["energy_j"][row]] == pytest.approx(by_hand[row][count], rel=1e-12)
            assert got[1][row] == -info["cost"][row]
        played[running] += 1
    np.testing.assert_array_equal(played, [len(amounts) for amounts in by_hand])


def test_next_step_reset_ignores_the_action_and_chooses_anew():
    env = native_placement(2, AutoresetMode.NEXT_STEP, scenario=THREE_LAYERS)
    env.reset(seed=0)
    env.step(np.array([0, 3]))
    observation, _, terminated, _, _ = env.step(np.array([0, 0]))
    np.testing.assert_array_equal(terminated, [True, False])
    np.testing.assert_array_equal(observation[0, :5], [0, 1, 0, 0, 0])  # still the last one
    observation, reward, terminated, _, info = env.step(np.array([3, 0]))
    np.testing.assert_array_equal(terminated, [False, False])
    np.testing.assert_array_equal(observation[0], np.eye(10)[0])
    np.testing.assert_array_equal(info["action_mask"], [[1, 1, 1, 1], [1, 1, 0, 0]])
    assert reward[0] == info["cost"][0] == info["time_s"][0] == info["energy_j"][0] == 0.0
    assert env.step(np.array([3, 0]))[0][0, 4] == 1.0


# --- the law ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["alexnet-pi", "vit-b-16-blocks-phone"])
def test_mean_return_of_the_joint_optimum_is_the_exact_optimum(name):
    slots = 50_000  # standard error below 0.5 % of the cost: a bias of 3 % is found with power > 0.8
    scenario = Scenario.load(name)
    policy, optimum = bl.joint_optimum(scenario), bl.optimal_placement(scenario).cost
    env = native_placement(slots, scenario=name)
    observation, _ = env.reset(seed=6)
    total, running = np.zeros(slots), np.ones(slots, dtype=bool)
    while running.any():
        observation, reward, terminated, _, _ = env.step(policy.predict(observation)[0])
        total[running] += reward[running]
        running &= ~terminated
    costs = -total * env.task.reward_scale
    error = costs.std(ddof=1) / np.sqrt(slots)
    assert error < 0.005 * optimum
    assert abs(costs.mean() - optimum) < norm.isf(ALPHA / 2) * error


# --- golden -----------------------------------------------------------------------------------------------------------


def test_golden_run():
    """Observations, rewards and ends of 60 steps.

    Who changes the hash says so in the changelog, and after a release gives the id a new version.
    """
    env, rng = native_placement(8, scenario="alexnet-pi"), np.random.Generator(np.random.PCG64(1))
    observation, _ = env.reset(seed=2022)
    content = hashlib.sha256()
    for _ in range(60):
        actions = np.where(rng.random(8) < 0.3, rng.integers(1, 12, 8), 0)
        choosing = observation[:, 0] == 1.0
        actions = np.where(choosing, rng.integers(0, 12, 8), actions)
        observation, reward, terminated, _, _ = env.step(actions)
        numbers = [*observation.ravel(), *reward, *terminated]
        content.update("".join(f"{0.0 + round(float(number), 5):.5f}," for number in numbers).encode())
    assert content.hexdigest() == "80572f6badd4673118b729905cffdb6f7a1ac975c4a11c59baca7175feac4da2"

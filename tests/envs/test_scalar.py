"""The splitting environment one task at a time: the arithmetic of a step, seeds, fading paths, errors."""

import copy
import pickle
import tomllib
from importlib import resources

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

import cointer_gym  # noqa: F401 (registers)
from cointer_gym.envs import CoInferenceEnv
from support.play import assert_same_steps, by_the_problem, rollout, snr_path_db
from support.scenarios import BY_HAND, changed

CASES = [
    ("alexnet-pi", None),
    ("alexnet-pi", 0),
    ("alexnet-pi", 8),
    ("alexnet-pi", 11),
    ("mobilenetv2-phone", 3),
    ("vit-b-16-jetson", None),
]


def toml_file(folder):
    path = folder / "own.toml"
    source = resources.files("cointer_gym") / "data" / "scenarios" / "alexnet-pi.toml"
    path.write_text(source.read_text(encoding="utf-8").replace("mean_snr_db = 10.0", "mean_snr_db = 4.5"))
    assert tomllib.loads(path.read_text())["channel"]["mean_snr_db"] == 4.5
    return path


# --- Gymnasium's contract ---------------------------------------------------------------------------------------------


def test_spec_with_a_scenario_file_survives_json(tmp_path):
    scenario = str(toml_file(tmp_path))
    env = gym.make("CoInference-v0", scenario=scenario, placement=1, reward_scale=2.0)
    spec = EnvSpec.from_json(env.spec.to_json())
    assert spec == env.spec
    again = gym.make(spec)
    assert again.unwrapped.problem.horizon == 1
    assert_same_steps(rollout(env, [0, 0], seed=3), rollout(again, [0, 0], seed=3))
    env = gym.make("CoInferencePlacement-v0", scenario=scenario, reward_scale=2.0)
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert_same_steps(rollout(env, [2, 0, 0], seed=3), rollout(again, [2, 0, 0], seed=3))


def test_a_toml_path_may_be_a_path_object(tmp_path):
    env = gym.make("CoInference-v0", scenario=toml_file(tmp_path))
    assert env.unwrapped.problem.channel.average_snr == pytest.approx(10**0.45)


def test_the_dictionary_given_is_not_kept():
    scenario = copy.deepcopy(BY_HAND)
    env = CoInferenceEnv(scenario)
    before = rollout(env, [0, 0], seed=1)
    scenario["link"]["bandwidth_hz"] = 1.0
    assert_same_steps(before, rollout(env, [0, 0], seed=1))


def test_pickled_problem_is_the_same_problem():
    problem = CoInferenceEnv("resnet18-phone", 5).problem
    again = pickle.loads(pickle.dumps(problem))
    np.testing.assert_array_equal(again.static_cost, problem.static_cost)
    assert (again.completes, again.stage_names) == (problem.completes, problem.stage_names)


# --- what is observed -------------------------------------------------------------------------------------------------

LOWEST = np.log10(0.99 * (2**0.1523 - 1) / 10.0)  # at mean SNR 10


@pytest.mark.parametrize(
    ("snr", "slot", "snr_db"),
    # below 2^0.1523 - 1 the rate is the most robust one; 69.08 times the mean has P = e^-69.08 = 1e-30 under Rayleigh
    [(10.0, 0.0, 10.0), (1.0, -1.0, 0.0), (1e9, np.log10(69.0776), 90.0), (1e-9, LOWEST, -90.0), (0.0, LOWEST, -300.0)],
)
def test_observation_of_an_injected_snr(snr, slot, snr_db):
    env = CoInferenceEnv(BY_HAND)  # mean SNR 10
    observation, info = env.reset(options={"snr": [snr, 10.0, 10.0]})
    np.testing.assert_allclose(observation, [1, 0, 0, slot], atol=1e-6)
    assert info["snr_db"] == pytest.approx(snr_db)
    assert observation in env.observation_space
    np.testing.assert_allclose(env.step(0)[0], [0, 1, 0, 0.0], atol=1e-7)


# --- what a step costs ------------------------------------------------------------------------------------------------


def test_step_costs_by_hand():
    env = CoInferenceEnv(BY_HAND, reward_scale=0.5)
    # layer a: 1e6 FLOP / 1e9 FLOP/s = 1e-3 s; x 2 W = 2e-3 J; cost 1e-3 + 2 * 2e-3 = 5e-3
    # upload of a at SNR 1, 1 bit/s/Hz: 1600 / 1e6 = 1.6e-3 s, edge 2e6 / 1e10 = 2e-4 s; 0.8e-3 J; 1.8e-3 + 1.6e-3
    env.reset(options={"snr": [3.0, 1.0, 7.0]})
    reward, info = env.step(0)[1::3]
    assert [info["time_s"], info["energy_j"], info["cost"]] == pytest.approx([1e-3, 2e-3, 5e-3])
    assert reward == pytest.approx(-5e-3 / 0.5)
    _, reward, terminated, _, info = env.step(1)
    assert [info["time_s"], info["energy_j"], info["cost"]] == pytest.approx([1.8e-3, 0.8e-3, 3.4e-3])
    assert reward == pytest.approx(-3.4e-3 / 0.5)
    assert terminated
    assert info["stage"] == 1  # the feature that was uploaded
    # raw input at SNR 3, 2 bit/s/Hz: 800 / 2e6 = 4e-4 s, edge 3e6 / 1e10 = 3e-4 s; 2e-4 J; 7e-4 + 4e-4
    env.reset(options={"snr": [3.0, 1.0, 7.0]})
    info = env.step(1)[4]
    assert [info["time_s"], info["energy_j"], info["cost"]] == pytest.approx([7e-4, 2e-4, 1.1e-3])


def test_completing_the_network_uploads_nothing():
    env = CoInferenceEnv(BY_HAND)
    env.reset(options={"snr": [3.0, 1.0, 0.0]})
    env.step(0)
    _, _, terminated, truncated, info = env.step(0)
    assert terminated
    assert not truncated
    assert info["stage"] == 2
    assert [info["time_s"], info["energy_j"], info["cost"]] == pytest.approx([2e-3, 4e-3, 1e-2])  # layer b alone


@pytest.mark.parametrize("action", [0, 1])
def test_any_action_offloads_at_a_forced_stage(action):
    env = CoInferenceEnv(BY_HAND, placement=1)
    _, info = env.reset(options={"snr": [3.0, 1.0]})
    np.testing.assert_array_equal(info["action_mask"], [1, 1])
    info = env.step(0)[4]
    np.testing.assert_array_equal(info["action_mask"], [0, 1])
    assert env.action_space.sample(mask=info["action_mask"]) == 1
    _, _, terminated, _, info = env.step(action)
    assert terminated
    assert info["stage"] == 1
    assert info["cost"] == pytest.approx(3.4e-3)


def test_placement_zero_is_one_forced_upload():
    env = CoInferenceEnv(BY_HAND, placement=0)
    observation, info = env.reset(options={"snr": [3.0]})
    np.testing.assert_allclose(observation, [1, np.log10(0.3)], rtol=1e-6)
    np.testing.assert_array_equal(info["action_mask"], [0, 1])
    _, reward, terminated, _, info = env.step(0)
    assert terminated
    assert info["cost"] == pytest.approx(1.1e-3)
    # scale: the only static split, 800 bit / 1e6 Hz * E[x] seconds at weight 1 + 2 * 0.5 W, and 3e-4 s on the edge
    scale = 800 / 1e6 * 2.0 * env.problem.channel.mean_channel_uses_per_bit + 3e-4
    assert reward == pytest.approx(-1.1e-3 / scale)


@pytest.mark.parametrize(("scenario", "placement"), CASES)
def test_reward_is_cost_over_the_best_static_split(scenario, placement):
    env = CoInferenceEnv(scenario, placement)
    problem, weights = env.problem, env.task.scenario.weights
    static = [
        problem.cost.device[:n].sum()
        + (problem.cost.airtime[n] * problem.channel.mean_channel_uses_per_bit + problem.cost.edge[n])
        for n in range(problem.horizon + 1)
    ]
    rng = np.random.default_rng(0)
    for seed in range(5):
        for *_, info in (steps := rollout(env, rng.integers(0, 2, problem.horizon + 1), seed=seed))[1:]:
            weighed = weights.time_weight * info["time_s"] + weights.energy_weight * info["energy_j"]
            assert info["cost"] == pytest.approx(weighed, rel=1e-12)
        for _, reward, _, _, info in steps[1:]:
            assert reward == pytest.approx(-info["cost"] / min(static), rel=1e-12)


@pytest.mark.parametrize(("scenario", "placement"), CASES)
def test_agrees_with_the_problem_on_injected_paths(scenario, placement):
    env = CoInferenceEnv(scenario, placement, reward_scale=1.0)
    problem, rng = env.problem, np.random.default_rng(7)
    for path in problem.paths(7, np.arange(20)):
        actions = (rng.random(problem.horizon + 1) < 0.2).astype(int)
        steps = rollout(env, actions, options={"snr": path})[1:]
        for (stage, ended, cost), step in zip(by_the_problem(problem, path, actions), steps, strict=True):
            assert (step[4]["stage"], step[2]) == (stage, ended)
            assert step[1] == pytest.approx(-cost, rel=1e-15)
        assert step[2]


# --- seeds and paths --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("placement", [8, 11])
def test_same_seed_gives_every_policy_and_every_task_the_same_fading(placement):
    env, twin = CoInferenceEnv(placement=placement), CoInferenceEnv(placement=placement)
    for episode in range(4):  # the policies play tasks of very different lengths
        seed = 2 if episode == 0 else None
        whole = snr_path_db(env, [0] * 12, seed=seed)
        part = snr_path_db(twin, [0] * episode + [1], seed=seed)
        assert part[:-1] == whole[: episode + 1]


def test_injected_path_is_copied_and_followed():
    env = CoInferenceEnv(BY_HAND)
    path = np.array([1.0, 100.0, 1000.0])
    env.reset(options={"snr": path})
    path[:] = 5.0
    assert env.step(0)[4]["snr_db"] == pytest.approx(20.0)
    assert env.step(0)[4]["snr_db"] == pytest.approx(30.0)


@pytest.mark.parametrize("options", [None, {}, {"snr": None}])
def test_no_options_draw_the_path(options):
    env = CoInferenceEnv(BY_HAND)
    assert env.reset(seed=1, options=options)[1]["snr_db"] == env.reset(seed=1)[1]["snr_db"]


def test_injecting_a_path_and_being_refused_leave_the_generator_alone():
    env, twin = CoInferenceEnv(BY_HAND), CoInferenceEnv(BY_HAND)
    env.reset(seed=1), twin.reset(seed=1)
    env.reset(options={"snr": [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match="shape"):
        env.reset(seed=5, options={"snr": [1.0]})
    assert env.reset()[1]["snr_db"] == twin.reset()[1]["snr_db"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"snr": [1.0, 2.0]}, r"options\['snr'\] has shape \(2,\), expected \(3,\)"),
        ({"snr": [[1.0, 2.0, 3.0]]}, r"shape \(1, 3\), expected \(3,\)"),
        ({"snr": 1.0}, r"shape \(\), expected \(3,\)"),
        ({"snr": ["1", "2", "3"]}, r"options\['snr'\] = \['1', '2', '3'\] must be numbers"),
        ({"snr": [True, True, True]}, r"options\['snr'\] = \[True, True, True\] must be numbers"),
        ({"snr": [1.0, np.nan, 3.0]}, r"options\['snr'\] holds nan; SNRs are linear, finite and >= 0"),
        ({"snr": [1.0, np.inf, 3.0]}, r"options\['snr'\] holds inf"),
        ({"snr": [1.0, -2.0, 3.0]}, r"options\['snr'\] holds -2.0"),
        ({"snr_db": [1.0, 2.0, 3.0]}, r"reset options \['snr_db'\] are unknown"),
        ({"snr": [1.0, 2.0, 3.0], "seed": 1}, r"reset options \['seed'\] are unknown"),
    ],
)
def test_bad_options(options, message):
    env = CoInferenceEnv(BY_HAND)
    with pytest.raises(ValueError, match=message):
        env.reset(options=options)


# --- errors -----------------------------------------------------------------------------------------------------------


def test_render_without_a_mode_says_how():
    env = CoInferenceEnv(BY_HAND)
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="render_mode='rgb_array'"):
        assert env.render() is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"render_mode": "svg"}, r"render_mode = 'svg' must be None or one of \['ansi', 'rgb_array', 'human'\]"),
        ({"scenario": "alexnet"}, r"scenario = 'alexnet' is neither a file nor one of the built-in .*alexnet-pi"),
        (
            {"scenario": changed(BY_HAND, **{"link.bandwith": 1})},
            "bandwith.*unknown field, did you mean 'bandwidth_hz'",
        ),
        ({"scenario": BY_HAND | {"link": BY_HAND["link"] | {"bandwidth_hz": -1.0}}}, "link.bandwidth_hz = -1.0"),
        ({"placement": 99}, "placement = 99 must be an integer from 0 to 11"),
        ({"placement": -1}, "placement = -1 must be an integer from 0 to 11"),
        ({"placement": 2.5}, "placement = 2.5 must be an integer"),
        ({"placement": True}, "placement = True must be an integer"),
        ({"reward_scale": 0.0}, "reward_scale = 0.0; reward_scale must be finite and > 0"),
        ({"reward_scale": -1.0}, "reward_scale = -1.0"),
        ({"reward_scale": "2"}, "reward_scale = '2' must be a number; it must be finite and > 0"),
        ({"reward_scale": True}, "reward_scale = True must be a number"),
        ({"placement": "8"}, "placement = '8' must be an integer from 0 to 11"),
        ({"reward_scale": np.nan}, "reward_scale = nan"),
        ({"reward_scale": np.inf}, "reward_scale = inf"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CoInferenceEnv(**arguments)


def test_shannon_link_with_a_forced_upload_is_refused_with_the_reason():
    shannon = BY_HAND | {"channel": BY_HAND["channel"] | {"min_efficiency": 0.0}}
    with pytest.raises(ValueError, match=r"min_efficiency = 0.0 .* forced upload .* infinite.*Give min_efficiency > 0"):
        CoInferenceEnv(shannon, placement=1)
    env = CoInferenceEnv(shannon)  # all layers placed: no upload is forced
    assert env.task.reward_scale == pytest.approx(1.5e-2)  # device only: 5e-3 + 1e-2

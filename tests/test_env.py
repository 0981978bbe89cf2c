"""The environments one task at a time: Gymnasium's contract, the arithmetic of a step, seeds, errors, golden runs."""

import copy
import json
import pickle
import re
import subprocess
import sys
import tomllib
from importlib import resources

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.utils.env_checker import check_env

import cointer_gym  # noqa: F401 (registers)
from cointer_gym.envs import CoInferenceEnv, CoInferencePlacementEnv
from cointer_gym.stopping import incurred, transition

CASES = [
    ("alexnet-pi", None),
    ("alexnet-pi", 0),
    ("alexnet-pi", 8),
    ("alexnet-pi", 11),
    ("mobilenetv2-phone", 3),
    ("vit-b-16-jetson", None),
]
MADE = [("CoInference-v0", {"scenario": scenario, "placement": placement}) for scenario, placement in CASES]
MADE += [("CoInferencePlacement-v0", {"scenario": name}) for name in ("alexnet-pi", "mobilenetv2-phone")]
INFO_KEYS = {"placement", "stage", "snr_db", "action_mask", "cost", "time_s", "energy_j"}

# Two layers, round numbers: the arithmetic of test_step_costs_by_hand is done with these.
TOY = {
    "name": "toy",
    "dnn": {
        "name": "toy",
        "input_elements": 100,  # 800 bits
        "layers": [
            {"name": "a", "output_elements": 50, "flops": 1e6},  # 1600 bits
            {"name": "b", "output_elements": 10, "flops": 2e6},
        ],
    },
    "device": {"flops_per_s": 1e9, "compute_power_w": 2.0},
    "edge": {"flops_per_s": 1e10},
    "link": {"bandwidth_hz": 1e6, "tx_power_w": 0.5, "downlink_bps": 1e6, "rx_power_w": 0.1},
    "channel": {"law": "rayleigh", "mean_snr_db": 10.0},
    "weights": {"time_weight": 1.0, "energy_weight": 2.0},
}


def all_on_the_device(env):
    """Actions of the longest task: place everything where there is a choice, then continue."""
    layers = env.unwrapped.problem.horizon
    return [layers] * isinstance(env.unwrapped, CoInferencePlacementEnv) + [0] * (layers + 1)


def own_ids():
    """Ids of single environments that this package registers."""
    return sorted(
        name for name, spec in gym.registry.items() if str(spec.entry_point).startswith("cointer_gym.") and spec.name
    )


def rollout(env, actions, **reset):
    """Reset, then play ``actions`` until the task ends: what each returned, the reset as a step with reward 0."""
    observation, info = env.reset(**reset)
    steps = [(observation, 0.0, False, False, info)]
    for action in actions:
        steps.append(env.step(action))
        if steps[-1][2]:
            break
    return steps


def snr_path_db(env, actions, **reset):
    return [step[4]["snr_db"] for step in rollout(env, actions, **reset)]


def assert_same_steps(one, other):
    assert len(one) == len(other)
    for (obs_a, *rest_a, info_a), (obs_b, *rest_b, info_b) in zip(one, other, strict=True):
        np.testing.assert_array_equal(obs_a, obs_b)
        assert rest_a == rest_b
        assert info_a.keys() == info_b.keys()
        for key in info_a:
            np.testing.assert_array_equal(info_a[key], info_b[key])


# --- Gymnasium's contract ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "arguments"), MADE)
def test_passes_gymnasium_check_env(name, arguments):
    check_env(gym.make(name, **arguments).unwrapped)


@pytest.mark.parametrize(("name", "arguments"), MADE)
def test_passes_stable_baselines3_check_env(name, arguments):
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    checker.check_env(gym.make(name, **arguments).unwrapped, warn=True, skip_render_check=True)


def test_make_from_ids_alone_in_a_fresh_process():
    code = (
        "import gymnasium as gym\n"
        f"for name in {own_ids()}:\n"
        "    env = gym.make('cointer_gym:' + name)\n"
        "    observation, info = env.reset(seed=0)\n"
        "    print(name, observation.shape[0], type(env.step(1)[1]).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["CoInference-v0", "13", "float", "CoInferencePlacement-v0", "26", "float"]


def toml_file(folder):
    path = folder / "own.toml"
    source = resources.files("cointer_gym") / "data" / "scenarios" / "alexnet-pi.toml"
    path.write_text(source.read_text(encoding="utf-8").replace("mean_snr_db = 10.0", "mean_snr_db = 4.5"))
    assert tomllib.loads(path.read_text())["channel"]["mean_snr_db"] == 4.5
    return path


@pytest.mark.parametrize("kind", ["name", "toml", "dict"])
def test_spec_survives_json(kind, tmp_path):
    scenario = {"name": "resnet18-phone", "toml": str(toml_file(tmp_path)), "dict": TOY}[kind]
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
    scenario = copy.deepcopy(TOY)
    env = CoInferenceEnv(scenario)
    before = rollout(env, [0, 0], seed=1)
    scenario["link"]["bandwidth_hz"] = 1.0
    assert_same_steps(before, rollout(env, [0, 0], seed=1))


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))], ids=["copy", "pickle"])
@pytest.mark.parametrize("name", own_ids())
def test_copies_go_on_alike_and_apart(name, twin):
    env = gym.make(name).unwrapped
    env.reset(seed=5)
    env.step(0 if name == "CoInference-v0" else 6)
    other = twin(env)
    first = [env.step(0), env.step(1), *rollout(env, all_on_the_device(env))]
    second = [other.step(0), other.step(1), *rollout(other, all_on_the_device(other))]
    assert_same_steps(first, second)


def test_pickled_problem_is_the_same_problem():
    problem = CoInferenceEnv("resnet18-phone", 5).problem
    again = pickle.loads(pickle.dumps(problem))
    np.testing.assert_array_equal(again.static_cost, problem.static_cost)
    assert (again.completes, again.stage_names) == (problem.completes, problem.stage_names)


def slot_number(text, layers):
    """``2L+3`` or ``M+1`` as a number, for L or M layers."""
    terms = [re.fullmatch(r"(\d*)([LM]?)", term).groups() for term in text.split("+")]
    return sum(int(factor or 1) * layers if letter else int(factor) for factor, letter in terms)


@pytest.mark.parametrize(
    ("env", "slots"),
    [*((CoInferenceEnv(placement=m), m + 2) for m in (0, 8, 11)), (CoInferencePlacementEnv(), 26)],
)
def test_docstring_table_describes_the_observation_space(env, slots):
    rows = re.findall(r"^ *\| (\w[\w.+]*) \| (.+?) \| (-?\d+) to (-?\d+) \|$", type(env).__doc__, re.MULTILINE)
    low, high = np.full(slots, np.nan), np.full(slots, np.nan)
    for place, _, smallest, largest in rows:
        first, last = (slot_number(end, env.problem.horizon) for end in (place.split("..") * 2)[:2])
        assert np.isnan(low[first : last + 1]).all()
        low[first : last + 1], high[first : last + 1] = float(smallest), float(largest)
    np.testing.assert_array_equal(low, env.observation_space.low)
    np.testing.assert_array_equal(high, env.observation_space.high)
    assert (env.observation_space.shape, env.observation_space.dtype) == ((slots,), np.float32)


@pytest.mark.parametrize(("name", "arguments"), MADE)
def test_types_and_finite_info_at_every_step(name, arguments):
    env = gym.make(name, **arguments).unwrapped
    layers, choices = env.problem.horizon, env.action_space.n
    for seed in range(5):
        steps = rollout(env, all_on_the_device(env), seed=seed)
        chosen = len(all_on_the_device(env)) - layers - 1  # one more step where the placement is chosen
        assert len(steps) - 1 == chosen + layers + (not env.problem.completes)
        for count, (observation, reward, terminated, truncated, info) in enumerate(steps):
            assert observation in env.observation_space
            assert (type(reward), type(terminated), type(truncated)) == (float, bool, bool)
            assert not truncated
            assert terminated == (count == len(steps) - 1)
            assert set(info) == INFO_KEYS
            assert info["stage"] == np.clip(count - chosen, 0, layers)
            assert info["placement"] == (layers if count >= chosen else -1)
            assert (info["action_mask"].shape, info["action_mask"].dtype) == ((choices,), np.int8)
            assert np.isfinite([*(info[key] for key in INFO_KEYS - {"action_mask"}), reward]).all()
            json.dumps({key: info[key] for key in INFO_KEYS - {"action_mask"}})


# --- what is observed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("snr", "slot", "snr_db"),
    [(10.0, 0.0, 10.0), (1.0, -1.0, 0.0), (1e9, 2.0, 90.0), (1e-9, -6.0, -90.0), (0.0, -6.0, -300.0)],
)
def test_observation_of_an_injected_snr(snr, slot, snr_db):
    env = CoInferenceEnv(TOY)  # mean SNR 10
    observation, info = env.reset(options={"snr": [snr, 10.0, 10.0]})
    np.testing.assert_allclose(observation, [1, 0, 0, slot], atol=1e-7)
    assert info["snr_db"] == pytest.approx(snr_db)
    assert observation in env.observation_space
    np.testing.assert_allclose(env.step(0)[0], [0, 1, 0, 0.0], atol=1e-7)


# --- what a step costs ------------------------------------------------------------------------------------------------


def test_step_costs_by_hand():
    env = CoInferenceEnv(TOY, reward_scale=0.5)
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
    env = CoInferenceEnv(TOY)
    env.reset(options={"snr": [3.0, 1.0, 0.0]})
    env.step(0)
    _, _, terminated, truncated, info = env.step(0)
    assert terminated
    assert not truncated
    assert info["stage"] == 2
    assert [info["time_s"], info["energy_j"], info["cost"]] == pytest.approx([2e-3, 4e-3, 1e-2])  # layer b alone


@pytest.mark.parametrize("action", [0, 1])
def test_any_action_offloads_at_a_forced_stage(action):
    env = CoInferenceEnv(TOY, placement=1)
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
    env = CoInferenceEnv(TOY, placement=0)
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
def test_agrees_with_the_kernel_on_injected_paths(scenario, placement):
    env = CoInferenceEnv(scenario, placement, reward_scale=1.0)
    problem, rng = env.problem, np.random.default_rng(7)
    for _ in range(20):
        path = problem.channel.sample_snr(rng, (problem.horizon + 1,))
        actions = rng.random(problem.horizon + 1) < 0.2
        stage = 0
        for action, step in zip(actions, rollout(env, actions.astype(int), options={"snr": path})[1:], strict=False):
            move = transition(problem, stage, path[stage], int(action))
            assert step[1] == pytest.approx(-incurred(problem.cost, stage, move).item(), rel=1e-15)
            assert (step[2], step[4]["stage"]) == (move.terminated, move.stage)
            stage = int(move.stage)
        assert step[2]


# --- choosing the placement -------------------------------------------------------------------------------------------

# TOY with parameters: 4000 + 6000 of them, 32 bits each, over 1 Mbit/s, for 1000 tasks: 1.28e-4 s and 1.92e-4 s a task;
# receiving draws 0.1 W, so that a second of download costs 1 + 2 * 0.1.
PLACED = TOY | {"tasks_per_update": 1000}
PLACED["dnn"] = TOY["dnn"] | {
    "layers": [layer | {"parameters": count} for layer, count in zip(TOY["dnn"]["layers"], (4000, 6000), strict=True)]
}


@pytest.mark.parametrize(("placement", "download_s"), [(0, 0.0), (1, 1.28e-4), (2, 3.2e-4)])
def test_choosing_a_placement_pays_its_download(placement, download_s):
    env = CoInferencePlacementEnv(PLACED, reward_scale=0.5)
    observation, info = env.reset(options={"snr": [3.0, 1.0, 7.0]})
    np.testing.assert_array_equal(observation, [1, 0, 0, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(info["action_mask"], [1, 1, 1])
    observation, reward, terminated, _, info = env.step(placement)
    assert not terminated
    np.testing.assert_allclose(observation, [0, *np.eye(3)[placement], 1, 0, 0, np.log10(0.3)], rtol=1e-6)
    np.testing.assert_array_equal(info["action_mask"], [placement > 0, 1, 0])
    assert [info["time_s"], info["energy_j"]] == pytest.approx([download_s, 0.1 * download_s])
    assert info["cost"] == pytest.approx(1.2 * download_s)
    assert reward == pytest.approx(-1.2 * download_s / 0.5)


@pytest.mark.parametrize("placement", [0, 1, 2])
@pytest.mark.parametrize("split", [0, 1, 2])
def test_after_the_placement_it_is_the_splitting_environment(placement, split):
    path = np.array([3.0, 1.0, 7.0])
    joint, alone = CoInferencePlacementEnv(PLACED, reward_scale=1.0), CoInferenceEnv(PLACED, placement, 1.0)
    joint.reset(options={"snr": path}), joint.step(placement)
    alone.reset(options={"snr": path[: placement + 1]})
    for action in [0] * split + [2]:  # every action but 0 offloads
        got, expected = joint.step(action), alone.step(min(action, 1))
        np.testing.assert_array_equal(got[0][-1], expected[0][-1])
        np.testing.assert_array_equal(got[4].pop("action_mask")[:2], expected[4].pop("action_mask"))
        assert got[1:] == expected[1:]
        if got[2]:
            break
    assert got[2]


def test_placement_that_does_not_fit_stands_for_the_largest_that_does():
    small = PLACED | {"device": TOY["device"] | {"memory_bytes": 20_000}}  # layer a has 16 000 bytes, both have 40 000
    env = CoInferencePlacementEnv(small)
    np.testing.assert_array_equal(env.reset(seed=0)[1]["action_mask"], [1, 1, 0])
    observation, *_, info = env.step(2)
    np.testing.assert_array_equal(observation[:4], [0, 0, 1, 0])
    assert info["time_s"] == pytest.approx(1.28e-4)
    env.step(0)
    assert env.step(0)[2]  # the upload after layer a is forced


def test_default_scale_with_a_placement_includes_the_download():
    slow = PLACED | {"link": TOY["link"] | {"bandwidth_hz": 1e3}}  # no upload pays: both layers on the device
    assert CoInferencePlacementEnv(slow).task.reward_scale == pytest.approx(5e-3 + 1e-2 + 1.2 * 3.2e-4)
    # at 1 MHz the raw input is uploaded and nothing is downloaded
    assert CoInferencePlacementEnv(PLACED).task.reward_scale == CoInferenceEnv(PLACED, 0).task.reward_scale


# --- seeds and paths --------------------------------------------------------------------------------------------------


def test_same_seed_same_episode_and_another_seed_another():
    env, twin = CoInferenceEnv(), CoInferenceEnv()
    continues = [0] * 12
    for env_again in (env, twin):
        assert_same_steps(rollout(env, continues, seed=11), rollout(env_again, continues, seed=11))
    first, second = snr_path_db(env, continues, seed=11), snr_path_db(env, continues, seed=12)
    assert not set(first) & set(second)


def test_resets_without_seed_go_on_in_the_stream():
    env, twin = CoInferenceEnv(), CoInferenceEnv()
    episodes = [[snr_path_db(e, [0] * 12, seed=s) for s in (4, None, None)] for e in (env, twin)]
    assert episodes[0] == episodes[1]
    assert len({tuple(path) for path in episodes[0]}) == 3
    assert snr_path_db(CoInferenceEnv(), [0] * 12) != snr_path_db(CoInferenceEnv(), [0] * 12)


@pytest.mark.parametrize("placement", [8, 11])
def test_same_seed_gives_every_policy_and_every_task_the_same_fading(placement):
    env, twin = CoInferenceEnv(placement=placement), CoInferenceEnv(placement=placement)
    for episode in range(4):  # the policies play tasks of very different lengths
        seed = 2 if episode == 0 else None
        whole = snr_path_db(env, [0] * 12, seed=seed)
        part = snr_path_db(twin, [0] * episode + [1], seed=seed)
        assert part[:-1] == whole[: episode + 1]


def test_injected_path_is_copied_and_followed():
    env = CoInferenceEnv(TOY)
    path = np.array([1.0, 100.0, 1000.0])
    env.reset(options={"snr": path})
    path[:] = 5.0
    assert env.step(0)[4]["snr_db"] == pytest.approx(20.0)
    assert env.step(0)[4]["snr_db"] == pytest.approx(30.0)


@pytest.mark.parametrize("options", [None, {}])
def test_no_options_draw_the_path(options):
    env = CoInferenceEnv(TOY)
    assert env.reset(seed=1, options=options)[1]["snr_db"] == env.reset(seed=1)[1]["snr_db"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"snr": [1.0, 2.0]}, r"options\['snr'\] has shape \(2,\), expected \(3,\)"),
        ({"snr": [[1.0, 2.0, 3.0]]}, r"shape \(1, 3\), expected \(3,\)"),
        ({"snr": 1.0}, r"shape \(\), expected \(3,\)"),
        ({"snr": None}, r"shape \(\), expected \(3,\)"),
        ({"snr": [1.0, np.nan, 3.0]}, r"options\['snr'\] holds nan; SNRs are linear, finite and >= 0"),
        ({"snr": [1.0, np.inf, 3.0]}, r"options\['snr'\] holds inf"),
        ({"snr": [1.0, -2.0, 3.0]}, r"options\['snr'\] holds -2.0"),
        ({"snr_db": [1.0, 2.0, 3.0]}, r"reset options \['snr_db'\] are unknown"),
        ({"snr": [1.0, 2.0, 3.0], "seed": 1}, r"reset options \['seed'\] are unknown"),
    ],
)
def test_bad_options(options, message):
    env = CoInferenceEnv(TOY)
    with pytest.raises(ValueError, match=message):
        env.reset(options=options)


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [7, -1, 2, 1.5, 1.0, None, "offload", np.array([1]), np.nan])
def test_bad_action_is_refused_and_changes_nothing(action):
    env, twin = CoInferenceEnv(TOY), CoInferenceEnv(TOY)
    env.reset(seed=0), twin.reset(seed=0)
    with pytest.raises(InvalidAction, match=r"action = .* must be an integer in Discrete\(2\)"):
        env.step(action)
    assert_same_steps([env.step(0), env.step(1)], [twin.step(0), twin.step(1)])


@pytest.mark.parametrize("action", [1, np.int64(1), np.int8(1), np.array(1)])
def test_integers_of_any_kind_are_actions(action):
    env = CoInferenceEnv(TOY)
    env.reset(seed=0)
    assert env.step(action)[2] is True


@pytest.mark.parametrize("make", [CoInferenceEnv, lambda: gym.make("CoInference-v0")], ids=["bare", "made"])
def test_step_needs_a_reset_first(make):
    with pytest.raises(ResetNeeded, match="reset"):
        make().step(0)


@pytest.mark.parametrize("make", [CoInferenceEnv, lambda: gym.make("CoInference-v0")], ids=["bare", "made"])
@pytest.mark.parametrize("last_action", [0, 1])
def test_step_after_the_end_needs_a_reset(make, last_action):
    env = make()
    assert rollout(env, [last_action] * 12, seed=0)[-1][2]
    with pytest.raises(ResetNeeded, match=r"the task has ended .*; call reset\(\)"):
        env.step(0)
    env.reset()
    env.step(0)


@pytest.mark.parametrize("mode", ["ansi", "rgb_array", "human"])
def test_render_before_reset(mode):
    with pytest.raises(ResetNeeded, match=r"call reset\(\) before render\(\)"):
        CoInferenceEnv(render_mode=mode).render()


def test_render_without_a_mode_says_how():
    env = CoInferenceEnv(TOY)
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="render_mode='rgb_array'"):
        assert env.render() is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"render_mode": "svg"}, r"render_mode = 'svg' must be None or one of \['ansi', 'rgb_array', 'human'\]"),
        ({"scenario": "alexnet"}, r"scenario = 'alexnet' is neither a file nor one of the built-in .*alexnet-pi"),
        ({"scenario": {**TOY, "bandwith": 1}}, "bandwith.*unknown field, did you mean 'bandwidth_hz'"),
        ({"scenario": TOY | {"link": TOY["link"] | {"bandwidth_hz": -1.0}}}, "link.bandwidth_hz = -1.0"),
        ({"placement": 99}, "placement = 99 must be an integer from 0 to 11"),
        ({"placement": -1}, "placement = -1 must be an integer from 0 to 11"),
        ({"placement": 2.5}, "placement = 2.5 must be an integer"),
        ({"placement": True}, "placement = True must be an integer"),
        ({"reward_scale": 0.0}, "reward_scale = 0.0; reward_scale must be finite and > 0"),
        ({"reward_scale": -1.0}, "reward_scale = -1.0"),
        ({"reward_scale": np.nan}, "reward_scale = nan"),
        ({"reward_scale": np.inf}, "reward_scale = inf"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CoInferenceEnv(**arguments)


def test_shannon_link_with_a_forced_upload_is_refused_with_the_reason():
    shannon = TOY | {"channel": TOY["channel"] | {"min_efficiency": 0.0}}
    with pytest.raises(ValueError, match=r"min_efficiency = 0.0 .* forced upload .* infinite.*Give min_efficiency > 0"):
        CoInferenceEnv(shannon, placement=1)
    env = CoInferenceEnv(shannon)  # all layers placed: no upload is forced
    assert env.task.reward_scale == pytest.approx(1.5e-2)  # device only: 5e-3 + 1e-2


# --- golden -----------------------------------------------------------------------------------------------------------

# What seed 2022 and these actions gave when the version was released; who changes it gives the id a new version.
GOLDEN = {
    "CoInference-v0": {
        "arguments": {"scenario": "alexnet-pi", "placement": 8, "reward_scale": 1.0},
        "actions": [0, 0, 0, 0, 1],
        "snr_db": [
            7.117750955927517,
            -1.9393643814891435,
            10.954333545428588,
            2.09033723867404,
            10.847890844585969,
            10.847890844585969,
        ],
        "reward": [0.0, -0.042166079999999995, 0.0, -0.13436927999999998, 0.0, -0.1544546312997563],
    },
    "CoInferencePlacement-v0": {
        "arguments": {"scenario": "alexnet-pi", "reward_scale": 1.0},
        "actions": [6, 0, 0, 7],
        "snr_db": [
            7.117750955927517,
            7.117750955927517,
            -1.9393643814891435,
            10.954333545428588,
            10.954333545428588,
        ],
        "reward": [0.0, -0.00031577548799999997, -0.042166079999999995, 0.0, -0.2202397766666494],
    },
}


def test_every_registered_id_has_a_golden_run():
    assert own_ids() == sorted(GOLDEN)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_run(name):
    golden = GOLDEN[name]
    steps = rollout(gym.make(name, **golden["arguments"]), golden["actions"], seed=2022)
    assert [step[4]["snr_db"] for step in steps] == pytest.approx(golden["snr_db"], rel=1e-9)
    assert [step[1] for step in steps] == pytest.approx(golden["reward"], rel=1e-9)

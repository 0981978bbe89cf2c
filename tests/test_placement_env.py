"""CoInferencePlacement-v0, scalar and vector: contract, observation, costs by hand, parity, law, pictures, errors."""

import copy
import hashlib
import itertools
import pickle
import re
from dataclasses import replace

import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from scipy.stats import norm

from cointer_gym import Scenario
from cointer_gym import baselines as bl
from cointer_gym.envs import CoInferenceEnv, CoInferencePlacementEnv, CoInferencePlacementVectorEnv
from cointer_gym.envs.task import State
from cointer_gym.observation import decode_placement, observe_placement
from cointer_gym.rendering import draw_figure, draw_text, style

ALPHA = 1e-6
ID = "CoInferencePlacement-v0"
MODES = [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP]
AMOUNTS = ("cost", "time_s", "energy_j")
INFO_KEYS = {"placement", "stage", "snr_db", "action_mask", *AMOUNTS}

# Three layers of 16, 24 and 40 kB; nothing is 1, so that no factor can be forgotten unseen.
SMALL = {
    "name": "small",
    "dnn": {
        "name": "small",
        "input_elements": 100,
        "layers": [
            {"name": "a", "output_elements": 50, "flops": 1e6, "parameters": 4000},
            {"name": "b", "output_elements": 70, "flops": 2e6, "parameters": 6000},
            {"name": "c", "output_elements": 10, "flops": 3e6, "parameters": 10_000},
        ],
    },
    "device": {"flops_per_s": 1e9, "compute_power_w": 2.0},
    "edge": {"flops_per_s": 1e10},
    "link": {"bandwidth_hz": 1e6, "tx_power_w": 0.5, "downlink_bps": 3e6, "rx_power_w": 0.1},
    "channel": {"law": "rayleigh", "mean_snr_db": 10.0},
    "weights": {"time_weight": 1.5, "energy_weight": 0.7},
    "tasks_per_update": 250,
}
TINY = SMALL | {"name": "tiny", "dnn": SMALL["dnn"] | {"layers": SMALL["dnn"]["layers"][:1]}}


def with_memory(memory_bytes):
    return SMALL | {"device": SMALL["device"] | {"memory_bytes": memory_bytes}}


CASES = {
    "small": SMALL,
    "one layer": TINY,
    "two of three layers fit": with_memory(40_000),
    "alexnet-pi": "alexnet-pi",
    "mobilenetv2-phone": "mobilenetv2-phone",
}
every_case = pytest.mark.parametrize("scenario", CASES.values(), ids=CASES)


def native(num_envs, mode=AutoresetMode.SAME_STEP, **arguments):
    return gym.make_vec(ID, num_envs, vectorization_mode="vector_entry_point", autoreset_mode=mode, **arguments)


def play(env, actions, **reset):
    """Reset, then play ``actions`` until the task ends: what each returned, the reset as a step with reward 0."""
    observation, info = env.reset(**reset)
    steps = [(observation, 0.0, False, False, info)]
    for action in actions:
        steps.append(env.step(action))
        if steps[-1][2]:
            break
    return steps


def hand_amounts(scenario, path, actions):
    """Seconds and joules of every step, from the scenario's own numbers and the words of the documentation."""
    s = Scenario.load(scenario)
    placement = min(actions[0], s.largest_placement)
    bits = sum(s.dnn.parameter_bits[:placement])
    seconds = bits / s.link.downlink_bps / s.tasks_per_update
    amounts, stage = [(seconds, s.link.rx_power_w * seconds)], 0
    device_s, device_j, edge_s = s.device.layer_s(s.dnn), s.device.layer_j(s.dnn), s.edge.layer_s(s.dnn)
    for action in actions[1:]:
        if stage == s.layers:
            break
        if action == 0 and stage < placement:
            amounts.append((device_s[stage], device_j[stage]))
            stage += 1
            continue
        efficiency = max(np.log2(1.0 + path[stage]), s.channel.min_efficiency)
        upload_s = s.dnn.output_bits[stage] / (s.link.bandwidth_hz * efficiency)
        amounts.append((upload_s + sum(edge_s[stage:]), s.link.tx_power_w * upload_s))
        break
    return amounts


def random_actions(rng, layers, placement=None):
    """A placement, then mostly continue: every length occurs."""
    first = rng.integers(0, layers + 1) if placement is None else placement
    later = np.where(rng.random(layers + 1) < 0.3, rng.integers(1, layers + 1, layers + 1), 0)
    return [int(first), *map(int, later)]


# --- Gymnasium's contract ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", [TINY, with_memory(40_000), with_memory(1)], ids=["one layer", "two fit", "none"])
def test_passes_both_checkers(scenario):
    check_env(gym.make(ID, scenario=scenario).unwrapped, skip_render_check=True)
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    checker.check_env(CoInferencePlacementEnv(scenario, render_mode="rgb_array"), warn=True)


def test_vector_environment_is_made_by_id_and_rebuilt_from_its_spec():
    env = gym.make_vec(ID, num_envs=3, scenario=SMALL, reward_scale=2.0, autoreset_mode="SameStep")
    assert isinstance(env, CoInferencePlacementVectorEnv)
    again = gym.make_vec(EnvSpec.from_json(env.spec.to_json()))
    assert isinstance(again, CoInferencePlacementVectorEnv)
    assert (again.num_envs, again.autoreset_mode, again.task.reward_scale) == (3, AutoresetMode.SAME_STEP, 2.0)
    np.testing.assert_array_equal(env.reset(seed=1)[0], again.reset(seed=1)[0])
    actions = np.array([3, 1, 0])
    np.testing.assert_array_equal(env.step(actions)[0], again.step(actions)[0])


@pytest.mark.parametrize("mode", MODES)
@every_case
def test_vector_environment_stays_in_the_spaces_of_the_scalar_one(scenario, mode):
    env, single = native(6, mode, scenario=scenario), CoInferencePlacementEnv(scenario)
    assert env.single_observation_space == single.observation_space
    assert env.single_action_space == single.action_space
    assert env.observation_space == gym.vector.utils.batch_space(single.observation_space, 6)
    assert env.action_space == gym.vector.utils.batch_space(single.action_space, 6)
    assert (env.metadata["autoreset_mode"], env.num_envs) == (mode, 6)
    observation, info = env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(20):
        assert observation in env.observation_space
        assert set(info) - {key for key in info if key.startswith(("_", "final"))} == INFO_KEYS
        assert all(np.isfinite(info[key]).all() for key in INFO_KEYS)
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert (reward.dtype, terminated.dtype, truncated.dtype) == (np.float64, np.bool_, np.bool_)
        assert reward.shape == terminated.shape == truncated.shape == (6,)
        assert not truncated.any()


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))], ids=["copy", "pickle"])
def test_copies_go_on_alike_and_apart(twin):
    """Copied while some slots choose their placement, some run and one was drawn."""
    vector = native(4, scenario=SMALL)
    vector.reset(seed=0)
    vector.step(np.array([0, 1, 2, 3]))
    vector.step(np.array([0, 0, 1, 0]))  # slots 0 and 2 end and choose anew
    other = twin(vector)
    for _ in range(6):
        actions = np.array([0, 2, 1, 0])
        got, expected = other.step(actions), vector.step(actions)
        for one, two in zip(got[:4], expected[:4], strict=True):
            np.testing.assert_array_equal(one, two)
    env = CoInferencePlacementEnv(SMALL, render_mode="rgb_array")
    env.reset(seed=0)
    env.step(2)
    env.render()
    other = twin(env)
    first = [env.step(0)[1:3], env.step(0)[1:3], env.step(3)[1:3], env.reset()[0].tolist()]
    assert [other.step(0)[1:3], other.step(0)[1:3], other.step(3)[1:3], other.reset()[0].tolist()] == first
    np.testing.assert_array_equal(other.render(), env.render())


# --- what is observed -------------------------------------------------------------------------------------------------


def rows_of_the_docstring(layers):
    """Slots and the range of each row of the table, by name, for L layers."""

    def number(text):
        terms = [re.fullmatch(r"(\d*)(L?)", term).groups() for term in text.split("+")]
        return sum(int(factor or 1) * (layers if letter else 1) for factor, letter in terms)

    pattern = r"^ *\| ([\dL.+]+) \| (.+?) \| (-?\d+) to (-?\d+) \|$"
    rows = re.findall(pattern, CoInferencePlacementEnv.__doc__, re.MULTILINE)
    ends = {name: [number(end) for end in (slots.split("..") * 2)[:2]] for slots, name, _, _ in rows}
    slots = {name: np.arange(first, last + 1) for name, (first, last) in ends.items()}
    return {name: (slots[name], float(low), float(high)) for _, name, low, high in rows}


@every_case
def test_every_slot_is_what_the_table_says(scenario):
    env, rng = CoInferencePlacementEnv(scenario), np.random.default_rng(3)
    layers, mean_snr, room = env.problem.horizon, env.problem.channel.average_snr, env.task.scenario.largest_placement
    rows = rows_of_the_docstring(layers)
    flag, placed, done, snr = rows
    assert flag == "1 while the placement is to be chosen"
    assert placed.startswith("one-hot of the placement, 0 while")
    assert done.startswith("one-hot of the stage, 0 while")
    assert snr.startswith("log10(SNR / mean SNR), clipped; 0 while")
    space = env.observation_space
    assert sorted(np.concatenate([slots for slots, _, _ in rows.values()])) == list(range(space.shape[0]))
    for slots, low, high in rows.values():
        assert set(space.low[slots]) == {np.float32(low)}
        assert set(space.high[slots]) == {np.float32(high)}
    seen = set()
    for _ in range(30):
        path = mean_snr * 10.0 ** rng.uniform(-7.0, 3.0, layers + 1)  # beyond the range on both sides
        actions = random_actions(rng, layers)
        steps = play(env, actions, options={"snr": path})
        placement = min(actions[0], room)
        for count, (observation, *_, info) in enumerate(steps):
            expected = np.zeros(space.shape)
            if count == 0:
                expected[rows[flag][0]] = 1.0
            else:
                expected[rows[placed][0][placement]] = 1.0
                expected[rows[done][0][info["stage"]]] = 1.0
                expected[rows[snr][0]] = np.clip(np.log10(path[info["stage"]] / mean_snr), -6.0, 2.0)
            np.testing.assert_allclose(observation, expected, rtol=1e-6, atol=1e-6)
            assert observation in space
        seen.add(placement)
    assert len(seen) > min(room, 5)


def test_observations_can_be_read_back():
    problem = Scenario.load(SMALL).problem()
    placement, stage, snr = np.array([[-1, 0, 3], [2, 3, 1]]), np.array([[0, 0, 2], [2, 3, 0]]), np.full((2, 3), 25.0)
    observation = observe_placement(problem, placement, stage, snr)
    assert (observation.shape, observation.dtype) == ((2, 3, 10), np.float32)
    back = decode_placement(observation, problem.channel.average_snr)
    np.testing.assert_array_equal(back[0], placement)
    np.testing.assert_array_equal(back[1], stage)
    np.testing.assert_allclose(back[2], np.where(placement < 0, 10.0, 25.0), rtol=1e-6)  # hidden reads as the mean


def test_snr_is_hidden_until_the_placement_is_chosen():
    env = CoInferencePlacementEnv(SMALL)
    weak, strong = (env.reset(options={"snr": np.full(4, snr)})[0] for snr in (0.1, 1000.0))
    np.testing.assert_array_equal(weak, strong)
    assert env.step(2)[0][-1] == 2.0
    vector = native(50, scenario=SMALL)
    assert len(np.unique(vector.reset(seed=0)[0], axis=0)) == 1
    assert len(np.unique(vector.step(np.full(50, 2))[0][:, -1])) == 50


# --- costs ------------------------------------------------------------------------------------------------------------


def test_first_action_pays_its_share_of_the_download_by_hand():
    # 32 bits per parameter over 3e6 bit/s for 250 tasks: 4000 -> 170.667 us, 10 000 -> 426.667 us, 20 000 -> 853.333 us
    # x (1.5 + 0.7 * 0.1 W) = 1.57 per second
    for placement, seconds in enumerate((0.0, 4000 * 32 / 3e6 / 250, 10_000 * 32 / 3e6 / 250, 20_000 * 32 / 3e6 / 250)):
        env = CoInferencePlacementEnv(SMALL, reward_scale=0.25)
        start = env.reset(seed=0)[1]
        assert [start[name] for name in AMOUNTS] == [0.0, 0.0, 0.0]
        _, reward, terminated, truncated, info = env.step(placement)
        assert [info["time_s"], info["energy_j"]] == pytest.approx([seconds, 0.1 * seconds], rel=1e-12)
        assert info["cost"] == pytest.approx(1.57 * seconds, rel=1e-12)
        assert reward == pytest.approx(-4 * 1.57 * seconds, rel=1e-12)
        assert (terminated, truncated, info["stage"]) == (False, False, 0)


@every_case
def test_every_step_costs_what_the_words_say_and_the_weights_join_it(scenario):
    env, rng = CoInferencePlacementEnv(scenario), np.random.default_rng(1)
    weights, layers = env.task.scenario.weights, env.problem.horizon
    for _ in range(40):
        path = env.problem.channel.sample_snr(rng, (layers + 1,))
        actions = random_actions(rng, layers)
        steps = play(env, actions, options={"snr": path})[1:]
        assert steps[-1][2]
        expected = hand_amounts(scenario, path, actions)
        assert [(s[4]["time_s"], s[4]["energy_j"]) for s in steps] == pytest.approx(np.array(expected), rel=1e-12)
        for _, reward, _, truncated, info in steps:
            joined = weights.time_weight * info["time_s"] + weights.energy_weight * info["energy_j"]
            assert info["cost"] == pytest.approx(joined, rel=1e-12)
            assert reward == pytest.approx(-joined / env.task.reward_scale, rel=1e-12)
            assert not truncated


@pytest.mark.parametrize("limits", [{}, {"device.memory_bytes": 1e6}], ids=["free", "1 MB"])
@pytest.mark.parametrize("scenario", ["alexnet-pi", "mobilenetv2-phone", "mobilenetv2-phone-all-device"])
def test_default_scale_is_the_best_fixed_split_that_fits(scenario, limits):
    loaded = Scenario.load(scenario, **limits)
    totals = []
    for placement in range(loaded.largest_placement + 1):  # place that much, run all of it
        rule = bl.static_split(loaded.problem(placement), placement)
        totals.append(rule.cost + hand_amounts(loaded, None, [placement])[0][0] * cost_of_a_second(loaded))
    assert CoInferencePlacementEnv(loaded).task.reward_scale == pytest.approx(min(totals), rel=1e-12)


def cost_of_a_second(scenario):
    return scenario.weights.time_weight + scenario.weights.energy_weight * scenario.link.rx_power_w


@pytest.mark.parametrize(("placement", "stage"), [(m, n) for m in range(4) for n in range(min(m + 1, 3))])
def test_every_action_but_0_offloads_once_the_placement_is_chosen(placement, stage):
    path, outcomes = np.array([3.0, 1.0, 7.0, 5.0]), []
    for action in (1, 2, 3):
        env = CoInferencePlacementEnv(SMALL)
        steps = play(env, [placement, *[0] * stage, action], options={"snr": path})
        assert steps[-1][2]
        assert steps[-1][4]["stage"] == stage
        outcomes.append((steps[-1][1], *(steps[-1][4][name] for name in AMOUNTS)))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert outcomes[0][0] < 0.0


@pytest.mark.parametrize("action", [0, 1, 2, 3])
def test_nothing_placed_is_uploaded_at_once(action):
    env = CoInferencePlacementEnv(SMALL, reward_scale=1.0)
    start, chosen, end = play(env, [0, action], options={"snr": [3.0, 1.0, 7.0, 5.0]})
    np.testing.assert_array_equal(start[4]["action_mask"], [1, 1, 1, 1])
    np.testing.assert_array_equal(chosen[4]["action_mask"], [0, 1, 0, 0])
    assert chosen[1] == 0.0
    assert str(chosen[1]) == "0.0"  # not -0.0
    # 800 bit at 2 bit/s/Hz: 4e-4 s and 2e-4 J; 6e6 FLOP on the edge: 6e-4 s
    assert [end[4]["time_s"], end[4]["energy_j"]] == pytest.approx([1e-3, 2e-4])
    assert (end[2], end[4]["stage"], end[1]) == (True, 0, pytest.approx(-(1.5e-3 + 1.4e-4)))


def test_everything_placed_completes_without_an_upload():
    env = CoInferencePlacementEnv(SMALL, reward_scale=1.0)
    steps = play(env, [3, 0, 0, 0], options={"snr": [3.0, 1.0, 7.0, 0.0]})
    assert [step[2] for step in steps] == [False, False, False, False, True]
    masks = [step[4]["action_mask"].tolist() for step in steps[:-1]]
    assert masks == [[1, 1, 1, 1], *[[1, 1, 0, 0]] * 3]
    assert steps[-1][4]["stage"] == 3
    assert [step[4]["energy_j"] for step in steps[2:]] == pytest.approx([2e-3, 4e-3, 6e-3])  # 2 W, no airtime


def test_a_part_placed_forces_the_upload_at_its_end():
    env = CoInferencePlacementEnv(SMALL)
    steps = play(env, [2, 0, 0, 0], options={"snr": [3.0, 1.0, 7.0, 0.0]})
    np.testing.assert_array_equal(steps[3][4]["action_mask"], [0, 1, 0, 0])
    assert (steps[-1][2], steps[-1][4]["stage"]) == (True, 2)
    assert steps[-1][4]["energy_j"] == pytest.approx(0.5 * 70 * 32 / 1e6 / 3.0)  # 3 bit/s/Hz at SNR 7


def test_a_batch_may_hold_tasks_of_both_phases():
    task = CoInferencePlacementEnv(SMALL, reward_scale=1.0).task
    state = State(np.array([0, 0, 0, 1, 1, 2]), np.array([-1, -1, 0, 2, 1, 3]))
    outcome = task.step(state, np.full(6, 3.0), np.array([0, 3, 0, 0, 0, 0]))
    np.testing.assert_array_equal(outcome.state.placement, [0, 3, 0, 2, 1, 3])
    np.testing.assert_array_equal(outcome.state.stage, [0, 0, 0, 2, 1, 3])
    np.testing.assert_array_equal(outcome.offloaded, [False, False, True, False, True, False])
    np.testing.assert_array_equal(outcome.terminated, [False, False, True, False, True, True])
    # choose none, choose all (20 000 parameters), upload the input, run b, upload feature a at 2 bit/s/Hz, run c
    seconds = [0.0, 20_000 * 32 / 3e6 / 250, 4e-4 + 6e-4, 2e-3, 8e-4 + 5e-4, 3e-3]
    np.testing.assert_allclose(outcome.amounts["time_s"], seconds, rtol=1e-12)
    np.testing.assert_array_equal(outcome.reward, -outcome.amounts["cost"])


# --- device memory ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("memory_bytes", "largest"), [(1, 0), (15_999, 0), (16_000, 1), (39_999, 1), (40_000, 2), (79_999, 2), (80_000, 3)]
)
def test_larger_choices_stand_for_the_largest_that_fits(memory_bytes, largest):
    scenario, path = with_memory(memory_bytes), [3.0, 1.0, 7.0, 5.0]
    vector = native(4, scenario=scenario)
    masks = vector.reset(seed=0, options={"snr": np.tile(path, (4, 1))})[1]["action_mask"]
    np.testing.assert_array_equal(masks, np.tile(np.arange(4) <= largest, (4, 1)))
    chosen = vector.step(np.arange(4))
    np.testing.assert_array_equal(chosen[0][:, 1:5], np.eye(4)[np.minimum(np.arange(4), largest)])
    for placement in range(4):
        env = CoInferencePlacementEnv(scenario)
        start, *steps = play(env, [placement, 0, 0, 0, 0], options={"snr": path})
        np.testing.assert_array_equal(start[4]["action_mask"], masks[placement])
        np.testing.assert_array_equal(steps[0][0], chosen[0][placement])
        assert steps[0][1] == chosen[1][placement]
        assert steps[-1][4]["stage"] == min(placement, largest)
        assert len(steps) - 1 == min(placement, largest) + (min(placement, largest) < 3)


def test_masks_can_be_sampled_from_to_the_end_of_the_task():
    env = CoInferencePlacementEnv(with_memory(40_000))
    env.action_space.seed(0)
    chosen = set()
    for seed in range(40):
        info, terminated, actions = env.reset(seed=seed)[1], False, []
        while not terminated:
            actions.append(int(env.action_space.sample(mask=info["action_mask"])))
            terminated, _, info = env.step(actions[-1])[2:]
        chosen.add(actions[0])
        assert set(actions[1:]) <= {0, 1}
    assert chosen == {0, 1, 2}


def test_memory_beyond_all_layers_changes_nothing():
    free, roomy = CoInferencePlacementEnv(SMALL), CoInferencePlacementEnv(with_memory(1e9))
    for placement in range(4):
        one, two = (play(env, [placement, 0, 0, 0, 0], seed=1) for env in (free, roomy))
        assert [step[1:3] for step in one] == [step[1:3] for step in two]


# --- fading -----------------------------------------------------------------------------------------------------------


def seen_db(env, actions, **reset):
    return [step[4]["snr_db"] for step in play(env, actions, **reset)][1:]


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
        env = native(3, scenario=SMALL)
        env.reset(seed=2)
        first = env.step(placements)[0][:, -1]
        env.step(np.array([1, 1, 1]))
        return np.stack([first, env.step(placements)[0][:, -1]])

    expected = first_two_tasks(np.array([0, 0, 0]))
    for placements in ([3, 2, 1], [1, 3, 3]):
        np.testing.assert_array_equal(first_two_tasks(np.array(placements)), expected)
    assert len(np.unique(expected)) == 6


# --- parity -----------------------------------------------------------------------------------------------------------


@every_case
def test_after_the_placement_it_is_the_splitting_environment_with_that_placement(scenario):
    joint, rng = CoInferencePlacementEnv(scenario, reward_scale=0.5), np.random.default_rng(0)
    layers, room = joint.problem.horizon, joint.task.scenario.largest_placement
    for placement in {0, 1, layers // 2, layers - 1, layers} & set(range(room + 1)):
        alone = CoInferenceEnv(scenario, placement, reward_scale=2.0)
        for _ in range(8):
            path = joint.problem.channel.sample_snr(rng, (layers + 1,))
            actions = random_actions(rng, layers, placement)
            steps = play(joint, actions, options={"snr": path})[1:]
            splits = play(alone, [min(action, 1) for action in actions[1:]], options={"snr": path[: placement + 1]})
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
@pytest.mark.parametrize("scenario", [SMALL, with_memory(40_000), "alexnet-pi"], ids=["small", "two fit", "alexnet-pi"])
def test_native_vector_and_vector_of_scalars_and_hand_agree_on_injected_paths(scenario, mode):
    """Every placement with every split: all lengths from 2 to L+2 steps run side by side, each slot plays one task."""
    loaded = Scenario.load(scenario)
    layers, room = loaded.layers, loaded.largest_placement
    plans = [(m, n) for m in range(layers + 1) for n in range(min(m, room) + 1)]
    slots, mean_snr = len(plans), loaded.channel_law.average_snr
    paths = mean_snr * np.random.default_rng(4).exponential(size=(slots, layers + 1))
    vector = native(slots, mode, scenario=scenario, reward_scale=1.0)
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
    env = native(2, AutoresetMode.NEXT_STEP, scenario=SMALL)
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


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["alexnet-pi", "vit-b-16-blocks-phone"])
def test_mean_return_of_the_joint_optimum_is_the_exact_optimum(name, mode):
    slots = 50_000  # standard error below 0.5 % of the cost: a bias of 3 % is found with power > 0.8
    scenario = Scenario.load(name)
    policy, optimum = bl.joint_optimum(scenario), bl.optimal_placement(scenario).cost
    env = native(slots, mode, scenario=name)
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
    """Observations, rewards and ends of 60 steps; who changes the hash gives the id a new version."""
    env, rng = native(8, scenario="alexnet-pi"), np.random.Generator(np.random.PCG64(1))
    observation, _ = env.reset(seed=2022)
    content = hashlib.sha256()
    for _ in range(60):
        actions = np.where(rng.random(8) < 0.3, rng.integers(1, 12, 8), 0)
        choosing = observation[:, 0] == 1.0
        actions = np.where(choosing, rng.integers(0, 12, 8), actions)
        observation, reward, terminated, _, _ = env.step(actions)
        numbers = [*observation.ravel(), *reward, *terminated]
        content.update("".join(f"{0.0 + round(float(number), 5):.5f}," for number in numbers).encode())
    assert content.hexdigest() == "7ba2c8acbffb9347b48bf108fbaf781fdda569f6481d3ce0088c12f6a1ae5f30"


# --- pictures ---------------------------------------------------------------------------------------------------------


def painted(env):
    """All texts on the picture of the environment, and their boxes."""
    figure = Figure(figsize=(10.0, 6.2), dpi=100)
    canvas = FigureCanvasAgg(figure)
    draw_figure(env.unwrapped.task.scene(env.unwrapped._state, env.unwrapped._path, 0.0, ""), figure)
    canvas.draw()
    return [(text.get_text(), text.get_window_extent().padded(0.5)) for text in figure.axes[0].texts]


def count(image, colour):
    return int((image == np.round(255 * np.array(to_rgb(colour)))).all(axis=-1).sum())


def test_text_of_every_phase():
    env = CoInferencePlacementEnv(SMALL, render_mode="ansi")
    env.reset(options={"snr": [3.0, 1.0, 7.0, 0.5]})
    assert env.render().splitlines() == [
        "small | choose how many of 3 layers to place | not started",
        "stage 0 of ? | feature input, 800 bit | cost 0 (0% of best static split)",
        "SNR hidden | the placement comes first",
        "",
        "edge               (a)    (b)    (c)",
        "",
        "device    <input>   ?      ?      ?",
        "stage        0      1      2      3",
        "size kbit  0.80   1.60   2.24   0.32",
        "from dB      -      -      -      -",
        "SNR dB",
    ]
    env.step(2)
    lines = env.render().splitlines()
    assert lines[0] == "small | 2 of 3 layers on the device | running"
    assert lines[1].startswith("stage 0 of 2 | feature input, 800 bit | cost 0.0006699 (")
    assert lines[2].startswith("SNR 4.8 dB | optimum offloads ")
    assert lines[4] == "edge               (a)    (b)   (+1)"
    assert lines[6] == "device    <input>   a      b"
    assert lines[10].split() == ["SNR", "dB", "4.8"]
    env.step(0)
    env.step(3)
    lines = env.render().splitlines()
    assert lines[0] == "small | 2 of 3 layers on the device | offloaded after layer 1"
    assert lines[4] == "edge                      [b]   [+1]"
    env.reset(options={"snr": [3.0, 1.0, 7.0, 0.5]})
    for action in (3, 0, 0, 0):
        env.step(action)
    assert env.render().splitlines()[0] == "small | all 3 layers on the device | completed on the device"


@every_case
def test_picture_before_the_placement_hides_snr_and_promises_nothing(scenario):
    env = CoInferencePlacementEnv(scenario, render_mode="rgb_array")
    layers, mean_snr = env.problem.horizon, env.problem.channel.average_snr
    images = []
    for snr in (1e-3 * mean_snr, 20.0 * mean_snr):
        env.reset(options={"snr": np.full(layers + 1, snr)})
        images.append(env.render())
    np.testing.assert_array_equal(images[0], images[1])
    assert images[0].shape == (620, 1000, 3)
    assert env.task.scene(env._state, env._path, 0.0, "").snr == 0.0
    assert count(images[0], style.EDGE_SOFT) == count(images[0], style.DEVICE_SOFT) == 0  # no regions of a rule
    lane = images[0][200:310, 180:]  # the device's, right of the input
    boxes = painted(env)
    words = [text for text, _ in boxes]
    assert f"{env.task.scenario.name}: choose how many of {layers} layers to place" in words
    assert {"not started", "hidden", "0 of ?"} <= set(words)
    assert not [text for text in words if "on the device" in text and "stage" not in text]
    assert not [text for text in words if text.startswith(("from ", "P(offload)", "upload "))]
    assert [(a, b) for (a, one), (b, two) in itertools.combinations(boxes, 2) if one.overlaps(two)] == []
    assert [text for text, box in boxes if not (15 < box.x0 < box.x1 < 985 and 5 < box.y0 < box.y1 < 615)] == []
    env.step(layers)
    image = env.render()
    assert count(image, style.EDGE_SOFT) + count(image, style.DEVICE_SOFT) > 0 or layers == 1
    filled = image[200:310, 180:]
    assert count(lane, style.DEVICE_PALE) < 0.6 * count(filled, style.DEVICE_PALE)  # outlines, not blocks


def test_picture_after_the_placement_is_that_of_the_splitting_environment():
    path = np.array([3.0, 1.0, 7.0, 0.5])
    joint, alone = CoInferencePlacementEnv(SMALL, render_mode="ansi"), CoInferenceEnv(SMALL, 2, render_mode="ansi")
    joint.reset(options={"snr": path}), joint.step(2)
    alone.reset(options={"snr": path[:3]})
    for action in (0, 0, 1):
        drawn, expected = (re.sub(r"cost .*", "", env.render()) for env in (joint, alone))
        assert drawn == expected
        joint.step(action), alone.step(action)
    assert re.sub(r"cost .*", "", joint.render()) == re.sub(r"cost .*", "", alone.render())


def test_pictures_of_one_placement_share_one_problem():
    """What they have in common is then drawn once, and a video is five times as fast."""
    env = CoInferencePlacementEnv(SMALL)
    env.reset(seed=0)
    scenes = []
    for action in (2, 0, 0):
        env.step(action)
        scenes.append(env.task.scene(env._state, env._path, 0.0, ""))
    assert scenes[0].problem is scenes[1].problem is scenes[2].problem
    assert scenes[0].problem.horizon == 2
    assert draw_text(scenes[0]) != draw_text(scenes[1])


@pytest.mark.parametrize("change", [{"stage": 1}, {"snr_path": (1.0,)}, {"finished": "offloaded"}])
def test_scene_before_the_placement_has_no_progress(change):
    env = CoInferencePlacementEnv(SMALL)
    env.reset(seed=0)
    scene = env.task.scene(env._state, env._path, 0.0, "")
    with pytest.raises(ValueError, match="choosing = True leaves stage at 0, snr_path empty and the task unfinished"):
        replace(scene, **change)


def test_window_follows_all_phases():
    plt.switch_backend("Agg")
    plt.close("all")
    env = CoInferencePlacementEnv(SMALL, render_mode="human")
    env.reset(seed=0)
    titles = []
    for action in (1, 0, 1):
        titles.append([text.get_text() for text in plt.gcf().axes[0].texts if text.get_text().startswith("small: ")])
        env.step(action)
    assert titles == [["small: choose how many of 3 layers to place"], *[["small: 1 of 3 layers on the device"]] * 2]
    env.close()
    assert plt.get_fignums() == []


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [4, -1, 1.5, 2.0, None, "offload", np.array([1]), np.nan])
@pytest.mark.parametrize("before", [[], [2]], ids=["choosing", "splitting"])
def test_bad_action_is_refused_and_changes_nothing(before, action):
    env, twin = CoInferencePlacementEnv(SMALL), CoInferencePlacementEnv(SMALL)
    for one in (env, twin):
        play(one, before, seed=0)
    with pytest.raises(InvalidAction, match=r"action = .* must be an integer in Discrete\(4\)"):
        env.step(action)
    for good in (2, 0, 1):
        got, expected = env.step(good), twin.step(good)
        np.testing.assert_array_equal(got[0], expected[0])
        assert got[1:3] == expected[1:3]
        if got[2]:
            break


@pytest.mark.parametrize("actions", [[4, 0], [-1, 0], [1.5, 0], [0], [[0, 0]], [None, 0], [np.nan, 0]])
def test_bad_actions_of_the_vector_environment(actions):
    env = native(2, scenario=SMALL)
    env.reset(seed=0)
    with pytest.raises(InvalidAction, match=r"must be 2 integers from 0 to 3"):
        env.step(actions)


@pytest.mark.parametrize(
    "actions", [[2.0, 3.0], np.array([2, 3], dtype=np.uint8), (2, 3)], ids=["float", "uint8", "tuple"]
)
def test_whole_numbers_of_any_kind_are_actions_of_the_vector_environment(actions):
    env, twin = native(2, scenario=SMALL), native(2, scenario=SMALL)
    env.reset(seed=0), twin.reset(seed=0)
    np.testing.assert_array_equal(env.step(actions)[0], twin.step(np.array([2, 3]))[0])


def test_step_needs_a_reset_first_and_after_the_end():
    with pytest.raises(ResetNeeded, match=r"call reset\(\) before step\(\)"):
        CoInferencePlacementEnv(SMALL).step(0)
    with pytest.raises(ResetNeeded, match=r"call reset\(\) before step\(\)"):
        native(2, scenario=SMALL).step(np.array([0, 0]))
    for actions in ([0, 0], [3, 0, 0, 0], [2, 0, 1]):  # forced, completed, offloaded
        env = CoInferencePlacementEnv(SMALL)
        assert play(env, actions, seed=0)[-1][2]
        with pytest.raises(ResetNeeded, match="the task has ended"):
            env.step(0)
        env.reset()
        env.step(3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"placement": 2}, r"reset options \['placement'\] are unknown"),
        ({"snr": [1.0, 2.0, 3.0]}, r"options\['snr'\] has shape \(3,\), expected \(4,\)"),
        ({"snr": [1.0, np.nan, 3.0, 4.0]}, r"options\['snr'\] holds nan"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        CoInferencePlacementEnv(SMALL).reset(options=options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scenario": "nowhere"}, "'nowhere' is neither a file nor one of the built-in scenarios"),
        ({"reward_scale": 0.0}, "reward_scale = 0.0; reward_scale must be finite and > 0"),
        ({"reward_scale": np.nan}, "reward_scale = nan"),
        ({"render_mode": "svg"}, "render_mode = 'svg'"),
    ],
)
def test_bad_arguments(arguments, message):
    for make in (CoInferencePlacementEnv, CoInferencePlacementVectorEnv):
        with pytest.raises(ValueError, match=message):
            make(**arguments)


def test_a_placement_cannot_be_given():
    with pytest.raises(TypeError, match="placement"):
        gym.make(ID, placement=3)

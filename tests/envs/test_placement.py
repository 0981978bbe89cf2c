"""The environment whose first action is the placement: observation, costs by hand, device memory, errors."""

import re

import gymnasium as gym
import numpy as np
import pytest

from cointer_gym import Scenario
from cointer_gym import baselines as bl
from cointer_gym.envs import CoInferenceEnv, CoInferencePlacementEnv, CoInferencePlacementVectorEnv
from support.contract import slot_number
from support.play import AMOUNTS, PLACEMENT, hand_amounts, native_placement, random_actions, rollout
from support.scenarios import BY_HAND_PLACED, THREE_LAYERS, changed, every_placement_scenario, with_memory


def rows_of_the_docstring(layers):
    """Slots and the range of each row of the table, by name, for L layers."""
    pattern = r"^ *\| ([\dL.+]+) \| (.+?) \| (.+?) \|$"
    rows = re.findall(pattern, CoInferencePlacementEnv.__doc__, re.MULTILINE)
    ends = {name: [slot_number(end, layers) for end in (slots.split("..") * 2)[:2]] for slots, name, _ in rows}
    slots = {name: np.arange(first, last + 1) for name, (first, last) in ends.items()}
    return {name: (slots[name], words) for _, name, words in rows}


# --- what is observed -------------------------------------------------------------------------------------------------


@every_placement_scenario
def test_every_slot_is_what_the_table_says(scenario):
    env, rng = CoInferencePlacementEnv(scenario), np.random.default_rng(3)
    layers, mean_snr, room = env.problem.horizon, env.problem.channel.average_snr, env.task.scenario.largest_placement
    rows = rows_of_the_docstring(layers)
    flag, placed, done, snr = rows
    assert flag == "1 while the placement is to be chosen"
    assert placed.startswith("one-hot of the placement, 0 while")
    assert done.startswith("one-hot of the stage, 0 while")
    assert snr == "log10(SNR / mean SNR), cut where the rate changes no more; 0 while choosing"
    smallest, largest = env.problem.channel.snr_range
    space = env.observation_space
    assert sorted(np.concatenate([slots for slots, _ in rows.values()])) == list(range(space.shape[0]))
    for slots, words in rows.values():
        if words == "0 to 1":
            assert set(space.low[slots]) == {0.0}
            assert set(space.high[slots]) == {1.0}
    seen = set()
    for _ in range(30):
        path = mean_snr * 10.0 ** rng.uniform(-7.0, 3.0, layers + 1)  # beyond the range on both sides
        actions = random_actions(rng, layers)
        steps = rollout(env, actions, options={"snr": path})
        placement = min(actions[0], room)
        for count, (observation, *_, info) in enumerate(steps):
            expected = np.zeros(space.shape)
            if count == 0:
                expected[rows[flag][0]] = 1.0
            else:
                expected[rows[placed][0][placement]] = 1.0
                expected[rows[done][0][info["stage"]]] = 1.0
                expected[rows[snr][0]] = np.log10(np.clip(path[info["stage"]], smallest, largest) / mean_snr)
            np.testing.assert_allclose(observation, expected, rtol=1e-6, atol=1e-6)
            assert observation in space
        seen.add(placement)
    assert len(seen) > min(room, 5)


def test_snr_is_hidden_until_the_placement_is_chosen():
    env = CoInferencePlacementEnv(THREE_LAYERS)
    weak, strong = (env.reset(options={"snr": np.full(4, snr)})[0] for snr in (0.1, 1e6))
    np.testing.assert_array_equal(weak, strong)
    assert env.step(2)[0][-1] == env.observation_space.high[-1]
    vector = native_placement(50, scenario=THREE_LAYERS)
    assert len(np.unique(vector.reset(seed=0)[0], axis=0)) == 1
    assert len(np.unique(vector.step(np.full(50, 2))[0][:, -1])) == 50


# --- costs ------------------------------------------------------------------------------------------------------------


def test_first_action_pays_its_share_of_the_download_by_hand():
    # 32 bits per parameter over 3e6 bit/s for 250 tasks: 4000 -> 170.667 us, 10 000 -> 426.667 us, 20 000 -> 853.333 us
    # x (1.5 + 0.7 * 0.1 W) = 1.57 per second
    for placement, seconds in enumerate((0.0, 4000 * 32 / 3e6 / 250, 10_000 * 32 / 3e6 / 250, 20_000 * 32 / 3e6 / 250)):
        env = CoInferencePlacementEnv(THREE_LAYERS, reward_scale=0.25)
        start = env.reset(seed=0)[1]
        assert [start[name] for name in AMOUNTS] == [0.0, 0.0, 0.0]
        _, reward, terminated, truncated, info = env.step(placement)
        assert [info["time_s"], info["energy_j"]] == pytest.approx([seconds, 0.1 * seconds], rel=1e-12)
        assert info["cost"] == pytest.approx(1.57 * seconds, rel=1e-12)
        assert reward == pytest.approx(-4 * 1.57 * seconds, rel=1e-12)
        assert (terminated, truncated, info["stage"]) == (False, False, 0)


@pytest.mark.parametrize(("placement", "download_s"), [(0, 0.0), (1, 1.28e-4), (2, 3.2e-4)])
def test_choosing_a_placement_pays_its_download(placement, download_s):
    env = CoInferencePlacementEnv(BY_HAND_PLACED, reward_scale=0.5)
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


def test_default_scale_with_a_placement_includes_the_download():
    slow = changed(BY_HAND_PLACED, **{"link.bandwidth_hz": 1e3})  # no upload pays: both layers on the device
    assert CoInferencePlacementEnv(slow).task.reward_scale == pytest.approx(5e-3 + 1e-2 + 1.2 * 3.2e-4)
    # at 1 MHz the raw input is uploaded and nothing is downloaded
    assert (
        CoInferencePlacementEnv(BY_HAND_PLACED).task.reward_scale == CoInferenceEnv(BY_HAND_PLACED, 0).task.reward_scale
    )


@every_placement_scenario
def test_every_step_costs_what_the_words_say_and_the_weights_join_it(scenario):
    env, rng = CoInferencePlacementEnv(scenario), np.random.default_rng(1)
    weights, layers = env.task.scenario.weights, env.problem.horizon
    for path in env.problem.paths(1, np.arange(40)):
        actions = random_actions(rng, layers)
        steps = rollout(env, actions, options={"snr": path})[1:]
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
        env = CoInferencePlacementEnv(THREE_LAYERS)
        steps = rollout(env, [placement, *[0] * stage, action], options={"snr": path})
        assert steps[-1][2]
        assert steps[-1][4]["stage"] == stage
        outcomes.append((steps[-1][1], *(steps[-1][4][name] for name in AMOUNTS)))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert outcomes[0][0] < 0.0


@pytest.mark.parametrize("action", [0, 1, 2, 3])
def test_nothing_placed_is_uploaded_at_once(action):
    env = CoInferencePlacementEnv(THREE_LAYERS, reward_scale=1.0)
    start, chosen, end = rollout(env, [0, action], options={"snr": [3.0, 1.0, 7.0, 5.0]})
    np.testing.assert_array_equal(start[4]["action_mask"], [1, 1, 1, 1])
    np.testing.assert_array_equal(chosen[4]["action_mask"], [0, 1, 0, 0])
    assert chosen[1] == 0.0
    assert str(chosen[1]) == "0.0"  # not -0.0
    # 800 bit at 2 bit/s/Hz: 4e-4 s and 2e-4 J; 6e6 FLOP on the edge: 6e-4 s
    assert [end[4]["time_s"], end[4]["energy_j"]] == pytest.approx([1e-3, 2e-4])
    assert (end[2], end[4]["stage"], end[1]) == (True, 0, pytest.approx(-(1.5e-3 + 1.4e-4)))


def test_everything_placed_completes_without_an_upload():
    env = CoInferencePlacementEnv(THREE_LAYERS, reward_scale=1.0)
    steps = rollout(env, [3, 0, 0, 0], options={"snr": [3.0, 1.0, 7.0, 0.0]})
    assert [step[2] for step in steps] == [False, False, False, False, True]
    masks = [step[4]["action_mask"].tolist() for step in steps[:-1]]
    assert masks == [[1, 1, 1, 1], *[[1, 1, 0, 0]] * 3]
    assert steps[-1][4]["stage"] == 3
    assert [step[4]["energy_j"] for step in steps[2:]] == pytest.approx([2e-3, 4e-3, 6e-3])  # 2 W, no airtime


def test_a_part_placed_forces_the_upload_at_its_end():
    env = CoInferencePlacementEnv(THREE_LAYERS)
    steps = rollout(env, [2, 0, 0, 0], options={"snr": [3.0, 1.0, 7.0, 0.0]})
    np.testing.assert_array_equal(steps[3][4]["action_mask"], [0, 1, 0, 0])
    assert (steps[-1][2], steps[-1][4]["stage"]) == (True, 2)
    assert steps[-1][4]["energy_j"] == pytest.approx(0.5 * 70 * 32 / 1e6 / 3.0)  # 3 bit/s/Hz at SNR 7


def test_a_batch_may_hold_tasks_of_both_phases():
    env = CoInferencePlacementVectorEnv(6, THREE_LAYERS, reward_scale=1.0)
    env.reset()
    for begun, actions in (
        ([0, 1, 2, 3, 4, 5], [0, 0, 0, 0, 0, 3]),
        ([3, 4], [0, 0, 0, 2, 1, 0]),
        ([2], [0, 0, 0, 0, 0, 0]),
        ([0, 1], [0, 3, 0, 0, 0, 0]),
    ):
        mask = np.isin(np.arange(6), begun)
        env.reset(options={"reset_mask": mask, "snr": np.full((6, 4), 3.0)})
        _, reward, terminated, _, info = env.step(np.array(actions))
    np.testing.assert_array_equal(info["placement"], [0, 3, 0, 2, 1, 3])
    np.testing.assert_array_equal(info["stage"], [0, 0, 0, 2, 1, 3])
    np.testing.assert_array_equal(terminated, [False, False, True, False, True, True])
    # choose none, choose all (20 000 parameters), upload the input, run b, upload feature a at 2 bit/s/Hz, run c
    seconds = [0.0, 20_000 * 32 / 3e6 / 250, 4e-4 + 6e-4, 2e-3, 8e-4 + 5e-4, 3e-3]
    np.testing.assert_allclose(info["time_s"], seconds, rtol=1e-12)
    np.testing.assert_array_equal(reward, -info["cost"])


# --- device memory ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("memory_bytes", "largest"), [(1, 0), (15_999, 0), (16_000, 1), (39_999, 1), (40_000, 2), (79_999, 2), (80_000, 3)]
)
def test_larger_choices_stand_for_the_largest_that_fits(memory_bytes, largest):
    scenario, path = with_memory(memory_bytes), [3.0, 1.0, 7.0, 5.0]
    vector = native_placement(4, scenario=scenario)
    masks = vector.reset(seed=0, options={"snr": np.tile(path, (4, 1))})[1]["action_mask"]
    np.testing.assert_array_equal(masks, np.tile(np.arange(4) <= largest, (4, 1)))
    chosen = vector.step(np.arange(4))
    np.testing.assert_array_equal(chosen[0][:, 1:5], np.eye(4)[np.minimum(np.arange(4), largest)])
    for placement in range(4):
        env = CoInferencePlacementEnv(scenario)
        start, *steps = rollout(env, [placement, 0, 0, 0, 0], options={"snr": path})
        np.testing.assert_array_equal(start[4]["action_mask"], masks[placement])
        np.testing.assert_array_equal(steps[0][0], chosen[0][placement])
        assert steps[0][1] == chosen[1][placement]
        assert steps[-1][4]["stage"] == min(placement, largest)
        assert len(steps) - 1 == min(placement, largest) + (min(placement, largest) < 3)


@pytest.mark.parametrize("masked", [3, 2])
def test_a_masked_action_stands_for_the_largest_that_is_not_masked_in_both_environments(masked):
    """And ``info`` says what was done: the placement in force, and the end of the task where it was offloaded."""
    scenario, path = with_memory(16_000), [3.0, 1.0, 7.0, 5.0]  # room for one layer
    for first, then in ((masked, masked), (1, 1)):
        env, vector = CoInferencePlacementEnv(scenario), native_placement(1, scenario=scenario)
        masks = [env.reset(options={"snr": path})[1]["action_mask"], vector.reset(options={"snr": [path]})[1]]
        assert masks[0].tolist() == masks[1]["action_mask"][0].tolist() == [1, 1, 0, 0]
        chosen, batch = env.step(first), vector.step([first])
        assert chosen[4]["placement"] == batch[4]["placement"][0] == 1
        assert chosen[1] == batch[1][0] == -env.task.scenario.download.cost[1] / env.task.reward_scale
        last, batch = env.step(then), vector.step([then])
        assert last[2]
        assert batch[2][0]
        assert last[4]["stage"] == batch[4]["final_info"]["stage"][0] == 0
        assert last[1] == batch[1][0] == pytest.approx(-upload_of_the_input(env.task) / env.task.reward_scale)


def upload_of_the_input(task):
    weights = task.scenario.weights  # 800 bit at 2 bit/s/Hz and 0.5 W, then 6e6 FLOP on the edge
    return weights.time_weight * (4e-4 + 6e-4) + weights.energy_weight * 2e-4


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
    free, roomy = CoInferencePlacementEnv(THREE_LAYERS), CoInferencePlacementEnv(with_memory(1e9))
    for placement in range(4):
        one, two = (rollout(env, [placement, 0, 0, 0, 0], seed=1) for env in (free, roomy))
        assert [step[1:3] for step in one] == [step[1:3] for step in two]


# --- errors -----------------------------------------------------------------------------------------------------------


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
        CoInferencePlacementEnv(THREE_LAYERS).reset(options=options)


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
        gym.make(PLACEMENT, placement=3)

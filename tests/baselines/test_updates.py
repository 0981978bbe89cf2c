"""Both time scales: what many model updates cost, against the exact cost per task and against sums made by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import t as student

from cointer_gym import Scenario
from cointer_gym import baselines as bl
from cointer_gym.baselines import updates
from support.scenarios import STEADY, TIME_AND_TWICE_ENERGY, slow_scenario

ALPHA = 1e-6

# One SNR of 3: x = 1 / log2(1 + 3) = 1/2. Weights 1/s and 2/J; 0.5 W to transmit, 0.25 W to compute or receive.
#                        seconds                          joules         ETC
#   upload input         8000 bits / 1e4 Hz / 2 = 0.4     0.2            0.8
#   edge, both layers    4e6 / 1e7 = 0.4                  0              0.4
#   layer 1 on device    1e6 / 1e7 = 0.1                  0.025          0.15
#   upload feature 1     4000 bits / 1e4 Hz / 2 = 0.2     0.1            0.4
#   edge, layer 2        0.3                              0              0.3
#   layer 2 on device    0.3                              0.075          0.45
#   download of layer 1  3200 bits / 1e5 = 0.032          0.008          0.048
#   and of layer 2       9600 bits / 1e5 = 0.096          0.024          0.144
STILL = slow_scenario(
    [(500, 1e6, 100), (10, 3e6, 300)],
    dnn={"name": "pair"},
    tasks_per_update=4.0,
    channel=STEADY,
    edge=1e7,
    weights=TIME_AND_TWICE_ENERGY,
)


def split(placement, layers, scenario=STILL):
    return bl.static_split(scenario.problem(placement), layers).policy()


def exact(scenario, placement, policy):
    problem = scenario.problem(placement)
    return bl.evaluate(policy, problem).cost + scenario.download.cost[problem.horizon]


# --- by hand ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("placement", "layers", "download", "task"),
    # (seconds, joules, ETC) of a download and of a task
    [
        (0, 0, (0.0, 0.0, 0.0), (0.8, 0.2, 1.2)),
        (1, 0, (0.032, 0.008, 0.048), (0.8, 0.2, 1.2)),
        (1, 1, (0.032, 0.008, 0.048), (0.1 + 0.2 + 0.3, 0.025 + 0.1, 0.15 + 0.4 + 0.3)),
        (2, 1, (0.128, 0.032, 0.192), (0.6, 0.125, 0.85)),
        (2, 2, (0.128, 0.032, 0.192), (0.4, 0.1, 0.6)),
        (None, 2, (0.128, 0.032, 0.192), (0.4, 0.1, 0.6)),
    ],
)
def test_sums_by_hand_on_a_channel_without_chance(placement, layers, download, task):
    run = bl.simulate_updates(split(placement, layers), STILL, placement, periods=3)
    assert run.placement == (2 if placement is None else placement)
    assert_array_equal(run.tasks, [4, 4, 4])
    assert_array_equal(run.simulated, [4, 4, 4])
    assert (run.download.time_s, run.download.energy_j, run.download.cost) == pytest.approx(download, rel=1e-12)
    for found, once, each in zip((run.spent.time_s, run.spent.energy_j, run.spent.cost), download, task, strict=True):
        assert_allclose(found, np.full(3, once + 4 * each), rtol=1e-12)
    assert_allclose(run.per_task.costs, np.full(12, task[2] + download[2] / 4), rtol=1e-12)
    assert run.per_task.cost == pytest.approx(task[2] + download[2] / 4, rel=1e-12)
    assert run.per_task.standard_error == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize(
    ("tasks_per_update", "best"),
    # layer 1 saves 1.2 - 0.85 = 0.35 a task and costs 0.048 an update: K > 0.137; layer 2 0.25 and 0.144: K > 0.576
    [(0.125, 0), (0.25, 1), (0.5, 1), (1.0, 2)],
)
def test_the_rarer_the_updates_the_more_layers_pay(tasks_per_update, best):
    scenario = STILL.replace(tasks_per_update=tasks_per_update)
    costs = [bl.simulate_updates(split(m, m), scenario, m, periods=16).per_task.cost for m in range(3)]
    shares = np.array([0.0, 0.048, 0.192]) / tasks_per_update
    assert_allclose(costs, np.add([1.2, 0.85, 0.6], shares), rtol=1e-12)
    assert int(np.argmin(costs)) == bl.optimal_placement(scenario).placement == best


# --- tasks per update: fractions, and more than can be simulated ------------------------------------------------------


@pytest.mark.parametrize(
    ("tasks_per_update", "tasks"),
    [
        (2.5, [3, 2, 3, 2]),  # 2.5, 5, 7.5, 10 -> 3, 5, 8, 10
        (0.25, [0, 1, 0, 0, 0, 1, 0, 0]),  # 0.25, 0.5, ... 1.5, ... 2 -> 0, 1, 1, 1, 1, 2, 2, 2
        (1.0, [1, 1, 1]),
        (10.29, [10, 11, 10, 10]),  # 10.29, 20.58, 30.87, 41.16 -> 10, 21, 31, 41
    ],
)
def test_fractional_tasks_per_update(tasks_per_update, tasks):
    scenario = STILL.replace(tasks_per_update=tasks_per_update)
    run = bl.simulate_updates(split(2, 1), scenario, 2, periods=len(tasks))
    assert_array_equal(run.tasks, tasks)
    assert_array_equal(run.simulated, tasks)
    assert_allclose(
        run.spent.cost, 0.192 + 0.85 * np.array(tasks), rtol=1e-12
    )  # every update is downloaded, tasks or none
    assert_allclose(run.spent.time_s, 0.128 + 0.6 * np.array(tasks), rtol=1e-12)
    assert_allclose(run.spent.energy_j, 0.032 + 0.125 * np.array(tasks), rtol=1e-12)
    assert run.per_task.costs.shape == (sum(tasks),)
    assert run.per_task.cost == pytest.approx(0.85 + 0.192 / tasks_per_update, rel=1e-12)


@pytest.mark.parametrize("tasks_per_update", [0.29, 3.7, 1 / 3, 1e5 + 0.1])
def test_the_number_of_tasks_never_strays_by_more_than_half_a_task(tasks_per_update):
    run = bl.simulate_updates(
        split(0, 0), STILL.replace(tasks_per_update=tasks_per_update), 0, periods=100, max_tasks=200
    )
    due = tasks_per_update * np.arange(1, 101)
    assert np.abs(np.cumsum(run.tasks) - due).max() <= 0.5 + 1e-9
    assert_array_equal(run.tasks, np.round(run.tasks))


@pytest.mark.parametrize("tasks_per_update", [1e4, 1e12, 1e30])
def test_more_tasks_than_can_be_simulated_are_scaled_up(tasks_per_update):
    run = bl.simulate_updates(split(2, 1), STILL.replace(tasks_per_update=tasks_per_update), 2, periods=4, max_tasks=10)
    assert_array_equal(run.tasks, np.full(4, tasks_per_update))
    assert_array_equal(run.simulated, [3, 2, 3, 2])
    assert_allclose(run.spent.cost, np.full(4, 0.192 + 0.85 * tasks_per_update), rtol=1e-12)
    assert_allclose(run.spent.time_s, np.full(4, 0.128 + 0.6 * tasks_per_update), rtol=1e-12)
    assert_allclose(run.spent.energy_j, np.full(4, 0.032 + 0.125 * tasks_per_update), rtol=1e-12)
    assert run.per_task.costs.shape == (10,)
    assert run.per_task.cost == pytest.approx(0.85 + 0.192 / tasks_per_update, rel=1e-12)


def test_scaled_totals_keep_their_mean():
    scenario = Scenario.load("alexnet-pi")
    policy = bl.backward_induction(scenario.problem(8)).policy()
    run = bl.simulate_updates(policy, scenario, 8, periods=50, max_tasks=50_000)
    assert_array_equal(run.tasks, np.full(50, 10_000))
    assert_array_equal(run.simulated, np.full(50, 1000))
    low, high = run.per_task.interval(1 - ALPHA)
    assert low <= exact(scenario, 8, policy) <= high
    assert run.spent.cost.sum() / run.tasks.sum() == pytest.approx(run.per_task.cost, rel=1e-12)


# --- the accounting: cost per task = V_0(M) + download.cost[M] --------------------------------------------------------


def rules(problem):
    return {
        "optimal": bl.backward_induction(problem).policy(),
        "look-ahead": bl.look_ahead(problem).policy(),
        "static": bl.best_static_split(problem).policy(),
        "device": bl.device_only(problem).policy(),
        "random": bl.RandomPolicy(0.3, seed=7),
    }


@pytest.mark.parametrize("rule", ["optimal", "look-ahead", "static", "device", "random"])
@pytest.mark.parametrize(
    ("name", "placement", "tasks_per_update"),
    # updates so frequent that an accounting without the download, or with two, is found out
    [
        ("alexnet-pi", 0, 500),
        ("alexnet-pi", 3, 10),
        ("alexnet-pi", None, 1000),
        ("resnet18-phone", 6, 20),
        ("vit-b-16-blocks-phone", 4, 500),
    ],
)
def test_cost_per_task_is_that_of_the_inference_and_its_share_of_the_download(name, placement, tasks_per_update, rule):
    scenario = Scenario.load(name, tasks_per_update=tasks_per_update)
    problem = scenario.problem(placement)
    policy = rules(problem)[rule]
    run = bl.simulate_updates(policy, scenario, placement, periods=50_000 // tasks_per_update, seed=5)
    wanted = exact(scenario, placement, policy)
    low, high = run.per_task.interval(1 - ALPHA)
    assert low - 1e-9 * wanted <= wanted <= high + 1e-9 * wanted  # rules without chance have no width
    assert high - low < 0.1 * wanted
    assert run.spent.cost.sum() / run.tasks.sum() == pytest.approx(run.per_task.cost, rel=1e-12)
    if problem.horizon:
        share = scenario.download.cost[problem.horizon]
        assert not low < wanted - share < high
        assert not low < wanted + share < high


@pytest.mark.parametrize("rule", ["optimal", "random"])
def test_periods_agree_in_seconds_and_joules_too(rule):
    scenario = Scenario.load("alexnet-pi", tasks_per_update=500)
    problem = scenario.problem(8)
    policy = rules(problem)[rule]
    run, score = bl.simulate_updates(policy, scenario, 8, periods=100, seed=5), bl.evaluate(policy, problem)
    per_update = 500 * scenario.download.cost[8]
    for found, once, each in (
        (run.spent.cost, per_update, score.cost),
        (run.spent.time_s, run.download.time_s, score.time_s),
        (run.spent.energy_j, run.download.energy_j, score.energy_j),
    ):
        error = found.std(ddof=1) / 10
        assert abs(found.mean() - (once + 500 * each)) < student.isf(ALPHA / 2, 99) * error
        assert error < 0.01 * found.mean()
    weights = scenario.weights
    assert_allclose(
        run.spent.cost, weights.time_weight * run.spent.time_s + weights.energy_weight * run.spent.energy_j, rtol=1e-12
    )


def test_totals_confirm_the_placement_table_and_the_joint_optimum():
    scenario = Scenario.load("mlp-pi", tasks_per_update=10_000)
    table = bl.optimal_placement(scenario)
    costs = []
    for placement in range(scenario.layers + 1):
        policy = bl.backward_induction(scenario.problem(placement)).policy()
        estimate = bl.simulate_updates(policy, scenario, placement, periods=10).per_task
        low, high = estimate.interval(1 - ALPHA)
        assert low <= table.total[placement] <= high
        costs.append(estimate.cost)
    assert 0 < int(np.argmin(costs)) == table.placement < scenario.layers
    joint = bl.joint_optimum(scenario)
    chosen = bl.chosen_placement(joint, scenario)
    run = bl.simulate_updates(bl.PlacedPolicy(joint, scenario, chosen), scenario, chosen, periods=10)
    assert run.per_task.cost == pytest.approx(costs[table.placement], rel=1e-12)


# --- fading -----------------------------------------------------------------------------------------------------------


def test_same_seed_same_totals_and_another_seed_others():
    scenario = Scenario.load("alexnet-pi", tasks_per_update=50)
    policy = bl.backward_induction(scenario.problem(4)).policy()
    first, again, other = (bl.simulate_updates(policy, scenario, 4, seed=seed) for seed in (1, 1, 2))
    assert_array_equal(first.spent.cost, again.spent.cost)
    assert_array_equal(first.per_task.costs, again.per_task.costs)
    assert (first.spent.cost != other.spent.cost).all()


def test_policies_and_placements_share_their_fading():
    scenario = Scenario.load("alexnet-pi", tasks_per_update=50)
    costs = [
        bl.simulate_updates(split(m, 0, scenario), scenario, m).per_task.costs - scenario.download.cost[m]
        for m in (0, 3, 11)
    ]
    assert_allclose(costs[1], costs[0], rtol=1e-9)
    assert_allclose(costs[2], costs[0], rtol=1e-9)
    assert np.ptp(costs[0]) > 0.1


def test_the_size_of_the_batches_does_not_matter(monkeypatch):
    scenario = Scenario.load("alexnet-pi", tasks_per_update=50)
    policy = bl.backward_induction(scenario.problem(4)).policy()
    whole = bl.simulate_updates(policy, scenario, 4)
    monkeypatch.setattr(updates, "_TASKS_PER_BATCH", 17)
    pieces = bl.simulate_updates(policy, scenario, 4)
    assert_array_equal(pieces.per_task.costs, whole.per_task.costs)
    assert_array_equal(pieces.spent.energy_j, whole.spent.energy_j)


def test_plays_the_tasks_that_simulate_plays():
    scenario = Scenario.load("alexnet-pi", tasks_per_update=50)
    problem = scenario.problem(4)
    policy = bl.backward_induction(problem).policy()
    of_updates = bl.simulate_updates(policy, scenario, 4, periods=3, seed=8).per_task.costs
    alone = bl.simulate(policy, problem, 150, seed=8).costs
    assert_allclose(of_updates - scenario.download.cost[4], alone, rtol=1e-12)


def test_periods_differ():
    """Tasks are drawn anew in every period."""
    scenario = Scenario.load("alexnet-pi", tasks_per_update=50)
    run = bl.simulate_updates(split(4, 0, scenario), scenario, 4, periods=20)
    assert len(set(run.spent.cost)) == 20


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("placement", [-1, 3, 1.5, "all", True])
def test_bad_placement(placement):
    message = f"placement = {placement!r} must be an integer from 0 to 2, the layers of pair$"
    with pytest.raises(ValueError, match=message):
        bl.simulate_updates(split(2, 0), STILL, placement)


@pytest.mark.parametrize("placement", [2, None])
def test_layers_that_do_not_fit_into_the_memory(placement):
    small = STILL.replace(**{"device.memory_bytes": 400.0})
    assert bl.simulate_updates(split(1, 0), small, 1).placement == 1
    message = r"placement = 2 must be an integer from 0 to 1, .* that fit into device\.memory_bytes = 400"
    with pytest.raises(ValueError, match=message):
        bl.simulate_updates(split(2, 0), small, placement)


@pytest.mark.parametrize("periods", [0, -1, 2.5])
def test_bad_periods(periods):
    with pytest.raises(ValueError, match=f"periods = {periods} must be an integer >= 1"):
        bl.simulate_updates(split(2, 0), STILL, periods=periods)


def test_too_few_tasks_say_how_many_periods_it_takes():
    rare = STILL.replace(tasks_per_update=0.01)
    message = r"periods = 30 with tasks_per_update = 0.01 serve 0 tasks, too few .* at least 200 periods"
    with pytest.raises(ValueError, match=message):
        bl.simulate_updates(split(2, 0), rare, periods=30)
    assert bl.simulate_updates(split(2, 0), rare, periods=200).tasks.sum() == 2


def test_bad_max_tasks():
    with pytest.raises(ValueError, match="max_tasks = 1 must be an integer >= 2"):
        bl.simulate_updates(split(2, 0), STILL, max_tasks=1)
    with pytest.raises(ValueError, match="max_tasks = 19 must be at least one for each of the 20 periods"):
        bl.simulate_updates(split(2, 0), STILL, max_tasks=19)


def test_malformed_predict():
    class Odd:
        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            return np.full(len(observation), 7), state

    with pytest.raises(ValueError, match="expected one action per observation, 0 or 1"):
        bl.simulate_updates(Odd(), STILL)

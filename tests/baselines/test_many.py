"""Many problems at once against one problem at a time."""

import json
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from cointer_gym import Empirical, Nakagami, Rayleigh, Rician, Scenario, StoppingProblem
from cointer_gym import baselines as bl
from cointer_gym.baselines.bellman import placement_values, policy_value
from cointer_gym.problem import StageTerms
from support.laws import TRACE
from support.places import DATA
from support.problems import stopping_problem

check = settings(derandomize=True, deadline=None, max_examples=60, database=None)
EXACT = 1e-11  # relative; promised are 1e-9


@st.composite
def laws(draw):
    limits = {
        "min_efficiency": draw(st.sampled_from([0.0, 1e-20, 1e-3, 0.1523]) | st.floats(0.01, 1.0)),
        "max_efficiency": draw(st.none() | st.floats(1.1, 8.0)),
    }
    kind = draw(st.integers(0, 4))
    if kind == 4:
        return Empirical(snr=draw(st.sampled_from([TRACE, (3.0,), (0.5, 20.0)])), **limits)
    mean_snr = 10.0 ** (draw(st.floats(-30.0, 60.0)) / 10.0)
    if kind == 3:
        return Rician(mean_snr=mean_snr, k_factor=draw(st.sampled_from([0.0, 4.0, 200.0])), **limits)
    if kind == 2:
        return Nakagami(mean_snr=mean_snr, m=draw(st.sampled_from([0.5, 3.0, 40.0])), **limits)
    return Rayleigh(mean_snr=mean_snr, **limits)


def decades(low, high):
    return st.just(0.0) | st.floats(low, high).map(lambda decade: 10.0**decade)


@st.composite
def problems(draw, wide=False):
    horizon, channel = draw(st.integers(0, 6)), draw(laws())
    cost = decades(-15.0, 16.0) if wide else decades(-3.0, 1.0)
    airtime, edge = (draw(st.lists(cost, min_size=horizon + 1, max_size=horizon + 1)) for _ in range(2))
    completes = horizon > 0 and draw(st.booleans())
    if completes or math.isinf(channel.mean_channel_uses_per_bit):
        airtime[-1] = edge[-1] = 0.0
    device = draw(st.lists(cost, min_size=horizon, max_size=horizon))
    return stopping_problem(airtime, edge, device, channel, completes=completes)


def columns(count, law=Rayleigh, seed=0, layers=9, ragged=True, share=0.5, **more):
    """A stack of random problems with laws in columns, of which a share completes."""
    rng = np.random.default_rng(seed)
    airtime = 10.0 ** rng.uniform(-1.0, 0.5, (count, layers + 1))
    edge = np.sort(rng.uniform(0.0, 0.3, (count, layers + 1)))[:, ::-1].copy()
    horizon = rng.integers(1, layers + 1, count) if ragged else np.full(count, layers)
    completes = rng.random(count) < share
    for costs in (airtime, edge):
        costs[completes, horizon[completes]] = 0.0
        costs[np.arange(layers + 1) > horizon[:, None]] = np.nan
    channel = bl.LawColumns(
        law,
        **{"mean_snr": 10.0 ** rng.uniform(-3.0, 6.0, count), "min_efficiency": rng.uniform(0.02, 0.4, count)}
        | {"max_efficiency": np.where(rng.random(count) < 0.5, np.inf, rng.uniform(1.0, 8.0, count))}
        | more,
    )
    return bl.ProblemStack(
        airtime_cost=airtime,
        edge_cost=edge,
        device_cost=rng.uniform(0.01, 0.3, (count, layers)),
        channel=channel,
        completes=completes,
        horizon=horizon,
    )


def hold(solved, stack, rtol=EXACT):
    """Every row is the solution of its own problem."""
    for row in range(len(stack)):
        problem = stack.problem(row)
        alone, last = bl.backward_induction(problem), problem.horizon
        assert_allclose(solved.value[row, : last + 1], alone.value, rtol=rtol, atol=0, err_msg=f"row {row}")
        assert np.isnan(solved.value[row, last + 1 :]).all()
        assert np.isnan(solved.threshold_snr[row, last:]).all()
        rule = bl.threshold_solution(problem, "scored", solved.threshold_snr[row, :last])
        assert_allclose(rule.value, alone.value, rtol=10 * rtol, atol=0, err_msg=f"row {row}")
        assert solved.cost[row] == solved.value[row, 0]


# --- values and thresholds --------------------------------------------------------------------------------------------


@check
@given(st.lists(problems(), min_size=1, max_size=8))
def test_a_stack_of_any_problems_is_solved_as_each_of_them(posed):
    stack = bl.ProblemStack.of(posed)
    hold(bl.solve_many(posed), stack)


@check
@given(st.lists(problems(wide=True), min_size=1, max_size=4))
def test_costs_as_far_apart_as_they_may_be(posed):
    hold(bl.solve_many(posed), bl.ProblemStack.of(posed))


@pytest.mark.parametrize(
    ("law", "more"),
    [
        (Rayleigh, {}),
        (Nakagami, {"m": 2.5}),
        (Nakagami, {"m": np.repeat([0.5, 1.0, 60.0, 1e4], 50)}),
        (Rician, {"k_factor": 4.0}),
        (Rician, {"k_factor_db": np.tile([-10.0, 15.0, 40.0, 3.0], 50)}),
    ],
)
def test_laws_in_columns(law, more):
    stack = columns(200, law, **more)
    solved = bl.solve_many(stack)
    hold(solved, stack)
    for row in range(200):
        last = stack.horizon[row]
        alone = bl.backward_induction(stack.problem(row)).threshold_snr
        assert_allclose(solved.threshold_snr[row, :last], alone, rtol=1e-9)
        with np.errstate(divide="ignore"):
            assert_array_equal(solved.threshold_snr_db[row, :last], 10.0 * np.log10(solved.threshold_snr[row, :last]))


def test_reference_cases_as_one_stack():
    cases = json.loads((DATA / "stopping_cases.json").read_text(encoding="utf-8"))["cases"]
    posed = [
        StoppingProblem(
            channel=Rayleigh(mean_snr=case["mean_snr"], min_efficiency=case["r_min"], max_efficiency=case["r_max"]),
            **{name: case[name] for name in ("airtime_cost", "edge_cost", "device_cost", "completes")},
        )
        for case in cases
    ]
    solved = bl.solve_many(posed)
    for row, case in enumerate(cases):
        for found, name in ((solved.value, "value"), (solved.threshold_snr, "threshold_snr")):
            expected = [float(entry) for entry in case["expected"][name]]
            assert_allclose(found[row, : len(expected)], expected, rtol=1e-9, atol=0, err_msg=f"case {row}, {name}")


@pytest.mark.parametrize(
    ("law", "more"), [(Rayleigh, {}), (Nakagami, {"m": 0.6}), (Nakagami, {"m": 3.0}), (Rician, {"k_factor": 9.0})]
)
@pytest.mark.parametrize("low", [0.0, 1e-30, 1e-12])
def test_hardly_any_most_robust_rate(low, law, more):
    """Without one, the caps that are asked about decide how far down the table must reach."""
    stack = columns(60, law, min_efficiency=low, share=1.0, **more)
    hold(bl.solve_many(stack), stack)
    mild = more.get("m", 0.0) > 1.0
    if low > 0 or mild:
        forced = columns(20, law, min_efficiency=low, share=0.0, **more)
        hold(bl.solve_many(forced), forced)


def test_mean_snrs_beyond_all_reason():
    stack = columns(100, mean_snr=np.geomspace(1e-30, 1e30, 100))
    hold(bl.solve_many(stack), stack)


def test_one_law_for_all_and_one_for_each():
    stack, law = columns(100), Rayleigh(mean_snr=7.0, max_efficiency=4.0)
    fields = {
        name: getattr(stack, name) for name in ("airtime_cost", "edge_cost", "device_cost", "completes", "horizon")
    }
    for channel in (law, [law] * 100, [Rayleigh(mean_snr=7.0, max_efficiency=4.0) for _ in range(100)]):
        same = bl.ProblemStack(channel=channel, **fields)
        hold(bl.solve_many(same), same)
    mixed = [law, Empirical(snr=TRACE, min_efficiency=0.1), Nakagami(mean_snr=3.0, m=2.0), law] * 25
    same = bl.ProblemStack(channel=mixed, **fields)
    hold(bl.solve_many(same), same)


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_chunks_change_nothing_and_tell_what_is_done(chunk):
    stack, told = columns(150), []
    whole, parted = bl.solve_many(stack), bl.solve_many(stack, chunk=chunk, progress=lambda *done: told.append(done))
    assert_allclose(parted.value, whole.value, rtol=1e-12)
    assert_allclose(parted.threshold_snr, whole.threshold_snr, rtol=1e-10)
    assert told == [(min(chunk * (k + 1), 150), 150) for k in range(math.ceil(150 / chunk))]
    placed, again = (bl.place_many(stack, np.linspace(0.0, 0.1, 10), chunk=size) for size in (None, chunk))
    assert_allclose(again.total, placed.total, rtol=1e-12)


def test_the_work_space_does_not_grow_with_the_number_of_problems():
    peaks = {}
    for count in (4_000, 16_000):
        stack = columns(count, layers=20)
        bl.solve_many(stack[:100])
        tracemalloc.start()
        solved = bl.solve_many(stack)
        peaks[count] = tracemalloc.get_traced_memory()[1] - solved.value.nbytes - solved.threshold_snr.nbytes
        tracemalloc.stop()
    assert max(peaks.values()) < 30e6
    assert peaks[16_000] < 1.3 * peaks[4_000]


def test_long_networks_take_smaller_blocks():
    stack = columns(40, layers=2_000, ragged=False)
    tracemalloc.start()
    solved = bl.solve_many(stack)
    assert tracemalloc.get_traced_memory()[1] < 60e6
    tracemalloc.stop()
    alone = bl.backward_induction(stack.problem(7))
    assert_allclose(solved.value[7], alone.value, rtol=1e-9)


# --- what else the rules take -----------------------------------------------------------------------------------------


def test_seconds_and_joules_of_the_optimal_rules():
    scenarios = [
        Scenario.load("alexnet-pi", **{"channel.mean_snr_db": level, "link.bandwidth_hz": width})
        for level, width in ((3.0, 1e6), (14.0, 4e6), (25.0, 3e5))
    ]
    for placement in (None, 3):
        posed = [scenario.problem(placement) for scenario in scenarios]
        solved = bl.solve_many(posed)
        for name in ("time", "energy"):
            own = [getattr(problem, name) for problem in posed]
            terms = StageTerms(**{part: np.stack([getattr(each, part) for each in own]) for part in vars(own[0])})
            expected = solved.expected(terms)
            for row, problem in enumerate(posed):
                moments = bl.backward_induction(problem).moments
                assert_allclose(expected[row], policy_value(own[row], problem, moments), rtol=1e-9)


@check
@given(st.lists(problems(), min_size=1, max_size=5))
def test_the_expected_cost_is_the_value_and_static_splits_cost_what_each_problem_says(posed):
    stack = bl.ProblemStack.of(posed)
    solved = bl.solve_many(stack)
    assert_allclose(solved.expected(stack.cost), solved.value, rtol=1e-9)
    for row, problem in enumerate(posed):
        assert_allclose(stack.static_cost[row, : problem.horizon + 1], problem.static_cost, rtol=1e-12)
        assert np.isnan(stack.static_cost[row, problem.horizon + 1 :]).all()


def test_moments_of_rare_and_almost_sure_uploads():
    stack = columns(300, ragged=False)
    solved = bl.solve_many(stack)
    ones = StageTerms(
        airtime=np.zeros(10), edge=np.ones(10), device=np.zeros(9)
    )  # every task is uploaded, or completes
    uploads = bl.solve_many(columns(300, ragged=False, share=0.0)).expected(ones)
    assert_allclose(uploads, 1.0, rtol=1e-12)
    for row in range(0, 300, 10):
        problem = stack.problem(row)
        moments = problem.channel.offload_moments(solved.threshold_snr[row])
        counted = StageTerms(airtime=np.append(np.ones(9), 0.0), edge=np.zeros(10), device=np.zeros(9))
        wide = StageTerms(**{name: np.tile(part, (300, 1)) for name, part in vars(counted).items()})
        assert_allclose(solved.expected(wide)[row], policy_value(counted, problem, moments), rtol=1e-9, atol=1e-15)


def test_what_never_happens_takes_nothing_even_if_it_would_take_forever():
    """Stage 0 is free, so nobody goes on to the upload that has no mean without a most robust rate."""
    posed = stopping_problem([0.0, 0.0], [0.0, 1.0], [1.0], Rayleigh(mean_snr=10.0, min_efficiency=0.0))
    seconds = StageTerms(airtime=np.array([0.0, 1.0]), edge=np.array([0.25, 0.0]), device=np.ones(1))
    for count in (1, 100):
        assert_array_equal(bl.solve_many([posed] * count).expected(seconds), [[0.25, math.inf]] * count)


# --- placement --------------------------------------------------------------------------------------------------------


def test_placements_of_many_are_those_of_each():
    scenarios = [
        Scenario.load(
            "alexnet-pi", **{"channel.mean_snr_db": level, "tasks_per_update": tasks, "device.memory_bytes": memory}
        )
        for level in (0.0, 10.0, 25.0)
        for tasks in (1.0, 100.0, 1e5)
        for memory in (None, 1e6)
    ]
    stack = bl.ProblemStack.of([scenario.problem() for scenario in scenarios])
    layers = np.arange(stack.cost.airtime.shape[1])
    placed = bl.place_many(
        stack,
        np.stack([scenario.download.cost for scenario in scenarios]),
        allowed=layers <= np.array([[scenario.largest_placement] for scenario in scenarios]),
    )
    for row, scenario in enumerate(scenarios):
        table = bl.optimal_placement(scenario)
        assert_allclose(placed.inference_cost[row], table.inference_cost, rtol=EXACT)
        assert_allclose(placed.total[row], table.total, rtol=EXACT)
        assert placed.placement[row] == table.placement
        assert placed.cost[row] == pytest.approx(table.cost, rel=EXACT)
    assert len(set(placed.placement)) > 2
    fewer = stack.placed(placed.placement)
    assert_allclose(
        bl.solve_many(fewer).cost, placed.inference_cost[np.arange(len(stack)), placed.placement], rtol=EXACT
    )
    assert_array_equal(fewer.completes, placed.placement == stack.horizon)


@check
@given(st.lists(problems(), min_size=1, max_size=5))
def test_every_placement_of_any_problems(posed):
    stack = bl.ProblemStack.of(posed)
    placed = bl.place_many(posed, np.zeros(stack.cost.airtime.shape[1]))
    for row, problem in enumerate(posed):
        assert_allclose(placed.inference_cost[row, : problem.horizon + 1], placement_values(problem), rtol=EXACT)
        assert np.isnan(placed.inference_cost[row, problem.horizon + 1 :]).all()
        assert np.isposinf(placed.total[row, problem.horizon + 1 :]).all()
        assert placed.placement[row] <= problem.horizon


def test_without_a_most_robust_rate_only_full_placement_has_a_finite_cost():
    stack = columns(60, min_efficiency=0.0, ragged=False, share=1.0)
    placed = bl.place_many(stack, np.zeros(10))
    assert np.isposinf(placed.inference_cost[:, :-1]).all()
    assert_allclose(placed.inference_cost[:, -1], bl.solve_many(stack).cost, rtol=EXACT)
    assert (placed.placement == 9).all()
    assert np.isposinf(bl.place_many(stack, np.zeros(10), allowed=np.arange(10) < 9).cost).all()


# --- stacks -----------------------------------------------------------------------------------------------------------


def test_rows_of_a_stack():
    stack = columns(30, Nakagami, m=np.linspace(0.5, 3.0, 30))
    solved = bl.solve_many(stack)
    for rows in (slice(3, 20, 4), np.array([5, 2, 29]), np.arange(30) % 7 == 0):
        part = stack[rows]
        assert_allclose(bl.solve_many(part).value, solved.value[rows], rtol=1e-12)
    laws = [stack.law(row) for row in range(30)]
    again = bl.ProblemStack.of([stack.problem(row) for row in range(30)])
    assert again[np.array([4])].law(0) == laws[4]
    assert (len(again), len(part)) == (30, 5)
    with pytest.raises(TypeError, match=r"stack\[3\] must be rows; stack.problem\(3\) is a single problem"):
        stack[3]


def test_what_stands_behind_the_last_stage_is_ignored():
    stack = columns(40)
    behind = np.arange(10) > stack.horizon[:, None]
    assert behind.any()
    assert_array_equal(stack.cost.airtime[behind], 0.0)
    other = bl.ProblemStack(
        airtime_cost=np.where(behind, -7.0, stack.cost.airtime),
        edge_cost=np.where(behind, np.inf, stack.cost.edge),
        device_cost=np.where(behind[:, 1:], 1e300, stack.cost.device),
        **{name: getattr(stack, name) for name in ("channel", "completes", "horizon")},
    )
    assert_array_equal(bl.solve_many(other).value, bl.solve_many(stack).value)


@pytest.mark.usefixtures("registry")
def test_a_law_with_a_formula_of_its_own_is_solved_by_it():
    class Twice(Rayleigh):
        """No law at all: E[min(x, tau)] is half of what the table of the gain says."""

        def capped_mean(self, channel_uses):
            return super().capped_mean(channel_uses) / 2.0

    stack = columns(5, Twice, ragged=False)
    alone = [bl.backward_induction(stack.problem(row)).value for row in range(5)]
    for solved in (bl.solve_many(stack), bl.solve_many([stack.problem(row) for row in range(5)])):
        assert_allclose(solved.value, alone, rtol=1e-12)
    assert (solved.cost < 0.999 * bl.solve_many(columns(5, ragged=False)).cost).all()


# --- refusals ---------------------------------------------------------------------------------------------------------

FINE = {
    "airtime_cost": np.ones((3, 3)),
    "edge_cost": np.ones((3, 3)),
    "device_cost": np.ones((3, 2)),
    "channel": Rayleigh(mean_snr=10.0),
    "completes": False,
}


def with_entry(name, at, value):
    array = FINE[name].copy()
    array[at] = value
    return {name: array}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"airtime_cost": np.ones(3)}, r"airtime_cost has shape \(3,\), expected \(problems, stages\)"),
        ({"edge_cost": np.ones((3, 2))}, r"edge_cost has shape \(3, 2\), expected \(3, 3\)"),
        ({"device_cost": np.ones((3, 3))}, r"device_cost has shape \(3, 3\), expected \(3, 2\)"),
        (with_entry("airtime_cost", (2, 1), -1.0), r"airtime_cost\[2, 1\] = -1.0 must be finite and from 0 to 1e\+200"),
        (with_entry("edge_cost", (1, 0), np.nan), r"edge_cost\[1, 0\] = nan must be finite"),
        (with_entry("device_cost", (0, 1), 1e201), r"device_cost\[0, 1\] = 1e\+201 must be .* to 1e\+200"),
        (with_entry("airtime_cost", (1, 2), 1e-101), r"airtime_cost\[1, 2\] = 1e-101 must be 0 or at least 1e-100"),
        ({"horizon": [2, 3, 1]}, r"horizon\[1\] = 3 must be from 0 to 2"),
        ({"horizon": [2, -1, 1]}, r"horizon\[1\] = -1 must be from 0 to 2"),
        ({"horizon": [2.0, 1.0, 1.0]}, r"horizon has shape \(3,\) and type float64, expected integers of shape \(3,\)"),
        ({"completes": [True, False]}, r"completes has shape \(2,\) and type bool, expected booleans of shape \(3,\)"),
        ({"completes": [1, 0, 1]}, r"completes has shape \(3,\) and type int64, expected booleans"),
        ({"completes": [False, True, False]}, r"completes\[1\] = True leaves .*airtime_cost\[1, 2\] = 1.0.* must be 0"),
        (
            {"completes": True, "horizon": [2, 0, 1]},
            r"completes\[1\] = True needs at least one layer, horizon\[1\] = 0",
        ),
        ({"channel": [Rayleigh(mean_snr=1.0)] * 2}, "channel has 2 laws, expected 3"),
        ({"channel": [Rayleigh(mean_snr=1.0), 3.0, 4.0]}, r"channel\[1\] = 3.0 must be a ChannelLaw"),
        (
            {"channel": Rayleigh(mean_snr=10.0, min_efficiency=0.0)},
            r"min_efficiency\[0\] = 0.0 makes the mean cost of the forced upload at stage 2 infinite",
        ),
        (
            {"channel": [Rayleigh(mean_snr=10.0), Empirical(snr=(0.0, 1.0), min_efficiency=0.0), FINE["channel"]]},
            r"min_efficiency\[1\] = 0.0 makes the mean cost",
        ),
        (
            {"channel": bl.LawColumns(Rayleigh, mean_snr=1.0, min_efficiency=[0.1, 0.1, 0.0])},
            r"min_efficiency\[2\] = 0.0 makes the mean cost",
        ),
        ({"channel": bl.LawColumns(Rayleigh, mean_snr=[1.0, 2.0])}, "channel has 2 laws, expected 3"),
    ],
)
def test_bad_stacks_are_named_by_row_and_field(change, message):
    bl.ProblemStack(**FINE)
    with pytest.raises(ValueError, match=message):
        bl.ProblemStack(**FINE | change)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"law": Empirical, "snr": [1.0]}, "law = Empirical must be a class of fading laws"),
        ({"law": Rayleigh}, "Rayleigh needs mean_snr"),
        ({"law": Rayleigh, "mean_snr": 1.0, "m": 2.0}, "Rayleigh does not take m; its fields are min_efficiency, "),
        ({"law": Rayleigh, "mean_snr": 1.0, "mean_snr_db": 2.0}, "give mean_snr_db or mean_snr, not both"),
        ({"law": Rayleigh, "mean_snr": [1.0, -2.0, 3.0]}, r"mean_snr\[1\] = -2.0: .*greater than 0"),
        ({"law": Rayleigh, "mean_snr": [1.0, 2.0, np.nan]}, r"mean_snr\[2\] = nan: .*finite"),
        ({"law": Rayleigh, "mean_snr": [1.0, np.inf, 3.0]}, r"mean_snr\[1\] = inf: .*finite"),
        ({"law": Rayleigh, "mean_snr": [1.0, 1e-31, 3.0]}, r"mean_snr\[1\] = 1e-31: .*at least 1e-30"),
        ({"law": Rayleigh, "mean_snr_db": [1.0, 9999.0]}, r"mean_snr\[1\] = inf: "),
        ({"law": Rayleigh, "mean_snr": 0.0}, "mean_snr = 0.0: .*greater than 0"),
        ({"law": Rayleigh, "mean_snr": "ten"}, "mean_snr must be numbers"),
        ({"law": Rayleigh, "mean_snr": [[1.0]]}, r"mean_snr has shape \(1, 1\), expected one axis"),
        (
            {"law": Rayleigh, "mean_snr": [1.0, 2.0], "min_efficiency": [0.1] * 3},
            "in length: mean_snr 2, min_efficiency 3",
        ),
        (
            {"law": Rayleigh, "mean_snr": [1.0, 2.0, 3.0], "min_efficiency": 0.5, "max_efficiency": [4.0, 0.4, np.inf]},
            r"channel\[1\]: max_efficiency = 0.4 must exceed min_efficiency = 0.5",
        ),
        (
            {"law": Rayleigh, "mean_snr": 1.0, "min_efficiency": [0.1, 1e-301, 0.2]},
            r"channel\[1\]: min_efficiency = 1e-301 must be 0 or at least 1e-300",
        ),
        ({"law": Nakagami, "mean_snr": 1.0, "m": [1.0, 0.4]}, r"m\[1\] = 0.4: .*greater than or equal to 0.5"),
        ({"law": Rician, "mean_snr": 1.0, "k_factor": [1.0, 2e4]}, r"k_factor\[1\] = 20000.0: .*less than or equal to"),
    ],
)
def test_bad_laws_in_columns_are_named_by_row_and_field(arguments, message):
    with pytest.raises(ValueError, match=message):
        bl.LawColumns(**arguments)


def test_bad_requests():
    stack = bl.ProblemStack(**FINE)
    with pytest.raises(ValueError, match="there are no problems to stack"):
        bl.solve_many([])
    with pytest.raises(ValueError, match="chunk = 0 must be an integer >= 1"):
        bl.solve_many(stack, chunk=0)
    with pytest.raises(ValueError, match=r"placement\[1\] = 3 must be from 0 to 2"):
        stack.placed([0, 3, 1])
    with pytest.raises(ValueError, match=r"download_cost\[0, 2\] = -1.0 must be finite"):
        bl.place_many(stack, [0.0, 1.0, -1.0])
    with pytest.raises(
        ValueError, match=r"allowed has shape \(2,\) and type bool, expected booleans of shape \(3, 3\)"
    ):
        bl.place_many(stack, np.zeros(3), allowed=[True, False])
    solved = bl.solve_many(stack)
    with pytest.raises(ValueError, match=r"airtime\[1, 0\] = nan must be finite"):
        solved.expected(StageTerms(airtime=np.where(np.eye(3)[1:2].T, np.nan, FINE["edge_cost"]), **rest()))
    ready = bl.ProblemStack(
        **FINE
        | dict.fromkeys(("airtime_cost", "edge_cost"), np.array([1.0, 1.0, 0.0]) * np.ones((3, 1)))
        | {"completes": True}
    )
    with pytest.raises(ValueError, match=r"completes\[0\] = True leaves .*: airtime\[0, 2\] = 1.0, edge\[0, 2\] = 1.0"):
        bl.solve_many(ready).expected(StageTerms(airtime=np.ones((3, 3)), **rest()))


def rest():
    return {"edge": FINE["edge_cost"], "device": FINE["device_cost"]}

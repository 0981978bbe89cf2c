"""One decision as a row of tables: where it leads, what it costs, and how far it moves the counter, all by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from cointer_gym.channels.counter import GOLDEN
from cointer_gym.dynamics import CHOOSING, CONTINUE, OFFLOAD, Charge, Moves
from cointer_gym.problem import StageTerms
from cointer_gym.records import Amounts
from support.problems import steady_problem, stopping_problem

FORCED = Moves(steady_problem([1.0, 2.0, 3.0], [0.3, 0.2, 0.1], [0.5, 0.7]))
COMPLETE = Moves(steady_problem([1.0, 2.0, 0.0], [0.3, 0.2, 0.0], [0.5, 0.7], completes=True))
DOWNLOAD = Amounts(np.array([0.0, 10.0, 30.0]), np.array([0.0, 1.0, 3.0]), np.array([0.0, 4.0, 12.0]))
CHOOSE = Moves(COMPLETE.problem, DOWNLOAD, largest=2)
LITTLE_MEMORY = Moves(COMPLETE.problem, DOWNLOAD, largest=1)
NO_MEMORY = Moves(COMPLETE.problem, DOWNLOAD, largest=0)
ALL = {"forced": FORCED, "complete": COMPLETE, "choose": CHOOSE, "two of three": LITTLE_MEMORY, "none fits": NO_MEMORY}
HALF = 0.5  # x at an SNR of 3: 1 / log2(1 + 3)
every_table = pytest.mark.parametrize("moves", ALL.values(), ids=ALL)


def many(*numbers):
    return np.array(numbers, dtype=np.int64)


def play(moves, *actions, placement=None):
    """Rows, states, placements, stages and counters of one task; the state before the first action comes first."""
    first = CHOOSING if moves.chooses else moves.problem.horizon
    state, placed, counter = many(moves.start), many(first if placement is None else placement), np.uint64([0])
    seen = SimpleNamespace(rows=[], states=[int(state[0])], placements=[int(placed[0])], counters=[0])
    for action in actions:
        row = moves.row(state, many(action))
        state, placed = moves.arrived(row, placed)
        counter = counter + moves.advance.take(row)
        for trace, number in (
            (seen.rows, row),
            (seen.states, state),
            (seen.placements, placed),
            (seen.counters, counter),
        ):
            trace.append(int(number[0]))
    seen.stages = moves.stage[seen.states].tolist()
    seen.ended = [state >= moves.first_ended for state in seen.states]
    return seen


def spent(moves, seen, uses=HALF):
    """ETC of every row that was played."""
    return moves.charges.cost.of(many(*seen.rows), np.full(len(seen.rows), uses))


def steps(*counts):
    """Multiples of the counter's step, modulo 2^64."""
    return [count * GOLDEN % 2**64 for count in counts]


# --- a given placement ------------------------------------------------------------------------------------------------


def test_a_batch_continues_offloads_and_is_forced():
    stage, action = many(0, 0, 1, 1, 2, 2), many(0, 1, 0, 1, 0, 1)
    state = np.array([FORCED.entered(n, 2) for n in stage])
    row = FORCED.row(state, action)
    after, placement = FORCED.arrived(row, np.full(6, 2))
    uploads = [False, True, False, True, True, True]
    assert_array_equal(FORCED.stage[after], [1, 0, 2, 1, 2, 2])
    assert_array_equal(FORCED.offloads[row], uploads)
    assert_array_equal(after >= FORCED.first_ended, uploads)
    assert_array_equal(placement, 2)
    # continue 0.5, upload 1/2 + 0.3, continue 0.7, upload 2/2 + 0.2, forced 3/2 + 0.1 twice
    expected = [0.5, 0.8, 0.7, 1.2, 1.6, 1.6]
    assert_allclose(FORCED.charges.cost.of(row, np.full(6, HALF)), expected, rtol=1e-15)
    assert FORCED.charges.time_s is FORCED.charges.energy_j is None


@pytest.mark.parametrize("last", [CONTINUE, OFFLOAD])
def test_a_task_with_a_forced_upload_at_its_end(last):
    seen = play(FORCED, 0, 0, last)
    assert (seen.stages, seen.ended) == ([0, 1, 2, 2], [False, False, False, True])
    assert_array_equal(FORCED.masks[seen.states], [[1, 1], [1, 1], [0, 1], [0, 1]])
    assert_allclose(spent(FORCED, seen), [0.5, 0.7, 1.6], rtol=1e-15)


def test_the_last_layer_of_a_complete_network_ends_the_task_without_an_upload():
    seen = play(COMPLETE, 0, 0)
    assert (seen.stages, seen.ended) == ([0, 1, 2], [False, False, True])
    assert not COMPLETE.offloads[seen.rows].any()
    assert_array_equal(COMPLETE.masks[seen.states], [[1, 1]] * 3)
    for uses in (HALF, np.inf):  # the channel does not matter
        assert_array_equal(spent(COMPLETE, seen, uses), [0.5, 0.7])


@pytest.mark.parametrize("stage", [0, 1])
def test_an_upload_ends_the_task_at_its_stage(stage):
    seen = play(COMPLETE, *[0] * stage, 1)
    assert (seen.stages, seen.ended[-2:]) == ([*range(stage + 1), stage], [False, True])
    assert COMPLETE.offloads[seen.rows].tolist() == [False] * stage + [True]
    assert spent(COMPLETE, seen)[-1] == pytest.approx([0.8, 1.2][stage], rel=1e-15)


def test_nothing_placed_is_one_forced_upload():
    moves = Moves(steady_problem([4.0], [0.25], []))
    for action in (CONTINUE, OFFLOAD):
        seen = play(moves, action)
        assert (seen.stages, seen.ended, seen.placements) == ([0, 0], [False, True], [0, 0])
        assert_array_equal(moves.masks[seen.states], [[0, 1]] * 2)
        assert_allclose(spent(moves, seen), [2.25], rtol=1e-15)


# --- a placement that is chosen first ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("moves", "largest"), [(CHOOSE, 2), (LITTLE_MEMORY, 1), (NO_MEMORY, 0)])
@pytest.mark.parametrize("choice", [0, 1, 2])
def test_choosing_pays_the_download_of_the_layers_that_fit(moves, largest, choice):
    placement = min(choice, largest)
    seen = play(moves, choice)
    assert (seen.placements, seen.stages, seen.ended) == ([CHOOSING, placement], [0, 0], [False, False])
    assert_array_equal(moves.masks[seen.states], [np.arange(3) <= largest, [placement > 0, 1, 0]])
    assert not moves.offloads[seen.rows].any()
    for uses in (HALF, np.inf):  # whatever the SNR
        assert_array_equal(spent(moves, seen, uses), [[0.0, 10.0, 30.0][placement]])


@pytest.mark.parametrize(
    ("actions", "stages", "costs"),
    [
        ((0, 0), [0, 0, 0], [0.0, 0.8]),  # nothing placed: the upload is forced
        ((0, 2), [0, 0, 0], [0.0, 0.8]),
        ((1, 0, 0), [0, 0, 1, 1], [10.0, 0.5, 1.2]),  # one placed: forced behind it
        ((1, 2), [0, 0, 0], [10.0, 0.8]),
        ((2, 0, 0), [0, 0, 1, 2], [30.0, 0.5, 0.7]),  # all placed: the network completes
        ((2, 0, 2), [0, 0, 1, 1], [30.0, 0.5, 1.2]),  # any action but 0 offloads
    ],
)
def test_tasks_that_choose_first(actions, stages, costs):
    seen = play(CHOOSE, *actions)
    assert seen.stages == stages
    assert seen.ended == [False] * len(actions) + [True]
    assert seen.placements[1:] == [actions[0]] * len(actions)
    assert_allclose(spent(CHOOSE, seen), costs, rtol=1e-15)


def test_each_task_of_a_batch_has_its_own_placement():
    state = np.array([CHOOSE.entered(1, 2), CHOOSE.entered(0, 1), CHOOSE.start])
    row = CHOOSE.row(state, many(0, 0, 1))
    after, placement = CHOOSE.arrived(row, many(2, 1, CHOOSING))
    assert_array_equal(CHOOSE.stage[after], [2, 1, 0])
    assert_array_equal(placement, [2, 1, 1])
    assert_array_equal(after >= CHOOSE.first_ended, [True, False, False])
    assert_array_equal(CHOOSE.masks[after][1:], [[0, 1, 0], [1, 1, 0]])


# --- ends and starts --------------------------------------------------------------------------------------------------


def ended_states(moves):
    """The states in which tasks end."""
    runs = [
        play(moves, *[m] * moves.chooses, *[0] * n, 1)
        for m in range(moves.largest + 1 if moves.chooses else 1)
        for n in range(moves.problem.horizon + 1)
    ]
    found = {state for run in runs for state, ended in zip(run.states, run.ended, strict=True) if ended}
    return sorted(found | {int(moves.given_up[state]) for run in runs for state in run.states})


@every_table
def test_whatever_is_done_in_an_ended_state_begins_a_new_task_free_of_charge(moves):
    first = CHOOSING if moves.chooses else moves.problem.horizon
    for state in ended_states(moves):
        for action in range(moves.masks.shape[1]):
            row = moves.row(many(state), many(action))
            after, placement = moves.arrived(row, many(0 if moves.chooses else first))
            assert (int(after[0]), int(placement[0])) == (moves.start, first)
            assert not moves.offloads[row]
            for charge in moves.charges.known().values():
                assert_array_equal(charge.of(row, np.array([np.inf])), [0.0])
        assert moves.restart[state] == moves.start


@every_table
def test_running_states_are_left_alone_by_a_restart(moves):
    running = np.arange(moves.first_ended)
    assert_array_equal(moves.restart[running], running)
    assert_array_equal(moves.restart_advance[running], 0)


@every_table
def test_a_task_that_is_given_up_ends_where_it_is(moves):
    """At the same stage with the same mask, from whatever state; what has ended stays as it is."""
    for m in range(moves.largest + 1) if moves.chooses else [0]:
        seen = play(moves, *[m] * moves.chooses, *[0] * moves.problem.horizon)
        for state, ended in zip(seen.states, seen.ended, strict=True):
            given_up = int(moves.given_up[state])
            assert given_up >= moves.first_ended
            assert (given_up == state) == ended
            assert moves.stage[given_up] == moves.stage[state]
            assert_array_equal(moves.masks[given_up], moves.masks[state])
            assert moves.given_up[given_up] == given_up


def test_a_task_that_is_given_up_while_it_chooses_has_not_chosen():
    given_up = int(CHOOSE.given_up[CHOOSE.start])
    assert_array_equal(CHOOSE.masks[given_up], [1, 1, 1])
    after, placement = CHOOSE.arrived(CHOOSE.row(many(given_up), many(2)), many(CHOOSING))
    assert (int(after[0]), int(placement[0])) == (CHOOSE.start, CHOOSING)


# --- the counter of the fading ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moves", "actions", "counts"),
    # a stage further with every layer; an upload moves nothing; a new task stands 2^16 behind the start of the last
    [
        (FORCED, (0, 0, 0, 0), [0, 1, 2, 2, 65536]),
        (FORCED, (1, 0, 0, 1, 1), [0, 0, 65536, 65537, 65537, 131072]),
        (COMPLETE, (0, 0, 1, 0), [0, 1, 2, 65536, 65537]),
        (CHOOSE, (2, 0, 0, 0, 1), [0, 0, 1, 2, 65536, 65536]),
        (CHOOSE, (1, 0, 0, 0, 0, 0, 0), [0, 0, 1, 1, 65536, 65536, 65536, 131072]),
    ],
)
def test_counters(moves, actions, counts):
    assert play(moves, *actions).counters == steps(*counts)


@every_table
def test_a_restart_advances_the_counter_as_the_step_of_an_ended_state_does(moves):
    for state in ended_states(moves):
        stage = int(moves.stage[state])
        assert moves.advance[state] == moves.restart_advance[state] == steps(65536 - stage)[0]


# --- charges ----------------------------------------------------------------------------------------------------------


def test_a_charge_is_airtime_times_channel_uses_and_something_fixed():
    charge = Charge(np.array([2.0, 0.0, 4.0]), np.array([0.5, 3.0, 0.0]))
    row, uses = many(0, 1, 2, 0), np.array([1.5, 7.0, 0.25, 0.0])
    assert_array_equal(charge.of(row, uses), [3.5, 3.0, 1.0, 0.5])
    assert_array_equal(charge.of(row, uses, bounded=True), [3.5, 3.0, 1.0, 0.5])


def test_an_infinite_x_costs_infinitely_much_where_there_is_airtime_and_nothing_elsewhere():
    charge = Charge(np.array([2.0, 0.0]), np.array([0.5, 3.0]))
    assert_array_equal(charge.of(many(0, 1), np.full(2, np.inf)), [np.inf, 3.0])
    assert_array_equal(charge.scaled(-0.5).of(many(0, 1), np.full(2, np.inf)), [-np.inf, -1.5])


def test_a_charge_does_not_write_into_what_it_is_given():
    charge, row = Charge(np.array([2.0, 0.0]), np.array([0.5, 3.0])), many(1, 0)
    for bounded, x in ((False, np.inf), (False, 2.0), (True, 2.0)):
        uses = np.array([x, 4.0])
        charge.of(row, uses, bounded)
        assert_array_equal(uses, [x, 4.0])
        assert_array_equal(row, [1, 0])
        assert_array_equal(charge.airtime, [2.0, 0.0])
        assert_array_equal(charge.fixed, [0.5, 3.0])


def test_a_scaled_charge_has_no_negative_zeros():
    scaled = Charge(np.array([2.0, 0.0]), np.array([0.0, 3.0])).scaled(-0.25)
    assert_array_equal(scaled.airtime, [-0.5, 0.0])
    assert_array_equal(scaled.fixed, [0.0, -0.75])
    assert not np.signbit([scaled.airtime[1], scaled.fixed[0]]).any()


def test_seconds_and_joules_have_charges_of_their_own():
    terms = {
        "time": StageTerms(airtime=np.array([10.0, 20.0]), edge=np.array([3.0, 2.0]), device=np.array([5.0])),
        "energy": StageTerms(airtime=np.array([0.5, 0.25]), edge=np.array([0.0, 0.0]), device=np.array([8.0])),
    }
    moves = Moves(stopping_problem([1.0, 2.0], [0.3, 0.2], [0.5], **terms), DOWNLOAD, largest=1)
    seen = play(moves, 1, 0, 0)  # choose 1, compute a layer, forced upload at x = 1/2
    expected = {"cost": [10.0, 0.5, 1.2], "time_s": [1.0, 5.0, 12.0], "energy_j": [4.0, 8.0, 0.125]}
    charges = moves.charges.known()
    assert charges.keys() == expected.keys()
    for name, amounts in expected.items():
        assert_allclose(charges[name].of(many(*seen.rows), np.full(3, HALF)), amounts, rtol=1e-15)


# --- limits -----------------------------------------------------------------------------------------------------------


def test_tables_of_more_stages_than_counters_are_refused():
    """Their fading would be that of the next task."""
    layers = 2**16
    deep = steady_problem(np.ones(layers + 1), np.ones(layers + 1), np.ones(layers))
    with pytest.raises(ValueError, match="horizon = 65536 must be at most 65535"):
        Moves(deep)

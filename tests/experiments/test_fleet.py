"""A fleet is what its devices are one by one: rows, files, parts that go on, and backends."""

import csv
import os
import platform
import signal
import subprocess
import sys
import tracemalloc
from importlib.util import find_spec

import numpy as np
import pytest

from cointer_gym import Scenario
from cointer_gym import baselines as bl
from cointer_gym.channels import ClippedSamplesWarning
from cointer_gym.experiments import backends, fleet, fleet_files
from cointer_gym.experiments.fleet import solve_fleet
from cointer_gym.experiments.fleet_answers import SOLVED, solve_devices
from cointer_gym.experiments.fleet_parts import Parts
from cointer_gym.experiments.fleet_rows import DeviceColumns, DeviceRows, stacked_fields
from cointer_gym.hardware import Device, Dvfs, EdgeServer
from cointer_gym.link import Link, LinkBudget
from cointer_gym.loading import read_value
from cointer_gym.scenario import Weights
from support.scenarios import THREE_LAYERS

needs_arrow = pytest.mark.skipif(find_spec("pyarrow") is None, reason="pyarrow is not installed")

BUDGET = {"distance_m": 60.0, "carrier_hz": 2e9, "noise_figure_db": 3.0, "antenna_gain_db": 2.0}
DVFS = {"clock_hz": 1e9, "flop_per_cycle": 4.0, "kappa": 1e-27}
ALEXNET = Scenario.load("alexnet-pi")
SMALL = Scenario.load(THREE_LAYERS)
STACKED = sorted(stacked_fields(ALEXNET))
ABSENT = {
    "channel.mean_snr": 20.0,
    "channel.max_efficiency": 5.0,
    "device.memory_bytes": 1e7,
    "channel.m": 2.0,
    "channel.k_factor": 4.0,
}
ABSENT["channel.k_factor_db"] = 6.0


def base_of(field):
    """A scenario in which a field of that name stands."""
    changes = {"channel.budget": BUDGET} if field.startswith("channel.budget") else {}
    changes |= {"device.dvfs": DVFS} if "dvfs" in field else {}
    changes |= {"channel.law": "nakagami", "channel.m": 1.5} if field == "channel.m" else {}
    changes |= {"channel.law": "rician", "channel.k_factor": 2.0} if "k_factor" in field else {}
    return ALEXNET.replace(**changes)


def value_of(field):
    """A number that the field may have."""
    if field in ABSENT:
        return ABSENT[field]
    found = base_of(field)
    for name in field.split("."):
        found = getattr(found, name)
    return found


def solve(base, fields, placement="optimal"):
    """The answers of rows with these cells, and what is wrong with the others."""
    count = len(next(iter(fields.values())))
    rows = DeviceRows(base, fields, count, placement if isinstance(placement, int) else None)
    return solve_devices(rows, best=placement == "optimal"), rows.faults


def alone(base, fields, row, placement="optimal"):
    """The scenario of a row, as ``--set`` makes it, and the layers placed; or what is wrong with it."""
    given = {name: read_value(cells[row]) for name, cells in fields.items() if cells[row]}
    try:
        scenario = base.replace(**given)
        if placement == "optimal":
            return scenario, bl.optimal_placement(scenario).placement
        scenario.problem(None if placement == "all" else placement)
        return scenario, scenario.layers if placement == "all" else placement
    except ValueError as error:
        return str(error).removeprefix(f"scenario {base.name}: ")


def assert_one_by_one(base, fields, placement="optimal"):
    """Every row is solved, or refused, as it is by itself; returns the numbers of rows solved and refused."""
    answers, faults = solve(base, fields, placement)
    count = len(next(iter(fields.values())))
    assert sorted([*answers.rows, *faults]) == list(range(count))
    assert (np.diff(answers.rows) > 0).all()
    for row, fault in faults.items():
        assert fault == alone(base, fields, row, placement)
    for index, row in enumerate(answers.rows):
        scenario, placed = alone(base, fields, row, placement)
        problem = scenario.problem(placed)
        optimum = bl.backward_induction(problem)
        score = bl.score_moments(optimum.moments, problem)
        found = {name: values[index] for name, values in answers.columns.items()}
        download = {name: amount[placed] for name, amount in scenario.download.known().items()}
        static = problem.static_cost.min() + download["cost"]
        if placement == "optimal":
            static = bl.optimal_placement(scenario, "device-only").cost
        expected = {
            "placement": placed,
            "cost": optimum.cost + download["cost"],
            "time_s": score.time_s + download["time_s"],
            "energy_j": score.energy_j + download["energy_j"],
            "download_cost": download["cost"],
            "static_cost": static,
        }
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9, abs=1e-300)
        assert found["saving_percent"] == pytest.approx(100 * (1 - found["cost"] / found["static_cost"]), abs=1e-9)
        weights = scenario.weights
        priced = weights.time_weight * found["time_s"] + weights.energy_weight * found["energy_j"]
        assert priced == pytest.approx(found["cost"], rel=1e-9)
        np.testing.assert_allclose(answers.threshold_db[index, :placed], optimum.threshold_snr_db, rtol=1e-7, atol=1e-7)
        assert np.isnan(answers.threshold_db[index, placed:]).all()
    return answers.rows.size, len(faults)


# --- rows -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", STACKED)
def test_a_stacked_number_enters_bit_for_bit_as_in_a_scenario_of_its_own(field):
    base, value = base_of(field), value_of(field)
    values = [value, value * 1.03, value * 0.95]
    (stack,) = DeviceRows(base, {field: list(map(str, values))}, 3).stacks()
    for row, each in enumerate(values):
        scenario = base.replace(**{field: each})
        problem, stacked = scenario.problem(), stack.problems.problem(row)
        pairs = [(getattr(stacked.cost, name), own) for name, own in vars(problem.cost).items()]
        pairs += [(getattr(stack.time, name)[row], own) for name, own in vars(problem.time).items()]
        pairs += [(getattr(stack.energy, name)[row], own) for name, own in vars(problem.energy).items()]
        pairs += [(getattr(stack.download, name)[row], own) for name, own in scenario.download.known().items()]
        for mine, own in [*pairs, (stack.fits[row], scenario.fits)]:
            np.testing.assert_array_equal(mine, own)
        assert stacked.channel == problem.channel


def test_all_numbers_of_the_stacked_tables_are_stacked():
    for table, model in {"device": Device, "device.dvfs": Dvfs, "edge": EdgeServer, "link": Link}.items():
        assert {f"{table}.{name}" for name in model.model_fields.keys() - {"dvfs", "measured"}} <= set(STACKED)
    for table, model in {"channel.budget": LinkBudget, "weights": Weights}.items():
        assert {f"{table}.{name}" for name in model.model_fields} <= set(STACKED)


def test_what_is_checked_across_fields_is_known():
    """Numbers are checked one by one, but for these: a further rule needs a further look at whole rows."""
    rules = {
        model: set(model.__pydantic_decorators__.model_validators)
        for model in (Device, Dvfs, EdgeServer, Link, LinkBudget, Weights, type(ALEXNET.channel_law))
    }
    assert {model.__name__: names for model, names in rules.items() if names} == {
        "Device": {"_one_way"},  # of what is given, not of numbers
        "Weights": {"_not_both_zero"},
        "Rayleigh": {"_from_db", "_ordered"},
    }


BAD = ["-1", "0", "1e-31", "1e31", "1e400", "nan", "inf", "true", "fast", "[1.0]", "none", " 7 ", "0x10", "1_000"]


@pytest.mark.parametrize("field", STACKED)
def test_a_number_out_of_range_is_refused_in_the_words_of_the_scenario(field):
    base, good = base_of(field), str(value_of(field))
    cells = [cell for bad in BAD for cell in (good, bad)]
    solved, refused = assert_one_by_one(base, {field: cells}, "all")
    assert solved >= len(BAD)
    assert refused >= 4


def test_numbers_that_do_not_go_together_are_refused():
    both = {"weights.time_weight": ["1", "0", "0", "2"], "weights.energy_weight": ["0", "0", "3", "2"]}
    assert assert_one_by_one(ALEXNET, both) == (3, 1)
    limits = {"channel.min_efficiency": ["0.1", "2", "5", "0.2"], "channel.max_efficiency": ["4", "1", "", "0.2"]}
    assert assert_one_by_one(ALEXNET, limits) == (2, 2)
    levels = {"channel.mean_snr_db": ["-30", "60", "-30.01", "60.01", "10"]}
    assert assert_one_by_one(ALEXNET, levels) == (3, 2)
    distances = {"channel.budget.distance_m": ["50", "1e7", "80"], "link.tx_power_w": ["0.1", "0.1", "1e20"]}
    assert assert_one_by_one(base_of("channel.budget"), distances) == (1, 2)


def test_costs_beyond_what_a_problem_may_have_are_refused():
    tiny = {"weights.time_weight": ["1", "0", "1"], "link.tx_power_w": ["0.1", "1e-30", "0.2"]}
    base = ALEXNET.replace(
        **{"weights.energy_weight": 1e-30, "link.bandwidth_hz": 1e30, "dnn.input_bits_per_element": 1e-30}
    )
    solved, refused = assert_one_by_one(base, tiny, "all")
    assert (solved, refused) == (2, 1)


def test_rows_that_differ_in_more_than_numbers():
    fields = {
        "dnn.profile": ["", "vgg16", "mlp", "alexnet", "no-such-net", "mlp", ""],
        "channel.law": ["", "", "rician", "nakagami", "", "rician", ""],
        "channel.k_factor": ["", "", "5.5", "", "", "-1", ""],
        "channel.m": ["", "", "", "2", "", "", "1"],
        "dnn.feature_bits_per_element": ["8", "8", "", "16", "", "", "8"],
        "device.dvfs": ["", "", "", "{clock_hz = 1e9, flop_per_cycle = 4, kappa = 1e-27}", "", "", ""],
        "device.flops_per_s": ["1e10", "", "3e9", "", "", "1e9", "2e10"],
        "tasks_per_update": ["", "1e6", "1e5", "1e3", "1e3", "1e3", "1e3"],
    }
    assert assert_one_by_one(ALEXNET, fields) == (4, 3)


def test_measured_times_and_memory():
    measured = {"network": "alexnet", "layers": [{"name": "conv1", "seconds": 0.01}, {"name": "fc6", "joules": 0.02}]}
    base = ALEXNET.replace(**{"device.measured": measured, "edge.measured": measured})
    fields = {"device.memory_bytes": ["0", "1e6", "2e8", "none"], "device.compute_power_w": ["2", "0", "1.5", "9"]}
    assert assert_one_by_one(base, fields) == (4, 0)


@pytest.mark.parametrize("placement", ["optimal", "all", 0, 2, 3, 4])
def test_without_a_most_robust_rate_an_upload_must_not_be_forced(placement):
    fields = {"channel.min_efficiency": ["0", "0.2", "0", "0"], "device.memory_bytes": ["", "", "30000", "none"]}
    solved, refused = assert_one_by_one(SMALL, fields, placement)
    expected = {"optimal": (3, 1), "all": (4, 0), 3: (4, 0), 4: (0, 4)}
    assert (solved, refused) == expected.get(placement, (1, 3))


def test_many_rows_at_random():
    rng, count = np.random.default_rng(0), 120

    def some(values):
        return [str(value) if rng.random() < 0.8 else "" for value in values]

    fields = {
        "channel.mean_snr_db": some(rng.uniform(-35, 65, count)),
        "link.bandwidth_hz": some(10 ** rng.uniform(4, 8, count)),
        "device.flops_per_s": some(10 ** rng.uniform(6, 11, count)),
        "weights.energy_weight": some(rng.choice([-1.0, 0.0, 0.5, 2.0], count)),
        "weights.time_weight": some(rng.choice([0.0, 1.0], count)),
        "tasks_per_update": some(10 ** rng.uniform(-2, 5, count)),
        "device.memory_bytes": some(rng.choice([1e4, 2e4, 4e4, 9e4], count)),
    }
    solved, refused = assert_one_by_one(SMALL, fields)
    assert min(solved, refused) > 20


def test_rows_without_overrides_and_no_rows():
    answers, faults = solve(SMALL, {"link.bandwidth_hz": ["", " ", ""]})
    assert faults == {}
    assert answers.columns["cost"] == pytest.approx(bl.optimal_placement(SMALL).cost, rel=1e-9)
    assert solve(SMALL, {"link.bandwidth_hz": ["-1"]})[0].rows.size == 0


def test_cells_of_a_typed_file():
    fields = {"link.bandwidth_hz": [1e6, 2_000_000, None, True, float("nan")], "dnn.profile": [None] * 5}
    answers, faults = solve(ALEXNET, fields)
    assert answers.rows.tolist() == [0, 1, 2]
    assert answers.columns["cost"][1] == pytest.approx(answers.columns["cost"][2])  # the base has 2 MHz
    assert faults[3] == "link.bandwidth_hz = True: Input should be a valid number"
    assert faults[4].startswith("link.bandwidth_hz = nan: ")


# --- columns ----------------------------------------------------------------------------------------------------------


def test_columns_are_told_apart():
    names = ("name", "device", "region", "device_id", "link.bandwidth_hz", "tasks_per_update", "dnn", "bandwidth_hz")
    columns = DeviceColumns.of(names, ALEXNET, ["bandwidth_hz"])
    assert columns.kept == ("name", "device", "region", "device_id", "bandwidth_hz")
    assert columns.fields == ("link.bandwidth_hz", "tasks_per_update", "dnn")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("link.bandwith_hz", r"column 'link\.bandwith_hz': unknown field, did you mean 'bandwidth_hz'\?"),
        ("device.bandwidth_hz", r"column 'device\.bandwidth_hz': unknown field; 'bandwidth_hz' belongs to \[link\]"),
        ("radio.power", "column 'radio.power': unknown field"),
        ("bandwidth_hz", r"column 'bandwidth_hz': did you mean link\.bandwidth_hz\? .* --id bandwidth_hz keeps"),
        ("bandwith_hz", "column 'bandwith_hz': did you mean link.bandwidth_hz"),
        ("flops_per_s", r"did you mean device\.flops_per_s or edge\.flops_per_s\?"),
        ("task_per_update", "did you mean tasks_per_update"),
        ("profile", "did you mean dnn.profile"),
    ],
)
def test_a_column_that_may_be_a_misspelt_field_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        DeviceColumns.of(("id", name), ALEXNET)


def test_a_column_to_be_kept_must_be_there():
    with pytest.raises(ValueError, match=r"id = 'serial' must be one of the columns id, link\.bandwidth_hz"):
        DeviceColumns.of(("id", "link.bandwidth_hz"), ALEXNET, ["serial"])


# --- files ------------------------------------------------------------------------------------------------------------

HEADER = "id,channel.mean_snr_db,link.bandwidth_hz\n"


def written(path, text, encoding="utf-8"):
    path.write_text(text, encoding=encoding, newline="")
    return path


def read_rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def fleet_of(tmp_path, count, header=HEADER):
    """A file of so many devices."""
    rng = np.random.default_rng(count)
    rows = (f"cam-{n},{rng.uniform(-5, 25):.3f},{rng.uniform(1e6, 5e6):.0f}\n" for n in range(count))
    return written(tmp_path / "devices.csv", header + "".join(rows))


def test_the_result_has_a_row_per_device_in_order(tmp_path):
    rows = 'a,10,2e6\n\n"b, ""the"" 2nd",5,\n"c\nd",,1e6\n007,-5,3e6\n'
    devices = written(tmp_path / "devices.csv", HEADER + rows, encoding="utf-8-sig")
    summary = solve_fleet(devices, tmp_path / "solved.csv", ALEXNET, chunk=3)
    rows = read_rows(tmp_path / "solved.csv")
    assert [row["id"] for row in rows] == ["a", 'b, "the" 2nd', "c\nd", "007"]
    assert list(rows[0]) == ["id", *SOLVED, *(f"threshold_db_{n}" for n in range(11))]
    first = bl.optimal_placement(ALEXNET)
    assert int(rows[0]["placement"]) == first.placement
    assert float(rows[0]["cost"]) == pytest.approx(first.cost, rel=1e-11)
    thresholds = bl.backward_induction(ALEXNET.problem(first.placement)).threshold_snr_db
    assert [float(rows[0][f"threshold_db_{n}"]) for n in range(first.placement)] == pytest.approx(thresholds, rel=1e-9)
    assert {rows[0][f"threshold_db_{n}"] for n in range(first.placement, 11)} == {""}
    assert summary.devices == 4
    assert sum(summary.placements.values()) == 4
    assert summary.means["cost"] == pytest.approx(np.mean([float(row["cost"]) for row in rows]), rel=1e-11)
    assert summary.means["saving_percent"] == pytest.approx(np.mean([float(row["saving_percent"]) for row in rows]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["devices.csv", "solved.csv"]


def test_always_and_never_are_infinite_thresholds(tmp_path):
    devices = written(tmp_path / "devices.csv", "id,edge.flops_per_s\nslow,1e6\nfast,1e14\n")
    solve_fleet(devices, tmp_path / "solved.csv", Scenario.load("vgg16-pi-all-edge"), placement="all")
    slow, fast = read_rows(tmp_path / "solved.csv")
    assert slow["threshold_db_0"] == "inf"  # never at an edge that would take for ever
    assert fast["threshold_db_0"] == "-inf"


def test_a_row_without_a_name_is_told_by_its_line(tmp_path):
    devices = written(tmp_path / "devices.csv", "link.bandwidth_hz\n1e6\n\n2e6\n")
    solve_fleet(devices, tmp_path / "solved.csv", ALEXNET)
    assert [row["line"] for row in read_rows(tmp_path / "solved.csv")] == ["2", "4"]


def test_networks_of_different_lengths_share_a_table(tmp_path):
    devices = written(tmp_path / "devices.csv", 'id,dnn.profile\n"a,b",mlp\nb,mlp\nc,alexnet\n')
    solve_fleet(devices, tmp_path / "solved.csv", ALEXNET, placement="all", chunk=1)
    rows = read_rows(tmp_path / "solved.csv")
    assert [sum(cell != "" for name, cell in row.items() if name.startswith("threshold")) for row in rows] == [8, 8, 11]
    assert [row["id"] for row in rows] == ["a,b", "b", "c"]
    assert None not in rows[0]


REFUSED = HEADER + "a,10,2e6\nb,10,-1\nc,99,2e6\nd,10\n\ne,10,2e6,7\nf,5,1e6\n"


def test_a_bad_row_stops_the_run_and_is_told(tmp_path):
    devices = written(tmp_path / "devices.csv", REFUSED)
    with pytest.raises(
        ValueError, match=r"devices\.csv, line 3: link\.bandwidth_hz = -1: Input should be greater th"
    ) as caught:
        solve_fleet(devices, tmp_path / "solved.csv", ALEXNET)
    assert "(and 3 more of the 6 rows of this chunk); --on-error skip leaves such rows out" in str(caught.value)
    assert not (tmp_path / "solved.csv").exists()


def test_a_bad_row_is_told_by_the_line_on_which_it_begins(tmp_path):
    devices = written(tmp_path / "devices.csv", HEADER + '"a\nb\nc",10,1e6\n"d\ne",10,-1\n')
    with pytest.raises(ValueError, match=r"line 5: link\.bandwidth_hz = -1"):
        solve_fleet(devices, tmp_path / "solved.csv", ALEXNET)


def test_bad_rows_are_skipped_with_the_reason(tmp_path):
    devices, out = written(tmp_path / "devices.csv", REFUSED), tmp_path / "solved.csv"
    summary = solve_fleet(devices, out, ALEXNET, skip=True, chunk=2)
    assert (summary.devices, summary.refused) == (2, 4)
    assert [row["id"] for row in read_rows(out)] == ["a", "f"]
    rows = read_rows(summary.errors)
    assert list(rows[0]) == ["line", "reason", *HEADER.strip().split(",")]
    assert [(row["line"], row["id"]) for row in rows] == [("3", "b"), ("4", "c"), ("5", "d"), ("7", "e")]
    assert rows[1]["reason"] == "channel: mean_snr_db = 99.0 dB, allowed is -30 to 60 dB"
    assert rows[2]["reason"] == "a row must have 3 cells, as many as columns, this one has 2"
    # repaired, the rows are a file of devices again, and a file of refused rows that is no longer true goes
    repaired = written(tmp_path / "repaired.csv", summary.errors.read_text().replace("-1", "1e6").replace("99", "9"))
    again = solve_fleet(repaired, out, ALEXNET, skip=True)
    assert (again.devices, again.refused, again.errors.exists()) == (4, 0, False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "there is no header"),
        (HEADER, "there are no rows"),
        ("id;link.bandwidth_hz\n1;2\n", "separated by ';', they must be by commas"),
        ("id,id\n1,2\n", "the column 'id' is there 2 times"),
        ("id,,x\n1,2,3\n", "column 2 has no name"),
        (HEADER + "\xe9,10,1e6\n", "UTF-8|utf-8"),
        (HEADER + '"' + "x" * 200_000 + '",10,1e6\n', "field larger than field limit"),
        ("cost,link.bandwidth_hz\n1,1e6\n", "column 'cost' has the heading of a column of the result"),
        ("threshold_db_3,link.bandwidth_hz\n1,1e6\n", "column 'threshold_db_3' has the heading of a column"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(content, message, tmp_path):
    devices = written(tmp_path / "devices.csv", content, encoding="latin-1")
    with pytest.raises(ValueError, match=message) as caught:
        solve_fleet(devices, tmp_path / "solved.csv", ALEXNET)
    assert "devices.csv" in str(caught.value) or "column" in str(caught.value)
    assert not (tmp_path / "solved.csv").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"out": "solved.txt"}, r"out = '.*solved\.txt' must end in \.csv or \.parquet"),
        ({"devices": "nowhere.csv"}, r"cannot read .*nowhere\.csv: "),
        ({"devices": "devices.json"}, r"devices = '.*devices\.json' must end in \.csv or \.parquet"),
        ({"out": "devices.csv"}, r"out = '.*devices\.csv' is the file of the devices; give another --out"),
        ({"placement": "best"}, "placement = 'best' must be optimal, all, or a number of layers"),
        ({"placement": -1}, "placement = -1 must be an integer >= 0"),
        ({"placement": 12}, r"line 2: placement = 12 must be an integer from 0 to 11, the layers of alexnet"),
        ({"chunk": 0}, "chunk = 0 must be an integer >= 1"),
        ({"workers": 0}, "workers = 0 must be an integer >= 1"),
        ({"backend": "cloud"}, "backend = 'cloud' must be one of local, ray"),
    ],
)
def test_wrong_arguments_are_refused(change, message, tmp_path):
    fleet_of(tmp_path, 2)
    arguments = {"devices": "devices.csv", "out": "solved.csv", "base": ALEXNET} | change
    paths = {name: tmp_path / arguments.pop(name) for name in ("devices", "out")}
    with pytest.raises(ValueError, match=message):
        solve_fleet(**paths, **arguments)


def test_the_errors_of_a_result_are_no_input_for_it(tmp_path):
    devices, out = written(tmp_path / "devices.csv", HEADER + "a,10,-1\nb,10,1e6\n"), tmp_path / "solved.csv"
    errors = solve_fleet(devices, out, ALEXNET, skip=True).errors
    written(errors, errors.read_text().replace("-1", "1e6"))
    before = out.read_bytes(), errors.read_bytes()
    with pytest.raises(ValueError, match=r"devices = '.*s\.csv' is .* of out = '.*solved\.csv'; give another --out"):
        solve_fleet(errors, out, ALEXNET)
    assert (out.read_bytes(), errors.read_bytes()) == before
    assert not out.with_name("solved.csv.parts").exists()
    solve_fleet(errors, tmp_path / "repaired.csv", ALEXNET)
    assert [row["id"] for row in read_rows(tmp_path / "repaired.csv")] == ["a"]


@pytest.mark.parametrize(
    ("header", "name"),
    [("id,line", "line"), ("reason,id", "reason"), ("line,id,reason", "line"), ("row,reason,line", "line")],
)
def test_a_column_that_the_errors_would_lose_is_refused(header, name, tmp_path):
    width = header.count(",") + 1
    devices = written(tmp_path / "devices.csv", f"{header},link.bandwidth_hz\n{'7,' * width}1e6\n")
    with pytest.raises(ValueError, match=f"column '{name}' has the heading of a column of the file of refused rows"):
        solve_fleet(devices, tmp_path / "solved.csv", ALEXNET, skip=True)


def test_the_errors_of_a_parquet_file_are_an_input(tmp_path):
    devices = written(tmp_path / "devices.csv", "row,reason,id,link.bandwidth_hz\n3,why,a,1e6\n4,why,b,-1\n")
    summary = solve_fleet(devices, tmp_path / "solved.csv", ALEXNET, skip=True)
    (refused,) = read_rows(summary.errors)
    assert (refused["line"], refused["row"], refused["id"]) == ("3", "4", "b")


def test_what_a_trace_warns_of_is_said_once(tmp_path):
    devices = written(
        tmp_path / "devices.csv", "id,channel.law,channel.trace_snr_db\n" + 'a,empirical,"[-30, 10]"\n' * 3
    )
    with pytest.warns(ClippedSamplesWarning, match="lifts 1 of the 2 samples") as caught:
        solve_fleet(devices, tmp_path / "solved.csv", ALEXNET, chunk=1)
    assert len(caught) == 1


# --- Parquet ----------------------------------------------------------------------------------------------------------


@needs_arrow
def test_parquet_in_and_out(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    devices, texts = tmp_path / "devices.parquet", fleet_of(tmp_path, 25)
    rows = read_rows(texts)
    table = pa.table(
        {
            "id": pa.array(range(25), pa.int32()),
            "when": pa.array([None, *range(24)], pa.timestamp("s")),
            "channel.mean_snr_db": [float(row["channel.mean_snr_db"]) for row in rows],
            "link.bandwidth_hz": [None, *(int(row["link.bandwidth_hz"]) for row in rows[1:])],
        }
    )
    pq.write_table(table, devices, row_group_size=7)
    summary = solve_fleet(devices, tmp_path / "solved.parquet", ALEXNET, chunk=10)
    found = pq.read_table(tmp_path / "solved.parquet")
    assert found.schema.field("id").type == pa.int32()
    assert found["id"].to_pylist() == list(range(25))
    assert found["when"].to_pylist() == table["when"].to_pylist()
    assert found.column_names == ["id", "when", *SOLVED, *(f"threshold_db_{n}" for n in range(11))]
    assert summary.devices == 25
    solve_fleet(texts, tmp_path / "from-csv.parquet", ALEXNET, chunk=25)
    other = pq.read_table(tmp_path / "from-csv.parquet")
    assert other["id"].to_pylist()[1:] == [row["id"] for row in rows[1:]]
    for name in found.column_names[2:]:
        assert found[name].to_pylist()[1:] == other[name].to_pylist()[1:], name
    row = other.slice(3, 1).to_pylist()[0]
    beyond = [row[f"threshold_db_{n}"] for n in range(11)]
    assert [each is None for each in beyond] == [n >= row["placement"] for n in range(11)]
    solve_fleet(devices, tmp_path / "solved.csv", ALEXNET)
    assert [float(each["cost"]) for each in read_rows(tmp_path / "solved.csv")] == pytest.approx(
        found["cost"].to_pylist()
    )


@needs_arrow
def test_networks_of_different_lengths_share_a_parquet_table(tmp_path):
    import pyarrow.parquet as pq

    devices = written(tmp_path / "devices.csv", "id,dnn.profile\na,mlp\nb,alexnet\n")
    solve_fleet(devices, tmp_path / "solved.parquet", ALEXNET, placement="all", chunk=1)
    found = pq.read_table(tmp_path / "solved.parquet")
    assert found["threshold_db_10"].null_count == 1
    assert found["threshold_db_7"].null_count == 0


@needs_arrow
def test_chunks_do_not_depend_on_the_groups_of_a_file(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = pa.array(["north", "south"] * 11 + ["north"]).dictionary_encode()
    table = pa.table({"id": range(23), "region": names, "link.bandwidth_hz": [1e6 + 1e5 * n for n in range(23)]})
    pq.write_table(table, tmp_path / "devices.parquet", row_group_size=5)
    chunks = list(fleet_files.open_devices(tmp_path / "devices.parquet").chunks(4))
    assert [(chunk.number, list(chunk.places)) for chunk in chunks] == [
        (n, list(range(4 * n + 1, min(4 * n + 5, 24)))) for n in range(6)
    ]
    assert [cell for chunk in chunks for cell in chunk.columns["region"]] == names.to_pylist()
    summary = solve_fleet(tmp_path / "devices.parquet", tmp_path / "solved.csv", ALEXNET, chunk=4)
    assert summary.devices == 23
    assert [row["id"] for row in read_rows(tmp_path / "solved.csv")] == [str(n) for n in range(23)]


@needs_arrow
def test_a_chunk_of_bad_rows_leaves_nothing_in_a_parquet_file(tmp_path):
    import pyarrow.parquet as pq

    devices, out = written(tmp_path / "devices.csv", "id,channel.mean_snr_db\na,10\nb,bad\nc,11\n"), "solved.parquet"
    summary = solve_fleet(devices, tmp_path / out, ALEXNET, skip=True, chunk=1)
    assert (summary.devices, summary.refused) == (2, 1)
    assert pq.read_table(tmp_path / out)["id"].to_pylist() == ["a", "c"]
    written(devices, "id,channel.mean_snr_db\nb,bad\nc,worse\n")
    assert solve_fleet(devices, tmp_path / out, ALEXNET, skip=True, chunk=1).refused == 2
    assert pq.read_table(tmp_path / out).num_rows == 0


@needs_arrow
def test_a_bad_row_of_a_parquet_file_is_told_by_its_number(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": ["a", "b"], "link.bandwidth_hz": [1e6, -1.0]}), tmp_path / "devices.parquet")
    with pytest.raises(ValueError, match=r"devices\.parquet, row 2: link\.bandwidth_hz = -1\.0: "):
        solve_fleet(tmp_path / "devices.parquet", tmp_path / "solved.csv", ALEXNET)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(ValueError, match=r"cannot read .*broken\.parquet"):
        solve_fleet(tmp_path / "broken.parquet", tmp_path / "solved.csv", ALEXNET)


@pytest.mark.parametrize(("devices", "out"), [("devices.parquet", "solved.csv"), ("devices.csv", "solved.parquet")])
def test_without_pyarrow_the_extra_is_named(devices, out, tmp_path, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(fleet_files, "import_module", missing)
    fleet_of(tmp_path, 2)
    with pytest.raises(ModuleNotFoundError, match=r"Parquet files need pyarrow: pip install 'cointer-gym\[fleet\]'"):
        solve_fleet(tmp_path / devices, tmp_path / out, ALEXNET)


# --- runs that go on --------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Ends a run as a signal would."""


def killed_after(rows):
    def progress(done, total):
        if done >= rows:
            raise Killed

    return progress


@pytest.fixture
def half_done(tmp_path):
    """A run of 50 rows, killed after two of its five parts; and what it comes to when it is not."""
    devices, whole = fleet_of(tmp_path, 50), tmp_path / "whole.csv"
    solve_fleet(devices, whole, ALEXNET, chunk=10)
    with pytest.raises(Killed):
        solve_fleet(devices, tmp_path / "solved.csv", ALEXNET, chunk=10, on_progress=killed_after(20))
    return devices, tmp_path / "solved.csv", whole.read_bytes()


def test_a_killed_run_goes_on(half_done):
    devices, out, whole = half_done
    assert not out.exists()
    seen = []
    summary = solve_fleet(devices, out, ALEXNET, chunk=10, on_progress=lambda *event: seen.append(event))
    assert seen == [(20, 50), (30, 50), (40, 50), (50, 50)]
    assert out.read_bytes() == whole
    assert summary.devices == 50
    assert not out.with_name("solved.csv.parts").exists()


@pytest.mark.parametrize("damage", ["000001.csv", "000001.json", "000000.json"])
def test_a_part_that_is_damaged_is_solved_again(damage, half_done):
    devices, out, whole = half_done
    part = out.with_name("solved.csv.parts") / damage
    if part.suffix == ".csv":
        part.unlink()
    else:
        part.write_text("{")
    seen = []
    solve_fleet(devices, out, ALEXNET, chunk=10, on_progress=lambda *event: seen.append(event))
    assert seen[0] == (10, 50)
    assert out.read_bytes() == whole


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"base": ALEXNET.replace(**{"link.bandwidth_hz": 3e6})}, "base.link, base.sources"),
        ({"placement": "all"}, "placement"),
        ({"chunk": 20}, "chunk"),
        ({"kept": ["link.bandwidth_hz"]}, "kept"),
        ({"devices": "other"}, "input"),
    ],
)
def test_parts_of_another_run_are_refused_by_what_differs(change, differs, half_done):
    devices, out, _ = half_done
    if "devices" in change:
        written(devices, devices.read_text().replace("cam-49", "cam-X"))
    arguments = {"base": ALEXNET, "chunk": 10} | {name: value for name, value in change.items() if name != "devices"}
    with pytest.raises(ValueError, match=rf"solved\.csv\.parts holds parts of a run that differs in {differs}; give"):
        solve_fleet(devices, out, **arguments)
    seen = []
    solve_fleet(devices, out, **arguments, fresh=True, on_progress=lambda *event: seen.append(event))
    assert seen[0] == (0, 50)
    assert out.exists()


def test_rows_that_were_skipped_stop_a_run_that_does_not_skip(tmp_path):
    devices, out = written(tmp_path / "devices.csv", HEADER + "a,10,-1\nb,10,1e6\nc,5,1e6\n"), tmp_path / "solved.csv"
    with pytest.raises(Killed):
        solve_fleet(devices, out, ALEXNET, skip=True, chunk=1, on_progress=killed_after(2))
    with pytest.raises(ValueError, match=r"line 2: link\.bandwidth_hz = -1"):
        solve_fleet(devices, out, ALEXNET, chunk=1)
    assert solve_fleet(devices, out, ALEXNET, skip=True, chunk=1).refused == 1


def test_what_is_no_run_is_left_alone(tmp_path):
    devices, out = fleet_of(tmp_path, 3), tmp_path / "solved.csv"
    folder = tmp_path / "solved.csv.parts"
    folder.mkdir()
    written(folder / "000000.csv", "years of work")
    with pytest.raises(ValueError, match=r"holds parts, but no fleet\.json"):
        solve_fleet(devices, out, ALEXNET)
    written(folder / "notes.txt", "mine")
    with pytest.raises(ValueError, match=r"holds notes\.txt, but no fleet\.json; --fresh does not delete it"):
        solve_fleet(devices, out, ALEXNET, fresh=True)
    assert sorted(path.name for path in folder.iterdir()) == ["000000.csv", "notes.txt"]
    (folder / "000000.csv").unlink()
    written(folder / "fleet.json", '{"version": 2}')
    with pytest.raises(ValueError, match=r"cannot read .*fleet\.json: .*; --fresh starts again"):
        solve_fleet(devices, out, ALEXNET)
    solve_fleet(devices, out, ALEXNET, fresh=True)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    "names", [[], ["000000.csv", "000000.json", ".000001.errors.17.csv", ".fleet.17.json", "lock.17"]]
)
def test_a_fresh_run_takes_a_folder_of_nothing_but_parts(names, tmp_path):
    devices, out = fleet_of(tmp_path, 3), tmp_path / "solved.csv"
    folder = tmp_path / "solved.csv.parts"
    folder.mkdir()
    for name in names:
        written(folder / name, "{")
    assert solve_fleet(devices, out, ALEXNET, fresh=True).devices == 3
    assert not folder.exists()


def test_an_error_before_a_part_is_done_does_not_block_the_repaired_command(tmp_path):
    devices, out = written(tmp_path / "devices.csv", HEADER + "a,10,-1\nb,10,1e6\n"), tmp_path / "solved.csv"
    with pytest.raises(ValueError, match="line 2"):
        solve_fleet(devices, out, ALEXNET)
    written(devices, HEADER + "a,10,1e6\nb,10,1e6\n")
    with pytest.raises(ValueError, match="placement = 99"):
        solve_fleet(devices, out, ALEXNET, placement=99)
    assert solve_fleet(devices, out, ALEXNET, placement=0).placements == {0: 2}


def test_parts_of_another_version_of_the_package_are_refused(half_done, monkeypatch):
    devices, out, _ = half_done
    monkeypatch.setattr(fleet, "__version__", "99.0")
    with pytest.raises(ValueError, match="holds parts of a run that differs in package; give"):
        solve_fleet(devices, out, ALEXNET, chunk=10)


@pytest.mark.parametrize("fresh", [False, True])
def test_two_runs_do_not_share_a_folder(fresh, tmp_path):
    devices, whole, out = fleet_of(tmp_path, 30), tmp_path / "whole.csv", tmp_path / "solved.csv"
    solve_fleet(devices, whole, ALEXNET, chunk=10)
    refused = []

    def again(done, total):
        if done == 10:
            with pytest.raises(
                ValueError, match=rf"solved\.csv\.parts is in use by .*process {os.getpid()} on"
            ) as told:
                solve_fleet(devices, out, ALEXNET, chunk=10, fresh=fresh)
            refused.append(told)

    solve_fleet(devices, out, ALEXNET, chunk=10, on_progress=again)
    assert len(refused) == 1
    assert out.read_bytes() == whole.read_bytes()
    assert not out.with_name("solved.csv.parts").exists()


def locked(out, holder):
    written(out.with_name("solved.csv.parts") / "lock", holder)


def test_the_lock_of_an_earlier_process_of_the_same_number_is_taken_over(half_done):
    devices, out, whole = half_done
    locked(out, f"{os.getpid()} {platform.node()}")
    solve_fleet(devices, out, ALEXNET, chunk=10)
    assert out.read_bytes() == whole


def test_a_lock_that_another_run_has_just_taken_over_is_left_to_it(half_done, monkeypatch):
    devices, out, _ = half_done
    lock = out.with_name("solved.csv.parts") / "lock"
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    locked(out, f"{gone.pid} {platform.node()}")
    other = f"{os.getppid()} {platform.node()}"

    def overtaken(self, process):
        if process == gone.pid:
            lock.write_text(other)
        return process != gone.pid

    monkeypatch.setattr(Parts, "_works", overtaken)
    with pytest.raises(ValueError, match=f"in use by .*process {os.getppid()} on"):
        solve_fleet(devices, out, ALEXNET, chunk=10)
    assert lock.read_text() == other


def test_the_lock_of_a_process_that_is_gone_is_taken_over(half_done):
    devices, out, whole = half_done
    assert not (out.with_name("solved.csv.parts") / "lock").exists()
    for holder in (f"{os.getppid()} {platform.node()}", f"{os.getppid()} elsewhere"):
        locked(out, holder)
        with pytest.raises(ValueError, match=f"in use by .*process {' on '.join(holder.split())}"):
            solve_fleet(devices, out, ALEXNET, chunk=10)
        assert (out.with_name("solved.csv.parts") / "lock").read_text() == holder
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    locked(out, f"{gone.pid} elsewhere")  # where it may well run
    with pytest.raises(ValueError, match=f"process {gone.pid} on elsewhere"):
        solve_fleet(devices, out, ALEXNET, chunk=10)
    locked(out, f"{gone.pid} {platform.node()}")
    seen = []
    solve_fleet(devices, out, ALEXNET, chunk=10, on_progress=lambda *event: seen.append(event))
    assert seen[0] == (20, 50)
    assert out.read_bytes() == whole
    assert not out.with_name("solved.csv.parts").exists()


def test_a_file_that_changes_meanwhile_is_no_result(tmp_path):
    devices, out = fleet_of(tmp_path, 20), tmp_path / "solved.csv"

    def shorten(done, total):
        written(devices, "".join(devices.read_text().splitlines(keepends=True)[:16]))

    with pytest.raises(ValueError, match="changed while it was read"):
        solve_fleet(devices, out, ALEXNET, chunk=10, on_progress=shorten)
    assert not out.exists()


# --- backends ---------------------------------------------------------------------------------------------------------


def twice(number):
    if number < 0:
        raise ValueError(f"number = {number} must be >= 0")
    return 2 * number


def die(_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_results_come_in_order_and_pieces_are_not_taken_ahead():
    taken = []

    def pieces():
        for number in range(12):
            taken.append(number)
            yield number

    results = backends.local(twice, pieces(), 2)
    assert next(results) == 0
    assert len(taken) == 4
    assert list(results) == list(range(2, 24, 2))
    with pytest.raises(ValueError, match="number = -1"):
        list(backends.local(twice, [1, -1], 2))


def test_a_worker_that_is_killed_is_told():
    with pytest.raises(ChildProcessError, match="a worker process was killed"):
        list(backends.local(die, [1, 2], 2))


def test_a_run_whose_worker_is_killed_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(fleet, "solve_chunk", die)
    with pytest.raises(ChildProcessError, match=r"the same command goes on from the parts in .*solved\.csv\.parts"):
        solve_fleet(fleet_of(tmp_path, 4), tmp_path / "solved.csv", ALEXNET, workers=2)


def test_memory_does_not_grow_with_the_file(tmp_path):
    peaks = []
    for count in (400, 400, 3000):
        devices = fleet_of(tmp_path, count)
        tracemalloc.start()
        solve_fleet(devices, tmp_path / "solved.csv", SMALL, chunk=200)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.5 * peaks[1]


def test_two_processes_write_what_one_writes(tmp_path):
    devices = fleet_of(tmp_path, 60)
    for workers, out in ((1, "one.csv"), (2, "two.csv")):
        solve_fleet(devices, tmp_path / out, ALEXNET, chunk=7, workers=workers)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_without_ray_the_extra_is_named(tmp_path, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(backends, "import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=r"backend = 'ray' needs Ray: pip install 'cointer-gym\[ray\]'"):
        solve_fleet(fleet_of(tmp_path, 2), tmp_path / "solved.csv", ALEXNET, backend="ray")

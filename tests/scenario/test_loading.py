"""Reading scenario files and profiles, and overriding dotted fields, with ``--set`` by the same rules."""

import codecs
import json

import numpy as np
import pytest

from cointer_gym import Dnn, Empirical, Nakagami, Rayleigh, Rician, Scenario, list_dnns, list_scenarios
from cointer_gym.channels import ClippedSamplesWarning
from cointer_gym.cli.app import load_scenario
from cointer_gym.hardware import Device
from cointer_gym.loading import read_toml
from support.commands import invoke, words
from support.scenarios import tiny_scenario

INLINE = tiny_scenario(
    [("a", 50, 1e6, 4000), ("b", 10, 2e6, 6000)],
    dnn={"feature_bits_per_element": 16.0, "description": "two layers"},
    sources={"dnn.input_elements": "assumed", "dnn.feature_bits_per_element": "half precision", "device": "bench"},
)
PROFILE = INLINE | {"dnn": {"profile": "alexnet", "feature_bits_per_element": 16.0}}
MEASURED = {"network": "toy", "layers": [{"name": "a", "seconds": 0.5}]}


def written(folder, text, name="scenario.toml", encoding="utf-8"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def toml(content):
    """Scenario content as TOML, in one line per entry."""
    return "".join(f"{json.dumps(name)} = {_value(value)}\n" for name, value in content.items())


def _value(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(name)} = {_value(inner)}" for name, inner in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False)


@pytest.fixture(params=["file", "dictionary", "scenario"])
def start(request, tmp_path):
    """Turns the content of a scenario into what ``Scenario.load`` takes: overriding must not depend on it."""

    def make(content):
        if request.param == "dictionary":
            return content
        return str(written(tmp_path, toml(content))) if request.param == "file" else Scenario.load(content)

    return make


# --- reading ----------------------------------------------------------------------------------------------------------


def test_a_byte_order_mark_and_the_line_ends_of_other_systems_are_read(tmp_path):
    expected = Scenario.load(INLINE)
    for number, text in enumerate([toml(INLINE), toml(INLINE).replace("\n", "\r\n")]):
        assert Scenario.load(written(tmp_path, codecs.BOM_UTF8 + text.encode(), f"{number}.toml")) == expected
    profile = codecs.BOM_UTF8 + Dnn.load("mlp").model_dump_json(exclude_none=True).encode()
    assert Dnn.load(written(tmp_path, profile, "net.json")) == Dnn.load("mlp")


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
@pytest.mark.parametrize("kind", ["scenario", "profile"])
def test_other_encodings_are_refused_with_file_and_cause(tmp_path, encoding, kind):
    text = toml(INLINE | {"description": "Küche"}) if kind == "scenario" else '{"name": "Küche"}'
    path = written(tmp_path, text, "küche.toml", encoding)
    with pytest.raises(ValueError, match=r"cannot read .*küche\.toml: not UTF-8"):
        Scenario.load(path) if kind == "scenario" else Dnn.load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("[device\nx = 1", r"not valid TOML: .*line \d+"),
        (f"tasks_per_update = {'1' * 5000}", "not valid TOML: Exceeds the limit"),
        (f"tasks_per_update = {'1' * 320}", r"tasks_per_update = a number of 320 digits: must be"),
        (f"[link]\nbandwidth_hz = {'1' * 320}.5", r"link\.bandwidth_hz = inf: Input should be a finite number"),
        (
            "[dnn]\nprofile = 'alexnet'\ninput_elements = " + "1" * 320,
            r"dnn\.input_elements = a number of 320 digits: ",
        ),
    ],
    ids=["nested", "torn", "5000 digits", "320 digits", "320 digits and a half", "320 digits in a count"],
)
def test_damaged_files_are_named_with_the_cause(tmp_path, text, message):
    with pytest.raises(ValueError, match=rf"^scenario .*damaged\.toml: .*{message}"):
        Scenario.load(written(tmp_path, text, "damaged.toml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot read .*net.json: Expecting property name"),
        ("[" * 100_000, "cannot read .*net.json: nested too deeply"),
        ("[1]", "profile '.*net.json' must hold a JSON object, got list"),
        (b"", "cannot read .*net.json: Expecting value"),
    ],
    ids=["torn", "nested", "list", "empty"],
)
def test_unreadable_profiles_are_named_with_the_cause(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        Scenario.load(INLINE, **{"dnn.profile": str(written(tmp_path, text, "net.json"))})


def test_unknown_scenarios_and_profiles_list_what_there_is():
    listed = ".*".join(list_scenarios())
    with pytest.raises(ValueError, match=f"scenario = 'alexnet-pie' is neither a file nor one of .*{listed}"):
        Scenario.load("alexnet-pie")
    with pytest.raises(ValueError, match=f"profile = 'vgg61' is neither a file nor one of .*{'.*'.join(list_dnns())}"):
        Scenario.load(INLINE, **{"dnn.profile": "vgg61"})


@pytest.mark.parametrize("load", [Scenario.load, Dnn.load])
def test_what_is_no_file_is_said_to_be_none(tmp_path, load):
    for given, message in [
        (tmp_path, "is a folder"),
        ("x" * 5000, "is no path: "),
        (5, "is no path: .*int"),
        ("a\0b", "is n"),
    ]:
        with pytest.raises(ValueError, match=message) as caught:
            load(given)
        assert len(str(caught.value)) < 800


@pytest.mark.parametrize("form", ['dnn = "net.json"', '[dnn]\nprofile = "net.json"'])
def test_a_profile_in_a_file_is_relative_to_the_file(tmp_path, form):
    written(tmp_path, Dnn.load("mlp").model_dump_json(exclude_none=True), "net.json")
    assert Dnn.model_validate(read_toml(written(tmp_path, form))["dnn"]) == Dnn.load("mlp")


# --- another network --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [INLINE, PROFILE], ids=["inline", "profile"])
def test_another_profile_keeps_the_precision_only(start, content):
    scenario = Scenario.load(start(content), **{"dnn.profile": "mlp"})
    assert scenario.dnn == Dnn.load("mlp").model_copy(update={"feature_bits_per_element": 16.0})
    assert scenario.sources.keys() == {"dnn.feature_bits_per_element", "device"}


@pytest.mark.parametrize("content", [INLINE, PROFILE], ids=["inline", "profile"])
@pytest.mark.parametrize("dnn", ["mlp", {"profile": "mlp"}, Dnn.load("mlp")], ids=["name", "table", "object"])
def test_a_whole_network_may_be_a_name_a_table_or_an_object(start, content, dnn):
    assert Scenario.load(start(content), dnn=dnn).dnn == Dnn.load("mlp")
    changed = Scenario.load(start(content), **{"dnn.feature_bits_per_element": 4, "dnn": dnn})
    assert changed.dnn == Dnn.load("mlp").model_copy(update={"feature_bits_per_element": 4.0})


@pytest.mark.parametrize("content", [INLINE, PROFILE], ids=["inline", "profile"])
def test_other_layers_take_the_place_of_a_profile(start, content):
    layers = [{"name": "only", "output_elements": 3, "flops": 1.0}]
    scenario = Scenario.load(start(content), **{"dnn.layers": layers})
    assert scenario.dnn.stage_names == ("input", "only")
    assert scenario.dnn.input_elements == Scenario.load(content).dnn.input_elements


def test_a_profile_and_layers_together_are_still_refused(start):
    with pytest.raises(ValueError, match="dnn: give either profile or layers, not both"):
        Scenario.load(start(PROFILE), **{"dnn.layers": [], "dnn.profile": "mlp"})


def test_another_network_leaves_the_measurements_behind_and_another_precision_does_not(start):
    measured = INLINE | {"device": INLINE["device"] | {"measured": MEASURED}}
    assert Scenario.load(start(measured), **{"dnn.profile": "mlp"}).device.measured is None
    assert Scenario.load(start(measured), **{"dnn.feature_bits_per_element": 8.0}).device.measured is not None
    own = {"network": "mlp", "layers": [{"name": "hidden1", "seconds": 2.0}]}
    kept = Scenario.load(start(measured), **{"device.measured": own, "dnn.profile": "mlp"})
    assert kept.problem().time.device[0] == 2.0


# --- another channel --------------------------------------------------------------------------------------------------


def test_another_law_drops_what_it_does_not_take(start):
    rician = INLINE | {"channel": {"law": "rician", "mean_snr_db": 10.0, "k_factor_db": 3.0, "max_efficiency": 4.0}}
    rician = rician | {"sources": {"channel.k_factor_db": "assumed", "channel.mean_snr_db": "assumed"}}
    scenario = Scenario.load(start(rician), **{"channel.law": "nakagami", "channel.m": 2})
    assert scenario.channel_law == Nakagami(mean_snr=10.0, m=2.0, max_efficiency=4.0)
    assert scenario.sources.keys() == {"channel.mean_snr_db"}
    assert Scenario.load(start(rician), **{"channel.law": "rayleigh"}).channel_law == Rayleigh(
        mean_snr=10.0, max_efficiency=4.0
    )


def test_another_law_makes_its_own_assumptions(start):
    # the default of Rayleigh stands in the record of a scenario, but nobody wrote it down for the trace
    trace = {"channel.law": "empirical", "channel.trace_snr_db": [-20.0, 10.0]}
    with pytest.warns(ClippedSamplesWarning, match="lifts 1 of the 2 samples"):
        Scenario.load(start(INLINE), **trace)
    written = Scenario.load(start(INLINE), **trace, **{"channel.min_efficiency": 0.1523})
    assert written.channel_law.min_efficiency == 0.1523


@pytest.mark.parametrize(
    ("law", "needs"), [("rician", "k_factor_db"), ("nakagami", "m"), ("empirical", "trace_snr_db")]
)
def test_another_law_says_what_it_needs(start, law, needs):
    with pytest.raises(ValueError, match=f"law = '{law}' needs {needs}; its fields are .*{needs}"):
        Scenario.load(start(INLINE), **{"channel.law": law})


def test_a_budget_goes_where_the_law_has_no_mean_and_comes_where_one_is_set(start):
    budget = {"distance_m": 60.0, "carrier_hz": 2e9}
    far = Scenario.load(start(INLINE), **{"channel.budget": budget})
    assert far.channel.budget is not None
    assert Scenario.load(start(INLINE), **{f"channel.budget.{name}": value for name, value in budget.items()}) == far
    with_budget = INLINE | {"channel": {"law": "rayleigh", "budget": budget}}
    assert Scenario.load(start(with_budget), **{"channel.mean_snr_db": 20}).channel_law == Rayleigh(mean_snr=100.0)
    trace = {"channel.law": "empirical", "channel.trace_snr_db": [0.0, 10.0]}
    assert Scenario.load(start(with_budget), **trace).channel_law == Empirical(snr=(1.0, 10.0))


def test_nothing_that_is_set_is_dropped_silently(start):
    both = {"channel.mean_snr_db": 20.0, "channel.budget.distance_m": 1.0, "channel.budget.carrier_hz": 2e9}
    with pytest.raises(ValueError, match="takes exactly one of mean_snr_db and budget"):
        Scenario.load(start(INLINE), **both)
    with pytest.raises(ValueError, match="law = 'rayleigh' does not take m"):
        Scenario.load(start(INLINE), **{"channel.m": 2, "channel.law": "rayleigh"})


def test_a_law_object_is_a_table_too(start):
    law = Rician(mean_snr=3.0, k_factor=2.0)
    scenario = Scenario.load(start(INLINE), **{"channel.max_efficiency": 5.0, "channel": law})
    assert scenario.channel_law == law.model_copy(update={"max_efficiency": 5.0})


@pytest.mark.parametrize("value", [np.float64(20), np.float32(20), np.int64(20), np.array(20.0)])
def test_decibels_of_numpy_are_decibels(start, value):
    scenario = Scenario.load(start(INLINE), **{"channel.mean_snr_db": value})
    assert scenario.channel_law == Rayleigh(mean_snr=100.0)
    assert json.loads(scenario.model_dump_json())["channel"]["mean_snr_db"] == 20


# --- other devices, notes, and taking away ----------------------------------------------------------------------------


def test_dvfs_and_direct_numbers_take_each_other_s_place(start):
    dvfs = {"clock_hz": 1e9, "flop_per_cycle": 8.0, "kappa": 1e-27}
    scaled = Scenario.load(start(INLINE), **{"device.dvfs": dvfs})
    assert (scaled.device.speed_flops_per_s, scaled.device.flops_per_s) == (8e9, None)
    direct = {"device.flops_per_s": 1e7, "device.compute_power_w": 3.0}
    content = INLINE | {"device": {"dvfs": dvfs}}
    assert Scenario.load(start(content), **direct).device == Device(flops_per_s=1e7, compute_power_w=3.0)
    with pytest.raises(ValueError, match="give either flops_per_s and compute_power_w, or dvfs"):
        Scenario.load(start(content), **{"device.flops_per_s": 1e7})


def test_none_takes_a_field_away_so_that_its_default_holds(start):
    limited = INLINE | {"channel": INLINE["channel"] | {"max_efficiency": 4.0}, "tasks_per_update": 7.0}
    away = {"channel.max_efficiency": None, "tasks_per_update": None, "dnn.feature_bits_per_element": None}
    scenario = Scenario.load(start(limited), **away, weights=None)
    assert scenario.channel_law == Rayleigh(mean_snr=10.0)
    assert (scenario.tasks_per_update, scenario.dnn.feature_bits_per_element) == (1000.0, 32.0)
    assert scenario.sources.keys() == {"dnn.input_elements", "device"}
    assert Scenario.load(start(INLINE), **{"channel.max_efficiency": None}) == Scenario.load(INLINE)  # not there


def test_what_is_needed_or_unknown_cannot_be_taken_away(start):
    with pytest.raises(ValueError, match=r"scenario .*: link\.bandwidth_hz: Field required"):
        Scenario.load(start(INLINE), **{"link.bandwidth_hz": None})
    for field, hint in [
        ("channel.max_eficiency", "did you mean 'max_efficiency'"),
        ("link.m", r"'m' belongs to \[channel\]"),
    ]:
        with pytest.raises(ValueError, match=rf"scenario .*: {field}: unknown field.*{hint}"):
            Scenario.load(start(INLINE), **{field: None})


def test_notes_can_be_set_beside_what_they_are_on(start):
    fields = {"sources.link.bandwidth_hz": "measured", "link.bandwidth_hz": 2e6}
    assert Scenario.load(start(INLINE), **fields).sources["link.bandwidth_hz"] == "measured"
    assert "device" not in Scenario.load(start(INLINE), **{"sources.device": None}).sources


def test_a_field_of_too_many_names_is_refused(start):
    with pytest.raises(ValueError, match=r"a\.a\.a\.a\.a\.\.\.: 5000 names in one field, at most 5"):
        Scenario.load(start(INLINE), **{".".join("a" * 5000): 1})


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "overrides"),
    [
        (["dnn.profile=alexnet"], {"dnn.profile": "alexnet"}),
        (["dnn=mlp", "dnn.feature_bits_per_element=8"], {"dnn": "mlp", "dnn.feature_bits_per_element": 8.0}),
        (["channel.law=nakagami", "channel.m=2"], {"channel.law": "nakagami", "channel.m": 2}),
        (["channel.max_efficiency="], {"channel.max_efficiency": None}),
        (["channel.max_efficiency = none"], {"channel.max_efficiency": None}),
        (["link.tx_power_w=.5", "link.bandwidth_hz=1E6"], {"link.tx_power_w": 0.5, "link.bandwidth_hz": 1e6}),
        (['name="none"', "description=it's = 5"], {"name": "none", "description": "it's = 5"}),
        (["device.dvfs={clock_hz=1e9, flop_per_cycle=8, kappa=0}"],
         {"device.dvfs": {"clock_hz": 1e9, "flop_per_cycle": 8.0, "kappa": 0.0}}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("content", [INLINE, PROFILE], ids=["inline", "profile"])
def test_set_follows_the_same_rules(start, content, texts, overrides):
    assert load_scenario(start(content), texts) == Scenario.load(start(content), **overrides)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("link.bandwidth_hz", "--set 'link.bandwidth_hz' must look like field=value"),
        ("=5", "--set '=5' must look like field=value"),
        ("link.bandwidth_hz=true", r"link\.bandwidth_hz = True: Input should be a valid number"),
        ("link.bandwidth_hz='2e6'", r"link\.bandwidth_hz = '2e6': Input should be a valid number"),
        ("link.bandwidth_hz=2 MHz", r"link\.bandwidth_hz = '2 MHz': Input should be a valid number"),
        ("link.bandwidth_hz=1e400", r"link\.bandwidth_hz = inf: Input should be a finite number"),
        (f"link.bandwidth_hz={'1' * 5000}", r"link\.bandwidth_hz = inf: Input should be a finite number"),
        (f"dnn.layers={'[' * 5000}", r"--set dnn\.layers: the value is nested too deeply"),
        ("tasks_per_update=5\nname='x'", r"tasks_per_update = \"5\\nname='x'\": Input should be a valid number"),
    ],
)
def test_faults_of_set_are_named(text, message):
    with pytest.raises(ValueError, match=message):
        load_scenario(INLINE, [text])


def test_help_says_how_a_field_is_taken_away():
    assert "--set channel.max_efficiency=none takes it away" in words(invoke("solve", "--help").output)

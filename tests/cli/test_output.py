"""What the commands print on any terminal and for any names, and that JSON is JSON."""

import json
import os
import subprocess
import sys
import warnings
from functools import partial

import pytest

import cointer_gym as cg
from cointer_gym import baselines as bl
from cointer_gym.cli.terminal import plain, warn_in_one_line
from cointer_gym.experiments.studies import STUDIES, StudyPlan, tasks_study
from support.commands import invoke, words

ODD = ("[/red]", "[red]conv", "$\\frac$", "a|b", ":car:")
"""Names that mean something to rich, matplotlib or Markdown."""

COMMANDS = """
import sys
from cointer_gym.cli import main
for line in {lines!r}:
    sys.argv = ["cointer-gym", *line]
    try:
        main()
    except SystemExit as error:
        print("rc", error.code or 0, flush=True)
"""


@pytest.fixture
def odd(tmp_path):
    """File of a scenario whose names are markup."""
    layers = "\n".join(
        f"[[dnn.layers]]\nname = {json.dumps(name)}\noutput_elements = {4000 - 900 * k}\nflops = 1e8\nparameters = 1000"
        for k, name in enumerate(ODD)
    )
    file = tmp_path / "odd.toml"
    file.write_text(
        f"""
        name = "[bold]$a_b$"
        [dnn]
        name = "[i]net"
        input_elements = 40000
        {layers}
        [device]
        flops_per_s = 1e10
        compute_power_w = 2.0
        [edge]
        flops_per_s = 1e12
        [link]
        bandwidth_hz = 1e6
        tx_power_w = 0.1
        downlink_bps = 1e7
        rx_power_w = 0.1
        [channel]
        law = "rayleigh"
        mean_snr_db = 10.0
        """,
        encoding="utf-8",
    )
    return file


def strict(text):
    """JSON as the standard has it: no NaN, no Infinity."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.mark.parametrize("encoding", ["gbk", "cp932", "cp949", "ascii", "latin-1", "utf-8"])
def test_every_encoding_of_the_terminal_shows_the_whole_output(encoding, odd, tmp_path):
    lines = [
        ["solve", str(odd)],
        ["show", "mlp-pi"],
        ["placement", "mlp-pi", "--out", str(tmp_path / "p")],
        ["study", "--help"],
        ["solve", "\N{SNOWMAN} \N{MINUS SIGN}"],
        ["--version"],
    ]
    code = COMMANDS.format(lines=lines)
    env = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=False)
    out, err = done.stdout.decode(encoding), done.stderr.decode(encoding)
    codes = [int(line.split()[1]) for line in out.splitlines() if line.startswith("rc ")]
    assert codes == [0, 0, 0, 0, 2, 0]
    assert "is neither a file nor one of the built-in scenarios" in err
    assert "Traceback" not in err
    shown = words(out)
    for name in (*ODD, "Optimum", "Clairvoyant bound: ", "Put 3 of 8 layers", f"cointer-gym {cg.__version__}"):
        assert name in shown
    assert "?" not in shown


def test_what_an_encoding_lacks_becomes_one_plain_character():
    odd = "\N{NO-BREAK SPACE}\N{MINUS SIGN}\N{EN DASH}\N{BOX DRAWINGS LIGHT HORIZONTAL}\N{BOX DRAWINGS HEAVY VERTICAL}"
    odd += "\N{BOX DRAWINGS LIGHT DOWN AND RIGHT}\N{LATIN SMALL LETTER E WITH ACUTE}\N{SNOWMAN}"
    assert "".join(map(plain, odd)) == " ---|+e?"


def test_warnings_are_one_line_on_stderr(monkeypatch, capsys):
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # as it was, afterwards
    warn_in_one_line()
    warnings.showwarning("2 of 7 samples of [red]trace are clipped", UserWarning, __file__, 1)
    assert capsys.readouterr().err == "warning: 2 of 7 samples of [red]trace are clipped\n"


@pytest.mark.parametrize("arguments", [("solve",), ("show", "--out", "task.pdf"), ("placement", "--out", "p")])
def test_names_are_shown_as_they_are(arguments, odd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command, *options = arguments
    done = invoke(command, odd, *options)
    assert done.exit_code == 0, done.output
    assert "[bold]$a_b$" in done.output
    assert all(name in done.output for name in ODD)


def test_names_are_shown_as_they_are_in_studies(odd, tmp_path, monkeypatch):
    monkeypatch.setitem(STUDIES, "tasks", StudyPlan(partial(tasks_study, values=[100.0, 1e4]), "alexnet-pi"))
    done = invoke("study", "tasks", odd, "--out", tmp_path / "[red]s")
    assert done.exit_code == 0, done.output
    assert "[red]s" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("solve", "{odd}", "--placement", 99), "placement = 99 must be an integer from 0 to 5, the layers of [i]net"),
        (("solve", "{odd}", "--set", "link.bandwidth_hz=[/red]"), "link.bandwidth_hz = '[/red]'"),
        (("solve", "[/red] :car:"), "scenario = '[/red] :car:' is neither a file nor"),
        (("study", "[/red]"), "study = '[/red]' must be one of"),
        (("report", "[/red]"), "cannot read [/red]/results.json"),
        (("[/red]",), "No such command '[/red]'"),
    ],
)
def test_names_are_shown_as_they_are_in_errors(arguments, message, odd):
    done = invoke(*(str(odd) if word == "{odd}" else word for word in arguments))
    assert done.exit_code == 2
    assert message in words(done.stderr)


@pytest.mark.slow
def test_names_are_shown_as_they_are_in_trainings_and_their_reports(odd, tmp_path, monkeypatch):
    pytest.importorskip("stable_baselines3")
    monkeypatch.chdir(tmp_path)
    done = invoke("train", odd, "--steps", 300, "--out", "run")
    assert done.exit_code == 0, done.output
    done = invoke("evaluate", "run")
    assert done.exit_code == 0, done.output
    assert all(name in done.output for name in ODD[:-1])  # where it decides
    done = invoke("benchmark", odd, "--seeds", 1, "--steps", 300, "--jobs", 1, "--out", "bench")
    assert done.exit_code == 0, done.output
    assert "[bold]$a_b$" in done.output
    report = (tmp_path / "bench" / "report.md").read_text(encoding="utf-8")
    assert report.startswith("# CoInference-v0 on \\[bold]\\$a_b\\$\n")
    assert {line.replace(r"\|", "").count("|") for line in report.splitlines() if line.startswith("|")} == {7, 6}
    assert invoke("report", "bench").exit_code == 0


def test_solve_as_json_is_standard_json_with_numbers_as_numbers():
    answer = strict(invoke("solve", "alexnet-pi", "--set", "channel.min_efficiency=0", "--json").output)
    problem = cg.Scenario.load("alexnet-pi", **{"channel.min_efficiency": 0.0}).problem()
    optimum = bl.backward_induction(problem)
    assert answer["value"] == optimum.value.tolist()
    assert [each["when"] for each in answer["optimal_threshold"]] == ["above"] * 11
    assert [each["snr_db"] for each in answer["optimal_threshold"]] == optimum.threshold_snr_db.tolist()
    edge, best = answer["policies"]["edge-only"], answer["policies"]["best-static"]
    assert edge["cost"] is edge["relative_gap"] is edge["time_s"] is edge["energy_j"] is None
    assert set(edge["null_because"]) == {"cost", "relative_gap", "time_s", "energy_j"}
    assert "min_efficiency" in edge["null_because"]["cost"]
    assert best["cost"] == pytest.approx(problem.static_cost.min())
    assert best["null_because"] == {}


def test_thresholds_without_a_number_have_a_word_of_their_own():
    weak = strict(invoke("solve", "vgg16-pi-all-edge", "--json").output)["optimal_threshold"]
    assert {"when": "always", "snr_db": None} in weak
    assert all((each["snr_db"] is None) == (each["when"] != "above") for each in weak)


@pytest.mark.parametrize("more", [(), ("--set", "device.memory_bytes=7e6"), ("--rule", "look-ahead")])
def test_placement_as_json_is_standard_json(more, tmp_path):
    answer = strict(invoke("placement", "resnet18-phone", *more, "--json", "--out", tmp_path).output)
    assert answer["version"] == 1


def test_json_is_ascii_whatever_the_names(odd, tmp_path):
    file = tmp_path / "accent.toml"
    file.write_text(
        odd.read_text(encoding="utf-8").replace("[/red]", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"), "utf-8"
    )
    text = invoke("solve", file, "--json").output
    assert text.isascii()
    assert strict(text)["stage_names"][1] == "caf\N{LATIN SMALL LETTER E WITH ACUTE}"


def test_version_and_names_of_the_studies():
    assert invoke("--version").output == f"cointer-gym {cg.__version__}\n"
    text = words(invoke("study", "--help").output)
    assert all(name in text for name in STUDIES)


@pytest.mark.parametrize("name", ["x.svg", "x"])
def test_a_picture_of_an_unknown_kind_is_refused_before_anything_is_printed(name, tmp_path):
    done = invoke("show", "mlp-pi", "--out", tmp_path / name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "must end in .png or .pdf" in done.stderr


@pytest.mark.parametrize("arguments", [("placement", "mlp-pi"), ("study", "snr"), ("benchmark",), ("train",)])
def test_a_folder_that_is_a_file_is_refused_before_any_work(arguments, tmp_path):
    (tmp_path / "taken").write_text("mine")
    done = invoke(*arguments, "--out", tmp_path / "taken")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "is a file" in words(done.stderr)


def test_no_table_shows_minus_zero(tmp_path):
    """A mean SNR that is rounded to 0 dB from below."""
    shown = invoke("placement", "mlp-pi", "--set", "channel.mean_snr_db=-0.004", "--out", tmp_path).output
    assert "mean SNR 0.0 dB" in words(shown)

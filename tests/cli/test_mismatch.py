"""The command `cointer-gym mismatch`."""

import json
import re

import pytest

from cointer_gym import Scenario
from cointer_gym import baselines as bl
from cointer_gym.channels.markov import GaussMarkov
from support.commands import invoke, words
from support.places import ROOT

QUICK = ("--placement", "5", "--no-bound")


@pytest.mark.checkout
def test_the_page_shows_what_the_command_prints(tmp_path):
    page = (ROOT / "docs" / "fading.md").read_text(encoding="utf-8")
    line, shown = re.search(
        r"```console\ncointer-gym (mismatch .*?)\n```.*?```text\n(.*?)```", page, re.DOTALL
    ).groups()
    done = invoke(*line.split(), "--out", tmp_path)
    assert done.exit_code == 0
    assert words(shown) in words(done.output)
    assert (tmp_path / "mismatch.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "mismatch.pdf").read_bytes().startswith(b"%PDF")


def test_json_holds_the_exact_numbers(tmp_path):
    done = invoke("mismatch", "alexnet-pi", "--coherence-time", 0.036, *QUICK[:2], "--json", "--out", tmp_path)
    answer = json.loads(done.output, parse_constant=pytest.fail)
    problem = Scenario.load("alexnet-pi").problem(5)
    process = GaussMarkov(problem.channel, 0.036)
    planned, optimum = bl.backward_induction(problem), bl.solve_in_time(problem, process)
    got = bl.score_in_time(bl.threshold_sets(planned.threshold_snr), problem, process).cost
    assert list(answer["rules"]) == [*bl.RULES, "optimal-in-time"]
    assert answer["rules"]["optimal"]["promised"] == planned.cost
    assert answer["rules"]["optimal"]["got"] == got
    assert answer["rules"]["optimal"]["loss"] == pytest.approx(got / optimum.cost - 1.0)
    assert answer["rules"]["optimal-in-time"]["got"] == optimum.cost
    assert answer["clairvoyant_cost"] == bl.clairvoyant_in_time(problem, process)
    assert (answer["placement"], answer["coherence_time_s"]) == (5, 0.036)


def test_a_number_that_is_infinite_is_null_with_a_reason(tmp_path):
    done = invoke(
        "mismatch", "alexnet-pi", "--doppler", 5, "--no-bound", "--json", "--set", "channel.min_efficiency=0", "--out",
        tmp_path,
    )  # fmt: skip
    edge = json.loads(done.output, parse_constant=pytest.fail)["rules"]["edge-only"]
    assert edge["got"] is None
    assert "min_efficiency = 0" in edge["null_because"]


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        (("--coherence-time", "0.05"), 0.05),
        (("--doppler", "6.7"), 0.27884 / 6.7),
        (("--speed-kmh", "3", "--carrier-ghz", "2.4"), 0.27884 / (3 / 3.6 * 2.4e9 / 299792458)),
    ],
)
def test_three_ways_to_a_coherence_time(options, seconds, tmp_path):
    done = invoke("mismatch", "mlp-pi", "--placement", 1, "--no-bound", "--json", "--out", tmp_path, *options)
    answer = json.loads(done.output)
    assert answer["coherence_time_s"] == pytest.approx(seconds, rel=1e-5)
    assert answer["clairvoyant_cost"] is None


def test_without_the_bound_no_bound_is_printed(tmp_path):
    done = invoke("mismatch", "alexnet-pi", "--doppler", 5, *QUICK, "--out", tmp_path)
    assert "Clairvoyant" not in done.output
    assert "at a coherence time of 55.8 ms nobody gets below" in words(done.output)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "none is given, exactly one is needed: --coherence-time SECONDS, --doppler HZ, or --speed-kmh KMH with"),
        (("--doppler", "5", "--coherence-time", "1"), "--coherence-time and --doppler are given, exactly one is"),
        (("--speed-kmh", "3"), "--speed-kmh = 3.0 and --carrier-ghz = None: a Doppler shift needs both"),
        (("--carrier-ghz", "3"), "--speed-kmh = None and --carrier-ghz = 3.0: a Doppler shift needs both"),
        (("--coherence-time", "0"), "--coherence-time = 0 must be above 0 and finite"),
        (("--coherence-time", "nan"), "--coherence-time = nan must be above 0 and finite"),
        (("--coherence-time", "1e5"), "--coherence-time = 100000 must be from 1e-06 to 10000 s"),
        (("--doppler", "-1"), "--doppler = -1 must be above 0 and finite"),
        (("--doppler", "1e9"), "--doppler = 1e+09 is a coherence time of 2.78837e-10 s, it must be from 1e-06 to"),
        (("--speed-kmh", "2e9", "--carrier-ghz", "2"), "--speed-kmh = 2e+09 must be above 0 and below 1.079e+09"),
        (("--speed-kmh", "3", "--carrier-ghz", "0"), "--carrier-ghz = 0 must be above 0 and finite"),
        (("--speed-kmh", "3", "--carrier-ghz", "1e9"), "--speed-kmh = 3 and --carrier-ghz = 1e+09 is a coherence time"),
        (("--doppler", "5", "--placement", "9"), "placement = 9 must be an integer from 0 to 8"),
        (
            ("--doppler", "5", "--set", "channel.law=rician", "--set", "channel.k_factor_db=3"),
            "law = rician: its power",
        ),
    ],
)
def test_wrong_input_is_one_line_on_stderr(options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = invoke("mismatch", "mlp-pi", *options)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not any(tmp_path.rglob("*.*"))

"""docs/extending.md: every block runs, and what it adds is short, works, and is gone afterwards."""

import re
import warnings

import numpy as np
import pytest

from cointer_gym import baselines as bl
from cointer_gym.agents.algorithms import ALGORITHMS
from cointer_gym.channels import LAWS
from support.places import ROOT

pytestmark = pytest.mark.checkout

PAGE = ROOT / "docs" / "extending.md"
TEXT = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
SECTIONS = {part.splitlines()[0]: re.findall(r"```python\n(.*?)```", part, re.S) for part in TEXT.split("\n## ")[1:]}


def code_lines(block):
    """Lines of code: neither blank, nor a comment, nor a docstring of one line."""
    return [line for line in block.splitlines() if line.strip() and not line.strip().startswith(("#", '"""'))]


@pytest.fixture
def registries():
    """What is registered by a test is forgotten after it."""
    known = [(registry, dict(registry)) for registry in (LAWS, bl.RULES, ALGORITHMS)]
    yield
    for registry, before in known:
        registry.clear()
        registry.update(before)


def run(heading, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    with warnings.catch_warnings(action="ignore"):  # those of a small training
        for block in SECTIONS[heading]:
            exec(compile(block, f"{PAGE}: {heading}", "exec"), names)
    return names


@pytest.mark.parametrize("heading", SECTIONS)
def test_what_is_added_is_short(heading):
    definition, _ = SECTIONS[heading]
    assert 5 < len(code_lines(definition)) < 25


@pytest.mark.usefixtures("registries")
def test_a_channel_law(tmp_path, monkeypatch, oracle):
    page = run("A channel law", tmp_path, monkeypatch)
    law = page["by_name"].channel_law
    assert type(law) is page["Blocked"] is type(page["as_object"].channel_law)
    assert law == page["as_object"].channel_law
    assert page["env"].unwrapped.problem.channel == law
    # a law that is no mixture at all is Rayleigh, to the last digit
    plain, rayleigh = page["Blocked"](chance=0.0, loss=0.5, mean_snr=10.0), oracle.rayleigh(10.0, law.min_efficiency)
    assert plain.mean_channel_uses_per_bit == pytest.approx(float(rayleigh.mean()), rel=1e-10)
    probability = np.array([2.0**-53, 1e-6, 0.3, 0.9])
    assert plain.inverse_survival(probability) == pytest.approx(-10.0 * np.log(probability), rel=1e-9)
    assert law.survival(law.inverse_survival(probability)) == pytest.approx(probability, rel=1e-9)
    low, high = bl.simulate(page["optimum"].policy(), page["by_name"].problem(), 20_000).interval(1 - 1e-6)
    assert low < page["optimum"].cost < high


@pytest.mark.usefixtures("registries")
def test_a_rule(tmp_path, monkeypatch):
    page = run("A rule", tmp_path, monkeypatch)
    assert list(bl.RULES)[-2:] == ["budget", "optimal"]
    solutions = bl.reference_rules(page["scenario"].problem())
    assert solutions["optimal"].cost < solutions["budget"].cost < solutions["best-static"].cost
    tables = [bl.optimal_placement(page["scenario"], rule) for rule in ("optimal", "budget")]
    assert tables[0].cost < tables[1].cost


@pytest.mark.usefixtures("registries")
def test_an_algorithm(tmp_path, monkeypatch):
    pytest.importorskip("stable_baselines3")
    page = run("An algorithm", tmp_path, monkeypatch)
    assert list(ALGORITHMS)[-1] == "a2c"
    assert page["run"].curve[-1].steps == 2048
    assert type(page["run"].model()).__name__ == "A2C"
    assert page["run"].curve[-1].relative_gap > 0

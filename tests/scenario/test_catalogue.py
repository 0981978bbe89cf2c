"""The scenario catalogue: every constant has its origin, and every scenario is what its name and description say."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pytest

from cointer_gym.baselines.bellman import look_ahead_thresholds, optimal_thresholds, policy_value, split_probability
from cointer_gym.channels import LTE_MAX_EFFICIENCY, LTE_MIN_EFFICIENCY, OffloadMoments
from cointer_gym.dnn import list_dnns
from cointer_gym.problem import StoppingProblem
from cointer_gym.scenario import Scenario, list_scenarios
from cointer_gym.units import FloatArray, w_to_dbm

NAMES = list_scenarios()
BOUNDARY = [name for name in NAMES if name.endswith(("-all-edge", "-all-device"))]
INTERESTING = [name for name in NAMES if name not in BOUNDARY]

# Words that make a source: an admitted assumption, a publication, a definition.
ORIGIN = re.compile(r"assumed|3GPP TS \d|arXiv:\d|Rappaport|Clarke 1968|MNIST|unit of the cost|k T at 290 K")
NETWORK_NAMES = re.compile(r"VGG-16|ResNet-18|ResNet-50|MobileNetV2|ViT-B/16")


def read(name: str) -> dict[str, Any]:
    folder = resources.files("cointer_gym") / "data" / "scenarios"
    return tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))


def numeric_fields(table: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted names of all numbers in a table; a list of numbers, such as a trace, counts once."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from numeric_fields(value, f"{prefix}{key}.")
        elif not isinstance(value, str | bool):
            yield prefix + key


def constants_in_force(scenario: Scenario) -> set[str]:
    """Every number of a loaded scenario, defaults too, but for the layers: they have their own source."""
    return set(numeric_fields(scenario.model_dump(exclude_none=True, exclude={"dnn": {"layers", "input_elements"}})))


@dataclass(frozen=True)
class Optimum:
    """A scenario with all its layers placed, solved."""

    problem: StoppingProblem
    value: float
    moments: OffloadMoments
    best_static: float
    look_ahead: float
    total: FloatArray

    @property
    def split(self) -> FloatArray:
        return split_probability(self.moments)


def cost_of(problem: StoppingProblem, tau: FloatArray) -> tuple[float, OffloadMoments]:
    moments = problem.channel.offload_moments(problem.channel.threshold_snr(tau))
    return float(policy_value(problem.cost, problem, moments)[0]), moments


@cache
def solve(name: str) -> Optimum:
    scenario = Scenario.load(name)
    problem = scenario.problem()
    tau, value = optimal_thresholds(problem)
    cost, moments = cost_of(problem, tau)
    assert cost == pytest.approx(value[0], rel=1e-9)
    placed = [optimal_thresholds(scenario.problem(m))[1][0] for m in range(scenario.layers + 1)]
    return Optimum(
        problem=problem,
        value=float(value[0]),
        moments=moments,
        best_static=float(problem.static_cost.min()),
        look_ahead=cost_of(problem, look_ahead_thresholds(problem, stages=1))[0],
        total=np.array(placed) + scenario.download.cost,
    )


# --- form and provenance ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_scenario_loads_under_its_file_name_with_a_plain_one_line_description(name: str) -> None:
    scenario = Scenario.load(name)
    assert scenario.name == name
    assert name.startswith(scenario.dnn.name)
    assert scenario.description.strip()
    assert "\n" not in scenario.description
    # numbers in prose go stale: only the names of networks may hold some
    assert not re.search(r"\d", NETWORK_NAMES.sub("", scenario.description))
    laws = re.findall(r"rayleigh|rician|nakagami", scenario.description.lower())
    assert set(laws) <= {scenario.channel.law}


@pytest.mark.parametrize("name", NAMES)
def test_every_constant_has_a_source_and_every_source_a_constant(name: str) -> None:
    content = read(name)
    sources = content.pop("sources")
    constants = constants_in_force(Scenario.load(name))
    assert set(numeric_fields(content)) <= constants
    assert set(sources) == constants
    assert [key for key, source in sources.items() if not ORIGIN.search(source)] == []


@pytest.mark.parametrize("name", NAMES)
def test_numbers_in_the_sources_match_the_constants(name: str) -> None:
    scenario = Scenario.load(name)
    sources = scenario.sources
    law = scenario.channel_law
    assert law.min_efficiency == LTE_MIN_EFFICIENCY
    assert law.max_efficiency in (None, LTE_MAX_EFFICIENCY)
    if found := re.match(r"(\d+) resource blocks of 180 kHz", sources["link.bandwidth_hz"]):
        assert scenario.link.bandwidth_hz == int(found[1]) * 180e3
    elif sources["link.bandwidth_hz"].startswith("one resource block"):
        assert scenario.link.bandwidth_hz == 180e3
    if found := re.search(r"(\d+) dBm", sources["link.tx_power_w"]):
        assert w_to_dbm(scenario.link.tx_power_w) == pytest.approx(int(found[1]), abs=0.02)
    worth = re.search(r"a joule is worth (as much as a second|([\d.]+) s)", sources["weights.energy_weight"])
    assert worth is not None
    assert scenario.weights.energy_weight / scenario.weights.time_weight == float(worth[2] or 1.0)


def test_sources_of_computed_constants_add_up() -> None:
    phone, mobile = Scenario.load("resnet18-phone").device, Scenario.load("mobilenetv2-phone")
    assert phone.power_w == pytest.approx(3.2)  # kappa f^3 = 4e-28 * (2e9)^3
    assert mobile.device.flops_per_s == pytest.approx(0.6e9 / 75e-3)
    budget = Scenario.load("resnet50-jetson").channel.budget
    assert budget is not None
    assert 1710e6 <= budget.carrier_hz <= 1785e6


# --- coverage ---------------------------------------------------------------------------------------------------------


def test_every_network_has_an_interesting_scenario() -> None:
    assert {Scenario.load(name).dnn.name for name in INTERESTING} == set(list_dnns())


def test_every_channel_law_dvfs_link_budget_and_rate_limit_occurs() -> None:
    scenarios = [Scenario.load(name) for name in INTERESTING]
    assert {s.channel.law for s in scenarios} == {"rayleigh", "rician", "nakagami", "empirical"}
    assert any(s.device.dvfs for s in scenarios)
    assert any(s.channel.budget for s in scenarios)
    assert {s.channel_law.max_efficiency for s in scenarios} == {None, LTE_MAX_EFFICIENCY}


def test_both_boundary_cases_exist() -> None:
    assert {name.rpartition("-")[2] for name in BOUNDARY} == {"edge", "device"}


# --- what the names promise -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", INTERESTING)
def test_several_stages_share_the_uploads(name: str) -> None:
    solved = solve(name)
    undecided = (solved.moments.probability > 0.05) & (solved.moments.probability < 0.95)
    assert np.sum(undecided & (solved.split[:-1] > 0.03)) >= 3


@pytest.mark.parametrize("name", INTERESTING)
def test_deciding_online_pays_and_one_stage_of_foresight_is_not_enough(name: str) -> None:
    solved = solve(name)
    assert solved.value <= (0.75 if name == "alexnet-pi" else 0.9) * solved.best_static
    assert solved.look_ahead >= 1.05 * solved.value


@pytest.mark.parametrize("name", INTERESTING)
def test_best_placement_is_neither_nothing_nor_everything(name: str) -> None:
    total = solve(name).total
    assert total.min() <= 0.98 * min(total[0], total[-1])


@pytest.mark.parametrize("name", [name for name in BOUNDARY if name.endswith("-all-edge")])
def test_all_edge_sends_the_raw_input_whatever_the_fading(name: str) -> None:
    solved = solve(name)
    assert solved.moments.probability[0] == 1.0
    assert solved.value == pytest.approx(solved.problem.static_cost[0], rel=1e-12)
    assert solved.total.argmin() == 0


@pytest.mark.parametrize("name", [name for name in BOUNDARY if name.endswith("-all-device")])
def test_all_device_never_uploads_whatever_the_fading(name: str) -> None:
    solved = solve(name)
    assert np.all(solved.moments.probability == 0.0)
    assert solved.value == pytest.approx(solved.problem.cost.device.sum(), rel=1e-12)
    assert solved.total.argmin() == solved.problem.horizon


def test_alexnet_pi_keeps_its_four_numbers() -> None:
    solved = solve("alexnet-pi")
    device_only = solved.problem.cost.device.sum()
    found = (solved.value, solved.best_static, solved.look_ahead, device_only)
    assert tuple(round(float(cost), 4) for cost in found) == (0.2303, 0.3870, 0.3083, 0.4285)


@pytest.mark.parametrize("name", ["mlp-pi", "vit-b-16-blocks-phone"])
def test_equal_layers_include_the_input(name: str) -> None:
    scenario = Scenario.load(name)
    upload_everywhere = scenario.problem(scenario.layers - 1).cost
    assert np.ptp(scenario.dnn.output_bits) == 0
    assert np.ptp(scenario.dnn.parameter_bits) == 0
    assert np.ptp(upload_everywhere.airtime) == 0
    assert np.ptp(upload_everywhere.device) == 0
    np.testing.assert_allclose(np.diff(upload_everywhere.edge), -upload_everywhere.edge[-1], rtol=1e-12)


def test_trace_of_mobilenetv2_phone_follows_its_rule() -> None:
    # the rule in its source: slow shadowing times a sum of eight sinusoids
    i, k = np.arange(200)[:, None], np.arange(8)
    turns = 0.13 * i * np.cos(2 * np.pi * (k + 0.25) / 8) + k * (np.sqrt(5) - 1) / 2
    fading = np.exp(2j * np.pi * turns).sum(axis=1) / np.sqrt(8)
    expected = 5 + 6 * np.sin(2 * np.pi * i[:, 0] / 200) + 20 * np.log10(np.abs(fading))
    trace = read("mobilenetv2-phone")["channel"]["trace_snr_db"]
    np.testing.assert_allclose(trace, expected, rtol=0, atol=0.0501)
    # unit mean power, and deep fades about as often as under Rayleigh fading, where P(gain < 0.1) = 0.095
    power = np.abs(fading) ** 2
    assert power.mean() == pytest.approx(1.0, abs=0.02)
    assert np.mean(power < 0.1) == pytest.approx(0.095, abs=0.02)

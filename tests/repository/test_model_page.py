"""docs/model.md: its links lead somewhere, and its table of defaults is that of the code."""

import ast
import re

import pytest

from cointer_gym import Rayleigh
from cointer_gym.dnn import Dnn
from cointer_gym.hardware import Device
from cointer_gym.link import _SPEED_OF_LIGHT_M_PER_S, LinkBudget
from cointer_gym.scenario import Scenario, Weights
from support.places import ROOT

pytestmark = pytest.mark.checkout

PAGE = ROOT / "docs" / "model.md"
TEXT = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("| ")]
DEFAULTS = {name.strip("`"): row[1] for row in ROWS if len(row) == 3 for name in row[0].split(", ")}


def numbers(cell):
    digits = cell.replace("\N{MINUS SIGN}", "-")
    return [float(value.replace(" ", "")) for value in re.findall(r"-?\d[\d ]*(?:\.\d+)?", digits)]


def test_links_lead_to_files():
    targets = re.findall(r"\]\((\.\./[^)]+)\)", TEXT)
    assert len(targets) >= 15
    assert [target for target in targets if not (PAGE.parent / target).exists()] == []


def defined_in(path):
    """Names that a module defines: functions, classes, methods as ``Class.method``, and constants."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
            members = node.body if isinstance(node, ast.ClassDef) else []
            names |= {f"{node.name}.{each.name}" for each in members if isinstance(each, ast.FunctionDef)}
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


CODE_LINK = re.compile(r"\[`([\w.]+)`\]\((\.\./[\w/]+\.py)\)")


def test_links_name_what_their_file_defines():
    links = CODE_LINK.findall(TEXT)
    assert len(links) >= 15
    assert [(name, path) for name, path in links if name not in defined_in(PAGE.parent / path)] == []


def test_every_formula_is_followed_by_the_code_that_computes_it():
    """The blocks of one argument share a link: it stands before the next heading, and no formula stands without."""
    sections = re.split(r"^##+ ", TEXT, flags=re.MULTILINE)
    with_formulas = [section for section in sections if "```math" in section]
    assert len(with_formulas) >= 5
    for section in with_formulas:
        assert CODE_LINK.search(section[section.rindex("```math") :]), section.splitlines()[0]


@pytest.mark.parametrize(
    ("model", "field"),
    [
        (Rayleigh, "min_efficiency"),
        (LinkBudget, "noise_dbm_per_hz"),
        (LinkBudget, "antenna_gain_db"),
        (LinkBudget, "noise_figure_db"),
        (Dnn, "feature_bits_per_element"),
        (Dnn, "parameter_bits_per_element"),
        (Dnn, "input_bits_per_element"),
        (Weights, "time_weight"),
        (Weights, "energy_weight"),
        (Scenario, "tasks_per_update"),
    ],
)
def test_defaults_are_those_of_the_code(model, field):
    assert numbers(DEFAULTS[field]) == [model.model_fields[field].default]


def test_defaults_without_a_number_and_pairs():
    assert (DEFAULTS["max_efficiency"], Rayleigh.model_fields["max_efficiency"].default) == ("none", None)
    assert (DEFAULTS["memory_bytes"], Device.model_fields["memory_bytes"].default) == ("none", None)
    pair = [LinkBudget.model_fields[name].default for name in ("path_loss_exponent", "reference_distance_m")]
    assert numbers(DEFAULTS["path_loss_exponent"]) == numbers(DEFAULTS["reference_distance_m"]) == pair
    assert numbers(DEFAULTS["speed of light"]) == [_SPEED_OF_LIGHT_M_PER_S]

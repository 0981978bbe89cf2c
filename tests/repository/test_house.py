"""The layout of the repository: packages, links, pins, and what a plain import costs."""

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import cointer_gym
from support.commands import run
from support.places import LINKED, ROOT

pytestmark = [pytest.mark.checkout, pytest.mark.xdist_group("house")]

HEAVY = {"torch", "stable_baselines3", "tensorboard", "matplotlib", "scipy", "pandas"}
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_declared_packages_are_the_folders_on_disk():
    folders = {init.parent for top in ("cointer_gym", *LINKED) for init in (ROOT / top).rglob("__init__.py")}
    # rglob may or may not follow the links, depending on the version of Python: resolved, each folder counts once.
    paths = {folder.resolve().relative_to(ROOT) for folder in folders}
    on_disk = {".".join(("cointer_gym", *(p.parts[1:] if p.parts[0] == "cointer_gym" else p.parts))) for p in paths}
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == on_disk


@pytest.mark.parametrize("name", LINKED)
def test_links_are_relative_and_lead_to_the_mapped_folders(name):
    link = ROOT / "cointer_gym" / name
    assert link.is_symlink()
    assert link.readlink() == Path("..", name)
    assert (link / "__init__.py").is_file()
    assert PYPROJECT["tool"]["setuptools"]["package-dir"][f"cointer_gym.{name}"] == name


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("cointer_gym", HEAVY | {"pydantic"}),
        ("cointer_gym.scenario", HEAVY),  # and with it the channels and the problem
        ("cointer_gym.baselines", HEAVY),
    ],
)
def test_import_is_light(module, heavy):
    loaded = run(sys.executable, "-c", f"import sys, {module}; print(*sys.modules)").split()
    assert module in loaded
    assert heavy.isdisjoint(loaded)


def test_scipy_is_loaded_when_a_law_needs_it():
    code = """if True:
        import sys
        from cointer_gym import Scenario, baselines as bl
        solution = bl.backward_induction(Scenario.load("alexnet-pi").problem())
        solution.problem.paths(0, [0, 1])
        before = "scipy" in sys.modules
        nakagami = {"law": "nakagami", "m": 2.0, "mean_snr_db": 10.0}
        Scenario.load("alexnet-pi", channel=nakagami).problem().paths(0, 0)
        print(before, "scipy" in sys.modules)"""
    assert run(sys.executable, "-c", code).split() == ["False", "True"]


def test_constraints_pin_every_declared_dependency():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    pinned = {pin.name.lower().replace("_", "-"): str(pin.specifier).removeprefix("==") for pin in pins}
    assert all(re.fullmatch(r"==[\w.]+", str(pin.specifier)) and not pin.url for pin in pins)  # no local builds
    assert pinned["torch"] == "2.13.0"
    project = PYPROJECT["project"]
    declared = sum(project["optional-dependencies"].values(), start=project["dependencies"])
    for requirement in map(Requirement, declared):
        assert requirement.specifier.contains(pinned[requirement.name]), requirement


def test_version_is_the_same_everywhere():
    version = PYPROJECT["project"]["version"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^version: (\S+)$", citation, re.MULTILINE) == [version]
    assert re.findall(r"^## (\d\S*)", changelog, re.MULTILINE)[0] == version
    assert importlib.metadata.version("cointer-gym") == version
    assert cointer_gym.__version__ == version


def test_ci_runs_make_test_at_the_root_and_hands_on_its_exit_status(tmp_path):
    stand_in = tmp_path / "make"
    stand_in.write_text('#!/bin/sh\necho "$PWD" "$@"\nexit 7\n', encoding="utf-8")
    stand_in.chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [ROOT / ".ci" / "run"],
        cwd=tmp_path,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [str(ROOT), "test"]
    assert done.returncode == 7


@pytest.mark.parametrize("check", ["ruff check .", "mypy", "lint-imports", "pytest"])
def test_make_test_runs_every_check(check):
    assert re.search(rf"\S*(bin/|-m ){re.escape(check)}( |$)", run("make", "--dry-run", "test"), re.MULTILINE)


def test_no_machine_path_or_registry_address_is_tracked(tracked):
    forbidden = re.compile(
        r"(?<![\w.~-])/(work|root|tmp)/|pypi\.org|python[h]osted|download\.pytorch|--(extra-)?index-url|find[-]links"
    )
    found = []
    for path in tracked:
        if (ROOT / path).is_symlink():
            continue
        text = (ROOT / path).read_bytes().decode("utf-8", errors="ignore")
        found += [f"{path}: {hit.group()}" for hit in forbidden.finditer(text)]
    assert found == []

"""The layout of the repository: packages, links, pins, what the wheel holds, and what a plain import costs."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import cointer_gym

pytestmark = [pytest.mark.checkout, pytest.mark.xdist_group("house")]

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LINKED = ("baselines", "agents")

# The part of the suite that runs again on the built wheel, outside the repository: pytest's own arguments.
WHEEL_SUITE = [  # something of every floor and every kind of package data; the whole suite would double the time
    f"tests/test_{name}.py"
    for name in ("dnn_catalogue", "scenario_catalogue", "solvers", "env", "evaluation", "rendering", "vec_env_adapter")
]


def run(*command, cwd=ROOT, **env):
    """Run a command with a clean pytest and make environment; the error of a failure shows its output."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "MAKE", "MFLAGS", "PYTHONPATH"))}
    done = subprocess.run(command, cwd=cwd, env=inherited | env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def tracked():
    """Paths that git tracks or would track, relative to the root; links count as themselves."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return [Path(name) for name in listed if name and os.path.lexists(ROOT / name)]


@pytest.fixture(scope="module")
def wheel(tracked, tmp_path_factory):
    """The wheel built from the source archive that is built from a copy of the tracked files."""
    copy, dist = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    for path in tracked:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, copy / path, follow_symlinks=False)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, copy)
    (built,) = dist.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    """A folder that holds what the wheel installs, and nothing else."""
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def installed_name(path):
    """Where a tracked file of a package folder lands in the wheel; None for all other files."""
    if path.parts[0] in LINKED:
        return f"cointer_gym/{path.as_posix()}"
    is_packaged = path.parts[0] == "cointer_gym" and not (ROOT / path).is_symlink()
    return path.as_posix() if is_packaged else None


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


def test_wheel_holds_every_tracked_package_file_and_no_other_top_level_name(wheel, tracked):
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert shipped == {installed_name(path) for path in tracked} - {None}
    assert "cointer_gym/py.typed" in shipped
    assert {name.split("/")[0] for name in shipped} == {"cointer_gym"}


def test_wheel_imports_outside_the_repository(unpacked, tmp_path):
    modules = {"cointer_gym": "", "cointer_gym.baselines": "baselines", "cointer_gym.agents": "agents"}
    code = f"import sys, {', '.join(modules)}; print(*(sys.modules[name].__file__ for name in {list(modules)}))"
    files = run(sys.executable, "-P", "-c", code, cwd=tmp_path, PYTHONPATH=str(unpacked)).split()
    assert files == [str(unpacked / "cointer_gym" / folder / "__init__.py") for folder in modules.values()]


def test_wheel_passes_the_suite_outside_the_repository(unpacked, tmp_path):
    shutil.copytree(ROOT / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "pyproject.toml", tmp_path)  # pytest's settings
    pytest_command = (sys.executable, "-P", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider")
    run(*pytest_command, *WHEEL_SUITE, cwd=tmp_path, PYTHONPATH=str(unpacked))


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("cointer_gym", {"torch", "stable_baselines3", "tensorboard", "matplotlib", "scipy.stats", "pandas"}),
        ("cointer_gym.baselines", {"torch", "stable_baselines3", "tensorboard", "matplotlib", "pandas"}),
    ],
)
def test_import_is_light(module, heavy):
    loaded = run(sys.executable, "-c", f"import sys, {module}; print(*sys.modules)").split()
    assert module in loaded
    assert heavy.isdisjoint(loaded)


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

"""What the wheel holds, and that it works outside the repository."""

import shutil
import sys
import zipfile

import pytest

from support.commands import run
from support.places import LINKED, ROOT

pytestmark = [pytest.mark.checkout, pytest.mark.xdist_group("house")]

# The part of the suite that runs again on the built wheel, outside the repository: pytest's own arguments.
WHEEL_SUITE = [  # something of every floor and every kind of package data; the whole suite would double the time
    f"tests/{name}"
    for name in (
        "profiles",
        "scenario/test_catalogue.py",
        "baselines/test_solvers.py",
        "baselines/test_evaluation.py",
        "rendering",
        "envs/test_scalar.py",
        "agents/test_vec_env.py",
    )
]


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

"""The generator of the DNN catalogue: it writes what is committed, and checks it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cointer_gym.profiles import architectures
from cointer_gym.profiles.architectures import ARCHITECTURES

BY_NAME = {architecture.name: architecture for architecture in ARCHITECTURES}


def test_committed_files_are_what_the_generator_writes() -> None:
    assert architectures.main(["--check"]) == 0


def test_command_line_check_passes_from_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cointer_gym.profiles.architectures", "--check"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_check_names_missing_and_edited_files_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert architectures.main([], tmp_path) == 0
    assert architectures.main(["--check"], tmp_path) == 0
    assert capsys.readouterr().err == ""
    edited, missing = tmp_path / "alexnet.json", tmp_path / "vgg16.json"
    text = edited.read_text().replace("37752832", "37752833")
    edited.write_text(text)
    missing.unlink()
    assert architectures.main(["--check"], tmp_path) == 1
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 2
    assert str(edited) in error[0]
    assert str(missing) in error[1]
    assert edited.read_text() == text
    assert not missing.exists()


def test_writing_restores_the_files_and_leaves_no_draft(tmp_path: Path) -> None:
    architectures.main([], tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "alexnet.json").write_text("{}")
    architectures.main([], tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first
    assert set(first) == {f"{name}.json" for name in BY_NAME}


def test_files_hold_one_layer_a_line() -> None:
    lines = (architectures.DATA / "alexnet.json").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith('    {"name": ')]
    assert [json.loads(row.rstrip(","))["name"] for row in rows] == [name for name, _ in BY_NAME["alexnet"].layers]
    assert len(lines) == len(rows) + 8  # two braces, four head fields, the brackets of the list

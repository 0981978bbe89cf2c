"""What importing the package costs, in fresh interpreters."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.rounds import Side, SideBySide

_MAKE = "import gymnasium; gymnasium.make({!r}).reset(seed=0)"


def _running(code: str, folder: Path) -> Callable[[], object]:
    command = [sys.executable, "-c", code]
    return lambda: subprocess.run(command, cwd=folder, check=True)  # elsewhere: from the installed package


@pytest.mark.parametrize(
    ("id", "what", "ours", "peer", "name"),
    [
        ("import-package", "import cointer_gym", "import cointer_gym", "import gymnasium", "import gymnasium"),
        (
            "import-and-make",
            "the same, gym.make and reset",
            f"import cointer_gym; {_MAKE.format('CoInference-v0')}",
            _MAKE.format("CartPole-v1"),
            "CartPole-v1",
        ),
    ],
)
def bench_import(side_by_side: SideBySide, tmp_path: Path, id: str, what: str, ours: str, peer: str, name: str) -> None:
    """Whole runs of interpreters; what is not needed for the import alone is loaded by the first environment."""
    sides = Side(_running(ours, tmp_path), once=True), Side(_running(peer, tmp_path), once=True, name=name)
    side_by_side(id, "import", what, "s", *sides)

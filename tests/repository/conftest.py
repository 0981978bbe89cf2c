"""Fixtures about the repository itself."""

import os
from pathlib import Path

import pytest

from support.commands import run
from support.places import ROOT


@pytest.fixture(scope="session")
def tracked():
    """Paths that git tracks or would track, relative to the root; links count as themselves."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return [Path(name) for name in listed if name and os.path.lexists(ROOT / name)]

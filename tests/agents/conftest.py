"""Fixtures of the trainings."""

import pytest

from cointer_gym import Scenario
from support.scenarios import LEARNABLE


@pytest.fixture(scope="session")
def toy():
    """Two layers that are quick to learn."""
    return Scenario.load(LEARNABLE)

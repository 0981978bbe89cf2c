import pytest

from cointer_gym.channels import LAWS


@pytest.fixture
def registry():
    """Laws that a test adds are forgotten after it."""
    before = dict(LAWS)
    yield
    LAWS.clear()
    LAWS.update(before)

"""Where things lie in the repository; the wheel's tests run without most of them."""

from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
DATA = TESTS / "data"
LINKED = ("baselines", "agents")  # package folders at top level, linked from cointer_gym/

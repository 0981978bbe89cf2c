"""The ``cointer-gym`` command: one module per command, and what they share in ``app``."""

from importlib import import_module

from cointer_gym.cli import app
from cointer_gym.cli.terminal import survive_any_encoding, warn_in_one_line

COMMANDS = (
    "scenarios",
    "solve",
    "show",
    "train",
    "evaluate",
    "benchmark",
    "placement",
    "mismatch",
    "study",
    "fleet",
    "report",
    "claims",
)
"""The modules of this package that hold a command, in the order of the help; importing one registers it."""

for _name in COMMANDS:
    import_module(f"{__name__}.{_name}")


def main() -> None:
    """Entry point of the console script."""
    survive_any_encoding()
    warn_in_one_line()
    app.app()

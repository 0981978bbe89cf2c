"""Running programs: the command line in this process, and other processes."""

import os
import subprocess
import sys

from support.places import ROOT


def invoke(*arguments):
    """Typer's result of ``cointer-gym arguments`` in this process: exit_code, output, stderr."""
    from typer.testing import CliRunner

    from cointer_gym.cli.app import app

    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def words(text):
    """The words of a terminal output, whatever its line breaks and borders."""
    return " ".join(text.replace("\N{NO-BREAK SPACE}", " ").replace("│", " ").split())


def run(*command, cwd=ROOT, **env):
    """Output of a command with a clean pytest and make environment; the error of a failure shows its output."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "MAKE", "MFLAGS", "PYTHONPATH"))}
    done = subprocess.run(command, cwd=cwd, env=inherited | env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
    return done.stdout


def python(code, *options):
    """Output of a piece of code in a fresh interpreter with this one's import path."""
    done = subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout

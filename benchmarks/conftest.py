"""Fixtures of the benchmarks; at the end they print the comparisons and write the files of the run."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.findings import Findings
from benchmarks.machine import this_machine
from benchmarks.rounds import FULL, QUICK, SideBySide
from cointer_gym.cli.terminal import new_console
from cointer_gym.experiments.speed import Goal, write_speed
from cointer_gym.report.speed import comparison_tables, verdict_sentence, write_figures

_WIDTH = 150  # of the tables
_GOALS = Path(__file__).with_name("goals.toml")


_FINDINGS = pytest.StashKey[Findings]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where to write, and how long to measure."""
    parser.addoption("--out", type=Path, help="folder for the files of the run; must be a whole run unless --quick")
    parser.addoption("--quick", action="store_true", help="few short rounds, no training")


def pytest_configure(config: pytest.Config) -> None:
    """Read the goals, and look at the machine before it is loaded."""
    goals = {id: Goal.model_validate(table) for id, table in tomllib.loads(_GOALS.read_text("utf-8")).items()}
    config.stash[_FINDINGS] = Findings(goals, this_machine(quick=config.option.quick))


@pytest.fixture
def findings(pytestconfig: pytest.Config) -> Findings:
    """Where measurements are kept."""
    return pytestconfig.stash[_FINDINGS]


@pytest.fixture
def side_by_side(benchmark: Any, findings: Findings) -> SideBySide:
    """Times two sides in turns."""
    effort = QUICK if findings.machine.quick else FULL
    return SideBySide(benchmark, effort, findings.goals, findings.comparisons)


@pytest.fixture
def full_run_only(findings: Findings) -> None:
    """Skips what takes long."""
    if findings.machine.quick:
        pytest.skip("not in a short run")


@pytest.fixture
def one_torch_thread() -> Iterator[None]:
    """Networks this small lose time with more."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run that is to be written but lacks something has failed."""
    found, option = session.config.stash[_FINDINGS], session.config.option
    if session.exitstatus == 0 and option.out and found.missing and not found.machine.quick:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(exitstatus: int, config: pytest.Config) -> None:
    """The table, and the files of a run in which nothing failed and, unless it is short, nothing is missing."""
    found, out = config.stash[_FINDINGS], config.option.out
    if not found.comparisons:
        return
    console, results = new_console(), found.results()
    console.width = max(console.width, _WIDTH)
    for group in comparison_tables(results):
        console.print(group)
    console.print(verdict_sentence(results.comparisons), highlight=False, soft_wrap=True)
    if out is None:
        return
    if exitstatus != 0 or (found.missing and not found.machine.quick):
        why = f"nothing was measured for {', '.join(found.missing)}" if found.missing else "something failed"
        console.print(f"Nothing is written to {out}: {why}.", style="yellow", soft_wrap=True)
        return
    write_speed(results, out)
    write_figures(results, out)
    console.print(f"Written to {out}.", soft_wrap=True)

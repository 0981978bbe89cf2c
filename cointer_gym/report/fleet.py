"""What a fleet comes to, and how far it is."""

from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from cointer_gym.experiments.fleet import FleetSummary
from cointer_gym.report.tables import table
from cointer_gym.text import percent

_MOST = 6
"""Placements that are named."""


class _Rate(ProgressColumn):
    """Devices per second since the start, without those of an earlier run."""

    def render(self, task: Task) -> Text:
        """The rate as text."""
        done = task.completed - task.fields["before"]
        return Text(f"{done / task.elapsed:,.0f} a second" if task.elapsed and done else "")


def device_bar(console: Console) -> tuple[Progress, Callable[[int, int], None]]:
    """A progress bar, and the function that moves it.

    Returns:
        tuple: the bar, to be entered as a context; and a function of the devices that are done and that there are.
    """
    counts = TextColumn("{task.completed:,.0f} of {task.total:,.0f} devices", markup=False)
    bar = Progress(counts, BarColumn(), _Rate(), TimeRemainingColumn(elapsed_when_finished=True), console=console)

    def update(done: int, total: int) -> None:
        if bar.tasks:
            bar.update(bar.tasks[0].id, completed=done)
        else:
            bar.add_task("", total=total, completed=done, before=done)

    return bar, update


def fleet_table(summary: FleetSummary) -> Table:
    """Means over the devices."""
    result = table("Devices", "Cost (ETC)", "Time (s)", "Energy (J)", "Best static (ETC)", "Saving", text=0)
    means = summary.means
    amounts = [f"{means[name]:z.4f}" if means else "" for name in ("cost", "time_s", "energy_j", "static_cost")]
    result.add_row(f"{summary.devices:,}", *amounts, percent(means["saving_percent"] / 100, 1) if means else "")
    return result


def placement_sentence(summary: FleetSummary) -> str:
    """How many layers are placed on which share of the devices, the commonest numbers, least layers first."""
    common = sorted(sorted(summary.placements, key=lambda layers: -summary.placements[layers])[:_MOST])
    shares = [f"{layers} on {percent(summary.placements[layers] / summary.devices)}" for layers in common]
    rest = summary.devices - sum(summary.placements[layers] for layers in common)
    others = [f"other numbers on {percent(rest / summary.devices)}"] if rest else []
    return f"Layers on the device: {', '.join(shares + others)}."


def refused_sentence(summary: FleetSummary) -> str:
    """How many rows were left out, and where they are."""
    total = summary.devices + summary.refused
    return (
        f"{summary.refused:,} of {total:,} rows were refused and left out; {summary.errors} has them, with the reasons"
    )

"""Progress bars of trainings."""

from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from cointer_gym.text import percent


def training_bars(console: Console) -> tuple[Progress, Callable[[str, int, float, int], None]]:
    """Progress bars, one per training, and the function that moves them.

    Returns:
        tuple: the bars, to be entered as a context; and a function of a training's name, steps done, relative gap and
        total steps.
    """
    columns = (
        "{task.description:<10}",
        BarColumn(),
        "{task.completed:>9,.0f} of {task.total:,.0f} steps",
        "gap {task.fields[gap]:>9}",
    )
    texts = (TextColumn(column, markup=False) if isinstance(column, str) else column for column in columns)
    bars = Progress(*texts, TimeElapsedColumn(), console=console)
    tasks: dict[str, TaskID] = {}

    def update(name: str, steps: int, gap: float, total: int) -> None:
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=total, gap="")
        bars.update(tasks[name], completed=min(steps, total), gap=percent(gap, 3))

    return bars, update

"""Speed beside that of peers: table of the terminal, and the page, from the results alone."""

from collections.abc import Sequence
from os.path import relpath
from pathlib import Path

from rich.table import Table

from cointer_gym.experiments.speed import Comparison, Group, Machine, SpeedResults, StepPart
from cointer_gym.report import markdown
from cointer_gym.report.tables import table
from cointer_gym.text import significant

_BEGIN, _END = "<!-- speed: written by `cointer-gym report`, do not edit -->", "<!-- end of speed -->"
_HEADER = ("What", "Ours", "Peer's", "Ratio", "Quartiles", "Goal", "Met", "Peer")
_WORDS = ("What", "Quartiles", "Goal", "Met", "Peer")
_ERRORS = ("Error", "Peer's error")
_RELATIONS = {"at_least": "≥", "at_most": "≤"}
_VERDICTS = {True: "yes", False: "no", None: ""}
_SECTIONS: dict[Group, tuple[str, str]] = {
    "import": (
        "Import",
        "Whole runs of fresh interpreters, their start and end included; then up to the first observation of a task.",
    ),
    "single": (
        "One environment",
        """\
Steps per second of `gym.make` with its default wrappers, with a `reset()` after every episode inside the time. The peer
acts at random in all rows (about 22 steps an episode). With random actions half of our tasks offload at once and an
episode has two steps, so that every other call is a reset; computing every layer on the device takes as many steps as
there are layers.""",
    ),
    "vector": (
        "Many environments",
        """\
Steps per second of native vector environments under random actions; a step is one slot of one call. In `NextStep`,
Gymnasium's default and the mode of the peer, every third step of ours is the reset of a slot that has ended; in
`SameStep` a slot is reset in the step that ends it. Ours takes Numba where it is installed, unless the row says
otherwise; no result depends on it.""",
    ),
    "rollouts": (
        "Rollouts of PPO",
        """\
Steps per second of `collect_rollouts` of Stable-Baselines3 alone, without updates: 32 steps of every environment, two
hidden layers of 64, one thread. The observations of `CoInference-v0` are longer than the four numbers of CartPole. With
steps that cost nothing, the same arrays each time, what remains is Stable-Baselines3: the most that can be reached.""",
    ),
    "solver": (
        "Solvers",
        """\
Time or solutions per second for the 20 layers of `resnet50-jetson`. The peers solve the same problem with the SNR cut
to 1,000 equally likely levels: QuantEcon's `DiscreteDP` by its own backward induction, with a chance node per stage so
that the transition matrix is sparse, and the recursion in plain NumPy. The error is the distance of the optimal cost
from quadrature with 30 digits, as a share of it. A new channel is a law that nobody has solved for yet: law, problem
and solution are made within the time, as are the levels and matrices of the peers. Of many devices each has a mean
SNR, prices and speeds of its own; the time begins with arrays, and QuantEcon solves them one by one.""",
    ),
    "training": (
        "Training",
        """\
One training with the committed settings and seed 0; the error is the exact gap to the optimum that it has reached.""",
    ),
}
_STEP = """\
### Where the time of a step goes

Each part is one of the package's own functions, timed alone on arrays as the step has them, or the difference of two;
*checks, flags, info* is what they leave of a whole step. All are the least over the rounds. The floor is what a step
gives in any case, made as fast as NumPy makes it: an exponential per task, from its own generator, and a copy of the
array of observations."""
_GROWTH = """\
### Growth

`solve_many` on arrays and `cointer-gym fleet` on a CSV, of devices with a mean SNR, prices and speeds of their own. A
straight line is a power law, fitted to the larger half of the sizes; its exponent is 1 where twice as much takes twice
as long. What is done once, whatever the size, counts below."""


def comparison_tables(results: SpeedResults) -> list[Table]:
    """The comparisons for the terminal, a table per group, with what was to be reached."""
    tables = []
    for group, (title, _) in _SECTIONS.items():
        rows = results.of(group)
        if rows:
            tables.append(table(*_HEADER, title=title))
        for each in rows:
            style = "green" if each.met else "bold red" if each.met is False else None
            tables[-1].add_row(*_row(each), style=style)
    return tables


def verdict_sentence(comparisons: Sequence[Comparison]) -> str:
    """How many goals are met, and which are not."""
    judged = [each for each in comparisons if each.met is not None]
    failed = [each for each in judged if not each.met]
    names = markdown.in_words([f"{each.id} ({_reached(each)} instead of {_goal(each)})" for each in failed] or [""])
    return f"{len(judged) - len(failed)} of {len(judged)} goals are met{f'; not met: {names}' if failed else ''}."


def speed_markdown(results: SpeedResults, figures: str) -> str:
    """All tables and figures of the page.

    Args:
        results: of the run.
        figures: folder of the figures, as links of the page have it.
    """
    parts = [_machine(results.machine), markdown.escaped(verdict_sentence(results.comparisons))]
    for group, (title, text) in _SECTIONS.items():
        rows = results.of(group)
        if rows:
            parts += [f"## {title}", text, _markdown_table(rows)]
        if group == "vector" and results.step:
            parts += [
                _STEP,
                f"![Parts of one vector step, the floor and the peer]({figures}/step.png)",
                _step(results.step),
            ]
        if group == "solver" and results.growth:
            parts += [_GROWTH, f"![Time against devices and layers]({figures}/growth.png)"]
    return "\n\n".join(parts)


def insert_speed(document: Path, results: SpeedResults, figures: Path) -> None:
    """Replace the marked part of a Markdown file.

    Args:
        document: the file.
        results: of the run.
        figures: folder of the figures.

    Raises:
        ValueError: the file lacks the two marks.
    """
    link = Path(relpath(figures.resolve(), document.resolve().parent)).as_posix()
    markdown.replace_marked(document, _BEGIN, _END, speed_markdown(results, link))


def write_figures(results: SpeedResults, out: Path) -> None:
    """Write ``step.png`` and ``growth.png`` into ``out``, each if there are rows for it."""
    from cointer_gym.report.speed_figures import plot_growth, plot_step

    if results.step:
        plot_step(results, out / "step.png")
    if results.growth:
        plot_growth(results, out / "growth.png")


def _markdown_table(rows: Sequence[Comparison]) -> str:
    """The rows, without columns that all of them leave empty."""
    header = (*_HEADER, *_ERRORS)
    cells = [(*_row(each), _share(each.ours_error), _share(each.peer_error)) for each in rows]
    used = [k for k in range(len(header)) if any(row[k] for row in cells)]
    alignment = ["---" if header[k] in _WORDS else "---:" for k in used]
    return markdown.markdown_table([header[k] for k in used], alignment, [[row[k] for k in used] for row in cells])


def _step(parts: Sequence[StepPart]) -> str:
    """Nanoseconds per environment by part, a column per size of the batch."""
    sizes = list(dict.fromkeys(each.num_envs for each in parts))
    found = {(each.bar, each.part, each.num_envs): 1e9 * each.seconds for each in parts}
    lines = list(dict.fromkeys((each.bar, each.part) for each in parts))
    rows = []
    for bar in dict.fromkeys(bar for bar, _ in lines):
        named = [part for of, part in lines if of == bar]
        rows += [(bar, part, *(_nanoseconds(found.get((bar, part, size))) for size in sizes)) for part in named]
        if len(named) > 1:
            sums = [sum(found.get((bar, part, size), 0.0) for part in named) for size in sizes]
            rows.append((bar, "sum", *map(_nanoseconds, sums)))
    header = ("", "Part", *(f"{size:,} envs (ns)" for size in sizes))
    return markdown.markdown_table(header, ("---", "---", *["---:"] * len(sizes)), rows)


def _nanoseconds(value: float | None) -> str:
    return "" if value is None else significant(value)


def _row(each: Comparison) -> tuple[str, ...]:
    """The cells under ``_HEADER``."""
    spread = "" if each.ratio_low is None or each.ratio_high is None else _range(each.ratio_low, each.ratio_high)
    return (
        each.what,
        quantity(each.ours, each.unit),
        "" if each.peer is None else quantity(each.peer, each.unit),
        "" if each.ratio is None else significant(each.ratio),
        spread,
        _goal(each),
        _VERDICTS[each.met],
        each.peer_name,
    )


def quantity(value: float, unit: str) -> str:
    """A positive number in three significant digits: ``12.3 ms``, or what happens per second as ``98.1 k/s``."""
    prefixes = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")) if unit == "s" else ((1e6, "M/s"), (1e3, "k/s"), (1.0, "/s"))
    scale, name = next((each for each in prefixes if value >= 0.9995 * each[0]), prefixes[-1])
    number = value / scale
    return f"{significant(1.0 if 0.9995 <= number < 1.0 else number)}\N{NO-BREAK SPACE}{name}"


def _range(low: float, high: float) -> str:
    return f"{significant(low)}\N{EN DASH}{significant(high)}"


def _goal(each: Comparison) -> str:
    if each.goal is None:
        return ""
    bound = significant(each.goal.bound) if each.goal.number == "ratio" else quantity(each.goal.bound, each.unit)
    return f"{_RELATIONS[each.goal.relation]}\N{NO-BREAK SPACE}{bound}"


def _reached(each: Comparison) -> str:
    assert each.goal is not None
    value = each.ratio if each.goal.number == "ratio" else None
    return quantity(each.ours, each.unit) if value is None else significant(value)


def _share(error: float | None) -> str:
    """A relative error with one digit; one below the precision of the numbers is that precision at most."""
    if error is None:
        return ""
    mantissa, exponent = f"{max(error, 1e-16):.0e}".split("e")
    return f"{'< ' if error < 1e-16 else ''}{mantissa}e{int(exponent)}"


def _machine(machine: Machine) -> str:
    versions = ", ".join(f"{package} {number}" for package, number in machine.versions.items())
    short = "**A short run: the numbers are rough.** " if machine.quick else ""
    return (
        f"{short}Measured on {machine.date.partition('T')[0]}, all in one run: {markdown.escaped(machine.cpu)}, "
        f"{machine.cores} cores, with a load of {machine.load:g} at the start; Python {machine.python}, {versions}. "
        "Ours and the peer's rounds alternate; a ratio is ours over the peer's, the median over the rounds with its "
        "quartiles."
    )

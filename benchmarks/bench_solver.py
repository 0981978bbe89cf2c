"""Solvers: one problem, many problems, and how their time grows; beside solutions on 1 000 levels of SNR."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import pytest
from numpy.typing import NDArray

import cointer_gym as cg
from benchmarks import peers
from benchmarks.findings import Findings
from benchmarks.rounds import Absent, Side, SideBySide, rounded
from cointer_gym import baselines as bl
from cointer_gym.experiments.speed import Axis, GrowthPoint

GRID, QUANTECON = "grid in NumPy", "QuantEcon DiscreteDP"
_SCENARIO = "resnet50-jetson"  # 20 layers, Rayleigh
_NEW_CHANNELS = 50  # per round
_DEVICES = 50_000  # of the comparison of many
_TOGETHER = 20  # devices that the grid solves at a time: more do not fit into a cache
_LAYERED = 10_000  # devices of the growth in layers
_EXACT = 5  # devices whose costs are held against quadrature

Array = NDArray[np.float64]


class Fleet(NamedTuple):
    """Arrays of many problems, each with a mean SNR and with speeds, bandwidth and weights of its own."""

    airtime: Array
    edge: Array
    device: Array
    mean_snr: Array
    min_efficiency: float
    max_efficiency: float | None

    @classmethod
    def like(cls, problem: cg.StoppingProblem, devices: int) -> Self:
        """The network of a problem on devices whose every price is scaled by up to 3 either way, from -5 to 25 dB."""
        rng, channel = np.random.default_rng(0), problem.channel
        airtime, edge, device = (
            terms * 3.0 ** rng.uniform(-1.0, 1.0, (devices, 1))
            for terms in (problem.cost.airtime, problem.cost.edge, problem.cost.device)
        )
        mean_snr = 10.0 ** rng.uniform(-0.5, 2.5, devices)
        return cls(airtime, edge, device, mean_snr, channel.rate.min_efficiency, channel.rate.max_efficiency)

    @classmethod
    def deep(cls, layers: int, devices: int) -> Self:
        """Networks of so many layers whose features and work are drawn, a tenth of their work on the edge."""
        rng = np.random.default_rng(layers)
        airtime, device = (
            10.0 ** rng.uniform(-2.0, 0.0, (devices, layers + 1)),
            rng.uniform(0.0, 0.1, (devices, layers)),
        )
        airtime[:, -1] = 0.0
        work = np.cumsum(device[:, ::-1], axis=1)[:, ::-1]
        edge = np.hstack([0.1 * work, np.zeros((devices, 1))])
        return cls(airtime, edge, device, 10.0 ** rng.uniform(-0.5, 2.5, devices), 0.1523, None)

    def problem(self, row: int) -> cg.StoppingProblem:
        """The problem of one device."""
        return cg.StoppingProblem(
            airtime_cost=self.airtime[row],
            edge_cost=self.edge[row],
            device_cost=self.device[row],
            channel=cg.Rayleigh(
                mean_snr=float(self.mean_snr[row]),
                min_efficiency=self.min_efficiency,
                max_efficiency=self.max_efficiency,
            ),
            completes=True,
        )

    def solve(self) -> Array:
        """Optimal costs, from the arrays."""
        laws = bl.LawColumns(
            cg.Rayleigh,
            mean_snr=self.mean_snr,
            min_efficiency=self.min_efficiency,
            max_efficiency=self.max_efficiency,
        )
        stack = bl.ProblemStack(
            airtime_cost=self.airtime, edge_cost=self.edge, device_cost=self.device, channel=laws, completes=True
        )
        return np.asarray(bl.solve_many(stack).cost)

    def on_levels(self, rows: slice) -> Array:
        """Costs of some devices on levels, together."""
        uses = peers.levels(self.mean_snr[rows], self.min_efficiency, self.max_efficiency)
        return peers.grid_recursions(self.airtime[rows], self.edge[rows], self.device[rows], uses)


@pytest.fixture(scope="module")
def problem() -> cg.StoppingProblem:
    """Twenty layers under Rayleigh fading."""
    return cg.Scenario.load(_SCENARIO).problem()


def _error(costs: Sequence[float] | Array, problems: Sequence[cg.StoppingProblem]) -> float:
    """The largest distance from the exact costs."""
    exact = np.array([peers.exact_cost(problem) for problem in problems])
    return rounded(np.abs(np.asarray(costs) / exact - 1.0).max())


def _quantecon(make: Callable[[], Side]) -> Side | Absent:
    """The side of QuantEcon, where it is installed."""
    try:
        import quantecon  # noqa: F401
    except ModuleNotFoundError:
        return Absent(QUANTECON)
    return make()


def _id(what: str, peer: str) -> str:
    """The goals are about the rows beside the grid."""
    return what if peer == "grid" else f"{what}-{peer}"


@pytest.mark.parametrize("peer", ["grid", "quantecon"])
def bench_warm(side_by_side: SideBySide, problem: cg.StoppingProblem, peer: str) -> None:
    """A problem that was solved before; levels and matrices of the peers are made before, too."""
    uses = peers.levels_of(problem)
    ours = Side(lambda: bl.backward_induction(problem), error=_error([bl.backward_induction(problem).cost], [problem]))

    def quantecon() -> Side:
        model = peers.QuantEcon(problem, uses)
        return Side(model.solve, name=QUANTECON, error=_error([model.solve()], [problem]))

    def grid() -> Side:
        error = _error([peers.grid_recursion(problem, uses)], [problem])
        return Side(lambda: peers.grid_recursion(problem, uses), name=GRID, error=error)

    other = grid() if peer == "grid" else _quantecon(quantecon)
    side_by_side(_id("solve-warm", peer), "solver", "backward_induction, 20 layers, warm", "s", ours, other)


@pytest.mark.parametrize("peer", ["grid", "quantecon"])
def bench_new_channel(side_by_side: SideBySide, problem: cg.StoppingProblem, peer: str) -> None:
    """Law, problem and solution made anew, each time for another mean SNR."""
    template, rng = Fleet.like(problem, 1), np.random.default_rng(0)

    def new_problems(count: int) -> list[cg.StoppingProblem]:
        levels = 10.0 ** rng.uniform(-0.5, 2.5, (count, 1))
        return [template._replace(mean_snr=mean_snr).problem(0) for mean_snr in levels]

    def anew(solve: Callable[[cg.StoppingProblem], object]) -> Callable[[], object]:
        return lambda: [solve(one) for one in new_problems(_NEW_CHANNELS)]

    some = new_problems(_EXACT)

    def on_levels(one: cg.StoppingProblem) -> float:
        return peers.grid_recursion(one, peers.levels_of(one))

    def in_quantecon(one: cg.StoppingProblem) -> float:
        return peers.QuantEcon(one, peers.levels_of(one)).solve()

    def side(name: str, solve: Callable[[cg.StoppingProblem], float]) -> Side:
        return Side(anew(solve), _NEW_CHANNELS, name=name, error=_error([solve(one) for one in some], some))

    other = side(GRID, on_levels) if peer == "grid" else _quantecon(lambda: side(QUANTECON, in_quantecon))
    ours = side("", lambda one: bl.backward_induction(one).cost)
    side_by_side(
        _id("solve-new-channel", peer), "solver", "backward_induction, 20 layers, new channel", "s", ours, other
    )


@pytest.mark.parametrize("peer", ["grid", "quantecon"])
def bench_many(side_by_side: SideBySide, problem: cg.StoppingProblem, peer: str) -> None:
    """Many devices from arrays, on one core; QuantEcon solves them one by one."""
    fleet = Fleet.like(problem, _DEVICES)
    some = [fleet.problem(row) for row in range(_EXACT)]
    first = slice(0, _TOGETHER)

    def quantecon() -> Side:
        def costs(rows: range) -> list[float]:
            return [peers.QuantEcon(each, peers.levels_of(each)).solve() for each in map(fleet.problem, rows)]

        return Side(lambda: costs(range(1)), 1, name=QUANTECON, error=_error(costs(range(_EXACT)), some))

    def grid() -> Side:
        error = _error(fleet.on_levels(first)[:_EXACT], some)
        return Side(lambda: fleet.on_levels(first), _TOGETHER, name=GRID, error=error)

    other = grid() if peer == "grid" else _quantecon(quantecon)
    ours = Side(fleet.solve, _DEVICES, error=_error(fleet.solve()[:_EXACT], some))
    side_by_side(
        _id("solve-many", peer), "solver", f"solve_many, {_DEVICES:,} devices, 20 layers", "solves/s", ours, other
    )


def _time_growth(benchmark: Any, findings: Findings, axis: Axis, fleet: Fleet) -> None:
    benchmark.group = f"growth in {axis}"
    benchmark.pedantic(fleet.solve, rounds=3, warmup_rounds=1)
    devices, layers = fleet.device.shape
    seconds = rounded(benchmark.stats.stats.min)
    findings.growth.append(GrowthPoint(curve="solve_many", axis=axis, devices=devices, layers=layers, seconds=seconds))


@pytest.mark.parametrize("devices", [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000])
def bench_devices(benchmark: Any, findings: Findings, problem: cg.StoppingProblem, devices: int) -> None:
    """Time against the number of devices, 20 layers each."""
    if findings.machine.quick and devices > _DEVICES:
        pytest.skip("not in a short run")
    _time_growth(benchmark, findings, "devices", Fleet.like(problem, devices))


@pytest.mark.parametrize("layers", [5, 10, 20, 50, 100, 200])
def bench_layers(benchmark: Any, findings: Findings, layers: int) -> None:
    """Time against the number of layers, for ten thousand devices."""
    _time_growth(benchmark, findings, "layers", Fleet.deep(layers, _LAYERED))

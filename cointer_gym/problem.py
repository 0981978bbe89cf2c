"""The finite-horizon optimal stopping problem, as arrays."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from cointer_gym.channels import ChannelLaw, Independent, Process
from cointer_gym.records import Amounts
from cointer_gym.units import FloatArray


@dataclass(frozen=True, eq=False, kw_only=True)
class StageTerms:
    """One additive quantity (cost, seconds or joules) of a problem with horizon M.

    Offloading at stage n adds ``airtime[n] * x + edge[n]``; computing layer n+1 on the device adds ``device[n]``.
    """

    airtime: FloatArray
    """Shape (M+1,), per channel use per bit."""
    edge: FloatArray
    """Shape (M+1,)."""
    device: FloatArray
    """Shape (M,)."""

    def mean_upload(self, channel: ChannelLaw) -> FloatArray:
        """E[airtime * x + edge], shape (M+1,); a stage without airtime adds ``edge`` even where E[x] is infinite."""
        with np.errstate(invalid="ignore"):
            airtime = np.where(self.airtime > 0, self.airtime * channel.mean_channel_uses_per_bit, 0.0)
        return np.asarray(airtime + self.edge)


@dataclass(frozen=True, eq=False, kw_only=True)
class StoppingProblem:
    """When to upload: at stage n = 0..M the device holds feature n, sees x_n, and stops or continues.

        s_n(x) = A_n x + B_n     cost of offloading at stage n
        c_n                      cost of computing layer n+1 on the device, n = 0..M-1

    Args:
        airtime_cost: A, shape (M+1,), ETC per channel use per bit, >= 0.
        edge_cost: B, shape (M+1,), ETC, >= 0.
        device_cost: c, shape (M,), ETC, >= 0.
        channel: law of the SNR at each stage, independent from stage to stage.
        completes: the result is ready at stage M (all layers are on the device) and nothing is uploaded there, so
            ``airtime_cost[M]`` and ``edge_cost[M]`` must be 0; otherwise the upload at stage M is forced.
        time, energy: the same terms in seconds and in joules, if known.
        stage_names: a label per stage, length M+1; ``0`` to ``M`` unless given.

    Raises:
        ValueError: wrong shape, a negative or non-finite entry, or a forced upload whose mean cost is infinite.
    """

    airtime_cost: ArrayLike
    edge_cost: ArrayLike
    device_cost: ArrayLike
    channel: ChannelLaw
    completes: bool
    time: StageTerms | None = None
    energy: StageTerms | None = None
    stage_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        size = max(np.size(self.airtime_cost), 1)
        for name, expected in (("airtime_cost", size), ("edge_cost", size), ("device_cost", size - 1)):
            object.__setattr__(self, name, _checked(name, getattr(self, name), expected))
        if not self.stage_names:
            object.__setattr__(self, "stage_names", tuple(str(n) for n in range(size)))
        if len(self.stage_names) != size:
            raise ValueError(f"stage_names has {len(self.stage_names)} entries, expected {size}")
        for name, terms in (("time", self.time), ("energy", self.energy)):
            if terms is not None and (terms.airtime.size, terms.edge.size, terms.device.size) != (size, size, size - 1):
                raise ValueError(f"{name} does not have the shape of the costs: {size} stages, {size - 1} layers")
        self._check_last_stage()

    def _check_last_stage(self) -> None:
        airtime, edge = float(self.cost.airtime[-1]), float(self.cost.edge[-1])
        if self.completes and self.horizon == 0:
            raise ValueError("completes = True needs at least one layer, horizon = 0")
        if self.completes and (airtime or edge):
            raise ValueError(
                "completes = True leaves no upload at the last stage: "
                f"airtime_cost[-1] = {airtime}, edge_cost[-1] = {edge} must be 0"
            )
        if not self.completes and airtime > 0 and np.isinf(self.channel.mean_channel_uses_per_bit):
            raise ValueError(
                f"min_efficiency = {self.channel.min_efficiency} makes the mean cost of the forced upload at stage "
                f"{self.horizon} infinite: E[1/log2(1 + SNR)] diverges because fading reaches SNR 0. "
                "Give min_efficiency > 0 (default 0.1523 bit/s/Hz, the lowest CQI of LTE), or place all layers so that "
                "no upload is forced"
            )

    @cached_property
    def cost(self) -> StageTerms:
        """A, B and c as one record of read-only arrays."""
        return StageTerms(
            airtime=np.asarray(self.airtime_cost), edge=np.asarray(self.edge_cost), device=np.asarray(self.device_cost)
        )

    @cached_property
    def terms(self) -> Amounts[StageTerms]:
        """The terms in ETC and, where they are known, in seconds and joules."""
        return Amounts(self.cost, self.time, self.energy)

    @cached_property
    def process(self) -> Process:
        """How the SNR moves over the stages of a task."""
        return Independent(self.channel)

    def draw_paths(self, rng: np.random.Generator, tasks: tuple[int, ...]) -> FloatArray:
        """Fading paths of independent tasks: linear SNRs of all stages, shape (*tasks, M+1)."""
        return self.process.paths(rng, tasks, self.horizon + 1)

    @property
    def horizon(self) -> int:
        """M, the number of layers placed on the device."""
        return self.cost.device.size

    @cached_property
    def static_cost(self) -> FloatArray:
        """Expected ETC of always splitting at stage n, shape (M+1,); at a completing stage M nothing is uploaded."""
        spent = np.concatenate([[0.0], np.cumsum(self.cost.device)])
        return np.asarray(spent + self.cost.mean_upload(self.channel))


def _checked(name: str, values: ArrayLike, size: int) -> FloatArray:
    array = np.array(values, dtype=np.float64)
    if array.shape != (size,):
        raise ValueError(f"{name} has shape {array.shape}, expected ({size},)")
    bad = np.flatnonzero(~(np.isfinite(array) & (array >= 0)))
    if bad.size:
        raise ValueError(f"{name}[{bad[0]}] = {array[bad[0]]} must be finite and >= 0")
    array.setflags(write=False)
    return array

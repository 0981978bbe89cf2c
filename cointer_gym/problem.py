"""The finite-horizon optimal stopping problem, as arrays."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from cointer_gym.channels import ChannelLaw, Independent, Process, warn_if_lifted
from cointer_gym.channels.counter import keys
from cointer_gym.records import Amounts, checked_integer
from cointer_gym.units import FloatArray

LEAST_AIRTIME, LARGEST_TERM = 1e-100, 1e200  # leaves room for the products with x, and for the quotients C / A


@dataclass(frozen=True, eq=False, kw_only=True)
class StageTerms:
    """One additive quantity (cost, seconds or joules) of a problem with horizon M.

    Offloading at stage n adds ``airtime[n] * x + edge[n]``; computing layer n+1 on the device adds ``device[n]``. A
    problem checks the shapes, and that every entry is from 0 to 1e200.
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
        airtime_cost: A, shape (M+1,), ETC per channel use per bit; 0, or from 1e-100 to 1e200.
        edge_cost: B, shape (M+1,), ETC, from 0 to 1e200.
        device_cost: c, shape (M,), ETC, from 0 to 1e200.
        channel: law of the SNR at each stage, independent from stage to stage.
        completes: the result is ready at stage M (all layers are on the device) and nothing is uploaded there, so
            ``airtime_cost[M]`` and ``edge_cost[M]`` must be 0; otherwise the upload at stage M is forced.
        time, energy: the same terms in seconds and in joules, if known, under the same conditions.
        stage_names: a label per stage, length M+1; ``0`` to ``M`` unless given.

    Raises:
        ValueError: no channel, wrong shape, an entry that is negative, not finite or too large, or a forced upload
            whose mean cost is infinite.

    Warns:
        ClippedSamplesWarning: the default ``min_efficiency`` of the channel changes what its samples say.
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
        if not isinstance(self.channel, ChannelLaw):
            raise ValueError(
                f"channel = {self.channel!r} must be a ChannelLaw, such as cointer_gym.Rayleigh(mean_snr=10)"
            )
        size = max(np.size(self.airtime_cost), 1)
        for name, expected in (("airtime_cost", size), ("edge_cost", size), ("device_cost", size - 1)):
            object.__setattr__(self, name, _checked(name, getattr(self, name), expected))
        tiny = np.flatnonzero((self.cost.airtime > 0) & (self.cost.airtime < LEAST_AIRTIME))
        if tiny.size:
            raise ValueError(
                f"airtime_cost[{tiny[0]}] = {self.cost.airtime[tiny[0]]} must be 0 or at least {LEAST_AIRTIME:g}"
            )
        for name in ("time", "energy"):
            object.__setattr__(self, name, _checked_terms(name, getattr(self, name), size))
        if not self.stage_names:
            object.__setattr__(self, "stage_names", tuple(str(n) for n in range(size)))
        if len(self.stage_names) != size:
            raise ValueError(f"stage_names has {len(self.stage_names)} entries, expected {size}")
        self._check_last_stage()
        if "min_efficiency" not in self.channel.model_fields_set:
            warn_if_lifted(self.channel)

    def _check_last_stage(self) -> None:
        airtime, mean_uses = float(self.cost.airtime[-1]), self.channel.mean_channel_uses_per_bit
        if self.completes and self.horizon == 0:
            raise ValueError("completes = True needs at least one layer, horizon = 0")
        named = [("", "_cost", self.cost), ("time.", "", self.time), ("energy.", "", self.energy)]
        for before, after, terms in named if self.completes else ():
            if terms is not None and (terms.airtime[-1] or terms.edge[-1]):
                raise ValueError(
                    "completes = True leaves no upload at the last stage: "
                    f"{before}airtime{after}[-1] = {terms.airtime[-1]}, "
                    f"{before}edge{after}[-1] = {terms.edge[-1]} must be 0"
                )
        if not self.completes and airtime > 0 and np.isinf(mean_uses):
            raise ValueError(
                f"min_efficiency = {self.channel.min_efficiency} makes the mean cost of the forced upload at stage "
                f"{self.horizon} infinite: E[1/log2(1 + SNR)] diverges because SNRs near 0 are too likely. "
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

    def paths(self, seed: int, episode: ArrayLike) -> FloatArray:
        """Fading paths of episodes of an environment that is seeded with ``seed``, whatever a policy does there.

        Args:
            seed: as for ``reset``, >= 0.
            episode: numbers of the episodes, counted from 0, any shape.

        Returns:
            FloatArray: linear SNRs of all stages, shape (*episode.shape, M+1).

        Raises:
            ValueError: the seed or an episode is negative or no integer.
        """
        key = keys([checked_integer("seed", seed, 0)])[0]
        episodes = np.asarray(episode)
        if episodes.dtype.kind not in "iu" or (episodes < 0).any():
            raise ValueError(f"episode = {episode!r} must be integers >= 0")
        return self.process.paths(key, episodes, self.horizon + 1)

    @property
    def horizon(self) -> int:
        """M, the number of layers placed on the device."""
        return self.cost.device.size

    @cached_property
    def static_cost(self) -> FloatArray:
        """Expected ETC of always splitting at stage n, shape (M+1,); at a completing stage M nothing is uploaded."""
        spent = np.concatenate([[0.0], np.cumsum(self.cost.device)])
        return np.asarray(spent + self.cost.mean_upload(self.channel))


def _checked_terms(name: str, terms: StageTerms | None, size: int) -> StageTerms | None:
    if terms is None:
        return None
    lengths = {"airtime": size, "edge": size, "device": size - 1}
    return StageTerms(
        **{field: _checked(f"{name}.{field}", getattr(terms, field), length) for field, length in lengths.items()}
    )


def _checked(name: str, values: ArrayLike, size: int) -> FloatArray:
    array = np.array(values, dtype=np.float64)
    if array.shape != (size,):
        raise ValueError(f"{name} has shape {array.shape}, expected ({size},)")
    bad = np.flatnonzero(~((array >= 0) & (array <= LARGEST_TERM)))
    if bad.size:
        raise ValueError(f"{name}[{bad[0]}] = {array[bad[0]]} must be finite and from 0 to {LARGEST_TERM:g}")
    array.setflags(write=False)
    return array

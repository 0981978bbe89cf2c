"""The law of the channel: all that the solvers need to know about the uplink at one stage.

With x the channel uses per bit at a random SNR and F its distribution function, two numbers carry the channel: the mean
E[x] and the first-order lower partial moment

    Phi(tau) = E[(tau - x)^+] = integral of F from 0 to tau.
"""

import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, model_validator

from cointer_gym.channels.rate import LTE_MIN_EFFICIENCY, Rate
from cointer_gym.records import Model, import_object
from cointer_gym.units import FloatArray, db_to_linear

LAWS: dict[str, "type[ChannelLaw]"] = {}
"""Every law that a scenario may name."""

_NEGLIGIBLE = 1e-30  # probability of an SNR that never happens
_TINY, _HUGE = 1e-300, 1e300  # the SNRs in double precision, with room to multiply
_HALF_DECADE = float(np.sqrt(10.0))
_BELOW_THE_FLOOR = 0.99  # where the range begins, so that the SNR of the most robust rate can be a threshold


class ClippedSamplesWarning(UserWarning):
    """A rate limit that nobody wrote down changes what a measured trace says."""


class OffloadMoments(NamedTuple):
    """Probability and partial mean of x over the set of SNRs at which a policy offloads."""

    probability: FloatArray
    """P(offload), any shape."""
    channel_uses: FloatArray
    """E[x; offload] in channel uses per bit, same shape."""
    goes_on: FloatArray | None = None
    """P(continue), same shape; 1 - P(offload) if None, which is 0 where P(continue) is below 1e-16."""

    @property
    def waiting(self) -> FloatArray:
        """P(continue), any shape."""
        return 1.0 - self.probability if self.goes_on is None else self.goes_on


class ChannelLaw(Model, ABC):
    """A law of the SNR, seen through a rate.

    A subclass is registered under the name that scenarios use: ``class Weibull(FadingLaw, law="weibull")``; its own
    name in lower case unless given. Its fields are the fields of the ``[channel]`` table.

    Args:
        min_efficiency: spectral efficiency of the most robust scheme, bit/s/Hz, at most 100; 0 is pure Shannon (a
            forced upload then has infinite mean cost under most laws and is refused by ``StoppingProblem``).
        max_efficiency: efficiency of the fastest scheme, bit/s/Hz; None is unlimited.
    """

    name: ClassVar[str]
    """What scenarios call the law."""
    in_db: ClassVar[dict[str, str]] = {}
    """Fields that may be given in dB: the name that says so, and the linear field."""

    min_efficiency: float = Field(default=LTE_MIN_EFFICIENCY, ge=0, le=100)
    max_efficiency: float | None = Field(default=None, gt=0, le=1e300)

    def __init_subclass__(cls, *, law: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)

    @classmethod
    def __pydantic_init_subclass__(cls, *, law: str | None = None, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.name = law or cls.__name__.lower()
        if "capped_mean" in vars(cls) and "capped_mean_at" not in vars(cls):
            cls.capped_mean_at = ChannelLaw.capped_mean_at  # type: ignore[method-assign]  # not that of another formula
        if cls.__abstractmethods__:
            return
        if LAWS.get(cls.name, cls).__qualname__ != cls.__qualname__:
            raise ValueError(f"law = {cls.name!r} is taken by {LAWS[cls.name].__qualname__}")
        LAWS[cls.name] = cls

    @classmethod
    def reference(cls) -> str:
        """How a scenario names the law so that another process finds it: by name, or ``module:Class`` outside here."""
        importable = getattr(sys.modules.get(cls.__module__), cls.__qualname__, None) is cls
        own = cls.__module__.startswith(__name__.partition(".")[0] + ".")
        return cls.name if own or not importable else f"{cls.__module__}:{cls.__qualname__}"

    @model_validator(mode="before")
    @classmethod
    def _from_db(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        spelled = {field: data[name] for name, field in cls.in_db.items() if name in data and field not in data}
        linear = {field: _linear(value) for field, value in spelled.items()}
        return {name: value for name, value in data.items() if cls.in_db.get(name) not in linear} | linear

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if 0 < self.min_efficiency < _TINY:
            raise ValueError(f"min_efficiency = {self.min_efficiency} must be 0 or at least {_TINY:g}")
        if self.max_efficiency is not None and self.max_efficiency <= self.min_efficiency:
            raise ValueError(
                f"max_efficiency = {self.max_efficiency} must exceed min_efficiency = {self.min_efficiency}"
            )
        return self

    def lifted(self) -> str | None:
        """What the most robust rate changes about the measurements behind the law, in words; None if hardly anything.

        None by default: a law that is a model contains that rate from the start.
        """
        return None

    @abstractmethod
    def inverse_survival(self, probability: ArrayLike) -> FloatArray:
        """The linear SNR that is reached or exceeded with a probability in (0, 1), elementwise.

        The law is drawn from by it, at a uniform probability: what is the same number must give the same SNR, whatever
        the shape of the array around it.
        """

    @abstractmethod
    def survival(self, snr: ArrayLike) -> FloatArray:
        """P(SNR >= snr), elementwise, for linear ``snr`` in [0, inf]."""

    def outage(self, snr: ArrayLike) -> FloatArray:
        """P(SNR < snr), elementwise; a law that knows it better than as 1 - P(SNR >= snr) says so."""
        return np.asarray(1.0 - self.survival(snr))

    @abstractmethod
    def lower_partial_moment(self, channel_uses: ArrayLike) -> FloatArray:
        """Phi(tau) = E[(tau - x)^+], elementwise, in channel uses per bit."""

    def capped_mean(self, channel_uses: ArrayLike) -> FloatArray:
        """E[min(x, tau)] = tau - Phi(tau), elementwise; a law that knows it without that difference says so."""
        tau = np.asarray(channel_uses, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            below = tau - self.lower_partial_moment(tau)
        return np.where(tau >= self.uses_range[1], self.mean_channel_uses_per_bit, below)

    def capped_mean_at(self, channel_uses: float) -> float:
        """E[min(x, tau)] at one number; a law that can spares the recursion of a single problem the cost of arrays."""
        return float(self.capped_mean(channel_uses))

    def mean_excess(self, channel_uses: ArrayLike) -> FloatArray:
        """E[(x - tau)^+] = E[x] - E[min(x, tau)], elementwise; a law that knows it better says so."""
        return np.asarray(np.maximum(self.mean_channel_uses_per_bit - self.capped_mean(channel_uses), 0.0))

    @abstractmethod
    def offload_moments(self, threshold_snr: ArrayLike) -> OffloadMoments:
        """P(SNR >= threshold) and E[x; SNR >= threshold], elementwise; threshold inf is never, 0 is always."""

    @property
    @abstractmethod
    def average_snr(self) -> float:
        """Mean linear SNR."""

    @property
    @abstractmethod
    def mean_channel_uses_per_bit(self) -> float:
        """E[x], s Hz/bit; inf for a pure Shannon link under fading that reaches 0."""

    @property
    @abstractmethod
    def breakpoints(self) -> FloatArray:
        """Sorted values of x; first and last are the ends of its support, and F is smooth on the scale of the steps."""

    @property
    def uses_range(self) -> tuple[float, float]:
        """The ends of the support of x."""
        return float(self.breakpoints[0]), float(self.breakpoints[-1])

    @cached_property
    def rate(self) -> Rate:
        """The rate through which the SNR is seen."""
        return Rate(self.min_efficiency, self.max_efficiency)

    @cached_property
    def snr_range(self) -> tuple[float, float]:
        """Linear SNRs between which all that matters changes, 0 < low < high < inf.

        Below ``low`` and above ``high`` the rate no longer depends on the SNR, or an SNR has a probability below 1e-30.
        """
        slowest, fastest = self.rate.snr([self.rate.most_uses, self.rate.fewest_uses])
        low, high = np.clip(np.clip(self._support(), _BELOW_THE_FLOOR * slowest, fastest), _TINY, _HUGE)
        return (float(low), float(high)) if low < high else (float(low / _HALF_DECADE), float(low * _HALF_DECADE))

    def _support(self) -> tuple[float, float]:
        """The SNRs below and above which hardly any draw lies."""
        low = _crossing(lambda snr: float(self.outage(snr)) >= _NEGLIGIBLE)
        return low, _crossing(lambda snr: float(self.survival(snr)) < _NEGLIGIBLE)

    def channel_uses_per_bit(self, snr: ArrayLike) -> FloatArray:
        """X = 1 / eta(snr) in s Hz/bit, elementwise."""
        return self.rate.channel_uses_per_bit(snr)

    def cdf(self, channel_uses: ArrayLike) -> FloatArray:
        """F(t) = P(x <= t), elementwise."""
        return self.survival(self.threshold_snr(channel_uses))

    def exceedance(self, channel_uses: ArrayLike) -> FloatArray:
        """P(x > t) = 1 - F(t), elementwise."""
        return self.outage(self.threshold_snr(channel_uses))

    def threshold_snr(self, channel_uses: ArrayLike) -> FloatArray:
        """The SNR from which x <= tau: 0 if every SNR qualifies, inf if none does, else 2^(1/tau) - 1."""
        tau = np.asarray(channel_uses, dtype=np.float64)
        fewest, most = self.uses_range
        never = (tau < fewest) | (tau <= 0.0)
        return np.where(tau >= most, 0.0, np.where(never, np.inf, self.rate.snr(tau)))


def _crossing(reached: Callable[[float], bool]) -> float:
    """The SNR at which a condition that holds from some SNR on begins to hold, by bisection in decades."""
    low, high = np.log10([_TINY, _HUGE])
    for _ in range(64):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if reached(float(10.0**middle)) else (middle, high)
    return float(10.0**high)


def _linear(value_db: Any) -> Any:
    """Numbers out of dB; what is no number is left for the field to refuse."""
    if isinstance(value_db, list | tuple | np.ndarray) and np.ndim(value_db):
        return [_linear(each) for each in value_db]
    plain = value_db.item() if isinstance(value_db, np.ndarray | np.generic) else value_db
    is_number = isinstance(plain, int | float) and not isinstance(plain, bool)
    with np.errstate(over="ignore"):  # an infinite ratio is refused as such
        return float(db_to_linear(plain)) if is_number else value_db


def warn_if_lifted(law: ChannelLaw) -> None:
    """Warn of a ``min_efficiency`` that was not written down and changes the measurements behind the law."""
    text = law.lifted()
    if text:
        warnings.warn(text, ClippedSamplesWarning, stacklevel=3)


def find_law(name: str) -> type[ChannelLaw]:
    """The law that a scenario calls ``name``: a registered one, or a class given as ``package.module:Class``.

    Raises:
        ValueError: there is none; lists the registered ones.
    """
    if ":" not in name:
        if name not in LAWS:
            raise ValueError(f"law = {name!r} must be one of {', '.join(LAWS)}, or a class as package.module:Class")
        return LAWS[name]
    found = import_object(name)
    if not (isinstance(found, type) and issubclass(found, ChannelLaw)):
        raise ValueError(f"law = {name!r} is no subclass of cointer_gym.ChannelLaw")
    return found

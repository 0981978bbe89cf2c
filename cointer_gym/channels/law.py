"""The law of the channel: all that the solvers need to know about the uplink at one stage.

With x the channel uses per bit at a random SNR and F its distribution function, two numbers carry the channel: the mean
E[x] and the first-order lower partial moment

    Phi(tau) = E[(tau - x)^+] = integral of F from 0 to tau.
"""

import sys
from abc import ABC, abstractmethod
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


class OffloadMoments(NamedTuple):
    """Probability and partial mean of x over the set of SNRs at which a policy offloads."""

    probability: FloatArray
    """P(offload), any shape."""
    channel_uses: FloatArray
    """E[x; offload] in channel uses per bit, same shape."""


class ChannelLaw(Model, ABC):
    """A law of the SNR, seen through a rate.

    A subclass is registered under the name that scenarios use: ``class Weibull(FadingLaw, law="weibull")``; its own
    name in lower case unless given. Its fields are the fields of the ``[channel]`` table.

    Args:
        min_efficiency: spectral efficiency of the most robust scheme, bit/s/Hz; 0 is pure Shannon (a forced upload then
            has infinite mean cost and is refused by ``StoppingProblem``).
        max_efficiency: efficiency of the fastest scheme, bit/s/Hz; None is unlimited.
    """

    name: ClassVar[str]
    """What scenarios call the law."""
    in_db: ClassVar[dict[str, str]] = {}
    """Fields that may be given in dB: the name that says so, and the linear field."""

    min_efficiency: float = Field(default=LTE_MIN_EFFICIENCY, ge=0)
    max_efficiency: float | None = Field(default=None, gt=0)

    def __init_subclass__(cls, *, law: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)

    @classmethod
    def __pydantic_init_subclass__(cls, *, law: str | None = None, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.name = law or cls.__name__.lower()
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
        if self.max_efficiency is not None and self.max_efficiency <= self.min_efficiency:
            raise ValueError(
                f"max_efficiency = {self.max_efficiency} must exceed min_efficiency = {self.min_efficiency}"
            )
        return self

    @abstractmethod
    def sample_snr(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        """Draw independent linear SNRs."""

    @abstractmethod
    def survival(self, snr: ArrayLike) -> FloatArray:
        """P(SNR >= snr), elementwise, for linear ``snr`` in [0, inf]."""

    @abstractmethod
    def lower_partial_moment(self, channel_uses: ArrayLike) -> FloatArray:
        """Phi(tau) = E[(tau - x)^+], elementwise, in channel uses per bit."""

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

    @cached_property
    def rate(self) -> Rate:
        """The rate through which the SNR is seen."""
        return Rate(self.min_efficiency, self.max_efficiency)

    def channel_uses_per_bit(self, snr: ArrayLike) -> FloatArray:
        """X = 1 / eta(snr) in s Hz/bit, elementwise."""
        return self.rate.channel_uses_per_bit(snr)

    def snr_quantile(self, probability: float) -> float:
        """The linear SNR that a draw stays below with the given probability, by bisection in decades."""
        low, high = -12.0, 12.0
        for _ in range(60):
            middle = 0.5 * (low + high)
            below = 1.0 - float(self.survival(self.average_snr * 10.0**middle)) < probability
            low, high = (middle, high) if below else (low, middle)
        return float(self.average_snr * 10.0**high)

    def cdf(self, channel_uses: ArrayLike) -> FloatArray:
        """F(t) = P(x <= t), elementwise."""
        return self.survival(self.threshold_snr(channel_uses))

    def threshold_snr(self, channel_uses: ArrayLike) -> FloatArray:
        """The SNR from which x <= tau: 0 if every SNR qualifies, inf if none does, else 2^(1/tau) - 1."""
        tau = np.asarray(channel_uses, dtype=np.float64)
        never = (tau < self.breakpoints[0]) | (tau <= 0.0)
        return np.where(tau >= self.breakpoints[-1], 0.0, np.where(never, np.inf, self.rate.snr(tau)))


def _linear(value_db: Any) -> Any:
    """Numbers out of dB; what is no number is left for the field to refuse."""
    if isinstance(value_db, list | tuple):
        return [_linear(each) for each in value_db]
    is_number = isinstance(value_db, int | float) and not isinstance(value_db, bool)
    with np.errstate(over="ignore"):  # an infinite ratio is refused as such
        return float(db_to_linear(value_db)) if is_number else value_db


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

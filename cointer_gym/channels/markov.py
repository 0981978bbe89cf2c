"""Channels that move in time: processes whose SNR is Markov, over any elapsed time.

The independent law of every stage is the limit of a coherence time of 0. Two kinds are known exactly:

- ``GaussMarkov``: Rayleigh and Nakagami-m. The complex gain has the correlation e^(-dt / coherence_time_s); no other
  stationary Gaussian process is Markov. Its power gain is the process of Cox, Ingersoll and Ross.
- ``FiniteState`` in ``cointer_gym.channels.finite_state``: a Markov chain of SNR levels, given or counted off a trace.

Rician fading is not among them: where the power goes next depends on the phase against the line of sight.

``doppler_to_coherence_time_s`` maps a Doppler frequency to the first kind.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from cointer_gym.channels.amplitude import AmplitudeDraw, AmplitudeStep
from cointer_gym.channels.counter import STAGES, WordArray, counters, mix, uniform
from cointer_gym.channels.law import ChannelLaw
from cointer_gym.channels.laws import Nakagami, Rayleigh, Rician
from cointer_gym.units import FloatArray

SPEED_OF_LIGHT_M_PER_S = 299_792_458.0

_AT_ONE_OVER_E = 1.751_987_422_47  # the x at which J_0(x) = 1/e


class MarkovProcess(ABC):
    """A stationary process of SNRs: what comes next depends on the SNR now and on the time until then."""

    @abstractmethod
    def first(self, counter: WordArray) -> FloatArray:
        """Linear SNRs from the stationary law, elementwise."""

    @abstractmethod
    def following(self, counter: WordArray, before: ArrayLike, elapsed_s: ArrayLike) -> FloatArray:
        """Linear SNRs a time after ``before``, elementwise; no time leaves them exactly as they are.

        Args:
            counter: of the stage that is entered.
            before: linear SNRs of this process.
            elapsed_s: seconds since then, >= 0.
        """

    def paths(self, key: WordArray, episode: ArrayLike, elapsed_s: ArrayLike) -> FloatArray:
        """Linear SNRs of all stages of episodes; the same as ``first`` and then ``following`` stage by stage.

        Args:
            key: of the seed; broadcast with ``episode``.
            episode: numbers of the episodes, from 0.
            elapsed_s: seconds between the stages, shape (M,).

        Returns:
            FloatArray: shape (*broadcast, M+1).

        Raises:
            ValueError: a time is negative or not finite, or more stages than an episode has counters.
        """
        elapsed = checked_elapsed(elapsed_s)
        if elapsed.size >= STAGES:
            raise ValueError(f"elapsed_s has {elapsed.size} entries, there may be at most {STAGES - 1}")
        stages = np.arange(elapsed.size + 1)
        words = counters(np.asarray(key)[..., None], np.asarray(episode)[..., None], stages)
        path = [self.first(np.asarray(words[..., 0]))]
        for n, seconds in enumerate(elapsed.tolist(), start=1):
            path.append(self.following(np.asarray(words[..., n]), path[-1], seconds))
        return np.stack(path, axis=-1)


def checked_elapsed(elapsed_s: ArrayLike, stages: int | None = None) -> FloatArray:
    """Times from stage to stage as an array of shape (stages,).

    Raises:
        ValueError: another shape, or a time that is negative or not finite.
    """
    elapsed = np.asarray(elapsed_s, dtype=np.float64)
    if elapsed.ndim != 1 or (stages is not None and elapsed.size != stages):
        raise ValueError(f"elapsed_s has shape {elapsed.shape}, expected ({'M' if stages is None else stages},)")
    bad = np.flatnonzero(~((elapsed >= 0) & np.isfinite(elapsed)))
    if bad.size:
        raise ValueError(f"elapsed_s[{bad[0]}] = {elapsed[bad[0]]} must be finite and >= 0")
    return elapsed


@dataclass(frozen=True)
class GaussMarkov(MarkovProcess):
    """Rayleigh or Nakagami-m fading whose complex gain has the correlation e^(-dt / coherence_time_s).

        m g' ~ q/2 chi'^2_2m(2 m rho^2 g / q),    rho = e^(-dt / coherence_time_s),    q = 1 - rho^2

    with g the unit-mean power gain. A time of 0 keeps the channel exactly. At a coherence time of 0 all stages are
    independent, also those that no time lies between; at inf the channel never moves.

    Args:
        law: the stationary law.
        coherence_time_s: seconds in which the correlation of the complex gain falls to 1/e, from 0 to inf.

    Raises:
        ValueError: the power of that law is not Markov, or the time is negative.
    """

    law: ChannelLaw
    coherence_time_s: float

    def __post_init__(self) -> None:
        if isinstance(self.law, Rician):
            raise ValueError(
                "law = rician: its power alone is not Markov, because where it goes depends on the phase of the "
                "scattered paths against the line of sight, which nobody sees in an SNR. Use it with independent "
                "stages (a coherence time of 0), or rayleigh or nakagami, or count a FiniteState chain off its trace"
            )
        if type(self.law) not in (Rayleigh, Nakagami):
            raise ValueError(f"law = {self.law.name} has no Gauss-Markov process: it must be rayleigh or nakagami")
        if not self.coherence_time_s >= 0:
            raise ValueError(f"coherence_time_s = {self.coherence_time_s} must be >= 0")

    @property
    def m(self) -> float:
        """Nakagami's parameter; 1 for Rayleigh fading."""
        return self.law.m if isinstance(self.law, Nakagami) else 1.0

    def correlation(self, elapsed_s: ArrayLike) -> FloatArray:
        """Rho, the correlation of the complex gain after a time, elementwise; rho^2 is that of the power gain."""
        return np.asarray(np.exp(-self._times(elapsed_s)))

    def transition(self, elapsed_s: float) -> AmplitudeStep:
        """How the amplitude (m g)^(1/2) moves in a time."""
        times = float(self._times(elapsed_s))
        return AmplitudeStep(self.m, float(np.exp(-times)), float(-np.expm1(-2.0 * times)))

    def first(self, counter: WordArray) -> FloatArray:
        """Draws of the law."""
        return self.law.inverse_survival(uniform(counter))

    def following(self, counter: WordArray, before: ArrayLike, elapsed_s: ArrayLike) -> FloatArray:
        """Draws from the transition; where the correlation is 0, what ``Independent`` draws."""
        times = self._times(elapsed_s)
        rho, q = np.exp(-times), -np.expm1(-2.0 * times)
        mean = self.law.average_snr
        fraction, snr = uniform(counter), np.asarray(before, dtype=np.float64)
        moved = mean * AmplitudeDraw(self.m, rho, q)(snr / mean, fraction, uniform(mix(counter)))
        return np.where(rho == 0.0, self.law.inverse_survival(fraction), np.where(times == 0.0, snr, moved))

    def _times(self, elapsed_s: ArrayLike) -> FloatArray:
        """Elapsed times in units of the coherence time."""
        elapsed = np.asarray(elapsed_s, dtype=np.float64)
        if self.coherence_time_s == 0.0:
            return np.full(elapsed.shape, np.inf)
        return np.asarray(elapsed / self.coherence_time_s)


def doppler_to_coherence_time_s(doppler_hz: float) -> float:
    """The coherence time of the Gauss-Markov process that stands for a Doppler spread.

    Scattering from all around has the correlation J_0(2 pi f dt), which is not that of a Markov process. What is
    matched is the time at which it falls to 1/e:

        coherence_time_s = 0.27884 / doppler_hz,    J_0(1.75199) = 1/e

    So both agree at lag 0 and at that lag. In between J_0 falls later (at a tenth of that time it is 0.9923, the
    exponential 0.9048), beyond it oscillates about 0.

    Args:
        doppler_hz: largest Doppler shift f, >= 0; 0 is a channel that never moves.

    Returns:
        float: seconds, inf for 0 Hz.

    Raises:
        ValueError: negative, or no number.

    Source:
        Clarke 1968, A statistical theory of mobile-radio reception; Jakes 1974, Microwave Mobile Communications, 1.3.
    """
    if not 0 <= doppler_hz < np.inf:
        raise ValueError(f"doppler_hz = {doppler_hz} must be finite and >= 0")
    return _AT_ONE_OVER_E / (2.0 * np.pi * doppler_hz) if doppler_hz > 0 else float("inf")


def speed_to_doppler_hz(speed_m_per_s: float, carrier_hz: float) -> float:
    """The largest Doppler shift at a speed, speed x carrier / speed of light.

    Raises:
        ValueError: the speed is negative, or the carrier is not positive.
    """
    if not 0 <= speed_m_per_s < SPEED_OF_LIGHT_M_PER_S:
        raise ValueError(f"speed_m_per_s = {speed_m_per_s} must be from 0 to below {SPEED_OF_LIGHT_M_PER_S:.0f}")
    if not 0 < carrier_hz < np.inf:
        raise ValueError(f"carrier_hz = {carrier_hz} must be finite and > 0")
    return speed_m_per_s * carrier_hz / SPEED_OF_LIGHT_M_PER_S

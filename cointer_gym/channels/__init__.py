"""The uplink as three small things: a rate, a law of the SNR seen through it, and a process that draws SNR paths."""

from cointer_gym.channels.empirical import Empirical
from cointer_gym.channels.fading import FadingLaw
from cointer_gym.channels.finite_state import FiniteState
from cointer_gym.channels.law import LAWS, ChannelLaw, ClippedSamplesWarning, OffloadMoments, warn_if_lifted
from cointer_gym.channels.laws import Nakagami, Rayleigh, Rician
from cointer_gym.channels.markov import (
    GaussMarkov,
    MarkovProcess,
    doppler_to_coherence_time_s,
    speed_to_doppler_hz,
)
from cointer_gym.channels.process import Independent, Process
from cointer_gym.channels.rate import LTE_MAX_EFFICIENCY, LTE_MIN_EFFICIENCY, Rate
from cointer_gym.channels.settings import ChannelSettings

__all__ = [
    "LAWS",
    "LTE_MAX_EFFICIENCY",
    "LTE_MIN_EFFICIENCY",
    "ChannelLaw",
    "ChannelSettings",
    "ClippedSamplesWarning",
    "Empirical",
    "FadingLaw",
    "FiniteState",
    "GaussMarkov",
    "Independent",
    "MarkovProcess",
    "Nakagami",
    "OffloadMoments",
    "Process",
    "Rate",
    "Rayleigh",
    "Rician",
    "doppler_to_coherence_time_s",
    "speed_to_doppler_hz",
    "warn_if_lifted",
]

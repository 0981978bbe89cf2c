"""Problems, policies and an independent reference for scores: quadrature over the density, no Phi, no thresholds."""

from itertools import pairwise

import numpy as np
from scipy.integrate import quad
from scipy.special import gammaln, xlogy

from cointer_gym import Empirical, Nakagami, Rayleigh, Rician, StoppingProblem
from cointer_gym.observation import SplittingLayout
from support.problems import MEAN_SNR

TERMS = {"airtime_cost": [1.0, 2.0, 0.4, 0.6], "edge_cost": [0.3, 0.25, 0.1, 0.05], "device_cost": [0.1, 0.05, 0.2]}
COMPLETE = {"airtime_cost": [1.0, 2.0, 0.4, 0.0], "edge_cost": [0.3, 0.25, 0.1, 0.0], "device_cost": [0.1, 0.05, 0.5]}
CHANNELS = {
    "rayleigh": Rayleigh(mean_snr=MEAN_SNR),
    "rayleigh, capped": Rayleigh(mean_snr=MEAN_SNR, max_efficiency=5.5547),
    "rayleigh, -5 dB": Rayleigh(mean_snr=10**-0.5),
    "rician": Rician(mean_snr=MEAN_SNR, k_factor=4.0),
    "nakagami": Nakagami(mean_snr=MEAN_SNR, m=2.5),
    "empirical": Empirical(snr=(0.0, 0.3, 1.7, 2.9, 4.1, 8.8, 8.9, 15.0, 31.0), min_efficiency=0.1523),
}


def problem(channel="rayleigh", terms=TERMS, **more):
    law = CHANNELS[channel] if isinstance(channel, str) else channel
    return StoppingProblem(**terms, channel=law, completes=terms is COMPLETE, **more)


def visible(law, relative_snr):
    """Linear SNRs, moved to where observations tell them from lower ones."""
    low, high = law.snr_range
    return np.clip(law.average_snr * relative_snr, 1.01 * low, high)


def decode(observation, mean_snr=MEAN_SNR):
    """Stage and linear SNR behind observations of ``CoInference-v0``."""
    return SplittingLayout(np.shape(observation)[-1] - 2, mean_snr, (1e-9, 1e9)).decode(observation)


class Rule:
    """Deterministic: offload where ``offloads(stage, snr)`` says so."""

    def __init__(self, offloads, mean_snr=MEAN_SNR):
        self.offloads, self.mean_snr = offloads, mean_snr

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        assert deterministic
        return np.asarray(self.offloads(*decode(observation, self.mean_snr))).astype(np.int64), state


def rayleigh_moments(probability, breaks=()):
    """P(offload) and E[x; offload] under Rayleigh fading for an offload probability that is a function of the SNR."""
    return nakagami_moments(1.0, probability, breaks)


def nakagami_moments(m, probability, breaks=()):
    """The same under Nakagami-m fading, Rayleigh's at m = 1."""
    lowest = 2**0.1523 - 1  # below this SNR the most robust rate is kept
    bulk = [MEAN_SNR * (1 + k / np.sqrt(m)) for k in (-6, -3, 0, 3, 6, 12)] if m > 1 else []
    inside = {point for point in (lowest, *breaks, *bulk) if point > 0}
    log_scale = m * np.log(m / MEAN_SNR) - gammaln(m)

    def integrate(integrand):
        edges = [0.0, *sorted(inside), 50 * MEAN_SNR]  # e^-50 is left out
        return sum(quad(integrand, a, b, epsabs=0, epsrel=1e-11, limit=400)[0] for a, b in pairwise(edges))

    def density(snr):
        return np.exp(log_scale + xlogy(m - 1, snr) - m * snr / MEAN_SNR)

    return (
        integrate(lambda snr: probability(snr) * density(snr)),
        integrate(lambda snr: probability(snr) * density(snr) / max(np.log2(1 + snr), 0.1523)),
    )


WINDOWS = [
    ((2.0, 9.0),),
    ((0.0, 1.0), (5.0, 5.5), (20.0, np.inf)),
    ((0.12, 0.3), (30.0, 60.0)),
]


def in_windows(stage, snr):
    inside = [sum((snr >= low) & (snr < high) for low, high in windows) for windows in WINDOWS]
    return np.choose(np.minimum(stage, 2), inside)


def window_moments(windows):
    probability, uses = 0.0, 0.0
    for low, high in windows:
        probability += np.exp(-low / MEAN_SNR) - np.exp(-high / MEAN_SNR)
        breaks = [edge for edge in (low, high) if 0 < edge < np.inf]
        uses += rayleigh_moments(lambda snr, a=low, b=high: float(a <= snr < b), breaks)[1]
    return probability, uses

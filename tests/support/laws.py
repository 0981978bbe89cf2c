"""One channel law of every kind."""

import pytest

from cointer_gym import Empirical, Nakagami, Rayleigh, Rician

TRACE = (3.0, 0.01, 40.0, 3.0, 0.7, 0.0, 12.5, 3.0)  # ties, an outage, and samples beyond both efficiency limits
LAWS = {
    "rayleigh": Rayleigh(mean_snr=10.0),
    "rayleigh-limited": Rayleigh(mean_snr=10.0, min_efficiency=0.5, max_efficiency=3.0),
    "rician": Rician(mean_snr=5.0, k_factor=4.0, max_efficiency=4.0),
    "nakagami": Nakagami(mean_snr=20.0, m=2.5),
    "nakagami-harsh": Nakagami(mean_snr=2.0, m=0.5),
    "empirical": Empirical(snr=TRACE, max_efficiency=5.0),
}


def each(laws):
    return pytest.mark.parametrize("law", laws.values(), ids=laws.keys())

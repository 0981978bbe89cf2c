"""Where a score looks: SNRs that lie densely where the law of the channel has its mass, and nowhere far apart."""

import numpy as np

from cointer_gym.channels import ChannelLaw, Empirical
from cointer_gym.units import FloatArray

_CURVE = 2048  # steps in which the distribution function is tabulated


def snr_grid(law: ChannelLaw, cells: int) -> FloatArray:
    """Rising linear SNRs over ``law.snr_range``, shape (cells + 1,); for a measured trace its samples are among them.

    No cell is wider than two ``cells``-ths of the range in dB, nor holds much more than two ``cells``-ths of the
    probability. Of a trace with more than ``cells`` distinct samples every k-th one is on the grid.
    """
    low, high = law.snr_range
    decades = np.linspace(np.log10(low), np.log10(high), max(cells, _CURVE) + 1)
    below = 1.0 - law.survival(10.0**decades)
    mass = (below - below[0]) / max(below[-1] - below[0], np.finfo(float).tiny)
    share = 0.5 * (mass + np.linspace(0.0, 1.0, decades.size))
    grid = 10.0 ** np.interp(np.linspace(0.0, 1.0, cells + 1), share, decades)
    grid[0], grid[-1] = low, high
    if isinstance(law, Empirical):
        distinct = np.unique(np.clip(law.snr, low, high))
        picked = np.unique(np.linspace(0, distinct.size - 1, min(distinct.size, cells + 1)).round().astype(int))
        grid = np.unique(np.concatenate([grid, distinct[picked]]))
    return np.asarray(grid)

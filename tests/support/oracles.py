"""Laws of the channel that share no formula with the package: slow, scalar, to many digits."""

from dataclasses import dataclass
from itertools import pairwise

import mpmath as mp

mp.mp.dps = 25  # of every mpmath number in this test process; double precision has 16

_SMALL = mp.mpf("1e-3")  # a gain


@dataclass(frozen=True)
class LawOracle:
    """The law of x = 1 / clip(log2(1 + mean_snr g), low, high), by quadrature over the gain g and its density."""

    density: object
    rate: float
    """Exponential decay rate of the density; the standard deviation of g is about rate^-1/2, at most (2 / rate)^1/2."""
    mean_snr: float
    low: float
    high: float | None = None

    def uses(self, gain):
        efficiency = mp.log1p(mp.mpf(self.mean_snr) * gain) / mp.log(2)
        efficiency = max(efficiency, mp.mpf(self.low))
        return 1 / (efficiency if self.high is None else min(efficiency, mp.mpf(self.high)))

    def gain(self, efficiency):
        """The gain at which log2(1 + SNR) reaches ``efficiency``; None (unlimited) is inf."""
        return mp.inf if efficiency is None else mp.expm1(mp.mpf(efficiency) * mp.log(2)) / mp.mpf(self.mean_snr)

    def expect(self, function, start=0, stop=mp.inf):
        """E[function(g); start <= g < stop]."""
        width = 1 / mp.sqrt(self.rate)
        end = min(stop, max(start, 1 + 20 * width) + mp.mpf(90) / self.rate)
        if end <= start:
            return mp.mpf(0)
        near = [start + mp.mpf(step) / self.rate for step in (0.03, 0.3, 1, 3, 9, 30, 90, 300, 900)]
        bulk = [1 + k * width for k in (-8, -4, -2, 0, 2, 4, 8, 12, 16)]
        growing = [start * 10**k for k in range(1, 30)]
        kinks = [self.gain(self.low), self.gain(self.high)]
        inside = {point for point in (*near, *bulk, *growing, *kinks) if start < point < end}
        points = [start, *sorted(inside), end]
        scale = max(abs(self._integrand(function, (a + b) / 2)) for a, b in pairwise(points))
        # quad stops at an absolute error: without the scale it would lose the far tail
        return scale * mp.quad(lambda gain: self._integrand(function, gain) / scale, points)

    def _integrand(self, function, gain):
        return self.density(gain) * function(gain)

    def survival(self, snr):
        return self.expect(lambda gain: 1, mp.mpf(snr) / mp.mpf(self.mean_snr))

    def mean(self):
        """E[x]."""
        return self.partial_mean(0)

    def partial_mean(self, snr):
        """E[x; SNR >= snr]."""
        return self.expect(self.uses, mp.mpf(snr) / mp.mpf(self.mean_snr))

    def outage(self, gain):
        """P(g < gain)."""
        split = min(gain, _SMALL)
        return self._over_logs(lambda g: 1, split * mp.exp(-100), split) + self.expect(lambda g: 1, split, gain)

    def capped_mean(self, tau):
        """E[min(x, tau)]."""
        cap = mp.mpf(tau) if self.low == 0 else min(mp.mpf(tau), 1 / mp.mpf(self.low))
        if self.high is not None and cap <= 1 / mp.mpf(self.high):
            return cap
        start = self.gain(1 / cap)
        deep = self._over_logs(self.uses, start, _SMALL) if start < _SMALL else 0
        return cap * self.outage(start) + deep + self.expect(self.uses, max(start, _SMALL))

    def _over_logs(self, function, start, stop):
        """E[function(g); start <= g < stop] for gains so small that function and density are nearly powers."""
        points = mp.linspace(mp.log(start), mp.log(stop), 2 + int(mp.log(stop / start) / 25))
        scale = max(mp.exp(log) * self._integrand(function, mp.exp(log)) for log in points)
        smooth = lambda log: mp.exp(log) * self._integrand(function, mp.exp(log)) / scale  # noqa: E731
        return scale * mp.quad(smooth, points, method="gauss-legendre")

    def excess(self, tau):
        """E[(x - tau)^+]."""
        tau = mp.mpf(tau)
        return self.expect(lambda gain: self.uses(gain) - tau, 0, self.gain(1 / tau))

    def phi(self, tau):
        """E[(tau - x)^+]."""
        tau = mp.mpf(tau)
        if self.high is not None and tau <= 1 / mp.mpf(self.high):
            return mp.mpf(0)
        everything = self.low > 0 and tau >= 1 / mp.mpf(self.low)
        return self.expect(lambda gain: tau - self.uses(gain), mp.mpf(0) if everything else self.gain(1 / tau))


def rayleigh(mean_snr, low, high=None):
    return LawOracle(lambda g: mp.exp(-g), 1.0, mean_snr, low, high)


def nakagami(m, mean_snr, low, high=None):
    shape, scale = mp.mpf(m), mp.mpf(m) ** m / mp.gamma(m)
    return LawOracle(lambda g: scale * g ** (shape - 1) * mp.exp(-shape * g), float(m), mean_snr, low, high)


def rician(k_factor, mean_snr, low, high=None):
    k, rate = mp.mpf(k_factor), 1 + mp.mpf(k_factor)

    def density(g):
        return rate * mp.exp(-k - rate * g) * mp.besseli(0, 2 * mp.sqrt(k * rate * g))

    return LawOracle(density, float(rate), mean_snr, low, high)

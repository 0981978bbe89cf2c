"""Fading in time by brute force: a reference that shares no code, grid or interpolation with the package.

C_n is evaluated wherever it is asked for, as an integral over one uniform grid per stage with 16 nodes on every
standard deviation of the narrowest step, cut at the rate limits and at every place where stopping and going on cost
the same, all of which are found by bisection. It takes from a fraction of a second (rho = 0.3) to minutes (0.9999).
"""

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammainccinv, gammaln, ive

NODES, WEIGHTS = np.polynomial.legendre.leggauss(16)


def cases():
    """Name, and what it takes: Nakagami's m, mean SNR, efficiencies, costs, and the times in units of the first one."""
    return {
        "rayleigh": {
            "m": 1.0, "mean_snr": 10.0, "low": 0.1523, "high": None, "pace": [1.0, 0.0, 1.7, 0.4],
            "airtime": [1.0, 2.5, 0.6, 1.4, 0.8], "edge": [0.3, 0.25, 0.2, 0.1, 0.0], "device": [0.12, 0.05, 0.2, 0.1],
        },
        "bands": {
            "m": 1.0, "mean_snr": 6.0, "low": 0.1523, "high": 2.0, "pace": [1.0, 0.5, 2.0],
            "airtime": [1.5, 1.0, 0.7, 0.5], "edge": [0.0, 0.0, 0.0, 0.0], "device": [0.05, 0.1, 0.1],
        },
        "steep": {
            "m": 1.0, "mean_snr": 866.0, "low": 0.0169, "high": 2.0968, "pace": [1.0, 0.7],
            "airtime": [1.0, 0.9, 0.2], "edge": [0.0, 0.1, 0.05], "device": [5.0, 0.4],
        },
        "nakagami-2.5": {
            "m": 2.5, "mean_snr": 1.5, "low": 0.3, "high": 4.0, "pace": [1.0, 1.0, 0.3],
            "airtime": [0.9, 1.3, 0.5, 0.0], "edge": [0.1, 0.1, 0.05, 0.0], "device": [0.1, 0.15, 0.8],
        },
        "nakagami-0.7": {
            "m": 0.7, "mean_snr": 5.0, "low": 0.1523, "high": 5.5547, "pace": [1.0, 1.0, 0.3],
            "airtime": [0.9, 1.3, 0.5, 0.7], "edge": [0.1, 0.1, 0.05, 0.0], "device": [0.1, 0.15, 0.2],
        },
        "nakagami-40": {
            "m": 40.0, "mean_snr": 2.0, "low": 0.1523, "high": None, "pace": [1.0, 0.6],
            "airtime": [1.0, 0.968, 0.93], "edge": [0.0, 0.0, 0.0], "device": [0.02, 0.024],
        },
    }  # fmt: skip


CORRELATIONS = (0.0, 0.3, 0.9, 0.99, 0.999, 0.9999)
"""Of the first step."""


def gains(case):
    """Unit-mean power gains that are met now and then."""
    return [0.4, 0.8, 1.0, 1.2, 2.0] if case["m"] > 10 else [0.01, 0.3, 1.0, 2.0, 5.0]


class Dense:
    """One case: ``cost`` is E[V_0]; ``value(n, r)`` is V_n at amplitudes r, the root of the unit-mean power gain."""

    def __init__(self, case, correlation):
        self.m, self.mean_snr = case["m"], case["mean_snr"]
        self.low, self.high = case["low"], case["high"]
        self.airtime, self.edge, self.device = case["airtime"], case["edge"], case["device"]
        with np.errstate(divide="ignore"):
            self.rho = [float(correlation**pace) if pace else 1.0 for pace in case["pace"]]
            self.q = [float(-np.expm1(2.0 * pace * np.log(correlation))) if pace else 0.0 for pace in case["pace"]]
        self.end = np.sqrt(gammainccinv(self.m, 1e-24) / self.m)
        self.narrowest = min(np.sqrt(q / (2.0 * self.m)) for q in self.q if q)
        self.kinks = [np.sqrt((2.0**eta - 1.0) / self.mean_snr) for eta in (self.low, self.high) if eta is not None]
        self.grids = {}

    def stop(self, n, r):
        efficiency = np.clip(np.log2(1.0 + self.mean_snr * r**2), self.low, self.high)
        return self.airtime[n] / efficiency + self.edge[n]

    def go_on(self, n, r):
        if self.q[n] == 0.0:
            return self.device[n] + self.value(n + 1, r)
        nodes, weighted = self.grid(n + 1)
        return self.device[n] + self.expect(nodes, weighted, r, self.rho[n], self.q[n])

    def value(self, n, r):
        stop = self.stop(n, r)
        return stop if n == len(self.device) else np.minimum(stop, self.go_on(n, r))

    @property
    def cost(self):
        nodes, weighted = self.grid(0)
        return float(self.expect(nodes, weighted, np.zeros(1), 0.0, 1.0)[0])

    def grid(self, n):
        """Nodes, and weights times V_n."""
        if n not in self.grids:
            cuts = [*self.kinks, *self.switches(n)]
            small = 1e-13 * 2.0 ** np.arange(60) if self.m % 0.5 else np.zeros(1)
            steps = np.arange(0.0, self.end + self.narrowest, self.narrowest)
            edges = np.unique(np.concatenate([[0.0], small[small < self.narrowest], self.below(), steps, cuts]))
            half = 0.5 * np.diff(edges)
            nodes = (edges[:-1] + half)[:, None] + half[:, None] * NODES
            value = self.value(n, nodes.ravel())
            self.grids[n] = nodes.ravel(), (half[:, None] * WEIGHTS).ravel() * value
        return self.grids[n]

    def below(self):
        """The rate is as steep as r^-2 near its lower limit."""
        return self.kinks[0] * 1.5 ** np.arange(40)

    def switches(self, n):
        """Where stopping and going on cost the same; through a step that takes no time those behind it show, too."""
        if n == len(self.device):
            return []
        found = [] if self.q[n] else self.switches(n + 1)
        fine = np.arange(1e-6, self.end, 0.1 * self.narrowest if self.narrowest > 0.05 else 0.5 * self.narrowest)
        ends = np.unique(np.concatenate([fine, self.kinks]))
        over = self.stop(n, ends) - self.go_on(n, ends)
        for k in np.flatnonzero(np.sign(over[1:]) != np.sign(over[:-1])):
            if min(abs(over[k]), abs(over[k + 1])) > 1e-13:
                difference = lambda r: float((self.stop(n, np.array([r])) - self.go_on(n, np.array([r])))[0])  # noqa: E731
                found.append(brentq(difference, ends[k], ends[k + 1], xtol=1e-14))
        return found

    def expect(self, nodes, weighted, r, rho, q):
        """E[V(r') | r] at sorted or unsorted r, some at a time, with the nodes within 14 standard deviations."""
        m, result, order = self.m, np.empty(r.size), np.argsort(r)
        width = np.sqrt(q / (2.0 * m))
        for part in np.array_split(order, max(r.size // 64, 1)):
            centre = np.sqrt((rho * r[part]) ** 2 + q)
            low, high = np.searchsorted(nodes, [centre.min() - 14 * width, centre.max() + 14 * width])
            there, here = nodes[low:high], r[part][:, None]
            overlap = 2.0 * m * rho * here * there / q
            with np.errstate(divide="ignore", invalid="ignore"):
                bessel = np.log(ive(m - 1.0, overlap)) - (m - 1.0) * np.log(0.5 * overlap)
            bessel = np.where(overlap < 1e-6, -overlap - gammaln(m), bessel)
            power = (2.0 * m - 1.0) * np.log(there) + m * np.log(m / q)
            density = 2.0 * np.exp(power - m * (there - rho * here) ** 2 / q + bessel)
            result[part] = density @ weighted[low:high]
        return result

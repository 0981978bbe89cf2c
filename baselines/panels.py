"""Functions of the amplitude as polynomials on panels, whose widths follow from what is known of the function."""

from dataclasses import dataclass

import numpy as np

from cointer_gym.channels.amplitude import AmplitudeStep
from cointer_gym.units import FloatArray

ORDER = 16  # points of a panel
_BLURRED = 3.0  # widths of a blurred kink that a panel may hold
_AT = 0.5 * (1.0 - np.cos(np.pi * (np.arange(ORDER) + 0.5) / ORDER))  # Chebyshev points on [0, 1]
_BARYCENTRIC = (-1.0) ** np.arange(ORDER) * np.sin(np.pi * (np.arange(ORDER) + 0.5) / ORDER)


@dataclass(frozen=True, eq=False)
class Blur:
    """Where a function is not smooth: kinks at ``at`` that are smoothed over a width; 0 is a true kink."""

    at: FloatArray
    width: FloatArray

    def after(self, step: AmplitudeStep) -> "Blur":
        """The same of the mean over a step, seen from before it: from where the step leads to them as a rule."""
        if step.is_still:
            return self
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            width = np.hypot(self.width, step.deviation) / step.rho
            at = np.sqrt(np.maximum(self.at**2 - step.q * (step.m - 0.5), 0.0)) / step.rho
        near = np.isfinite(at) & (width < 1e3)
        return Blur(at[near], width[near])

    def joined(self, at: FloatArray, width: FloatArray) -> "Blur":
        """With more of them; of those at the same place the sharpest is kept."""
        places, widths = np.append(self.at, at), np.append(self.width, width)
        order = np.lexsort((widths, places))
        places, widths = places[order], widths[order]
        new = np.append(True, np.diff(places) > 1e-3 * np.minimum(widths[1:], widths[:-1]))
        return Blur(places[new], np.minimum.reduceat(widths, np.flatnonzero(new)))

    def panels(self, edges: FloatArray) -> FloatArray:
        """Edges of panels that resolve it, by halving those given; true kinks must be among the edges."""
        at, allowed = self.at[self.width > 0], _BLURRED * self.width[self.width > 0]
        while True:
            low, high = edges[:-1, None], edges[1:, None]
            distance = np.maximum(np.maximum(low - at, at - high), 0.0)
            wide = ((high - low) > np.maximum(allowed, distance)).any(axis=1)
            if not wide.any():
                return edges
            edges = np.sort(np.append(edges, 0.5 * (edges[:-1] + edges[1:])[wide]))


@dataclass(frozen=True, eq=False)
class Panels:
    """A function of the amplitude as polynomials through Chebyshev points; constant beyond the ends."""

    edges: FloatArray
    """Shape (P+1,)."""
    values: FloatArray
    """Shape (P, 16, columns)."""

    def __call__(self, amplitude: FloatArray) -> FloatArray:
        """Values, shape (*amplitude.shape, columns)."""
        at = np.clip(amplitude.ravel(), self.edges[0], self.edges[-1])
        panel = np.clip(np.searchsorted(self.edges, at, side="right") - 1, 0, len(self.edges) - 2)
        low = self.edges[panel]
        apart = ((at - low) / (self.edges[panel + 1] - low))[:, None] - _AT
        apart[apart == 0.0] = 1e-200  # at a point its own weight is all that counts
        share = _BARYCENTRIC / apart
        if self.values.shape[2] == 1:
            mean = (np.einsum("np,np->n", share, self.values[:, :, 0][panel]) / share.sum(axis=1))[:, None]
        else:
            mean = np.einsum("np,npc->nc", share, self.values[panel]) / share.sum(axis=1)[:, None]
        return np.asarray(mean.reshape(*amplitude.shape, -1))


def points(edges: FloatArray) -> FloatArray:
    """The Chebyshev points of panels, shape (P, 16)."""
    return np.asarray(edges[:-1, None] + np.diff(edges)[:, None] * _AT)

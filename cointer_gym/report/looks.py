"""The colour and marker of every algorithm that results hold, registered or not."""

from collections.abc import Iterable
from typing import NamedTuple

from cointer_gym.agents.algorithms import ALGORITHMS
from cointer_gym.rendering.style import GREEN, ORANGE, PURPLE, SKY


class Look(NamedTuple):
    """How an algorithm is drawn."""

    colour: str
    marker: str


_COLOURS, _MARKERS = (SKY, PURPLE, ORANGE, GREEN), "sDvPX"
_SPARE = tuple(Look(_COLOURS[k % 4], _MARKERS[k % 5]) for k in range(20))
"""Looks of algorithms that are not registered here, all different; in turn if there are more."""


def looks(algorithms: Iterable[str]) -> dict[str, Look]:
    """How each of these algorithms is drawn, in their order; one that is not registered gets a spare look.

    Args:
        algorithms: names, as results hold them.
    """
    found: dict[str, Look] = {}
    unknown = 0
    for name in dict.fromkeys(algorithms):
        if name in ALGORITHMS:
            found[name] = Look(ALGORITHMS[name].colour, ALGORITHMS[name].marker)
        else:
            found[name] = _SPARE[unknown % len(_SPARE)]
            unknown += 1
    return found

"""The panels below the network: the SNR of every stage against the optimal threshold, and the law it is drawn from."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cointer_gym.channels import ChannelLaw
from cointer_gym.rendering import style
from cointer_gym.rendering.page import LEFT, MARGIN, Page, text_width
from cointer_gym.rendering.scene import Scene
from cointer_gym.rendering.table import Row
from cointer_gym.units import FloatArray, db_to_linear, linear_to_db

_PAD_DB, _LEAST_SPAN_DB = 2.0, 12.0
_BIN_DB = 0.5
_BAR = 0.86  # width of a tint over that of its column
_HALF_LINE = 0.72  # of a threshold: two pixels at 100 dots per inch


class _Law(NamedTuple):
    """Axis limits that hold all but 0.2 % of the SNRs, and the probability of every bin of a range beyond them."""

    low_db: float
    high_db: float
    edges_db: FloatArray
    probability: FloatArray

    @classmethod
    def of(cls, channel: ChannelLaw) -> "_Law":
        """The law of the SNR as the panel shows it."""
        middle_db = float(linear_to_db(channel.average_snr or 1.0))
        edges_db = middle_db + np.arange(-60.0, 60.0 + _BIN_DB, _BIN_DB)
        survival = channel.survival(db_to_linear(edges_db))
        low_db = edges_db[np.flatnonzero(np.append(True, survival[1:] >= 0.999))[-1]]
        high_db = edges_db[np.flatnonzero(np.append(survival[:-1] <= 0.001, True))[0]]
        pad = _PAD_DB + 0.5 * max(_LEAST_SPAN_DB - (high_db - low_db), 0.0)
        return cls(low_db - pad, high_db + pad, edges_db, -np.diff(survival))


@dataclass(frozen=True)
class Panel:
    """The SNR panel of a problem on a page.

    Args:
        page: where to draw.
        law: of the SNR.
        top, bottom: points from the top of the page.
    """

    page: Page
    law: _Law
    top: float
    bottom: float

    @classmethod
    def of(cls, scene: Scene, page: Page, top: float, bottom: float) -> "Panel":
        """The panel whose vertical axis suits the channel of a scene."""
        return cls(page, _Law.of(scene.problem.channel), top, bottom)

    def y(self, snr_db: ArrayLike) -> FloatArray:
        """Height of an SNR, elementwise, clipped to the panel."""
        share = (np.asarray(snr_db) - self.law.low_db) / (self.law.high_db - self.law.low_db)
        return np.asarray(self.bottom - np.clip(share, 0.0, 1.0) * (self.bottom - self.top))

    def inside(self, snr_db: FloatArray) -> FloatArray:
        """-1 below the axis, 1 above it, 0 between."""
        return np.sign(snr_db - np.clip(snr_db, self.law.low_db, self.law.high_db))

    def regions(self, stages: ArrayLike, threshold_db: ArrayLike, edge: str, device: str) -> None:
        """Tint where the optimum offloads and where it continues, with the threshold between them."""
        x, y, width = self.page.x(stages), self.y(threshold_db), _BAR * self.page.bar
        self.page.boxes(x, self.top, y, width, edge)
        self.page.boxes(x, y, self.bottom, width, device)
        shown = self.inside(np.asarray(threshold_db)) == 0
        self.page.boxes(x[shown], y[shown] - _HALF_LINE, y[shown] + _HALF_LINE, width, style.INK)


def draw_thresholds(scene: Scene, panel: Panel) -> None:
    """Draw what stays the same during a task: axes, legend, and the regions of every stage in pale colours."""
    threshold_db = _threshold_db(scene)
    panel.regions(np.arange(threshold_db.size), threshold_db, style.EDGE_SOFT, style.DEVICE_SOFT)
    _draw_axes(scene, panel)
    _draw_legend(panel)


def draw_snr(scene: Scene, panel: Panel) -> None:
    """Draw the regions of the stage in hand, the SNRs seen so far (triangles beyond the axis), and their law."""
    page, here = panel.page, np.array([scene.stage])
    threshold_db = _threshold_db(scene)
    if scene.stage < threshold_db.size:
        panel.regions(here, threshold_db[here], style.EDGE_PALE, style.DEVICE_PALE)
    path_db = np.asarray(linear_to_db(scene.snr_path))
    x, y, beyond = page.x(np.arange(path_db.size)), panel.y(path_db), panel.inside(path_db)
    page.line(x, y, color=style.INK, lw=0.8, alpha=0.5)
    now = np.arange(path_db.size) == scene.stage
    for chosen, colour, size in ((~now, style.INK, 5.0), (now, decision_colour(scene), 9.5)):
        for side, marker in ((0, "o"), (-1, "v"), (1, "^")):
            at = chosen & (beyond == side)
            if at.any():
                page.line(x[at], y[at], marker, color=colour, ms=size + 1.5 * abs(side), mec="white", mew=0.12 * size)
    _draw_law(scene, panel)


def _threshold_db(scene: Scene) -> FloatArray:
    """Thresholds of all stages with an upload; -inf dB where it is forced; none before the placement."""
    if scene.choosing:
        return np.empty(0)
    forced = [] if scene.problem.completes else [0.0]
    return np.asarray(linear_to_db([*scene.threshold_snr, *forced]))


def decision_colour(scene: Scene) -> str:
    """Vermilion where the optimum offloads, blue where it continues."""
    if not scene.has_upload:
        return style.INK
    return style.EDGE if scene.optimum_offloads else style.DEVICE


def _draw_axes(scene: Scene, panel: Panel) -> None:
    page, middle = panel.page, 0.5 * (panel.top + panel.bottom)
    page.line([LEFT, LEFT, page.columns_end], [panel.top, panel.bottom, panel.bottom], color=style.MUTED, lw=0.8)
    span_db = panel.law.high_db - panel.law.low_db
    room_db = 16.0 * span_db / (panel.bottom - panel.top)  # between ticks
    step_db = next((step for step in (1, 2, 5, 10, 20, 50) if step >= room_db), 100)
    first, last = math.ceil(panel.law.low_db / step_db), math.floor(panel.law.high_db / step_db)
    for tick_db in range(first * step_db, last * step_db + 1, step_db):
        y = float(panel.y(tick_db))
        page.line([LEFT - 2.5, LEFT], [y, y], color=style.MUTED, lw=0.8)
        page.text(LEFT - 5.0, y, str(tick_db), color=style.MUTED, ha="right")
    page.text(LEFT - 32.0, middle, "uplink SNR (dB)", size=style.LABEL_SIZE, rotation=90.0, ha="center")
    Row.fit([str(n) for n in range(scene.horizon + 1)], page.column, turn=False).draw(page, panel.bottom + 3.0)
    below = panel.bottom + 22.0
    centre = 0.5 * (LEFT + page.columns_end)
    page.text(centre, below, "stage (layers done on the device)", size=style.LABEL_SIZE, ha="center")
    page.text(_law_middle(page), panel.bottom + 9.0, "SNR distribution", ha="center")


def _draw_legend(panel: Panel) -> None:
    """One line above the panel."""
    page, x, y = panel.page, LEFT, panel.top - 11.0
    for label, face in (("optimum offloads", style.EDGE_PALE), ("optimum continues", style.DEVICE_PALE)):
        page.boxes(x + 5.0, y - 3.5, y + 3.5, 10.0, face)
        page.text(x + 14.0, y, label)
        x += 28.0 + text_width(label)
    page.boxes(x + 6.0, y - _HALF_LINE, y + _HALF_LINE, 12.0, style.INK)
    page.text(x + 16.0, y, "optimal threshold")
    x += 30.0 + text_width("optimal threshold")
    for label, colour, size in (("SNR seen", style.INK, 5.0), ("SNR now", style.MUTED, 9.0)):
        page.line([x + 4.0], [y], "o", color=colour, ms=size, mec="white", mew=0.12 * size)
        page.text(x + 11.0, y, label)
        x += 25.0 + text_width(label)


def _law_middle(page: Page) -> float:
    return 0.5 * (page.columns_end + 10.0 + page.width - MARGIN)


def _draw_law(scene: Scene, panel: Panel) -> None:
    """The probability of each SNR beside the panel, coloured by what the optimum does with it at this stage."""
    page, law = panel.page, panel.law
    left = page.columns_end + 10.0
    length = (page.width - MARGIN - left) * law.probability / law.probability.max()
    x = np.concatenate([[left], left + np.repeat(length, 2), [left]])
    edges_db, split_db = np.repeat(law.edges_db, 2), float(linear_to_db(scene.threshold_now))
    rest = style.DEVICE_PALE if scene.has_upload else style.FAINT
    for low_db, high_db, face in ((split_db, np.inf, style.EDGE_PALE), (-np.inf, split_db, rest)):
        page.shapes([np.column_stack([x, panel.y(np.clip(edges_db, low_db, high_db))])], face)
    page.line([left, left], [panel.top, panel.bottom], color=style.MUTED, lw=0.8)
    if scene.has_upload:
        label = f"P(offload) {scene.offload_probability:.1%}"
        page.text(page.width - MARGIN, panel.top - 11.0, label, color=style.EDGE, ha="right")

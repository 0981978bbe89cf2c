"""The table between the lanes and the SNR panel: what each feature is called, how large it is, and its threshold."""

import math
from dataclasses import dataclass

from cointer_gym.rendering import style
from cointer_gym.rendering.page import LEFT, Page, text_width
from cointer_gym.rendering.scene import Scene
from cointer_gym.text import shortened, significant, size_unit

_LONGEST_NAME = 12
_LINE = 11.0  # height of a level row
_GAP = 2.0  # between neighbours


@dataclass(frozen=True)
class Row:
    """One label per column, set so that none touches its neighbour.

    Args:
        labels: M + 1 of them.
        upright: turned by 90 degrees.
        every: only each ``every``-th is drawn.
        height: points.
    """

    labels: list[str]
    upright: bool
    every: int
    height: float

    @classmethod
    def fit(cls, labels: list[str], column: float, *, turn: bool = True) -> "Row":
        """Level where the longest label fits the column; else upright if it may ``turn``; thinned out where needed."""
        longest = max(map(text_width, labels))
        if longest + _GAP <= column:
            return cls(labels, False, 1, _LINE)
        if turn:
            return cls(labels, True, math.ceil(1.2 * style.SMALL_SIZE / column), longest + 5.0)
        return cls(labels, False, math.ceil((longest + _GAP) / column), _LINE)

    def draw(self, page: Page, top: float) -> None:
        """Draw the row with its upper edge at ``top``."""
        how = {"ha": "center", "va": "top", "rotation": 90.0} if self.upright else {"ha": "center"}
        y = top if self.upright else top + 0.5 * self.height
        for n in range(0, len(self.labels), self.every):
            page.text(page.x(n), y, self.labels[n], **how)


def table_rows(scene: Scene, page: Page) -> dict[str, Row]:
    """Rows by caption; thresholds, which the SNR panel shows too, only where they fit."""
    names = [shortened(name, _LONGEST_NAME) for name in scene.problem.stage_names]
    divisor, unit = size_unit(max(scene.feature_bits))
    sizes = [significant(bits / divisor) for bits in scene.feature_bits]
    rows = {"feature": Row.fit(names, page.column), f"size ({unit})": Row.fit(sizes, page.column)}
    thresholds = [scene.threshold_cell(n) or "\u2013" for n in range(scene.horizon + 1)]
    row = Row.fit(thresholds, page.column)
    if row.upright:  # in narrow columns a shorter word
        row = Row.fit([{"always": "any", "forced": "any"}.get(text, text) for text in thresholds], page.column)
    return rows if row.upright else rows | {"threshold (dB)": row}


def table_height(rows: dict[str, Row]) -> float:
    """Height of the table, points."""
    return sum(row.height for row in rows.values())


def draw_table(page: Page, rows: dict[str, Row], top: float) -> None:
    """Draw all rows with their captions."""
    for caption, row in rows.items():
        page.text(LEFT - 7.0, top + 0.5 * row.height, caption, color=style.MUTED, ha="right")
        row.draw(page, top)
        top += row.height

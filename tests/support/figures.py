"""Looking at figures: their texts, where these are, and the marks at the edges of axes."""

import itertools
from unittest import mock

from matplotlib.text import Text

from cointer_gym.report.labels import DOWN, UP


def boxes(figure):
    """Texts that are drawn, ticks beyond the axes are not, with their boxes; slanted ones have none that fits."""
    drawn = []
    with mock.patch.object(Text, "draw", autospec=True, side_effect=lambda text, *_: drawn.append(text)):
        figure.draw_without_rendering()
    shown = [text for text in drawn if text.get_visible() and text.get_text().strip()]
    return [(text.get_text(), Text.get_window_extent(text)) for text in shown if text.get_rotation() % 90 == 0]


def assert_readable(figure):
    """No text covers another, and none leaves the figure."""
    found = boxes(figure)
    width, height = figure.bbox.size
    outside = [text for text, box in found if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1]
    assert outside == []
    pairs = itertools.combinations([(text, box.padded(-1)) for text, box in found], 2)
    assert [(a, b) for (a, one), (b, two) in pairs if one.overlaps(two)] == []


def texts(axes):
    """What is written on or beside axes."""
    return [text.get_text() for text in axes.texts]


def marked(axes, *, up):
    """The lines of triangles that mark what lies beyond the upper or lower edge."""
    shape = UP if up else DOWN
    return [line for line in axes.get_lines() if line.get_marker() == shape and len(line.get_xdata())]

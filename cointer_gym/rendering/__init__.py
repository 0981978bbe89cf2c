"""Pictures of one inference task: plain text, an image, a window, a figure for a paper; matplotlib loads on use."""

from cointer_gym.rendering.figure import draw_figure, draw_rgb
from cointer_gym.rendering.scene import Scene, optimal_threshold_snr
from cointer_gym.rendering.text import draw_text
from cointer_gym.rendering.window import Window

__all__ = ["Scene", "Window", "draw_figure", "draw_rgb", "draw_text", "optimal_threshold_snr"]

"""Pictures of one inference task: plain text, an image, a window, a figure for a paper; matplotlib loads on use."""

from cointer_gym.rendering.figure import draw_figure, draw_rgb
from cointer_gym.rendering.renderer import Renderer
from cointer_gym.rendering.scene import Scene
from cointer_gym.rendering.text import draw_text
from cointer_gym.rendering.window import Window

__all__ = ["Renderer", "Scene", "Window", "draw_figure", "draw_rgb", "draw_text"]

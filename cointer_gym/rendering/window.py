"""A window that shows a task as it goes on."""

from typing import TYPE_CHECKING

from cointer_gym.rendering.figure import FIGURE_INCHES, draw_figure
from cointer_gym.rendering.scene import Scene

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Window:
    """An interactive matplotlib window, opened by the first scene; without a display (Agg) it draws unseen.

    Args:
        pause_s: how long ``show`` lets a picture stand before it returns, s.
    """

    def __init__(self, pause_s: float = 0.5) -> None:
        self._pause_s = pause_s
        self._figure: Figure | None = None

    def show(self, scene: Scene) -> None:
        """Draw a scene; the window is opened again if it was closed by hand."""
        import matplotlib.pyplot as plt

        if self._figure is None or not plt.fignum_exists(self._figure.number):
            self._figure = plt.figure(figsize=FIGURE_INCHES)
        draw_figure(scene, self._figure)
        canvas = self._figure.canvas
        if canvas.required_interactive_framework is None:  # headless
            return
        self._figure.show()
        canvas.draw_idle()
        if self._pause_s > 0.0:
            canvas.start_event_loop(self._pause_s)
        else:
            canvas.flush_events()

    def close(self) -> None:
        """Close the window if there is one."""
        if self._figure is not None:
            import matplotlib.pyplot as plt

            plt.close(self._figure)
            self._figure = None

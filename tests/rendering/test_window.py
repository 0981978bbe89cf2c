"""The window that shows a running task."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from cointer_gym.rendering import Window
from support.scenes import scene_of


@pytest.mark.usefixtures("headless")
def test_window_without_a_display_draws_on_one_figure_and_goes_away(monkeypatch):
    monkeypatch.setattr(FigureCanvasAgg, "start_event_loop", lambda *_: pytest.fail("waits where nobody looks"))
    window = Window()
    window.close()
    for stage in (0, 1):
        window.show(scene_of(stage=stage))
        assert len(plt.get_fignums()) == 1
    assert "1 of 11" in [text.get_text() for text in plt.gcf().findobj(Text)]
    plt.close("all")
    window.show(scene_of())
    assert len(plt.get_fignums()) == 1
    window.close()
    window.close()
    assert plt.get_fignums() == []


@pytest.mark.usefixtures("headless")
@pytest.mark.parametrize(("pause_s", "calls"), [(0.25, ["show", 0.25]), (0.0, ["show", "flush"])])
def test_window_on_a_display_shows_itself_and_lets_the_picture_stand(monkeypatch, pause_s, calls):
    seen = []
    monkeypatch.setattr(FigureCanvasAgg, "required_interactive_framework", "some toolkit")
    monkeypatch.setattr(Figure, "show", lambda _: seen.append("show"))
    monkeypatch.setattr(FigureCanvasAgg, "start_event_loop", lambda _, timeout: seen.append(timeout))
    monkeypatch.setattr(FigureCanvasAgg, "flush_events", lambda _: seen.append("flush"))
    window = Window(pause_s=pause_s)
    window.show(scene_of())
    window.close()
    assert seen == calls

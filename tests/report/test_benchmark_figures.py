"""Figures of a benchmark: nothing is dropped, what is beyond an axis says so, and all can be read."""

import numpy as np
import pytest

from cointer_gym.experiments.results import BenchmarkResults, load
from cointer_gym.report.benchmark_figures import draw_learning, draw_thresholds, plot_learning, plot_thresholds
from cointer_gym.report.looks import looks
from cointer_gym.report.style import column_style
from support.figures import assert_readable, boxes, marked, texts
from support.places import ROOT
from support.results import policy, results_of, training, with_algorithm

BEYOND = results_of(
    (5.0, 38.6, "never", "always", -25.0),
    training("ppo", [(5.2,), (65.9,), ("never",), ("always",), (7.0,)]),
    training("ppo", [(5.4,), (88.6,), (8.0,), (9.0,), (-24.0, 7.0)], seed=1),
    training("new", [(5.1,), ("never",), (31.0,), (6.0,), (6.0,)]),
)


def legend(figure):
    """Names in the legend of a figure."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_thresholds_beyond_the_axis_are_marked_at_its_edge_with_their_values():
    top = draw_thresholds(BEYOND).axes[0]
    colours = {name: look.colour for name, look in looks(["ppo", "new"]).items()}
    above = [(round(float(x)), line.get_color()) for line in marked(top, up=True) for x in line.get_xdata()]
    below = [(round(float(x)), line.get_color()) for line in marked(top, up=False) for x in line.get_xdata()]
    ppo, new = colours["ppo"], colours["new"]
    assert sorted(above) == sorted([(1, "#000000"), (2, "#000000"), (1, ppo), (1, ppo), (2, ppo), (1, new), (2, new)])
    assert sorted(below) == sorted([(3, "#000000"), (4, "#000000"), (3, ppo), (4, ppo)])
    values = [(text.xy[0], text.get_text(), text.get_color()) for text in top.texts if not np.isclose(text.xy[0], 1.01)]
    for expected in (
        (1, "38.6", "#000000"),
        (2, "never", "#000000"),
        (3, "always", "#000000"),
        (4, "\N{MINUS SIGN}25.0", "#000000"),
        (1, "66\N{EN DASH}89", ppo),
        (1, "never", new),
        (2, "31.0", new),
        (4, "\N{MINUS SIGN}24.0", ppo),
    ):
        assert expected in values
    assert "beyond the axis" in legend(draw_thresholds(BEYOND))


def test_thresholds_on_the_axis_are_where_they_are():
    results = results_of((5.0, 7.0), training("ppo", [(5.5,), (6.5, 9.0)]))
    top = draw_thresholds(results).axes[0]
    points = np.concatenate([each.get_offsets() for each in top.collections if len(each.get_offsets()) == 1])
    assert {5.5, 6.5, 9.0} <= set(points[:, 1])
    assert marked(top, up=True) == marked(top, up=False) == []


@pytest.mark.parametrize("number", [1, 5, 7])
def test_no_algorithm_is_dropped(number):
    """Registered or not, alike or not, all are drawn and named in both figures."""
    names = [f"new{k}" for k in range(number)]
    results = results_of((5.0,), *(training(name, [(6.0,)], gaps=(0.5, 0.0)) for name in names))
    thresholds, learning = draw_thresholds(results), draw_learning(results)
    colours = {look.colour for look in looks(names).values()}
    for name in names:
        assert f"{name.upper()}, 1 seed" in legend(thresholds)
        assert f"{name.upper()}, median of 1" in legend(learning)
    assert {line.get_color() for line in learning.axes[0].get_lines()} >= colours


def test_an_algorithm_without_a_recorded_training_is_a_level():
    results = results_of((5.0,), training("ppo", [(5.0,)]), policies=[policy("late", 0.2, kind="agent")])
    axes = draw_learning(results).axes[0]
    assert 20.0 in [float(line.get_ydata()[0]) for line in axes.get_lines()]
    assert "LATE" in texts(axes)


def test_a_gap_below_rounding_is_marked_at_the_edge():
    axes = draw_learning(results_of((5.0,), training("ppo", [(5.0,)], gaps=(0.5, 1e-15, 0.0)))).axes[0]
    (x,) = (line.get_xdata() for line in marked(axes, up=False))
    np.testing.assert_array_equal(x, [100, 200])


@pytest.mark.parametrize("levels", [(0.3, 0.31), (0.01, 0.012), (0.9, 0.9), (5.0, 1e-3)])
def test_names_of_reference_levels_are_never_covered(levels):
    """Neither by each other nor by the legend, wherever the levels are."""
    static, ahead = levels
    rows = [policy("best-static", static, label="Best static split"), policy("look-ahead", ahead, label="Look-ahead")]
    trainings = [training("ppo", [(5.0,)], gaps=(0.9, 0.3, 0.25)), training("dqn", [(5.0,)], gaps=(0.8, 0.02, 0.01))]
    with column_style():
        figure = draw_learning(results_of((5.0,), *trainings, policies=rows))
        assert_readable(figure)
        inside = figure.axes[0].get_window_extent()
        labels = [box for text, box in boxes(figure) if text in ("Best static split", "Look-ahead")]
    assert len(labels) == 2
    assert min(box.x0 for box in labels) > inside.x1  # beside the axes, where no curve comes


def deep(stages, seeds):
    """Many stages and seeds, nearly all beyond the axis."""
    switches = [(30.0 + n,) if n % 2 else ("never",) for n in range(stages)]
    trainings = [training(name, switches, seed=seed) for name in ("ppo", "dqn") for seed in range(seeds)]
    return results_of([40.0] * stages, *trainings)


@pytest.mark.parametrize("results", [BEYOND, deep(5, 3), deep(21, 3), deep(60, 10)], ids=["few", "5", "21", "60"])
def test_thresholds_can_be_read(results):
    with column_style():
        assert_readable(draw_thresholds(results))


@pytest.mark.checkout
@pytest.mark.parametrize("name", ["alexnet-pi", "alexnet-pi-joint", "mlp-pi-joint"])
def test_committed_results_can_be_read(name):
    results = load(ROOT / "results" / name / "results.json", BenchmarkResults)
    with column_style():
        for each in (results, with_algorithm(results, "Newcomer")):
            assert_readable(draw_thresholds(each))
            assert_readable(draw_learning(each))


def test_a_name_is_text_and_fonts_are_true_type(tmp_path):
    results = results_of((5.0, 40.0), training("$\\frac$", [(5.0,), (6.0,)]), scenario="[red]$\\frac$ $")
    for draw in (plot_thresholds, plot_learning):
        draw(results, tmp_path / "figure.pdf")
        assert b"/Type3" not in (tmp_path / "figure.pdf").read_bytes()
        draw(results, tmp_path / "figure.png")
    with column_style():
        drawn = [text for text, _ in boxes(draw_learning(results))]
    assert "[red]$\\frac$ $" in drawn
    assert "$\\FRAC$, median of 1" in drawn

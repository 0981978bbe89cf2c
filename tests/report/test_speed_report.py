"""The page and the figures of a speed run, from its records alone."""

import numpy as np
import pytest
from rich.console import Console

from cointer_gym.report.speed import (
    comparison_tables,
    insert_speed,
    quantity,
    speed_markdown,
    verdict_sentence,
    write_figures,
)
from cointer_gym.report.speed_figures import draw_growth, draw_step, power_law
from cointer_gym.report.style import column_style
from support.figures import assert_readable, texts
from support.speed import AT_MOST, PARTS, alone, comparison, results_of

MARKS = ("<!-- speed: written by `cointer-gym report`, do not edit -->", "<!-- end of speed -->")


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (12.34e6, "steps/s", "12.3 M/s"),
        (98_100, "steps/s", "98.1 k/s"),
        (999.6e3, "solves/s", "1.00 M/s"),
        (12, "steps/s", "12.0 /s"),
        (150e-6, "s", "150 µs"),
        (0.99999e-3, "s", "1.00 ms"),
        (11.96, "s", "12.0 s"),
    ],
)
def test_numbers_have_three_digits_and_a_prefix(value, unit, shown):
    assert plain(quantity(value, unit)) == shown


def test_every_row_stands_in_the_table_of_its_group():
    rows = comparison(), alone(goal=AT_MOST, ours_error=4.4e-16), alone(id="far", ours=0.2, goal=AT_MOST)
    text = plain(speed_markdown(results_of(*rows), "../results/speed"))
    vector, solver = text.index("## Many environments"), text.index("## Solvers")
    line = "| CoInference-v0, 256 envs, NextStep | 12.3 M/s | 4.10 M/s | 3.00 | 2.90\N{EN DASH}3.25 | ≥ 2.50 | yes |"
    assert vector < text.index(f"{line} CartPoleVectorEnv |") < solver
    assert solver < text.index("| CoInference-v0, 256 envs, NextStep | 91.2 µs | ≤ 150 µs | yes | 4e-16 |")  # no peer
    assert "| 200 ms | ≤ 150 µs | no |" in text
    assert "## Training" not in text


def test_what_is_not_met_is_said():
    rows = comparison(ratio=2.0), comparison(id="other"), alone(goal=AT_MOST, ours=0.01), alone(id="third")
    sentence = plain(verdict_sentence(rows))
    failed = "vector-256 (2.00 instead of ≥ 2.50) and solve-warm (10.0 ms instead of ≤ 150 µs)"
    assert sentence == f"1 of 3 goals are met; not met: {failed}."
    assert verdict_sentence([comparison()]) == "1 of 1 goals are met."
    absent = comparison(peer=None, ratio=None, peer_name="not installed")  # no verdict, not even that it is met
    assert verdict_sentence([absent]) == "0 of 0 goals are met."


def test_the_terminal_shows_the_same_cells():
    console = Console(width=140, record=True, markup=False)
    for each in comparison_tables(results_of(comparison(ratio=2.0), alone(goal=AT_MOST))):
        console.print(each)
    text = plain(console.export_text())
    assert "Many environments" in text
    assert "12.3 M/s   4.10 M/s    2.00   2.90\N{EN DASH}3.25   ≥ 2.50    no" in text
    assert "91.2 µs" in text


def test_parts_of_a_step_add_up():
    text = plain(speed_markdown(results_of(), "../results/speed"))
    assert "| CoInference-v0 | tables | 7.81 | 0.49 |" in text
    assert "| CoInference-v0 | sum | 23.4 | 1.46 |" in text
    assert "| floor | sum" not in text  # of one part


def test_a_short_run_says_so():
    assert "short run" in speed_markdown(results_of(quick=True), ".")
    assert "short run" not in speed_markdown(results_of(), ".")


def test_the_page_is_written_between_its_marks_with_links_to_the_figures(tmp_path):
    page, run, results = tmp_path / "docs" / "speed.md", tmp_path / "results" / "speed", results_of()
    page.parent.mkdir()
    page.write_text("before\n{}\nold\n{}\nafter\n".format(*MARKS))
    insert_speed(page, results, run)
    content = speed_markdown(results, "../results/speed")
    assert page.read_text() == f"before\n{MARKS[0]}\n{content}\n{MARKS[1]}\nafter\n"
    write_figures(results, run)
    for name in ("step.png", "growth.png"):
        assert f"](../results/speed/{name})" in content
        assert (run / name).read_bytes().startswith(b"\x89PNG")
    page.write_text("no marks")
    with pytest.raises(ValueError, match="lacks the marks"):
        insert_speed(page, results, run)


def test_bars_are_as_long_as_their_parts():
    with column_style():
        figure = draw_step(results_of().step)
    for axes, size in zip(figure.axes, (256, 4096), strict=True):
        assert axes.get_title() == f"{size:,} environments"
        own = [bar for bar in axes.patches if bar.get_y() < 0]  # the first line of bars
        np.testing.assert_allclose([bar.get_width() for bar in own], np.array([1, 2, 3]) * 1000 / size)
        np.testing.assert_allclose([bar.get_x() for bar in own], np.array([0, 1, 3]) * 1000 / size)
        assert len(axes.patches) == len(PARTS) + 2
        assert float(texts(axes)[0]) == pytest.approx(6000 / size, rel=0.01)


def test_growth_is_drawn_with_its_exponent():
    with column_style():
        devices, layers = draw_growth(results_of().growth).axes
    assert [text.get_text() for text in devices.get_legend().get_texts()] == ["solve_many: time ∝ devices^1.00"]
    assert [text.get_text() for text in layers.get_legend().get_texts()] == ["solve_many: time ∝ layers^2.00"]
    assert (devices.get_title(), layers.get_title()) == ("20 layers each", "10 devices")
    fit, points = devices.get_lines()
    np.testing.assert_allclose(fit.get_ydata(), points.get_ydata()[2:])  # the larger half


def test_a_power_law_is_found_in_noise():
    sizes = np.array([1.0, 10.0, 100.0])
    exponent, factor = power_law(sizes, 2.0 * sizes**1.5 * np.array([1.1, 1 / 1.21, 1.1]))
    assert (exponent, factor) == pytest.approx((1.5, 2.0))


def test_no_text_covers_another_or_leaves_the_figure():
    with column_style():
        assert_readable(draw_step(results_of().step))
        assert_readable(draw_growth(results_of().growth))

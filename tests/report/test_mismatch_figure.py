"""The picture of all coherence times: every exact number is on it."""

import numpy as np
import pytest

from cointer_gym import Scenario
from cointer_gym.experiments.mismatch import mismatch_answer
from cointer_gym.report.mismatch import mismatch_sentences, seconds
from cointer_gym.report.mismatch_figure import draw_mismatch, plot_mismatch
from cointer_gym.report.style import column_style
from support.figures import assert_readable, marked, texts

CASES = {
    "alexnet": ("alexnet-pi", {}, 0.036, None),
    "resnet50": ("resnet50-jetson", {}, 1e-4, 6),
    "no lower limit of the rate": ("alexnet-pi", {"channel.min_efficiency": 0}, 300.0, None),
    "nothing placed": ("mlp-pi", {}, 10.0, 0),
}


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def answer(request):
    name, overrides, coherence_time_s, placement = request.param
    return mismatch_answer(Scenario.load(name, **overrides), coherence_time_s, placement, bound=False)


def test_every_cost_is_on_its_curve_or_marked_as_unknown(answer):
    figure = draw_mismatch(answer)
    top, bottom = figure.axes
    lines = {line.get_label(): line for line in top.get_lines()}
    unknown = 0
    for name, row in answer.rules.items():
        cost = np.array(answer.swept_cost[name], dtype=float)
        np.testing.assert_array_equal(lines[row.label].get_xdata(), answer.swept_s)
        np.testing.assert_array_equal(lines[row.label].get_ydata(), cost)
        unknown += np.isnan(cost).all()
    assert len(marked(top, up=True)) == len(marked(bottom, up=True)) == unknown
    assert ("infinite or not known" in lines) == (unknown > 0)
    assert top.get_ylim()[0] <= answer.rules["optimal"].promised <= top.get_ylim()[1]
    np.testing.assert_array_equal(lines["promised by i.i.d. fading"].get_ydata(), answer.rules["optimal"].promised)


def test_losses_are_those_against_the_optimum_in_time(answer):
    bottom = draw_mismatch(answer).axes[1]
    at = answer.swept_s.index(answer.coherence_time_s)
    edge = marked(bottom, up=True)
    curves = [line for line in bottom.get_lines() if line not in edge and len(line.get_xdata()) == len(answer.swept_s)]
    expected = [np.nan if row.loss is None else 100 * row.loss for row in answer.rules.values()]
    np.testing.assert_allclose([line.get_ydata()[at] for line in reversed(curves)], expected, rtol=1e-12, atol=1e-9)


def test_the_given_coherence_time_is_marked(answer):
    top, bottom = draw_mismatch(answer).axes
    for axes in (top, bottom):
        assert [answer.coherence_time_s] * 2 in [list(line.get_xdata()) for line in axes.get_lines()]
    assert texts(top) == [seconds(answer.coherence_time_s)]


def test_the_picture_can_be_read(answer):
    with column_style():
        assert_readable(draw_mismatch(answer))


def test_the_picture_is_written_with_true_type_fonts(answer, tmp_path):
    plot_mismatch(answer.model_copy(update={"scenario": "$\\frac$ [red]"}), tmp_path / "mismatch.pdf")
    content = (tmp_path / "mismatch.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert b"/Type3" not in content


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-6, "0.001 ms"), (0.0418, "41.8 ms"), (0.036, "36 ms"), (1.0, "1 s"), (2.5, "2.5 s"), (1e4, "10,000 s")],
)
def test_times_in_words(value, text):
    assert seconds(value).replace("\N{NO-BREAK SPACE}", " ") == text


def test_a_rule_without_a_cost_says_why():
    answer = mismatch_answer(Scenario.load("alexnet-pi", **{"channel.min_efficiency": 0}), 0.036, bound=False)
    sentences = mismatch_sentences(answer)
    assert sum("uploads at every SNR" in line for line in sentences) == 3
    assert any(line.startswith("Edge only: ") for line in sentences)
    assert sentences[0].startswith("Independent fading promises 0.230; at a coherence time of 36")


def test_rules_that_agree_are_called_as_good():
    (finding, *_) = mismatch_sentences(mismatch_answer(Scenario.load("mlp-pi"), 1e-4, bound=False))
    assert finding.endswith("(0.0\N{NO-BREAK SPACE}%), and following the i.i.d. thresholds is as good.")

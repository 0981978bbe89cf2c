"""Labels beside curves: apart from each other, and as near to their curves as can be."""

import numpy as np
import pytest

from cointer_gym.report.labels import spread
from cointer_gym.report.markdown import code, escaped, markdown_table
from cointer_gym.report.style import power_of_ten


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([10.0, 50.0, 90.0], [10.0, 50.0, 90.0]),  # room enough
        ([50.0, 50.0], [45.0, 55.0]),  # around their mean
        ([55.0, 50.0], [57.5, 47.5]),  # in their order
        ([0.0, 0.0, 0.0], [5.0, 15.0, 25.0]),  # not below the lower end
        ([100.0, 99.0], [95.0, 85.0]),
    ],
)
def test_labels_stay_apart_and_near(wanted, expected):
    found = spread(np.array(wanted), np.full(len(wanted), 10.0), 0.0, 100.0)
    np.testing.assert_allclose(found, expected)


def test_labels_of_different_heights_do_not_overlap():
    rng = np.random.default_rng(1)
    for _ in range(200):
        wanted, heights = rng.uniform(0, 100, 9), rng.choice([6.0, 12.0], 9)
        middles = spread(wanted, heights, 0.0, 120.0)
        order = np.argsort(wanted)
        gaps = np.diff(middles[order]) - 0.5 * (heights[order][1:] + heights[order][:-1])
        assert gaps.min() > -1e-9


def test_powers_of_ten_need_no_markup():
    assert [power_of_ten(value) for value in (1e-2, 1.0, 1e6, 2000.0, -0.5)] == [
        "10\N{SUPERSCRIPT MINUS}\N{SUPERSCRIPT TWO}",
        "10\N{SUPERSCRIPT ZERO}",
        "10\N{SUPERSCRIPT SIX}",
        "2000",
        "\N{MINUS SIGN}0.5",
    ]


def test_markdown_shows_texts_as_they_are():
    assert escaped("a|b *c* <d> `e` $f$ [g](h) \\ _i_ conv4_2") == (
        r"a\|b \*c\* \<d> \`e\` \$f\$ \[g](h) \\ \_i\_ conv4_2"
    )
    assert escaped("two\nlines") == "two lines"
    assert code("a b") == "`a b`"
    assert code("a ` b") == "`` a ` b ``"
    assert markdown_table(("A", "B"), ("---", "---"), [("x|y", "z")]).splitlines()[-1] == r"| x\|y | z |"

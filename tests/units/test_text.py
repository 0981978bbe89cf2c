"""Numbers and names as they are shown."""

from cointer_gym.text import percent, ranges, runs, splits


def test_percent_has_its_sign_and_no_negative_zero():
    assert [percent(0.1234, 1), percent(-0.00001, 1, "+"), percent(0.5, 0, "+")] == [
        "12.3\xa0%",
        "0.0\xa0%",
        "+50\xa0%",
    ]


def test_the_likeliest_splits_stand_in_the_order_of_the_layers():
    assert splits([0.3, 0.004, 0.6, 0.096], "abcd", most=2) == "a\xa030\xa0%, c\xa060\xa0%"


def test_ranges_of_consecutive_numbers():
    assert ranges([2, 3, 4, 7, 9, 10]) == "2 to 4, 7, 9 to 10"
    assert runs([2, 3, 4, 7]) == [(2, 4), (7, 7)]
    assert (ranges([]), runs([])) == ("", [])

"""Numbers and names as they are shown."""

from cointer_gym.text import db, percent, ranges, runs, splits, threshold


def test_percent_has_its_sign_and_no_negative_zero():
    assert [percent(0.1234, 1), percent(-0.00001, 1, "+"), percent(0.5, 0, "+")] == [
        "12.3\xa0%",
        "0.0\xa0%",
        "+50\xa0%",
    ]


def test_a_level_that_is_rounded_to_nothing_has_no_sign():
    assert (db(0.9999), threshold(0.9999), db(0.5)) == ("0.0 dB", "0.00", "-3.0 dB")


def test_the_likeliest_splits_stand_in_the_order_of_the_layers():
    assert splits([0.3, 0.004, 0.6, 0.096], "abcd", most=2) == "a\xa030\xa0%, c\xa060\xa0%"


def test_ranges_of_consecutive_numbers():
    assert ranges([2, 3, 4, 7, 9, 10]) == "2 to 4, 7, 9 to 10"
    assert runs([2, 3, 4, 7]) == [(2, 4), (7, 7)]
    assert (ranges([]), runs([])) == ("", [])

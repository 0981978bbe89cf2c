"""Records: what their numbers may be."""

import numpy as np
import pytest
from pydantic import JsonValue, ValidationError

from cointer_gym.records import Model, find_file

LONG = 10**400


class Inner(Model):
    ratio: float = 0.5
    count: int = 1


class Outer(Model):
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()
    ratios: tuple[float | None, ...] = ()
    counts: dict[str, tuple[int, ...]] | None = None
    anything: JsonValue = None


@pytest.mark.parametrize("value", [2, 2.0, np.float64(2), np.float32(2), np.int64(2), np.uint8(2), np.array(2.0)])
def test_whole_numbers_are_floats_and_integers(value):
    assert type(Inner(ratio=value).ratio) is float
    if not isinstance(value, np.ndarray):
        assert Inner(count=value) == Inner(count=2)
        assert type(Inner(count=value).count) is int


@pytest.mark.parametrize("value", [True, False, np.bool_(True), "2", b"2", None, [2], LONG, np.nan, np.inf])
def test_texts_booleans_and_what_is_not_finite_are_no_numbers(value):
    with pytest.raises(ValidationError, match="ratio"):
        Inner(ratio=value)
    if value is not LONG:
        with pytest.raises(ValidationError, match="count"):
            Inner(count=value)


@pytest.mark.parametrize("value", [1.5, np.float32(1.5), 1e-9])
def test_an_integer_has_no_fraction(value):
    with pytest.raises(ValidationError, match="count"):
        Inner(count=value)


def test_numbers_are_as_strict_inside_containers_and_other_models():
    fine = {"inner": {"ratio": 1}, "many": [{"count": 2.0}], "ratios": [1, None], "counts": {"a": [np.int64(3)]}}
    record = Outer.model_validate(fine)
    assert (record.many, record.ratios, record.counts) == ((Inner(count=2),), (1.0, None), {"a": (3,)})
    assert Outer.model_validate_json(record.model_dump_json()) == record
    for bad in ({"inner": {"ratio": "1"}}, {"many": [{"count": True}]}, {"ratios": [True]}, {"counts": {"a": ["3"]}}):
        with pytest.raises(ValidationError, match=next(iter(bad))):
            Outer.model_validate(fine | bad)


def test_a_table_of_texts_may_be_read_where_that_is_asked_for():
    assert Outer.model_validate({"inner": {"ratio": "0.25"}, "ratios": ["1"]}, strict=False).inner.ratio == 0.25


def test_plain_data_stays_what_it_is():
    assert Outer(anything=[True, "5", 1.5, {"a": None}]).anything == [True, "5", 1.5, {"a": None}]


def test_a_file_is_found_by_name_or_path(tmp_path):
    for name in ("b-2.json", "a.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    assert find_file("profile", "a", tmp_path, "networks") == tmp_path / "a.json"
    assert find_file("profile", str(tmp_path / "b-2.json"), tmp_path, "networks") == tmp_path / "b-2.json"
    with pytest.raises(ValueError, match=r"^profile = 'c' is neither a file nor one of the networks a, b-2$"):
        find_file("profile", "c", tmp_path, "networks")

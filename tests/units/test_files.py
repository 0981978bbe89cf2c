"""Files that are replaced as a whole or not at all."""

import pytest

from cointer_gym.files import read_json, replace_file, write_json


def test_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    file = tmp_path / "results.json"
    write_json(file, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(file, {"a": float("nan")})

    def half(draft):
        draft.write_text("{")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        replace_file(file, half)
    assert read_json(file) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]
    file.write_text("{")
    with pytest.raises(ValueError, match=r"cannot read .*results\.json"):
        read_json(file)

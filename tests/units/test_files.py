"""Files that are replaced as a whole or not at all, names that lead nowhere else, and reading that names the file."""

import pytest

from cointer_gym.files import (
    draft_name,
    folder_name,
    is_draft,
    naming,
    read_csv_rows,
    read_json,
    read_text,
    replace_file,
    write_json,
)


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


def test_drafts_are_told_from_other_hidden_files(tmp_path):
    assert is_draft(draft_name(tmp_path / "gap.csv").name, ["gap.csv"])
    for name in ("gap.csv", ".gap.csv", ".gap.12.txt", ".gap.x.csv", "gap.12.csv", ".a.gap.12.csv", ".other.12.csv"):
        assert not is_draft(name, ["gap.csv"])


@pytest.mark.parametrize("name", ["alexnet-pi", "my camera (v2)", "x" * 100, "工厂", "a.b", "console", "C"])
def test_names_for_folders(name):
    assert folder_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../x", "/x", "a/b", "a\\b", "C:x", " a", "a ", "a.", ".a", "x" * 101),
        *("a\nb", "a\0b", "a\x1b[31m", "a*", "con", "NUL.txt", "com1"),
    ],
)
def test_names_that_lead_elsewhere_or_do_not_exist_everywhere(name):
    with pytest.raises(ValueError, match="is no name for a folder"):
        folder_name(name)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("{}".encode("utf-16"), "not UTF-8: byte 0xff at position 0; save it as UTF-8"),
        ('{"a": "ä"}'.encode("latin-1"), "not UTF-8: byte 0xe4 at position 7; save it as UTF-8"),
        ("{}".encode("utf-16-le"), "no text: a NUL at character 1"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "'c' is given twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b"1" * 5000, "Exceeds the limit"),
        (b"", "Expecting value"),
    ],
)
def test_what_is_no_json_names_file_and_cause(tmp_path, content, cause):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ValueError, match=rf"cannot read .*x\.json: {cause}"):
        read_json(tmp_path / "x.json")


def test_reading_text(tmp_path):
    (tmp_path / "x").write_bytes(b"\xef\xbb\xbf\xc3\xa4")
    assert read_text(tmp_path / "x") == "ä"  # without the byte-order mark
    for path, cause in ((tmp_path, "Is a directory"), (tmp_path / "y", "No such file")):
        with pytest.raises(ValueError, match=f"cannot read {path}: {cause}"):
            read_text(path)


def test_reading_csv(tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("a,b\n1,2\n")
    assert read_csv_rows(file) == [{"a": "1", "b": "2"}]
    for text in ("a,b\n1,2\n3\n", "a,b\n1,2\n3,4,5\n"):
        file.write_text(text)
        with pytest.raises(ValueError, match=r"x\.csv, line 3: a row must have 2 cells"):
            read_csv_rows(file)


def test_whatever_goes_wrong_names_the_file(tmp_path):
    for error, text in ((KeyError("x"), "KeyError: 'x'"), (ValueError("odd"), "odd"), (OSError("gone"), "gone")):
        with pytest.raises(ValueError, match=f"^cannot read {tmp_path}: {text}$"), naming(tmp_path), naming(tmp_path):
            raise error

"""Archives of what needs pickle: only what was written here, or is trusted, hands out its parts."""

import json
import stat
import zipfile

import pytest

from cointer_gym.agents.sealed import Manifest, check_sealed, read_manifest, unpack, write_sealed
from cointer_gym.agents.trust import is_sealed, seal

RUN = "of this training"
PARTS = {"learner.zip": b"weights", "replay_buffer.pkl": bytes(1000)}


@pytest.fixture
def key(tmp_path, monkeypatch):
    """Where the key of this machine lies; there is none yet."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "cointer-gym" / "key"


@pytest.fixture
def archive(key, tmp_path):
    path = tmp_path / "checkpoint.zip"
    write_sealed(path, RUN, {name: lambda p, c=content: p.write_bytes(c) for name, content in PARTS.items()}, "note")
    return path


def read(path, tmp_path, trust=False, run=RUN):
    folder = tmp_path / "parts"
    folder.mkdir(exist_ok=True)
    return {name: part.read_bytes() for name, part in unpack(path, run, folder, trust=trust).items()}


def rewrite(path, compression=zipfile.ZIP_STORED, **changes):
    """The archive with other members."""
    with zipfile.ZipFile(path) as old:
        members = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", compression) as new:
        for name, content in (members | changes).items():
            if content is not None:
                new.writestr(name, content)


def test_what_was_written_here_comes_back(archive, tmp_path):
    assert read(archive, tmp_path) == PARTS
    assert read_manifest(archive, RUN).note == "note"
    check_sealed(archive, RUN, trust=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.zip", "parts", "state"]


def test_the_key_is_the_users_alone_and_made_once(archive, key):
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(key.read_bytes()) == 32
    assert list(key.parent.iterdir()) == [key]
    assert seal(b"x") == seal(b"x") != seal(b"y")
    assert is_sealed(b"x", seal(b"x"))
    assert not is_sealed(b"y", seal(b"x"))
    assert not is_sealed(b"x", "")
    assert not is_sealed(b"x", "sëal")


@pytest.mark.parametrize("change", ["another key", "no key", "half a key"])
def test_what_another_machine_wrote_needs_trust(archive, key, tmp_path, change):
    if change == "no key":
        key.unlink()
    else:
        key.write_bytes(bytes(32 if change == "another key" else 16))
    for use in (lambda: read(archive, tmp_path), lambda: check_sealed(archive, RUN, trust=False)):
        with pytest.raises(ValueError, match=r"checkpoint\.zip: it was not written by this program on this machine"):
            use()
    assert read_manifest(archive, RUN).run == RUN  # is no pickle
    assert read(archive, tmp_path, trust=True) == PARTS


def test_without_a_place_for_the_key_nothing_is_sealed(key, tmp_path):
    key.parent.parent.write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="no key can be kept"):
        write_sealed(tmp_path / "c.zip", RUN, {"learner.zip": lambda p: p.write_bytes(b"weights")})
    with pytest.raises(ValueError, match="not written by this program"):
        read(tmp_path / "c.zip", tmp_path)
    assert read(tmp_path / "c.zip", tmp_path, trust=True) == {"learner.zip": b"weights"}


def test_a_change_of_anything_is_seen(archive, tmp_path):
    other = Manifest(run=RUN, sha256={"learner.zip": "0" * 64}).model_dump_json()
    before = archive.read_bytes()
    for changes in ({"manifest.json": other}, {"seal": "0" * 64}, {"seal": b"\xff"}, {"manifest.json": None}):
        archive.write_bytes(before)
        rewrite(archive, **changes)
        with pytest.raises(ValueError, match=r"cannot read .*checkpoint\.zip: "):
            read(archive, tmp_path)
    archive.write_bytes(before)
    rewrite(archive, **{"learner.zip": b"other weights"})
    for trust in (False, True):  # trusted or not
        with pytest.raises(ValueError, match=r"learner\.zip in it is damaged"):
            read(archive, tmp_path, trust)
    rewrite(archive, **{"learner.zip": None})
    with pytest.raises(ValueError, match=r"checkpoint\.zip: KeyError"):
        read(archive, tmp_path, trust=True)


def test_it_is_of_one_training_trusted_or_not(archive, tmp_path):
    for trust in (False, True):
        with pytest.raises(ValueError, match=r"it is of another training than the run\.json"):
            read(archive, tmp_path, trust, run="another")


def test_parts_stay_in_their_folder(key, tmp_path):
    """Even with names that lead out of it; only a trusted archive could have them."""
    path = tmp_path / "c.zip"
    write_sealed(path, RUN, {"x": lambda p: p.write_bytes(b"x")})
    rewrite(path, **{"../x": b"x"})
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    manifest["sha256"]["../x"] = manifest["sha256"]["x"]
    rewrite(path, **{"manifest.json": json.dumps(manifest)})
    (tmp_path / "parts").mkdir()
    parts = unpack(path, RUN, tmp_path / "parts", trust=True)
    assert {part.parent for part in parts.values()} == {tmp_path / "parts"}


def test_a_bomb_is_refused_by_its_size(archive, tmp_path):
    rewrite(archive, zipfile.ZIP_DEFLATED, **{"replay_buffer.pkl": bytes(30_000_000)})
    assert archive.stat().st_size < 100_000
    with pytest.raises(ValueError, match=r"it unpacks to 30,000,\d{3} bytes from \d\d,\d{3}"):
        read(archive, tmp_path, trust=True)


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"junk" * 100, b"PK\x05\x06" + bytes(18), b"PK\x05\x06" + b"\xff" * 18]
)
def test_what_is_no_archive(key, tmp_path, content):
    (tmp_path / "checkpoint.zip").write_bytes(content)
    for use in (lambda p: read(p, tmp_path), lambda p: read_manifest(p, RUN), lambda p: read(p.parent, tmp_path)):
        with pytest.raises(ValueError, match="cannot read "):
            use(tmp_path / "checkpoint.zip")

"""The folder of a training: its record, its curve, and that it never holds two trainings."""

import shutil

import pytest

from cointer_gym.agents.algorithms import PPO
from cointer_gym.agents.folder import RunFolder, RunRecord
from cointer_gym.agents.runs import load_run
from cointer_gym.envs import make_task
from cointer_gym.files import read_json, write_json


@pytest.fixture
def record(toy, monkeypatch):
    """The record of a training that was never made."""
    monkeypatch.setattr("cointer_gym.agents.folder.installed_versions", lambda: {"torch": "1"})
    return RunRecord.of(make_task("splitting", toy, 1), PPO, 3, PPO.load_settings())


def test_record_survives_the_file(record, tmp_path):
    RunFolder(tmp_path / "run").claim(record)
    content = read_json(tmp_path / "run" / "run.json")
    assert list(content) == ["version", "algorithm", "seed", "task", "settings", "versions", "seal"]
    assert (content["version"], content["algorithm"], content["seed"]) == (2, "ppo", 3)
    assert (content["task"]["env_id"], content["task"]["placement"]) == ("CoInference-v0", 1)
    read = RunFolder(tmp_path / "run").read_record()
    assert read.differences(record) == record.differences(read) == []
    RunFolder(tmp_path / "run").claim(record)


@pytest.mark.parametrize(
    ("changes", "differing"),
    [
        ({"seed": 4}, "seed"),
        ({"algorithm": "dqn", "settings": {}}, "algorithm, settings"),
        ({"versions": {"torch": "2"}}, "versions"),
    ],
)
def test_the_error_names_what_differs(record, tmp_path, changes, differing):
    RunFolder(tmp_path).claim(record)
    with pytest.raises(ValueError, match=f"holds a run that differs in {differing}; choose another directory"):
        RunFolder(tmp_path).claim(record.model_copy(update=changes))


@pytest.mark.parametrize(
    ("arguments", "differing"),
    [
        (("splitting", None, None), "placement"),
        (("splitting", 1, 0.5), "reward_scale"),
        (("placement", None, None), "env_id, placement"),
    ],
)
def test_the_error_names_what_differs_in_the_task(toy, record, tmp_path, arguments, differing):
    name, placement, scale = arguments
    other = RunRecord.of(make_task(name, toy, placement, scale), PPO, 3, PPO.load_settings())
    for first, second in ((record, other), (other, record)):
        folder = RunFolder(tmp_path / str(first is record))
        folder.claim(first)
        with pytest.raises(ValueError, match=f"differs in {differing};"):
            folder.claim(second)


def test_another_scenario_is_another_run(toy, record, tmp_path):
    RunFolder(tmp_path).claim(record)
    other = RunRecord.of(make_task("splitting", toy.replace(tasks_per_update=7), 1), PPO, 3, PPO.load_settings())
    with pytest.raises(ValueError, match="differs in scenario;"):
        RunFolder(tmp_path).claim(other)


def test_records_of_another_version_are_refused(record, tmp_path):
    write_json(tmp_path / "run.json", record.model_dump(mode="json") | {"version": 1})
    for use in (RunFolder(tmp_path).claim, lambda _: load_run(tmp_path)):
        with pytest.raises(ValueError, match=r"run\.json is not the record of a training of this version"):
            use(record)


def test_only_a_finished_training_of_a_known_algorithm_is_loaded(record, tmp_path):
    pytest.importorskip("stable_baselines3")
    with pytest.raises(ValueError, match=r"cannot read .*run\.json"):
        load_run(tmp_path)
    RunFolder(tmp_path / "ppo").claim(record)
    (tmp_path / "ppo" / "model.zip").touch()  # nothing that is read
    with pytest.raises(ValueError, match=r"holds no model\.safetensors: the training has not finished"):
        load_run(tmp_path / "ppo")
    RunFolder(tmp_path / "sarsa").claim(record.model_copy(update={"algorithm": "sarsa"}))
    with pytest.raises(ValueError, match="algorithm = 'sarsa' must be one of"):
        load_run(tmp_path / "sarsa")


@pytest.mark.parametrize("name", ["gap.csv", "checkpoint.zip", "model.safetensors", "model.zip"])
def test_files_of_a_training_without_its_record_are_of_no_training(record, tmp_path, name):
    """They were taken for those of whatever training came next."""
    (tmp_path / name).touch()
    with pytest.raises(ValueError, match=rf"holds {name} but no run\.json"):
        RunFolder(tmp_path).claim(record)
    assert not (tmp_path / "run.json").exists()


# --- what --fresh deletes ---------------------------------------------------------------------------------------------

WRITTEN = ["run.json", "gap.csv", "model.safetensors", "model.zip", "checkpoint.zip", "checkpoint.pkl"]
LEFT_BEHIND = [".checkpoint.123.zip", ".gap.123.csv", ".learner.7.zip", ".replay_buffer.7.pkl", ".run.1.json"]
LOG = "tensorboard/log_1/events.out.tfevents.1.host.2.0"
FOREIGN = [
    "keep.txt",
    ".keep.123.txt",
    "model.pt",
    "tensorboard/notes.txt",
    "tensorboard/log_1/notes.txt",
    "sub/run.json",
]


@pytest.fixture
def finished(record, tmp_path):
    """A folder with everything that a training may leave."""
    folder = tmp_path / "run"
    RunFolder(folder).claim(record)
    for name in (*WRITTEN[1:], *LEFT_BEHIND, LOG):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def test_deleting_a_run_leaves_nothing(finished):
    RunFolder(finished).delete()
    assert not finished.exists()
    RunFolder(finished).delete()
    finished.mkdir()
    RunFolder(finished).delete()  # nothing to delete


def test_deleting_a_run_leaves_what_it_did_not_write(finished):
    for name in FOREIGN:
        (finished / name).parent.mkdir(parents=True, exist_ok=True)
        (finished / name).write_text("precious")
    RunFolder(finished).delete()
    assert files(finished) == sorted(FOREIGN)


@pytest.mark.parametrize("link", ["tensorboard/log_2", "tensorboard"])
def test_links_are_not_followed(finished, tmp_path, link):
    if link == "tensorboard":
        shutil.rmtree(finished / link)
    elsewhere = tmp_path / "elsewhere"
    for name in ("events.out.tfevents.1", "log_1/events.out.tfevents.1"):
        (elsewhere / name).parent.mkdir(exist_ok=True, parents=True)
        (elsewhere / name).write_text("precious")
    (finished / link).symlink_to(elsewhere, target_is_directory=True)
    RunFolder(finished).delete()
    assert files(elsewhere) == ["events.out.tfevents.1", "log_1/events.out.tfevents.1"]
    assert (finished / link).is_symlink()
    assert files(finished) == []


@pytest.mark.parametrize("name", WRITTEN)
def test_a_link_or_folder_with_the_name_of_a_file_stops_the_deletion(finished, tmp_path, name):
    precious = tmp_path / "precious"
    precious.write_bytes((finished / name).read_bytes())
    (finished / name).unlink()
    (finished / name).symlink_to(precious)
    before = files(finished)
    with pytest.raises(ValueError, match=rf"{name} is no file, so no training wrote it"):
        RunFolder(finished).delete()
    assert files(finished) == before
    assert precious.exists()


def test_a_linked_folder_and_a_folder_of_something_else_are_left_alone(finished, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(finished, target_is_directory=True)
    with pytest.raises(ValueError, match="is a link"):
        RunFolder(link).delete()
    for content in (None, [], {}, {"algorithm": "ppo"}, {"version": 3, "seed": 0, "name": "another program's"}):
        write_json(finished / "run.json", content)
        with pytest.raises(ValueError, match="is not the directory of a training"):
            RunFolder(finished).delete()
    assert len(files(finished)) == len(WRITTEN) + len(LEFT_BEHIND) + 1

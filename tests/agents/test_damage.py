"""Damaged files of trainings: a readable error that names the file, or what can be recovered; never anything else."""

import json
import os
import shutil
import warnings
import zipfile

import pytest

pytest.importorskip("stable_baselines3")
from safetensors import safe_open
from safetensors.torch import save_file

from cointer_gym.agents.algorithms import ALGORITHMS
from cointer_gym.agents.folder import RunFolder
from cointer_gym.agents.runs import load_run
from cointer_gym.agents.sealed import write_sealed
from cointer_gym.agents.training import GapRecorder, train
from cointer_gym.envs import make_task
from cointer_gym.experiments.trainings import TrainingJob, check_folders
from cointer_gym.files import read_json, write_json
from support.commands import invoke

SETTINGS = {
    "ppo": {"total_steps": 64, "num_envs": 4, "steps_per_rollout": 8, "batch_size": 32, "net_arch": (8, 4)},
    "dqn": {"total_steps": 64, "num_envs": 4, "learning_starts": 8, "batch_size": 16, "net_arch": (8, 4)},
}


def settings(name):
    return ALGORITHMS[name].load_settings(**SETTINGS[name])


class KillError(Exception):
    """Stands for a killed process."""


@pytest.fixture(scope="module")
def pristine(toy, tmp_path_factory):
    """A finished training (PPO) and one killed behind a checkpoint (DQN)."""
    folder = tmp_path_factory.mktemp("pristine")
    task = make_task("splitting", toy)
    train(task, "ppo", folder / "finished", settings=settings("ppo"), evaluations=4)
    record_gap = GapRecorder.record_gap

    def die(recorder):
        if recorder.model.num_timesteps > 40:
            raise KillError
        return record_gap(recorder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GapRecorder, "record_gap", die)
        with pytest.raises(KillError):
            train(task, "dqn", folder / "killed", settings=settings("dqn"), evaluations=4, checkpoint_every_s=0.0)
    assert sorted(path.name for path in (folder / "killed").glob("*.*")) == ["checkpoint.zip", "gap.csv", "run.json"]
    return folder


# --- what is done to a file -------------------------------------------------------------------------------------------


def cut(share):
    return lambda path: path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def content(data):
    return lambda path: path.write_bytes(data)


def folder_instead(path):
    path.unlink()
    path.mkdir()


def link_to_nowhere(path):
    path.unlink()
    path.symlink_to(path.parent / "nowhere")


def flipped(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


OTHER = {"run.json": "gap.csv", "gap.csv": "run.json", "model.safetensors": "gap.csv", "checkpoint.zip": "run.json"}
ANY_FILE = {
    "missing": os.unlink,
    "empty": content(b""),
    "first half": cut(0.5),
    "all but the end": cut(0.97),
    "one byte flipped": flipped,
    "junk": content(bytes(range(256)) * 8),
    "zeros": content(bytes(4096)),
    "list": content(b"[]"),
    "object": content(b"{}"),
    "null": content(b"null"),
    "number": content(b"1" * 5000),
    "UTF-16": lambda path: path.write_bytes(path.read_bytes().decode("latin-1").encode("utf-16")),
    "deep": content(b"[" * 100_000),
    "folder": folder_instead,
    "link to nowhere": link_to_nowhere,
    "another file of the run": lambda path: shutil.copy(path.parent / OTHER[path.name], path),
}


def field(*names, value):
    """Another value at a place in run.json."""

    def change(path):
        whole = read_json(path)
        inner = whole
        for name in names[:-1]:
            inner = inner[name]
        inner[names[-1]] = value
        write_json(path, whole)

    return change


RECORD = {
    f"{'.'.join(names)} = {value!r}": field(*names, value=value)
    for names, values in {
        ("version",): (1, 3, None, "2", True),
        ("algorithm",): ("dqn", "sarsa", "nowhere:A", "os:getcwd", "", None, 5, []),
        ("seed",): (1, "zero", None, 1e300, []),
        ("task",): ({}, [], None, "splitting"),
        ("task", "env_id"): ("CoInferencePlacement-v0", "Other-v0", None, []),
        ("task", "scenario"): ({}, [], None, "alexnet-pi", {"name": "x"}),
        ("task", "scenario", "channel"): ({}, [], None, {"law": "fog"}, {"law": "nowhere:Fog"}, {"law": 5}),
        ("task", "scenario", "dnn"): ({"profile": "/etc/passwd"}, {"layers": []}),
        ("task", "placement"): (1, 99, -1, "all", 0.5, True, []),
        ("task", "reward_scale"): (2.0, 0.0, -1.0, "x", []),
        ("settings",): ({}, [], None, {"net_arch": "wide"}),
        ("settings", "net_arch"): ([], [8], [8, 8], [10**9, 10**9], [-1], ["x"], None, 8),
        ("settings", "total_steps"): (65, 0, -1, 10**30, "many"),
        ("settings", "num_envs"): (5, 10**12),
        ("settings", "steps_per_rollout"): (9, 10**15),
        ("versions",): ({}, [], {"torch": "0"}, {"torch": None}),
        ("seal",): ("", None, 5, "0" * 64),
        ("more",): (1,),
    }.items()
    for value in values
}


# --- what is called ---------------------------------------------------------------------------------------------------


def only_readable_errors(path, *calls):
    """Call each, with whatever warnings; the messages of those that fail, which are readable and name the place."""
    messages = [message for call in calls if (message := _message(call)) is not None]
    assert [message for message in messages if str(path) not in message] == []
    return messages


def _message(call):
    try:
        with warnings.catch_warnings(action="ignore"):
            call()
    except (ValueError, OSError) as error:
        return str(error)


def command(*arguments):
    """Run a command, which ends well or with one clear line."""

    def call():
        result = invoke(*arguments)
        if result.exit_code:
            assert isinstance(result.exception, SystemExit), result.exception
            assert result.exit_code == 2
            assert result.output.startswith("error: ")
            raise ValueError(result.output)

    return call


def uses(path, name, toy):
    """Everything that reads the folder of a training."""
    task, chosen = make_task("splitting", toy), settings(name)
    job = TrainingJob(ALGORITHMS[name], 0, path, chosen)
    return (
        lambda: load_run(path)[0].model(),
        lambda: load_run(path, trust=True)[0].policy(),
        lambda: check_folders(task, [job]),
        command("evaluate", path),
        lambda: train(task, name, path, settings=chosen, evaluations=1),
    )


@pytest.fixture
def copied(pristine, tmp_path):
    return lambda kind: shutil.copytree(pristine / kind, tmp_path / kind)


def test_without_damage_everything_works(copied, toy):
    for kind, name in (("finished", "ppo"), ("killed", "dqn")):
        path = copied(kind)
        failed = only_readable_errors(path, *uses(path, name, toy))
        assert len(failed) == (0 if kind == "finished" else 3)
        assert all("has not finished" in message for message in failed)


@pytest.mark.parametrize("damage", ANY_FILE)
@pytest.mark.parametrize(
    ("kind", "file"),
    [("finished", "run.json"), ("finished", "model.safetensors"), ("killed", "run.json"), ("killed", "checkpoint.zip")],
)
def test_damage_to_what_is_needed_is_told(copied, toy, kind, file, damage):
    path = copied(kind)
    ANY_FILE[damage](path / file)
    failed = only_readable_errors(path, *uses(path, {"finished": "ppo", "killed": "dqn"}[kind], toy))
    gone = damage in ("missing", "link to nowhere") and file != "run.json"
    assert len(failed) >= (3 if gone or kind == "killed" else 5)
    if not gone:
        assert all(file in message or "has not finished" in message for message in failed)


@pytest.mark.parametrize("damage", ANY_FILE)
def test_a_damaged_curve_is_recovered(copied, toy, pristine, damage):
    path = copied("finished")
    whole = load_run(pristine / "finished")[0].curve
    ANY_FILE[damage](path / "gap.csv")
    assert only_readable_errors(path, *uses(path, "ppo", toy)) == []
    with pytest.warns(UserWarning, match=r"gap\.csv: .*evaluations before the last one could be read"):
        curve = load_run(path)[0].curve
    assert curve[-1] == whole[-1]
    assert set(curve) < set(whole) or curve == whole
    if damage in ("first half", "all but the end", "one byte flipped"):
        assert curve[:1] == whole[:1]
        assert len(curve) > 1


@pytest.mark.parametrize("damage", [damage for damage in ANY_FILE if damage != "folder"])
def test_a_killed_training_with_a_damaged_curve_goes_on(copied, toy, damage):
    path = copied("killed")
    ANY_FILE[damage](path / "gap.csv")
    with pytest.warns(UserWarning, match=r"gap\.csv: .* evaluations before that are kept"):
        run = train(make_task("splitting", toy), "dqn", path, settings=settings("dqn"), evaluations=4)
    steps = [point.steps for point in run.curve]
    assert steps == sorted(set(steps))
    assert steps[-1] == 64


@pytest.mark.parametrize("damage", RECORD)
def test_a_record_that_is_none(copied, toy, damage):
    path = copied("finished")
    RECORD[damage](path / "run.json")
    failed = only_readable_errors(path, *uses(path, "ppo", toy))
    assert len(failed) == (0 if damage.startswith("seal") else 5)


@pytest.mark.parametrize("damage", [name for name in RECORD if not name.startswith(("version =", "more", "seal"))])
def test_a_record_that_lies_together_with_the_model(copied, damage):
    """The model names the changed record as its own: what does not fit must be found in another way."""
    path = copied("finished")
    RECORD[damage](path / "run.json")
    try:
        fingerprint = RunFolder(path).read_record().fingerprint
    except ValueError:
        return
    with safe_open(path / "model.safetensors", framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = json.loads(file.metadata()["cointer_gym"])
    save_file(tensors, path / "model.safetensors", {"cointer_gym": json.dumps(header | {"run": fingerprint})})
    failed = only_readable_errors(
        path,
        lambda: load_run(path, trust=True)[0].model(),
        command("evaluate", path, "--trust"),
    )
    harmless = ("seed", "settings.total_steps", "settings.num_envs", "settings.steps_per_rollout", "versions")
    assert failed or damage.startswith(harmless) or "reward_scale = 2.0" in damage or "placement = 1" in damage


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Stable-Baselines3 leaves it open
@pytest.mark.parametrize("damage", ["no learner", "no buffer", "junk learner", "junk buffer", "empty zip", "swapped"])
def test_a_sealed_checkpoint_with_the_wrong_parts(copied, toy, tmp_path, damage):
    """Right seal, wrong content: as if this program had a fault, or a trusted stranger had one."""
    path = copied("killed")
    fingerprint = RunFolder(path).read_record().fingerprint
    with zipfile.ZipFile(path / "checkpoint.zip") as archive:
        learner, buffer = (archive.read(name) for name in ("learner.zip", "replay_buffer.pkl"))
    empty = tmp_path / "empty.zip"
    zipfile.ZipFile(empty, "w").close()
    parts = {
        "no learner": {"replay_buffer.pkl": buffer},
        "no buffer": {"learner.zip": learner},
        "junk learner": {"learner.zip": b"junk", "replay_buffer.pkl": buffer},
        "junk buffer": {"learner.zip": learner, "replay_buffer.pkl": b"junk"},
        "empty zip": {"learner.zip": empty.read_bytes(), "replay_buffer.pkl": buffer},
        "swapped": {"learner.zip": buffer, "replay_buffer.pkl": learner},
    }
    write_sealed(
        path / "checkpoint.zip",
        fingerprint,
        {name: lambda file, data=data: file.write_bytes(data) for name, data in parts[damage].items()},
    )
    use = lambda: train(make_task("splitting", toy), "dqn", path, settings=settings("dqn"))  # noqa: E731
    (message,) = only_readable_errors(path, use)
    assert "checkpoint.zip" in message


def test_files_of_two_trainings_are_never_mixed(copied, toy, tmp_path):
    """The same algorithm and shapes, another seed."""
    task, other = make_task("splitting", toy), tmp_path / "other"
    train(task, "ppo", other, seed=1, settings=settings("ppo"), evaluations=4)
    path = copied("finished")
    shutil.copy(other / "model.safetensors", path / "model.safetensors")
    failed = only_readable_errors(path, *uses(path, "ppo", toy))
    assert len(failed) == 5
    assert all("it is of another training than the run.json beside it" in message for message in failed)
    path = shutil.copytree(other, tmp_path / "curve")
    (tmp_path / "finished" / "gap.csv").replace(path / "gap.csv")
    with pytest.warns(UserWarning, match="does not end with the trained model; 0 evaluations"):
        assert len(load_run(path)[0].curve) == 1


def test_a_model_that_scores_otherwise_than_recorded_is_told(copied, toy):
    path = copied("finished")
    with safe_open(path / "model.safetensors", framework="pt") as file:
        tensors = {name: -file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    save_file(tensors, path / "model.safetensors", metadata)
    (message,) = only_readable_errors(path, command("evaluate", path))
    assert "when it was trained with" in message


def test_leftovers_of_killed_processes_are_removed(copied, toy):
    path = copied("killed")
    for name in (".checkpoint.1.zip", ".learner.1.zip", ".keep.1.txt"):
        (path / name).touch()
    train(make_task("splitting", toy), "dqn", path, settings=settings("dqn"), evaluations=1)
    assert [p.name for p in path.glob(".*")] == [".keep.1.txt"]

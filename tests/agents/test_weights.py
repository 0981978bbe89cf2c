"""Trained policies without pickle: what is saved is what acts, and nothing else is let in."""

import json
import os
import pickle
import re
import shutil
import sys
import zipfile

import numpy as np
import pytest

pytest.importorskip("stable_baselines3")
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from cointer_gym.agents import models
from cointer_gym.agents.algorithms import ALGORITHMS
from cointer_gym.agents.folder import RunFolder
from cointer_gym.agents.runs import load_run
from cointer_gym.agents.training import train
from cointer_gym.envs import make_task
from cointer_gym.files import read_json, write_json

SHORT = {
    "ppo": {"total_steps": 64, "num_envs": 4, "steps_per_rollout": 8, "batch_size": 32, "net_arch": (8, 4)},
    "dqn": {"total_steps": 64, "num_envs": 4, "learning_starts": 8, "batch_size": 16, "net_arch": (8, 4)},
}


class Bomb:
    """Unpickling it makes a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture(scope="module", params=ALGORITHMS)
def trained(request, toy, tmp_path_factory):
    """A finished training, the model that it ended with, and its folder."""
    folder = tmp_path_factory.mktemp(request.param)
    kept = []
    with pytest.MonkeyPatch.context() as patch:
        write = models.write_weights
        patch.setattr(
            models, "write_weights", lambda path, model, header: kept.append(model) or write(path, model, header)
        )
        settings = ALGORITHMS[request.param].load_settings(**SHORT[request.param])
        run = train(make_task("splitting", toy), request.param, folder, settings=settings, evaluations=1)
    return run, kept[0], folder


@pytest.fixture
def copied(trained, tmp_path):
    """A copy of its folder."""
    return shutil.copytree(trained[2], tmp_path / "run")


def tampered(folder, change=lambda tensors: None, **header):
    """Write the weights again, with other tensors or another header."""
    path = folder / "model.safetensors"
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        content = json.loads(file.metadata()["cointer_gym"])
    change(tensors)
    save_file(tensors, path, {"cointer_gym": json.dumps(content | header)})


def refused(folder):
    """The message with which the model is refused."""
    with pytest.raises(ValueError, match=r"cannot read .*model\.safetensors: ") as error:
        load_run(folder)[0].model()
    return str(error.value)


def test_the_saved_policy_is_the_trained_one_bit_by_bit(trained):
    run, model, _ = trained
    loaded = run.model()
    mine, theirs = model.policy.state_dict(), loaded.policy.state_dict()
    assert list(mine) == list(theirs)
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    space = run.task.observation_space
    space.seed(0)
    observations = np.stack([space.sample() for _ in range(500)])
    actions, again = (each.predict(observations, deterministic=True)[0] for each in (model, loaded))
    assert (actions == again).all()
    assert loaded.num_timesteps == model.num_timesteps >= 64
    run.confirm(run.task.score(run.policy()).cost)


def test_the_file_says_what_its_numbers_are_of(trained):
    run, _, folder = trained
    with safe_open(folder / "model.safetensors", framework="np") as file:
        header = json.loads(file.metadata()["cointer_gym"])
    assert header["algorithm"] == run.algorithm.name
    assert header["learner"] == run.algorithm.model
    assert header["policy_keywords"]["net_arch"] == [8, 4]
    assert header["observation_space"]["shape"] == list(run.task.observation_space.shape)
    assert header["action_space"]["n"] == 2
    assert header["result"]["cost"] == run.curve[-1].cost
    assert header["versions"] == run.record.versions


def test_loading_takes_no_notice_of_the_seed(trained):
    state = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    trained[0].model()
    assert (np.random.get_state()[1] == state[1]).all()  # noqa: NPY002


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(sorted(t)[0]), "its numbers are called"),
        (lambda t: t.update(more=torch.zeros(1)), "its numbers are called"),
        (lambda t: t.update({sorted(t)[0]: torch.zeros(3, 3)}), r"has shape \[3, 3\] and must have"),
        (lambda t: t.update({n: v.double() for n, v in t.items()}), "is torch.float64 and must be torch.float32"),
        (lambda t: t[sorted(t)[0]].fill_(float("nan")), "holds NaN or infinities"),
        (lambda t: t[sorted(t)[-1]].fill_(float("inf")), "holds NaN or infinities"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(copied, change, message):
    tampered(copied, change)
    assert re.search(message, refused(copied))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"run": "0"}, "it is of another training than the run.json beside it"),
        ({"version": 2}, "version"),
        ({"result": None}, "result"),
        ({"policy": "other:Policy"}, "its policy differ"),
        ({"policy_keywords": {"net_arch": [8, 8]}}, "its policy_keywords differ"),
        ({"observation_space": {}, "action_space": {}}, "its observation_space, action_space differ"),
    ],
)
def test_a_header_of_something_else_is_refused(copied, header, message):
    tampered(copied, **header)
    assert message in refused(copied)


def test_weights_of_nobody_are_refused(copied):
    save_file({"x": torch.zeros(1)}, copied / "model.safetensors")
    assert "it was not written by this program" in refused(copied)


def test_nothing_large_is_built_for_a_small_file(copied):
    """A run.json of a stranger asks for layers that the file beside it does not hold."""
    content = read_json(copied / "run.json")
    content["settings"]["net_arch"] = [200_000, 200_000]
    write_json(copied / "run.json", content)
    tampered(copied, run=RunFolder(copied).read_record().fingerprint)
    assert "net_arch = [200000, 200000] needs 40,000,000,000 numbers, but it holds" in refused(copied)


def test_a_crafted_pickle_never_runs(copied, tmp_path):
    """As the final model, beside it in the earlier format, or alone."""
    ran = tmp_path / "ran"
    bomb = pickle.dumps(Bomb(ran))
    with zipfile.ZipFile(copied / "model.zip", "w") as archive:
        archive.writestr("data", json.dumps({"policy_class": {":serialized:": bomb.hex()}}))
        archive.writestr("policy.pth", bomb)
    load_run(copied)[0].model()  # does not look at it
    for content in (bomb, (copied / "model.zip").read_bytes()):
        (copied / "model.safetensors").write_bytes(content)
        refused(copied)
    (copied / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="has not finished"):
        load_run(copied)
    assert not ran.exists()
    pickle.loads(bomb)
    assert ran.exists()  # the bomb was live


def test_a_crafted_checkpoint_never_runs_unless_trusted(trained, copied, tmp_path):
    run, ran = trained[0], tmp_path / "ran"
    (copied / "model.safetensors").unlink()
    settings = run.algorithm.settings.model_validate_json(json.dumps(run.record.settings))
    checkpoint = copied / "checkpoint.zip"

    def go_on(trust):
        return train(run.task, run.algorithm, copied, settings=settings, evaluations=1, trust=trust)

    with zipfile.ZipFile(checkpoint, "w") as archive:  # an archive of Stable-Baselines3, as the earlier format had it
        archive.writestr("data", pickle.dumps(Bomb(ran)))
    with pytest.raises(ValueError, match=r"checkpoint\.zip: "):
        go_on(trust=False)

    with pytest.MonkeyPatch.context() as patch:  # written elsewhere: all is right but the key
        patch.setenv("XDG_STATE_HOME", str(tmp_path / "elsewhere"))

        class Stranger:
            def save(self, path):
                with zipfile.ZipFile(path, "w") as archive:
                    archive.writestr("data", "{}")
                    archive.writestr("policy.pth", pickle.dumps(Bomb(ran)))

            def save_replay_buffer(self, path):
                path.write_bytes(pickle.dumps(Bomb(ran)))

        models.Checkpoint(run.algorithm, copied).write(Stranger(), run.record.fingerprint)
    with pytest.raises(ValueError, match="not written by this program on this machine"):
        go_on(trust=False)
    assert not ran.exists()
    with pytest.raises(ValueError, match=r"cannot read .*checkpoint\.zip: "):  # read, and found to be no model
        go_on(trust=True)


def test_an_import_that_a_stranger_names_needs_trust(copied, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "stranger_law", raising=False)
    (tmp_path / "stranger_law.py").write_text(f"import os; os.mkdir({str(tmp_path / 'ran')!r})")
    content = read_json(copied / "run.json")
    for field, value in (("algorithm", "stranger_law:A"), ("law", "stranger_law:Law")):
        changed = json.loads(json.dumps(content))
        (changed if field == "algorithm" else changed["task"]["scenario"]["channel"])[field] = value
        write_json(copied / "run.json", changed)
        with pytest.raises(ValueError, match=r"names stranger_law:\w+, which would be imported"):
            load_run(copied)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(ValueError):  # noqa: PT011 (imported, and found to have no law)
        load_run(copied, trust=True)
    assert (tmp_path / "ran").exists()

"""Without the packages of the ``agents`` extra: one line that says how to install them."""

import sys

import pytest

from cointer_gym.agents.extra import require_extra
from support.commands import python

CODE = """
import sys
for name in {missing}:
    sys.modules[name] = None
from cointer_gym.cli import main
sys.argv = ["cointer-gym", *{arguments}]
try:
    main()
except SystemExit as end:
    print("exit code", end.code)
"""


@pytest.mark.parametrize("arguments", [["train"], ["train", "--fresh"], ["benchmark"], ["evaluate", "runs/x"]])
def test_commands_name_the_extra(tmp_path, arguments):
    (tmp_path / "runs").mkdir()
    missing = ("torch", "stable_baselines3", "safetensors", "tensorboard")
    code = f"import os; os.chdir({str(tmp_path)!r}); import sys; sys.stderr = sys.stdout\n"
    text = python(code + CODE.format(missing=missing, arguments=arguments))
    assert "pip install 'cointer-gym[agents]'" in text
    assert "needs torch, stable_baselines3, safetensors, tensorboard" in text
    assert "exit code 2" in text
    assert "Traceback" not in text
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_only_what_is_missing_is_named(monkeypatch):
    pytest.importorskip("stable_baselines3")
    require_extra()
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs safetensors: pip install 'cointer-gym\[agents\]'"):
        require_extra()

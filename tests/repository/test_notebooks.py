"""The notebooks: what is committed can be read as it is, and says what the package says now.

    COINTER_GYM_REWRITE_NOTEBOOKS=1 pytest tests/repository/test_notebooks.py

runs them on the full budget and writes the outputs into the repository.
"""

import ast
import json
import os
import re
from pathlib import Path

import pytest

from support.places import ROOT

pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("stable_baselines3")

import nbformat
from ipykernel.kernelspec import write_kernel_spec
from nbclient import NotebookClient

pytestmark = pytest.mark.checkout

FOLDER = ROOT / "notebooks"
NAMES = ("01_quickstart", "02_optimal_stopping", "03_train_and_compare", "04_placement")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
LARGEST_BYTES = 500_000
REWRITE = "COINTER_GYM_REWRITE_NOTEBOOKS"
TRAINING_STEPS = "2000"
BUDGET = "budget"  # tag of the cells whose output depends on the number of training steps
NOT_INHERITED = ("COLUMNS", "JUPYTER_COLUMNS", "NO_COLOR", "FORCE_COLOR", "COINTER_GYM_NOTEBOOK_STEPS")

NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:e[-+]?\d+)?")
ABSOLUTE_PATH = re.compile(r"(?<![\w.~<-])/(?:home|root|tmp|Users|work|mnt|var|opt|usr|private)/|\b[A-Z]:\\\\\w")

every_notebook = pytest.mark.parametrize("name", NAMES)


def read(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def texts(cell):
    """What a cell prints and displays, without its pictures: (kind, text) in order, neighbouring prints joined."""
    found = []
    for output in cell.outputs:
        if output.output_type != "stream":
            found += [(kind, text) for kind, text in sorted(output.data.items()) if kind.startswith("text/")]
        elif found and found[-1][0] == output.name:
            found[-1] = (output.name, found[-1][1] + output.text)
        else:
            found.append((output.name, output.text))
    return found


def pictures(cell):
    return sum("image/png" in output.get("data", {}) for output in cell.outputs)


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Run a notebook in an empty folder; an error in a cell is an error here."""
    write_kernel_spec(tmp_path / "jupyter" / "kernels" / "python3")  # this interpreter's, whatever is installed
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    (tmp_path / "empty").mkdir()
    env = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    env |= {"IPYTHONDIR": str(tmp_path / "ipython"), "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    if REWRITE not in os.environ:
        env["COINTER_GYM_NOTEBOOK_STEPS"] = TRAINING_STEPS

    def run(notebook):
        resources = {"metadata": {"path": str(tmp_path / "empty")}}
        NotebookClient(notebook, timeout=300, record_timing=False, resources=resources).execute(env=env)
        notebook.metadata = nbformat.from_dict(METADATA)
        assert list((tmp_path / "empty").iterdir()) == []
        return notebook

    return run


def same(now, committed):
    """Whether two texts are equal, numbers to seven digits."""
    values = [[float(number) for number in NUMBER.findall(text)] for text in (now, committed)]
    return NUMBER.split(now) == NUMBER.split(committed) and values[0] == pytest.approx(values[1], rel=1e-7, abs=1e-9)


@every_notebook
def test_it_runs_without_warnings_and_the_committed_output_is_up_to_date(name, execute):
    committed, done = read(name), execute(read(name))
    assert [output for output in outputs(done) if output.get("name") == "stderr"] == []
    if REWRITE in os.environ:
        nbformat.write(done, FOLDER / f"{name}.ipynb")
        pytest.skip("written anew")
    for before, now in zip(code_cells(committed), code_cells(done), strict=True):
        assert pictures(now) == pictures(before), now.source
        assert [kind for kind, _ in texts(now)] == [kind for kind, _ in texts(before)], now.source
        if BUDGET not in now.metadata.get("tags", []):
            for (_, text), (_, expected) in zip(texts(now), texts(before), strict=True):
                assert same(text, expected), f"{REWRITE}=1 writes this anew\n\n{now.source}\n\n{text}"


def test_a_stale_output_would_be_noticed():
    assert same("optimum 0.2303, 71 %", "optimum 0.23030000001, 71 %")
    assert not same("optimum 0.2303, 71 %", "optimum 0.2304, 71 %")
    assert not same("input 71 %", "conv1 71 %")
    assert not same("1 2", "1 2 3")


def test_these_are_all_notebooks():
    assert sorted(path.stem for path in FOLDER.rglob("*.ipynb")) == sorted(NAMES)


@every_notebook
def test_committed_with_the_outputs_of_one_run_from_top_to_bottom(name):
    notebook = read(name)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output.output_type for output in outputs(notebook)}
    assert kinds <= {"stream", "display_data", "execute_result"}
    assert {output.name for output in outputs(notebook) if output.output_type == "stream"} <= {"stdout"}
    assert sum(map(pictures, cells)) >= 2
    assert sum(bool(cell.outputs) for cell in cells) >= len(cells) - 1  # all but the imports


@every_notebook
def test_committed_file_is_small_and_tells_nothing_about_the_machine(name):
    path, notebook = FOLDER / f"{name}.ipynb", read(name)
    assert path.stat().st_size < LARGEST_BYTES
    assert notebook.metadata == METADATA
    assert {key for cell in notebook.cells for key in cell.metadata} <= {"tags"}
    for output in outputs(notebook):
        output.get("data", {}).pop("image/png", None)
    text = json.dumps(notebook, ensure_ascii=False)
    assert [hit.group() for hit in ABSOLUTE_PATH.finditer(text)] == []
    assert str(Path.home()) not in text
    assert str(FOLDER.parent) not in text


@every_notebook
def test_short_and_without_logic_of_its_own(name):
    notebook = read(name)
    assert 10 <= len(notebook.cells) <= 20
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    for cell in code_cells(notebook):
        assert len(cell.source.splitlines()) <= 30
        assert [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, definitions)] == []


@every_notebook
def test_links_lead_somewhere(name):
    text = "\n".join(cell.source for cell in read(name).cells if cell.cell_type == "markdown")
    targets = [target for target in re.findall(r"\]\(([^)#]+)", text) if not target.startswith("http")]
    assert [target for target in targets if not (FOLDER / target).exists()] == []

"""The report of a benchmark, from its results alone."""

import csv
import re

import pytest

from cointer_gym.experiments.results import BenchmarkResults, load
from cointer_gym.report.benchmark import insert_table, markdown_table, report_markdown, table_rows, write_report
from cointer_gym.report.looks import looks
from support.places import ROOT
from support.results import with_algorithm

BEGIN = "<!-- benchmark table: written by `cointer-gym report`, do not edit -->"
END = "<!-- end of benchmark table -->"


@pytest.fixture
def results():
    """What is committed, in its typed form."""
    return load(ROOT / "results" / "alexnet-pi" / "results.json", BenchmarkResults)


@pytest.mark.xdist_group("small_benchmark")  # trained once, in one process
def test_report_is_made_of_the_results_alone(small_benchmark, tmp_path):
    out, results, _ = small_benchmark
    assert load(out / "results.json", BenchmarkResults) == results
    write_report(results, tmp_path)
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["cost"]) for row in rows] == [row.cost for row in results.policies]
    assert sum(float(rows[0][name]) for name in rows[0] if name.startswith("split_")) == pytest.approx(1.0)
    text = (tmp_path / "report.md").read_text()
    assert markdown_table(results) in text
    for picture in re.findall(r"\]\((.*?\.png)\)", text):
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


@pytest.mark.checkout
def test_table_goes_into_a_document_between_its_marks(results, tmp_path):
    document = tmp_path / "README.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    insert_table(document, results)
    assert document.read_text() == f"before\n{BEGIN}\n{markdown_table(results)}\n{END}\nafter\n"
    document.write_text("no marks")
    with pytest.raises(ValueError, match="lacks the marks"):
        insert_table(document, results)


@pytest.mark.checkout
def test_labels_are_only_shown(results):
    """Policies go by their names: with other labels the same cells stand beside them."""
    renamed = results.model_copy(
        update={"policies": tuple(row.model_copy(update={"label": row.policy.upper()}) for row in results.policies)}
    )
    assert [row[0] for row in table_rows(renamed)] == [row.policy.upper() for row in results.policies]
    assert [row[1:] for row in table_rows(renamed)] == [row[1:] for row in table_rows(results)]


@pytest.mark.checkout
def test_an_algorithm_that_is_not_registered_is_reported(results):
    more = with_algorithm(results, "New|comer")
    text = report_markdown(more)
    agents = ", ".join(row.label for row in results.policies if row.kind == "agent")
    assert f"{agents} and New\\|comer are means" in text
    assert text.count("| New\\|comer | ") == 1 + len(results.trainings_of(results.algorithms()[0]))


def test_every_algorithm_has_a_look_of_its_own():
    found = looks(["new", "ppo", "newer", "dqn", "new"])
    assert list(found) == ["new", "ppo", "newer", "dqn"]
    assert len(set(found.values())) == len({look.colour for look in found.values()}) == 4
    assert looks(["dqn", "ppo"])["ppo"] == found["ppo"]
    many = looks([f"new{k}" for k in range(20)])
    assert len(set(many.values())) == 20

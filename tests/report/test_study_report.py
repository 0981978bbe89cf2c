"""The words of the studies' report, and the committed one."""

import numpy as np
import pytest

from cointer_gym.experiments import studies
from cointer_gym.experiments.alternatives import RIVALS, Alternative
from cointer_gym.experiments.study_rows import Study, read_csv
from cointer_gym.report.studies import report_markdown, summary
from cointer_gym.report.study_words import share, where
from support.places import ROOT

DOCS = ROOT / "docs" / "studies"
COMMAND = "cointer-gym study all --out docs/studies"


def test_points_in_words(tiny_studies):
    sweep = tiny_studies["snr"].rows[0]
    for parameter, value, words in (
        (studies.TASKS, 123456.0, "K = 123,000"),
        (studies.EDGE_SPEED, 5e12, "edge speed 5,000 GFLOP/s"),
        (studies.SNR, -10.0, "mean SNR -10 dB"),
        (studies.WEIGHT_RATIO, 0.0, "time alone counts"),
        (studies.WEIGHT_RATIO, np.inf, "energy alone counts"),
        (studies.WEIGHT_RATIO, 0.5, "energy weight / time weight 0.5 s/J"),
    ):
        assert where(sweep.model_copy(update={"parameter": parameter, "value": value})) == words
    for name, words in (
        ("phase", "mean SNR -20 dB, energy weight / time weight 0.1 s/J"),
        ("closed-form", "mean SNR -3 dB, K = 1,000"),
        ("structure", "mlp-pi"),
    ):
        assert where(tiny_studies[name].rows[0]) == words
    assert where(tiny_studies["structure"].rows[-1]) == "alexnet on resnet18-phone"


def test_shares_in_running_text():
    assert [share(0.1234), share(-1e-5, "+"), share(0.9996, "+"), share(12.346, "+")] == [
        "12.3 %",
        "0.0 %",
        "+100 %",
        "+1,235 %",
    ]


def test_summary_names_the_extremes_and_where_they_are(tiny_studies):
    rows = {row[0]: row[1:] for row in summary(tiny_studies["snr"])}
    device, bound = Alternative.DEVICE, Alternative.CLAIRVOYANT
    excess = 100 * tiny_studies["snr"].excess(device)  # grows with the SNR
    assert rows[device.label] == (*(f"+{x:.1f} %" if x < 100 else f"+{x:,.0f} %" for x in excess), "mean SNR 20 dB")
    assert rows[bound.label][2].startswith("-")


def without_differences(row):
    """The row with all rivals as cheap as the joint optimum."""
    equal = {rival: row.costs[Alternative.JOINT] for rival in RIVALS if rival in row.costs}
    return row.model_copy(update={"costs": row.costs | equal})


def test_verdicts_follow_the_numbers(tiny_studies):
    holds = report_markdown(tiny_studies.values(), COMMAND)
    assert "Holds, but it is not near-optimal in general" in holds
    assert "nothing is gained for mlp" in holds  # on the phone, the perceptron is best sent to the edge at once
    alike = [Study(study.name, [without_differences(row) for row in study.rows]) for study in tiny_studies.values()]
    assert "Holds, and is near-optimal" in report_markdown(alike, COMMAND)
    assert "nothing is gained for mlp and alexnet" in report_markdown(alike, COMMAND)


def test_report_names_the_command_and_the_paper(tiny_studies):
    text = report_markdown(tiny_studies.values(), "cointer-gym study all 'my `odd` file.toml' --out elsewhere")
    assert "Written by `` cointer-gym study all 'my `odd` file.toml' --out elsewhere ``; do not edit." in text
    assert "J. Yan, S. Bi, Y.-J. A. Zhang" in text
    assert "the abstract claims" not in text
    assert "docs/studies" not in text


def test_names_in_the_report_are_no_markdown(tiny_studies):
    odd = [
        Study(name, [row.model_copy(update={"scenario": "*a*|$b$"}) for row in study.rows])
        for name, study in tiny_studies.items()
    ]
    text = report_markdown(odd, COMMAND)
    assert "*a*" not in text.replace(r"\*a\*", "")
    assert text.count(r"\*a\*\|\$b\$") > 5
    header, *rows = [
        line.replace(r"\|", "") for line in text.splitlines() if line.startswith("| mlp") or "Placed" in line
    ]
    assert {row.count("|") for row in rows} == {header.count("|")}


@pytest.mark.checkout
def test_committed_report_is_what_the_committed_rows_say():
    committed = [read_csv(DOCS / f"{name}.csv") for name in studies.STUDIES]
    assert (DOCS / "README.md").read_text(encoding="utf-8") == report_markdown(committed, COMMAND)
    assert all((DOCS / f"{name}.png").read_bytes().startswith(b"\x89PNG") for name in studies.STUDIES)

"""Claims as data: the committed ones hold, every statistic is checked by hand, and a false claim is told."""

import pytest

from cointer_gym.experiments.alternatives import CAUSAL, Alternative
from cointer_gym.experiments.claims import check_claims, read_claims
from cointer_gym.experiments.results import BenchmarkResults, PolicyRow, save
from cointer_gym.experiments.study_rows import ClosedFormRow, Facts, Study, SweepRow, write_csv
from support.places import ROOT

LOOK_AHEAD_PLACES = '{{ name = "count_fields", field = "look_ahead_placement", compared = "{}", other = "placement" }}'


def facts(placement, ahead):
    return Facts(
        layers=8, placement=placement, look_ahead_placement=ahead, static_split=0, split_depth=1, split_entropy_bits=0
    )


def costs(ahead, static, bound):
    rest = dict.fromkeys(CAUSAL, 5.0)
    return rest | {
        Alternative.JOINT: 1.0,
        Alternative.AHEAD: ahead,
        Alternative.STATIC: static,
        Alternative.CLAIRVOYANT: bound,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two studies and a benchmark with numbers that can be counted by hand."""
    root = tmp_path_factory.mktemp("claims")
    amounts = {"time_s": 1.0, "energy_j": 1.0}
    swept = [
        SweepRow(scenario="s", parameter="p", value=k, mean_snr_db=0, costs=c, facts=f, **amounts)
        for k, (c, f) in enumerate(
            [
                (costs(1.005, 1.25, 0.75), facts(3, 3)),
                (costs(1.5, 1.25, 1.0), facts(3, 2)),
            ]
        )
    ]
    closed = ClosedFormRow(
        scenario="s",
        mean_snr_db=0,
        tasks_per_update=10,
        closed_form_placement=2,
        closed_form_cost=1.875,
        costs=costs(1.5, 1.0, 0.5),
        facts=facts(1, 2),
        **amounts,
    )
    write_csv(Study("swept", swept), root / "studies" / "swept.csv")
    write_csv(Study("closed", [closed]), root / "studies" / "closed.csv")
    row = PolicyRow(
        policy="ppo", label="PPO", kind="agent", cost=1.0, relative_gap=0.02, relative_gap_by_seed=(0.01, 0.03)
    )
    results = BenchmarkResults(
        env_id="e", task="splitting", scenario="s", placement=0, layers=0, stage_names=("input",), optimal_threshold=(),
        snr_quantiles_db=(0, 1), reach_probability=(1.0,), policies=(row,), trainings=(), settings={}, versions={},
        python="3",
    )  # fmt: skip
    save(root / "results.json", results)
    return root


def check(folder, text, *, source="studies", relation="equals", bound=0.0):
    """The verdict on one claim."""
    path = folder / "claims" / "claims.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f'[[claim]]\nid = "it"\ntext = "It holds."\nsource = "{source}"\nstatistic = {text}\n'
        f'relation = "{relation}"\nbound = {bound}\n'
    )
    (verdict,) = check_claims(path)
    return verdict


@pytest.mark.parametrize(
    ("statistic", "source", "value"),
    [
        ('{ name = "gap", policy = "ppo" }', "results.json", 0.02),
        ('{ name = "worst_gap", policy = "ppo" }', "results.json", 0.03),
        ('{ name = "points" }', "studies", 3),
        ('{ name = "points" }', "studies/swept.csv", 2),
        ('{ name = "points", where = { value = 1.0 } }', "studies/swept.csv", 1),
        ('{ name = "excess", take = "least", alternative = "look-ahead" }', "studies", 0.005),
        ('{ name = "excess", take = "median", alternative = "look-ahead" }', "studies", 0.5),
        ('{ name = "excess", take = "most", alternative = "best-static" }', "studies", 0.25),
        ('{ name = "excess", take = "least", alternative = "clairvoyant" }', "studies", -0.5),
        ('{ name = "excess", take = "least", alternative = "any-rival" }', "studies", 0.0),
        ('{ name = "count_within", alternative = "look-ahead", share = 0.01 }', "studies", 1),
        ('{ name = "count_above", alternative = "best-static", share = 0.1 }', "studies", 2),
        ('{ name = "count_cheaper", alternative = "look-ahead", than = "best-static" }', "studies", 1),
        (LOOK_AHEAD_PLACES.format("less"), "studies", 1),
        (LOOK_AHEAD_PLACES.format("equal"), "studies", 1),
        (LOOK_AHEAD_PLACES.format("greater"), "studies", 1),
        ('{ name = "mismatch", field = "closed_form_cost", alternative = "look-ahead" }', "studies/closed.csv", 0.25),
    ],
)
def test_every_statistic_by_hand(folder, statistic, source, value):
    assert check(folder, statistic, source=source).value == pytest.approx(value, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("relation", "bound", "holds"),
    [
        ("equals", 3, True),
        ("equals", 2, False),
        ("at_most", 3, True),
        ("at_most", 2.9, False),
        ("at_least", 3, True),
        ("at_least", 3.1, False),
    ],
)
def test_relations(folder, relation, bound, holds):
    verdict = check(folder, '{ name = "points" }', relation=relation, bound=bound)
    assert (verdict.value, verdict.holds) == (3.0, holds)


@pytest.mark.parametrize(
    ("statistic", "source", "message"),
    [
        ('{ name = "gap", policy = "sarsa" }', "results.json", "claim it: policy = 'sarsa' must be one of ppo"),
        ('{ name = "gap", policy = "ppo" }', "studies", "claim it: the statistic 'gap' is a number of a benchmark"),
        ('{ name = "points" }', "results.json", "'points' is a number of studies"),
        ('{ name = "points" }', "nowhere.json", r"claim it: cannot read .*nowhere\.json"),
        ('{ name = "points" }', "nowhere.csv", r"claim it: cannot read .*nowhere\.csv"),
        ('{ name = "points" }', "nowhere", "holds no studies"),
        ('{ name = "points", where = { value = 9.0 } }', "studies/swept.csv", "no point has value = 9"),
        ('{ name = "points", where = { colour = "red" } }', "studies", "field = 'colour' must be one of scenario"),
        ('{ name = "mood" }', "studies", "statistic: Input tag 'mood'"),
        ('{ name = "count_within", alternative = "luck", share = 0.1 }', "studies", "alternative: Input should be"),
    ],
)
def test_a_claim_that_cannot_be_checked_says_why(folder, statistic, source, message):
    with pytest.raises(ValueError, match=message):
        check(folder, statistic, source=source)


def test_files_that_hold_no_claims(tmp_path):
    path = tmp_path / "claims.toml"
    for text, message in (("", "claim: Field required"), ("claim = []", "at least 1 item"), ("[[", "cannot read")):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_claims(path)
    with pytest.raises(ValueError, match="cannot read"):
        read_claims(tmp_path / "none.toml")
    one = (
        '[[claim]]\nid = "a"\ntext = ""\nsource = ""\nrelation = "equals"\nbound = 1\nstatistic = { name = "points" }\n'
    )
    path.write_text(one + one)
    with pytest.raises(ValueError, match="several claims with id = 'a'"):
        read_claims(path)


@pytest.mark.checkout
def test_committed_claims_hold():
    verdicts = check_claims(ROOT / "results" / "claims.toml")
    assert [(v.claim.id, v.value, v.claim.relation, v.claim.bound) for v in verdicts if not v.holds] == []
    assert len(verdicts) > 20

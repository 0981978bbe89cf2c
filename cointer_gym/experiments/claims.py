"""Claims as data: what README, studies and reports say about the committed results, held against those results.

A file of claims is TOML with one ``[[claim]]`` per sentence:

    [[claim]]
    id = "look-ahead-is-not-enough"
    text = "One-stage look-ahead costs over 30 % more than the optimum on alexnet-pi."
    source = "results/alexnet-pi/results.json"
    statistic = { name = "gap", policy = "look-ahead" }
    relation = "at_least"
    bound = 0.3

The source is the ``results.json`` of a benchmark, the CSV of a study, or a folder of such CSVs, which are pooled; paths
are relative to the folder above that of the claims. The statistics are described in ``measures``.
"""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from cointer_gym.experiments.measures import BenchmarkStatistic, Statistic, StudyStatistic
from cointer_gym.experiments.results import BenchmarkResults, first_problem, load
from cointer_gym.experiments.study_rows import Study, read_csv
from cointer_gym.files import read_text
from cointer_gym.records import Model


class Claim(Model):
    """One sentence that the committed results must bear out.

    Args:
        id: short name.
        text: the sentence.
        source: of the numbers, relative to the folder above that of the claims.
        statistic: which number.
        relation: of the number to ``bound``; ``equals`` is for counts.
        bound: what is claimed.
    """

    id: str
    text: str
    source: str
    statistic: Statistic
    relation: Literal["at_most", "at_least", "equals"]
    bound: float

    def holds(self, value: float) -> bool:
        """Whether the number bears out the claim."""
        if self.relation == "equals":
            return value == self.bound
        return value <= self.bound if self.relation == "at_most" else value >= self.bound


class Verdict(Model):
    """What became of a claim.

    Args:
        claim: the claim.
        value: the number as it is now.
        holds: whether it bears out the claim.
    """

    claim: Claim
    value: float
    holds: bool


class _Claims(Model):
    claim: tuple[Claim, ...] = Field(min_length=1)


def read_claims(path: Path) -> tuple[Claim, ...]:
    """The claims of a file, in their order.

    Raises:
        ValueError: the file is missing, no TOML, or no file of claims; names the file and the field.
    """
    text = read_text(path)
    try:
        claims = _Claims.model_validate(tomllib.loads(text)).claim
    except ValidationError as error:
        raise ValueError(f"cannot read {path}: {first_problem(error)}") from error
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"cannot read {path}: {error}") from error
    except RecursionError as error:
        raise ValueError(f"cannot read {path}: nested too deeply") from error
    ids = [claim.id for claim in claims]
    for name in ids:
        if ids.count(name) > 1:
            raise ValueError(f"cannot read {path}: there are several claims with id = {name!r}")
    return claims


def check_claims(path: Path, root: Path | None = None) -> list[Verdict]:
    """Hold every claim of a file against its source.

    Args:
        path: of the file of claims.
        root: what sources are relative to; None is the folder above that of ``path``.

    Raises:
        ValueError: a file cannot be read, or its results lack what a claim is about; names the claim.
    """
    folder = path.resolve().parent.parent if root is None else root
    known: dict[str, Source] = {}
    verdicts = []
    for claim in read_claims(path):
        try:
            if claim.source not in known:
                known[claim.source] = _read_source(folder / claim.source)
            value = _measure(claim.statistic, known[claim.source])
        except ValueError as error:
            raise ValueError(f"claim {claim.id}: {error}") from error
        verdicts.append(Verdict(claim=claim, value=value, holds=claim.holds(value)))
    return verdicts


Source = BenchmarkResults | list[Study]


def _read_source(path: Path) -> Source:
    if path.suffix == ".json":
        return load(path, BenchmarkResults)
    if path.suffix == ".csv":
        return [read_csv(path)]
    files = sorted(path.glob("*.csv"))
    if not files:
        raise ValueError(f"{path} is neither the results of a benchmark nor a study, and holds no studies")
    return [read_csv(file) for file in files]


def _measure(statistic: Statistic, source: Source) -> float:
    if isinstance(statistic, BenchmarkStatistic) and isinstance(source, BenchmarkResults):
        return statistic.of(source)
    if isinstance(statistic, StudyStatistic) and isinstance(source, list):
        return statistic.of(source)
    kind = "a benchmark" if isinstance(statistic, BenchmarkStatistic) else "studies"
    raise ValueError(f"the statistic {statistic.name!r} is a number of {kind}, which the source does not hold")

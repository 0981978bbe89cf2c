"""Claims and their verdicts as a table and in words."""

from collections.abc import Sequence

from rich.table import Table

from cointer_gym.experiments.claims import Verdict
from cointer_gym.report.tables import table

_RELATIONS = {"at_most": "at most", "at_least": "at least", "equals": "exactly"}


def claims_table(verdicts: Sequence[Verdict]) -> Table:
    """One line per claim: the verdict, the number behind it, what the number has to be, and what is said."""
    result = table("Verdict", "Value", "Has to be", "What is said")
    for verdict in verdicts:
        claim = verdict.claim
        bound = f"{_RELATIONS[claim.relation]} {claim.bound:.6g}"
        word, style = ("holds", None) if verdict.holds else ("FAILS", "bold red")
        result.add_row(word, f"{verdict.value:z.6g}", bound, claim.text, style=style)
    return result


def claims_sentence(verdicts: Sequence[Verdict]) -> str:
    """How many claims hold, and the names of those that do not."""
    failing = [verdict.claim.id for verdict in verdicts if not verdict.holds]
    names = f"; {', '.join(failing)} {'fail' if len(failing) > 1 else 'fails'}" if failing else ""
    return f"{len(verdicts) - len(failing)} of {len(verdicts)} claims hold{names}."

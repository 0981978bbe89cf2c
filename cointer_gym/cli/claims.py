"""``cointer-gym claims``: what is said about the committed results, held against them."""

from pathlib import Path
from typing import Annotated

import typer

from cointer_gym.cli.app import command, console


@command("cointer-gym claims results/claims.toml --check")
def claims(
    file: Annotated[Path, typer.Argument(help="File of claims.")] = Path("results") / "claims.toml",
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if a claim does not hold.")] = False,
) -> None:
    """Hold every published claim against the results that it is about."""
    from cointer_gym.experiments.claims import check_claims
    from cointer_gym.report.claims import claims_sentence, claims_table

    verdicts = check_claims(file)
    console.print(claims_table(verdicts))
    console.print(claims_sentence(verdicts), highlight=False, soft_wrap=True)
    if check and not all(verdict.holds for verdict in verdicts):
        raise typer.Exit(1)

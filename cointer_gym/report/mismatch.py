"""What independent fading promises and what a coherent channel gives: as a table and in words."""

from math import nan

from rich.table import Table

from cointer_gym.experiments.mismatch import IN_TIME, MismatchAnswer
from cointer_gym.report.tables import table
from cointer_gym.text import excess, percent


def mismatch_table(answer: MismatchAnswer) -> Table:
    """One line per rule: what it costs in both worlds, and what is lost against the optimum in time."""
    title = (
        f"{answer.scenario}: {answer.placement} of {answer.layers} layers on the device\n{answer.law.capitalize()} "
        f"fading, mean SNR {answer.mean_snr_db:z.1f} dB, coherence time {seconds(answer.coherence_time_s)}"
    )
    result = table("Rule", "Promised (i.i.d.)", "Got", "Difference", "Loss", "", title=title)
    for name, row in answer.rules.items():
        costs = ["-" if cost is None else f"{cost:z.6f}" for cost in (row.promised, row.got)]
        shares = [_share(row.difference, "+"), _share(row.loss)]
        result.add_row(row.label, *costs, *shares, "", style="bold green" if name == IN_TIME else None)
    return result


def mismatch_sentences(answer: MismatchAnswer) -> list[str]:
    """The answer in words, the bound, and the numbers that say how far the assumptions hold."""
    lines = [_finding(answer)]
    if answer.clairvoyant_cost is not None:
        bound, optimum = answer.clairvoyant_cost, answer.rules[IN_TIME].got
        lines.append(f"Clairvoyant bound in time: {bound:z.6f} ({excess(bound, _number(optimum))}).")
    if answer.layer_s:
        times = _range([seconds(each) for each in (min(answer.layer_s), max(answer.layer_s))])
        correlation = _range([f"{each:.2f}" for each in (min(answer.snr_correlation), max(answer.snr_correlation))])
        lines.append(
            f"A layer takes {times} on the device: the correlation of the SNR from layer to layer is {correlation}, "
            "independent fading takes it as 0."
        )
    if answer.upload_s is not None:
        ratio = _times(answer.upload_s / answer.coherence_time_s)
        lines.append(
            f"An upload takes {seconds(answer.upload_s)} on average, {ratio} the coherence time; its SNR is taken as "
            "frozen in both worlds."
        )
    for row in answer.rules.values():
        if row.null_because is not None:
            lines.append(f"{row.label}: {row.null_because}.")
    return lines


def seconds(value: float) -> str:
    """A time with three significant digits, from 1 s on in seconds, below in milliseconds."""
    if value < 1.0:
        return f"{1e3 * value:.3g}\N{NO-BREAK SPACE}ms"
    return f"{value:,.0f}\N{NO-BREAK SPACE}s" if value >= 999.5 else f"{value:.3g}\N{NO-BREAK SPACE}s"


def _finding(answer: MismatchAnswer) -> str:
    planned, best = answer.rules["optimal"], answer.rules[IN_TIME]
    promised, least, loss = _number(planned.promised), _number(best.got), _number(planned.loss)
    following = (
        f"following the i.i.d. thresholds costs {percent(loss, 1)} more than that"
        if round(loss, 3) > 0
        else "following the i.i.d. thresholds is as good"
    )
    return (
        f"Independent fading promises {promised:#.3g}; at a coherence time of {seconds(answer.coherence_time_s)} "
        f"nobody gets below {least:#.3g} ({excess(least, promised)}), and {following}."
    )


def _number(value: float | None) -> float:
    """NaN for None; the optima have no infinite costs."""
    return nan if value is None else value


def _share(share: float | None, sign: str = "") -> str:
    return "-" if share is None else percent(share, 1, sign)


def _range(ends: list[str]) -> str:
    return " to ".join(dict.fromkeys(ends))


def _times(ratio: float) -> str:
    return f"{ratio:.2g} times" if ratio < 99.5 else f"{ratio:,.0f} times"

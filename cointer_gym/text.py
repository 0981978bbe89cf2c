"""Numbers and names as they are shown: in tables, sentences and pictures, always the same way."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from cointer_gym.units import linear_to_db


def percent(
    share: float, digits: int = 0, sign: str = "", *, group: str = "", space: str = "\N{NO-BREAK SPACE}"
) -> str:
    """A share in per cent; a rounded 0 has no sign, and the no-break space keeps the unit on the line."""
    value = round(100 * share, digits) + 0.0
    return f"{value:{sign if value else ''}{group}.{digits}f}{space}%"


def excess(cost: float, optimum: float) -> str:
    """Cost above the optimum in per cent; a dash where the optimum is free."""
    return percent(cost / optimum - 1.0, 1, sign="+") if optimum > 0 else "-"


def db(snr: float, digits: int = 1) -> str:
    """A linear SNR in dB, with its unit."""
    return f"{float(linear_to_db(snr)):z.{digits}f} dB"


def threshold(snr: float, digits: int = 2) -> str:
    """A linear threshold in dB, ``always`` or ``never``."""
    return "always" if snr <= 0 else "never" if np.isinf(snr) else f"{float(linear_to_db(snr)):z.{digits}f}"


def minus(text: str) -> str:
    """The text with typographical minus signs."""
    return text.replace("-", "\N{MINUS SIGN}")


def runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of every run of consecutive numbers: ``[2, 3, 4, 7]`` as ``[(2, 4), (7, 7)]``."""
    breaks = [k for k in range(1, len(numbers)) if numbers[k] != numbers[k - 1] + 1]
    starts, ends = [0, *breaks], [*breaks, len(numbers)]
    return [(numbers[a], numbers[b - 1]) for a, b in zip(starts, ends, strict=True)] if numbers else []


def ranges(numbers: Sequence[int]) -> str:
    """``[2, 3, 4, 7]`` as ``2 to 4, 7``."""
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in runs(numbers))


def splits(probability: Sequence[float] | Any, stage_names: Sequence[str], most: int = 4) -> str:
    """The likeliest splits in order of the layers, e.g. ``input 71 %, pool1 18 %``."""
    likely = sorted(sorted(range(len(probability)), key=lambda n: -probability[n])[:most])
    return ", ".join(
        f"{stage_names[n]}\N{NO-BREAK SPACE}{percent(probability[n])}" for n in likely if probability[n] >= 0.005
    )


def bits(size_bits: float) -> str:
    """A size with three significant digits and its unit."""
    divisor, unit = size_unit(size_bits)
    return f"{significant(size_bits / divisor)} {unit}"


def size_unit(largest_bits: float) -> tuple[float, str]:
    """Divisor and name of the unit that suits sizes up to ``largest_bits``."""
    for divisor, unit in ((1e9, "Gbit"), (1e6, "Mbit"), (1e3, "kbit")):
        if largest_bits >= divisor:
            return divisor, unit
    return 1.0, "bit"


def significant(value: float) -> str:
    """A positive number in few characters: three significant digits, two below 1."""
    if value >= 999.5:
        return f"{value:.0f}"
    return f"{value:#.3g}".rstrip(".") if value >= 1.0 else f"{value:#.2g}" if value >= 0.1 else f"{value:.2g}"


def shortened(name: str, length: int) -> str:
    """``name``, with a dot for what is beyond ``length`` characters; a number at its end stays."""
    if len(name) <= length:
        return name
    number = name[len(name.rstrip("0123456789")) :][: length - 2]
    return f"{name[: length - 1 - len(number)]}.{number}"

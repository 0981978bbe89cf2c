"""What the abstract of the paper claims, held against the rows of the studies."""

import numpy as np

from cointer_gym.agents.comparison import AHEAD, AHEAD_PLACED, CLAIRVOYANT, FULL, HALF, STATIC
from cointer_gym.agents.study_data import AXES, SNR, TASKS, WEIGHT_RATIO, Row, Study
from cointer_gym.units import BoolArray, FloatArray

_TIE = 1e-3  # costs closer than this share count as equal
_NEAR = 0.01
_MOSTLY = 0.95


def claims(studies: dict[str, Study]) -> list[str]:
    """One paragraph per claim, each with its verdict and the numbers behind it."""
    optional = {"closed-form": _closed_form, "structure": _structures, "phase": _online}
    general = [_optimum(studies), _look_ahead(studies), _placement(studies)]
    return general + [claim(studies[name]) for name, claim in optional.items() if name in studies]


def where(row: Row) -> str:
    """A point of a study in words."""
    if "dnn" in row:
        return str(row["scenario"]) if row["hardware"] == "own" else f"{row['dnn']} on {row['hardware']}"
    if "parameter" not in row:
        named = (("mean_snr_db", SNR), ("weight_ratio", WEIGHT_RATIO), ("tasks_per_update", TASKS))
        return ", ".join(AXES[axis].words(row[column]) for column, axis in named if column in row)
    if row["parameter"] == WEIGHT_RATIO and not 0 < row["value"] < np.inf:
        return "energy alone counts" if row["value"] else "time alone counts"
    return AXES[row["parameter"]].words(row["value"])


def percent(share: float, sign: str = "") -> str:
    """A share in per cent, with one decimal below 100 %; a rounded 0 has no sign."""
    digits = 1 if abs(share) < 0.9995 else 0
    value = round(100 * float(share), digits) + 0.0
    return f"{value:{sign if value else ''},.{digits}f} %"


def _optimum(studies: dict[str, Study]) -> str:
    points = sum(len(study.rows) for study in studies.values())
    saved = -_pool(studies, CLAIRVOYANT)
    return (
        "**The optimal splitting rule follows from backward induction.** Holds: at all "
        f"{points:,} solved points no alternative is cheaper than the joint optimum. Knowing the fading of a whole "
        f"task beforehand would save {percent(np.median(saved))} in the median and {percent(saved.max())} at most: "
        "the price of not knowing the future, of which no causal rule saves anything."
    )


def _look_ahead(studies: dict[str, Study]) -> str:
    excess = _pool(studies, AHEAD)
    near, better = excess <= _NEAR, excess < _pool(studies, STATIC) - _TIE
    quality = "and is near-optimal" if near.mean() > _MOSTLY else "but it is not near-optimal in general"
    return (
        f"**A one-stage look-ahead rule has an analytical threshold.** Holds, {quality}: with the placement that is "
        f"best for it, it is within 1 % of the joint optimum at {_count(near)}, {percent(np.median(excess))} above it "
        f"in the median, and {percent(excess.max())} at most ({_worst(studies, AHEAD)}). It beats the best static "
        f"split at {_count(better)}. It looks one layer ahead, so one large feature hides a small one behind it."
    )


def _placement(studies: dict[str, Study]) -> str:
    excess = _pool(studies, AHEAD_PLACED)
    near = excess <= _NEAR
    rows = [row for study in studies.values() for row in study.rows]
    more = np.array([row["look_ahead_placement"] - row["placement"] for row in rows])
    verdict = "Holds" if near.mean() > _MOSTLY else "Holds in part"
    return (
        f"**Its analysis helps to place the model.** {verdict}: with optimal splitting on as many layers as look-ahead "
        f"would place, the cost is within 1 % of the joint optimum at {_count(near)}, {percent(np.median(excess))} "
        f"above it in the median, and {percent(excess.max())} at most ({_worst(studies, AHEAD_PLACED)}). "
        f"Look-ahead places as many layers as the optimum at {_count(more == 0)}, fewer at {np.sum(more < 0):,} and "
        f"more at {np.sum(more > 0):,}. The optimal placement is no more work here: one backward pass solves them all."
    )


def _closed_form(study: Study) -> str:
    equal = study.column("closed_form_placement") == study.column("look_ahead_placement")
    excess, placed = study.excess(AHEAD), study.excess(AHEAD_PLACED)
    worst = where(study.rows[int(np.argmax(excess))])
    return (
        "**For a perceptron with equal neurons the placement has a closed form.** Holds on "
        f"{study.rows[0]['scenario']}: at {_count(equal)} it is the placement that a search over all of them finds "
        "under the look-ahead rule, and everywhere it has the same cost to nine digits. That rule costs "
        f"{percent(np.median(excess))} more than the joint optimum in the median and {percent(excess.max())} "
        f"at most ({worst}); the same placement with optimal splitting {percent(np.median(placed))} and "
        f"{percent(placed.max())}."
    )


def _structures(study: Study) -> str:
    parts = [study.only("hardware", hardware) for hardware in study.distinct("hardware")]
    everywhere = all((part.excess(STATIC) > _TIE).all() for part in parts)
    verdict = "Holds." if everywhere else "Holds, except where the best rule ignores the channel."
    lead = f"**The joint optimum beats the alternatives for several structures.** {verdict}"
    lines = ["| Network | Scenario | Placed | Look-ahead | Full placement | Half placement | Best static split |"]
    lines.append("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for k, row in enumerate(study.rows):
        cells = [percent(study.excess(name)[k], "+") for name in (AHEAD, FULL, HALF, STATIC)]
        placed = f"{row['placement']:.0f} of {row['layers']:.0f}"
        lines.append(f"| {row['dnn']} | {row['scenario']} | {placed} | {' | '.join(cells)} |")
    return " ".join([lead, *map(_gains, parts)]) + "\n\n" + "\n".join(lines)


def _gains(part: Study) -> str:
    """How many networks gain against a static split and against look-ahead on one hardware."""
    static, ahead = part.excess(STATIC), part.excess(AHEAD)
    hardware, gained = part.rows[0]["hardware"], static[static > _TIE]
    place = "Each in its own scenario" if hardware == "own" else f"On the hardware of {hardware}"
    by = f" ({percent(gained.min())} to {percent(gained.max())})" if gained.size else ""
    ties = [str(row["dnn"]) for row, share in zip(part.rows, static, strict=True) if share <= _TIE]
    none = f"; nothing is gained for {' and '.join(ties)}" if ties else ""
    counts = f"the best static split costs more for {gained.size} of {len(part.rows)} networks{by}"
    return f"{place}, {counts}, and look-ahead for {np.sum(ahead > _TIE)}{none}."


def _online(study: Study) -> str:
    gain, snr_db = study.excess(STATIC), study.column("mean_snr_db")
    on_device = study.column("split_depth") > 0.5 * study.column("layers")
    kinds = {
        "most layers run on the device": (gain < _NEAR) & on_device,
        "an early feature is sent": (gain < _NEAR) & ~on_device,
    }
    groups = [
        f"{kind} at {np.sum(hits):,} of them ({snr_db[hits].min():g} to {snr_db[hits].max():g} dB)"
        for kind, hits in kinds.items()
        if hits.any()
    ]
    best = where(study.rows[int(np.argmax(gain))])
    return (
        f"**Where deciding online pays.** On {study.rows[0]['scenario']}, over mean SNR and price of energy, the best "
        f"static split costs over 10 % more than the joint optimum at {_count(gain > 0.1)}, and at most "
        f"{percent(gain.max())} more ({best}). It costs less than 1 % more at {_count(gain < _NEAR)}"
        f"{': ' if groups else ''}{', and '.join(groups)}."
    )


def _pool(studies: dict[str, Study], name: str) -> FloatArray:
    """Excess of an alternative at all points of all studies that hold it."""
    return np.concatenate([study.excess(name) for study in studies.values() if name in study.rows[0]])


def _worst(studies: dict[str, Study], name: str) -> str:
    study = max(studies.values(), key=lambda each: float(each.excess(name).max()))
    row = study.rows[int(np.argmax(study.excess(name)))]
    return where(row) if "dnn" in row else f"{row['scenario']}, {where(row)}"


def _count(hits: BoolArray) -> str:
    return f"{np.sum(hits):,} of {hits.size:,} points"

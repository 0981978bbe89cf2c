"""What the abstract of Yan, Bi and Zhang claims, held against the rows of the studies: one paragraph per claim."""

from collections.abc import Mapping

import numpy as np

from cointer_gym.experiments.alternatives import Alternative
from cointer_gym.experiments.statistics import (
    MOSTLY,
    NEAR,
    beats,
    equal,
    farthest,
    gained,
    points,
    pooled,
    pooled_excess,
)
from cointer_gym.experiments.study_rows import StructureRow, Study, StudyRow
from cointer_gym.report.markdown import escaped, markdown_table
from cointer_gym.report.study_words import share, where
from cointer_gym.units import BoolArray

_SHOWN = (Alternative.AHEAD, Alternative.FULL, Alternative.HALF, Alternative.STATIC)
"""Alternatives in the table of the networks."""


def paragraphs(studies: Mapping[str, Study]) -> list[str]:
    """Each claim with its verdict and the numbers behind it.

    Args:
        studies: by name; claims about a single study are left out without it.
    """
    optional = {"closed-form": _closed_form, "structure": _structures, "phase": _online}
    every = list(studies.values())
    general = [_optimum(every), _look_ahead(every), _placement(every)]
    return general + [claim(studies[name]) for name, claim in optional.items() if name in studies]


def _optimum(studies: list[Study]) -> str:
    saved = -pooled_excess(studies, Alternative.CLAIRVOYANT)
    return (
        "**The optimal splitting rule follows from backward induction.** Holds: at all "
        f"{points(studies):,} solved points no alternative is cheaper than the joint optimum. Knowing the fading of a "
        f"whole task beforehand would save {share(np.median(saved))} in the median and {share(saved.max())} at most: "
        "the price of not knowing the future, of which no causal rule saves anything."
    )


def _look_ahead(studies: list[Study]) -> str:
    excess = pooled_excess(studies, Alternative.AHEAD)
    near, better = excess <= NEAR, beats(studies, Alternative.AHEAD, Alternative.STATIC)
    quality = "and is near-optimal" if near.mean() > MOSTLY else "but it is not near-optimal in general"
    return (
        f"**A one-stage look-ahead rule has an analytical threshold.** Holds, {quality}: with the placement that is "
        f"best for it, it is within 1 % of the joint optimum at {_count(near)}, {share(np.median(excess))} above it "
        f"in the median, and {share(excess.max())} at most ({_worst(studies, Alternative.AHEAD)}). It beats the best "
        f"static split at {_count(better)}. It looks one layer ahead, so one large feature hides a small one behind it."
    )


def _placement(studies: list[Study]) -> str:
    excess = pooled_excess(studies, Alternative.AHEAD_PLACED)
    near = excess <= NEAR
    more = pooled(studies, "look_ahead_placement") - pooled(studies, "placement")
    verdict = "Holds" if near.mean() > MOSTLY else "Holds in part"
    return (
        f"**Its analysis helps to place the model.** {verdict}: with optimal splitting on as many layers as look-ahead "
        f"would place, the cost is within 1 % of the joint optimum at {_count(near)}, {share(np.median(excess))} "
        f"above it in the median, and {share(excess.max())} at most ({_worst(studies, Alternative.AHEAD_PLACED)}). "
        f"Look-ahead places as many layers as the optimum at {_count(more == 0)}, fewer at {np.sum(more < 0):,} and "
        f"more at {np.sum(more > 0):,}. The optimal placement is no more work here: one backward pass solves them all."
    )


def _closed_form(study: Study) -> str:
    same = equal(study, "closed_form_placement", "look_ahead_placement")
    excess, placed = study.excess(Alternative.AHEAD), study.excess(Alternative.AHEAD_PLACED)
    return (
        "**For a perceptron with equal neurons the placement has a closed form.** Holds on "
        f"{escaped(study.rows[0].scenario)}: at {_count(same)} it is the placement that a search over all of them "
        "finds under the look-ahead rule, and everywhere it has the same cost to nine digits. That rule costs "
        f"{share(np.median(excess))} more than the joint optimum in the median and {share(excess.max())} "
        f"at most ({escaped(where(_dearest(study, Alternative.AHEAD)))}); the same placement with optimal splitting "
        f"{share(np.median(placed))} and {share(placed.max())}."
    )


def _structures(study: Study) -> str:
    parts = [study.only("hardware", hardware) for hardware in study.distinct("hardware")]
    everywhere = all(gained(part, Alternative.STATIC).all() for part in parts)
    verdict = "Holds." if everywhere else "Holds, except where the best rule ignores the channel."
    lead = f"**The joint optimum beats the alternatives for several structures.** {verdict}"
    header = ("Network", "Scenario", "Placed", "Look-ahead", "Full placement", "Half placement", "Best static split")
    cells = []
    for k, row in enumerate(study.rows_of(StructureRow)):
        above = [share(study.excess(each)[k], "+") for each in _SHOWN]
        cells.append((row.dnn, row.scenario, f"{row.facts.placement} of {row.facts.layers}", *above))
    networks = markdown_table(header, ("---", "---", *["---:"] * 5), cells)
    return " ".join([lead, *map(_gains, parts)]) + "\n\n" + networks


def _gains(part: Study) -> str:
    """How many networks gain against a static split and against look-ahead on one hardware."""
    rows, gains = part.rows_of(StructureRow), gained(part, Alternative.STATIC)
    shares, hardware = part.excess(Alternative.STATIC)[gains], rows[0].hardware
    place = "Each in its own scenario" if hardware == "own" else f"On the hardware of {escaped(hardware)}"
    by = f" ({share(shares.min())} to {share(shares.max())})" if shares.size else ""
    ties = [row.dnn for row, gains_here in zip(rows, gains, strict=True) if not gains_here]
    none = f"; nothing is gained for {' and '.join(ties)}" if ties else ""
    counts = f"the best static split costs more for {shares.size} of {len(rows)} networks{by}"
    return f"{place}, {counts}, and look-ahead for {np.sum(gained(part, Alternative.AHEAD))}{none}."


def _online(study: Study) -> str:
    gain, snr_db = study.excess(Alternative.STATIC), study.column("mean_snr_db")
    on_device = study.column("split_depth") > 0.5 * study.column("layers")
    kinds = {
        "most layers run on the device": (gain < NEAR) & on_device,
        "an early feature is sent": (gain < NEAR) & ~on_device,
    }
    groups = [
        f"{kind} at {np.sum(hits):,} of them ({snr_db[hits].min():g} to {snr_db[hits].max():g} dB)"
        for kind, hits in kinds.items()
        if hits.any()
    ]
    best = escaped(where(_dearest(study, Alternative.STATIC)))
    return (
        f"**Where deciding online pays.** On {escaped(study.rows[0].scenario)}, over mean SNR and price of energy, "
        f"the best static split costs over 10 % more than the joint optimum at {_count(gain > 0.1)}, and at most "
        f"{share(gain.max())} more ({best}). It costs less than 1 % more at {_count(gain < NEAR)}"
        f"{': ' if groups else ''}{', and '.join(groups)}."
    )


def _dearest(study: Study, alternative: Alternative) -> StudyRow:
    """Where an alternative is farthest above the joint optimum."""
    return farthest([study], alternative)[1]


def _worst(studies: list[Study], alternative: Alternative) -> str:
    row = farthest(studies, alternative)[1]
    return escaped(where(row) if isinstance(row, StructureRow) else f"{row.scenario}, {where(row)}")


def _count(hits: BoolArray) -> str:
    return f"{np.sum(hits):,} of {hits.size:,} points"

"""What a picture of one inference task shows, in numbers and words; how it looks is for the text and figure modules."""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from cointer_gym import text
from cointer_gym.problem import StoppingProblem

_LONGEST_NAME = 14

Finished = Literal["", "offloaded", "completed"]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Everything that one picture needs. Stage n: layers 1..n are done on the device and feature n is in hand.

    Args:
        problem: horizon M, channel, costs and stage names.
        title: headline, usually the name of the scenario.
        feature_bits: D_0..D_M, bits.
        total_layers: L >= M; layers M+1..L exist on the edge server only.
        stage: feature in hand, 0..M.
        snr: linear SNR now.
        snr_path: linear SNRs seen so far, from stage 0 on, at most ``stage + 1`` of them.
        cost: ETC of this task so far.
        finished: how the task ended, "" while it runs.
        threshold_snr: the optimum offloads at stage n iff SNR >= ``threshold_snr[n]``; M of them, linear, inf is
            never, 0 always.
        choosing: the placement is still to be chosen: the input is in hand, no SNR is seen, no threshold holds yet.
        best_fixed_cost: expected cost of the best fixed split with the download of its layers, where ``cost`` holds the
            download, too; None where neither does.

    Raises:
        ValueError: a field does not fit the horizon of the problem, or there is an SNR or an end before a placement.
    """

    problem: StoppingProblem
    title: str
    feature_bits: tuple[float, ...]
    total_layers: int
    stage: int
    snr: float
    snr_path: tuple[float, ...]
    cost: float
    finished: Finished
    threshold_snr: tuple[float, ...]
    choosing: bool = False
    best_fixed_cost: float | None = None

    def __post_init__(self) -> None:
        for name, expected in (("feature_bits", self.horizon + 1), ("threshold_snr", self.horizon)):
            if len(getattr(self, name)) != expected:
                raise ValueError(f"{name} has {len(getattr(self, name))} entries, expected {expected}")
        if not 0 <= self.stage <= self.horizon:
            raise ValueError(f"stage = {self.stage} must be in 0..{self.horizon}")
        if len(self.snr_path) > self.stage + 1:
            raise ValueError(
                f"snr_path has {len(self.snr_path)} entries, at most {self.stage + 1} are seen by stage {self.stage}"
            )
        if self.total_layers < self.horizon:
            raise ValueError(f"total_layers = {self.total_layers} must be at least the horizon {self.horizon}")
        if self.finished not in get_args(Finished):
            raise ValueError(f"finished = {self.finished!r} must be one of {get_args(Finished)}")
        if self.choosing and (self.stage or self.snr_path or self.finished):
            raise ValueError("choosing = True leaves stage at 0, snr_path empty and the task unfinished")

    @property
    def start(self) -> "Scene":
        """The same task at its start: what all scenes of the task have in common."""
        return replace(self, stage=0, snr=0.0, snr_path=(), cost=0.0, finished="")

    @property
    def horizon(self) -> int:
        """M, the number of layers on the device."""
        return self.problem.horizon

    @property
    def has_upload(self) -> bool:
        """Whether offloading means anything now; not before the placement, nor once the network is complete."""
        return not (self.choosing or (self.problem.completes and self.stage == self.horizon))

    @property
    def threshold_now(self) -> float:
        """Linear SNR from which the optimum offloads at this stage; 0 at a forced upload, inf where there is none."""
        if not self.has_upload:
            return float("inf")
        return self.threshold_snr[self.stage] if self.stage < self.horizon else 0.0

    @property
    def optimum_offloads(self) -> bool:
        """What the optimal rule does with the SNR in hand."""
        return self.has_upload and self.snr >= self.threshold_now

    @property
    def offload_probability(self) -> float:
        """Probability that the optimum offloads at this stage, before its SNR is drawn."""
        return float(self.problem.channel.survival(self.threshold_now))

    @property
    def decision_text(self) -> str:
        """``offload``, ``continue``, ``offload (forced)`` or ``done``; a dash before the placement."""
        if self.choosing:
            return "\u2013"
        if not self.has_upload:
            return "done"
        if self.stage == self.horizon:
            return "offload (forced)"
        return "offload" if self.optimum_offloads else "continue"

    @property
    def threshold_text(self) -> str:
        """Which SNRs of this stage make the optimum offload, in words; a dash before the placement."""
        if self.choosing:
            return "\u2013"
        if not self.has_upload:
            return "no upload left"
        if self.threshold_now == 0.0:
            return "at any SNR"
        return "never" if np.isinf(self.threshold_now) else f"from {text.db(self.threshold_now)}"

    def threshold_cell(self, stage: int) -> str:
        """The threshold of a stage in dB: a number, ``never``, ``always``, ``forced``, or empty where there is none."""
        if self.choosing:
            return ""
        if stage == self.horizon:
            return "" if self.problem.completes else "forced"
        return text.threshold(self.threshold_snr[stage], 1)

    @property
    def status_text(self) -> str:
        """How far the task is."""
        if self.finished == "offloaded":
            return f"offloaded after layer {self.stage}" if self.stage else "offloaded the raw input"
        return "completed on the device" if self.finished else "not started" if self.choosing else "running"

    @property
    def stage_text(self) -> str:
        """Layers done, of those placed."""
        return f"{self.stage} of {'?' if self.choosing else self.horizon}"

    @property
    def snr_text(self) -> str:
        """The SNR now, in dB."""
        return "hidden" if self.choosing else text.db(self.snr)

    @property
    def placement_text(self) -> str:
        """How much of the network is on the device."""
        if self.choosing:
            return f"choose how many of {self.total_layers} layers to place"
        placed = "all" if self.horizon == self.total_layers else f"{self.horizon} of"
        return f"{placed} {self.total_layers} layers on the device"

    @property
    def feature_text(self) -> str:
        """Name and size of the feature in hand."""
        name = text.shortened(self.problem.stage_names[self.stage], _LONGEST_NAME)
        return f"{name}, {text.bits(self.feature_bits[self.stage])}"

    @property
    def cost_caption(self) -> str:
        """What the cost so far holds."""
        return "cost so far" if self.best_fixed_cost is None else "cost so far, with download"

    @property
    def cost_text(self) -> str:
        """Cost so far, and its share of the expected cost of the best static split, both with the download or none."""
        best = float(self.problem.static_cost.min()) if self.best_fixed_cost is None else self.best_fixed_cost
        share = f" ({self.cost / best:.0%} of best static split)" if 0 < best < float("inf") else ""
        return f"{self.cost:.4g}{share}"

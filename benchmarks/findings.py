"""What the benchmarks of one run have measured so far."""

from dataclasses import dataclass, field

from cointer_gym.experiments.speed import Comparison, Goal, GrowthPoint, Machine, SpeedResults, StepPart


@dataclass
class Findings:
    """Measurements in the order in which they were made.

    Args:
        goals: by the id of the comparison.
        machine: that the run is made on.
    """

    goals: dict[str, Goal]
    machine: Machine
    comparisons: list[Comparison] = field(default_factory=list)
    step: list[StepPart] = field(default_factory=list)
    growth: list[GrowthPoint] = field(default_factory=list)

    @property
    def missing(self) -> list[str]:
        """What a whole run has and this one lacks."""
        known = {each.id for each in self.comparisons}
        parts = {"the parts of a step": self.step, "growth": self.growth}
        return [*(id for id in self.goals if id not in known), *(name for name, rows in parts.items() if not rows)]

    def results(self) -> SpeedResults:
        """The measurements as records of a run."""
        return SpeedResults(self.comparisons, self.step, self.growth, self.machine)

"""From the state of a task to its picture, and what the pictures of one scenario share."""

from typing import Any, NamedTuple

from cointer_gym import baselines as bl
from cointer_gym.problem import StoppingProblem
from cointer_gym.rendering.figure import Sheet
from cointer_gym.rendering.scene import Finished, Scene
from cointer_gym.rendering.text import draw_text
from cointer_gym.rendering.window import Window
from cointer_gym.scenario import Scenario
from cointer_gym.units import FloatArray

_MOST_SHEETS = 4  # images in memory, a few MB each


class _Placed(NamedTuple):
    """What all pictures of one placement show."""

    problem: StoppingProblem
    threshold_snr: tuple[float, ...]


class Renderer:
    """Draws the tasks of one scenario.

    Every placement is solved once and the parts of an image that stay the same are drawn once, which makes a video
    several times as fast.

    Args:
        scenario: of all tasks that it draws.
        best_fixed_cost: what costs are compared with where they hold the download: the expected cost of the best fixed
            split with the download of its layers; None where they do not hold it.
    """

    def __init__(self, scenario: Scenario, best_fixed_cost: float | None = None) -> None:
        self._scenario = scenario
        self._best_fixed_cost = best_fixed_cost
        self._placed: dict[int, _Placed] = {}
        self._sheets: dict[Scene, Sheet] = {}
        self._window = Window()

    def scene(self, placement: int, stage: int, path: FloatArray, cost: float, finished: Finished) -> Scene:
        """The picture of a task; before the placement is chosen, of the whole network without an SNR.

        Args:
            placement: M, layers on the device; -1 while it is still to be chosen.
            stage: layers done, 0..M.
            path: linear SNRs of the stages, at least those up to ``stage``.
            cost: ETC of the task so far.
            finished: how the task ended, "" while it runs.

        Returns:
            Scene: for ``draw``, or for ``draw_figure``.
        """
        choosing = placement < 0
        placed = self._solved(self._scenario.layers if choosing else placement)
        return Scene(
            problem=placed.problem,
            title=self._scenario.name,
            feature_bits=tuple(self._scenario.dnn.output_bits[: placed.problem.horizon + 1]),
            total_layers=self._scenario.layers,
            stage=stage,
            snr=0.0 if choosing else float(path[stage]),
            snr_path=() if choosing else tuple(path[: stage + 1]),
            cost=cost,
            finished=finished,
            threshold_snr=placed.threshold_snr,
            choosing=choosing,
            best_fixed_cost=self._best_fixed_cost,
        )

    def draw(self, scene: Scene, mode: str) -> Any:
        """Draw a scene as one of Gymnasium's render modes.

        Args:
            scene: the task.
            mode: ``ansi``, ``rgb_array`` or ``human``.

        Returns:
            str; array of shape (620, 1000, 3), uint8; or None after updating the window.
        """
        if mode == "human":
            self._window.show(scene)
            return None
        return draw_text(scene) if mode == "ansi" else self._sheet(scene).image(scene)

    def close(self) -> None:
        """Close the window, if any."""
        self._window.close()

    def _solved(self, placement: int) -> _Placed:
        if placement not in self._placed:
            problem = self._scenario.problem(placement)
            threshold_snr = bl.backward_induction(problem).threshold_snr
            self._placed[placement] = _Placed(problem, tuple(float(snr) for snr in threshold_snr))
        return self._placed[placement]

    def _sheet(self, scene: Scene) -> Sheet:
        start = scene.start
        if start not in self._sheets:
            if len(self._sheets) == _MOST_SHEETS:
                del self._sheets[next(iter(self._sheets))]
            self._sheets[start] = Sheet(start)
        return self._sheets[start]

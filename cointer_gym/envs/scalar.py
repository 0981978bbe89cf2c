"""One task at a time: Gymnasium's API around a task."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import InvalidAction, ResetNeeded
from numpy.typing import NDArray

from cointer_gym.channels.counter import WordArray, keys
from cointer_gym.envs.resets import checked_path, known_options
from cointer_gym.envs.spec import plain_spec
from cointer_gym.envs.task import Task, snr_db
from cointer_gym.observation import Observation
from cointer_gym.problem import StoppingProblem
from cointer_gym.rendering import Renderer, Scene
from cointer_gym.rendering.scene import Finished
from cointer_gym.units import BoolArray, FloatArray

_LARGEST_BLOCK = 4096  # SNRs tabulated at a time
_MOST_KNOWN = 2**22  # numbers in templates of observations
_PLAIN = (int, np.int64)  # actions that are checked without a call
_INFINITE = float("inf")


class TaskEnv(gym.Env[Observation, np.int64 | int]):
    """Gymnasium's API around one task; the rules are the task's, the pictures a renderer's.

    Args:
        task: what is played.
        render_mode: ``ansi``, ``rgb_array``, ``human`` or None.

    Raises:
        ValueError: an unknown render mode.
    """

    metadata = {  # noqa: RUF012 (Gymnasium declares an instance variable)
        "render_modes": ["ansi", "rgb_array", "human"],
        "render_fps": 2,
    }

    def __init__(self, task: Task, render_mode: str | None = None) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode = {render_mode!r} must be None or one of {self.metadata['render_modes']}")
        self.task = task
        self.render_mode = render_mode
        self.action_space = task.action_space
        self.observation_space = task.observation_space
        self._places = _Places(task)
        self._actions = int(task.action_space.n)
        self._keyed: np.random.Generator | None = None  # what the key comes from
        self._key: WordArray = np.zeros(1, dtype=np.uint64)
        self._coming = _Paths(task, np.empty((0, task.problem.horizon + 1)))  # tabulated, the last of them to come
        self._paths: _Paths | None = None  # in which the path of the task begins at
        self._offset = 0
        self._next = 0  # offset of the next path that is drawn
        self._tabulated = 0  # episodes so far
        self._place = self._places.start
        self._cost = 0.0
        self._finished: Finished = ""
        self._renderer: Renderer | None = None
        self._spec: EnvSpec | None = None

    @property
    def problem(self) -> StoppingProblem:
        """The stopping problem behind the environment."""
        return self.task.problem

    @property
    def spec(self) -> EnvSpec | None:
        """How ``gym.make`` made the environment, in plain data."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        self._spec = plain_spec(spec, self.task.record())

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a new task; see the class for ``options``."""
        injected = None
        if options:
            injected = checked_path(known_options(options, "snr").get("snr"), self.problem.horizon + 1)
        super().reset(seed=seed)
        if self._np_random is None or self._np_random is not self._keyed:
            self._rekey()
        if injected is not None:
            self._paths, self._offset = _Paths(self.task, injected[None]), 0
        else:
            if self._next == self._coming.snr.size:
                self._tabulate()
            self._paths, self._offset = self._coming, self._next
            self._next += self._coming.snr.shape[1]
        self._place, self._cost, self._finished = self._places.start, 0.0, ""
        return self._emit(0.0, 0.0, 0.0)

    def _rekey(self) -> None:
        """A generator that is new, by a seed or set by hand, begins a new sequence of tasks."""
        seed = self.np_random_seed  # -1 if set by hand
        self._key = keys([seed if seed >= 0 else int(self.np_random.integers(2**63))])
        self._keyed, self._tabulated, self._next = self._np_random, 0, self._coming.snr.size

    def _tabulate(self) -> None:
        """The paths of the next episodes: one after a seed, then more and more at a time."""
        stages = self.problem.horizon + 1
        size = max(min(self._tabulated, _LARGEST_BLOCK // stages), 1)
        episodes = np.arange(self._tabulated, self._tabulated + size)
        snr = self.problem.process.paths(self._key, episodes, stages)
        self._coming, self._next = _Paths(self.task, snr), 0
        self._tabulated += size

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Take one decision.

        Raises:
            ResetNeeded: the task has ended or was never started.
            InvalidAction: the action is not in the action space.
        """
        if self._paths is None or self._finished:
            raise ResetNeeded("the task has ended or was never started; call reset() before step()")
        if action.__class__ not in _PLAIN or not 0 <= (chosen := int(action)) < self._actions:
            if not self.action_space.contains(action):
                raise InvalidAction(f"action = {action!r} must be an integer in {self.action_space}")
            chosen = int(action)
        place = self._place
        chosen = chosen if chosen < place.limit else place.limit
        row = place.rows[chosen] or self._places.row(place, chosen)
        reward, cost, time_s, energy_j = row.fixed
        if row.uploads:
            uses = self._paths.uses[self._offset + place.stage]
            if uses == _INFINITE:
                reward, cost, time_s, energy_j = self._places.incurred(row, uses)
            else:
                r, c, t, e = row.airtime
                reward, cost, time_s, energy_j = (
                    r * uses + reward,
                    c * uses + cost,
                    t * uses + time_s,
                    e * uses + energy_j,
                )
        self._place, self._finished = row.after, row.finished
        self._cost += cost
        observation, info = self._emit(cost, time_s, energy_j)
        return observation, reward, row.finished != "", False, info

    def action_masks(self) -> BoolArray:
        """Which actions have an effect of their own in the current state, shape (actions,), as sb3-contrib asks it."""
        return self._place.mask.astype(np.bool_)

    def _emit(self, cost: float, time_s: float, energy_j: float) -> tuple[Observation, dict[str, Any]]:
        """Observation and info of the current state, after a decision that took so much."""
        if self.render_mode == "human":
            self.render()
        paths, place = self._paths, self._place
        assert paths is not None
        stage, at = place.stage, self._offset + place.stage
        observation = place.template.copy()
        if place.placement >= 0:
            observation[-1] = paths.slots[at]
        return observation, {
            "stage": stage,
            "placement": place.placement,
            "snr_db": paths.snr_db[at],
            "action_mask": place.mask.copy(),
            "cost": cost,
            "time_s": time_s,
            "energy_j": energy_j,
        }

    def render(self) -> Any:
        """The picture of the current state: str, (height, width, 3) array, or None after updating the window."""
        if self.render_mode is None:
            gym.logger.warn("render() needs a render_mode, e.g. gym.make('CoInference-v0', render_mode='rgb_array')")
            return None
        scene = self.scene()
        return self._drawer.draw(scene, self.render_mode)

    def scene(self) -> Scene:
        """The current state as ``cointer_gym.rendering`` draws it.

        Raises:
            ResetNeeded: there is no task yet.
        """
        if self._paths is None:
            raise ResetNeeded("call reset() before render()")
        place, path = self._place, self._paths.snr[self._offset // self._paths.snr.shape[1]]
        return self._drawer.scene(place.placement, place.stage, path, self._cost, self._finished)

    @property
    def _drawer(self) -> Renderer:
        self._renderer = self._renderer or Renderer(self.task.scenario, self.task.compared_with)
        return self._renderer

    def close(self) -> None:
        """Close the window, if any."""
        if self._renderer is not None:
            self._renderer.close()

    def __getstate__(self) -> dict[str, Any]:
        """What a copy needs; it draws pictures anew, in a window of its own, and tabulates for itself."""
        held = {name: None if paths is None else paths.snr for name, paths in self._blocks().items()}
        place = self._place.state, self._place.placement
        return self.__dict__ | held | {"_renderer": None, "_places": None, "_place": place}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._places = _Places(self.task)
        self._place = self._places.at(*state["_place"])
        for name, snr in self._blocks().items():
            setattr(self, name, None if snr is None else _Paths(self.task, snr))

    def _blocks(self) -> dict[str, Any]:
        return {"_coming": self._coming, "_paths": self._paths}


class _Paths:
    """Fading paths of tasks and what depends on nothing else, made by the same array code as in a batch.

    All but ``snr`` are flat, task after task: single numbers are read faster from views of memory than from arrays.

    Args:
        task: the task.
        snr: linear, shape (tasks, stages).
    """

    def __init__(self, task: Task, snr: FloatArray) -> None:
        self.snr = snr
        self.uses: memoryview = task.problem.channel.channel_uses_per_bit(snr).ravel().data
        self.snr_db: memoryview = snr_db(snr).ravel().data
        self.slots: memoryview = task.layout.snr_slot(snr).ravel().data


@dataclass(frozen=True, eq=False, slots=True)
class _Place:
    """Where a task may be, and what is the same whenever it is there."""

    state: int
    placement: int
    stage: int
    template: Observation
    """The observation, but for the SNR."""
    mask: NDArray[np.int8]
    limit: int
    """The largest action that differs from smaller ones."""
    rows: "list[_Row | None]"
    """By action up to that one; those that were never taken are still to be looked up."""


class _Row(NamedTuple):
    """What an action does at a place: reward, ETC, seconds and joules are ``airtime * x + fixed``."""

    number: int
    uploads: bool
    airtime: tuple[float, ...]
    fixed: tuple[float, ...]
    after: _Place
    finished: Finished


class _Places:
    """The tables of a task as objects that lead to one another, which single look-ups read faster than arrays."""

    def __init__(self, task: Task) -> None:
        charges = task.moves.charges.known()
        self._task, self._moves = task, task.moves
        self._charges = [task.rewards, *(charges[name] for name in ("cost", "time_s", "energy_j"))]
        self._known: dict[tuple[int, int], _Place] = {}
        self.start = self.at(task.moves.start, task.first_placement)

    def at(self, state: int, placement: int) -> _Place:
        """The place of a state and a placement."""
        known = self._known.get((state, placement))
        if known is None:
            stage, mask, limit = self._moves.stage[state], self._moves.masks[state], int(self._moves.limit[state])
            template = self._task.observe(stage, np.array(placement), np.array(1.0))
            known = _Place(state, placement, int(stage), template, mask, limit, [None] * (limit + 1))
            if len(self._known) * template.size > _MOST_KNOWN:  # placements and stages of a very deep network
                self._known.clear()
                self.start = self.at(self._moves.start, self._task.first_placement)
            self._known[state, placement] = known
        return known

    def row(self, place: _Place, action: int) -> _Row:
        """What an action does there, from the tables."""
        moves = self._moves
        row = moves.row(np.array([place.state]), np.array([action]))
        state, placement = (int(part[0]) for part in moves.arrived(row, np.array([place.placement])))
        uploads = bool(moves.offloads[row[0]])
        finished: Finished = "" if state < moves.first_ended else "offloaded" if uploads else "completed"
        airtime, fixed = (tuple(float(charge[part][row[0]]) for charge in self._charges) for part in (0, 1))
        place.rows[action] = known = _Row(int(row[0]), uploads, airtime, fixed, self.at(state, placement), finished)
        return known

    def incurred(self, row: _Row, uses: float) -> list[float]:
        """Reward, ETC, seconds and joules at an infinite x."""
        return [float(charge.of(np.array([row.number]), np.array([uses]))[0]) for charge in self._charges]

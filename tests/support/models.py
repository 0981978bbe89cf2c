"""Models as Stable-Baselines3 and sb3-contrib shape them, without either: what ``predict`` takes and gives."""

import numpy as np
from gymnasium.spaces import Box


class Model:
    """Offloads where ``score`` of what it sees is positive, with the attributes of an algorithm."""

    def __init__(self, score, layout, normaliser=None, low=None, high=None):
        space = layout.space()
        self.observation_space = Box(space.low if low is None else low, space.high if high is None else high)
        self.score, self.normaliser = score, normaliser

    def get_vec_normalize_env(self):
        return self.normaliser

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        assert deterministic
        return (self.score(observation) > 0).astype(np.int64), state


class Normaliser:
    """``VecNormalize``: what it does to observations."""

    def __init__(self, mean, deviation):
        self.mean, self.deviation = mean, deviation

    def normalize_obs(self, observation):
        return np.clip((observation - self.mean) / self.deviation, -10, 10).astype(np.float32)


class Recurrent:
    """``RecurrentPPO``: two arrays of shape (1, tasks, 1) as its state, zero wherever an episode starts.

    It remembers the best SNR slot that it has seen, and how many observations: it offloads from the second on if the
    SNR beats all before. ``asked`` holds the number of tasks and of episode starts of every call.
    """

    def __init__(self):
        self.asked = []

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        tasks = observation.shape[0]
        if state is None:
            state = (np.zeros((1, tasks, 1)), np.zeros((1, tasks, 1)))
        if episode_start is None:
            episode_start = np.array([False for _ in range(tasks)])
        assert state[0].shape == (1, tasks, 1)
        assert episode_start.shape == (tasks,)
        self.asked.append((tasks, int(episode_start.sum())))
        going_on = (1.0 - episode_start.astype(np.float32)).reshape(1, tasks, 1)
        best, count = state[0] * going_on, state[1] * going_on
        slot = observation[None, :, -1:] + 100.0  # so that 0 is "nothing seen yet"
        actions = ((slot > best) & (count > 0))[0, :, 0].astype(np.int64)
        return self.act(observation, actions), (np.maximum(best, slot), count + 1)

    def act(self, observation, actions):
        return actions


class RecurrentPlacer(Recurrent):
    """The same on ``CoInferencePlacement-v0``: chooses ``placement`` first; that observation counts as seen."""

    def __init__(self, placement):
        super().__init__()
        self.placement = placement

    def act(self, observation, actions):
        return np.where(observation[:, 0] == 1, self.placement, actions)


class Stacked:
    """Offloads where the SNR exceeds the mean of the last two; keeps them as its state, as ``simulate`` asks for it."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        slot = observation[:, -1]
        before = slot if state is None else np.where(episode_start, slot, state)
        return (slot > 0.5 * (before + slot)).astype(np.int64), slot.copy()


def play_one_by_one(policy, env, paths):
    """Costs of tasks on given paths, each played alone in the scalar environment with its own state."""
    costs = []
    for path in paths:
        observation, _ = env.reset(options={"snr": path})
        state, start, cost, terminated = None, np.ones(1, dtype=bool), 0.0, False
        while not terminated:
            actions, state = policy.predict(observation[None], state, start, deterministic=True)
            observation, reward, terminated, _, _ = env.step(int(actions[0]))
            cost, start = cost - reward, np.zeros(1, dtype=bool)
        costs.append(cost)
    return np.array(costs)

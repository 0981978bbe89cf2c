"""Scalar environments, Gymnasium's vectors of them and the native vector environments: the very same numbers.

100 000 steps of each id, over all built-in scenarios and all ways to reset, with what may happen in the middle of a
run: seeds, resets without one, of all slots or some, injected paths, generators set by hand, step limits.
"""

import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv

from cointer_gym import Rayleigh, Scenario, list_scenarios
from cointer_gym.channels import LAWS as LAWS_BY_NAME
from cointer_gym.channels import Rate
from cointer_gym.envs import SplittingTask, make_task
from cointer_gym.envs.kernel import Kernel, make_kernel
from cointer_gym.envs.vector import TaskVectorEnv
from support.laws import LAWS
from support.play import KERNELS, MODES, PLACEMENT, SPLITTING, assert_same_step, native
from support.scenarios import BY_HAND, ONE_LAYER, THREE_LAYERS, changed, with_memory

DISABLED = AutoresetMode.DISABLED
WAYS = [*MODES, DISABLED]
SLOTS = 10
STEPS = 100_000 // (SLOTS * len(WAYS) * len(list_scenarios())) + 1
LIMITS = (None, 7, 2, 1)  # steps after which a task is truncated
every_id = pytest.mark.parametrize("name", [SPLITTING, PLACEMENT])


class OwnPath(gym.Wrapper):
    """A slot of Gymnasium's vector, which gives all slots the same options: takes its own path out of them."""

    def __init__(self, env, slot):
        super().__init__(env)
        self.slot = slot

    def reset(self, *, seed=None, options=None):
        if options and "snr" in options:
            options = options | {"snr": options["snr"][self.slot]}
        return self.env.reset(seed=seed, options=options)


class Team:
    """The vector environments, driven alike: all return values are compared, and the kinds of events counted."""

    def __init__(self, name, mode, slots=SLOTS, kind=SyncVectorEnv, seed=0, **arguments):
        makers = [lambda slot=slot: OwnPath(gym.make(name, **arguments), slot) for slot in range(slots)]
        self.scalar = kind(makers, autoreset_mode=mode)
        self.natives = [native(slots, mode, name, compiled=compiled, **arguments) for compiled in KERNELS]
        self.slots, self.mode, self.rng = slots, mode, np.random.default_rng(seed)
        self.stages, self.choices = self.natives[0].problem.horizon + 1, self.natives[0].single_action_space.n
        self.eagerness = self.rng.choice([0.02, 0.1, 0.3, 0.8], slots)  # how soon each slot offloads
        self.seen = dict.fromkeys(("terminated", "truncated", "resets", "injected", "masked", "by hand"), 0)
        self.reset(seed=int(self.rng.integers(2**31)))

    def reset(self, seed=None, **options):
        """The same reset of all; whoever takes an option out of the dictionary does so in its own."""
        begun = self.scalar.reset(seed=seed, options=dict(options))
        self.compare(begun, lambda env: env.reset(seed=seed, options=options))
        self.seen["resets"] += 1

    def compare(self, expected, of):
        """What Gymnasium's vector returned with what ``of`` each native one returns."""
        for env in self.natives:
            got = of(env)
            assert_same_step(got, expected)
            self.placement = got[-1]["placement"]
        return got

    def step(self):
        """A step with actions of every kind: mostly on, sometimes an upload, any placement."""
        uploads = self.rng.random(self.slots) < self.eagerness
        actions = np.where(uploads, self.rng.integers(1, self.choices, self.slots), 0)
        actions = np.where(self.placement < 0, self.rng.integers(0, self.choices, self.slots), actions)
        got = self.act(actions)
        self.seen["terminated"] += got[2].sum()
        self.seen["truncated"] += got[3].sum()
        done = got[2] | got[3]
        if self.mode is DISABLED and done.any():
            self.reset(reset_mask=done | (self.rng.random(self.slots) < 0.1), seed=self.rng.choice([None, 5]))

    def act(self, actions):
        """A step of all with these actions."""
        return self.compare(self.scalar.step(actions), lambda env: env.step(actions))

    # --- what may happen in the middle of a run -----------------------------------------------------------------------

    def event(self):
        """One of them."""
        [self.reset_all, self.reset_some, self.inject, self.seed_by_hand][self.rng.integers(4)]()

    def seeds(self):
        """None, one seed for all, or one per slot with gaps."""
        drawn = self.rng.integers(2**62, size=self.slots).tolist()
        each = [None if seed % 2 else seed for seed in drawn]
        return [None, drawn[0], each][self.rng.integers(3)]

    def some(self):
        """A mask of some slots, never none."""
        mask = self.rng.random(self.slots) < 0.4
        mask[self.rng.integers(self.slots)] = True
        return mask

    def reset_all(self):
        self.reset(self.seeds())

    def reset_some(self):
        self.reset(self.seeds(), reset_mask=self.some())
        self.seen["masked"] += 1

    def inject(self):
        """Paths for some slots, weak and strong ones, zeros too; in all slots or some."""
        decibels = self.rng.uniform(-40.0, 60.0, (self.slots, self.stages))
        paths = np.where(self.rng.random(decibels.shape) < 0.1, 0.0, 10.0 ** (0.1 * decibels))
        given = [path if taken else None for path, taken in zip(paths, self.some(), strict=True)]
        self.reset(self.seeds(), snr=given, **({"reset_mask": self.some()} if self.rng.random() < 0.5 else {}))
        self.seen["injected"] += 1

    def seed_by_hand(self):
        """A generator of the user's in one slot, which then begins to play the tasks of its first number."""
        if isinstance(self.scalar, AsyncVectorEnv):
            return  # generators lie in other processes
        slot, seed = int(self.rng.integers(self.slots)), int(self.rng.integers(2**31))
        self.scalar.envs[slot].unwrapped.np_random = np.random.default_rng(seed)
        drawn = np.random.default_rng(seed).integers(2**63)
        mask = np.arange(self.slots) == slot
        seeds = [int(drawn) if hit else None for hit in mask]
        begun = self.scalar.reset(options={"reset_mask": mask})
        self.compare(begun, lambda env: env.reset(seed=seeds, options={"reset_mask": mask}))
        self.seen["by hand"] += 1

    def run(self, steps, events=0.1):
        """So many steps, an event before some of them."""
        for _ in range(steps):
            if self.rng.random() < events:
                self.event()
            self.step()
        return self


@every_id
@pytest.mark.parametrize("scenario", list_scenarios())
def test_a_long_eventful_run_on_every_scenario(name, scenario):
    seen = {}
    for count, mode in enumerate(WAYS, start=list_scenarios().index(scenario)):
        limit = {} if LIMITS[count % 4] is None else {"max_episode_steps": LIMITS[count % 4]}
        team = Team(name, mode, scenario=scenario, seed=count, **limit).run(STEPS)
        seen = {key: seen.get(key, 0) + number for key, number in team.seen.items()}
    assert seen["terminated"] > 100
    assert seen["truncated"] > 100
    assert min(seen.values()) > 5, seen


def test_steps_add_up():
    assert SLOTS * STEPS * len(WAYS) * len(list_scenarios()) >= 100_000


@every_id
@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
@pytest.mark.parametrize("mode", MODES)
def test_a_run_under_every_law(name, law, mode):
    meant = law.model_copy(update={"min_efficiency": law.min_efficiency})  # written down, so that nothing warns of it
    team = Team(name, mode, scenario=THREE_LAYERS | {"channel": meant}, reward_scale=0.5).run(60)
    assert team.seen["terminated"] > 50


@pytest.mark.parametrize("mode", WAYS)
def test_a_run_on_a_pure_shannon_link_where_an_upload_may_cost_infinitely_much(mode):
    shannon = changed(BY_HAND, **{"channel.min_efficiency": 0.0})
    team = Team(SPLITTING, mode, scenario=shannon)
    rewards = []
    for _ in range(100):
        team.inject()
        rewards.append(team.act(np.arange(SLOTS) % 2)[1])
        team.reset()  # all: where nothing else resets, those that have ended, too
    assert np.isneginf(rewards).any()
    assert not np.isnan(rewards).any()


@pytest.mark.parametrize("mode", WAYS)
@pytest.mark.parametrize(
    "scenario",
    [ONE_LAYER, with_memory(40_000), with_memory(1), BY_HAND],
    ids=["one layer", "two of three fit", "none fits", "two"],
)
def test_a_run_on_tiny_networks_and_small_memories(scenario, mode):
    assert Team(PLACEMENT, mode, scenario=scenario).run(60).seen["terminated"] > 50


@pytest.mark.parametrize("mode", WAYS)
@pytest.mark.parametrize("placement", [0, 1, 8])
def test_a_run_with_part_of_the_network_placed(placement, mode):
    assert Team(SPLITTING, mode, placement=placement).run(60).seen["terminated"] > 50


@every_id
def test_a_wide_batch(name):
    assert Team(name, AutoresetMode.SAME_STEP, slots=131).run(25).seen["terminated"] > 300


@pytest.mark.parametrize("name", [SPLITTING, PLACEMENT])
def test_compiled_loops_take_actions_of_any_layout_and_write_nowhere(name):
    pytest.importorskip("numba")
    one, other = (native(6, name=name, compiled=compiled) for compiled in KERNELS)
    assert_same_step(one.reset(seed=0), other.reset(seed=0))
    last = one.single_action_space.n - 1
    plain = np.array([0, last, 1, 0, 0, last])
    frozen, strided = plain.copy(), np.repeat(plain, 2)[::2]
    frozen.setflags(write=False)
    for actions in (plain, frozen, strided, plain.astype(np.int8), plain.tolist(), plain.astype(">i8"), plain * 1.0):
        kept = np.array(actions)
        assert_same_step(one.step(actions), other.step(actions))
        np.testing.assert_array_equal(actions, kept)


class Coarse(Rayleigh, law="coarse-of-this-test"):
    """A law whose link needs twice as many channel uses."""

    def channel_uses_per_bit(self, snr):
        return 2.0 * super().channel_uses_per_bit(snr)


class Slow(Rate):
    """A rate of somebody else's: half of the usual one."""

    def spectral_efficiency(self, snr):
        return 0.5 * super().spectral_efficiency(snr)


class Sluggish(Rayleigh, law="sluggish-of-this-test"):
    @property
    def rate(self):
        return Slow(self.min_efficiency, self.max_efficiency)


class Backwards(SplittingTask):
    """A task that shows the slots of its observation in reverse."""

    def observe(self, stage, placement, snr):
        return super().observe(stage, placement, snr)[..., ::-1]


for law in (Coarse, Sluggish):
    del LAWS_BY_NAME[law.name]  # other tests count the laws


@pytest.mark.parametrize("kind", [Coarse, Sluggish, Backwards])
def test_what_is_not_compiled_is_asked_in_compiled_environments_too(kind):
    scenarios = [
        Scenario.load(THREE_LAYERS | {"channel": law(mean_snr=4.0)})
        for law in (kind if kind is not Backwards else Rayleigh, Rayleigh)
    ]
    task = (kind if kind is Backwards else SplittingTask)(scenarios[0])
    usual = SplittingTask(scenarios[1], given_scale=task.reward_scale)
    envs = [TaskVectorEnv(5, task, compiled=compiled) for compiled in KERNELS]
    other, different = TaskVectorEnv(5, usual), 0
    begun = [env.reset(seed=1) for env in (*envs, other)]
    for got in begun[:-1]:
        assert_same_step(got, begun[0])
    for actions in np.random.default_rng(0).integers(0, 2, (40, 5)):
        *steps, plain = (env.step(actions) for env in (*envs, other))
        for got in steps:
            assert_same_step(got, steps[0])
        different += (steps[0][0] != plain[0]).any() if kind is Backwards else (steps[0][1] != plain[1]).any()
    assert different > 20


def test_compiled_loops_are_used_where_there_is_numba_and_refused_where_there_is_none(monkeypatch):
    task = make_task("splitting", "mlp-pi")
    if len(KERNELS) > 1:
        assert type(make_kernel(task)) is type(make_kernel(task, compiled=True)) is not Kernel
    monkeypatch.setitem(sys.modules, "cointer_gym.envs.compiled", None)
    with pytest.raises(ImportError, match=r"compiled = True needs Numba: pip install 'cointer-gym\[fast\]'"):
        make_kernel(task, compiled=True)
    assert type(make_kernel(task, compiled=False)) is Kernel


@pytest.mark.skipif(len(KERNELS) < 2, reason="Numba is not installed")
def test_numba_that_does_not_import_is_no_error_unless_it_was_asked_for(monkeypatch):
    """It refuses versions of NumPy that are newer than it knows."""
    monkeypatch.setitem(sys.modules, "cointer_gym.envs.compiled", None)
    with pytest.warns(UserWarning, match="NumPy takes its place"):
        assert type(make_kernel(make_task("splitting", "mlp-pi"))) is Kernel


@every_id
def test_gymnasiums_asynchronous_vector_is_the_native_one_too(name):
    team = Team(name, AutoresetMode.NEXT_STEP, slots=3, kind=AsyncVectorEnv, scenario="mlp-pi", max_episode_steps=3)
    try:
        seen = team.run(200, events=0.2).seen
    finally:
        team.scalar.close()
    assert min(seen[event] for event in ("terminated", "truncated", "resets", "injected", "masked")) > 2, seen

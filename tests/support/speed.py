"""Speed runs that never ran."""

from cointer_gym.experiments.speed import Comparison, Goal, GrowthPoint, Machine, SpeedResults, StepPart

AT_LEAST = Goal(number="ratio", relation="at_least", bound=2.5)
AT_MOST = Goal(number="ours", relation="at_most", bound=150e-6)

PARTS = ("random words", "tables", "checks, flags, info")


def comparison(**changes):
    """A comparison with a peer that it is three times as fast as."""
    content = {
        "id": "vector-256",
        "group": "vector",
        "what": "CoInference-v0, 256 envs, NextStep",
        "unit": "steps/s",
        "ours": 12.3e6,
        "peer_name": "CartPoleVectorEnv",
        "peer": 4.1e6,
        "ratio": 3.0,
        "ratio_low": 2.9,
        "ratio_high": 3.25,
        "goal": AT_LEAST,
    }
    return Comparison(**(content | changes))


def alone(**changes):
    """A comparison without a peer."""
    nobody = {"peer": None, "ratio": None, "ratio_low": None, "ratio_high": None, "peer_name": ""}
    return comparison(**(nobody | {"id": "solve-warm", "group": "solver", "unit": "s", "ours": 91.2e-6} | changes))


def results_of(*comparisons, quick=False):
    """A run with these comparisons, steps of two sizes, and growth that is linear in devices and square in layers."""
    step = [
        StepPart(num_envs=size, bar=bar, part=part, seconds=1e-9 * (k + 1) * 1000 / size)
        for size in (256, 4096)
        for bar, parts in (("CoInference-v0", PARTS), ("floor", ("an exponential",)), ("CartPole-v1", ("whole step",)))
        for k, part in enumerate(parts)
    ]
    growth = [
        *(
            GrowthPoint(curve="solve_many", axis="devices", devices=n, layers=20, seconds=3e-6 * n)
            for n in (10, 100, 10**4, 10**6)
        ),
        *(
            GrowthPoint(curve="solve_many", axis="layers", devices=10, layers=n, seconds=1e-3 * n**2)
            for n in (5, 20, 50, 200)
        ),
    ]
    machine = Machine(
        date="2026-11-25T14:09+00:00",
        cpu="Some CPU (family 6)",
        cores=2,
        load=0.05,
        python="3.11.7",
        versions={"numpy": "2.4.6"},
        quick=quick,
    )
    return SpeedResults(comparisons or (comparison(), alone(goal=AT_MOST)), step, growth, machine)

"""Results of benchmarks that never ran."""

from cointer_gym.experiments.results import BenchmarkResults, CurvePoint, PolicyRow, Threshold, TrainingRow


def above(*levels_db):
    """Switches of one stage: thresholds in dB, or the words ``always`` and ``never``."""
    return tuple(
        Threshold(when=level) if isinstance(level, str) else Threshold(when="above", snr_db=level)
        for level in levels_db
    )


def training(algorithm, switches, gaps=(1.0, 0.1, 0.01), seed=0):
    """A training with these switches by stage and these gaps."""
    return TrainingRow(
        algorithm=algorithm,
        label=algorithm.upper(),
        seed=seed,
        placement=len(switches),
        seconds=1.0,
        curve=tuple(CurvePoint(steps=100 * k, relative_gap=gap) for k, gap in enumerate(gaps)),
        switches=tuple(above(*stage) for stage in switches),
    )


def policy(name, gap, kind="rule", label=None):
    """A line of the table."""
    return PolicyRow(policy=name, label=label or name.upper(), kind=kind, cost=1.0 + gap, relative_gap=gap)


def results_of(optimal, *trainings, policies=(), scenario="toy", **changes):
    """Results of a benchmark with these optimal thresholds by stage and trainings."""
    stages = len(optimal)
    trained = [policy(name, 0.01, kind="agent") for name in dict.fromkeys(each.algorithm for each in trainings)]
    content = {
        "env_id": "CoInference-v0",
        "task": "splitting",
        "scenario": scenario,
        "placement": stages,
        "layers": stages,
        "stage_names": tuple(f"layer{n}" for n in range(stages + 1)),
        "optimal_threshold": tuple(above(level)[0] for level in optimal),
        "snr_quantiles_db": (-20.0, 18.0),
        "reach_probability": (1.0,) * (stages + 1),
        "policies": (*policies, *trained),
        "trainings": trainings,
        "settings": {},
        "versions": {},
        "python": "3",
    }
    return BenchmarkResults(**content | changes)


def with_algorithm(results, name):
    """The same results with the first algorithm's trainings under another name, too."""
    first = results.algorithms()[0]
    trainings = [row.model_copy(update={"algorithm": name, "label": name}) for row in results.trainings_of(first)]
    row = results.policy(first).model_copy(update={"policy": name, "label": name})
    return results.model_copy(
        update={"trainings": (*results.trainings, *trainings), "policies": (*results.policies, row)}
    )

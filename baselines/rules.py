"""The optimal rule and the rules it is compared with; every one is a threshold rule on the SNR.

``RULES`` is the vocabulary of all tables, studies and commands: a rule is known by its name, its label is only shown.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cointer_gym.baselines.bellman import look_ahead_thresholds, optimal_thresholds
from cointer_gym.baselines.solution import Solution, threshold_solution
from cointer_gym.problem import StoppingProblem
from cointer_gym.records import checked_integer

Solver = Callable[[StoppingProblem], Solution]


def backward_induction(problem: StoppingProblem) -> Solution:
    """Solve the stopping problem exactly by backward induction.

        C_n = c_n + V_{n+1},   tau_n = (C_n - B_n) / A_n,   V_n = C_n - A_n Phi(tau_n)

    Args:
        problem: horizon M; arrays of shape (M+1,) and (M,), ETC units.

    Returns:
        Solution: ``value`` (M+1,) ETC, ``threshold_snr`` (M,) linear, inf = never, 0 = always.

    Source:
        Yan, Bi, Zhang 2022, optimal splitting by backward induction; the form with Phi is this package's.
    """
    tau, value = optimal_thresholds(problem)
    return Solution(problem=problem, rule="optimal", threshold_snr=problem.channel.threshold_snr(tau), value=value)


def look_ahead(problem: StoppingProblem, stages: int = 1) -> Solution:
    """The k-stage look-ahead rule: decide as if the upload had to happen within k more layers.

    For k = 1 the threshold is analytical, tau_n = (c_n + A_{n+1} E[x] + B_{n+1} - B_n) / A_n. For k >= M the rule is
    backward induction. In between it is not optimal in general: the next draw may leave the stopping set, and one
    large feature hides a small one behind it. ``Solution.relative_gap`` is the exact loss and ``Solution.optimal``
    the certificate where there is none.

    Args:
        problem: the problem.
        stages: k >= 1.

    Returns:
        Solution: ``value`` is the rule's exact cost from each stage, (M+1,).

    Raises:
        ValueError: ``stages`` is not a positive integer.

    Source:
        Yan, Bi, Zhang 2022, one-stage look-ahead rule.
    """
    depth = checked_integer("stages", stages, 1)
    thresholds = problem.channel.threshold_snr(look_ahead_thresholds(problem, depth))
    return threshold_solution(problem, f"look-ahead, {depth} stage{'s' * (depth > 1)}", thresholds)


def static_split(problem: StoppingProblem, split: int) -> Solution:
    """Always split after layer ``split``, whatever the channel does.

    Args:
        problem: the problem.
        split: 0..M; M runs all placed layers.

    Raises:
        ValueError: ``split`` outside 0..M.
    """
    cut = checked_integer("split", split, 0, problem.horizon)
    thresholds = np.where(np.arange(problem.horizon) < cut, np.inf, 0.0)
    return threshold_solution(problem, f"static split {problem.stage_names[cut]}", thresholds, cut)


def best_static_split(problem: StoppingProblem) -> Solution:
    """The cheapest static split; ``split`` names the cut. Its cost is the environment's default unit of reward."""
    return static_split(problem, int(np.argmin(problem.static_cost)))


def edge_only(problem: StoppingProblem) -> Solution:
    """Upload the raw input at once."""
    return static_split(problem, 0)


def device_only(problem: StoppingProblem) -> Solution:
    """Run every placed layer on the device (then upload, if the network is not complete)."""
    return static_split(problem, problem.horizon)


@dataclass(frozen=True)
class Rule:
    """A splitting rule that tables compare."""

    name: str
    """What commands, records and code call it."""
    label: str
    """What tables and pictures call it."""
    solve: Solver


RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule("edge-only", "Edge only", edge_only),
        Rule("device-only", "Device only", device_only),
        Rule("best-static", "Best static split", best_static_split),
        Rule("look-ahead", "Look-ahead, 1 stage", look_ahead),
        Rule("look-ahead-2", "Look-ahead, 2 stages", lambda problem: look_ahead(problem, 2)),
        Rule("optimal", "Optimum", backward_induction),
    )
}
"""Every rule by name, in the order of the tables; the optimum is the last one."""


def register_rule(name: str, label: str) -> Callable[[Solver], Solver]:
    """Add a rule of one's own to all tables: decorates a function from a problem to a ``Solution``.

    Raises:
        ValueError: the name is taken.
    """
    if name in RULES:
        raise ValueError(f"rule = {name!r} is taken; there are {', '.join(RULES)}")

    def register(solve: Solver) -> Solver:
        optimal = RULES.pop("optimal")
        RULES.update({name: Rule(name, label, solve), "optimal": optimal})
        return solve

    return register


def as_rule(name: str) -> Rule:
    """The rule of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in RULES:
        raise ValueError(f"rule = {name!r} must be one of {', '.join(RULES)}")
    return RULES[name]


def reference_rules(problem: StoppingProblem) -> dict[str, Solution]:
    """The solutions of all rules, by name; the optimum comes last."""
    return {name: rule.solve(problem) for name, rule in RULES.items()}

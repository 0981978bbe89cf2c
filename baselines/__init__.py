"""Analytic baselines: exact solvers, rules to compare with, bounds, and exact scores of any policy."""

from cointer_gym.baselines.clairvoyant import clairvoyant_cost
from cointer_gym.baselines.closed_form import ClosedForm, closed_form_placement
from cointer_gym.baselines.evaluation import (
    ExactCost,
    Score,
    evaluate,
    policy_moments,
    score_moments,
)
from cointer_gym.baselines.in_time import (
    TimedSolution,
    clairvoyant_in_time,
    score_in_time,
    solve_in_time,
    threshold_sets,
)
from cointer_gym.baselines.joint import (
    JointScore,
    PlacedPolicy,
    chosen_placement,
    evaluate_joint,
    joint_optimum,
    joint_score,
)
from cointer_gym.baselines.many import StackPlacement, StackSolution, place_many, solve_many
from cointer_gym.baselines.placement import PlacementTable, optimal_placement
from cointer_gym.baselines.policies import PlacementPolicy, Policy, RandomPolicy, StochasticPolicy, ThresholdPolicy
from cointer_gym.baselines.rules import (
    RULES,
    Rule,
    as_rule,
    backward_induction,
    best_static_split,
    device_only,
    edge_only,
    look_ahead,
    reference_rules,
    register_rule,
    static_split,
)
from cointer_gym.baselines.simulation import Estimate, simulate
from cointer_gym.baselines.solution import Solution, threshold_solution
from cointer_gym.baselines.stack import ProblemStack
from cointer_gym.baselines.switching import Switches, switches
from cointer_gym.baselines.updates import UpdatePeriods, simulate_updates
from cointer_gym.channels.columns import LawColumns

__all__ = [
    "RULES",
    "ClosedForm",
    "Estimate",
    "ExactCost",
    "JointScore",
    "LawColumns",
    "PlacedPolicy",
    "PlacementPolicy",
    "PlacementTable",
    "Policy",
    "ProblemStack",
    "RandomPolicy",
    "Rule",
    "Score",
    "Solution",
    "StackPlacement",
    "StackSolution",
    "StochasticPolicy",
    "Switches",
    "ThresholdPolicy",
    "TimedSolution",
    "UpdatePeriods",
    "as_rule",
    "backward_induction",
    "best_static_split",
    "chosen_placement",
    "clairvoyant_cost",
    "clairvoyant_in_time",
    "closed_form_placement",
    "device_only",
    "edge_only",
    "evaluate",
    "evaluate_joint",
    "joint_optimum",
    "joint_score",
    "look_ahead",
    "optimal_placement",
    "place_many",
    "policy_moments",
    "reference_rules",
    "register_rule",
    "score_in_time",
    "score_moments",
    "simulate",
    "simulate_updates",
    "solve_in_time",
    "solve_many",
    "static_split",
    "switches",
    "threshold_sets",
    "threshold_solution",
]

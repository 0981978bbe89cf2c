"""Analytic baselines: exact solvers, rules to compare with, bounds, and exact scores of any policy."""

from cointer_gym.baselines.clairvoyant import clairvoyant_cost
from cointer_gym.baselines.evaluation import Score, Switches, evaluate, policy_moments, score_moments, switches
from cointer_gym.baselines.placement import ClosedForm, PlacementTable, closed_form_placement, optimal_placement
from cointer_gym.baselines.rules import (
    backward_induction,
    best_static_split,
    device_only,
    edge_only,
    look_ahead,
    reference_rules,
    static_split,
)
from cointer_gym.baselines.simulation import Estimate, simulate
from cointer_gym.baselines.solution import Solution, threshold_solution
from cointer_gym.policies import RandomPolicy, ThresholdPolicy

__all__ = [
    "ClosedForm",
    "Estimate",
    "PlacementTable",
    "RandomPolicy",
    "Score",
    "Solution",
    "Switches",
    "ThresholdPolicy",
    "backward_induction",
    "best_static_split",
    "clairvoyant_cost",
    "closed_form_placement",
    "device_only",
    "edge_only",
    "evaluate",
    "look_ahead",
    "optimal_placement",
    "policy_moments",
    "reference_rules",
    "score_moments",
    "simulate",
    "static_split",
    "switches",
    "threshold_solution",
]

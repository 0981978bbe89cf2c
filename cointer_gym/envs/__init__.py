"""Gymnasium environments: thin shells around tasks, whose rules are array functions."""

from cointer_gym.envs.placement import CoInferencePlacementEnv, CoInferencePlacementVectorEnv, PlacementTask
from cointer_gym.envs.splitting import CoInferenceEnv, CoInferenceVectorEnv, SplittingTask
from cointer_gym.envs.task import TASKS, Task, make_task

__all__ = [
    "TASKS",
    "CoInferenceEnv",
    "CoInferencePlacementEnv",
    "CoInferencePlacementVectorEnv",
    "CoInferenceVectorEnv",
    "PlacementTask",
    "SplittingTask",
    "Task",
    "make_task",
]

"""Gymnasium environments: thin shells around the array functions of ``cointer_gym.stopping``."""

from cointer_gym.envs.placement import CoInferencePlacementEnv, CoInferencePlacementVectorEnv
from cointer_gym.envs.single import CoInferenceEnv
from cointer_gym.envs.vector import CoInferenceVectorEnv

__all__ = ["CoInferenceEnv", "CoInferencePlacementEnv", "CoInferencePlacementVectorEnv", "CoInferenceVectorEnv"]

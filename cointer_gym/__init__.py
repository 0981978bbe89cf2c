"""Device-edge co-inference as a Gymnasium environment whose optimum is known exactly."""

from gymnasium.envs.registration import register

from cointer_gym.channels import ChannelLaw, Empirical, FadingLaw, Nakagami, Rayleigh, Rician
from cointer_gym.dnn import Dnn, Layer, list_dnns
from cointer_gym.problem import StageTerms, StoppingProblem
from cointer_gym.scenario import Scenario, list_scenarios

__version__ = "0.1.0"

__all__ = [
    "ChannelLaw",
    "Dnn",
    "Empirical",
    "FadingLaw",
    "Layer",
    "Nakagami",
    "Rayleigh",
    "Rician",
    "Scenario",
    "StageTerms",
    "StoppingProblem",
    "list_dnns",
    "list_scenarios",
]

register(
    id="CoInference-v0",
    entry_point="cointer_gym.envs.splitting:CoInferenceEnv",
    vector_entry_point="cointer_gym.envs.splitting:CoInferenceVectorEnv",
)
register(
    id="CoInferencePlacement-v0",
    entry_point="cointer_gym.envs.placement:CoInferencePlacementEnv",
    vector_entry_point="cointer_gym.envs.placement:CoInferencePlacementVectorEnv",
)

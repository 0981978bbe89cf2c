"""Device-edge co-inference as a Gymnasium environment whose optimum is known exactly.

Importing it registers the environments; everything else is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gymnasium.envs.registration import register

if TYPE_CHECKING:
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

_HOMES = {
    "channels": ("ChannelLaw", "Empirical", "FadingLaw", "Nakagami", "Rayleigh", "Rician"),
    "dnn": ("Dnn", "Layer", "list_dnns"),
    "problem": ("StageTerms", "StoppingProblem"),
    "scenario": ("Scenario", "list_scenarios"),
}


def __getattr__(name: str) -> Any:
    """A public name, or the module of some, loaded when it is first asked for."""
    if name in _HOMES:
        return import_module(f"{__name__}.{name}")
    for home, names in _HOMES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, whether loaded or not."""
    return sorted({*globals(), *__all__, *_HOMES})


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

"""Training settings: validated, immutable, and read from ``settings.toml`` beside this file."""

import tomllib
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import Field

from cointer_gym.units import Model

Algorithm = Literal["ppo", "dqn"]
ALGORITHMS: tuple[Algorithm, ...] = ("ppo", "dqn")

Count = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class TrainingSettings(Model):
    """What both algorithms have in common.

    Args:
        total_steps: environment steps over all slots.
        num_envs: slots of the vector environment.
        net_arch: widths of the hidden layers.
        learning_rate: at the start; falls linearly to 0.
    """

    total_steps: Count
    num_envs: Count
    net_arch: tuple[Count, ...]
    learning_rate: float = Field(gt=0)


class PpoSettings(TrainingSettings):
    """Proximal policy optimisation (Schulman et al., arXiv 1707.06347).

    Args:
        steps_per_rollout: steps per slot between two updates.
        batch_size: minibatch.
        epochs: passes over a rollout.
        entropy_bonus: weight of the policy's entropy; keeps nearly equal placements in play.
        gae_lambda: generalised advantage estimation; 1 is the Monte-Carlo return.
    """

    steps_per_rollout: Count
    batch_size: Count
    epochs: Count
    entropy_bonus: float = Field(ge=0)
    gae_lambda: Fraction


class DqnSettings(TrainingSettings):
    """Deep Q-network (Mnih et al., Nature 518, 2015).

    Args:
        buffer_size: transitions kept.
        learning_starts: steps before the first update.
        batch_size: minibatch.
        train_every: vector steps between two updates.
        gradient_steps: gradient steps per update.
        target_update_every: environment steps between two copies to the target network.
        exploration_fraction: share of the training over which random actions fade out.
        exploration_final_probability: of a random action from then on.
    """

    buffer_size: Count
    learning_starts: int = Field(ge=0)
    batch_size: Count
    train_every: Count
    gradient_steps: Count
    target_update_every: Count
    exploration_fraction: Fraction
    exploration_final_probability: Fraction


def load_settings(algorithm: Algorithm, *, joint: bool = False, **overrides: Any) -> PpoSettings | DqnSettings:
    """The committed settings of ``ppo`` or ``dqn``, with some fields replaced.

    Args:
        algorithm: ``ppo`` or ``dqn``.
        joint: for ``CoInferencePlacement-v0``.
        **overrides: fields and their new values.

    Raises:
        ValueError: unknown field, or a value out of range.
    """
    text = (resources.files("cointer_gym.agents") / "settings.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    content = tables[algorithm] | (tables["placement"][algorithm] if joint else {}) | overrides
    return PpoSettings.model_validate(content) if algorithm == "ppo" else DqnSettings.model_validate(content)


def as_algorithm(name: str) -> Algorithm:
    """The algorithm called ``name``.

    Raises:
        ValueError: there is none.
    """
    for algorithm in ALGORITHMS:
        if name == algorithm:
            return algorithm
    raise ValueError(f"algorithm = {name!r} must be one of {', '.join(ALGORITHMS)}")

"""Training settings: validated, immutable, and read from ``settings.toml`` beside this file."""

import tomllib
from importlib import resources
from typing import Annotated, Any

from pydantic import Field

from cointer_gym.records import Model

Count = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class TrainingSettings(Model):
    """What every training needs.

    Args:
        total_steps: environment steps over all slots.
        num_envs: slots of the vector environment.
    """

    total_steps: Count
    num_envs: Count


class NetworkSettings(TrainingSettings):
    """What algorithms with a neural network have in common.

    Args:
        net_arch: widths of the hidden layers.
        learning_rate: at the start; falls linearly to 0.
    """

    net_arch: tuple[Count, ...]
    learning_rate: float = Field(gt=0)


class PpoSettings(NetworkSettings):
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


class DqnSettings(NetworkSettings):
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


def committed_settings(algorithm: str, task_name: str) -> dict[str, Any]:
    """Table ``[algorithm]`` of ``settings.toml`` with what ``[task_name.algorithm]`` changes; empty without either."""
    text = (resources.files("cointer_gym.agents") / "settings.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    base, changes = tables.get(algorithm, {}), tables.get(task_name, {}).get(algorithm, {})
    return {**base, **changes}

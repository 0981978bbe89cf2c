"""What ``reset`` takes, read and checked: seeds, injected fading paths, and which slots of a batch are reset."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cointer_gym.units import BoolArray, FloatArray

_MEANINGS = {"snr": "the fading path", "reset_mask": "the slots to reset"}


def known_options(options: Mapping[str, Any] | None, *names: str) -> dict[str, Any]:
    """A copy of the options.

    Raises:
        ValueError: one that is not among ``names``.
    """
    given = dict(options or {})
    if unknown := sorted(set(given) - set(names)):
        known = ", ".join(f"{name!r} ({_MEANINGS[name]})" for name in names)
        raise ValueError(f"reset options {unknown} are unknown; the options are {known}")
    return given


def checked_path(given: ArrayLike | None, stages: int, field: str = "options['snr']") -> FloatArray | None:
    """A copy of an injected path: linear SNRs, shape (stages,); None, which is a path that is drawn, stays None.

    Raises:
        ValueError: no numbers, a wrong shape, or an SNR that is negative or not finite.
    """
    if given is None:
        return None
    path = np.array(given)
    if path.shape != (stages,):
        raise ValueError(f"{field} has shape {path.shape}, expected ({stages},): one linear SNR per stage")
    if path.dtype.kind not in "iuf":
        raise ValueError(f"{field} = {given!r} must be numbers, linear SNRs")
    bad = ~(np.isfinite(path) & (path >= 0))
    if bad.any():
        raise ValueError(f"{field} holds {path[bad][0]}; SNRs are linear, finite and >= 0")
    return path.astype(np.float64)


def checked_paths(given: Any, num_envs: int, stages: int) -> list[FloatArray | None]:
    """Per slot a path or None; None alone is None for all of them.

    Raises:
        ValueError: another number of entries than of slots, or what ``checked_path`` refuses.
    """
    entries = [None] * num_envs if given is None else list(given) if np.iterable(given) else [given]
    if len(entries) != num_envs:
        raise ValueError(
            f"options['snr'] has {len(entries)} entries, expected {num_envs}: per slot {stages} linear SNRs, or None"
        )
    return [checked_path(path, stages, f"options['snr'][{slot}]") for slot, path in enumerate(entries)]


def checked_slots(mask: Any, num_envs: int) -> BoolArray:
    """The slots that ``options["reset_mask"]`` names; None is all of them.

    Raises:
        ValueError: not a boolean array of shape (num_envs,), or no slot in it.
    """
    if mask is None:
        return np.ones(num_envs, dtype=np.bool_)
    slots = np.array(mask)
    if not (isinstance(mask, np.ndarray) and slots.dtype == np.bool_ and slots.shape == (num_envs,) and slots.any()):
        raise ValueError(
            f"options['reset_mask'] = {mask!r} must be a boolean array of shape ({num_envs},), true somewhere"
        )
    return slots


def slot_seeds(seed: Any, num_envs: int) -> list[int | None]:
    """A seed or None per slot: ``seed + i`` for an integer, the entries of a sequence.

    Raises:
        ValueError: neither, a sequence of another length, or a negative seed.
    """
    if seed is None:
        return [None] * num_envs
    if isinstance(seed, int | np.integer):
        seed = [int(seed) + slot for slot in range(num_envs)]
    seeds = list(seed) if np.iterable(seed) else []
    if len(seeds) != num_envs or not all(each is None or isinstance(each, int | np.integer) for each in seeds):
        raise ValueError(
            f"seed = {seed!r} must be an integer, None, or a sequence of {num_envs}, each an integer or None"
        )
    if negative := [each for each in seeds if each is not None and each < 0]:
        raise ValueError(f"seed = {negative[0]} must be >= 0")
    return [None if each is None else int(each) for each in seeds]

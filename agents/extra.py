"""Whether the packages of the ``agents`` extra are installed."""

from importlib.util import find_spec

_PACKAGES = ("torch", "stable_baselines3", "safetensors", "tensorboard")


def require_extra() -> None:
    """Check that everything that trains, and loads what was trained, is installed.

    Raises:
        ModuleNotFoundError: something is missing; says what, and how to install it.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            f"training, and loading what was trained, needs {', '.join(missing)}: pip install 'cointer-gym[agents]'"
        )

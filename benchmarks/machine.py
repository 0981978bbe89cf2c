"""The machine that a run is made on."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cointer_gym.experiments.speed import Machine

_PACKAGES = ("numpy", "scipy", "gymnasium", "torch", "stable-baselines3", "quantecon", "numba", "pyarrow", "ray")


def this_machine(*, quick: bool) -> Machine:
    """CPU, cores, load and versions."""
    return Machine(
        date=datetime.now(UTC).isoformat(timespec="minutes"),
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0,
        python=platform.python_version(),
        versions={name: found for name in _PACKAGES if (found := _version(name))},
        quick=quick,
    )


def _cpu() -> str:
    """The model as Linux names it, with family and stepping where the name says little; otherwise as Python does."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine()
    lines = (line.partition(":") for line in path.read_text(encoding="utf-8").splitlines())
    facts: dict[str, str] = {}
    for name, _, value in lines:
        facts.setdefault(name.strip(), value.strip())
    numbers = [f"{name} {facts[name]}" for name in ("cpu family", "model", "stepping") if name in facts]
    return f"{facts.get('model name', platform.machine())} ({', '.join(numbers)})"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

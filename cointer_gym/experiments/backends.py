"""Where the pieces of a long computation are computed: in this process, in worker processes, or on a Ray cluster.

Results come in the order of the pieces, and no more pieces are taken than are being worked on.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from multiprocessing import get_context
from typing import Any, TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")

Function = Callable[[Piece], Result]
Backend = Callable[[Function[Any, Any], Iterable[Any], int | None], Generator[Any, None, None]]

_KILLED = "a worker process was killed (by the system, if memory ran out)"
_SPARE = 2  # pieces that wait for a worker, so that none waits for a piece


def local(
    function: Function[Piece, Result], pieces: Iterable[Piece], workers: int | None = None
) -> Generator[Result, None, None]:
    """Compute here, or in so many processes.

    Args:
        function: at the top level of a module, for other processes to find.
        pieces: its arguments.
        workers: processes; 1, this one, unless given.

    Raises:
        ChildProcessError: a process was killed.
    """
    if workers in (None, 1):
        yield from map(function, pieces)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            yield from _in_order(
                lambda piece: pool.submit(function, piece), lambda future: future.result(), pieces, workers
            )
        except BrokenProcessPool as error:
            raise ChildProcessError(_KILLED) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def ray(
    function: Function[Piece, Result], pieces: Iterable[Piece], workers: int | None = None
) -> Generator[Result, None, None]:
    """Compute on the Ray cluster that this process is connected to, or that ``RAY_ADDRESS`` names, or on a local one.

    Args:
        function: of a module that is installed on every machine of the cluster.
        pieces: its arguments.
        workers: pieces at a time; the CPUs of the cluster unless given.

    Raises:
        ModuleNotFoundError: Ray is not installed; says how to.
        ChildProcessError: a process or a machine is gone.
    """
    try:
        cluster: Any = import_module("ray")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("backend = 'ray' needs Ray: pip install 'cointer-gym[ray]'") from error
    started = not cluster.is_initialized()
    if started:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        cluster.init(log_to_driver=False)
    try:
        count = workers or max(1, int(cluster.cluster_resources().get("CPU", 1)))
        yield from _in_order(cluster.remote(function).remote, cluster.get, pieces, count)
    except cluster.exceptions.RayTaskError:  # what the function itself raised
        raise
    except cluster.exceptions.RayError as error:
        raise ChildProcessError(f"{_KILLED}: {error}") from error
    finally:
        if started:
            cluster.shutdown()


BACKENDS: dict[str, Backend] = {"local": local, "ray": ray}
"""Every backend by name."""


def as_backend(name: str) -> Backend:
    """The backend of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in BACKENDS:
        raise ValueError(f"backend = {name!r} must be one of {', '.join(BACKENDS)}")
    return BACKENDS[name]


def _in_order(
    submit: Callable[[Piece], Any], result: Callable[[Any], Result], pieces: Iterable[Piece], workers: int
) -> Generator[Result, None, None]:
    pending: deque[Any] = deque()
    for piece in pieces:
        pending.append(submit(piece))
        if len(pending) >= workers + _SPARE:
            yield result(pending.popleft())
    while pending:
        yield result(pending.popleft())

"""The client's side of a training: which workers take part, and waiting for them as long as they are there."""

from __future__ import annotations

import contextlib
import os
import socket
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ._rows import distributed

# The states of a future in which it stays; one that is "lost" is computed again, if its worker comes back.
_FAILED = ("error", "cancelled")
_DONE = ("finished", *_FAILED)

#: What is said of one that is gone.
LOST = "the worker {} has left the cluster during fit (its log may say why; one short of memory is killed)"

# Seconds without news after which workers are looked for.
_WATCH = 2

# Seconds that workers get to notice that a partner has failed.
_PATIENCE = 10


@dataclass(frozen=True)
class Worker:
    """A worker that takes part in a training.

    Attributes
    ----------
    process : tuple of str and int
        Its host and its process. One that has died may come back under its address, as another process.
    threads : int
    """

    process: tuple[str, int]
    threads: int


def one_per_process(client: Any) -> dict[str, Worker]:
    """One worker of each process by its address: the boosters know one network in a process."""
    answers = client.run(this_process, on_error="ignore")  # one that leaves meanwhile does not answer
    threads = client.nthreads()
    of_process: dict[tuple[str, int], str] = {}
    for address, process in sorted(answers.items()):
        if address in threads:
            of_process.setdefault(process, address)
    if not of_process:
        raise ValueError("the cluster has no workers: client.wait_for_workers(n) waits for them")
    return {address: Worker(process, threads[address]) for process, address in of_process.items()}


def this_process() -> tuple[str, int]:
    return socket.gethostname(), os.getpid()


def placed_on(client: Any, parts: list[Any], workers: Iterable[str]) -> list[tuple[str, Any]]:
    """A worker for each partition, each another one: one that holds it already, where it can be."""
    held = client.who_has(parts)
    free = list(workers)
    placed: dict[int, str] = {}
    for number, part in enumerate(parts):
        here = [worker for worker in free if worker in held[part.key]]
        if here:
            placed[number] = here[0]
            free.remove(here[0])
    for number in range(len(parts)):
        if number not in placed:
            placed[number] = free.pop(0)
    return [(placed[number], part) for number, part in enumerate(parts)]


def submitted(
    client: Any, function: Callable[..., Any], calls: Iterable[tuple[str, tuple[Any, ...]]]
) -> dict[Any, str]:
    """Tasks that only one worker may run each: the worker of each future, from a worker and arguments for each."""
    return {client.submit(function, *arguments, workers=[worker], pure=False): worker for worker, arguments in calls}


def gather(client: Any, tasks: dict[Any, str]) -> list[Any]:
    """What submitted tasks return: Dask alone would wait for the worker of each, even where it is gone.

    Parameters
    ----------
    client : dask.distributed.Client
    tasks : dict of Future to str
        The worker of each task.

    Raises
    ------
    RuntimeError
        If one of the workers is gone.
    """
    if not _finish(client, tasks) and (gone := _gone(client, tasks)):
        raise RuntimeError(LOST.format(", ".join(gone)))
    return list(client.gather(list(tasks)))


def gather_training(client: Any, tasks: dict[Any, str]) -> Any:
    """What the first worker returns, or the error of the one that failed first.

    A worker whose partner has failed may wait in the booster's network for ever: it is restarted.

    Parameters
    ----------
    client : dask.distributed.Client
    tasks : dict of Future to str
        The training of each worker, by rank.
    """
    if _finish(client, tasks):
        return client.gather(next(iter(tasks)))
    failed = [future for future in tasks if future.status == "error"]
    gone = _gone(client, tasks)
    partners = [future for future, worker in tasks.items() if worker not in gone]
    if partners:
        with contextlib.suppress(distributed.TimeoutError, distributed.CancelledError):
            distributed.wait(partners, timeout=_PATIENCE)
    failed += [future for future in tasks if future.status == "error" and future not in failed]
    errors = [future.exception() for future in failed]
    gone += [worker for worker in _gone(client, tasks) if worker not in gone]
    waiting = {future: worker for future, worker in tasks.items() if future.status not in _DONE}
    client.cancel(list(waiting), force=True)
    stuck = [worker for worker in waiting.values() if worker not in gone]
    if stuck:
        try:
            with contextlib.suppress(distributed.comm.CommClosedError):  # the worker may be gone before it has answered
                client.restart_workers(stuck)
            done = "were restarted, and have lost what they held"
        except ValueError:  # without a nanny
            done = "have to be restarted"
        names = ", ".join(stuck)
        warnings.warn(
            f"the training failed; the workers {names} were still waiting for the others and {done}",
            UserWarning,
            stacklevel=4,
        )
    own = [error for error in errors if type(error).__module__.partition(".")[0] not in ("lightgbm", "xgboost")]
    if own:
        raise own[0]
    # The boosters' errors are mostly those of the partners of one that has failed, or is gone.
    if gone:
        raise RuntimeError(LOST.format(", ".join(gone))) from (errors[0] if errors else None)
    raise errors[0]


def _finish(client: Any, tasks: dict[Any, str]) -> bool:
    """Wait for all tasks, and say whether they finished, or one of them failed or lost its worker."""
    pending = dict(tasks)
    while pending:
        try:
            distributed.wait(list(pending), timeout=_WATCH, return_when="FIRST_COMPLETED")
        except distributed.CancelledError:
            return False
        except distributed.TimeoutError:
            if _gone(client, pending):
                return False
        if any(future.status in _FAILED for future in pending):
            return False
        pending = {future: worker for future, worker in pending.items() if future.status not in _DONE}
    return True


def _gone(client: Any, tasks: dict[Any, str]) -> list[str]:
    """The workers that are gone with their tasks, or with what these need."""
    here = client.nthreads()
    return [
        worker
        for future, worker in tasks.items()
        if future.status == "cancelled" or (future.status not in _DONE and worker not in here)
    ]

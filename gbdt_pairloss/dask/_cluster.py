"""The client's side of a training: choose workers, submit tasks, and wait for results while the workers are there."""

from __future__ import annotations

import contextlib
import os
import socket
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ._rows import distributed

# Final states of a future. "lost" is not one of them: Dask computes a lost result again if its worker comes back.
_FAILED = ("error", "cancelled")
_DONE = ("finished", *_FAILED)

#: Message about workers that have left.
LOST_WORKER = (
    "the worker {} has left the cluster during fit (its log may give the reason; a worker that runs out of memory is "
    "killed)"
)

# Seconds without a finished task after which the client checks that the workers are still there.
_CHECK_INTERVAL = 2

# Seconds that workers have to notice that another worker has failed.
_GRACE_PERIOD = 10


@dataclass(frozen=True)
class Worker:
    """A worker that takes part in a training.

    Attributes
    ----------
    process : tuple of str and int
        Host and process id. A worker that has died may come back with its address, but in another process.
    threads : int
        Number of threads.
    """

    process: tuple[str, int]
    threads: int


def one_worker_per_process(client: Any) -> dict[str, Worker]:
    """Return one worker of each process, by address: a booster supports one network in a process.

    Raises
    ------
    ValueError
        If the cluster has no workers.
    """
    answers = client.run(this_process, on_error="ignore")  # a worker that leaves during the call does not answer
    threads = client.nthreads()
    address_of: dict[tuple[str, int], str] = {}
    for address, process in sorted(answers.items()):
        if address in threads:
            address_of.setdefault(process, address)
    if not address_of:
        raise ValueError("the cluster has no workers: client.wait_for_workers(n) waits for them")
    return {address: Worker(process, threads[address]) for process, address in address_of.items()}


def this_process() -> tuple[str, int]:
    """Return the host and the process id of the caller."""
    return socket.gethostname(), os.getpid()


def assign_partitions(client: Any, parts: list[Any], workers: Iterable[str]) -> list[tuple[str, Any]]:
    """Assign a different worker to each partition, if possible one that holds it already; return the two together."""
    holders = client.who_has(parts)
    free = list(workers)
    assigned: dict[int, str] = {}
    for number, part in enumerate(parts):
        here = [worker for worker in free if worker in holders[part.key]]
        if here:
            assigned[number] = here[0]
            free.remove(here[0])
    for number in range(len(parts)):
        if number not in assigned:
            assigned[number] = free.pop(0)
    return [(assigned[number], part) for number, part in enumerate(parts)]


def submit(client: Any, function: Callable[..., Any], calls: Iterable[tuple[str, tuple[Any, ...]]]) -> dict[Any, str]:
    """Submit a call of a function to each worker, which no other worker may run.

    Parameters
    ----------
    client : dask.distributed.Client
    function : callable
    calls : iterable of (str, tuple)
        The worker and the arguments of each call.

    Returns
    -------
    tasks : dict of Future to str
        The worker of each task.
    """
    return {client.submit(function, *arguments, workers=[worker], pure=False): worker for worker, arguments in calls}


def gather(client: Any, tasks: dict[Any, str]) -> list[Any]:
    """Return the results of submitted tasks; unlike Dask, do not wait for a worker that has left.

    Parameters
    ----------
    client : dask.distributed.Client
    tasks : dict of Future to str
        The worker of each task.

    Raises
    ------
    RuntimeError
        If one of the workers has left.
    """
    if not _wait_for_all(client, tasks) and (lost := _lost_workers(client, tasks)):
        raise RuntimeError(LOST_WORKER.format(", ".join(lost)))
    return list(client.gather(list(tasks)))


def gather_training(client: Any, tasks: dict[Any, str]) -> Any:
    """Return the result of the first worker, or raise the error of the worker that failed first.

    If a worker fails, others may wait for it in the booster's network forever. These are restarted.

    Parameters
    ----------
    client : dask.distributed.Client
    tasks : dict of Future to str
        The worker of each task, by rank.

    Raises
    ------
    RuntimeError
        If one of the workers has left.

    Warns
    -----
    UserWarning
        If workers were restarted, or have to be.
    """
    if _wait_for_all(client, tasks):
        return client.gather(next(iter(tasks)))
    failed = [future for future in tasks if future.status == "error"]
    lost = _lost_workers(client, tasks)
    others = [future for future, worker in tasks.items() if worker not in lost]
    if others:
        with contextlib.suppress(distributed.TimeoutError, distributed.CancelledError):
            distributed.wait(others, timeout=_GRACE_PERIOD)
    failed += [future for future in tasks if future.status == "error" and future not in failed]
    errors = [future.exception() for future in failed]
    lost += [worker for worker in _lost_workers(client, tasks) if worker not in lost]
    _restart_waiting(client, tasks, lost)
    causes = [error for error in errors if type(error).__module__.partition(".")[0] not in ("lightgbm", "xgboost")]
    if causes:
        raise causes[0]
    # Most errors of the boosters come from workers that lost the connection to one that has failed or left.
    if lost:
        raise RuntimeError(LOST_WORKER.format(", ".join(lost))) from (errors[0] if errors else None)
    raise errors[0]


def _restart_waiting(client: Any, tasks: dict[Any, str], lost: list[str]) -> None:
    """Cancel the tasks of a failed training that still run, and restart their workers with a warning."""
    unfinished = {future: worker for future, worker in tasks.items() if future.status not in _DONE}
    client.cancel(list(unfinished), force=True)
    waiting = [worker for worker in unfinished.values() if worker not in lost]
    if not waiting:
        return
    try:
        with contextlib.suppress(distributed.comm.CommClosedError):  # a worker may leave before it has answered
            client.restart_workers(waiting)
        outcome = "were restarted, so that the data on them are lost"
    except ValueError:  # workers without a nanny cannot be restarted from here
        outcome = "have to be restarted"
    names = ", ".join(waiting)
    warnings.warn(
        f"the training failed; the workers {names} were still waiting for the others and {outcome}",
        UserWarning,
        stacklevel=4,
    )


def _wait_for_all(client: Any, tasks: dict[Any, str]) -> bool:
    """Wait for all tasks; return False as soon as one of them has failed or lost its worker."""
    pending = dict(tasks)
    while pending:
        try:
            distributed.wait(list(pending), timeout=_CHECK_INTERVAL, return_when="FIRST_COMPLETED")
        except distributed.CancelledError:
            return False
        except distributed.TimeoutError:
            if _lost_workers(client, pending):
                return False
        if any(future.status in _FAILED for future in pending):
            return False
        pending = {future: worker for future, worker in pending.items() if future.status not in _DONE}
    return True


def _lost_workers(client: Any, tasks: dict[Any, str]) -> list[str]:
    """Return the workers of tasks that cannot finish: the worker has left, or the task's input was lost."""
    present = client.nthreads()
    return [
        worker
        for future, worker in tasks.items()
        if future.status == "cancelled" or (future.status not in _DONE and worker not in present)
    ]

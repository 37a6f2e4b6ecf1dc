"""The threads of one call of an engine, and the number of cores that they may use."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Any

import joblib


class Threads:
    """The threads of one call, as a context manager.

    The caller's thread is one of them. The others are Python threads that are started when they are first needed and
    joined at the end. No thread survives the call, so that a fork cannot lose one.

    Parameters
    ----------
    n_threads : int or None
        The number of threads, including the caller's. None: as many as :func:`available_cores` returns.
    """

    def __init__(self, n_threads: int | None) -> None:
        self.n = n_threads or available_cores()
        self._others: list[Thread] = []
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def __enter__(self) -> Threads:
        return self

    def __exit__(self, *_: object) -> None:
        for _other in self._others:
            self._work.put(None)
        for other in self._others:
            other.join()

    def run(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> list[Any]:
        """Call a function for every task, and return the results in the order of the tasks.

        An exception of the function is raised after the tasks in progress have ended. The other tasks are not started.
        """
        n_others = min(self.n, len(tasks)) - 1
        if n_others < 1:
            return [function(task) for task in tasks]
        self._start(n_others)
        n_others = min(n_others, len(self._others))
        results: list[Any] = [None] * len(tasks)
        waiting, done = deque(range(len(tasks))), SimpleQueue[BaseException | None]()

        def work() -> None:
            failure: BaseException | None = None
            try:
                while True:
                    try:
                        task = waiting.popleft()
                    except IndexError:
                        break
                    results[task] = function(tasks[task])
            except BaseException as error:
                waiting.clear()
                failure = error
            done.put(failure)

        for _other in range(n_others):
            self._work.put(work)
        work()
        failures = [failure for failure in (done.get() for _ in range(1 + n_others)) if failure is not None]
        if failures:
            raise failures[0]
        return results

    def _start(self, n: int) -> None:
        """Start threads until there are n besides the caller's, or the system refuses to start another one."""
        while len(self._others) < n:
            other = Thread(target=self._serve, daemon=True)
            try:
                other.start()
            except RuntimeError:
                return
            self._others.append(other)

    def _serve(self) -> None:
        """Do the work that is handed to a thread, until None ends it."""
        while (work := self._work.get()) is not None:
            work()


def available_cores() -> int:
    """Return the number of cores that this process may use.

    The affinity of the process, its CPU quota and OMP_NUM_THREADS limit the number. joblib sets OMP_NUM_THREADS in its
    workers, so that they share the cores. The boosters read it, too.
    """
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    cores = int(joblib.cpu_count())
    return min(cores, int(limit)) if limit.isdigit() and int(limit) > 0 else cores

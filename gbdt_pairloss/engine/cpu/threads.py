"""Threads for the length of one call."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from typing import Any

import joblib

#: How many tasks each thread gets: more are better balanced, fewer cost less.
TASKS = 6


class Threads:
    """Threads for the length of one call, that of the caller among them; with one, no others.

    They are Python's own, and started anew: there are none that a fork could lose.
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
        """The function's results, in the order of the tasks."""
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
        """Start threads until there are n others, or no more are to be had."""
        while len(self._others) < n:
            other = Thread(target=self._serve, daemon=True)
            try:
                other.start()
            except RuntimeError:
                return
            self._others.append(other)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()

    def stretches(self, size: int, step: int = 1) -> list[tuple[int, int]]:
        """About equal stretches of ``range(size)`` to share: whole multiples of ``step``, but for the last."""
        n_tasks = 1 if self.n == 1 else TASKS * self.n
        length = max(1, -(-size // (n_tasks * step))) * step
        return [(start, min(start + length, size)) for start in range(0, size, length)]


def available_cores() -> int:
    """Cores that this process may use: of its affinity and quota, and not more than OMP_NUM_THREADS.

    joblib sets that variable in its workers, so that they share the cores; the boosters heed it too.
    """
    limit = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    cores = int(joblib.cpu_count())
    return min(cores, int(limit)) if limit.isdigit() and int(limit) > 0 else cores

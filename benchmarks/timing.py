"""How time is taken: candidates in turn, and functions in processes of their own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

import numpy as np

# OpenMP's threads go on spinning for a while after their work, on cores that the next candidate needs.
_REST = 0.005


class RefusedError(Exception):
    """A candidate that does not take the data; the message goes into the table."""


@dataclass
class Candidate:
    """Something to be timed.

    Attributes
    ----------
    name : str
    pairs : str
        Which pairs it sums.
    start : callable
        Prepares and returns a step: a function that does the work once and returns its seconds.
    estimate : float
        Expected seconds of a step.
    minus : Candidate, optional
        What takes the same time apart from the objective.
    warm : bool
        Whether the first step takes longer than the others.
    samples : list of float
        Seconds.
    remark : str
        Why there are none.
    """

    name: str
    pairs: str
    start: Callable[[], Callable[[], float]]
    estimate: float = 0.0
    minus: Candidate | None = None
    warm: bool = True
    samples: list[float] = field(default_factory=list)
    remark: str = ""

    @property
    def seconds(self) -> float | None:
        """The median, beyond that of ``minus``; None if it was not measured."""
        if not self.samples or (self.minus is not None and not self.minus.samples):
            return None
        return float(np.median(self.samples)) - (0.0 if self.minus is None else float(np.median(self.minus.samples)))

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, in seconds."""
        low, high = np.quantile(self.samples, (0.25, 0.75))
        return float(high - low) / 2


def timed(work: Callable[[], Any]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def round_robin(candidates: list[Candidate], repeats: int, limit: float) -> None:
    """Take samples of all candidates in turn, so that a slow minute of the machine is everybody's.

    A candidate that is expected to take more than ``limit`` seconds a step is left out; it drops out of further rounds
    once it has used half of that in all.
    """
    steps: dict[int, Callable[[], float]] = {}
    spent: dict[int, float] = {}
    for k, candidate in enumerate(candidates):
        if candidate.estimate > limit:
            candidate.remark = "not run"
            continue
        try:
            step = candidate.start()
            spent[k] = timed(step) if candidate.warm else 0.0
        except RefusedError as refusal:
            candidate.remark = str(refusal)
        else:
            steps[k] = step
    for _ in range(repeats):
        for k, candidate in enumerate(candidates):
            if k not in steps or (candidate.samples and spent[k] > limit / 2):
                continue
            time.sleep(_REST)
            start = time.perf_counter()
            try:
                candidate.samples.append(steps[k]())
            except RefusedError as refusal:
                candidate.remark = str(refusal)
                del steps[k]
            spent[k] += time.perf_counter() - start


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for the processes that start meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def fresh_process() -> ProcessPoolExecutor:
    """One new process that has nothing of this one's."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def in_process(function: Callable[..., Any], *args: Any, variables: Mapping[str, str] | None = None) -> Any:
    """What a function returns in a new process."""
    with environment(variables or {}), fresh_process() as process:
        return process.submit(function, *args).result()

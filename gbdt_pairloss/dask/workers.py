"""What the workers of a cluster do: check their rows, and train together."""

from __future__ import annotations

import contextlib
import os
import socket
import warnings
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from ..boosters.query_sets import Extras, QuerySet, read_query_set
from ..plan import Plan
from .rows import LABEL, QUERY, Features, distributed, unpack_rows


class Network:
    """How the workers of one training find each other."""

    def prepare(self, ranker: Any, rank: int, threads: int) -> None:
        """Set what the ranker has to know."""
        ranker.set_params(n_jobs=threads)

    def joined(self, ranker: Any, rank: int) -> AbstractContextManager[Any]:
        """While the ranker trains."""
        raise NotImplementedError


def one_per_process(client: Any) -> dict[str, int]:
    """The threads of one worker of each process: the boosters know one network in a process."""
    of_process: dict[Any, str] = {}
    for address, process in sorted(client.run(_process).items()):
        of_process.setdefault(process, address)
    if not of_process:
        raise ValueError("the cluster has no workers: client.wait_for_workers(n) waits for them")
    threads = client.nthreads()
    return {address: threads[address] for address in of_process.values()}


def _process() -> tuple[str, int]:
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


@dataclass(frozen=True)
class Report:
    """What a worker says of its rows before the training.

    Attributes
    ----------
    n_queries : int
    learnable : bool
        Whether a gradient can be anything but zero.
    has_pairs : bool
    """

    n_queries: int
    learnable: bool
    has_pairs: bool


def check(part: Any, features: Features, ranker: Any) -> Report:
    """Check a worker's rows as ``fit`` will, so that none of them fails once the others wait for it."""
    train, plan = _read(part, features, ranker)
    n_queries = train.data.groups.n_queries
    if plan is None:
        return Report(n_queries, True, True)
    ranker.pairwise_objective().check_plan(plan)
    return Report(n_queries, plan.has_weighted_pair, bool(plan.n_pairs.any()))


def complaint(part: Any, features: Features, ranker: Any) -> list[str]:
    """Raise what the objective raises where nothing can be learned, or return what it warns of."""
    _, plan = _read(part, features, ranker)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        ranker.pairwise_objective().check_learnable(plan)
    return [str(warning.message) for warning in said]


def _read(part: Any, features: Features, ranker: Any) -> tuple[QuerySet, Plan | None]:
    X, columns = unpack_rows(features, part)
    objective = ranker.pairwise_objective()
    extras = Extras(columns.get("loser_weight"), columns.get("item_id"))
    train = read_query_set(
        X,
        columns[LABEL],
        qid=columns[QUERY],
        group=None,
        sample_weight=columns.get("sample_weight"),
        objective=objective,
        extras=extras,
    )
    for name in STARTS:
        train.take_scores(columns.get(name), name)
    ranker.check_native_data(train)
    return train, None if objective is None else objective.plan(train.data)


#: The boosters' names for initial scores.
STARTS = ("init_score", "base_margin")


def train(
    part: Any, features: Features, ranker: Any, shared: dict[str, Any], network: Network, rank: int, threads: int
) -> Any:
    """Train on a worker's rows, together with the other workers; the first one returns the ranker."""
    X, columns = unpack_rows(features, part)
    ranker._sees_a_part = True
    network.prepare(ranker, rank, threads)
    with network.joined(ranker, rank):
        ranker.fit(X, columns.pop(LABEL), qid=columns.pop(QUERY), **columns, **shared)
    if rank > 0:
        return None
    del ranker._sees_a_part
    return ranker


def gather_training(client: Any, tasks: dict[Any, str]) -> Any:
    """What the first worker returns, or the error of the one that failed first.

    A worker whose partner has failed may wait in the booster's network for ever: it is restarted.

    Parameters
    ----------
    client : dask.distributed.Client
    tasks : dict of Future to str
        The training of each worker, by rank.
    """
    failed = []
    for future in distributed.as_completed(list(tasks)):
        if future.status != "finished":
            failed.append(future)
            break
    if not failed:
        return client.gather(next(iter(tasks)))
    with contextlib.suppress(distributed.TimeoutError):
        distributed.wait(list(tasks), timeout=_PATIENCE)
    failed += [future for future in tasks if future.status in ("error", "lost", "cancelled") and future not in failed]
    errors = [future.exception() for future in failed if future.status == "error"]
    waiting = {future: worker for future, worker in tasks.items() if future.status == "pending"}
    if waiting:
        client.cancel(list(waiting), force=True)
        try:
            with contextlib.suppress(distributed.comm.CommClosedError):  # the worker may be gone before it has answered
                client.restart_workers(list(waiting.values()))
            done = "were restarted, and have lost what they held"
        except ValueError:  # without a nanny
            done = "have to be restarted"
        names = ", ".join(waiting.values())
        warnings.warn(
            f"the training failed; the workers {names} were still waiting for the others and {done}",
            UserWarning,
            stacklevel=4,
        )
    # The boosters' own errors are mostly those of the partners.
    errors.sort(key=lambda error: type(error).__module__.partition(".")[0] in ("lightgbm", "xgboost"))
    raise errors[0] if errors else RuntimeError("the training failed: a worker was lost")


# Seconds that workers get to notice that a partner has failed.
_PATIENCE = 10

"""What the workers of a cluster do: check their rows, and train together."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from ..boosters._query_sets import QuerySet, read_query_set
from ..objectives._evaluator import ObjectiveEvaluator, evaluator_of
from ..ranking._reading import Extras
from ._cluster import LOST, Worker, this_process
from ._rows import LABEL, QUERY, Features, distributed, unpack_rows


class Network:
    """How the workers of one training find each other."""

    def prepare(self, ranker: Any, rank: int, threads: int) -> None:
        """Set what the ranker has to know."""
        ranker.set_params(n_jobs=threads)

    def joined(self, ranker: Any, rank: int) -> AbstractContextManager[Any]:
        """While the ranker trains."""
        raise NotImplementedError


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
    train, evaluator = _read(part, features, ranker)
    n_queries = train.data.groups.n_queries
    if evaluator is None:
        return Report(n_queries, True, True)
    plan = evaluator.plan(train.data)
    evaluator.check_plan(plan)
    return Report(n_queries, plan.has_weighted_pair, bool(plan.n_pairs.any()))


def complaint(part: Any, features: Features, ranker: Any) -> list[str]:
    """Raise what the objective raises where nothing can be learned, or return what it warns of."""
    train, evaluator = _read(part, features, ranker)
    if evaluator is None:
        return []
    plan = evaluator.plan(train.data)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        evaluator.check_learnable(plan)
    return [str(warning.message) for warning in said]


def _read(part: Any, features: Features, ranker: Any) -> tuple[QuerySet, ObjectiveEvaluator | None]:
    """Return a worker's training set, and the evaluator of our objective."""
    X, columns = unpack_rows(features, part)
    evaluator = evaluator_of(ranker.pairwise_objective())
    extras = Extras(columns.get("loser_weight"), columns.get("item_id"))
    train = read_query_set(
        X,
        columns[LABEL],
        qid=columns[QUERY],
        group=None,
        sample_weight=columns.get("sample_weight"),
        evaluator=evaluator,
        extras=extras,
    )
    for name in STARTS:
        train.take_scores(columns.get(name), name)
    ranker.check_native_data(train)
    return train, evaluator


#: The boosters' names for initial scores.
STARTS = ("init_score", "base_margin")


def train(
    part: Any, features: Features, ranker: Any, shared: dict[str, Any], network: Network, rank: int, worker: Worker
) -> Any:
    """Train on a worker's rows, together with the other workers; the first one returns the ranker."""
    if this_process() != worker.process:  # Dask tries again what has ended a process, but the network is gone with it
        raise RuntimeError(LOST.format(distributed.get_worker().address))
    X, columns = unpack_rows(features, part)
    ranker._has_part_of_queries = True
    network.prepare(ranker, rank, worker.threads)
    with network.joined(ranker, rank):
        ranker.fit(X, columns.pop(LABEL), qid=columns.pop(QUERY), **columns, **shared)
    if rank > 0:
        return None
    del ranker._has_part_of_queries
    return ranker

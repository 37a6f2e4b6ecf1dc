"""The workers' side of a training: check the rows, and train together with the other workers."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from ..boosters._query_sets import QuerySet, read_query_set
from ..objectives._evaluator import Evaluator
from ..objectives._interface import evaluator_of
from ..objectives._registry import negative_label_rule
from ..ranking._pair_weights import are_grades
from ..ranking._reading import rows_taking_part
from ._cluster import LOST_WORKER, Worker, this_process
from ._rows import LABEL, QUERY, Features, distributed, extras_of, unpack_rows

#: The arguments of ``fit`` that are initial scores: LightGBM's and XGBoost's.
INITIAL_SCORES = ("init_score", "base_margin")


class Network:
    """The booster's network, in which the workers of one training communicate."""

    def prepare(self, ranker: Any, rank: int, threads: int) -> None:
        """Set the ranker's parameters for the training."""
        ranker.set_params(n_jobs=threads)

    def joined(self, ranker: Any, rank: int) -> AbstractContextManager[Any]:
        """Return a context in which this worker is connected to the others, while the ranker trains."""
        raise NotImplementedError


@dataclass(frozen=True)
class Report:
    """The result of checking a worker's rows before the training.

    Attributes
    ----------
    n_queries : int
        Number of queries.
    learnable : bool
        Whether a gradient can be nonzero.
    has_pairs : bool
        Whether there is a pair, even one of weight 0.
    has_grades : bool
        Whether all labels are grades.
    """

    n_queries: int
    learnable: bool
    has_pairs: bool
    has_grades: bool


def check_part(part: Any, features: Features, ranker: Any) -> Report:
    """Check a worker's rows as ``fit`` does, so that no worker fails while the others wait for it."""
    train, evaluator = _read(part, features, ranker)
    data, rule = train.data, negative_label_rule(ranker.pairwise_objective(), column=0)
    n_queries, counts = data.groups.n_queries, rows_taking_part(data.labels, data.mask, rule)
    has_grades = are_grades(data.labels if counts is None else data.labels[counts])
    if evaluator is None:
        return Report(n_queries, True, True, has_grades)
    plan = evaluator.plan(train.data)
    evaluator.check_plan(plan)
    return Report(n_queries, plan.has_weighted_pair, bool(plan.n_pairs.any()), has_grades)


def explain_unlearnable(part: Any, features: Features, ranker: Any) -> list[str]:
    """Return the objective's warnings about rows from which nothing can be learned, or raise its error."""
    train, evaluator = _read(part, features, ranker)
    if evaluator is None:
        return []
    plan = evaluator.plan(train.data)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        evaluator.check_learnable(plan)
    return [str(warning.message) for warning in said]


def _read(part: Any, features: Features, ranker: Any) -> tuple[QuerySet, Evaluator | None]:
    """Read a worker's rows as ``fit`` does; the evaluator is None for a native objective of the booster."""
    X, columns = unpack_rows(features, part)
    evaluator = evaluator_of(ranker.pairwise_objective())
    extras = extras_of(columns)
    train = read_query_set(
        X,
        columns[LABEL],
        qid=columns[QUERY],
        group=None,
        sample_weight=columns.get("sample_weight"),
        evaluator=evaluator,
        extras=extras,
    )
    for name in INITIAL_SCORES:
        train.take_scores(columns.get(name), name)
    ranker.check_native_data(train)
    return train, evaluator


def train(
    part: Any, features: Features, ranker: Any, shared: dict[str, Any], network: Network, rank: int, worker: Worker
) -> Any:
    """Train on a worker's rows, together with the other workers; return the ranker on the worker of rank 0 only."""
    # Dask runs a task again if the process of its worker has died, but then the network is lost.
    if this_process() != worker.process:
        raise RuntimeError(LOST_WORKER.format(distributed.get_worker().address))
    X, columns = unpack_rows(features, part)
    ranker._has_part_of_queries = True
    network.prepare(ranker, rank, worker.threads)
    with network.joined(ranker, rank):
        ranker.fit(X, columns.pop(LABEL), qid=columns.pop(QUERY), **columns, **shared)
    if rank > 0:
        return None
    del ranker._has_part_of_queries
    return ranker

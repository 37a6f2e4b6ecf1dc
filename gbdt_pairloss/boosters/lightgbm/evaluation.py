"""Evaluation sets and metrics in the forms in which LightGBM's estimators take them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._evaluation import Evaluation
from .._import import import_booster
from .._query_sets import QuerySet, paired

lgb = import_booster("lightgbm")


def metric_function(evaluations: list[Evaluation], train: QuerySet, sets: list[QuerySet]) -> Callable[..., Any]:
    """Our metrics as LightGBM's estimators call them; it does not say which set it hands over."""
    # In the order in which it evaluates them.
    ordered = [*([train] if any(s is train for s in sets) else []), *(s for s in sets if s is not train)]
    known: list[tuple[Any, QuerySet]] = []  # the array of labels that each set comes with

    def find(labels: Any, weight: Any, group: Any) -> QuerySet:
        for array, query_set in known:
            if array is labels:
                return query_set
        # Sets that look alike come one after another in the first round.
        taken = [query_set for _, query_set in known]
        for query_set in ordered:
            if not any(query_set is other for other in taken) and _looks_like(query_set, labels, weight, group):
                known.append((labels, query_set))
                return query_set
        raise RuntimeError("LightGBM evaluates a set that fit was not given")

    def evaluate(y_true: Any, y_pred: Any, weight: Any, group: Any) -> list[tuple[str, float, bool]]:
        data = find(y_true, weight, group).data
        scores = np.asarray(y_pred)
        return [(e.name, e(data, scores), bool(e.maximize)) for e in evaluations]

    return evaluate


def _looks_like(query_set: QuerySet, labels: NDArray[Any], weight: Any, group: Any) -> bool:
    """Whether a set has these labels, weights and groups."""
    return (
        np.array_equal(query_set.data.groups.sizes, group)
        and np.array_equal(query_set.labels, labels)
        # LightGBM drops weights that are all 1.
        and np.array_equal(_float32_or_ones(query_set.row_weight, labels), _float32_or_ones(weight, labels))
    )


def _float32_or_ones(weight: NDArray[Any] | None, labels: NDArray[Any]) -> NDArray[np.float32]:
    return np.ones(labels.shape, dtype=np.float32) if weight is None else weight.astype(np.float32)


def evaluation_arguments(sets: list[QuerySet], init_scores: Any) -> dict[str, Any]:
    """The evaluation sets as this version of LightGBM takes them: as ``eval_X`` and ``eval_y`` since 4.7."""
    if not sets:
        return {}
    arguments: dict[str, Any] = {
        "eval_sample_weight": [s.row_weight for s in sets],
        "eval_init_score": [
            s.take_scores(score, f"eval_init_score[{i}]")
            for i, (s, score) in enumerate(zip(sets, paired(init_scores, "eval_init_score", len(sets)), strict=True))
        ],
        "eval_group": [s.data.groups.sizes for s in sets],
    }
    if "eval_X" in inspect.signature(lgb.LGBMRanker.fit).parameters:
        return {**arguments, "eval_X": tuple(s.X for s in sets), "eval_y": tuple(s.labels for s in sets)}
    return {**arguments, "eval_set": [(s.X, s.labels) for s in sets]}


def read_ranks(eval_at: Any) -> list[int]:
    """``eval_at`` as a list of ranks; empty if it is None."""
    if isinstance(eval_at, str):  # as LightGBM's parameters may be written
        eval_at = [int(part) if part.strip().isdecimal() else part for part in eval_at.split(",")]
    ranks = np.atleast_1d([] if eval_at is None else eval_at)
    if ranks.size and (ranks.dtype.kind not in "iu" or ranks.min() < 1):
        raise ValueError(f"eval_at must be ranks, whole numbers from 1; got {eval_at!r}")
    return [int(rank) for rank in ranks]


def at_ranks(metrics: list[Any], ranks: list[int]) -> list[Any]:
    """LightGBM's ``eval_at`` for our metrics: "ndcg" and "map" without a rank, at each of these."""
    lists = [[f"{m}@{k}" for k in ranks] if ranks and m in ("ndcg", "map") else [m] for m in metrics]
    return [metric for names in lists for metric in names]


def ranks_apart(metrics: list[Any], ranks: list[int]) -> tuple[list[Any], list[int]]:
    """Our "ndcg@10" for LightGBM's metrics: their names, and the ranks apart, as in ``eval_at``."""
    names, ranks = [], list(ranks)
    for metric in metrics:
        name, at, rank = metric.partition("@") if isinstance(metric, str) else (metric, "", "")
        if at and name in ("ndcg", "map") and rank.isdecimal() and int(rank) > 0:
            ranks.append(int(rank))
            names.append(name)
        else:
            names.append(metric)
    return list(dict.fromkeys(names)), sorted(set(ranks))

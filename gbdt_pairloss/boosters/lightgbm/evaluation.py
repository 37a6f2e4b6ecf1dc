"""Evaluation sets and metrics for LightGBM's estimators."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...objectives._evaluator import Evaluator
from ...ranking._validation import as_list
from .._evaluation import Evaluation, evaluate_all, sort_metrics
from .._query_sets import QuerySet, one_per_set
from .dataset import is_native_metric, lgb
from .parameters import DEFAULT_RANKS, RANKED, metric_names_of, ranks_of, read_ranks, split_ranks, with_ranks

_NO_METRIC = ("", "None", "none", "na", "null", "custom")


def choose_metrics(
    params: dict[str, Any],
    eval_metric: Any,
    eval_at: Any,
    evaluator: Evaluator | None,
) -> tuple[list[Evaluation], list[Any], list[int]]:
    """Return the metrics of this package, the native metrics, and the ranks at which LightGBM evaluates the latter.

    Parameters
    ----------
    params : dict
        The ranker's parameters. Those that name metrics and ranks are read.
    eval_metric, eval_at
        The arguments of ``fit``.
    evaluator : Evaluator or None
        Evaluator of the objective; None for a native objective.
    """
    asked, ranks = as_list(eval_metric), read_ranks(eval_at)
    ranks = ranks or ranks_of(params)
    parameter = metric_names_of(params)
    asked = with_ranks([*(m for m in parameter if m not in (*_NO_METRIC, *asked)), *asked], ranks)
    if parameter and not asked:  # metric="None"
        return [], [], DEFAULT_RANKS
    if ranks and not asked and evaluator is not None:
        asked = [f"ndcg@{k}" for k in ranks]
    # LightGBM's early stopping can be told to follow the first metric alone.
    evaluations, native = sort_metrics(asked, evaluator, _is_native, sum_first=True)
    native, ranks = split_ranks(native, ranks or DEFAULT_RANKS)
    return evaluations, native, ranks


def _is_native(name: str) -> bool:
    """Return whether LightGBM has a metric of a name that may contain a rank."""
    name, at, rank = name.partition("@")
    return is_native_metric(name) and (not at or (name in RANKED and rank.isdecimal() and int(rank) > 0))


#: A function that finds the set of the labels, weights and groups that LightGBM passes to a metric.
FindSet = Callable[[Any, Any, Any], QuerySet]


def find_set(train: QuerySet, sets: list[QuerySet]) -> FindSet:
    """Return a function that finds a set; LightGBM does not say which of them it evaluates."""
    # In the order in which LightGBM evaluates them.
    ordered = [*([train] if any(s is train for s in sets) else []), *(s for s in sets if s is not train)]
    found: list[tuple[Any, QuerySet]] = []  # the array of labels that LightGBM passes for each set

    def find(labels: Any, weight: Any, group: Any) -> QuerySet:
        for array, query_set in found:
            if array is labels:
                return query_set
        # The first round takes sets of equal contents one after another.
        taken = [query_set for _, query_set in found]
        for query_set in ordered:
            if not any(query_set is other for other in taken) and _has_contents(query_set, labels, weight, group):
                found.append((labels, query_set))
                return query_set
        raise RuntimeError("LightGBM evaluates a set that fit was not given")

    return find


def metric_function(evaluations: list[Evaluation], find: FindSet) -> Callable[..., Any]:
    """Return a function that computes the metrics of this package, in the form that LightGBM's estimators call."""

    def evaluate(y_true: Any, y_pred: Any, weight: Any, group: Any) -> list[tuple[str, float, bool]]:
        data = find(y_true, weight, group).data
        scores = np.asarray(y_pred)
        values = evaluate_all(evaluations, data, scores)
        return [(e.name, value, bool(e.maximize)) for e, value in zip(evaluations, values, strict=True)]

    return evaluate


def by_rows(function: Callable[..., Any], find: FindSet, is_objective: bool = False) -> Callable[..., Any]:
    """Return a user's metric or objective as a function of rows whose queries were put together.

    The user's function gets the rows in the caller's order, in which it may look up other columns. A function that
    takes the groups, too, gets the rows of each query together, because their sizes describe no others.
    """
    n_arguments = len(inspect.signature(function).parameters)
    if n_arguments > 3:
        return function

    def call(y_true: Any, y_pred: Any, weight: Any, group: Any) -> Any:
        given = (y_true, y_pred, weight)[:n_arguments]
        places = find(y_true, weight, group).places_by_row
        if places is None:
            return function(*given)
        result = function(*(None if array is None else array[places] for array in given))
        if not is_objective:
            return result
        placed = []
        for array in map(np.asarray, result):
            placed.append(np.empty_like(array))
            placed[-1][places] = array
        return tuple(placed)

    return call


def _has_contents(query_set: QuerySet, labels: NDArray[Any], weight: Any, group: Any) -> bool:
    """Return whether a set has these labels, weights and groups."""
    return (
        np.array_equal(query_set.data.groups.sizes, group)
        and np.array_equal(query_set.labels, labels)
        # LightGBM drops weights that are all 1.
        and np.array_equal(_float32_or_ones(query_set.row_weight, labels), _float32_or_ones(weight, labels))
    )


def _float32_or_ones(weight: NDArray[Any] | None, labels: NDArray[Any]) -> NDArray[np.float32]:
    return np.ones(labels.shape, dtype=np.float32) if weight is None else weight.astype(np.float32)


def evaluation_arguments(sets: list[QuerySet], init_scores: Any) -> dict[str, Any]:
    """Return the arguments of LightGBM's ``fit`` that describe the evaluation sets.

    LightGBM takes the sets as ``eval_X`` and ``eval_y`` since version 4.7, and as ``eval_set`` before.
    """
    if not sets:
        return {}
    arguments: dict[str, Any] = {
        "eval_sample_weight": [s.row_weight for s in sets],
        "eval_init_score": [
            s.take_scores(score, f"eval_init_score[{i}]")
            for i, (s, score) in enumerate(
                zip(sets, one_per_set(init_scores, "eval_init_score", len(sets)), strict=True)
            )
        ],
        "eval_group": [s.data.groups.sizes for s in sets],
    }
    if "eval_X" in inspect.signature(lgb.LGBMRanker.fit).parameters:
        return {**arguments, "eval_X": tuple(s.X for s in sets), "eval_y": tuple(s.labels for s in sets)}
    return {**arguments, "eval_set": [(s.X, s.labels) for s in sets]}

"""Evaluation sets and early stopping for XGBoost's estimators."""

from __future__ import annotations

import copy
from typing import Any

from ...ranking._adapter import NATIVE
from .._evaluation import Evaluation
from .._query_sets import QuerySet, one_per_set
from .dataset import xgb


def evaluation_arguments(sets: list[QuerySet], base_margins: Any, is_pairwise: bool) -> dict[str, Any]:
    """Return the arguments of ``xgboost.XGBRanker.fit`` that describe the evaluation sets.

    ``is_pairwise`` says whether the ranker trains with an objective of this package.
    """
    margins = one_per_set(base_margins, "base_margin_eval_set", len(sets))
    if not sets:
        return {}
    return {
        "eval_set": [(s.X, s.labels) for s in sets],
        "eval_group": [s.data.groups.sizes for s in sets],
        "sample_weight_eval_set": [native_weight(s, is_pairwise) for s in sets],
        "base_margin_eval_set": [
            s.take_scores(margin, f"base_margin_eval_set[{i}]")
            for i, (s, margin) in enumerate(zip(sets, margins, strict=True))
        ],
    }


def native_weight(query_set: QuerySet, is_pairwise: bool) -> Any:
    """Return the weights for the DMatrix. With an objective of this package the item weights are in the plan only."""
    return query_set.data.query_weight if is_pairwise else query_set.query_weight


def with_directions(
    callbacks: list[Any], asked: list[Any], evaluations: list[Evaluation], rounds: int | None, has_trees: bool
) -> list[Any]:
    """Return callbacks whose early stopping has the direction in which each metric of this package improves.

    XGBoost guesses the direction by the name. As in XGBoost, early stopping follows the last metric that is asked for.

    Parameters
    ----------
    callbacks : list of xgboost.callback.TrainingCallback
        Those of the caller; they are not changed.
    asked : list
        Metrics as the caller names them.
    evaluations : list of Evaluation
        Those of them that this package computes.
    rounds : int or None
        The ranker's ``early_stopping_rounds``. The model then keeps the trees up to the best round, which are those
        that the ranker predicts with, so that other tools predict with them, too.
    has_trees : bool
        Whether the model has trees.
    """
    directions = {evaluation.name: evaluation.maximize for evaluation in evaluations}
    last = evaluations[-1].name if evaluations else None
    if asked and isinstance(asked[-1], str):
        last = asked[-1].removeprefix(NATIVE)
    result = []
    for callback in callbacks:
        if isinstance(callback, xgb.callback.EarlyStopping) and callback.maximize is None:
            callback = copy.copy(callback)
            callback.metric_name = callback.metric_name or last
            callback.maximize = directions.get(callback.metric_name or "")
        result.append(callback)
    if rounds is not None:
        direction = directions.get(last or "")
        result.append(
            xgb.callback.EarlyStopping(rounds=rounds, metric_name=last, maximize=direction, save_best=has_trees)
        )
    return result

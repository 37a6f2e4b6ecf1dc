"""XGBoost: reading and cutting a DMatrix."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from ..attachments import Attachment, get_attachment, set_attachment
from ..data import RankingData
from ..groups import Groups
from ..validation import as_vector
from . import import_booster

xgb = import_booster("xgboost")

DATASET = xgb.DMatrix
#: XGBoost's default of ``min_child_weight``.
MIN_CHILD_HESSIAN = 1.0


def read_dataset(dataset: Any) -> RankingData:
    """Labels, groups and weights of a DMatrix; its weights are query weights.

    Raises
    ------
    ValueError
        If it has no groups, or has weights that are not one per query.
    """
    labels = as_vector(dataset.get_label(), "the DMatrix's label")
    ptr = dataset.get_uint_info("group_ptr")
    attached = get_attachment(dataset) or Attachment()
    if attached.pairs is not None:  # which need neither
        labels = labels if labels.size else np.zeros(dataset.num_row(), dtype=np.float32)
        ptr = ptr if ptr.size else np.array([0, labels.size])
    if ptr.size == 0:
        raise ValueError(
            "the DMatrix has no query groups, and a ranking objective needs them: xgboost.DMatrix(X, label=y, "
            "group=sizes) or (..., qid=ids) with the rows of each query together"
        )
    if labels.size == 0 and dataset.num_row() > 0:
        raise ValueError("the DMatrix has no labels: xgboost.DMatrix(X, label=...)")
    weight = dataset.get_weight()
    if weight.size not in (0, ptr.size - 1):
        raise ValueError(
            f"the DMatrix has {weight.size} weights for {ptr.size - 1} queries: XGBoost's weights are those of "
            "queries; give weights of rows as attach(dataset, item_weight=)"
        )
    return RankingData(
        labels,
        Groups.from_ptr(ptr, labels.shape[0]),
        item_weight=attached.item_weight,
        loser_weight=attached.loser_weight,
        query_weight=as_vector(weight, "the DMatrix's weight") if weight.size else None,
        mask=attached.mask,
        item_id=attached.item_id,
        pairs=attached.pairs,
    )


def metric_result(name: str, value: float, maximize: bool) -> tuple[str, float]:
    """What ``custom_metric`` returns."""
    return name, value


def check_trainable(dataset: Any) -> None:
    """XGBoost has no parameter that silently breaks a custom objective."""


def number_of_rows(dataset: Any) -> int | None:
    """Rows of a DMatrix."""
    return int(dataset.num_row())


def number_of_threads(dataset: Any) -> Any:
    """The threads that the DMatrix was given; it knows nothing of its Booster's."""
    return getattr(dataset, "nthread", None)


def follow_cuts(dataset: Any) -> None:
    """Let the attachment go along when the DMatrix is sliced (``xgboost.cv`` slices): a slice knows no parent."""
    parent = weakref.ref(dataset)  # strong, it would keep the dataset alive in a cycle
    cut = type(dataset).slice

    def slice(rindex: Any, allow_groups: bool = False) -> Any:
        source = parent()
        result = cut(source, rindex, allow_groups)
        attached = get_attachment(source)
        if attached is not None:
            set_attachment(result, attached.take(rindex, number_of_rows(source)))
            follow_cuts(result)
        return result

    dataset.slice = slice

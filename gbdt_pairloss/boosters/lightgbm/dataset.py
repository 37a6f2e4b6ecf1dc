"""LightGBM: reading and cutting a Dataset."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ranking._attach import Attachment, get_attachment
from ...ranking._data import RankingData
from ...ranking._groups import Groups
from ...ranking._reading import LARGEST_VALUE
from ...ranking._validation import as_vector
from .._import import import_booster

lgb = import_booster("lightgbm")

DATASET = lgb.Dataset
#: LightGBM's default of ``min_sum_hessian_in_leaf``.
MIN_CHILD_HESSIAN = 1e-3

OBJECTIVE_NAMES = ("objective", "objective_type", "app", "application", "loss")
METRIC_NAMES = ("metric", "metrics", "metric_types")
#: LightGBM's metrics, aliases included; it says nothing about a name that it does not know.
# fmt: off
NATIVE_METRICS = frozenset((
    "l1", "mean_absolute_error", "mae", "regression_l1", "l2", "mean_squared_error", "mse", "regression_l2",
    "regression", "rmse", "root_mean_squared_error", "l2_root", "r2", "quantile", "mape",
    "mean_absolute_percentage_error", "huber", "fair", "poisson", "gamma", "gamma_deviance", "tweedie", "ndcg",
    "lambdarank", "rank_xendcg", "xendcg", "xe_ndcg", "xe_ndcg_mart", "xendcg_mart", "map",
    "mean_average_precision", "auc", "average_precision", "binary_logloss", "binary", "binary_error",
    "cross_entropy", "xentropy", "cross_entropy_lambda", "xentlambda", "kullback_leibler", "kldiv",
))
# fmt: on
_THREAD_NAMES = ("num_threads", "num_thread", "nthread", "nthreads", "n_jobs")


def read_dataset(dataset: Any) -> RankingData:
    """Labels, groups and weights of a Dataset; its row weights are item weights.

    Raises
    ------
    ValueError
        If it has no groups or no labels, or item weights both of its own and attached, or an infinite value.

    Notes
    -----
    LightGBM itself makes 0 of a label or weight that is NaN when it constructs the Dataset, and nothing is left to
    see of it. The ranker checks before that.
    """
    labels, groups = read_groups(dataset)
    weight, attached = dataset.get_weight(), _attachment_of(dataset) or Attachment()
    if weight is not None and attached.item_weight is not None:
        raise ValueError("item weights are given twice: as the Dataset's weight and attached")
    return RankingData(
        labels,
        groups,
        item_weight=attached.item_weight if weight is None else _as_given(weight, "the Dataset's weight"),
        loser_weight=attached.loser_weight,
        mask=attached.mask,
        item_id=attached.item_id,
        pairs=attached.pairs,
    )


def read_groups(dataset: Any) -> tuple[NDArray[Any], Groups]:
    """Labels and groups of a Dataset, constructed or not; a ValueError if it has none."""
    constructed = number_of_rows(dataset) is not None  # the getters do not work before
    labels, sizes = (dataset.get_label(), dataset.get_group()) if constructed else (dataset.label, dataset.group)
    if labels is None:
        raise ValueError(
            "the LightGBM Dataset has no labels: lightgbm.Dataset(X, label=...); one of a file, or a subset, has them "
            "once its construct() was called"
        )
    labels = _as_given(labels, "the Dataset's label")
    if sizes is None:
        attached = _attachment_of(dataset)
        if attached is None or attached.pairs is None:
            raise ValueError(
                "the LightGBM Dataset has no query groups, and a ranking objective needs them: "
                "lightgbm.Dataset(X, label=y, group=sizes), with the number of rows of each query"
            )
        sizes = [labels.shape[0]]
    return labels, Groups.from_sizes(sizes, labels.shape[0], "the Dataset's group")


def metric_result(name: str, value: float, maximize: bool) -> tuple[str, float, bool]:
    """What ``feval`` returns."""
    return name, value, maximize


def check_trainable(dataset: Any) -> None:
    """Refuse what LightGBM would do for its own objectives alone, as far as the Dataset knows of it."""
    params = dataset.params or {}
    refuse_bagging_by_query(params)
    if getattr(dataset, "position", None) is not None:
        raise ValueError(
            "the Dataset has positions, from which LightGBM estimates their bias for its own objectives alone: leave "
            "position= out, and weigh the rows by gbdt_pairloss.propensity_weights"
        )
    setattr(dataset, _TRAINED_BY_DART, is_dart(params))


def check_evaluable(dataset: Any) -> None:
    """Refuse the training set of DART."""
    if getattr(dataset, _TRAINED_BY_DART, False):
        raise ValueError(
            "with boosting='dart' and a custom objective, LightGBM leaves out trees for good when a metric in Python "
            "looks at the training set. Evaluate a second Dataset of the same rows, lightgbm.Dataset(X, y, "
            "group=sizes, reference=train), in its place (a Dataset remembers the parameters of its first training)"
        )


def is_dart(params: dict[str, Any]) -> bool:
    """Whether parameters ask for DART, by any of LightGBM's names."""
    return any(str(params.get(name)).lower() == "dart" for name in ("boosting", "boosting_type", "boost"))


def number_of_rows(dataset: Any) -> int | None:
    """Rows of a Dataset; None before it is constructed."""
    try:
        return int(dataset.num_data())
    except lgb.basic.LightGBMError:
        return None


def version(dataset: Any) -> None:
    """A Dataset's fields are read anew every round."""


def training_device() -> None:
    """LightGBM takes gradients from the host only, wherever it trains."""


def number_of_threads(dataset: Any) -> Any:
    """The threads that the Dataset's parameters name; ``lightgbm.train`` adds its own to them."""
    return threads_of(dataset.params or {})


def threads_of(params: dict[str, Any]) -> Any:
    """The threads that parameters name, by any of LightGBM's names; None: they do not."""
    return next((params[name] for name in _THREAD_NAMES if params.get(name) is not None), None)


def follow_cuts(dataset: Any) -> None:
    """Nothing to arrange: a subset knows its parent and its rows."""


def is_native_metric(name: str) -> bool:
    """Whether LightGBM has a metric of this name."""
    return name in NATIVE_METRICS


def cross_validate(
    params: dict[str, Any],
    dataset: Any,
    num_boost_round: int,
    folds: list[Any],
    objective: Any,
    native: list[Any],
    evaluate: Any,
    maximize: bool | None,
    **kwargs: Any,
) -> Any:
    """``lightgbm.cv`` on the folds; it learns a metric's direction with its value."""
    if native or evaluate is not None:
        params["metric"] = native or "None"
    if callable(objective) and "fobj" in inspect.signature(lgb.cv).parameters:  # LightGBM 3
        kwargs["fobj"] = objective
    elif objective is not None:
        params["objective"] = objective
    return lgb.cv(params, dataset, num_boost_round, folds=folds, feval=evaluate, **kwargs)


def _as_given(values: Any, name: str) -> NDArray[Any]:
    """A field of a Dataset as an array; LightGBM makes a large number of an infinite value."""
    array = as_vector(values, name)
    clamped = np.abs(array) >= np.float32(LARGEST_VALUE)
    if clamped.any():
        raise ValueError(f"{name} is infinite at row {int(np.flatnonzero(clamped)[0])}; it must be finite")
    return array


# On a Dataset that an objective of ours has been called with in training by DART.
_TRAINED_BY_DART = "_gbdt_pairloss_trained_by_dart"

# A subset's attachment, with that of the whole which it was taken from.
_CUT = "_gbdt_pairloss_cut"


def _attachment_of(dataset: Any) -> Attachment | None:
    attached = get_attachment(dataset)
    if attached is None and dataset.used_indices is not None and dataset.reference is not None:
        parent = _attachment_of(dataset.reference)
        if parent is not None:
            known = getattr(dataset, _CUT, None)
            if known is None or known[0] is not parent:
                taken = parent.take(dataset.used_indices, number_of_rows(dataset.reference))
                setattr(dataset, _CUT, (parent, taken))
            attached = getattr(dataset, _CUT)[1]
    return attached


def refuse_bagging_by_query(params: dict[str, Any]) -> None:
    """Raise a ValueError if parameters ask for bags of queries."""
    if str(params.get("bagging_by_query", False)).lower() in ("true", "1", "+"):
        raise ValueError(
            "bagging_by_query does not work with a custom objective: LightGBM draws no bag and grows empty trees. "
            "Leave it out, and make a Dataset that has not seen it; bagging_fraction with bagging_freq works "
            "(gradients still see every row)"
        )

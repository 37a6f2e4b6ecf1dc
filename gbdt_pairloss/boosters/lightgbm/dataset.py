"""LightGBM's Dataset: how to read, check and split it."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ranking._adapter import Stopping
from ...ranking._attach import Attachment, get_attachment
from ...ranking._data import RankingData
from ...ranking._groups import Groups
from ...ranking._reading import LARGEST_VALUE
from ...ranking._validation import as_list, as_vector
from .._import import import_booster
from .parameters import (
    DEFAULT_RANKS,
    is_dart,
    metric_names_of,
    ranks_of,
    refuse_bagging_by_query,
    split_ranks,
    threads_of,
    with_ranks,
)
from .parameters import METRIC_NAMES as METRIC_NAMES
from .parameters import MIN_CHILD_HESSIAN as MIN_CHILD_HESSIAN
from .parameters import OBJECTIVE_NAMES as OBJECTIVE_NAMES
from .parameters import at_ranks as at_ranks
from .parameters import check_parameters as check_parameters

lgb = import_booster("lightgbm")

DATASET = lgb.Dataset
#: The factor on the Hessian of LightGBM's own ranking objectives.
HESSIAN_SCALE = 1.0
#: Whether early stopping can follow the first metric of several.
STOPS_BY_FIRST_METRIC = True

#: LightGBM's metrics, including aliases. LightGBM ignores an unknown name silently.
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


def read_dataset(dataset: Any) -> RankingData:
    """Read labels, groups and weights of a Dataset; its row weights are item weights.

    Raises
    ------
    ValueError
        If it has no groups or no labels, if item weights are given twice (as its weight and attached), or if a value
        is infinite.

    Notes
    -----
    When LightGBM constructs a Dataset, it replaces labels and weights that are NaN by 0. They cannot be detected here;
    the ranker checks for them before.
    """
    labels, groups = read_groups(dataset)
    weight, attached = dataset.get_weight(), (_attachment_of(dataset) or Attachment()).given()
    if weight is not None:
        if "item_weight" in attached:
            raise ValueError("item weights are given twice: as the Dataset's weight and attached")
        attached["item_weight"] = _finite_field(weight, "the Dataset's weight")
    return RankingData(labels, groups, **attached)


def read_groups(dataset: Any) -> tuple[NDArray[Any], Groups]:
    """Read labels and groups of a Dataset, constructed or not; a ValueError if it has none."""
    constructed = number_of_rows(dataset) is not None  # the getters fail before
    labels, sizes = (dataset.get_label(), dataset.get_group()) if constructed else (dataset.label, dataset.group)
    if labels is None:
        raise ValueError(
            "the LightGBM Dataset has no labels: lightgbm.Dataset(X, label=...); a Dataset from a file, or a subset, "
            "has them after construct()"
        )
    labels = _finite_field(labels, "the Dataset's label")
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
    """Return a metric's value in the form that ``feval`` returns it."""
    return name, value, maximize


def check_names(dataset: Any, names: list[str]) -> None:
    """Raise a ValueError if LightGBM evaluates a metric of one of the names, too: it would mix the values of both."""
    params = dataset.params or {}
    evaluated = with_ranks(metric_names_of(params), ranks_of(params) or DEFAULT_RANKS)
    for name in names:
        if name in evaluated:
            raise ValueError(
                f"LightGBM evaluates {name}, too, and would mix the values of both: leave it out of the parameter "
                "metric"
            )


def check_direction(name: str, maximize: bool) -> None:
    """Do nothing: LightGBM gets the direction of a metric with its value."""


def check_trainable(dataset: Any) -> None:
    """Raise a ValueError if the Dataset asks for bags of queries, or has positions of rows.

    LightGBM supports both for native objectives only. The function also stores in the Dataset whether the training is
    by DART, for ``check_evaluable``.
    """
    params = dataset.params or {}
    refuse_bagging_by_query(params)
    if getattr(dataset, "position", None) is not None:
        raise ValueError(
            "the Dataset has positions, from which LightGBM estimates position bias for its own objectives only: leave "
            "position= out, and weigh the rows by gbdt_pairloss.propensity_weights"
        )
    setattr(dataset, _TRAINED_BY_DART, is_dart(params))


def check_evaluable(dataset: Any) -> None:
    """Raise a ValueError if the Dataset is the training set of DART with a custom objective."""
    if getattr(dataset, _TRAINED_BY_DART, False):
        raise ValueError(
            "with boosting='dart' and a custom objective, LightGBM drops trees permanently when a metric in Python "
            "evaluates the training set. Evaluate a second Dataset of the same rows instead, lightgbm.Dataset(X, y, "
            "group=sizes, reference=train) (a Dataset remembers the parameters of its first training)"
        )


def number_of_rows(dataset: Any) -> int | None:
    """Return the number of rows of a Dataset; None before it is constructed."""
    try:
        return int(dataset.num_data())
    except lgb.basic.LightGBMError:
        return None


def version(dataset: Any) -> None:
    """Return None: there is no counter of changes, and the fields of a Dataset are read again in every round."""


def training_device() -> None:
    """Return None: LightGBM takes gradients from the host only, wherever it trains."""


def number_of_threads(dataset: Any) -> Any:
    """Return the number of threads in the Dataset's parameters, to which ``lightgbm.train`` adds its parameters."""
    return threads_of(dataset.params or {})


def follow_cuts(dataset: Any) -> None:
    """Do nothing: a subset holds references to its parent and its rows."""


def is_native_metric(name: str) -> bool:
    """Return whether LightGBM has a metric of this name."""
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
    """Call ``lightgbm.cv`` on the folds. LightGBM gets the direction of a metric with its value."""
    _set_metrics(params, native, evaluate)
    kwargs |= _set_objective(params, objective, lgb.cv)
    return lgb.cv(params, dataset, num_boost_round, folds=folds, feval=evaluate, **kwargs)


def train(
    params: dict[str, Any],
    dataset: Any,
    num_boost_round: int,
    evals: list[tuple[Any, str]],
    objective: Any,
    native: list[Any],
    evaluate: Any,
    stopping: Stopping | None,
    **kwargs: Any,
) -> Any:
    """Call ``lightgbm.train``."""
    _set_metrics(params, native, evaluate)
    kwargs |= _set_objective(params, objective, lgb.train)
    callbacks = as_list(kwargs.pop("callbacks", None))
    results = kwargs.pop("evals_result", None)
    if results is not None:
        callbacks.append(lgb.record_evaluation(results))
    if stopping is not None:
        callbacks.append(_following(stopping))
    return lgb.train(
        params,
        dataset,
        num_boost_round,
        valid_sets=[one for one, _ in evals],
        valid_names=[name for _, name in evals],
        feval=evaluate,
        callbacks=callbacks,
        **kwargs,
    )


def _set_metrics(params: dict[str, Any], native: list[Any], evaluate: Any) -> None:
    if native or evaluate is not None:
        names, ranks = split_ranks(native, ranks_of(params))
        params["metric"] = names or "None"
        if any("@" in name for name in native):
            params["eval_at"] = ranks


def _set_objective(params: dict[str, Any], objective: Any, function: Any) -> dict[str, Any]:
    """Set the objective among the parameters, or return it as an argument of LightGBM 3's function."""
    if callable(objective) and "fobj" in inspect.signature(function).parameters:
        return {"fobj": objective}
    if objective is not None:
        params["objective"] = objective
    return {}


def _following(stopping: Stopping) -> Any:
    """Return LightGBM's early stopping as a callback that sees one metric of one set."""
    stops = lgb.early_stopping(stopping.rounds, verbose=False)

    def callback(env: Any) -> None:
        results = [result for result in env.evaluation_result_list if result[0] == stopping.set_name]
        if stopping.metric is not None:  # LightGBM adds a rank to the names of its own
            results = [result for result in results if stopping.metric in (result[1], result[1].partition("@")[0])]
        if not results:
            raise ValueError(f"early stopping finds no metric {stopping.metric!r}: give it by the name of its values")
        stops(_with_results(env, results[-1:]))

    callback.order = stops.order  # type: ignore[attr-defined]
    return callback


def _with_results(env: Any, results: list[Any]) -> Any:
    """Return what LightGBM tells its callbacks, with other results; it is a named tuple before version 4.7."""
    if hasattr(env, "_replace"):
        return env._replace(evaluation_result_list=results)
    return replace(env, evaluation_result_list=results)


def _finite_field(values: Any, name: str) -> NDArray[Any]:
    """Return a field of a Dataset as an array; a ValueError if a value was infinite.

    LightGBM replaces infinite values by a large number.
    """
    array = as_vector(values, name)
    clamped = np.abs(array) >= np.float32(LARGEST_VALUE)
    if clamped.any():
        raise ValueError(f"{name} is infinite at row {int(np.flatnonzero(clamped)[0])}; it must be finite")
    return array


# Attribute of a Dataset: whether an objective of this package was called with it in a training by DART.
_TRAINED_BY_DART = "_gbdt_pairloss_trained_by_dart"

# Attribute of a subset: its parent's attachment, and the part of it that belongs to the subset.
_CUT = "_gbdt_pairloss_cut"


def _attachment_of(dataset: Any) -> Attachment | None:
    """Return what is attached to a Dataset, or to the Dataset that it is a subset of."""
    attached = get_attachment(dataset)
    if attached is None and dataset.used_indices is not None and dataset.reference is not None:
        parent = _attachment_of(dataset.reference)
        if parent is not None:
            cached = getattr(dataset, _CUT, None)
            if cached is None or cached[0] is not parent:
                taken = parent.take(dataset.used_indices, number_of_rows(dataset.reference))
                setattr(dataset, _CUT, (parent, taken))
            attached = getattr(dataset, _CUT)[1]
    return attached

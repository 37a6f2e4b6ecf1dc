"""XGBoost's DMatrix: how to read, watch and split it."""

from __future__ import annotations

import json
import sys
import warnings
import weakref
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ranking._adapter import Stopping
from ...ranking._attach import Attachment, get_attachment, set_attachment
from ...ranking._data import RankingData
from ...ranking._groups import Groups
from ...ranking._validation import as_list, as_vector
from .._import import import_booster
from .parameters import METRIC_NAMES as METRIC_NAMES
from .parameters import MIN_CHILD_HESSIAN as MIN_CHILD_HESSIAN
from .parameters import OBJECTIVE_NAMES as OBJECTIVE_NAMES
from .parameters import check_parameters as check_parameters

xgb = import_booster("xgboost")

DATASET = xgb.DMatrix
#: The factor on the Hessian of XGBoost's own ranking objectives.
HESSIAN_SCALE = 2.0
#: Whether early stopping can follow the first metric of several.
STOPS_BY_FIRST_METRIC = False
#: XGBoost's metrics, without the part of a name after @.
# fmt: off
NATIVE_METRICS = frozenset((
    "ndcg", "map", "pre", "auc", "aucpr", "rmse", "rmsle", "mae", "mape", "mphe", "quantile", "expectile", "logloss",
    "error", "merror", "mlogloss", "poisson-nloglik", "gamma-nloglik", "gamma-deviance", "tweedie-nloglik",
    "cox-nloglik", "aft-nloglik", "interval-regression-accuracy",
))
# fmt: on


# How the names begin of the metrics that XGBoost's early stopping maximises without being told.
_MAXIMISED = ("auc", "pre", "map", "ndcg")
_NO_DIRECTION = (
    "early stopping needs maximize=True or maximize=False: whether larger values of the last metric are better is not "
    "known"
)


def read_dataset(dataset: Any) -> RankingData:
    """Read labels, groups and weights of a DMatrix; its weights are query weights.

    Raises
    ------
    ValueError
        If it has no groups or no labels, or if its weights are not one per query.
    """
    labels, groups = read_groups(dataset)
    attached = (get_attachment(dataset) or Attachment()).given()
    weight = dataset.get_weight()
    if weight.size not in (0, groups.n_queries):
        raise ValueError(
            f"the DMatrix has {weight.size} weights for {groups.n_queries} queries: XGBoost's weights are query "
            "weights; give weights of rows as attach(dataset, item_weight=)"
        )
    query_weight = as_vector(weight, "the DMatrix's weight") if weight.size else None
    return RankingData(labels, groups, query_weight=query_weight, **attached)


def version(dataset: Any) -> tuple[int, Attachment | None]:
    """Return the number of changes by the DMatrix's setters since the first call, and the attachment.

    As long as both are the same, the dataset need not be read again. XGBoost copies the labels whenever they are read.
    For 10M rows, this takes longer than a GPU takes for the gradients of all pairs.
    """
    if dataset not in _CHANGES:
        _CHANGES[dataset] = 0
        for name in _SETTERS:
            setattr(dataset, name, _counted(dataset, name))
    return _CHANGES[dataset], get_attachment(dataset)


_CHANGES: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
_SETTERS = ("set_label", "set_weight", "set_group", "set_float_info", "set_float_info_npy2d", "set_uint_info")


def _counted(dataset: Any, name: str) -> Callable[..., None]:
    """Return a setter of the DMatrix that also counts its calls."""
    owner = weakref.ref(dataset)  # a strong reference would keep the dataset alive in a cycle
    setter = getattr(type(dataset), name)

    @wraps(getattr(dataset, name))
    def count(*args: Any, **kwargs: Any) -> None:
        matrix = owner()
        try:
            setter(matrix, *args, **kwargs)
        finally:  # counted after the call: what is read during the call has to be read again
            _CHANGES[matrix] += 1

    return count


def read_groups(dataset: Any) -> tuple[NDArray[Any], Groups]:
    """Read labels and groups of a DMatrix; a ValueError if it has none."""
    labels = as_vector(dataset.get_label(), "the DMatrix's label")
    ptr = dataset.get_uint_info("group_ptr")
    attached = get_attachment(dataset)
    if attached is not None and attached.pairs is not None:  # explicit pairs need neither
        labels = labels if labels.size else np.zeros(dataset.num_row(), dtype=np.float32)
        ptr = ptr if ptr.size else np.array([0, labels.size])
    if ptr.size == 0:
        raise ValueError(
            "the DMatrix has no query groups, and a ranking objective needs them: xgboost.DMatrix(X, label=y, "
            "group=sizes) or (..., qid=ids) with the rows of each query together"
        )
    if labels.size == 0 and dataset.num_row() > 0:
        raise ValueError("the DMatrix has no labels: xgboost.DMatrix(X, label=...)")
    return labels, Groups.from_ptr(ptr, labels.shape[0])


def metric_result(name: str, value: float, maximize: bool) -> tuple[str, float]:
    """Return a metric's value in the form that ``custom_metric`` returns it."""
    return name, value


def check_trainable(dataset: Any) -> None:
    """Do nothing: XGBoost has no parameter that silently breaks a custom objective."""


def check_evaluable(dataset: Any) -> None:
    """Do nothing: metrics do not harm a training of XGBoost."""


def number_of_rows(dataset: Any) -> int | None:
    """Return the number of rows of a DMatrix."""
    return int(dataset.num_row())


def training_device() -> int | None:
    """Return the CUDA device on which the calling Booster trains; None if it trains on the CPU, or there is none.

    The device of the Booster decides where gradients are computed. But XGBoost passes only predictions on the host and
    a DMatrix to a custom objective, and neither refers to the device. Therefore the Booster is taken from the call
    stack.
    """
    booster = _caller(xgb.Booster)
    return None if booster is None else ordinal_of(booster)


def _caller(kind: type) -> Any:
    """Return the object of a type whose method is on the call stack; None if there is none."""
    # Start at the caller: a frame whose locals contain the frame itself keeps the locals of all its callers alive.
    frame = sys._getframe(1)
    while frame is not None:
        if "self" in frame.f_code.co_varnames:  # reading the locals of a frame keeps them alive for a while
            caller = frame.f_locals.get("self")
            if isinstance(caller, kind):
                return caller
        frame = frame.f_back  # type: ignore[assignment]
    return None


def check_names(dataset: Any, names: list[str]) -> None:
    """Raise a ValueError if XGBoost evaluates a metric of one of the names, too: it would mix the values of both."""
    container = _caller(xgb.callback.CallbackContainer)
    if container is None or container.history:  # the first round tells
        return
    booster = _caller(xgb.Booster)
    if booster is None:
        return
    evaluated = {metric["name"] for metric in json.loads(booster.save_config())["learner"].get("metrics", ())}
    for name in names:
        if name in evaluated:
            raise ValueError(
                f"XGBoost evaluates {name}, too, and would mix the values of both: leave it out of the parameter "
                'eval_metric, or set "disable_default_eval_metric"'
            )


def check_direction(name: str, maximize: bool) -> None:
    """Warn if XGBoost's early stopping is about to guess the direction of a metric, the last one of several, wrongly.

    XGBoost tells a metric nothing about its callbacks. Therefore they are taken from the call stack. After the first
    round they have a direction.
    """
    container = _caller(xgb.callback.CallbackContainer)
    for callback in () if container is None else container.callbacks:
        if (
            isinstance(callback, xgb.callback.EarlyStopping)
            and callback.maximize is None
            and callback.metric_name in (None, name)
            and name.startswith(_MAXIMISED) != maximize
        ):
            better, worse = ("larger", "minimise") if maximize else ("smaller", "maximise")
            warnings.warn(
                f"{better} values of {name} are better, but XGBoost's early stopping is about to {worse} it: give "
                f"maximize={maximize} to xgboost.train or EarlyStopping, or call gbdt_pairloss.train",
                UserWarning,
                stacklevel=2,
            )


def ordinal_of(booster: Any) -> int | None:
    """Return the number of the CUDA device on which a Booster computes; None for the CPU."""
    name, _, ordinal = device_of(booster).partition(":")
    return int(ordinal or 0) if name == "cuda" else None


def device_of(booster: Any) -> str:
    """Return the name of the device on which a Booster computes: "cpu", "cuda:0", and so on."""
    device: str = json.loads(booster.save_config())["learner"]["generic_param"]["device"]
    return device


def number_of_threads(dataset: Any) -> Any:
    """Return the number of threads that the DMatrix was given; it has no reference to its Booster."""
    return getattr(dataset, "nthread", None)


def follow_cuts(dataset: Any) -> None:
    """Make ``slice`` of a DMatrix, which ``xgboost.cv`` calls, also slice the attachment.

    A slice holds no reference to its parent.
    """
    parent = weakref.ref(dataset)  # a strong reference would keep the dataset alive in a cycle
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


def is_native_metric(name: str) -> bool:
    """Return whether XGBoost has a metric of this name."""
    return name.partition("@")[0].rstrip("-") in NATIVE_METRICS


def at_ranks(params: dict[str, Any], metrics: list[Any]) -> list[Any]:
    """Return the metrics unchanged: XGBoost has no parameter for ranks."""
    return metrics


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
    """Call ``xgboost.cv`` on the folds, with slices that keep groups and weights."""
    _set_parameters(params, objective, native, evaluate, kwargs)
    if kwargs.get("early_stopping_rounds") is not None:
        if evaluate is not None and maximize is None:  # XGBoost would guess it by the name, and mostly minimise
            raise ValueError(_NO_DIRECTION)
        kwargs["maximize"] = maximize
    sliced = dataset.slice
    sizes, weights = np.diff(dataset.get_uint_info("group_ptr").astype(np.int64)), dataset.get_weight()
    query = np.repeat(np.arange(sizes.size), sizes)

    def slice(rindex: Any) -> Any:
        result = sliced(rindex, allow_groups=True)
        queries = np.unique(query[rindex])
        result.set_group(sizes[queries])
        if weights.size:
            result.set_weight(weights[queries])
        return result

    before = vars(dataset).get("slice")
    dataset.slice = slice
    try:
        return xgb.cv(params, dataset, num_boost_round, folds=folds, custom_metric=evaluate, **kwargs)
    finally:
        del dataset.slice
        if before is not None:
            dataset.slice = before


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
    """Call ``xgboost.train``."""
    _set_parameters(params, objective, native, evaluate, kwargs)
    callbacks = as_list(kwargs.pop("callbacks", None))
    if stopping is not None:
        if stopping.maximize is None and stopping.metric is None:
            raise ValueError(_NO_DIRECTION)
        callbacks.append(
            xgb.callback.EarlyStopping(
                rounds=stopping.rounds,
                metric_name=stopping.metric,
                data_name=stopping.set_name,
                maximize=stopping.maximize,
            )
        )
    kwargs.setdefault("verbose_eval", False)
    return xgb.train(
        params, dataset, num_boost_round, evals=evals, custom_metric=evaluate, callbacks=callbacks or None, **kwargs
    )


def _set_parameters(
    params: dict[str, Any], objective: Any, native: list[Any], evaluate: Any, kwargs: dict[str, Any]
) -> None:
    """Set the objective and the metrics among the parameters and the arguments."""
    if callable(objective):
        params.setdefault("objective", "rank:pairwise")
        params.setdefault("base_score", 0.0)
        kwargs["obj"] = objective
    elif objective is not None:
        params["objective"] = objective
    if native:
        params["eval_metric"] = native
    elif evaluate is not None or callable(objective):
        params.setdefault("disable_default_eval_metric", True)

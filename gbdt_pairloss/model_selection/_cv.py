"""Cross-validation of a booster's training that keeps queries whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ..metrics import METRICS, Feval, Metric, feval
from ..objectives import NESTED, PairwiseObjective, as_pairwise, get_objective, objective_names
from ..ranking._adapter import Adapter, adapter_of
from ..ranking._groups import Groups, IntArray
from ..ranking._validation import as_list

#: The rows of one fold's training and test set.
Fold = tuple[IntArray, IntArray]


def cv(
    params: dict[str, Any],
    dataset: Any,
    num_boost_round: int = 100,
    *,
    folds: Any = None,
    nfold: int = 5,
    shuffle: bool = True,
    seed: int = 0,
    **kwargs: Any,
) -> Any:
    """The booster's own ``cv``, on folds of whole queries.

    ``lightgbm.cv`` with a callable objective cuts queries, ``xgboost.cv`` loses the weights of queries; this does
    neither. What is attached to the dataset goes along. Our metrics go by name, as the booster's own do, and early
    stopping knows their direction. With an objective of ours and no metric, its own loss is evaluated.

    Parameters
    ----------
    params : dict
        The booster's parameters; ``"objective"`` may be one of our objectives, or its name, for XGBoost, too, with
        ``"objective__temperature"`` and the like.
    dataset : lightgbm.Dataset or xgboost.DMatrix
        With groups. XGBoost cuts no QuantileDMatrix.
    num_boost_round : int, default=100
        Rounds of each training.
    folds : iterable of (train rows, test rows), or splitter of scikit-learn, optional
        Splitters such as ``GroupKFold`` are given the queries as groups.
    nfold : int, default=5
        Number of folds where ``folds`` are not given: as many queries in each, as far as possible.
    shuffle : bool, default=True
        Draw the queries of each fold; False: in their order.
    seed : int, default=0
        What they are drawn by.
    **kwargs
        Passed on: ``feval=``, ``callbacks=``, ``return_cvbooster=`` of ``lightgbm.cv``; ``obj=``, ``custom_metric=``,
        ``early_stopping_rounds=``, ``maximize=`` of ``xgboost.cv``.

    Returns
    -------
    results : dict or DataFrame
        What the booster's own ``cv`` returns: mean and standard deviation of each metric over the folds, per round.

    Raises
    ------
    TypeError
        If ``dataset`` is no booster's dataset, ``folds`` are neither pairs nor a splitter, or the booster's ``cv`` has
        no such argument.
    ValueError
        If the dataset has no groups, there are fewer queries than folds, a fold of the caller's cuts a query, the
        objective is given twice, or a parameter ``objective__...`` is given with the booster's own.
    """
    adapter = adapter_of(dataset)
    if adapter is None:
        raise TypeError(f"cv takes a lightgbm.Dataset or an xgboost.DMatrix, got a {type(dataset).__name__}")
    labels, groups = adapter.read_groups(dataset)
    whole = _drawn(groups, nfold, shuffle, seed) if folds is None else _checked(folds, labels, groups)
    params = dict(params)
    objective = _take_objective(adapter, params, kwargs)
    native, evaluations = _take_metrics(adapter, params, kwargs, objective if as_pairwise(objective) else None)
    evaluate = None if not evaluations else _Evaluations(tuple(evaluations))
    maximize = _direction(evaluations[-1]) if evaluations else None
    return adapter.cross_validate(
        params, dataset, num_boost_round, whole, objective, native, evaluate, maximize, **kwargs
    )


def _take_objective(adapter: Adapter, params: dict[str, Any], kwargs: dict[str, Any]) -> Any:
    """The objective, taken out of the parameters, with its own parameters."""
    given = [params.pop(name) for name in adapter.OBJECTIVE_NAMES if params.get(name) is not None]
    function = [kwargs.pop(name) for name in ("obj", "fobj") if kwargs.get(name) is not None]
    if function and given and isinstance(given[0], str) and as_pairwise(given[0]) is None:
        params["objective"] = given.pop()  # XGBoost's name of the model that a callable trains
    if len(given) + len(function) > 1:
        raise ValueError(f"the objective is given twice: {given[0]!r} and {(*given[1:], *function)[0]!r}")
    chosen = next(iter((*given, *function)), None)
    objective = as_pairwise(chosen)
    nested = {name: params.pop(name) for name in list(params) if name.startswith(NESTED)}
    if not nested:
        return chosen if objective is None else objective
    if objective is None:
        raise ValueError(f"{next(iter(nested))}: the objective {chosen!r} is the booster's own")
    return clone(objective).set_params(**{name[len(NESTED) :]: value for name, value in nested.items()})


def _take_metrics(
    adapter: Adapter, params: dict[str, Any], kwargs: dict[str, Any], objective: PairwiseObjective | None
) -> tuple[list[Any], list[Any]]:
    """The metrics, taken out of the parameters: the booster's own, and callables of predictions and a dataset."""
    asked = [metric for name in adapter.METRIC_NAMES for metric in as_list(params.pop(name, None))]
    if kwargs.get("metrics") is not None:
        asked += as_list(kwargs.pop("metrics"))
    asked = [part.strip() for metric in asked for part in (metric.split(",") if isinstance(metric, str) else [metric])]
    evaluations = [f for name in ("feval", "custom_metric") for f in as_list(kwargs.pop(name, None))]
    native = []
    for metric in asked:
        name = metric.partition("@")[0] if isinstance(metric, str) else ""
        ours_wins = objective is not None or not adapter.is_native_metric(str(metric))
        if objective is not None and metric == objective.name:
            evaluations.append(objective.metric)
        elif name in objective_names():
            evaluations.append(get_objective(name).metric)
        elif isinstance(metric, Metric) or (name in METRICS and ours_wins):
            evaluations.append(feval(metric))
        else:
            native.append(metric)
    if objective is not None and not native and not evaluations:
        evaluations = [objective.metric]
    return native, evaluations


@dataclass(frozen=True)
class _Evaluations:
    """Several metrics as one."""

    functions: tuple[Any, ...]

    def __call__(self, preds: Any, dataset: Any) -> list[Any]:
        results = [function(preds, dataset) for function in self.functions]
        return [one for result in results for one in (result if isinstance(result, list) else [result])]


def _direction(evaluation: Any) -> bool | None:
    """Whether larger is better; None where nobody knows."""
    if isinstance(evaluation, Feval):
        return evaluation.metrics[-1].maximize
    return False if isinstance(getattr(evaluation, "__self__", None), PairwiseObjective) else None


def _drawn(groups: Groups, nfold: int, shuffle: bool, seed: int) -> list[Fold]:
    """As many folds of whole queries."""
    if not isinstance(nfold, Integral) or not 2 <= nfold <= groups.n_queries:
        raise ValueError(f"nfold must be from 2 to the number of queries, {groups.n_queries}; got {nfold!r}")
    queries = np.arange(groups.n_queries)
    if shuffle:
        queries = np.random.default_rng(seed).permutation(queries)
    fold_of_query = np.empty(groups.n_queries, dtype=np.int64)
    for fold, members in enumerate(np.array_split(queries, nfold)):
        fold_of_query[members] = fold
    fold_of_row = fold_of_query[groups.codes]
    return [(np.flatnonzero(fold_of_row != fold), np.flatnonzero(fold_of_row == fold)) for fold in range(nfold)]


def _checked(folds: Any, labels: NDArray[Any], groups: Groups) -> list[Fold]:
    """The caller's folds, with each query's rows together as they are in the dataset."""
    if hasattr(folds, "split"):
        folds = folds.split(np.empty((groups.n_rows, 0)), labels, groups.codes)
    if not isinstance(folds, Iterable):
        raise TypeError(f"folds must be (train rows, test rows) for each fold, or a splitter; got {folds!r}")
    checked = []
    for number, (train, test) in enumerate(folds):
        if any(np.asarray(rows).dtype == bool for rows in (train, test)):
            raise ValueError(f"folds[{number}] is a mask; it takes the numbers of rows, numpy.flatnonzero(mask)")
        parts = np.sort(np.asarray(train, dtype=np.int64)), np.sort(np.asarray(test, dtype=np.int64))
        for rows, part in zip(parts, ("training", "test"), strict=True):
            if rows.size == 0 or rows[0] < 0 or rows[-1] >= groups.n_rows or (np.diff(rows) == 0).any():
                raise ValueError(
                    f"folds[{number}]: the {part} rows must be different ones from 0 to {groups.n_rows - 1}, at least "
                    "one"
                )
            taken = np.bincount(groups.codes[rows], minlength=groups.n_queries)
            cut = np.flatnonzero((taken > 0) & (taken < groups.sizes))
            if cut.size:
                query = int(cut[0])
                raise ValueError(
                    f"folds[{number}] cuts {groups.name(query)}: {taken[query]} of its {groups.sizes[query]} rows are "
                    f"in the {part} part ({cut.size} such queries); split by queries, as GroupKFold does"
                )
        checked.append(parts)
    if not checked:
        raise ValueError("folds is empty")
    return checked

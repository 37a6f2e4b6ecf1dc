"""Cross-validation of a booster's training on folds of whole queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ..metrics import METRICS, Feval, Metric, feval
from ..objectives import RankingObjective
from ..objectives._registry import NESTED, as_pairwise, get_objective, objective_names
from ..ranking._adapter import NATIVE, Adapter, adapter_of
from ..ranking._groups import Groups, IntArray
from ..ranking._validation import as_list

#: The rows of the training set and of the test set of one fold.
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
    maximize: bool | None = None,
    **kwargs: Any,
) -> Any:
    """Run the booster's ``cv`` on folds of whole queries.

    With a callable objective, ``lightgbm.cv`` splits queries, and ``xgboost.cv`` loses the weights of queries. This
    function does neither, and each fold has its part of the dataset's attachment. Metrics of this package are given by
    name, like native ones, and early stopping uses their direction.

    Parameters
    ----------
    params : dict
        The booster's parameters. For both boosters, ``"objective"`` may be an objective of this package or its name,
        with parameters such as ``"objective__temperature"``.
    dataset : lightgbm.Dataset or xgboost.DMatrix
        A dataset with groups. XGBoost cannot slice a QuantileDMatrix.
    num_boost_round : int, default=100
        Number of rounds of each training.
    folds : iterable of (train rows, test rows), or splitter of scikit-learn, optional
        A splitter such as ``GroupKFold`` gets the queries as groups.
    nfold : int, default=5
        Number of folds if ``folds`` is not given. Their numbers of queries differ by at most 1.
    shuffle : bool, default=True
        Whether to draw the queries of each fold at random. False: in the order of the dataset.
    seed : int, default=0
        Seed of the draw, used if ``shuffle`` is True.
    maximize : bool, optional
        Whether larger values of the last metric are better, for XGBoost's early stopping by a custom metric. The
        direction of other metrics is known.
    **kwargs
        Other arguments of the booster's ``cv``, such as ``feval=``, ``callbacks=``, ``return_cvbooster=`` of
        ``lightgbm.cv``; ``obj=``, ``custom_metric=``, ``early_stopping_rounds=`` of ``xgboost.cv``.

    Returns
    -------
    results : dict or DataFrame
        The result of the booster's ``cv``: mean and standard deviation of each metric over the folds, per round.

    Raises
    ------
    TypeError
        If ``dataset`` is not a booster's dataset, ``folds`` are neither pairs nor a splitter, or the booster's ``cv``
        does not have such an argument.
    ValueError
        If the dataset has no groups, there are fewer queries than folds, a given fold splits a query, the objective is
        given twice, a parameter ``objective__...`` is given with a native objective, or ``maximize`` is needed and not
        given, or contradicts the metric.

    See Also
    --------
    make_ranking_scorer : Make a scorer, for scikit-learn's cross-validation of rankers and pipelines.
    gbdt_pairloss.attach : Item weights, masks and explicit pairs beside a booster's dataset.
    gbdt_pairloss.metrics.get_metric : Make a metric by name.

    Notes
    -----
    If the objective is one of this package and no metric is given, the loss of the objective is evaluated. A name that
    the booster and this package have means the metric of this package; ``native:`` before it means the booster's.
    """
    adapter = adapter_of(dataset)
    if adapter is None:
        raise TypeError(f"cv takes a lightgbm.Dataset or an xgboost.DMatrix, got a {type(dataset).__name__}")
    labels, groups = adapter.read_groups(dataset)
    whole = _draw_folds(groups, nfold, shuffle, seed) if folds is None else _check_folds(folds, labels, groups)
    params = dict(params)
    objective = _take_objective(adapter, params, kwargs)
    if as_pairwise(objective) is not None:
        adapter.check_parameters(params)
    native, evaluations = _take_metrics(adapter, params, kwargs, objective if as_pairwise(objective) else None)
    evaluate = None if not evaluations else _Evaluations(tuple(evaluations))
    if evaluations:
        known = _direction(evaluations[-1])
        if None not in (known, maximize) and known != maximize:
            better = "larger" if known else "smaller"
            raise ValueError(f"maximize={maximize}, but {better} values of {_name(evaluations[-1])} are better")
        maximize = known if maximize is None else maximize
    return adapter.cross_validate(
        params, dataset, num_boost_round, whole, objective, native, evaluate, maximize, **kwargs
    )


def _take_objective(adapter: Adapter, params: dict[str, Any], kwargs: dict[str, Any]) -> Any:
    """Remove the objective and its parameters from the arguments, and return it."""
    given = [params.pop(name) for name in adapter.OBJECTIVE_NAMES if params.get(name) is not None]
    function = [kwargs.pop(name) for name in ("obj", "fobj") if kwargs.get(name) is not None]
    if function and given and isinstance(given[0], str) and as_pairwise(given[0]) is None:
        params["objective"] = given.pop()  # XGBoost's name of the model that is trained with a callable
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
    adapter: Adapter, params: dict[str, Any], kwargs: dict[str, Any], objective: RankingObjective | None
) -> tuple[list[Any], list[Any]]:
    """Remove the metrics from the arguments; return the native ones, and callables ``(predictions, dataset)``."""
    asked = [metric for name in adapter.METRIC_NAMES for metric in as_list(params.pop(name, None))]
    if kwargs.get("metrics") is not None:
        asked += as_list(kwargs.pop("metrics"))
    asked = [part.strip() for metric in asked for part in (metric.split(",") if isinstance(metric, str) else [metric])]
    asked = adapter.at_ranks(params, asked)
    evaluations = [f for name in ("feval", "custom_metric") for f in as_list(kwargs.pop(name, None))]
    native = []
    for metric in asked:
        name = metric.partition("@")[0] if isinstance(metric, str) else ""
        if objective is not None and metric == objective.name:
            evaluations.append(objective.metric)
        elif name in objective_names():
            evaluations.append(get_objective(name).metric)
        elif isinstance(metric, Metric) or name in METRICS:
            evaluations.append(feval(metric))
        else:
            native.append(metric.removeprefix(NATIVE) if isinstance(metric, str) else metric)
    if objective is not None and not native and not evaluations:
        evaluations = [objective.metric]
    return native, evaluations


@dataclass(frozen=True)
class _Evaluations:
    """Several metrics as one callable."""

    functions: tuple[Any, ...]

    def __call__(self, preds: Any, dataset: Any) -> list[Any]:
        results = [function(preds, dataset) for function in self.functions]
        return [one for result in results for one in (result if isinstance(result, list) else [result])]


def _direction(evaluation: Any) -> bool | None:
    """Return whether larger values of an evaluation are better; None if that is unknown."""
    if isinstance(evaluation, Feval):
        return evaluation.metrics[-1].maximize
    return False if isinstance(getattr(evaluation, "__self__", None), RankingObjective) else None


def _name(evaluation: Any) -> str:
    """Return the name of an evaluation in messages."""
    if isinstance(evaluation, Feval):
        return repr(evaluation.metrics[-1].name)
    return repr(getattr(evaluation, "__name__", type(evaluation).__name__))


def _draw_folds(groups: Groups, nfold: int, shuffle: bool, seed: int) -> list[Fold]:
    """Draw ``nfold`` folds of whole queries."""
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


def _check_folds(folds: Any, labels: NDArray[Any], groups: Groups) -> list[Fold]:
    """Check the caller's folds; return them with rows in the order of the dataset, so that queries stay together."""
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
                    f"folds[{number}] splits {groups.name(query)}: {taken[query]} of its {groups.sizes[query]} rows "
                    f"are in the {part} part ({cut.size} such queries); split by queries, as GroupKFold does"
                )
        checked.append(parts)
    if not checked:
        raise ValueError("folds is empty")
    return checked

"""Cross-validation of a booster's training on folds of whole queries."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ranking._adapter import adapter_of
from ..ranking._groups import Groups, IntArray
from ._arguments import resolved_direction, take_arguments

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
    objective, metrics = take_arguments(adapter, params, kwargs)
    # The boosters' cv evaluates its own metrics first, and XGBoost's early stopping follows the last one.
    if metrics.evaluations:
        maximize = resolved_direction(metrics.evaluations[-1], maximize)
    return adapter.cross_validate(
        params, dataset, num_boost_round, whole, objective, metrics.native, metrics.evaluate, maximize, **kwargs
    )


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

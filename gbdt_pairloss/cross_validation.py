"""Cross-validation of a booster's training that keeps queries whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .adapters import adapter_of
from .groups import Groups, IntArray
from .objectives import as_pairwise

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
    neither. What is attached to the dataset goes along. With an objective of ours and no metric, its own loss is
    evaluated.

    Parameters
    ----------
    params : dict
        The booster's parameters; ``"objective"`` may be one of our objectives, or its name, for XGBoost, too.
    dataset : lightgbm.Dataset or xgboost.DMatrix
        With groups.
    num_boost_round : int, default=100
    folds : iterable of (train rows, test rows), or splitter of scikit-learn, optional
        Splitters such as ``GroupKFold`` are given the queries as groups.
    nfold : int, default=5
        Number of folds where ``folds`` are not given: as many queries in each, as far as possible.
    shuffle : bool, default=True
        Draw the queries of each fold; False: in their order.
    seed : int, default=0
        What they are drawn by.
    **kwargs
        Passed on: ``feval=``, ``callbacks=``, ``return_cvbooster=`` of ``lightgbm.cv``; ``custom_metric=``,
        ``early_stopping_rounds=``, ``maximize=`` of ``xgboost.cv``.

    Returns
    -------
    results : dict or DataFrame
        What the booster's own ``cv`` returns: mean and standard deviation of each metric over the folds, per round.

    Raises
    ------
    TypeError
        If ``dataset`` is no booster's dataset.
    ValueError
        If it has no groups, there are fewer queries than folds, or a fold of the caller's cuts a query.
    """
    adapter = adapter_of(dataset)
    if adapter is None:
        raise TypeError(f"cv takes a lightgbm.Dataset or an xgboost.DMatrix, got a {type(dataset).__name__}")
    labels, groups = adapter.read_groups(dataset)
    whole = _drawn(groups, nfold, shuffle, seed) if folds is None else _checked(folds, labels, groups)
    params = dict(params)
    objective = as_pairwise(params.get("objective"))
    if objective is not None:
        params["objective"] = objective
    return adapter.cross_validate(params, dataset, num_boost_round, whole, **kwargs)


def _drawn(groups: Groups, nfold: int, shuffle: bool, seed: int) -> list[Fold]:
    """As many folds of whole queries."""
    if not 2 <= nfold <= groups.n_queries:
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
    return checked

"""phi, the factor of a pair's weight that depends on its labels and, for |delta NDCG|, on its ranks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._gains import gains_of
from ._groups import IntArray
from ._validation import Float64Array

#: Names that ``pair_weight`` accepts; it also accepts a callable.
PAIR_WEIGHTS = ("auto", "uniform", "label_diff", "gain_diff", "ndcg", "lambdarank")

#: Pair weights that depend on the current ranking.
DELTA_WEIGHTS = ("ndcg", "lambdarank")

# The largest grade: with exponential gains, NDCG of LightGBM and XGBoost supports no larger ones.
_LARGEST_GRADE = 31

#: Largest number of weights of a callable ``pair_weight`` in all tables together: 1 GiB.
MOST_WEIGHTS = 2**27

# Of queries with more distinct labels, weights are not kept for other queries, which will hardly have the same labels.
_MOST_SHARED_LABELS = 256


def are_grades(labels: NDArray[Any]) -> bool:
    """Return whether all labels are grades: whole numbers from 0 to 31. If so, "auto" is "ndcg", else "uniform"."""
    within = labels.min(initial=0.0) >= 0 and labels.max(initial=0.0) <= _LARGEST_GRADE
    return bool(within and (labels == np.floor(labels)).all())


def checked_gains(labels: Float64Array, gain: str, for_ndcg: bool) -> Float64Array:
    """Return the gain of each label; see :func:`gains_of`.

    Raises
    ------
    ValueError
        If a gain is not finite; with ``for_ndcg``, if a label is negative.
    """
    if for_ndcg and labels.min(initial=0.0) < 0:
        raise ValueError(
            f"NDCG has no gain for the negative label {labels.min()}: shift the labels, let the objective ignore such "
            'rows (ignore_negative_labels=True), or use pair_weight="label_diff"'
        )
    values = gains_of(labels, gain)
    if not np.isfinite(values).all():
        raise ValueError(f'gain="exp2" overflows for the label {labels.max()}; use gain="linear"')
    return values


def value_function(pair_weight: Any, gain: str) -> Callable[[Float64Array], Float64Array] | None:
    """Return the function from labels to the values whose differences are phi; None if phi is not a difference."""
    if pair_weight == "label_diff":
        return lambda labels: labels
    if pair_weight == "gain_diff" or pair_weight in DELTA_WEIGHTS:
        return partial(checked_gains, gain=gain, for_ndcg=pair_weight != "gain_diff")
    return None


@dataclass(frozen=True, eq=False)
class LabelWeights:
    """phi of all pairs of distinct labels of each query, computed by a callable.

    ``phi = table[row[winner] + column[loser]]``

    Attributes
    ----------
    table : float64 array
        One table for each distinct set of labels that a query has, concatenated. The rows of a table are winner labels,
        its columns loser labels, both in descending order.
    row : int64 array of shape (n_positions,)
        Index in ``table`` where the row of the position's label begins.
    column : int64 array of shape (n_positions,)
        Column of the position's label: its rank among the distinct labels of the query, 0 for the largest.
    """

    table: Float64Array
    row: IntArray
    column: IntArray


def label_weights(
    weight_of: Callable[[float, float], float],
    labels: Float64Array,
    ptr: IntArray,
    run_begin: IntArray,
    name_of: Callable[[int], str],
) -> LabelWeights:
    """Evaluate a callable for the distinct labels of each query, only once for equal pairs of labels.

    Parameters
    ----------
    weight_of : callable
        ``(label of the winner, label of the loser) -> weight``.
    labels, ptr, run_begin : arrays
        Those of a plan: labels are in descending order in each query.
    name_of : callable
        The name of a query in messages.

    Returns
    -------
    LabelWeights

    Raises
    ------
    ValueError
        If there are more than ``MOST_WEIGHTS``, or a weight is not a finite number of at least 0.
    """
    n = labels.shape[0]
    query = np.repeat(np.arange(ptr.shape[0] - 1), np.diff(ptr))
    begins_run = run_begin == np.arange(n)
    runs_before = np.concatenate(([0], np.cumsum(begins_run)))
    column = runs_before[1:] - 1 - runs_before[ptr[query]]
    n_labels = runs_before[ptr[1:]] - runs_before[ptr[:-1]]
    distinct = labels[begins_run]
    computed: dict[tuple[float, float], float] = {}
    table_begin: dict[bytes, int] = {}
    tables: list[NDArray[Any]] = []
    size = 0
    begin_of_query = np.zeros(ptr.shape[0] - 1, dtype=np.int64)
    for q in np.flatnonzero(n_labels).tolist():
        query_labels = distinct[runs_before[ptr[q]] : runs_before[ptr[q + 1]]]
        key = query_labels.tobytes()
        if key not in table_begin:
            if size + query_labels.size**2 > MOST_WEIGHTS:
                raise ValueError(
                    "a callable pair_weight is evaluated for every pair of distinct labels of a query: "
                    f"{name_of(q)}, of {query_labels.size} labels, takes their number above {MOST_WEIGHTS:,}; round "
                    'the labels, or use pair_weight="label_diff" or "gain_diff"'
                )
            table_begin[key] = size
            tables.append(_table(weight_of, query_labels.tolist(), computed))
            size += tables[-1].size
        begin_of_query[q] = table_begin[key]
    row = begin_of_query[query] + column * n_labels[query]
    return LabelWeights(np.concatenate([np.empty(0), *(t.ravel() for t in tables)]), row, column)


def _table(
    weight_of: Callable[[float, float], float], labels: list[float], computed: dict[tuple[float, float], float]
) -> Float64Array:
    """Return the table of the pairs of labels in descending order; ``computed`` keeps weights across tables."""
    table = np.zeros((len(labels), len(labels)))
    if len(labels) > _MOST_SHARED_LABELS:
        for i, winner in enumerate(labels):
            table[i, i + 1 :] = [_checked_weight(weight_of(winner, loser), winner, loser) for loser in labels[i + 1 :]]
        return table
    for i, winner in enumerate(labels):
        for j in range(i + 1, len(labels)):
            pair = (winner, labels[j])
            if pair not in computed:
                computed[pair] = _checked_weight(weight_of(*pair), *pair)
            table[i, j] = computed[pair]
    return table


def _checked_weight(weight: Any, winner: float, loser: float) -> float:
    if type(weight) is float and 0.0 <= weight < math.inf:
        return weight
    where = f"pair_weight of the labels {winner:g} (winner) and {loser:g} (loser) is {weight!r}"
    if not np.isscalar(weight) and np.ndim(weight) != 0:
        raise ValueError(f"{where}; it must be one number")
    try:
        number = float(weight)
    except (TypeError, ValueError):
        raise ValueError(f"{where}; it must be a number") from None
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{where}; it must be finite and not negative")
    return number

"""What a pair weighs by its labels: phi, before all weights that are given."""

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

#: The names that ``pair_weight`` takes, beside a callable.
PAIR_WEIGHTS = ("uniform", "label_diff", "gain_diff", "ndcg", "lambdarank")

#: Those that depend on the ranking.
DELTA_WEIGHTS = ("ndcg", "lambdarank")

#: A callable is evaluated for every pair of distinct labels of a query.
MOST_LABELS = 256


def checked_gains(labels: Float64Array, gain: str, for_ndcg: bool) -> Float64Array:
    """Return the gain of each label; see :func:`gains_of`.

    Raises
    ------
    ValueError
        If a gain is not finite, or below 0 where NDCG is made of them.
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
    """Labels to the values whose differences weigh the pairs; None where there are none."""
    if pair_weight == "label_diff":
        return lambda labels: labels
    if pair_weight == "uniform" or callable(pair_weight):
        return None
    return partial(checked_gains, gain=gain, for_ndcg=pair_weight != "gain_diff")


@dataclass(frozen=True, eq=False)
class LabelWeights:
    """phi of every pair of distinct labels of each query, from a callable.

    Attributes
    ----------
    table : float64 array
        The tables of all sets of labels that queries have, one after another: winner label by loser label, in
        descending order.
    row : int64 array of shape (n_positions,)
        Where the row of the position's label, as that of a winner, begins in ``table``.
    column : int64 array of shape (n_positions,)
        The number of the position's label in its query, from the largest: phi = table[row of winner + column of loser].
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
    """Evaluate a callable for the distinct labels of each query; once for each pair of labels of the whole.

    Parameters
    ----------
    weight_of : callable
        ``(label of the winner, label of the loser) -> weight``.
    labels, ptr, run_begin
        Of a plan: labels in descending order within each query.
    name_of : callable
        A query's name for messages.

    Raises
    ------
    ValueError
        If a query has more than 256 distinct labels, or a weight is no finite number from 0.
    """
    n = labels.shape[0]
    query = np.repeat(np.arange(ptr.shape[0] - 1), np.diff(ptr))
    begins = run_begin == np.arange(n)
    count = np.concatenate(([0], np.cumsum(begins)))
    column = count[1:] - 1 - count[ptr[query]]
    n_labels = count[ptr[1:]] - count[ptr[:-1]]
    if (n_labels > MOST_LABELS).any():
        first = int(np.flatnonzero(n_labels > MOST_LABELS)[0])
        raise ValueError(
            f"{name_of(first)} has {n_labels[first]} distinct labels, and a callable pair_weight is evaluated for "
            f'every pair of them: at most {MOST_LABELS}. Round them, or use pair_weight="label_diff" or "gain_diff"'
        )
    distinct = labels[begins]
    known: dict[tuple[float, float], float] = {}
    begin_of: dict[bytes, int] = {}
    tables: list[NDArray[Any]] = []
    size = 0
    begin = np.zeros(ptr.shape[0] - 1, dtype=np.int64)
    for q in np.flatnonzero(n_labels).tolist():
        own = distinct[count[ptr[q]] : count[ptr[q + 1]]]
        key = own.tobytes()
        if key not in begin_of:
            begin_of[key] = size
            tables.append(_table(weight_of, own.tolist(), known))
            size += tables[-1].size
        begin[q] = begin_of[key]
    row = begin[query] + column * n_labels[query]
    return LabelWeights(np.concatenate([np.empty(0), *(t.ravel() for t in tables)]), row, column)


def _table(
    weight_of: Callable[[float, float], float], labels: list[float], known: dict[tuple[float, float], float]
) -> Float64Array:
    """The weights of the pairs of some labels, in descending order."""
    table = np.zeros((len(labels), len(labels)))
    for i, winner in enumerate(labels):
        for j in range(i + 1, len(labels)):
            pair = (winner, labels[j])
            if pair not in known:
                known[pair] = _checked(weight_of(*pair), *pair)
            table[i, j] = known[pair]
    return table


def _checked(weight: Any, winner: float, loser: float) -> float:
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

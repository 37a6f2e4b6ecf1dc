"""Rows of all queries, ranked at once: best first within each query, with the runs of equal scores."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..ranking._data import RankingData
from ..ranking._groups import IntArray
from ..ranking._validation import Float64Array


class Ranking(NamedTuple):
    """The rows that take part, query by query, best first; a run is a stretch of rows that no score tells apart.

    Attributes
    ----------
    row : int64 array of shape (n,)
        The caller's row at each position.
    ptr : int64 array of shape (n_queries + 1,)
        The position where each query starts, and the end.
    run_ptr : int64 array of shape (n_runs + 1,)
        The position where each run starts, and the end.
    first_run : int64 array of shape (n_queries + 1,)
        The run that each query starts with, and the number of runs.
    """

    row: IntArray
    ptr: IntArray
    run_ptr: IntArray
    first_run: IntArray


def rank_rows(data: RankingData, key: NDArray[Any], ties: str = "average") -> Ranking:
    """Rank the rows by ``key`` (scores, or labels for the ideal order), largest first, equal keys in row order.

    With ties="order" every row is a run of its own: what is an expectation over the orders of a run is then the plain
    metric of the one order that is left.
    """
    groups = data.groups
    row = np.arange(groups.n_rows, dtype=np.int64) if data.mask is None else np.flatnonzero(data.mask)
    sizes = rows_per_query(data)
    ptr = np.concatenate(([0], np.cumsum(sizes)))
    if not groups.contiguous:
        row = row[compiled().gather_queries(groups.codes[row], ptr)]
    ranked_key = key[row].astype(np.float64, copy=False)
    runs = compiled().sort_queries(ptr, int(sizes.max(initial=0)), ranked_key, row, ties != "order")
    return Ranking(row, ptr, *runs)


def rows_per_query(data: RankingData) -> IntArray:
    """How many rows of each query take part."""
    if data.mask is None:
        return data.groups.sizes
    return np.bincount(data.groups.codes[data.mask], minlength=data.groups.n_queries)


def ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> Float64Array:
    """numerator / denominator, and NaN (the metric is undefined) where the denominator is 0."""
    out = np.full(denominator.shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def ranks_within(k: int | None, ranking: Ranking) -> int:
    """``k`` for a kernel: the first ranks that count, all of them without a cut."""
    n = ranking.row.size
    return n if k is None else min(int(k), n)


def compiled() -> Any:
    """The kernels; imported when first called for, so that importing the package does not import Numba."""
    from . import _kernels

    return _kernels

"""The ranking of all queries' rows: best first within each query, with the runs of equal scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..engine.cpu.native import native
from ..ranking._data import RankingData
from ..ranking._groups import IntArray
from ..ranking._validation import Float64Array
from . import _definition
from ._definition import Ranking


def rank_rows(data: RankingData, key: NDArray[Any], ties: str = "average") -> Ranking:
    """Rank the rows by ``key``: scores, or labels for the ideal order; largest first, equal keys in row order.

    With ties="order" every run is a single row. An expectation over the orders of a run's rows is then the metric of
    the only order.
    """
    groups = data.groups
    row = np.arange(groups.n_rows, dtype=np.int64) if data.mask is None else np.flatnonzero(data.mask)
    sizes = rows_per_query(data)
    ptr = np.concatenate(([0], np.cumsum(sizes)))
    if not groups.contiguous:
        row = row[kernels().gather_queries(groups.codes[row], ptr)]
    ranked_key = key[row].astype(np.float64, copy=False)
    runs = kernels().sort_queries(ptr, ranked_key, row, ties != "order")
    return Ranking(row, ptr, *runs)


def rows_per_query(data: RankingData) -> IntArray:
    """Return the number of rows of each query that take part."""
    if data.mask is None:
        return data.groups.sizes
    return np.bincount(data.groups.codes[data.mask], minlength=data.groups.n_queries)


def ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> Float64Array:
    """Return numerator / denominator, or NaN (the metric is undefined) where the denominator is 0."""
    out = np.full(denominator.shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def ranks_within(k: int | None, ranking: Ranking) -> int:
    """Return the number of first ranks that count, in the form that kernels take; k=None: all ranks count."""
    n = ranking.row.size
    return n if k is None else min(int(k), n)


def kernels() -> Any:
    """Return the module of compiled kernels or, if the package is installed without them, their definition in NumPy."""
    module = native()
    return _definition if module is None else module.metrics

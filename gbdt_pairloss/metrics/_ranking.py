"""Rows of all queries, ranked at once: best first within each query, with the runs of equal scores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import RankingData
from ..groups import IntArray
from ..validation import Float64Array


@dataclass(frozen=True, eq=False)
class Ranking:
    """The rows that take part, query by query, best first; a run is a stretch of rows that no score tells apart.

    Attributes
    ----------
    row : int64 array of shape (n,)
        The caller's row at each position.
    query : int64 array of shape (n,)
        The query of each position.
    ptr : int64 array of shape (n_queries + 1,)
        Where each query starts, and the end.
    start, size : int64 arrays of shape (n_runs,)
        The first position of each run, and its number of rows.
    """

    row: IntArray
    query: IntArray
    ptr: IntArray
    start: IntArray
    size: IntArray

    @property
    def n_queries(self) -> int:
        return int(self.ptr.size - 1)

    @property
    def sizes(self) -> IntArray:
        """Rows of each query."""
        return np.diff(self.ptr)

    @cached_property
    def rank(self) -> IntArray:
        """The rank, from 1, of each position."""
        return np.arange(1, self.row.size + 1) - self.ptr[self.query]

    @cached_property
    def run_query(self) -> IntArray:
        """The query of each run."""
        return self.query[self.start]

    @cached_property
    def above(self) -> IntArray:
        """How many rows of its query stand above each run."""
        return self.start - self.ptr[self.run_query]

    def run_sum(self, values: NDArray[Any]) -> Float64Array:
        """The sum over each run of one value per position."""
        total: Float64Array = np.add.reduceat(values.astype(np.float64, copy=False), self.start)
        return total

    def query_sum(self, run_values: NDArray[Any]) -> Float64Array:
        """The sum over each query of one value per run."""
        total = np.bincount(self.run_query, weights=run_values, minlength=self.n_queries)
        return total.astype(np.float64, copy=False)  # int64 where there are no runs

    def in_top(self, k: int | None) -> IntArray:
        """How many rows of each run stand in the first ``k`` ranks of their query."""
        if k is None:
            return self.size
        return np.clip(k - self.above, 0, self.size)


def rank_rows(data: RankingData, key: NDArray[Any], ties: str = "average") -> Ranking:
    """Rank the rows by ``key`` (scores, or labels for the ideal order), largest first, equal keys in row order.

    With ties="order" every row is a run of its own: what is an expectation over the orders of a run is then the plain
    metric of the one order that is left.
    """
    groups = data.groups
    if data.mask is None:
        row = np.lexsort((-key, groups.codes))
        sizes = groups.sizes
    else:
        kept = np.flatnonzero(data.mask)
        row = kept[np.lexsort((-key[kept], groups.codes[kept]))]
        sizes = rows_per_query(data)
    ptr = np.concatenate(([0], np.cumsum(sizes)))
    query = np.repeat(np.arange(groups.n_queries), sizes)
    if ties == "order":
        start = np.arange(row.size)
    else:
        ranked = key[row]
        new = np.ones(row.size, dtype=np.bool_)
        new[1:] = (ranked[1:] != ranked[:-1]) | (query[1:] != query[:-1])
        start = np.flatnonzero(new)
    return Ranking(row=row, query=query, ptr=ptr, start=start, size=np.diff(start, append=row.size))


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


def spread(sizes: IntArray) -> tuple[IntArray, IntArray]:
    """For segments of these sizes laid end to end: each place's segment, and its offset in it (from 0)."""
    segment = np.repeat(np.arange(sizes.size), sizes)
    return segment, np.arange(segment.size) - (np.cumsum(sizes) - sizes)[segment]


def running_product(factors: Float64Array, offset: IntArray) -> Float64Array:
    """The product of each segment's factors up to and including each place; ``offset`` counts from 0 in a segment.

    By doubling: log2(longest segment) passes. Sums of logarithms would lose digits to the segments before, and
    log(0) to itself.
    """
    product = np.array(factors)
    longest = int(offset.max(initial=-1)) + 1
    step = 1
    while step < longest:
        reach = np.flatnonzero(offset >= step)
        product[reach] *= product[reach - step]
        step *= 2
    return product

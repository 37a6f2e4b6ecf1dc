"""Kernels of the metrics in NumPy: the definition of the compiled ones, and their substitute where there are none.

Each function has its equal in ``engine/cpu/metrics.cpp``. Expectations are over all orders of a run's rows: each row
has each of the run's ranks with the same probability. ``hit`` tells for each position whether it holds a relevant row.
``k`` is the number of ranks that count.

DCG and average precision are summed by ``np.bincount``, which adds in the order of the positions, as the compiled loops
do: the DCG of a right order and the ideal DCG come to the same number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..ranking._groups import IntArray
from ..ranking._validation import Float64Array

BoolArray = NDArray[np.bool_]

# Pairs of up to this many rows are compared one by one.
_COMPARED = 64


class Ranking(NamedTuple):
    """The rows that take part, query by query and best first, in runs of equally scored rows.

    A position is an index into ``row``. A run is a stretch of positions whose rows have equal scores.

    Attributes
    ----------
    row : int64 array of shape (n,)
        Number of the caller's row at each position.
    ptr : int64 array of shape (n_queries + 1,)
        The first position of each query, and ``n`` at the end.
    run_ptr : int64 array of shape (n_runs + 1,)
        The first position of each run, and ``n`` at the end.
    first_run : int64 array of shape (n_queries + 1,)
        The first run of each query, and ``n_runs`` at the end.
    """

    row: IntArray
    ptr: IntArray
    run_ptr: IntArray
    first_run: IntArray


class _Positions(NamedTuple):
    """Arrays of one entry for each position of a ranking."""

    query: IntArray
    run: IntArray
    rank: IntArray  # within the query, from 0
    begin: IntArray  # first position of the run
    size: IntArray  # rows of the run

    @classmethod
    def of(cls, ranking: Ranking) -> _Positions:
        query, run = _numbers(ranking.ptr), _numbers(ranking.run_ptr)
        position = np.arange(ranking.row.size)
        return cls(query, run, position - ranking.ptr[query], ranking.run_ptr[run], np.diff(ranking.run_ptr)[run])


def _numbers(ptr: IntArray) -> IntArray:
    """Return, for each position, the number of the query or run that it belongs to."""
    return np.repeat(np.arange(ptr.size - 1), np.diff(ptr))


def _total(number: IntArray, values: NDArray[Any], ptr: IntArray) -> Float64Array:
    """Sum ``values`` by query or run, in order."""
    return np.bincount(number, values, minlength=ptr.size - 1).astype(np.float64, copy=False)


def _relevant(ranking: Ranking, hit: BoolArray) -> IntArray:
    """Count the relevant rows of each query."""
    return np.bincount(_numbers(ranking.ptr)[hit], minlength=ranking.ptr.size - 1)


def _first_hits(ranking: Ranking, hit: BoolArray) -> Iterator[tuple[int, int, int, int]]:
    """Yield, for each query with a relevant row, its number and the first run with one.

    The run is given by its rows, its relevant rows, and the rows above it.
    """
    hits = np.bincount(_numbers(ranking.run_ptr)[hit], minlength=ranking.run_ptr.size - 1)
    runs = np.flatnonzero(hits)
    queries, first = np.unique(_numbers(ranking.first_run)[runs], return_index=True)
    for q, run in zip(queries.tolist(), runs[first].tolist(), strict=True):
        begin, end = ranking.run_ptr[run], ranking.run_ptr[run + 1]
        yield q, int(end - begin), int(hits[run]), int(begin - ranking.ptr[q])


def sort_queries(ptr: IntArray, key: Float64Array, row: IntArray, average: bool) -> tuple[IntArray, IntArray]:
    """Sort ``key`` and ``row`` within each query, in place; return ``run_ptr`` and ``first_run`` of the Ranking.

    The largest key comes first, equal keys stay in order. With ``average`` a run is a stretch of equal keys, without it
    a single row.
    """
    query = _numbers(ptr)
    order = np.lexsort((-key, query))
    key[:], row[:] = key[order], row[order]
    starts = np.ones(key.size, bool)
    if average:
        starts[1:] = (key[1:] != key[:-1]) | (query[1:] != query[:-1])
    run_ptr = np.append(np.flatnonzero(starts), key.size)
    return run_ptr, np.searchsorted(run_ptr[:-1], ptr)


def gather_queries(codes: IntArray, ptr: IntArray) -> IntArray:
    """Return the positions of ``codes``, query by query; within a query they stay in order."""
    return np.argsort(codes, kind="stable")


def dcg(ranking: Ranking, gain: Float64Array, discount: Float64Array) -> Float64Array:
    """Compute the expected DCG from the ``gain`` of each position and the ``discount`` of each rank that counts."""
    at = _Positions.of(ranking)
    expected = _total(at.run, gain, ranking.run_ptr)[at.run] / at.size
    counts = at.rank < discount.size
    return _total(at.query[counts], expected[counts] * discount[at.rank[counts]], ranking.ptr)


def err(ranking: Ranking, stop: Float64Array, k: int) -> Float64Array:
    """Compute expected reciprocal rank; ``stop[p]``: the probability that a user who reaches position p stops there."""
    values = np.full(ranking.ptr.size - 1, np.nan)
    for q in range(values.size):
        own = stop[ranking.ptr[q] : ranking.ptr[q + 1]]
        if (own > 0).any():
            top = own[:k]
            reach = np.cumprod(np.append(1.0, 1.0 - top))[:-1]
            values[q] = (reach * top / np.arange(1, top.size + 1)).sum()
    return values


def average_precision(ranking: Ranking, hit: BoolArray, k: int) -> tuple[Float64Array, IntArray]:
    """Compute the expected sum of the precisions at the relevant rows' ranks, and the number of relevant rows.

    A row of a run with m rows, r of them relevant, is relevant with probability r/m. If it is, and ``offset`` rows of
    the run are above it, then offset (r - 1)/(m - 1) relevant rows of the run are expected above it (McSherry and
    Najork 2008, their equation for average precision).
    """
    at = _Positions.of(ranking)
    hits_before = np.append(0, np.cumsum(hit))
    relevant_above = hits_before[at.begin] - hits_before[ranking.ptr[at.query]]
    r = np.bincount(at.run[hit], minlength=ranking.run_ptr.size - 1)[at.run]
    offset = ranking.ptr[at.query] + at.rank - at.begin
    expected = relevant_above + 1 + offset * ((r - 1) / np.maximum(at.size - 1, 1))
    terms = r / at.size * (expected / (at.rank + 1))
    counts = at.rank < k
    return _total(at.query[counts], terms[counts], ranking.ptr), _relevant(ranking, hit)


def reciprocal_rank(ranking: Ranking, hit: BoolArray, k: int) -> Float64Array:
    """Compute the expected reciprocal rank of the first relevant row, 0 for ranks above ``k``; NaN without one.

    The first of a run's r relevant rows is at offset o with probability C(m - o - 1, r - 1) / C(m, r), m being the rows
    of the run. Each probability is computed from the one before by their ratio.
    """
    values = np.full(ranking.ptr.size - 1, np.nan)
    for q, m, r, above in _first_hits(ranking, hit):
        offset = np.arange(max(min(m - r + 1, k - above), 0))
        ratio = (m - r - offset[:-1]) / (m - offset[:-1] - 1)
        probability = np.cumprod(np.append(r / m, ratio))[: offset.size]
        values[q] = (probability / (above + 1 + offset)).sum()
    return values


def expected_hits(ranking: Ranking, hit: BoolArray, k: int) -> tuple[Float64Array, IntArray]:
    """Compute the expected number of relevant rows in the first ``k`` ranks, and the number of relevant rows."""
    query = _numbers(ranking.first_run)
    begin, end = ranking.run_ptr[:-1], ranking.run_ptr[1:]
    r = np.bincount(_numbers(ranking.run_ptr)[hit], minlength=begin.size)
    top = np.maximum(np.minimum(end, ranking.ptr[query] + k) - begin, 0)
    # The product first: exact where the run lies within the first k.
    return _total(query, r * top / (end - begin), ranking.ptr), _relevant(ranking, hit)


def hit_rate(ranking: Ranking, hit: BoolArray, k: int) -> Float64Array:
    """Compute the probability that the first ``k`` ranks hold a relevant row; NaN without a relevant row.

    The probability that none of a run's ranks up to ``k`` holds one of its relevant rows is hypergeometric.
    """
    values = np.full(ranking.ptr.size - 1, np.nan)
    for q, m, r, above in _first_hits(ranking, hit):
        offset = np.arange(max(min(m, k - above), 0))
        values[q] = 1.0 - np.prod(np.maximum(m - r - offset, 0) / (m - offset))
    return values


def compare_pairs(ranking: Ranking, label: Float64Array) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Count the pairs of different labels: those with the winner in a higher run, those within one run, and all.

    ``label`` has an entry for each position; the compiled kernel sorts it in place. The method is Knight's ("A computer
    method for calculating Kendall's tau with ungrouped data", JASA 61, 1966): with each run sorted by label, the pairs
    in the wrong order are those with the larger label behind.
    """
    query, run = _numbers(ranking.ptr), _numbers(ranking.run_ptr)
    label = label[np.lexsort((-label, run))]
    within_runs = _different_pairs(ranking.run_ptr, label)
    tied = _total(_numbers(ranking.first_run), within_runs, ranking.ptr)
    every = _different_pairs(ranking.ptr, label[np.lexsort((-label, query))]).astype(np.float64)
    bounds = zip(ranking.ptr[:-1], ranking.ptr[1:], strict=True)
    wrong = np.array([_ascending_pairs(label[begin:end]) for begin, end in bounds], np.float64)
    return every - tied - wrong, tied, every


def _different_pairs(ptr: IntArray, label: Float64Array) -> IntArray:
    """Count the pairs of different labels of each query or run; equal labels are adjacent."""
    number = _numbers(ptr)
    starts = np.ones(label.size, bool)
    starts[1:] = (label[1:] != label[:-1]) | (number[1:] != number[:-1])
    first = np.flatnonzero(starts)
    n_equal = np.diff(np.append(first, label.size))
    equal_pairs = np.zeros(ptr.size - 1, np.int64)
    np.add.at(equal_pairs, number[first], n_equal * (n_equal - 1) // 2)
    n: IntArray = np.diff(ptr)
    return n * (n - 1) // 2 - equal_pairs


def _ascending_pairs(label: Float64Array) -> int:
    """Count the pairs of which the one behind has the larger label, by halves."""
    if label.size <= _COMPARED:
        return int(np.triu(label[:, None] < label).sum())
    left, right = np.array_split(label, 2)
    across = int(np.searchsorted(np.sort(left), right).sum())
    return across + _ascending_pairs(left) + _ascending_pairs(right)


def rank_correlation(by_label: Ranking, by_score: Ranking, n_rows: int) -> Float64Array:
    """Compute Spearman's correlation; 0 if the scores are all equal, NaN if the labels are all equal."""
    x, y = _centred_ranks(by_label, n_rows)[by_label.row], _centred_ranks(by_score, n_rows)[by_label.row]
    query = _numbers(by_label.ptr)
    xy, xx, yy = (_total(query, values, by_label.ptr) for values in (x * y, x * x, y * y))
    values = np.where(xx > 0, 0.0, np.nan)
    both = (xx > 0) & (yy > 0)
    values[both] = np.clip(xy[both] / np.sqrt(xx[both] * yy[both]), -1.0, 1.0)
    return values


def _centred_ranks(ranking: Ranking, n_rows: int) -> Float64Array:
    """Compute each row's average rank less (n + 1) / 2, the mean rank of its query; NaN for other rows."""
    at = _Positions.of(ranking)
    middle = 0.5 * (ranking.ptr[at.query] + ranking.ptr[at.query + 1])
    centred = np.full(n_rows, np.nan)
    centred[ranking.row] = 0.5 * (2 * at.begin + at.size) - middle
    return centred

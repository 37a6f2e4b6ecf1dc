"""Labels to blocks: what every engine evaluates, built once per dataset.

Labels never change while a model trains, so all that follows from them is worked out once. Each query's rows are
sorted by label, descending. A block ``(a, b, c)`` says: every row of ``[a, b)`` beats every row of ``[b, c)``.
Splitting a query recursively at the label boundary nearest its middle covers every ordered pair exactly once:
binary labels are one block, five grades are four, n distinct labels are n - 1 in log2(n) levels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .data import RankingData
from .groups import IntArray
from .validation import Float64Array, check_finite


@dataclass(frozen=True, eq=False)
class Plan:
    """The rows that take part, sorted by query and descending label, with their weights.

    Position p of the plan is row ``rows[p]`` of the caller. Query q has the positions ``ptr[q]`` to ``ptr[q + 1]``;
    a query whose rows are all masked keeps its place and is empty.

    Attributes
    ----------
    n_rows : int
        Rows of the caller, those that take no part included.
    rows : int64 array of shape (n_positions,)
    ptr : int64 array of shape (n_queries + 1,)
    labels : float64 array of shape (n_positions,)
    winner_weight, loser_weight : float64 arrays of shape (n_positions,)
        A pair weighs the winner weight of its winner times the loser weight of its loser times the query weight.
    query_weight : float64 array of shape (n_queries,)
    values : float64 array of shape (n_positions,) or None
        phi of a pair is the difference of its rows' values; None: 1.
    """

    n_rows: int
    rows: IntArray
    ptr: IntArray
    labels: Float64Array
    winner_weight: Float64Array
    loser_weight: Float64Array
    query_weight: Float64Array
    values: Float64Array | None = None

    @property
    def n_queries(self) -> int:
        return int(self.ptr.shape[0]) - 1

    @cached_property
    def runs(self) -> tuple[IntArray, IntArray]:
        """Start and end of the run of equal labels that each position lies in."""
        return label_runs(self.labels, self.ptr)

    @cached_property
    def n_pairs(self) -> IntArray:
        """Ordered pairs of each query: rows with different labels."""
        # A row wins against all that come after its run of equal labels.
        losers = np.repeat(self.ptr[1:], np.diff(self.ptr)) - self.runs[1]
        # Sums of whole numbers as differences of a running total stay exact.
        total = np.concatenate(([0], np.cumsum(losers)))
        return np.asarray(total[self.ptr[1:]] - total[self.ptr[:-1]])

    @cached_property
    def sum_of_phi(self) -> Float64Array:
        """The sum of phi over the pairs of each query, before all weights."""
        if self.values is None:
            return self.n_pairs.astype(np.float64)
        # Each pair counts its winner's value + and its loser's -; equal values cancel, pairs or not.
        sizes = np.diff(self.ptr)
        query = np.repeat(np.arange(self.n_queries), sizes)
        rank = np.arange(self.rows.shape[0]) - self.ptr[query]
        terms = self._centred_values * (sizes[query] - 1 - 2 * rank)
        return np.bincount(query, terms, minlength=self.n_queries).astype(np.float64)

    @cached_property
    def pair_weights_won(self) -> Float64Array:
        """For each position, the sum over the rows that it beats of their loser weight times phi."""
        after = np.repeat(self.ptr[1:], np.diff(self.ptr))

        def lost(weight: Float64Array) -> Float64Array:
            total = np.concatenate(([0.0], np.cumsum(weight)))
            return np.asarray(total[after] - total[self.runs[1]])

        if self.values is None:
            return lost(self.loser_weight)
        value = self._centred_values
        return value * lost(self.loser_weight) - lost(self.loser_weight * value)

    def ideal_dcg(self, truncation: int | None) -> Float64Array:
        """The DCG of each query in the order of its labels, with the plan's values as gains, cut at ``truncation``."""
        if truncation not in self._ideal_dcg:
            assert self.values is not None
            query = np.repeat(np.arange(self.n_queries), np.diff(self.ptr))
            rank = np.arange(self.rows.shape[0]) - self.ptr[query]
            terms = self.values / np.log2(rank + 2)
            if truncation is not None:
                terms = np.where(rank < truncation, terms, 0.0)
            self._ideal_dcg[truncation] = np.bincount(query, terms, minlength=self.n_queries).astype(np.float64)
        return self._ideal_dcg[truncation]

    @cached_property
    def _ideal_dcg(self) -> dict[int | None, Float64Array]:
        """What ``ideal_dcg`` has worked out."""
        return {}

    @property
    def _centred_values(self) -> Float64Array:
        """Values from the query's smallest: their differences are what matters, and large values would cost digits."""
        assert self.values is not None
        sizes = np.diff(self.ptr)
        return self.values - np.repeat(self.values[np.maximum(self.ptr[1:] - 1, 0)], sizes)

    @cached_property
    def blocks(self) -> tuple[IntArray, IntArray]:
        """All blocks as an (n_blocks, 3) array, query by query, and where each query's blocks start."""
        levels = [np.stack(level, axis=1) for level in split_blocks(*self.runs, self.ptr)]
        blocks = np.concatenate(levels) if levels else np.empty((0, 3), dtype=np.int64)
        query = np.searchsorted(self.ptr, blocks[:, 0], side="right") - 1
        blocks = blocks[np.argsort(query, kind="stable")]
        return blocks, np.concatenate(([0], np.cumsum(np.bincount(query, minlength=self.n_queries))))

    def gather(self, values: NDArray[Any]) -> Float64Array:
        """The caller's values in plan order, as float64."""
        return values[self.rows].astype(np.float64, copy=False)

    def scatter(self, values: Float64Array) -> Float64Array:
        """Values in plan order back in the caller's order; rows that take no part get 0."""
        result = np.zeros(self.n_rows)
        result[self.rows] = values
        return result

    @cached_property
    def has_weighted_pair(self) -> bool:
        """Whether any pair has a weight above 0."""
        query = np.repeat(np.arange(self.n_queries), np.diff(self.ptr))
        losers = np.concatenate(([0], np.cumsum(self.loser_weight > 0)))
        weighted_losers = losers[self.ptr[query + 1]] - losers[self.runs[1]]
        return bool(np.any((weighted_losers > 0) & (self.winner_weight > 0) & (self.query_weight[query] > 0)))

    def check_scores(self, scores: NDArray[Any]) -> None:
        """Raise a ValueError that names the first row taking part whose score is not finite."""
        mask = None
        if self.rows.shape[0] != self.n_rows:
            mask = np.zeros(self.n_rows, dtype=np.bool_)
            mask[self.rows] = True
        check_finite(scores, "the score", mask)


def build_plan(
    data: RankingData,
    labels: NDArray[Any],
    mask: NDArray[np.bool_] | None,
    item_weight: str,
    value_of: Callable[[Float64Array], Float64Array] | None = None,
) -> Plan:
    """Sort the rows that take part and place their weights.

    Parameters
    ----------
    data : RankingData
        Groups and weights.
    labels : array of shape (n_rows,)
        The labels as the objective sees them.
    mask : bool array of shape (n_rows,) or None
        Rows that take part.
    item_weight : {"winner", "both"}
        Whether a pair weighs its winner's item weight, or the product of both items' weights.
    value_of : callable, optional
        Labels to the values whose differences are phi; increasing.
    """
    codes = data.groups.codes
    rows = np.arange(codes.shape[0], dtype=np.int64) if mask is None else np.flatnonzero(mask)
    # Stable: equal labels keep the caller's order, so that sums run in one order whatever the sort.
    rows = rows[np.lexsort((-labels[rows].astype(np.float64), codes[rows]))]
    sizes = np.bincount(codes[rows], minlength=data.groups.n_queries)
    winner_weight = _or_ones(data.item_weight, rows)
    loser_weight = _or_ones(data.loser_weight, rows)
    if item_weight == "both":
        loser_weight = loser_weight * winner_weight
    sorted_labels = labels[rows].astype(np.float64)
    return Plan(
        n_rows=data.groups.n_rows,
        rows=rows,
        ptr=np.concatenate(([0], np.cumsum(sizes))),
        labels=sorted_labels,
        winner_weight=winner_weight,
        loser_weight=loser_weight,
        query_weight=_or_ones(data.query_weight, np.arange(data.groups.n_queries)),
        values=None if value_of is None else value_of(sorted_labels),
    )


def label_runs(labels: NDArray[Any], ptr: IntArray) -> tuple[IntArray, IntArray]:
    """Start and end of each position's run of equal labels within its query.

    ``labels`` are sorted within the queries that ``ptr`` delimits.
    """
    n = labels.shape[0]
    if n == 0:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    first = np.empty(n, dtype=np.bool_)
    first[0] = True
    first[1:] = labels[1:] != labels[:-1]
    starts_of_queries = ptr[:-1]
    first[starts_of_queries[starts_of_queries < n]] = True
    starts = np.flatnonzero(first)
    lengths = np.diff(np.append(starts, n))
    return np.repeat(starts, lengths), np.repeat(starts + lengths, lengths)


def split_blocks(
    run_start: IntArray, run_end: IntArray, ptr: IntArray
) -> Iterator[tuple[IntArray, IntArray, IntArray]]:
    """Split every query at label boundaries, level by level: arrays a, b, c of the blocks of each level.

    The blocks of one level do not overlap.
    """
    a, c = ptr[:-1], ptr[1:]
    while True:
        some = c - a >= 2
        a, c = a[some], c[some]
        mixed = run_start[c - 1] > a  # the last row's run starts later than the first row: two labels at least
        a, c = a[mixed], c[mixed]
        if a.size == 0:
            return
        middle = (a + c) // 2
        before, after = run_start[middle], run_end[middle]
        b = np.where((before > a) & ((after >= c) | (middle - before <= after - middle)), before, after)
        yield a, b, c
        a, c = np.concatenate((a, b)), np.concatenate((b, c))


def _or_ones(weight: NDArray[Any] | None, rows: IntArray) -> Float64Array:
    return np.ones(rows.shape[0]) if weight is None else weight[rows].astype(np.float64)

"""Labels to pairs: what every engine sums over, built once per dataset.

Labels never change while a model trains, so all that follows from them is worked out once. Each query's rows are
sorted by label, descending: a row beats every row of its query that comes after its run of equal labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ._data import RankingData
from ._groups import IntArray, query_name
from ._validation import Float64Array, check_finite

Kind = TypeVar("Kind", bound="Plan")


@dataclass(frozen=True, eq=False)
class Plan:
    """The rows that take part, sorted by query and descending label, with their weights.

    Position p of the plan is row ``rows[p]`` of the caller. Query q has the positions ``ptr[q]`` to ``ptr[q + 1]``;
    a query whose rows are all masked keeps its place and is empty.

    Attributes
    ----------
    n_rows : int
        Rows of the caller, those that take no part included.
    rows : int32 or int64 array of shape (n_positions,)
    ptr : int64 array of shape (n_queries + 1,)
    labels : float64 array of shape (n_positions,)
    winner_weight, loser_weight : float64 arrays of shape (n_positions,)
        A pair weighs the winner weight of its winner times the loser weight of its loser times the query weight.
    query_weight : float64 array of shape (n_queries,)
    values : float64 array of shape (n_positions,) or None
        phi of a pair is the difference of its rows' values; None: 1.
    query_ids : array of shape (n_queries,) or None
        The caller's own ids, for messages.
    """

    n_rows: int
    rows: IntArray
    ptr: IntArray
    labels: Float64Array
    winner_weight: Float64Array
    loser_weight: Float64Array
    query_weight: Float64Array
    values: Float64Array | None = None
    query_ids: NDArray[Any] | None = None

    @property
    def n_queries(self) -> int:
        return int(self.ptr.shape[0]) - 1

    @cached_property
    def run_begin(self) -> IntArray:
        """The beginning of the run of equal labels that each position lies in; int32 where that will do."""
        ends, sizes = self._runs
        return np.repeat((ends - sizes).astype(self.run_end.dtype), sizes)

    @cached_property
    def run_end(self) -> IntArray:
        """The end of that run."""
        ends, sizes = self._runs
        return np.repeat(ends.astype(index_type(self.labels.shape[0])), sizes)

    @property
    def _runs(self) -> tuple[IntArray, IntArray]:
        """The ends of the runs of equal labels, and their sizes."""
        last = np.ones(self.labels.shape[0], dtype=np.bool_)  # of its run
        last[:-1] = self.labels[1:] != self.labels[:-1]
        last[self.ptr[1:][self.ptr[1:] > 0] - 1] = True
        ends = np.flatnonzero(last) + 1
        return ends, np.diff(ends, prepend=0)

    @cached_property
    def n_pairs(self) -> IntArray:
        """Ordered pairs of each query: rows with different labels."""
        # A row wins against all that come after its run of equal labels.
        losers = np.repeat(self.ptr[1:], np.diff(self.ptr)) - self.run_end
        # Sums of whole numbers as differences of a running total stay exact.
        total = np.concatenate(([0], np.cumsum(losers)))
        return np.asarray(total[self.ptr[1:]] - total[self.ptr[:-1]])

    @cached_property
    def sum_of_phi(self) -> Float64Array:
        """The sum of phi over the pairs of each query, before all weights."""
        if self.values is None:
            return self.n_pairs.astype(np.float64)
        # Each pair counts its winner's value + and its loser's -; equal values cancel, pairs or not.
        query, rank = self._query_and_rank()
        terms = self.centred_values * (np.diff(self.ptr)[query] - 1 - 2 * rank)
        return np.bincount(query, terms, minlength=self.n_queries).astype(np.float64)

    @cached_property
    def pair_weights_won(self) -> Float64Array:
        """For each position, the sum over the rows that it beats of their loser weight times phi."""
        after = np.repeat(self.ptr[1:], np.diff(self.ptr))

        def lost(weight: Float64Array) -> Float64Array:
            # In units of the query's largest: its digits must not drown in those of another query.
            largest = np.zeros(self.n_queries)
            query, _ = self._query_and_rank()
            np.maximum.at(largest, query, np.abs(weight))
            unit = np.where(largest > 0, largest, 1.0)[query]
            total = np.concatenate(([0.0], np.cumsum(weight / unit)))
            return np.asarray((total[after] - total[self.run_end]) * unit)

        if self.values is None:
            return lost(self.loser_weight)
        value = self.centred_values
        return value * lost(self.loser_weight) - lost(self.loser_weight * value)

    def ideal_dcg(self, truncation: int | None) -> Float64Array:
        """The DCG of each query in the order of its labels, with the plan's values as gains, cut at ``truncation``."""
        if truncation not in self._ideal_dcg:
            assert self.values is not None
            query, rank = self._query_and_rank()
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
    def query_of_positions(self) -> IntArray:
        """The query that each position lies in."""
        return np.repeat(np.arange(self.n_queries), np.diff(self.ptr))

    def _query_and_rank(self) -> tuple[IntArray, IntArray]:
        """The query of each position, and its rank by label in it, from 0."""
        query = self.query_of_positions
        return query, np.arange(self.rows.shape[0]) - self.ptr[query]

    @property
    def centred_values(self) -> Float64Array:
        """Values from the query's smallest: their differences are what matters, and large values would cost digits."""
        assert self.values is not None
        if self.values.size == 0:
            return self.values
        sizes = np.diff(self.ptr)
        return self.values - np.repeat(self.values[np.maximum(self.ptr[1:] - 1, 0)], sizes)

    @cached_property
    def largest_value(self) -> float:
        """The largest magnitude among the values."""
        return 0.0 if self.values is None else float(np.abs(self.values).max(initial=0.0))

    def of_queries(self, queries: IntArray) -> Plan:
        """The plan of some queries alone, for the same rows of the caller."""
        sizes = np.diff(self.ptr)[queries]
        ptr = np.concatenate(([0], np.cumsum(sizes)))
        positions = np.arange(ptr[-1]) + np.repeat(self.ptr[queries] - ptr[:-1], sizes)
        return replace(
            self,
            rows=self.rows[positions],
            ptr=ptr,
            labels=self.labels[positions],
            winner_weight=self.winner_weight[positions],
            loser_weight=self.loser_weight[positions],
            query_weight=self.query_weight[queries],
            values=None if self.values is None else self.values[positions],
            query_ids=None if self.query_ids is None else self.query_ids[queries],
        )

    def extended(self, cls: type[Kind], **more: Any) -> Kind:
        """This plan as one of another class, with what that has more."""
        return cls(**{field.name: getattr(self, field.name) for field in fields(Plan)}, **more)

    def query_name(self, query: int) -> str:
        """How to name a query in a message."""
        return query_name(query, self.query_ids)

    def gather(self, values: NDArray[Any]) -> Float64Array:
        """The caller's values in plan order, as float64."""
        return values[self.rows].astype(np.float64, copy=False)

    def scatter(self, values: Float64Array) -> Float64Array:
        """Values in plan order back in the caller's order; rows that take no part get 0."""
        result = np.zeros(self.n_rows)
        result[self.rows] = values
        return result

    @cached_property
    def has_row_weights(self) -> bool:
        """Whether any row has another weight than 1."""
        return bool((self.winner_weight != 1).any() or (self.loser_weight != 1).any())

    @cached_property
    def has_weighted_pair(self) -> bool:
        """Whether any pair has a weight above 0."""
        query = self.query_of_positions
        losers = np.concatenate(([0], np.cumsum(self.loser_weight > 0)))
        weighted_losers = losers[self.ptr[query + 1]] - losers[self.run_end]
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
    rows = rows.astype(index_type(data.groups.n_rows))
    winner_weight = _or_ones(data.item_weight, rows)
    loser_weight = _or_ones(data.loser_weight, rows)
    if item_weight == "both" and data.item_weight is not None:
        with np.errstate(over="ignore"):  # sums that leave the range are looked at
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
        query_ids=data.groups.ids,
    )


def index_type(size: int) -> type[np.signedinteger[Any]]:
    """The type of row numbers: half the memory, where it will do."""
    return np.int32 if size < 2**31 else np.int64


def _or_ones(weight: NDArray[Any] | None, rows: IntArray) -> Float64Array:
    if weight is None:
        return np.broadcast_to(np.float64(1.0), rows.shape)  # takes no memory
    return weight[rows].astype(np.float64)

"""The plan: the rows of a dataset sorted so that the pairs need not be listed. Engines sum over it.

Labels do not change during a training, so a plan is built once per dataset. The rows of each query are sorted by
descending label: a row beats every row of its query that comes after its run of equal labels.
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

    Position p of the plan is row ``rows[p]`` of the caller. Query q has the positions from ``ptr[q]`` to
    ``ptr[q + 1] - 1``. A query without rows that take part is kept as an empty query.

    Attributes
    ----------
    n_rows : int
        Number of the caller's rows, including rows that take no part.
    rows : int32 or int64 array of shape (n_positions,)
        The caller's row of each position.
    ptr : int64 array of shape (n_queries + 1,)
        Start of each query, and the end of the last query.
    labels : float64 array of shape (n_positions,)
        Labels, in descending order in each query.
    winner_weight, loser_weight : float64 arrays of shape (n_positions,)
        The weight of a pair is the winner weight of its winner times the loser weight of its loser times the query
        weight times phi.
    query_weight : float64 array of shape (n_queries,)
        Weight of each query.
    values : float64 array of shape (n_positions,) or None
        phi of a pair is the value of its winner minus the value of its loser. None: phi is 1.
    query_ids : array of shape (n_queries,) or None
        The caller's query ids, for messages; None if queries have no ids.
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
        """Number of queries, including empty ones."""
        return int(self.ptr.shape[0]) - 1

    @cached_property
    def run_begin(self) -> IntArray:
        """Start of each position's run of equal labels; int32 if that is large enough."""
        ends, sizes = self._runs
        return np.repeat((ends - sizes).astype(self.run_end.dtype), sizes)

    @cached_property
    def run_end(self) -> IntArray:
        """End of each position's run of equal labels: the first position after it."""
        ends, sizes = self._runs
        return np.repeat(ends.astype(index_type(self.labels.shape[0])), sizes)

    @property
    def _runs(self) -> tuple[IntArray, IntArray]:
        """The ends and the sizes of the runs of equal labels."""
        ends_run = np.ones(self.labels.shape[0], dtype=np.bool_)
        ends_run[:-1] = self.labels[1:] != self.labels[:-1]
        ends_run[self.ptr[1:][self.ptr[1:] > 0] - 1] = True
        ends = np.flatnonzero(ends_run) + 1
        return ends, np.diff(ends, prepend=0)

    @cached_property
    def n_pairs(self) -> IntArray:
        """Number of ordered pairs of each query, which are the pairs of rows with different labels."""
        losers = np.repeat(self.ptr[1:], np.diff(self.ptr)) - self.run_end
        # Differences of a running total are exact, because it sums whole numbers.
        total = np.concatenate(([0], np.cumsum(losers)))
        return np.asarray(total[self.ptr[1:]] - total[self.ptr[:-1]])

    @cached_property
    def sum_of_phi(self) -> Float64Array:
        """Sum of phi over the pairs of each query, without item and query weights."""
        if self.values is None:
            return self.n_pairs.astype(np.float64)
        # A pair adds the value of its winner and subtracts that of its loser. Equal labels have equal values, which
        # cancel, so the sum may include all pairs of rows: the value of rank r is added (size - 1 - r) times and
        # subtracted r times.
        query, rank = self._query_and_rank()
        terms = self.centred_values * (np.diff(self.ptr)[query] - 1 - 2 * rank)
        return np.bincount(query, terms, minlength=self.n_queries).astype(np.float64)

    @cached_property
    def pair_weights_won(self) -> Float64Array:
        """Sum of loser weight times phi over the rows that each position beats."""
        query_end = np.repeat(self.ptr[1:], np.diff(self.ptr))

        def sum_over_losers(weight: Float64Array) -> Float64Array:
            # Divided by the query's largest weight, so that a query of small weights keeps its digits in the total.
            largest = np.zeros(self.n_queries)
            query, _ = self._query_and_rank()
            np.maximum.at(largest, query, np.abs(weight))
            unit = np.where(largest > 0, largest, 1.0)[query]
            total = np.concatenate(([0.0], np.cumsum(weight / unit)))
            return np.asarray((total[query_end] - total[self.run_end]) * unit)

        if self.values is None:
            return sum_over_losers(self.loser_weight)
        value = self.centred_values
        return value * sum_over_losers(self.loser_weight) - sum_over_losers(self.loser_weight * value)

    def ideal_dcg(self, truncation: int | None) -> Float64Array:
        """Return the DCG of each query ranked by label, up to rank ``truncation``, with the plan's values as gains."""
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
        """Cached results of ``ideal_dcg``, by truncation."""
        return {}

    @property
    def query_of_positions(self) -> IntArray:
        """Query of each position."""
        return np.repeat(np.arange(self.n_queries), np.diff(self.ptr))

    def _query_and_rank(self) -> tuple[IntArray, IntArray]:
        """Return the query of each position, and its rank by label in the query, from 0."""
        query = self.query_of_positions
        return query, np.arange(self.rows.shape[0]) - self.ptr[query]

    @property
    def centred_values(self) -> Float64Array:
        """Values minus the smallest value of the query: the same differences, with fewer digits lost."""
        assert self.values is not None
        if self.values.size == 0:
            return self.values
        sizes = np.diff(self.ptr)
        return self.values - np.repeat(self.values[np.maximum(self.ptr[1:] - 1, 0)], sizes)

    @cached_property
    def largest_value(self) -> float:
        """Largest magnitude of the values; 0 without values."""
        return 0.0 if self.values is None else float(np.abs(self.values).max(initial=0.0))

    def positions_of(self, queries: IntArray) -> IntArray:
        """Return the positions of some queries, query by query."""
        sizes = np.diff(self.ptr)[queries]
        begin = np.cumsum(sizes) - sizes
        return np.asarray(np.arange(sizes.sum()) + np.repeat(self.ptr[queries] - begin, sizes))

    def of_queries(self: Kind, queries: IntArray) -> Kind:
        """Return the plan of some queries, in ascending order, for the same rows of the caller."""
        positions = self.positions_of(queries)
        return replace(
            self,
            rows=self.rows[positions],
            ptr=np.concatenate(([0], np.cumsum(np.diff(self.ptr)[queries]))),
            labels=self.labels[positions],
            winner_weight=self.winner_weight[positions],
            loser_weight=self.loser_weight[positions],
            query_weight=self.query_weight[queries],
            values=None if self.values is None else self.values[positions],
            query_ids=None if self.query_ids is None else self.query_ids[queries],
        )

    def times(self: Kind, factor: float) -> Kind:
        """Return the plan with all query weights multiplied by a factor above 0."""
        result = replace(self, query_weight=self.query_weight * factor)
        kept = {name: value for name, value in vars(self).items() if name in ("run_begin", "run_end")}
        vars(result).update(kept)  # large cached arrays that do not depend on query weights
        return result

    def extended(self, cls: type[Kind], **more: Any) -> Kind:
        """Return the plan as an object of a subclass, with the subclass's additional fields."""
        return cls(**{field.name: getattr(self, field.name) for field in fields(Plan)}, **more)

    def query_name(self, query: int) -> str:
        """Return the name of a query in messages."""
        return query_name(query, self.query_ids)

    def gather(self, values: NDArray[Any]) -> Float64Array:
        """Return the caller's values in plan order, as float64."""
        return values[self.rows].astype(np.float64, copy=False)

    def scatter(self, values: Float64Array) -> Float64Array:
        """Return values in the caller's order from values in plan order; rows that take no part get 0."""
        result = np.zeros(self.n_rows)
        result[self.rows] = values
        return result

    @cached_property
    def has_row_weights(self) -> bool:
        """True if any row has a winner or loser weight other than 1."""
        return bool((self.winner_weight != 1).any() or (self.loser_weight != 1).any())

    @cached_property
    def has_weighted_pair(self) -> bool:
        """True if any pair has a weight above 0."""
        query = self.query_of_positions
        losers = np.concatenate(([0], np.cumsum(self.loser_weight > 0)))
        weighted_losers = losers[self.ptr[query + 1]] - losers[self.run_end]
        return bool(np.any((weighted_losers > 0) & (self.winner_weight > 0) & (self.query_weight[query] > 0)))

    def check_scores(self, scores: NDArray[Any]) -> None:
        """Raise a ValueError that names the first row that takes part and has a score that is not finite."""
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
    """Build the plan: sort the rows that take part, with their weights.

    Parameters
    ----------
    data : RankingData
        Groups and weights.
    labels : array of shape (n_rows,)
        The labels that the objective uses.
    mask : bool array of shape (n_rows,) or None
        True for the rows that take part; None: all rows.
    item_weight : {"winner", "both"}
        Whether a pair is multiplied by its winner's item weight, or by the item weights of both rows.
    value_of : callable, optional
        An increasing function from labels to the values whose differences are phi; None: phi is 1.
    """
    codes = data.groups.codes
    rows = np.arange(codes.shape[0], dtype=np.int64) if mask is None else np.flatnonzero(mask)
    # lexsort is stable: rows with equal labels keep the caller's order, so the order of sums is determined.
    rows = rows[np.lexsort((-labels[rows].astype(np.float64), codes[rows]))]
    sizes = np.bincount(codes[rows], minlength=data.groups.n_queries)
    rows = rows.astype(index_type(data.groups.n_rows))
    winner_weight = _or_ones(data.item_weight, rows)
    loser_weight = _or_ones(data.loser_weight, rows)
    if item_weight == "both" and data.item_weight is not None:
        with np.errstate(over="ignore"):  # sums out of range are detected later
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
    """Return the dtype of row numbers below ``size``: int32, which needs half the memory, or int64."""
    return np.int32 if size < 2**31 else np.int64


def _or_ones(weight: NDArray[Any] | None, rows: IntArray) -> Float64Array:
    if weight is None:
        return np.broadcast_to(np.float64(1.0), rows.shape)  # a view that allocates one number
    return weight[rows].astype(np.float64)

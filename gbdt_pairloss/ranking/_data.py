"""What is ranked: labels, groups, weights and mask, checked once; objectives, metrics and rankers all read this."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._groups import Groups, IntArray
from ._pairs import Pairs
from ._validation import BoolArray, FloatArray, check_finite, check_weights


@dataclass(frozen=True, eq=False)
class RankingData:
    """Labels and all that goes with them, one entry per row in the caller's order.

    Attributes
    ----------
    labels : float array of shape (n_rows,)
    groups : Groups
    item_weight, loser_weight : float arrays of shape (n_rows,) or None
        Weight of a row as the winner of its pairs, and as their loser; None: 1.
    query_weight : float array of shape (n_queries,) or None
    mask : bool array of shape (n_rows,) or None
        False: the row takes no part, and nothing about it is looked at.
    item_id : int64 array of shape (n_rows,) or None
        Equal for rows of the same item.
    pairs : Pairs or None
        The pairs that count, in the place of those that the labels make.
    """

    labels: FloatArray
    groups: Groups
    item_weight: FloatArray | None = None
    loser_weight: FloatArray | None = None
    query_weight: FloatArray | None = None
    mask: BoolArray | None = None
    item_id: IntArray | None = None
    pairs: Pairs | None = None

    def __post_init__(self) -> None:
        n_rows, n_queries = self.groups.n_rows, self.groups.n_queries
        expected = {**dict.fromkeys(_ROW_ARRAYS, n_rows), "query_weight": n_queries}
        for name, length in expected.items():
            array = getattr(self, name)
            if array is not None and array.shape != (length,):
                unit = "queries" if name == "query_weight" else "rows"
                raise ValueError(f"{name} has {array.shape[0]} entries, but there are {length} {unit}")
        check_finite(self.labels, "the label", self.mask)
        if self.item_weight is not None:
            check_weights(self.item_weight, "the item weight", self.mask)
        if self.loser_weight is not None:
            check_weights(self.loser_weight, "the loser weight", self.mask)
        if self.query_weight is not None:
            check_weights(self.query_weight, "the query weight", unit="query")

    def evaluation_weight(self) -> NDArray[np.float64] | None:
        """How much each query counts in a mean over queries; None: all alike.

        The query's weight times the mean of its item weights, LightGBM's convention for its NDCG.
        """
        if self.query_weight is None and self.item_weight is None:
            return None
        weight = np.ones(self.groups.n_queries)
        if self.query_weight is not None:
            weight *= self.query_weight
        if self.item_weight is not None:
            weight *= self.groups.mean(self.item_weight, self.mask)
        return weight

    def grouped(self) -> RankingData:
        """The same data with each query's rows together, as boosters want them, and without empty queries.

        Row r of the result is the caller's row ``groups.order[r]``.
        """
        keep = self.groups.sizes > 0
        if self.groups.contiguous and keep.all():
            return self
        order = self.groups.order
        arrays: dict[str, Any] = {}
        for name in (*_ROW_ARRAYS, "query_weight"):
            array = getattr(self, name)
            if array is not None:
                arrays[name] = array[keep if name == "query_weight" else order]
        if self.pairs is not None:
            to = np.empty(order.shape[0], dtype=np.int64)
            to[order] = np.arange(order.shape[0])
            arrays["pairs"] = self.pairs.moved(to)
        ids = None if self.groups.ids is None else self.groups.ids[keep]
        groups = replace(Groups.from_sizes(self.groups.sizes[keep], self.groups.n_rows), ids=ids)
        return replace(self, groups=groups, **arrays)

    def take_queries(self, chosen: BoolArray) -> RankingData:
        """Some of the queries of data whose queries' rows stand together.

        Parameters
        ----------
        chosen : bool array of shape (n_queries,)
        """
        rows = np.flatnonzero(chosen[self.groups.codes])
        arrays: dict[str, Any] = {}
        for name in (*_ROW_ARRAYS, "query_weight"):
            array = getattr(self, name)
            if array is not None:
                arrays[name] = array[chosen if name == "query_weight" else rows]
        if self.pairs is not None:
            arrays["pairs"] = self.pairs.take(rows, self.groups.n_rows)
        ids = None if self.groups.ids is None else self.groups.ids[chosen]
        return replace(self, groups=replace(Groups.from_sizes(self.groups.sizes[chosen], rows.size), ids=ids), **arrays)

    def copy(self) -> RankingData:
        """A copy that no later change of the caller's arrays reaches."""
        arrays: dict[str, Any] = {name: getattr(self, name) for name in (*_ROW_ARRAYS, "query_weight")}
        copies: dict[str, Any] = {name: np.array(array) for name, array in arrays.items() if array is not None}
        return replace(self, **copies)  # pairs are copies already

    def equals(self, other: RankingData) -> bool:
        """Whether both hold the same numbers (by content, not by identity)."""
        if not np.array_equal(self.groups.sizes, other.groups.sizes):
            return False
        if not (self.groups.contiguous and other.groups.contiguous) and not np.array_equal(
            self.groups.codes, other.groups.codes
        ):
            return False
        if self.pairs != other.pairs:
            return False
        for name in (*_ROW_ARRAYS, "query_weight"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if (mine is None) != (theirs is None) or (mine is not None and not np.array_equal(mine, theirs)):
                return False
        return True


# What has one entry per row.
_ROW_ARRAYS = ("labels", "item_weight", "loser_weight", "mask", "item_id")

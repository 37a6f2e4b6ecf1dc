"""Checked labels, groups, weights and mask: the common input of objectives, metrics and rankers."""

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
    """Labels with their groups, weights, mask, item ids and pairs; rows are in the caller's order.

    Attributes
    ----------
    labels : float array of shape (n_rows,)
    groups : Groups
    item_weight, loser_weight : float arrays of shape (n_rows,) or None
        Weight of a row as the winner of its pairs, and as the loser of its pairs; None: 1.
    query_weight : float array of shape (n_queries,) or None
    mask : bool array of shape (n_rows,) or None
        Rows with False take no part, and their values are not read.
    item_id : int64 array of shape (n_rows,) or None
        Equal for rows that are the same item.
    pairs : Pairs or None
        Explicit pairs, which are used instead of the pairs that follow from the labels.
    label_columns : float array of shape (n_rows, n_columns) or None
        Several labels of each row, for sums of objectives. ``labels`` are those that metrics and the booster read.
    """

    labels: FloatArray
    groups: Groups
    item_weight: FloatArray | None = None
    loser_weight: FloatArray | None = None
    query_weight: FloatArray | None = None
    mask: BoolArray | None = None
    item_id: IntArray | None = None
    pairs: Pairs | None = None
    label_columns: FloatArray | None = None

    def __post_init__(self) -> None:
        n_rows, n_queries = self.groups.n_rows, self.groups.n_queries
        expected = {**dict.fromkeys(_ROW_ARRAYS, n_rows), "query_weight": n_queries}
        for name, length in expected.items():
            array = getattr(self, name)
            shape = () if array is None else array.shape[:1] if name == "label_columns" else array.shape
            if array is not None and shape != (length,):
                unit = "queries" if name == "query_weight" else "rows"
                given = "labels" if name == "label_columns" else name
                raise ValueError(f"{given} has {array.shape[0]} entries, but there are {length} {unit}")
        check_finite(self.labels, "the label", self.mask)
        if self.label_columns is not None:
            check_columns(self.label_columns, "the label", self.mask)
        if self.item_weight is not None:
            check_weights(self.item_weight, "the item weight", self.mask)
        if self.loser_weight is not None:
            check_weights(self.loser_weight, "the loser weight", self.mask)
        if self.query_weight is not None:
            check_weights(self.query_weight, "the query weight", unit="query")

    def evaluation_weight(self) -> NDArray[np.float64] | None:
        """Return the weight of each query in a mean over queries; None if all weigh the same.

        It is the query weight times the mean of the query's item weights, as in LightGBM's NDCG.
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
        """Return the data with contiguous queries, as the boosters require, and without empty queries.

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
            new_row = np.empty(order.shape[0], dtype=np.int64)
            new_row[order] = np.arange(order.shape[0])
            arrays["pairs"] = self.pairs.moved(new_row)
        ids = None if self.groups.ids is None else self.groups.ids[keep]
        groups = replace(Groups.from_sizes(self.groups.sizes[keep], self.groups.n_rows), ids=ids)
        return replace(self, groups=groups, **arrays)

    def take_queries(self, chosen: BoolArray) -> RankingData:
        """Return the data of some queries; the queries must be contiguous.

        Parameters
        ----------
        chosen : bool array of shape (n_queries,)
            True for the queries to keep.
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
        """Return a copy that is independent of the caller's arrays."""
        arrays: dict[str, Any] = {name: getattr(self, name) for name in (*_ROW_ARRAYS, "query_weight")}
        del arrays["label_columns"]  # like pairs, they were copied when they were attached
        copies: dict[str, Any] = {name: np.array(array) for name, array in arrays.items() if array is not None}
        return replace(self, **copies)

    def equals(self, other: RankingData) -> bool:
        """Return whether the other data have the same content."""
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
            if mine is theirs:
                continue
            if (mine is None) != (theirs is None) or (mine is not None and not np.array_equal(mine, theirs)):
                return False
        return True


def check_columns(columns: FloatArray, name: str, mask: BoolArray | None = None) -> None:
    """Raise a ValueError that names the first column and row of a label that is NaN or infinite."""
    if mask is None and np.isfinite(columns.min(initial=0.0)) and np.isfinite(columns.max(initial=0.0)):
        return
    for number in range(columns.shape[1]):
        check_finite(columns[:, number], f"{name} in column {number}", mask)


# Attributes with one entry per row.
_ROW_ARRAYS = ("labels", "item_weight", "loser_weight", "mask", "item_id", "label_columns")

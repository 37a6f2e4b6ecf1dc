"""What is ranked: labels, groups, weights and mask, checked once; objectives, metrics and rankers all read this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .groups import Groups, IntArray, item_codes, make_groups
from .pairs import Pairs, as_pairs
from .validation import BoolArray, FloatArray, as_array, as_mask, as_numeric, as_vector, check_finite, check_weights


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


class RankingInput(NamedTuple):
    """The arguments of ``loss``, ``gradient_hessian`` and the metrics, checked and flattened."""

    data: RankingData
    scores: FloatArray  # one per row, float32 or float64
    shape: tuple[int, ...]  # of y_pred: results go back into it
    sum_of_weights: float  # of sample_weight as given; the number of cells without


def read_arrays(
    y_true: Any,
    y_pred: Any,
    *,
    group: Any = None,
    qid: Any = None,
    sample_weight: Any = None,
    mask: Any = None,
    loser_weight: Any = None,
    item_id: Any = None,
    pairs: Any = None,
) -> RankingInput:
    """Check labels and scores given as arrays: 1-D with ``group`` or ``qid``, or 2-D with one list per row.

    A 1-D array without either is one list. Row numbers of ``pairs`` go through 2-D arrays list by list.

    Raises
    ------
    ValueError
        If shapes differ, groups, ids or pairs are malformed, or a label, score or weight that takes part is not finite.
    """
    if isinstance(y_true, Mapping):
        y_true, mask = _unpack(y_true, mask)
    scores = as_numeric(y_pred, "y_pred")
    labels = as_numeric(y_true, "y_true")
    if scores.ndim not in (1, 2):
        raise ValueError(f"y_pred has shape {scores.shape}; it must be 1-D, or 2-D with one list per row")
    if labels.shape != scores.shape:
        raise ValueError(f"y_true has shape {labels.shape}, but y_pred has shape {scores.shape}")
    shape = scores.shape
    if scores.ndim == 2:
        if group is not None or qid is not None:
            raise ValueError("2-D arrays have one list per row already: group and qid go with 1-D arrays only")
        groups = Groups.from_sizes(np.full(shape[0], shape[1]), scores.size)
    else:
        groups = make_groups(scores.size, group=group, qid=qid)
    taking_part = None if mask is None else as_mask(mask, "mask", shape)
    check_finite(labels, "y_true", taking_part)
    check_finite(scores, "y_pred", taking_part)
    item_weight, query_weight, total = _read_weights(sample_weight, shape, groups, taking_part)
    data = RankingData(
        labels=labels.ravel(),
        groups=groups,
        item_weight=item_weight,
        query_weight=query_weight,
        mask=None if taking_part is None else taking_part.ravel(),
        loser_weight=None if loser_weight is None else _flat(loser_weight, "loser_weight", shape, taking_part),
        item_id=None if item_id is None else item_codes(_flat_ids(item_id, shape), scores.size),
        pairs=None if pairs is None else as_pairs(pairs, scores.size),
    )
    return RankingInput(data, scores.ravel(), shape, total)


def split_weights(
    sample_weight: Any, groups: Groups, mask: BoolArray | None = None
) -> tuple[FloatArray | None, FloatArray | None]:
    """Tell item weights (one per row) from query weights (one per query): ``(item_weight, query_weight)``.

    Raises
    ------
    ValueError
        If the length fits neither, or there is one per query but the rows of a query are scattered, so that
        the order of the queries is not plain; if a weight is NaN, infinite or negative.
    """
    if sample_weight is None:
        return None, None
    weights = as_vector(sample_weight, "sample_weight")
    if weights.size == groups.n_rows:
        check_weights(weights, "sample_weight", mask)
        return weights, None
    if weights.size != groups.n_queries:
        raise ValueError(
            f"sample_weight has {weights.size} entries; it takes one per row ({groups.n_rows}) "
            f"or one per query ({groups.n_queries})"
        )
    if not groups.contiguous:
        raise ValueError(
            "sample_weight has one entry per query, but the rows of a query are scattered: "
            "give one weight per row, or put each query's rows together"
        )
    check_weights(weights, "sample_weight", unit="query")
    return None, weights


def _flat_ids(ids: Any, shape: tuple[int, ...]) -> Any:
    """Ids of lists one after another; a list of ids stays one, for an array may make "1" of 1."""
    if len(shape) == 1:
        return ids
    array = as_array(ids, "item_id", "give an array of the shape of the scores")
    if array.shape != shape:
        raise ValueError(f"item_id has shape {array.shape}, but the scores have shape {shape}")
    return array.reshape(-1)


def _flat(weights: Any, name: str, shape: tuple[int, ...], mask: BoolArray | None) -> FloatArray:
    """Weights of the shape of the scores, checked."""
    array = as_numeric(weights, name)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, but the scores have shape {shape}")
    check_weights(array, name, mask)
    return array.ravel()


def _unpack(y_true: Mapping[str, Any], mask: Any) -> tuple[Any, Any]:
    """KerasRS's form of masked labels, ``{"labels": ..., "mask": ...}``."""
    unknown = set(y_true) - {"labels", "mask"}
    if unknown or "labels" not in y_true:
        raise ValueError('y_true as a dictionary takes the keys "labels" and, if wanted, "mask"')
    if y_true.get("mask") is not None:
        if mask is not None:
            raise ValueError("mask is given twice: in y_true and as mask=")
        mask = y_true["mask"]
    return y_true["labels"], mask


def _read_weights(
    sample_weight: Any, shape: tuple[int, ...], groups: Groups, mask: BoolArray | None
) -> tuple[FloatArray | None, FloatArray | None, float]:
    """``sample_weight`` as item weights, query weights, and their sum as the caller gave them."""
    if sample_weight is None:
        return None, None, float(groups.n_rows)
    weights = as_numeric(sample_weight, "sample_weight")
    if weights.ndim == 0:
        check_weights(weights.reshape(1), "sample_weight")
        return None, np.full(groups.n_queries, weights, dtype=weights.dtype), float(weights)
    if len(shape) == 2:
        if weights.shape == shape:
            check_weights(weights, "sample_weight", mask)
            item_weight, query_weight = weights.ravel(), None
        elif weights.shape == (shape[0], 1):
            check_weights(weights, "sample_weight")
            item_weight, query_weight = None, weights.ravel()
        else:
            raise ValueError(
                f"sample_weight has shape {weights.shape}; with lists of shape {shape} it takes {shape} (one per row) "
                f"or {(shape[0], 1)} (one per list)"
            )
    else:
        item_weight, query_weight = split_weights(weights, groups, mask)
    with np.errstate(over="ignore"):  # who divides by it looks at it
        return item_weight, query_weight, float(weights.sum(dtype=np.float64))

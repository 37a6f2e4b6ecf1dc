"""Read and check the arguments of losses and metrics (``read_arrays``) and of ``fit`` and ``score`` (``read_rows``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import column_or_1d
from sklearn.utils.validation import _num_samples

from ._data import RankingData, check_columns
from ._groups import Groups, item_codes, make_groups
from ._pairs import as_pairs
from ._validation import (
    BoolArray,
    FloatArray,
    as_array,
    as_mask,
    as_numeric,
    as_vector,
    check_finite,
    check_weights,
    without_mask,
)

#: LightGBM replaces larger labels and weights, including infinite ones, with this value.
LARGEST_VALUE = 1e38

_LEAVES_OUT = " (mask= leaves rows out)"


class RankingInput(NamedTuple):
    """The arguments of ``loss``, ``gradient_hessian`` and the metrics, checked and flattened."""

    data: RankingData
    scores: FloatArray  # shape (n_rows,), float32 or float64
    shape: tuple[int, ...]  # the shape of y_pred, and of the results
    sum_of_weights: float  # the sum of sample_weight as given; the number of rows if it is None


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
    several_labels: bool = False,
) -> RankingInput:
    """Check labels and scores given as arrays: 1-D with ``group`` or ``qid``, or 2-D with one list per row.

    A 1-D array without either is one list. Rows whose label or score is masked (``numpy.ma``) take no part, as with
    ``mask``. For 2-D arrays, the rows of ``pairs`` are counted list by list. With
    ``several_labels``, labels may have another dimension at the end, their columns.

    Raises
    ------
    ValueError
        If shapes differ, groups, ids or pairs are malformed, or a row that takes part has a label, score or weight that
        is not finite.
    """
    if isinstance(y_true, Mapping):
        y_true, mask = _unpack(y_true, mask)
    y_pred, of_scores = without_mask(y_pred)
    y_true, of_labels = without_mask(y_true)
    scores = as_numeric(y_pred, "y_pred")
    if y_true is None and pairs is None:
        raise ValueError("y_true is None: give a label for each row, or pairs=")
    labels = np.zeros(scores.shape) if y_true is None else as_numeric(y_true, "y_true")
    if scores.ndim not in (1, 2):
        raise ValueError(f"y_pred has shape {scores.shape}; it must be 1-D, or 2-D with one list per row")
    columns = None
    if several_labels and labels.ndim == scores.ndim + 1 and labels.shape[:-1] == scores.shape and labels.shape[-1]:
        columns = labels.reshape(-1, labels.shape[-1]) if labels.shape[-1] > 1 else None
        labels = labels[..., 0]
    if labels.shape != scores.shape:
        and_columns = ", or that and the number of columns" if several_labels else ""
        raise ValueError(f"y_true has shape {labels.shape}, but y_pred has shape {scores.shape}{and_columns}")
    shape = scores.shape
    if scores.ndim == 2:
        if group is not None or qid is not None:
            raise ValueError("2-D arrays have one list per row: group and qid are for 1-D arrays only")
        groups = Groups.from_sizes(np.full(shape[0], shape[1]), scores.size)
    else:
        groups = make_groups(scores.size, group=group, qid=qid)
    taking_part = None if mask is None else as_mask(mask, "mask", shape)
    if of_labels is not None:
        of_labels = _of_rows(of_labels, shape, "y_true")
    taking_part = both_masks(taking_part, both_masks(of_labels, of_scores))
    if columns is None:
        check_finite(labels, "y_true", taking_part, remedy=_LEAVES_OUT)
    else:
        check_columns(columns, "y_true", None if taking_part is None else taking_part.ravel())
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
        label_columns=columns,
    )
    return RankingInput(data, scores.ravel(), shape, total)


@dataclass(frozen=True, kw_only=True)
class Extras:
    """Row data that ``fit`` accepts for the objectives of this package only."""

    loser_weight: Any = None
    item_id: Any = None
    pairs: Any = None
    mask: Any = None

    @property
    def given(self) -> list[str]:
        """Names of the attributes that are not None."""
        return [field.name for field in fields(self) if getattr(self, field.name) is not None]

    def completed(self, other: Extras) -> Extras:
        """Return a copy in which attributes that are None are taken from another object."""
        return Extras(**{**vars(other), **{name: getattr(self, name) for name in self.given}})


def read_rows(
    X: Any,
    y: Any,
    qid: Any,
    group: Any,
    sample_weight: Any,
    extras: Extras | None = None,
    *,
    ignore_negative_labels: bool | None = False,
    several_labels: bool = False,
) -> RankingData:
    """Check the labels, queries and weights that ``fit`` and ``score`` accept; rows keep the caller's order.

    Parameters
    ----------
    X, y, qid, group, sample_weight
        The arguments of ``fit``.
    extras : Extras, optional
        Loser weights, item ids, pairs and the mask. Rows whose label is masked (``numpy.ma``) take no part either.
    ignore_negative_labels : bool or None, default=False
        The rule of :func:`rows_taking_part`. It is not applied if pairs are given: an objective then does not use the
        labels, and all rows take part. Neither is it applied to several labels, for each of which a rule of its own
        may apply.
    several_labels : bool, default=False
        Whether y may have several columns. The first one then is ``labels``.

    Raises
    ------
    ValueError
        If X has no rows, an argument is malformed, or a label or weight is outside the boosters' range.
    """
    extras = extras or Extras()
    n_rows = _num_samples(X)
    if n_rows == 0:
        raise ValueError("X has no rows")
    if y is None and extras.pairs is not None:
        y = np.zeros(n_rows)
    if y is None:
        raise ValueError("y is None; a ranker needs a label for each row")
    y, of_labels = without_mask(y)
    labels, columns = as_numeric(y, "y"), None
    mask = None if extras.mask is None else as_mask(extras.mask, "mask", (n_rows,))
    if labels.shape[:1] == (n_rows,):  # another length is an error below
        if of_labels is not None:
            mask = both_masks(mask, _of_rows(of_labels, (n_rows,), "y"))
        if mask is not None:  # boosters must not get the labels of rows that take no part, which may be NaN
            labels = np.where(mask.reshape(-1, *[1] * (labels.ndim - 1)), labels, 0)
    if several_labels and labels.ndim == 2 and labels.shape[1] > 1:
        labels, columns = labels[:, 0], labels
        if columns.shape[0] != n_rows:
            raise ValueError(f"y has {columns.shape[0]} entries, but there are {n_rows} rows")
        for number in range(columns.shape[1]):
            check_finite(columns[:, number], f"y[:, {number}]", remedy=_LEAVES_OUT)
            check_largest(columns[:, number], f"y[:, {number}]", "row")
    else:
        if labels.ndim == 2 and labels.shape[1] > 1:
            raise ValueError(
                f"y has shape {labels.shape}: for several labels the objective must be a WeightedSum, whose terms read "
                "them; otherwise y is one-dimensional"
            )
        labels = as_vector(column_or_1d(labels, warn=not several_labels) if labels.ndim == 2 else labels, "y", n_rows)
        check_finite(labels, "y", remedy=_LEAVES_OUT)
        check_largest(labels, "y", "row")
    groups = make_groups(n_rows, group=group, qid=qid)
    item_weight, query_weight = split_weights(sample_weight, groups)
    for weight, unit in ((item_weight, "row"), (query_weight, "query")):
        if weight is not None:
            check_largest(weight, "sample_weight", unit)
    pairs = None if extras.pairs is None else as_pairs(extras.pairs, n_rows).checked(groups)
    return RankingData(
        labels,
        groups,
        item_weight=item_weight,
        loser_weight=None if extras.loser_weight is None else as_vector(extras.loser_weight, "loser_weight", n_rows),
        query_weight=query_weight,
        mask=rows_taking_part(labels, mask, ignore_negative_labels) if pairs is None and columns is None else mask,
        item_id=None if extras.item_id is None else item_codes(extras.item_id, n_rows),
        pairs=pairs,
        label_columns=columns,
    )


def first_labels(y: Any) -> Any:
    """Return the first column of labels that may have several; metrics read no others."""
    labels = None if y is None else as_numeric(y, "y")
    return labels[:, 0] if labels is not None and labels.ndim == 2 and labels.shape[1] > 1 else y


def rows_taking_part(
    labels: NDArray[Any], mask: BoolArray | None, ignore_negative_labels: bool | None
) -> BoolArray | None:
    """Return the mask of the rows that take part, without those whose negative label is ignored; None for all rows.

    Parameters
    ----------
    labels : array of shape (n_rows,)
        Labels.
    mask : bool array of shape (n_rows,) or None
        False for rows that are excluded for another reason; None: no row is.
    ignore_negative_labels : bool or None
        True: rows with a negative label take no part. False: a negative label is a label like any other.

    Raises
    ------
    ValueError
        If a label is negative and ``ignore_negative_labels`` is None.
    """
    if ignore_negative_labels is not None and not ignore_negative_labels:
        return mask
    negative = labels < 0 if mask is None else (labels < 0) & mask
    if not negative.any():
        return mask
    if ignore_negative_labels is None:
        row = int(np.flatnonzero(negative)[0])
        raise ValueError(
            f"the label is {labels[row]} at row {row}, which is negative: set the objective's "
            "ignore_negative_labels=True (such rows take no part, as in KerasRS) or "
            "ignore_negative_labels=False (a label like any other, as in XGBoost)"
        )
    return ~negative if mask is None else mask & ~negative


def both_masks(mask: BoolArray | None, other: BoolArray | None) -> BoolArray | None:
    """Return the mask of the rows that two masks select; None for all rows."""
    if mask is None or other is None:
        return other if mask is None else mask
    return mask & other


def _of_rows(mask: BoolArray, shape: tuple[int, ...], name: str) -> BoolArray:
    """Return the mask of labels, which may have columns, as one of rows."""
    if mask.ndim == len(shape):
        return mask
    if not (mask == mask[..., :1]).all():
        raise ValueError(
            f"{name} is a masked array of several columns: a row must be masked in all columns or in none. For a row "
            "without the label of one term, give a negative label, and the term ignore_negative_labels=True"
        )
    return mask[..., 0]


def check_largest(values: NDArray[Any], name: str, unit: str) -> None:
    """Raise a ValueError that names the first value outside the boosters' range."""
    too_large = np.abs(values) >= LARGEST_VALUE
    if too_large.any():
        first = int(np.flatnonzero(too_large)[0])
        raise ValueError(
            f"{name} is {values[first]} at {unit} {first}, outside the boosters' range (magnitudes below 1e38)"
        )


def split_weights(
    sample_weight: Any, groups: Groups, mask: BoolArray | None = None
) -> tuple[FloatArray | None, FloatArray | None]:
    """Return ``sample_weight`` as ``(item_weight, query_weight)``, according to its length; the other one is None.

    Raises
    ------
    ValueError
        If the length is neither the number of rows nor that of queries; if there is one weight per query, but the
        queries are not contiguous, so that their order is ambiguous; if a weight is NaN, infinite or negative.
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
    """Return item ids as a flat sequence, list by list."""
    if len(shape) == 1:
        return ids  # not as an array, in which the number 1 could become the text "1"
    array = as_array(ids, "item_id", "give an array of the shape of the scores")
    if array.shape != shape:
        raise ValueError(f"item_id has shape {array.shape}, but the scores have shape {shape}")
    return array.reshape(-1)


def _flat(weights: Any, name: str, shape: tuple[int, ...], mask: BoolArray | None) -> FloatArray:
    """Return weights as a flat array after checking that they have the shape of the scores."""
    array = as_numeric(weights, name)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, but the scores have shape {shape}")
    check_weights(array, name, mask)
    return array.ravel()


def _unpack(y_true: Mapping[str, Any], mask: Any) -> tuple[Any, Any]:
    """Return labels and mask of KerasRS's form of masked labels, ``{"labels": ..., "mask": ...}``."""
    unknown = set(y_true) - {"labels", "mask"}
    if unknown or "labels" not in y_true:
        raise ValueError('y_true as a dictionary must have the keys "labels" and, optionally, "mask"')
    if y_true.get("mask") is not None:
        if mask is not None:
            raise ValueError("mask is given twice: in y_true and as mask=")
        mask = y_true["mask"]
    return y_true["labels"], mask


def _read_weights(
    sample_weight: Any, shape: tuple[int, ...], groups: Groups, mask: BoolArray | None
) -> tuple[FloatArray | None, FloatArray | None, float]:
    """Return ``sample_weight`` as item weights and query weights, and the sum of the weights as given."""
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
    with np.errstate(over="ignore"):  # code that divides by the sum checks it
        return item_weight, query_weight, float(weights.sum(dtype=np.float64))

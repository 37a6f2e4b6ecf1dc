"""Weights, masks, labels, item ids and pairs that are attached to a booster's dataset, which cannot hold them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._adapter import adapter_of
from ._data import check_columns
from ._groups import IntArray, item_codes
from ._pairs import Pairs, as_pairs
from ._validation import FloatArray, as_mask, as_numeric, as_vector, check_weights


@dataclass(frozen=True, eq=False)
class Attachment:
    """Arrays that were attached to a dataset, with one entry per row; None if nothing was attached."""

    item_weight: NDArray[Any] | None = None
    loser_weight: NDArray[Any] | None = None
    mask: NDArray[np.bool_] | None = None
    item_id: IntArray | None = None
    pairs: Pairs | None = None
    label_columns: FloatArray | None = None

    def take(self, rows: ArrayLike, n_rows: int | None) -> Attachment:
        """Return the attachment of a subset of the dataset.

        Parameters
        ----------
        rows : array of shape (n_subset_rows,)
            Rows of the subset, counted from 0.
        n_rows : int or None
            Number of rows of the whole dataset; None if it is not known yet.

        Raises
        ------
        ValueError
            If the subset contains only one row of a pair.
        """
        index = np.asarray(rows, dtype=np.int64)
        taken: dict[str, Any] = {}
        for name, values in self.given().items():
            taken[name] = values.take(index, n_rows) if name == "pairs" else values[index]
        return Attachment(**taken)

    def given(self) -> dict[str, Any]:
        """Return what was attached, by the names of :class:`RankingData`."""
        return {name: values for name, values in vars(self).items() if values is not None}


#: Name of the dataset's attribute. As an attribute, the attachment is part of the dataset's copies and pickles.
_ATTRIBUTE = "_gbdt_pairloss_attachment"


def attach(
    dataset: Any,
    *,
    item_weight: ArrayLike | None = None,
    loser_weight: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    item_id: ArrayLike | None = None,
    pairs: tuple[ArrayLike, ...] | None = None,
    labels: ArrayLike | None = None,
) -> None:
    """Attach item weights, loser weights, a mask, item ids, pairs or several labels to a booster's dataset.

    The boosters' datasets cannot hold all of these: an XGBoost DMatrix with groups holds only one weight per query,
    and neither booster supports loser weights, masks, item ids, pairs or several labels. An argument that is given
    replaces what was attached before under that name; the other attached arrays are kept::

        data = xgboost.DMatrix(X, y, qid=qid)
        attach(data, item_weight=weight, mask=weight > 0)
        xgboost.train(params, data, obj=objective, custom_metric=objective.metric, evals=[(data, "train")])

    Parameters
    ----------
    dataset : lightgbm.Dataset or xgboost.DMatrix
        The dataset, which is changed in place. Subclasses are accepted.
    item_weight : array of shape (n_rows,), optional
        Weight of a row as the winner of its pairs; with the objective's ``item_weight="both"``, also as the loser.
    loser_weight : array of shape (n_rows,), optional
        Weight of a row as the loser of its pairs.
    mask : bool array of shape (n_rows,), optional
        Rows with False take no part in the objective, nor in the metrics of this package.
    item_id : array of shape (n_rows,), optional
        Item id of each row, of any dtype. :class:`gbdt_pairloss.BPR` does not use a row as a negative if its item is a
        positive of the same user.
    pairs : (winner, loser) or (winner, loser, weight), optional
        Arrays of shape (n_pairs,): the row of each pair's winner and the row of its loser, both counted from 0 and in
        the same query, and the pair's weight. The objective sums over these pairs instead of the pairs that follow
        from the labels. It does not read the labels, which may all be 0. A pair that is listed twice counts twice. The
        normalisers "query" and "log" count every pair as one, independent of its weight. With pairs, a dataset
        without groups is one query.
    labels : array of shape (n_rows, n_columns), optional
        Several labels of each row, for a :class:`gbdt_pairloss.WeightedSum`, which then does not read the label of the
        dataset. Metrics, the booster and other objectives read the label of the dataset, not these.

    Raises
    ------
    TypeError
        If ``dataset`` is not a booster's dataset, or ``pairs`` has another form.
    ValueError
        If a length differs from the number of rows of the dataset, a weight is NaN, infinite or negative, a label is
        NaN or infinite, ``labels`` does not have two dimensions, an id is missing, or a pair has a row out of range or
        the same row twice. At the first use of the dataset, if the two rows of a pair are in different queries.

    See Also
    --------
    popularity_weights : Weights of negatives, for ``loser_weight``.
    propensity_weights : Weights of clicks against position bias, for ``item_weight``.

    Notes
    -----
    The attachment is kept as long as the dataset. Copies of the dataset, ``lightgbm.Dataset.subset``,
    ``xgboost.DMatrix.slice`` and the boosters' ``cv`` functions carry it along. A file that the dataset is saved to
    does not contain it.
    """
    adapter = adapter_of(dataset)
    if adapter is None:
        raise TypeError(f"attach takes a lightgbm.Dataset or an xgboost.DMatrix, got a {type(dataset).__name__}")
    n_rows = adapter.number_of_rows(dataset)
    given: dict[str, Any] = {}
    if mask is not None:
        given["mask"] = np.array(as_mask(mask, "mask", np.shape(mask) if n_rows is None else (n_rows,)))
    for name, values in (("item_weight", item_weight), ("loser_weight", loser_weight)):
        if values is not None:
            given[name] = np.array(as_vector(values, name, n_rows))
            check_weights(given[name], name, given.get("mask"))
    if labels is not None:
        given["label_columns"] = _as_columns(labels, n_rows)
        check_columns(given["label_columns"], "labels", given.get("mask"))
    if item_id is not None:
        given["item_id"] = item_codes(item_id, n_rows)
    if pairs is not None:
        given["pairs"] = as_pairs(pairs, n_rows)
    set_attachment(dataset, replace(get_attachment(dataset) or Attachment(), **given))
    adapter.follow_cuts(dataset)


def _as_columns(labels: ArrayLike, n_rows: int | None) -> FloatArray:
    """Return labels as a copy of shape (n_rows, n_columns)."""
    columns = np.array(as_numeric(labels, "labels"))
    if columns.ndim != 2 or columns.shape[1] == 0:
        raise ValueError(
            f"labels has shape {columns.shape}; it must be (n_rows, n_columns), one column for each label: a single "
            "label is the dataset's own"
        )
    if n_rows is not None and columns.shape[0] != n_rows:
        raise ValueError(f"labels has {columns.shape[0]} entries, but there are {n_rows} rows")
    return columns


def set_attachment(dataset: Any, attachment: Attachment) -> None:
    """Set the attachment of a dataset."""
    setattr(dataset, _ATTRIBUTE, attachment)


def get_attachment(dataset: Any) -> Attachment | None:
    """Return the attachment of a dataset, or of the dataset that it is a copy of; None if there is none."""
    return getattr(dataset, _ATTRIBUTE, None)

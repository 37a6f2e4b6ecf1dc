"""What a booster's dataset cannot hold travels beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._adapter import adapter_of
from ._groups import IntArray, item_codes
from ._pairs import Pairs, as_pairs
from ._validation import as_mask, as_vector, check_weights


@dataclass(frozen=True, eq=False)
class Attachment:
    """What was attached to a dataset, one entry per row; None: nothing."""

    item_weight: NDArray[Any] | None = None
    loser_weight: NDArray[Any] | None = None
    mask: NDArray[np.bool_] | None = None
    item_id: IntArray | None = None
    pairs: Pairs | None = None

    def take(self, rows: ArrayLike, n_rows: int | None) -> Attachment:
        """The attachment of a dataset made of some rows of this one's, which has ``n_rows`` where that is known.

        Raises
        ------
        ValueError
            If the cut goes through a pair.
        """
        index = np.asarray(rows, dtype=np.int64)
        arrays: dict[str, Any] = {}
        for name in ("item_weight", "loser_weight", "mask", "item_id"):
            array = getattr(self, name)
            arrays[name] = None if array is None else array[index]
        return Attachment(**arrays, pairs=None if self.pairs is None else self.pairs.take(index, n_rows))


#: The dataset's own attribute: copies and pickles of a dataset then take the attachment along.
_ATTRIBUTE = "_gbdt_pairloss_attachment"


def attach(
    dataset: Any,
    *,
    item_weight: ArrayLike | None = None,
    loser_weight: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    item_id: ArrayLike | None = None,
    pairs: tuple[ArrayLike, ...] | None = None,
) -> None:
    """Attach to a booster's dataset what it cannot hold itself.

    An XGBoost DMatrix with groups holds one weight per query only, and neither booster knows loser weights, masks,
    item ids or pairs. The attachment lives as long as the dataset, and follows its copies, ``lightgbm.Dataset.subset``,
    ``xgboost.DMatrix.slice`` and the boosters' ``cv`` functions (a file that the dataset is saved to does not hold
    it). What is given replaces what was attached before; the rest stays::

        data = xgboost.DMatrix(X, y, qid=qid)
        attach(data, item_weight=weight, mask=weight > 0)
        xgboost.train(params, data, obj=objective, custom_metric=objective.metric, evals=[(data, "train")])

    Parameters
    ----------
    dataset : lightgbm.Dataset or xgboost.DMatrix (or its kin)
        What it is attached to.
    item_weight : array of shape (n_rows,), optional
        Weight of a row as the winner of its pairs (with ``item_weight="both"`` of the objective: as either).
    loser_weight : array of shape (n_rows,), optional
        Weight of a row as the loser of its pairs.
    mask : bool array of shape (n_rows,), optional
        False: the row takes no part in the objective or in our metrics.
    item_id : array of shape (n_rows,), optional
        The item that each row is, of any dtype. :class:`gbdt_pairloss.BPR` takes no row for a negative whose item is a
        positive of the same user.
    pairs : (winner, loser) or (winner, loser, weight), optional
        Arrays of shape (n_pairs,): the rows, counted from 0, of each pair's winner and loser, both of one query, and
        its weight. The objective sums over these pairs in the place of those that the labels make: labels may be
        zeros, for the objective does not look at them. A pair that is listed twice counts twice. In the normalisers
        "query" and "log" every listed pair counts as one, whatever it weighs. A dataset without groups is then one
        query.

    Raises
    ------
    TypeError
        If ``dataset`` is not a booster's dataset, or ``pairs`` are not a tuple.
    ValueError
        If a length differs from the dataset's rows, a weight is NaN, infinite or negative, an id is missing, or a pair
        has a row out of range or one row twice; at the first use of the dataset, if a pair crosses two queries.
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
    if item_id is not None:
        given["item_id"] = item_codes(item_id, n_rows)
    if pairs is not None:
        given["pairs"] = as_pairs(pairs, n_rows)
    set_attachment(dataset, replace(get_attachment(dataset) or Attachment(), **given))
    adapter.follow_cuts(dataset)


def set_attachment(dataset: Any, attachment: Attachment) -> None:
    """Put an attachment beside a dataset."""
    setattr(dataset, _ATTRIBUTE, attachment)


def get_attachment(dataset: Any) -> Attachment | None:
    """What was attached to this very dataset, or to the one that it is a copy of."""
    return getattr(dataset, _ATTRIBUTE, None)

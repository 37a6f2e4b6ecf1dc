"""XGBoost's data iterators: batches of whole queries."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ...ranking._groups import Groups
from .._import import import_booster

xgb = import_booster("xgboost")

Batches = TypeVar("Batches")


def whole_queries(batches: Batches) -> Batches:
    """See to it that an XGBoost data iterator cuts no query in two.

    XGBoost makes two queries of one whose rows come in two batches, without a word, and ids that are no small whole
    numbers become others. With this, the first is an error, and query ids may be of any dtype::

        dtrain = xgboost.ExtMemQuantileDMatrix(whole_queries(MyBatches()))

    Parameters
    ----------
    batches : xgboost.DataIter
        Its ``next`` passes ``qid=``, one id per row, or ``group=`` on for every batch.

    Returns
    -------
    batches : xgboost.DataIter
        The same object, which checks every batch from now on.

    Raises
    ------
    TypeError
        If it is no ``xgboost.DataIter``.

    Notes
    -----
    While XGBoost reads the batches, a ValueError is raised if a batch has neither qid nor group, the rows of a query do
    not stand together, or a query of an earlier batch comes again. The query ids of a pass are kept in memory. Of
    ``group=`` nobody sees whether it splits a query.
    """
    if not isinstance(batches, xgb.DataIter):
        raise TypeError(f"whole_queries takes an xgboost.DataIter, got a {type(batches).__name__}")
    reference = weakref.ref(batches)  # strong, it would keep the iterator alive in a cycle
    cls = type(batches)
    batch_of: dict[Any, int] = {}  # of each query of this pass
    number = 0

    def reset() -> None:
        nonlocal number
        batch_of.clear()
        number = 0
        cls.reset(reference())

    def next(input_data: Callable[..., Any]) -> bool:
        def watched(**fields: Any) -> Any:
            nonlocal number
            fields = _checked(fields, number, batch_of)
            number += 1
            return input_data(**fields)

        more: bool = cls.next(reference(), watched)
        return more

    vars(batches).update(reset=reset, next=next)
    return batches


def _checked(fields: dict[str, Any], number: int, batch_of: dict[Any, int]) -> dict[str, Any]:
    """The fields of a batch with the sizes of its queries, which are entered as this batch's."""
    qid = fields.pop("qid", None)
    if qid is None:
        if fields.get("group") is None:
            raise ValueError(f"batch {number} has no query ids: pass qid= or group= on with every batch")
        return fields
    if fields.get("group") is not None:
        raise ValueError(f"batch {number} has both qid and group: pass one of them on")
    n_rows = len(qid if fields.get("label") is None else fields["label"])
    groups = Groups.from_qid(qid, n_rows, f"the qid of batch {number}")
    ids = [] if groups.ids is None else groups.ids.tolist()
    if not groups.contiguous:
        codes = groups.codes
        back = np.flatnonzero(codes[1:] < np.maximum.accumulate(codes)[:-1])[0] + 1
        query = ids[codes[back]]
        raise ValueError(f"batch {number}: the rows of query {query!r} do not stand together; sort the batch by qid")
    for query in ids:
        if query in batch_of:
            raise ValueError(
                f"query {query!r} is split over batches {batch_of[query]} and {number}: XGBoost would make two queries "
                "of it; end each batch with the last row of a query"
            )
    batch_of.update(dict.fromkeys(ids, number))
    return {**fields, "group": groups.sizes}

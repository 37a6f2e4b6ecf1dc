"""XGBoost's data iterators with batches of whole queries."""

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
    """Check that the batches of an XGBoost data iterator do not split queries.

    If the rows of a query come in two batches, XGBoost silently makes two queries of it. It also changes query ids that
    are not small whole numbers. With this function a split query is an error, and query ids may be of any dtype::

        dtrain = xgboost.ExtMemQuantileDMatrix(whole_queries(MyBatches()))

    Parameters
    ----------
    batches : xgboost.DataIter
        An iterator whose ``next`` passes ``qid=``, one id per row, or ``group=`` with every batch.

    Returns
    -------
    batches : xgboost.DataIter
        The same object, which from now on checks every batch.

    Raises
    ------
    TypeError
        If ``batches`` is not an ``xgboost.DataIter``.

    See Also
    --------
    attach : Item weights, masks and explicit pairs beside a booster's dataset.
    XGBRanker : A ranker whose ``fit`` takes query ids of any dtype, for data in memory.

    Notes
    -----
    While XGBoost reads the batches, a ValueError is raised if a batch has neither or both of ``qid`` and ``group``, if
    the rows of a query are not contiguous, or if a query of an earlier batch comes again. The query ids of one pass are
    kept in memory. With ``group=`` a split query cannot be detected.
    """
    if not isinstance(batches, xgb.DataIter):
        raise TypeError(f"whole_queries takes an xgboost.DataIter, got a {type(batches).__name__}")
    reference = weakref.ref(batches)  # a strong reference would keep the iterator alive in a cycle
    cls = type(batches)
    batch_of: dict[Any, int] = {}  # the batch of each query in this pass
    number = 0

    def reset() -> None:
        nonlocal number
        batch_of.clear()
        number = 0
        cls.reset(reference())

    def next(input_data: Callable[..., Any]) -> bool:
        def checked_input(**fields: Any) -> Any:
            nonlocal number
            fields = _checked(fields, number, batch_of)
            number += 1
            return input_data(**fields)

        more: bool = cls.next(reference(), checked_input)
        return more

    vars(batches).update(reset=reset, next=next)
    return batches


def _checked(fields: dict[str, Any], number: int, batch_of: dict[Any, int]) -> dict[str, Any]:
    """Return the fields of a batch with sizes of queries instead of ids, and add the queries to ``batch_of``."""
    qid = fields.pop("qid", None)
    if qid is None:
        if fields.get("group") is None:
            raise ValueError(f"batch {number} has no query ids: pass qid= or group= with every batch")
        return fields
    if fields.get("group") is not None:
        raise ValueError(f"batch {number} has both qid and group: pass only one of them")
    n_rows = len(qid if fields.get("label") is None else fields["label"])
    groups = Groups.from_qid(qid, n_rows, f"the qid of batch {number}")
    ids = [] if groups.ids is None else groups.ids.tolist()
    if not groups.contiguous:
        codes = groups.codes
        back = np.flatnonzero(codes[1:] < np.maximum.accumulate(codes)[:-1])[0] + 1
        query = ids[codes[back]]
        raise ValueError(f"batch {number}: the rows of query {query!r} are not contiguous; sort the batch by qid")
    for query in ids:
        if query in batch_of:
            raise ValueError(
                f"query {query!r} is split over batches {batch_of[query]} and {number}: XGBoost would make two queries "
                "of it; end each batch with the last row of a query"
            )
    batch_of.update(dict.fromkeys(ids, number))
    return {**fields, "group": groups.sizes}

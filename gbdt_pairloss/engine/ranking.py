"""The current ranking of a query's rows, as |delta NDCG| sees it."""

from __future__ import annotations

import numpy as np

from .compile import leaf

# Rows are ranked by counting up to this many, by merging beyond.
_COUNTED = 192
_RUN = 16


@leaf
def discounts(x, row, truncation, few, order, buffer, discount, top):
    """Discount 1 / log2(rank + 1) of each row, and 1 where the rank is at most ``truncation``, else 0.

    Ranks are by descending score, equal scores by the caller's row order (LightGBM, XGBoost). ``few`` holds the first
    discounts: logarithms are slow.
    """
    n = x.shape[0]
    if n <= _COUNTED:
        for i in range(n):
            above = 0
            score, own = x[i], row[i]
            for j in range(n):
                above += (x[j] > score) | ((x[j] == score) & (row[j] < own))
            discount[i] = above
    else:
        sort_by_score(x, row, order, buffer)
        for rank in range(n):
            discount[order[rank]] = rank
    for i in range(n):
        rank = np.int64(discount[i])
        top[i] = 1.0 if rank < truncation else 0.0
        discount[i] = few[rank] if rank < few.shape[0] else 1.0 / np.log2(rank + 2.0)


@leaf
def _before(x, row, i, j):
    return x[i] > x[j] or (x[i] == x[j] and row[i] < row[j])


@leaf
def sort_by_score(x, row, order, buffer):
    """order = the positions by descending score, equal scores by row: a merge sort from short sorted runs."""
    n = x.shape[0]
    for start in range(0, n, _RUN):
        for k in range(start, min(start + _RUN, n)):
            at = k
            while at > start and _before(x, row, k, order[at - 1]):
                order[at] = order[at - 1]
                at -= 1
            order[at] = k
    width = _RUN
    while width < n:
        for start in range(0, n, 2 * width):
            middle, end = min(start + width, n), min(start + 2 * width, n)
            i, j = start, middle
            for k in range(start, end):
                if j >= end or (i < middle and not _before(x, row, order[j], order[i])):
                    buffer[k] = order[i]
                    i += 1
                else:
                    buffer[k] = order[j]
                    j += 1
        for k in range(n):
            order[k] = buffer[k]
        width *= 2

"""The current ranking of a query's rows, as |delta NDCG| sees it."""

from __future__ import annotations

import numpy as np

from .compile import leaf
from .lanes import LANES, is_above, rows_by_columns

# Rows are ranked by counting up to this many: no branch depends on a comparison.
_COUNTED = 512

# The sorted runs that merging starts from.
_RUN = 16


def _count(columns, row):
    return (is_above(columns[0], row[0]),), ()


_one_row = rows_by_columns(_count, n_rows=1, n_row_sums=1, n_column_sums=0)
_four_rows = rows_by_columns(_count, n_rows=4, n_row_sums=1, n_column_sums=0)


@leaf
def discounts(x, row, truncation, few, order, buffer, padded, discount, top):
    """Discount 1 / log2(rank + 1) of each row, and 1 where the rank is at most ``truncation``, else 0.

    Ranks are by descending score, equal scores by the caller's row order (LightGBM, XGBoost). ``few`` holds the first
    discounts: logarithms are slow. ``padded`` is float64, longer than x by twice LANES.
    """
    n = x.shape[0]
    if n > _COUNTED or not _count_above(x, padded, discount):
        sort_by_score(x, row, order, buffer)
        for rank in range(n):
            discount[order[rank]] = rank
    for i in range(n):
        rank = np.int64(discount[i])
        top[i] = 1.0 if rank < truncation else 0.0
        discount[i] = few[rank] if rank < few.shape[0] else 1.0 / np.log2(rank + 2.0)


@leaf
def _count_above(x, padded, above):
    """How many scores lie above each; whether these are the ranks, that is, no two scores are equal."""
    n = x.shape[0]
    for k in range(n):
        padded[k] = x[k]
    padded[n : n + LANES] = -np.inf
    total = 0.0
    for i in range(0, n - 3, 4):
        counts = _four_rows((padded,), ((x[i],), (x[i + 1],), (x[i + 2],), (x[i + 3],)), (0, 0, 0, 0), n, ())
        above[i], above[i + 1], above[i + 2], above[i + 3] = counts
        total += counts[0] + counts[1] + counts[2] + counts[3]
    for i in range(n // 4 * 4, n):
        (above[i],) = _one_row((padded,), ((x[i],),), (0,), n, ())
        total += above[i]
    return total == 0.5 * n * (n - 1.0)


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

"""The current ranking of a query's rows, as |delta NDCG| sees it."""

from __future__ import annotations

import numpy as np

from .compile import leaf
from .lanes import LANES, is_above, rows_by_columns
from .sorting import sort

# Rows are ranked by counting up to this many: no branch depends on a comparison.
_COUNTED = 512


def _count(columns, row):
    return (is_above(columns[0], row[0]),), ()


_one_row = rows_by_columns(_count, n_rows=1, n_column_sums=0, n_totals=1)
_four_rows = rows_by_columns(_count, n_rows=4, n_column_sums=0, n_totals=1)


@leaf
def discounts(x, row, truncation, few, orders, keys, discount, top):
    """Discount 1 / log2(rank + 1) of each row, and 1 where the rank is at most ``truncation``, else 0.

    Ranks are by descending score, equal scores by the caller's row order (LightGBM, XGBoost). ``few`` holds the first
    discounts: logarithms are slow. The first of ``orders`` becomes the ranking where rows are sorted, at more than 512
    of them; the float64 ``keys`` are longer than x by twice LANES.
    """
    n = x.shape[0]
    order = orders[0][:n]
    if n > _COUNTED or not _count_above(x, keys[0], discount):
        _sort(x, row, order, orders[1], keys[0], keys[1])
        for rank in range(n):
            discount[order[rank]] = rank
    for i in range(n):
        rank = np.int64(discount[i])
        top[i] = 1.0 if rank < truncation else 0.0
        discount[i] = discount_of(rank, few)


@leaf
def discount_of(rank, few):
    return few[rank] if rank < few.shape[0] else 1.0 / np.log2(rank + 2.0)


@leaf
def _count_above(x, padded, above):
    """How many scores lie above each; whether these are the ranks, that is, no two scores are equal."""
    n = x.shape[0]
    for k in range(n):
        padded[k] = x[k]
    padded[n : n + LANES] = -np.inf
    above[:n] = 0.0
    for i in range(0, n - 3, 4):
        _four_rows((padded,), (padded,), i, (0, 0, 0, 0), n, (), (above,))
    for i in range(n // 4 * 4, n):
        _one_row((padded,), (padded,), i, (0,), n, (), (above,))
    total = 0.0
    for i in range(n):
        total += above[i]
    return total == 0.5 * n * (n - 1.0)


@leaf
def _sort(x, row, order, spare_order, key, spare_key):
    """order = the positions by descending score, equal scores by row."""
    n = x.shape[0]
    for p in range(n):
        key[p], order[p] = x[p], p
    sort(key[:n], order[:n], spare_key, spare_order)
    order_ties(row, order, spare_order, key, spare_key)


@leaf
def order_ties(row, order, spare_order, key, spare_key):
    """Bring the positions of equal keys into the order of their rows; the keys are used up."""
    n = order.shape[0]
    start = 0
    while start < n:
        stop = start + 1
        while stop < n and key[stop] == key[start]:
            stop += 1
        if stop - start > 1:
            for k in range(start, stop):
                key[k] = -np.float64(row[order[k]])
            sort(key[start:stop], order[start:stop], spare_key, spare_order)
        start = stop

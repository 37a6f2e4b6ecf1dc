"""Queries whose scores are spread over more panels than a table holds: outliers, and scores of any magnitude.

Moments of every node of the tree in every panel would take memory that grows faster than the query. Here each node,
one at a time, has the panels of its own rows and is a tree of its own, of two leaves; its rows are expanded anew.
"""

from __future__ import annotations

import numpy as np

from .charges import value_centre
from .chebyshev import WIDTH
from .columns import make_columns
from .compile import helper, kernel
from .direct import sum_pairs
from .ndcg_direct import sum_pairs_ndcg
from .onesided import copy_back, make_sweep_work, partition, sweep
from .tree import (
    DEPTH,
    FIRST,
    LAST,
    LEFT,
    RIGHT,
    SIBLING,
    SIDE,
    add_sibling,
    boundary,
    count_pairs,
    evaluate_rows,
    gather_up,
    has_one_label,
    make_scratch,
)

# ns: a pair that is summed directly, and a row that is expanded and evaluated.
_PAIR = 3.0
_ROW = 500.0


@helper
def _make_ranges(n):
    """A stack of the ranges that are still to be summed; one that finds no place is summed directly."""
    ranges = np.empty((256, 2), np.int64)
    ranges[0, 0], ranges[0, 1] = 0, n
    return ranges


@helper
def _is_direct(first, last, offset, rows, size, ranges):
    pairs = count_pairs(first, last, rows.run_end, offset)
    return _PAIR * pairs <= _ROW * (last - first) or size + 2 > ranges.shape[0]


@helper
def _make_node(first, last, x, offset, rows, n_channels, n_targets, terms):
    """A tree of two leaves, its panels and its arrays."""
    middle = boundary(first, last, rows, offset)
    tree = np.empty((7, 3), np.int64)
    for node in range(3):
        tree[FIRST, node] = middle if node == 2 else first
        tree[LAST, node] = middle if node == 1 else last
        tree[LEFT, node] = 1 if node == 0 else -1
        tree[RIGHT, node] = 2 if node == 0 else -1
        tree[SIBLING, node] = 3 - node
        tree[SIDE, node] = node - 1
        tree[DEPTH, node] = min(node, 1)
    position = np.unique(np.floor(x[first:last] / WIDTH))
    panels = position.shape[0]
    moments = np.empty((3, n_channels, panels, terms))
    return tree, position, moments, np.empty((n_targets, panels, 2 * terms)), np.empty((panels, 2 * terms))


@kernel
def sum_spread(x, offset, rows, flow, n_channels, n_targets, table, gradient, hessian):
    """Add the sums of one query, without the query's factors; returns the strength."""
    columns = make_columns(x.shape[0], gradient)
    none, slots = x[:0], np.empty(0, np.int64)
    centre = value_centre(offset, x.shape[0], rows.value)
    scratch = make_scratch()
    ranges = _make_ranges(x.shape[0])
    strength = 0.0
    size = 1
    while size > 0:
        size -= 1
        first, last = ranges[size, 0], ranges[size, 1]
        if has_one_label(rows.run_end, offset, first, last):
            continue
        if _is_direct(first, last, offset, rows, size, ranges):
            strength += sum_pairs(table.is_loss, x, first, last, offset, rows, columns, gradient, hessian)
            continue
        tree, position, moments, coefficients, translated = _make_node(
            first, last, x, offset, rows, n_channels, n_targets, len(table.terms)
        )
        one, three = np.int64(1), np.int64(3)
        gather_up(one, three, x, offset, tree, rows, none, centre, position, slots, table, moments, scratch)
        for child in range(one, three):
            coefficients[:] = 0.0
            strength += add_sibling(child, tree, flow, moments, position, False, table, translated, coefficients)
            begin, end = tree[FIRST, child], tree[LAST, child]
            out = (gradient, hessian)
            evaluate_rows(begin, end, x, offset, rows, none, centre, position, slots, table, coefficients, scratch, out)
            ranges[size, 0], ranges[size, 1] = begin, end
            size += 1
    return strength


@kernel
def sum_spread_one_sided(
    x,
    offset,
    rows,
    exchange,
    temperature,
    discount,
    top,
    flow,
    n_channels,
    n_targets,
    table,
    ranked,
    buffers,
    first_sum,
    second_sum,
):
    """As ``sum_spread`` with phi = |delta NDCG| over all pairs; the ranking is used up."""
    n, slots = x.shape[0], np.empty(0, np.int64)
    columns = make_columns(n, first_sum)
    centre = value_centre(offset, n, rows.value)
    scratch, work = make_scratch(), make_sweep_work(len(table.terms))
    ranges = _make_ranges(n)
    strength = 0.0
    size = 1
    while size > 0:
        size -= 1
        first, last = ranges[size, 0], ranges[size, 1]
        if has_one_label(rows.run_end, offset, first, last):
            continue
        if _is_direct(first, last, offset, rows, size, ranges):
            ranks = (temperature, discount, top)
            sums = (first_sum, second_sum)
            strength += sum_pairs_ndcg(table.is_loss, x, first, last, offset, rows, exchange, *ranks, columns, *sums)
            continue
        tree, position, moments, coefficients, translated = _make_node(
            first, last, x, offset, rows, n_channels, n_targets, len(table.terms)
        )
        zero, one, three = np.int64(0), np.int64(1), np.int64(3)
        gather_up(one, three, x, offset, tree, rows, discount, centre, position, slots, table, moments, scratch)
        panels, out = (position, slots), (first_sum, second_sum)
        strength += sweep(
            first, last, zero, offset, rows, centre, *panels, table, tree, moments, ranked, work, first_sum, second_sum
        )
        middle = tree[LAST, 1]
        partition(first, last, middle, first, middle, ranked, buffers)
        copy_back(first, last, ranked, buffers)
        for child in range(one, three):
            coefficients[:] = 0.0
            strength += add_sibling(child, tree, flow, moments, position, True, table, translated, coefficients)
            begin, end = tree[FIRST, child], tree[LAST, child]
            evaluate_rows(begin, end, x, offset, rows, discount, centre, *panels, table, coefficients, scratch, out)
            ranges[size, 0], ranges[size, 1] = begin, end
            size += 1
    return strength

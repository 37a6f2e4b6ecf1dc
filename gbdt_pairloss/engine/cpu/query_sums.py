"""The kernels that Python calls: many small queries in one go, and the steps of one large query."""

from __future__ import annotations

import numpy as np

from .charges import value_centre
from .chebyshev import find_panels
from .columns import (
    BEYOND,
    TOTAL_R,
    TOTAL_T,
    WEIGHT,
    E,
    Range,
    limits_of,
    make_columns,
    nearest_zero,
    orient_query,
    over_temperature,
    read,
    write,
)
from .compile import kernel, leaf
from .direct import SPREAD, sum_oriented
from .lanes import LANES
from .tree import (
    DEPTH,
    FIRST,
    LAST,
    LEFT,
    add_children,
    add_sibling,
    copy_coefficients,
    gather_up,
    is_direct,
    longest_leaf,
    make_scratch,
    make_stack,
    most_nodes,
    pass_down,
    split,
    sum_query,
)


@leaf
def query_factor(strength, temperature, normalize, n_rows, sum_of_phi):
    """The normaliser of a query: 0 "none", 1 "query", 2 "log"."""
    if normalize == 1:
        return n_rows / sum_of_phi if sum_of_phi > 0 else 0.0
    if normalize == 2:
        total = 2.0 * strength / temperature
        return (np.log1p(total) / total if total > 0 else 1.0) / np.log(2.0)
    return 1.0


@leaf
def _factors(q, query_weight, sum_of_phi, strengths, pairs, n, is_loss):
    """What the sums of query q, of n rows, are multiplied with: gradient (or loss) and Hessian."""
    temperature, normalize, hessian_scale = pairs
    factor = query_weight[q] * query_factor(strengths[q], temperature, normalize, n, sum_of_phi[q])
    if is_loss:
        return factor, 0.0
    return factor / temperature, factor * hessian_scale / (temperature * temperature)


factors = kernel(_factors.py_func)


@leaf
def _sum_direct(begin, end, scores, rows, query_weight, sum_of_phi, strengths, pairs, columns, out, out_hessian):
    """The queries from ``begin`` up to the first not to be summed directly: its number, and whether all is finite."""
    ptr, row = rows.ptr, rows.row
    finite = True
    for q in range(begin, end):
        n = ptr[q + 1] - ptr[q]
        if n == 0:
            continue
        here = orient_query(q, rows)
        if not is_direct(n, here.n_rows):
            return q, finite
        low, high, known = read(here, row, scores, columns)
        strengths[q] = sum_oriented(here, low, high, pairs[0], rows, columns) if known > 0.0 else BEYOND
        if strengths[q] == BEYOND:
            continue
        factor, factor_hessian = _factors(q, query_weight, sum_of_phi, strengths, pairs, n, np.int64(0))
        totals, scaled = (columns.double[TOTAL_R], columns.double[TOTAL_T]), (columns.work[E], columns.work[WEIGHT])
        finite &= write(
            here,
            row,
            totals[0],
            totals[1],
            factor if here.mirrored else -factor,
            factor_hessian,
            scaled,
            out,
            out_hessian,
        )
    return end, finite


@kernel
def sum_queries(
    begin,
    end,
    scores,
    rows,
    query_weight,
    sum_of_phi,
    strengths,
    pairs,
    flow,
    n_channels,
    n_targets,
    table,
    out,
    out_hessian,
):
    """Gradient and Hessian, or loss, of the queries ``begin`` to ``end``, scattered to the caller's rows.

    ``pairs`` is (temperature, normalize, hessian_scale); the precision of ``out`` is what is worked in. ``strengths``
    of the queries are written with the gradients and read with the losses; BEYOND (scores that are not finite, or too
    large) and SPREAD say that a query's results are missing. Returns whether all others are finite.
    """
    longest = 0
    for q in range(begin, end):
        longest = max(longest, rows.ptr[q + 1] - rows.ptr[q])
    x = np.empty(longest + LANES)
    gradient = np.empty(longest + LANES, out.dtype)
    hessian = np.empty(longest + LANES, out.dtype)
    columns = make_columns(longest, out)
    scratch = make_scratch()
    nodes = np.empty((7, most_nodes(longest)), np.int64)
    finite = True
    q = np.int64(begin)
    while q < end:
        if not table.is_loss:
            q, some_finite = _sum_direct(
                q, end, scores, rows, query_weight, sum_of_phi, strengths, pairs, columns, out, out_hessian
            )
            finite &= some_finite
            if q == end:
                break
        offset = rows.ptr[q]
        n = rows.ptr[q + 1] - offset
        if n > 0:
            low, high, known = over_temperature(rows.row[offset : offset + n], scores, pairs[0], x)
            if known:
                gradient[: n + LANES] = 0
                hessian[: n + LANES] = 0
                strength = sum_query(
                    x[:n],
                    low,
                    high,
                    offset,
                    rows,
                    flow,
                    n_channels,
                    n_targets,
                    table,
                    nodes,
                    scratch,
                    columns,
                    gradient,
                    hessian,
                )
                if not table.is_loss or strength == SPREAD:
                    strengths[q] = strength
                if strength != SPREAD:
                    factor, factor_hessian = _factors(q, query_weight, sum_of_phi, strengths, pairs, n, table.is_loss)
                    here = Range(np.int64(0), n, offset, False, np.int64(0))
                    scaled = (gradient, hessian)
                    finite &= write(here, rows.row, gradient, hessian, factor, factor_hessian, scaled, out, out_hessian)
            else:
                strengths[q] = BEYOND
        q += 1
    return finite


# One large query, in steps that threads share; between them Python waits for all.


@kernel
def read_scores(begin, end, scores, row, x):
    """x = the scores of the positions ``begin`` to ``end``, whole vectors but for the last; x is padded.

    Returns the extremes, and whether all are finite.
    """
    for p in range(begin, end):
        x[p] = scores[row[p]]
    if end == row.shape[0]:
        x[end : end + LANES] = x[end - 1]
    low, high, finite = limits_of(x, begin, end)
    return low, high, finite > 0.0


centre_of = kernel(nearest_zero.py_func)


@kernel
def centre_scores(begin, end, centre, temperature, x):
    """x = (x - centre) / temperature."""
    for p in range(begin, end):
        x[p] = (x[p] - centre) / temperature


panels_of = kernel(find_panels.py_func)


@kernel
def plant(n, offset, rows, n_panels, near, n_flows, pair_cost, row_cost):
    """The tree of one query (see ``split``), and its subtrees: their nodes' begins and ends."""
    nodes = np.empty((7, most_nodes(n)), np.int64)
    n_nodes = split(n, offset, rows, n_panels, near, n_flows, pair_cost, row_cost, nodes)
    subtrees = np.empty((n_nodes, 2), np.int64)
    count = 0
    node = 0
    while node < n_nodes:
        if nodes[LEFT, node] < 0 or 32 * (nodes[LAST, node] - nodes[FIRST, node]) <= n:
            end = node + 1
            while end < n_nodes and nodes[DEPTH, end] > nodes[DEPTH, node]:
                end += 1
            subtrees[count, 0], subtrees[count, 1] = node, end
            count += 1
            node = end
        else:
            node += 1
    return nodes[:, :n_nodes].copy(), subtrees[:count].copy()


@kernel
def sum_up(subtrees, x, offset, tree, rows, discount, position, slots, table, moments):
    """Moments of some subtrees."""
    centre = value_centre(offset, x.shape[0], rows.value)
    scratch = make_scratch()
    for k in range(subtrees.shape[0]):
        begin, end = subtrees[k, 0], subtrees[k, 1]
        gather_up(begin, end, x, offset, tree, rows, discount, centre, position, slots, table, moments, scratch)


@kernel
def cross(subtrees, tree, flow, position, signed, table, moments, n_targets):
    """Above the subtrees: moments, the coefficients that each subtree starts with, and the strength."""
    top = subtrees[:, 0].max() + 1
    inner = np.ones(top, np.bool_)
    for k in range(subtrees.shape[0]):
        inner[subtrees[k, 0] : min(subtrees[k, 1], top)] = False
    for back in range(top):
        node = top - 1 - back
        if inner[node] and node > 0:
            add_children(node, tree, moments)
    terms = len(table.terms)
    panels = position.shape[0]
    coefficients = np.zeros((subtrees.shape[0], n_targets, panels, 2 * terms))
    stack, translated = make_stack(np.int64(0), top, tree, n_targets, panels, terms)
    strength = 0.0
    count = 0
    for node in range(top):
        starts = subtrees[count, 0] == node
        if not (inner[node] or starts):
            continue
        depth = tree[DEPTH, node]
        if depth > 0:
            copy_coefficients(stack[depth - 1], stack[depth])
            strength += add_sibling(node, tree, flow, moments, position, signed, table, translated, stack[depth])
        if starts:
            coefficients[count] = stack[depth]
            count += 1
    return coefficients, strength


@kernel
def sum_down(subtrees, x, offset, tree, rows, flow, position, slots, table, moments, coefficients, gradient, hessian):
    """Gradients and Hessians of the rows of some subtrees, without the query's factors; returns their strengths."""
    centre = value_centre(offset, x.shape[0], rows.value)
    columns, scratch = make_columns(longest_leaf(subtrees, tree, offset, rows), gradient), make_scratch()
    strengths = np.empty(subtrees.shape[0])
    for k in range(subtrees.shape[0]):
        begin, end = subtrees[k, 0], subtrees[k, 1]
        for p in range(tree[FIRST, begin], tree[LAST, begin]):
            gradient[p] = 0.0
            hessian[p] = 0.0
        n_targets, n_panels = coefficients.shape[1], coefficients.shape[2]
        stack, translated = make_stack(begin, end, tree, n_targets, n_panels, len(table.terms))
        stack[0] = coefficients[k]
        strengths[k] = pass_down(
            begin,
            end,
            x,
            offset,
            tree,
            rows,
            centre,
            flow,
            position,
            slots,
            table,
            moments,
            stack,
            translated,
            scratch,
            columns,
            gradient,
            hessian,
        )
    return strengths


@kernel
def write_scaled(begin, end, row, first, second, factor, factor_second, out, out_second):
    """Scatter the positions ``begin`` to ``end``, whole vectors but for the last, of padded arrays."""
    here = Range(np.int64(0), end - begin, np.int64(0), False, np.int64(0))
    first, second = first[begin:], second[begin:]
    return write(here, row[begin:], first, second, factor, factor_second, (first, second), out, out_second)

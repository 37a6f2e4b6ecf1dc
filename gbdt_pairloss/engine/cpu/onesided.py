"""|delta NDCG| for large queries: all pairs in O(n log n).

|D_i - D_j| is D_j - D_i where j stands above i in the current ranking, and its negative below. Rows of panels above
or below a row's own are above or below it altogether: there the fast sum needs a sign only. Within the own panel, read
from the best score down, the moments of what has been passed are those of the rows above; those below are the rest. So

    S_c(i) = sum_{j above} K_ij c_j - sum_{j below} K_ij c_j = f_i . (2 R_c - M_c)

with R the running and M the panel's moments of the charges c = 1, y, D, yD, and f_i the row's expansion of the kernel.
The sum over phi K is -y_i D_i S_1 + D_i S_y + y_i S_D - S_yD (see ``charges.flows``).
"""

from __future__ import annotations

import numpy as np

from .charges import value_centre
from .chebyshev import WIDTH, find_panels, place
from .compile import helper, leaf
from .direct import SPREAD, is_spread
from .ndcg_direct import sum_pairs_ndcg
from .tree import (
    DEPTH,
    FIRST,
    LAST,
    LEFT,
    RIGHT,
    SIDE,
    add_sibling,
    copy_coefficients,
    evaluate_rows,
    gather_up,
    has_one_label,
    make_scratch,
    make_stack,
    most_nodes,
    split,
)

#: ns; see tree.py.
PAIR = 0.35
ROW = 90.0


@leaf
def sweep(begin, end, node, offset, rows, centre, position, slots, table, tree, moments, ranked, work, first, second):
    """Add what winners and losers of a node sum over each other within their own panels.

    ``ranked`` are the node's positions by descending score, and their scores and discounts, of which ``begin`` to
    ``end`` are whole panels; ``moments`` are those of the tree. Returns the strength of these pairs, without weights.
    """
    # Weighted sums are no strength. Where that is asked for, the moments have the channels of role 2, and it takes a
    # sweep of its own; else what is returned is not looked at.
    strength = 0.0
    for role in range(0, 3 if moments.shape[1] == 12 else 1, 2):
        strength = _sweep(
            begin,
            end,
            node,
            offset,
            rows,
            role,
            centre,
            position,
            slots,
            table,
            tree,
            moments,
            ranked,
            work,
            first,
            second,
        )
    return strength


@leaf
def _sweep(
    begin, end, node, offset, rows, role, centre, position, slots, table, tree, moments, ranked, work, gradient, hessian
):
    """As ``sweep``; in role 2 weights do not count and nothing is added. Returns the winners' sums of phi K."""
    slot, local, seen, expansion, combined, image = work
    order, scores, discounts = ranked
    values, winner_weight, loser_weight = rows.value, rows.winner_weight, rows.loser_weight
    kernels = table.kernels
    terms = len(table.terms)
    middle = tree[LAST, tree[LEFT, node]]
    weighted = winner_weight.size > 0 and role == 0
    adds = role == 0
    # Moments of the other half: winners sum over the right child's charges as losers, losers over the left child's.
    of_losers = moments[tree[RIGHT, node], (4 if weighted else 4 * role) :]
    of_winners = moments[tree[LEFT, node], 4 * role :]
    strength = 0.0
    current = np.inf
    here = 0
    for at in range(begin, end):
        p, d = order[at], discounts[at]
        u = scores[at] / WIDTH
        panel = np.floor(u)
        if panel != current:
            current = panel
            place(scores[at : at + 1], position, slots, slot, local)
            here = slot[0]
            seen[:] = 0.0
        t0, t1 = 1.0, 2.0 * (u - panel) - 1.0
        double = 2.0 * t1
        for k in range(terms):
            expansion[k] = t0
            t0, t1 = t1, double * t1 - t0
        y = values[offset + p] - centre
        wins = p < middle
        other, total = (0, of_losers) if wins else (1, of_winners)
        for k in range(terms):
            combined[k] = (
                y * ((2.0 * seen[other, 2, k] - total[2, here, k]) - d * (2.0 * seen[other, 0, k] - total[0, here, k]))
                + d * (2.0 * seen[other, 1, k] - total[1, here, k])
                - (2.0 * seen[other, 3, k] - total[3, here, k])
            )
        matrix = kernels[0 if wins else 1, table.near]
        for n in range(2 * terms):
            z = 0.0
            for k in range(terms):
                z += matrix[k, n] * combined[k]
            image[n] = z
        sum_first, sum_second = 0.0, 0.0
        for k in range(terms):
            sum_first += image[k] * expansion[k]
            sum_second += image[k + terms] * expansion[k]
        weight = 1.0
        if weighted:
            weight = winner_weight[offset + p] if wins else loser_weight[offset + p]
        if wins:
            strength += sum_first
        if adds and table.is_loss:
            if wins:
                gradient[p] += weight * sum_first
                hessian[p] += weight * sum_second
        elif adds:
            gradient[p] -= weight * sum_first
            hessian[p] += weight * (sum_second if wins else -sum_second)
        own = 1 if wins else 0
        for k in range(terms):
            charge = weight * expansion[k]
            seen[own, 0, k] += charge
            seen[own, 1, k] += y * charge
            seen[own, 2, k] += d * charge
            seen[own, 3, k] += y * d * charge
    return strength


@leaf
def rank_rows(begin, end, x, discount, ranked):
    """Scores and discounts in the order of the ranking, from rank ``begin`` to ``end``."""
    order, scores, discounts = ranked
    for at in range(begin, end):
        scores[at] = x[order[at]]
        discounts[at] = discount[order[at]]


@leaf
def partition(begin, end, middle, left, right, ranked, buffers):
    """Part of a node's ranking to those of its children, from ``left`` and ``right`` on; ``middle`` parts them."""
    order, scores, discounts = ranked
    for k in range(begin, end):
        p = order[k]
        to = left if p < middle else right
        buffers[0][to] = p
        buffers[1][to] = scores[k]
        buffers[2][to] = discounts[k]
        if p < middle:
            left += 1
        else:
            right += 1


@leaf
def copy_back(begin, end, ranked, buffers):
    for k in range(begin, end):
        ranked[0][k] = buffers[0][k]
        ranked[1][k] = buffers[1][k]
        ranked[2][k] = buffers[2][k]


@helper
def plant_one_sided(x, offset, rows, table, n_flows, nodes):
    """Panels and tree of a query; fewer than two nodes where it is summed directly."""
    low, high = x.min(), x.max()
    position, slots = find_panels(x, low, high)
    n_nodes = 0
    if position.shape[0] > 0:
        n_nodes = split(x.shape[0], offset, rows, position.shape[0], table.near, n_flows, PAIR, ROW, nodes)
    return position, slots, n_nodes


@helper
def make_sweep_work(terms):
    """A panel's index and place, the moments of what has been passed, and three expansions."""
    return (
        np.empty(1, np.int64),
        np.empty(1),
        np.empty((2, 4, terms)),
        np.empty(terms),
        np.empty(terms),
        np.empty(2 * terms),
    )


@helper
def sum_one_sided(
    x, offset, rows, exchange, temperature, discount, top, flow, sizes, table, orders, columns, first, second
):
    """All pairs of a large query: gradients and Hessians, or losses and weights; returns the strength, or SPREAD.

    ``sizes`` are the numbers of channels and of targets; the first of ``orders`` is the current ranking.
    """
    n = x.shape[0]
    nodes = np.empty((7, most_nodes(n)), np.int64)
    position, slots, n_nodes = plant_one_sided(x, offset, rows, table, flow.shape[0], nodes)
    zero = np.int64(0)
    if is_spread(n, position.shape[0]):
        return SPREAD
    if n_nodes < 2:
        return sum_pairs_ndcg(
            table.is_loss, x, zero, n, offset, rows, exchange, temperature, discount, top, columns, first, second
        )
    terms = len(table.terms)
    centre = value_centre(offset, n, rows.value)
    tree = nodes[:, :n_nodes].copy()
    moments = np.empty((n_nodes, sizes[0], position.shape[0], terms))
    scratch = make_scratch()
    gather_up(np.int64(1), n_nodes, x, offset, tree, rows, discount, centre, position, slots, table, moments, scratch)
    stack, translated = make_stack(zero, n_nodes, tree, sizes[1], position.shape[0], terms)
    ranked = (orders[0], np.empty(n), np.empty(n))
    buffers = (orders[1], np.empty(n), np.empty(n))
    rank_rows(zero, n, x, discount, ranked)
    return walk_one_sided(
        zero,
        n_nodes,
        x,
        offset,
        rows,
        exchange,
        temperature,
        discount,
        top,
        flow,
        table,
        tree,
        position,
        slots,
        moments,
        stack,
        translated,
        scratch,
        make_sweep_work(terms),
        ranked,
        buffers,
        columns,
        first,
        second,
    )


@leaf
def walk_one_sided(
    begin,
    end,
    x,
    offset,
    rows,
    exchange,
    temperature,
    discount,
    top,
    flow,
    table,
    tree,
    position,
    slots,
    moments,
    stack,
    translated,
    scratch,
    work,
    ranked,
    buffers,
    columns,
    first,
    second,
):
    """As ``tree.pass_down``: the sums of the rows of a subtree, whose ranking is used up; returns the strength."""
    centre = value_centre(offset, x.shape[0], rows.value)
    strength = 0.0
    for node in range(begin, end):
        depth = tree[DEPTH, node] - tree[DEPTH, begin]
        if depth > 0:
            copy_coefficients(stack[depth - 1], stack[depth])
            strength += add_sibling(node, tree, flow, moments, position, True, table, translated, stack[depth])
        start, stop, left = tree[FIRST, node], tree[LAST, node], tree[LEFT, node]
        if left >= 0:
            if tree[SIDE, left] >= 0:
                strength += sweep(
                    start,
                    stop,
                    node,
                    offset,
                    rows,
                    centre,
                    position,
                    slots,
                    table,
                    tree,
                    moments,
                    ranked,
                    work,
                    first,
                    second,
                )
                middle = tree[LAST, left]
                partition(start, stop, middle, start, middle, ranked, buffers)
                copy_back(start, stop, ranked, buffers)
            continue
        evaluate_rows(
            start,
            stop,
            x,
            offset,
            rows,
            discount,
            centre,
            position,
            slots,
            table,
            stack[depth],
            scratch,
            (first, second),
        )
        if has_one_label(rows.run_end, offset, start, stop):
            continue
        strength += sum_pairs_ndcg(
            table.is_loss, x, start, stop, offset, rows, exchange, temperature, discount, top, columns, first, second
        )
    return strength

"""|delta NDCG| for large queries: all pairs in O(n log n).

|D_i - D_j| is D_j - D_i where j stands above i in the current ranking, and its negative below. Rows of panels above
or below a row's own are above or below it altogether: there the fast sum needs a sign only. Within the own panel, read
from the best score down, the moments of what has been passed are those of the rows above; those below are the rest. So

    S_c(i) = sum_{j above} K_ij c_j - sum_{j below} K_ij c_j = f_i . (2 R_c - M_c)

with R the running and M the panel's moments of the charges c = 1, y, D, yD, and f_i the row's expansion of the kernel.
The sum over phi K is -y_i D_i S_1 + D_i S_y + y_i S_D - S_yD (see ``tree.flows``).
"""

from __future__ import annotations

import numpy as np

from .chebyshev import find_panels, place
from .compile import helper, leaf
from .direct import extremes
from .tree import (
    split,
)

# ns; see tree.py.
_PAIR = 0.35
_ROW = 90.0


@leaf
def _expand(x, terms, out):
    """T_k(x)."""
    t0, t1 = 1.0, x
    for k in range(len(terms)):
        out[k] = t0
        t0, t1 = t1, 2.0 * x * t1 - t0


@leaf
def _own_panel(side, own_y, own_d, expansion, table, seen, moments, combined):
    """The sums of phi K and phi K' over the other half's rows of a row's own panel."""
    terms = len(table.terms)
    c0, c1, c2 = -own_y * own_d, own_d, own_y
    for k in range(terms):
        combined[k] = (
            c0 * (2.0 * seen[0, k] - moments[0, k])
            + c1 * (2.0 * seen[1, k] - moments[1, k])
            + c2 * (2.0 * seen[2, k] - moments[2, k])
            - (2.0 * seen[3, k] - moments[3, k])
        )
    matrix = table.kernels[side, table.near]
    first, second = 0.0, 0.0
    for k in range(terms):
        f, g = 0.0, 0.0
        for t in range(terms):
            f += matrix[k, t] * expansion[t]
            g += matrix[k, t + terms] * expansion[t]
        first += f * combined[k]
        second += g * combined[k]
    return first, second


@leaf
def sweep(bounds, x, offset, rows, discount, centre, position, slots, table, order, work, gradient, hessian):
    """Add what the winners and losers of a node sum over each other within their own panels.

    ``bounds`` are the first winner, the first loser and the end; ``order`` holds these positions by descending score.
    Returns the strength of these pairs, without weights.
    """
    strength = _sweep(
        bounds, x, offset, rows, False, discount, centre, position, slots, table, order, work, gradient, hessian
    )
    if rows.winner_weight.size > 0 and not table.is_loss:
        return _sweep(
            bounds, x, offset, rows, True, discount, centre, position, slots, table, order, work, gradient, hessian
        )
    return strength


@leaf
def _sweep(bounds, x, offset, rows, unit, discount, centre, position, slots, table, order, work, gradient, hessian):
    """As ``sweep``, but with ``unit`` weights do not count and nothing is added. Returns the winners' sums of phi K."""
    first, middle, last = bounds
    slot, local, charges, seen, moments, expansion, combined = work
    terms = len(table.terms)
    weighted = rows.winner_weight.size > 0 and not unit
    strength = 0.0
    start = first
    while start < last:
        place(x[order[start] : order[start] + 1], position, slots, slot, local)
        panel = slot[0]
        moments[:] = 0.0
        seen[:] = 0.0
        stop = start
        while stop < last:  # the moments of the panel's rows, of losers in 0 and of winners in 1
            p = order[stop]
            place(x[p : p + 1], position, slots, slot, local)
            if slot[0] != panel:
                break
            _expand(local[0], table.terms, expansion)
            half = 1 if p < middle else 0
            _charges(p, offset, half, weighted, rows, discount, centre, charges)
            for c in range(4):
                for k in range(terms):
                    moments[half, c, k] += charges[c] * expansion[k]
            stop += 1
        for at in range(start, stop):
            p = order[at]
            place(x[p : p + 1], position, slots, slot, local)
            _expand(local[0], table.terms, expansion)
            half = 1 if p < middle else 0
            other = 1 - half
            own_y = rows.value[offset + p] - centre
            sums = _own_panel(1 - half, own_y, discount[p], expansion, table, seen[other], moments[other], combined)
            if half == 1:
                strength += sums[0]
            if not unit:
                weight = 1.0
                if weighted:
                    weight = rows.winner_weight[offset + p] if half == 1 else rows.loser_weight[offset + p]
                if table.is_loss:
                    if half == 1:
                        gradient[p] += weight * sums[0]
                        hessian[p] += weight * sums[1]
                else:
                    gradient[p] -= weight * sums[0]
                    hessian[p] += weight * (sums[1] if half == 1 else -sums[1])
            _charges(p, offset, half, weighted, rows, discount, centre, charges)
            for c in range(4):
                for k in range(terms):
                    seen[half, c, k] += charges[c] * expansion[k]
        start = stop
    return strength


@leaf
def _charges(p, offset, half, weighted, rows, discount, centre, charges):
    """1, y, D and yD of a row, times its weight as a winner (half 1) or as a loser."""
    weight = 1.0
    if weighted:
        weight = rows.winner_weight[offset + p] if half == 1 else rows.loser_weight[offset + p]
    y = rows.value[offset + p] - centre
    charges[0], charges[1] = weight, weight * y
    charges[2], charges[3] = weight * discount[p], weight * y * discount[p]


@leaf
def partition(first, middle, last, order, buffer):
    """The order of a range to the orders of its halves."""
    left, right = first, middle
    for k in range(first, last):
        p = order[k]
        if p < middle:
            buffer[left] = p
            left += 1
        else:
            buffer[right] = p
            right += 1
    for k in range(first, last):
        order[k] = buffer[k]


@helper
def plant_one_sided(x, offset, rows, table, n_flows, nodes):
    """Panels and tree of a query; fewer than two nodes where it is summed directly."""
    low, high = extremes(x)
    position, slots = find_panels(x, low, high)
    n_nodes = 0
    if position.shape[0] > 0:
        n_nodes = split(x.shape[0], offset, rows, position.shape[0], table.near, n_flows, _PAIR, _ROW, nodes)
    return position, slots, n_nodes


@helper
def make_sweep_work(terms):
    return (
        np.empty(1, np.int64),
        np.empty(1),
        np.empty(4),
        np.empty((2, 4, terms)),
        np.empty((2, 4, terms)),
        np.empty(terms),
        np.empty(terms),
    )

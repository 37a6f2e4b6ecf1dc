"""One query: its rows split at label boundaries, direct sums at the leaves, fast sums between halves.

Splitting the rows of a query, in descending order of their labels, at the label boundary nearest their middle, and
both halves again, covers every ordered pair once: in an inner node every row of the left half beats every row of the
right one. Nodes that are cheaper to sum directly are not split. As in a fast multipole method each row is expanded
once, at its leaf: moments are added up from the leaves to the root, and the coefficients of what the other half of
each ancestor contributes are passed down from the root to the leaves, where each row evaluates their sum.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .charges import fill_charges, powers_of, role_weight, value_centre
from .chebyshev import add_moments, evaluate, find_panels, place, translate
from .compile import helper, leaf
from .direct import SPREAD, is_spread, sum_pairs

# A leaf has at most this many rows if it has one label: what one task of a large query takes at least.
_MOST_ROWS = 16384

# Rows that are expanded in one go, small enough for the cache.
_CHUNK = 1024

# Costs in ns, of one core at about 3 GHz: what the choice between the sums rests on. Only their ratios matter.
_DIRECT_PAIR = 0.16
_DIRECT_WEIGHTED_PAIR = 0.5
_EXPAND_ROW = 18.0
_TRANSLATE = 7.0  # one panel to another
_NODE = 200.0
_QUERY = 3000.0


# A tree is an int64 array with a column for each node, in preorder, and these rows. Children that come of a split for
# size only have no side.
FIRST, LAST, LEFT, RIGHT, SIBLING, SIDE, DEPTH = range(7)


class Scratch(NamedTuple):
    """Arrays for the rows that are expanded in one go: panels, places in them, charges, sums of sigma and sigma'."""

    slot: NDArray[np.int64]
    local: NDArray[np.float64]
    charge: NDArray[np.float64]
    sums: NDArray[np.float64]


@helper
def make_scratch():
    return Scratch(np.empty(_CHUNK, np.int64), np.empty(_CHUNK), np.ones(_CHUNK), np.empty((2, _CHUNK)))


@leaf
def count_pairs(first, last, run_end, offset):
    """The ordered pairs of a range; of a range of many labels an upper bound."""
    pairs = 0.0
    p = first
    for _ in range(256):
        end = min(run_end[offset + p] - offset, last)
        pairs += float(end - p) * float(last - end)
        p = end
        if p == last:
            return pairs
    return pairs + 0.5 * float(last - p) * float(last - p)


@leaf
def boundary(first, last, rows, offset):
    """The label boundary nearest the middle of a range of several labels."""
    middle = (first + last) // 2
    begin, end = rows.run_begin[offset + middle] - offset, rows.run_end[offset + middle] - offset
    if begin > first and (end >= last or middle - begin <= end - middle):
        return begin
    return end


@leaf
def most_nodes(n):
    """What an array for a query's tree must hold; a node that finds no place for children stays a leaf."""
    return 64 + n // 4


@helper
def split(n, offset, rows, panels, near, n_flows, pair_cost, row_cost, nodes):
    """Fill the tree of a query of n rows whose scores lie in so many panels; returns the number of its nodes.

    ``pair_cost`` is that of a direct sum; ``row_cost`` what splitting a node costs for each of its rows.
    """
    translation = _TRANSLATE * n_flows * panels * min(panels, 2 * near + 1)
    stack = np.empty((128, 5), np.int64)  # first, last, parent, side, depth
    stack[0, 0], stack[0, 1], stack[0, 2], stack[0, 3], stack[0, 4] = 0, n, -1, -1, 0
    size, count = 1, 0
    while size > 0:
        size -= 1
        first, last, parent, side, depth = (
            stack[size, 0],
            stack[size, 1],
            stack[size, 2],
            stack[size, 3],
            stack[size, 4],
        )
        node = count
        count += 1
        nodes[FIRST, node], nodes[LAST, node] = first, last
        nodes[LEFT, node], nodes[RIGHT, node], nodes[SIBLING, node] = -1, -1, -1
        nodes[SIDE, node], nodes[DEPTH, node] = side, depth
        if parent >= 0:
            if nodes[LEFT, parent] < 0:
                nodes[LEFT, parent] = node
            else:
                nodes[RIGHT, parent] = node
                nodes[SIBLING, node] = nodes[LEFT, parent]
                nodes[SIBLING, nodes[LEFT, parent]] = node
        one_label = has_one_label(rows.run_end, offset, first, last)
        if one_label:
            if last - first <= _MOST_ROWS:
                continue
            middle = (first + last) // 2
        else:
            fast = 2.0 * (translation + _NODE) + row_cost * (last - first)
            if depth == 0:
                fast += _QUERY + _EXPAND_ROW * n_flows * 0.5 * n
            if pair_cost * count_pairs(first, last, rows.run_end, offset) <= fast:
                continue
            middle = boundary(first, last, rows, offset)
        if count + size + 2 > most_nodes(n) or size + 2 > stack.shape[0]:
            continue
        for child in range(2):  # the left one is taken off the stack first
            stack[size, 0] = first if child == 1 else middle
            stack[size, 1] = middle if child == 1 else last
            stack[size, 2] = node
            stack[size, 3] = -1 if one_label else 1 - child
            stack[size, 4] = depth + 1
            size += 1
    return count


@leaf
def has_one_label(run_end, offset, first, last):
    """Whether a range has one label."""
    return run_end[offset + first] >= offset + last


@leaf
def gather_up(begin, end, x, offset, tree, rows, discount, centre, position, slots, table, moments, scratch):
    """Moments of the nodes ``begin`` to ``end``, whole subtrees, from their rows."""
    slot, local, charge = scratch.slot, scratch.local, scratch.charge
    plain = rows.winner_weight.size == 0 and rows.value.size == 0
    for back in range(end - begin):
        node = end - 1 - back
        moments[node] = 0.0
        if tree[LEFT, node] >= 0:
            add_children(node, tree, moments)
            continue
        for start in range(tree[FIRST, node], tree[LAST, node], _CHUNK):
            stop = min(start + _CHUNK, tree[LAST, node])
            n = stop - start
            place(x[start:stop], position, slots, slot, local)
            for channel in range(moments.shape[1]):
                if not plain:
                    fill_charges(start, stop, offset, channel, rows, discount, centre, charge)
                add_moments(slot[:n], local[:n], charge, table.terms, moments[node, channel])


@leaf
def add_children(node, tree, moments):
    """A node's moments, from those of its children."""
    left, right = moments[tree[LEFT, node]], moments[tree[RIGHT, node]]
    for channel in range(moments.shape[1]):
        for panel in range(moments.shape[2]):
            for k in range(moments.shape[3]):
                moments[node, channel, panel, k] = left[channel, panel, k] + right[channel, panel, k]


@leaf
def copy_coefficients(source, target):
    for i in range(source.shape[0]):
        for panel in range(source.shape[1]):
            for k in range(source.shape[2]):
                target[i, panel, k] = source[i, panel, k]


@leaf
def add_sibling(node, tree, flow, moments, position, signed, table, translated, coefficients):
    """Add what a node's rows sum over its sibling's; return the strength of these pairs, where counted here."""
    strength = 0.0
    terms = len(table.terms)
    side = tree[SIDE, node]
    if side < 0:
        return strength
    for f in range(flow.shape[0]):
        if flow[f, 0] != side:
            continue
        translate(moments[tree[SIBLING, node], flow[f, 1]], position, side, signed, table, translated)
        target, sign, sign_slope, dual = flow[f, 2], flow[f, 3], flow[f, 4], flow[f, 5]
        if target >= 0:
            for panel in range(position.shape[0]):
                for k in range(terms):
                    coefficients[target, panel, k] += sign * translated[panel, k]
                    coefficients[target, panel, k + terms] += sign_slope * translated[panel, k + terms]
        if dual >= 0:
            total = 0.0
            for panel in range(position.shape[0]):
                for k in range(terms):
                    total += translated[panel, k] * moments[node, dual, panel, k]
            strength += flow[f, 6] * total
    return strength


@leaf
def evaluate_rows(
    first, last, x, offset, rows, discount, centre, position, slots, table, coefficients, scratch, sums_out
):
    """Add to the gradients and Hessians of a leaf's rows what its coefficients say; ``sums_out`` is the two arrays."""
    slot, local, sums = scratch.slot, scratch.local, scratch.sums
    gradient, hessian = sums_out
    powers = powers_of(rows, discount)
    plain = rows.winner_weight.size == 0 and powers == 1
    for start in range(first, last, _CHUNK):
        stop = min(start + _CHUNK, last)
        n = stop - start
        place(x[start:stop], position, slots, slot, local)
        for target in range(coefficients.shape[0]):
            sums[:, :n] = 0.0
            evaluate(slot[:n], local[:n], table.terms, coefficients[target], sums)
            role, missing = target // powers, powers - 1 - target % powers
            for k in range(n):
                weight = 1.0
                if not plain:
                    weight = role_weight(offset + start + k, role, rows)
                    if missing % 2 == 1:
                        weight *= rows.value[offset + start + k] - centre
                    if missing >= 2:
                        weight *= discount[start + k]
                gradient[start + k] += weight * sums[0, k]
                hessian[start + k] += weight * sums[1, k]


@leaf
def pass_down(
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
):
    """Gradients and Hessians of the rows of the subtree of nodes ``begin`` to ``end``; returns its strength.

    ``stack`` holds the coefficients of a node at each depth of the subtree (see ``make_stack``), its first entry those
    of what the subtree's rows sum over the rows outside it; ``translated`` is for one translation.
    """
    strength = 0.0
    none = x[:0]
    for node in range(begin, end):
        depth = tree[DEPTH, node] - tree[DEPTH, begin]
        if depth > 0:
            copy_coefficients(stack[depth - 1], stack[depth])
            strength += add_sibling(node, tree, flow, moments, position, False, table, translated, stack[depth])
        if tree[LEFT, node] >= 0:
            continue
        first, last = tree[FIRST, node], tree[LAST, node]
        if stack.shape[2] > 0:
            evaluate_rows(
                first,
                last,
                x,
                offset,
                rows,
                none,
                centre,
                position,
                slots,
                table,
                stack[depth],
                scratch,
                (gradient, hessian),
            )
        if has_one_label(rows.run_end, offset, first, last):
            continue
        strength += sum_pairs(table.is_loss, x, first, last, offset, rows, columns, gradient, hessian)
    return strength


@helper
def make_stack(begin, end, tree, n_targets, panels, terms):
    """Coefficients for the depths of the subtree of nodes ``begin`` to ``end``, zero, and for one translation."""
    deepest = 0
    for node in range(begin, end):
        deepest = max(deepest, tree[DEPTH, node] - tree[DEPTH, begin])
    return np.zeros((deepest + 1, n_targets, panels, 2 * terms)), np.empty((panels, 2 * terms))


@leaf
def longest_leaf(subtrees, tree, offset, rows):
    """The most rows of a leaf of these subtrees that is summed directly."""
    longest = 0
    for k in range(subtrees.shape[0]):
        for node in range(subtrees[k, 0], subtrees[k, 1]):
            first, last = tree[FIRST, node], tree[LAST, node]
            if tree[LEFT, node] < 0 and not has_one_label(rows.run_end, offset, first, last):
                longest = max(longest, last - first)
    return longest


@leaf
def direct_cost(rows):
    """Of a pair."""
    weighted = rows.winner_weight.size > 0 or rows.value.size > 0
    return _DIRECT_WEIGHTED_PAIR if weighted else _DIRECT_PAIR


@leaf
def is_direct(n, n_rows):
    """Whether a query of n rows, of which ``n_rows`` meet others, is summed directly whatever its labels and scores."""
    return min(0.5 * n, float(n_rows)) * n * _DIRECT_PAIR <= _QUERY + _EXPAND_ROW * n


@helper
def sum_query(
    x, low, high, offset, rows, flow, n_channels, n_targets, table, nodes, scratch, columns, gradient, hessian
):
    """Add the sums of one query in one go, without the query's factors; returns the strength, or SPREAD.

    ``x`` are its scores over the temperature, and ``low`` and ``high`` the extremes of these.
    """
    n = x.shape[0]
    position, slots = find_panels(x, low, high)
    panels = position.shape[0]
    if is_spread(n, panels):
        return SPREAD
    nodes[FIRST, 0], nodes[LAST, 0], nodes[LEFT, 0], nodes[DEPTH, 0] = 0, n, -1, 0
    n_nodes = 1
    if panels > 0:
        n_nodes = split(n, offset, rows, panels, table.near, flow.shape[0], direct_cost(rows), 0.0, nodes)
    if n_nodes == 1:
        panels = 0  # a direct sum: there is nothing to expand
    centre = value_centre(offset, n, rows.value)
    tree = nodes[:, :n_nodes].copy()
    terms = len(table.terms)
    moments = np.empty((n_nodes, n_channels, panels, terms))
    gather_up(np.int64(1), n_nodes, x, offset, tree, rows, x[:0], centre, position, slots, table, moments, scratch)
    stack, translated = make_stack(np.int64(0), n_nodes, tree, n_targets, panels, terms)
    return pass_down(
        np.int64(0),
        n_nodes,
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

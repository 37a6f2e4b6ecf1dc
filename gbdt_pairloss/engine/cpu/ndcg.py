"""The kernels for pairs weighted by |delta NDCG|: many queries in one go, and the steps of one large query.

LambdaRank, and LambdaMART in a booster.
"""

from __future__ import annotations

import numpy as np

from .charges import Rows, value_centre
from .chebyshev import WIDTH
from .columns import BEYOND, EXPONENT, FRACTION, Range, make_columns, over_temperature, write
from .compile import exact_kernel, kernel, leaf
from .direct import SPREAD
from .lanes import LANES
from .ndcg_direct import Exchange, sum_first, sum_of_phi_ndcg, sum_pairs_ndcg
from .onesided import copy_back, make_sweep_work, partition, rank_rows, sum_one_sided, sweep, walk_one_sided
from .query_sums import query_factor
from .ranking import discount_of, discounts, order_ties
from .sorting import merge, sort
from .tree import LAST, LEFT, longest_leaf, make_scratch, make_stack

# Queries of more rows than this are summed one-sided, or by their first rows where that is less work.
_ONE_SIDED = 1024


@leaf
def _finish(q, sum_of_phi, rows, query_weight, exchange, strengths, pairs, is_loss, arrays, out, out_second):
    """Normalise and scatter what a query has summed up; returns whether all of it is finite."""
    offset, zero = rows.ptr[q], np.int64(0)
    n = rows.ptr[q + 1] - offset
    factor, factor_second = _factors(q, sum_of_phi, query_weight, exchange, strengths, pairs, n, is_loss)
    here = Range(zero, n, offset, False, zero)
    first, second = arrays[3], arrays[4]
    return write(here, rows.row, first, second, factor, factor_second, (arrays[5], arrays[6]), out, out_second)


@leaf
def _factors(q, sum_of_phi, query_weight, exchange, strengths, pairs, n, is_loss):
    """What the sums of query q, of n rows, are multiplied with."""
    temperature, normalize, hessian_scale = pairs
    per_ideal = exchange.per_ideal[q]
    factor = query_factor(strengths[q], temperature, normalize, n, per_ideal * sum_of_phi)
    factor *= per_ideal * query_weight[q]
    if is_loss:
        return factor, factor
    factor /= temperature
    return factor, factor * hessian_scale / temperature


@leaf
def _prepare(q, rows, scores, temperature, exchange, orders, columns, arrays):
    """Read a query's scores and rank them; returns whether the sums take them, and base and slope of phi's divisor."""
    offset = rows.ptr[q]
    n = rows.ptr[q + 1] - offset
    row = rows.row[offset : offset + n]
    x, discount, top, first, second = arrays[:5]
    low, high, known = over_temperature(row, scores, temperature, x)
    if known:
        keys = (columns.double[FRACTION], columns.double[EXPONENT])
        discounts(x[:n], row, exchange.truncation, exchange.few, orders, keys, discount, top)
        first[: n + LANES] = 0.0
        second[: n + LANES] = 0.0
    tied = low == high  # then LightGBM does not divide by the distances
    return known, 1.0 if tied else exchange.base, 0.0 if tied else exchange.slope


@leaf
def _sum_some(
    begin,
    end,
    scores,
    rows,
    query_weight,
    exchange,
    strengths,
    pairs,
    is_loss,
    arrays,
    orders,
    columns,
    out,
    out_second,
):
    """The queries from ``begin`` on up to the first to be summed one-sided: its number, and whether all is finite."""
    temperature, normalize, _ = pairs
    ptr = rows.ptr
    zero = np.int64(0)
    finite = True
    for q in range(begin, end):
        offset = ptr[q]
        n = ptr[q + 1] - offset
        if n > _ONE_SIDED and exchange.truncation >= n and exchange.slope == 0:
            return q, finite
        if n == 0:
            continue
        known, base, slope = _prepare(q, rows, scores, temperature, exchange, orders, columns, arrays)
        if not known:
            strengths[q] = BEYOND
            continue
        here = Exchange(exchange.truncation, base, slope, exchange.per_ideal, exchange.few)
        x, discount, top, first, second = arrays[0][:n], arrays[1][:n], arrays[2][:n], arrays[3], arrays[4]
        strength, sum_of_phi = 0.0, 0.0
        if n > _ONE_SIDED and 8 * exchange.truncation < n:
            strength, sum_of_phi = sum_first(
                x, offset, rows, here, temperature, discount, orders[0], is_loss, first, second
            )
        else:
            strength = sum_pairs_ndcg(
                is_loss, x, zero, n, offset, rows, here, temperature, discount, top, columns, first, second
            )
            if normalize == 1:
                sum_of_phi = sum_of_phi_ndcg(x, offset, rows, here, temperature, discount, top)
        if not is_loss:
            strengths[q] = exchange.per_ideal[q] * strength
        finite &= _finish(
            q, sum_of_phi, rows, query_weight, exchange, strengths, pairs, is_loss, arrays, out, out_second
        )
    return end, finite


@kernel
def sum_queries_ndcg(
    begin, end, scores, rows, query_weight, exchange, strengths, pairs, flow, sizes, unit_flow, tables, out, out_second
):
    """Gradient and Hessian, or loss and weight, of the queries ``begin`` to ``end``; see ``sum_queries``.

    ``flow`` and ``sizes`` are those of the sums asked for, ``unit_flow`` those of the sum of phi; ``tables`` the
    expansions of what is asked for and of the loss.
    """
    table, loss_table = tables
    is_loss = table.is_loss
    longest = 0
    for q in range(begin, end):
        longest = max(longest, rows.ptr[q + 1] - rows.ptr[q])
    padded = longest + LANES
    arrays = (
        np.empty(padded),
        np.empty(padded),
        np.empty(padded),
        np.empty(padded),
        np.empty(padded),
        np.empty(padded, out.dtype),
        np.empty(padded, out.dtype),
    )
    orders = (np.empty(longest, np.int64), np.empty(longest, np.int64))
    columns = make_columns(longest, out)
    temperature, normalize, _ = pairs
    finite = True
    q = np.int64(begin)
    while True:
        q, some_finite = _sum_some(
            q,
            end,
            scores,
            rows,
            query_weight,
            exchange,
            strengths,
            pairs,
            is_loss,
            arrays,
            orders,
            columns,
            out,
            out_second,
        )
        finite &= some_finite
        if q == end:
            return finite
        offset = rows.ptr[q]
        n = rows.ptr[q + 1] - offset
        known, base, slope = _prepare(q, rows, scores, temperature, exchange, orders, columns, arrays)
        if not known:
            strengths[q] = BEYOND
            q += 1
            continue
        here = Exchange(exchange.truncation, base, slope, exchange.per_ideal, exchange.few)
        x, discount, top, first, second = arrays[0][:n], arrays[1][:n], arrays[2][:n], arrays[3], arrays[4]
        # For the normaliser "query" the sum of phi first: what winners sum up as weights, without weights.
        unit = Rows(rows.row, rows.ptr, rows.run_begin, rows.run_end, rows.last_run, x[:0], x[:0], rows.value)
        ranking = orders[0][:n].copy()
        sum_of_phi, strength = 0.0, 0.0
        for step in range(0 if normalize == 1 else 1, 2):
            of_phi = step == 0
            first[: n + LANES] = 0.0
            second[: n + LANES] = 0.0
            orders[0][:n] = ranking
            strength = sum_one_sided(
                x,
                offset,
                unit if of_phi else rows,
                here,
                temperature,
                discount,
                top,
                unit_flow if of_phi else flow,
                (4, 4) if of_phi else sizes,
                loss_table if of_phi else table,
                orders,
                columns,
                first,
                second,
            )
            if of_phi:
                sum_of_phi = second[:n].sum()
        if strength == SPREAD:
            strengths[q] = SPREAD
            q += 1
            continue
        if not is_loss:
            strengths[q] = exchange.per_ideal[q] * strength
        finite &= _finish(
            q, sum_of_phi, rows, query_weight, exchange, strengths, pairs, is_loss, arrays, out, out_second
        )
        q += 1


# One large query, all pairs, in steps that threads share; between them Python waits for all. See query_sums.py.


@kernel
def sort_chunk(begin, end, x, order, spare_order, key, spare_key):
    """Scores and positions from ``begin`` to ``end``, best first, equal scores by position."""
    for p in range(begin, end):
        key[p], order[p] = x[p], p
    sort(key[begin:end], order[begin:end], spare_key[begin:end], spare_order[begin:end])


merge_chunks = exact_kernel(merge.py_func)
settle_ties = kernel(order_ties.py_func)


@kernel
def rank_chunk(begin, end, x, few, discount, ranked):
    """Discounts of the ranks ``begin`` to ``end``, by position and by rank, and scores by rank."""
    for rank in range(begin, end):
        discount[ranked[0][rank]] = discount_of(rank, few)
    rank_rows(begin, end, x, discount, ranked)


@kernel
def panel_bounds(begin, end, scores, n_parts):
    """Where to part a node's ranking so that each part has whole panels and not fewer rows than a share of all."""
    bounds = np.empty(n_parts + 1, np.int64)
    bounds[0] = begin
    count = 0
    least = (end - begin) // n_parts
    for at in range(begin + 1, end):
        enough = at - bounds[count] >= least and count < n_parts - 1
        if enough and np.floor(scores[at] / WIDTH) != np.floor(scores[at - 1] / WIDTH):
            count += 1
            bounds[count] = at
    bounds[count + 1] = end
    return bounds[: count + 2].copy()


@kernel
def sweep_part(begin, end, node, x, offset, tree, rows, position, slots, table, moments, ranked, first, second):
    """Sweep part of a node's ranking; returns its strength, and how many of its rows are the left child's."""
    strength = sweep(
        begin,
        end,
        node,
        offset,
        rows,
        value_centre(offset, x.shape[0], rows.value),
        position,
        slots,
        table,
        tree,
        moments,
        ranked,
        make_sweep_work(len(table.terms)),
        first,
        second,
    )
    middle = tree[LAST, tree[LEFT, node]]
    n_left = 0
    for at in range(begin, end):
        n_left += ranked[0][at] < middle
    return strength, n_left


partition_part = kernel(partition.py_func)
copy_part = kernel(copy_back.py_func)


@kernel
def walk_down(
    subtrees,
    x,
    offset,
    tree,
    rows,
    exchange,
    temperature,
    discount,
    top,
    flow,
    position,
    slots,
    table,
    moments,
    coefficients,
    ranked,
    buffers,
    first,
    second,
):
    """Add the sums of the rows of some subtrees, without the query's factors; returns their strengths."""
    columns, scratch = make_columns(longest_leaf(subtrees, tree, offset, rows), first), make_scratch()
    work = make_sweep_work(len(table.terms))
    strengths = np.empty(subtrees.shape[0])
    for k in range(subtrees.shape[0]):
        begin, end = subtrees[k, 0], subtrees[k, 1]
        n_targets, n_panels = coefficients.shape[1], coefficients.shape[2]
        stack, translated = make_stack(begin, end, tree, n_targets, n_panels, len(table.terms))
        stack[0] = coefficients[k]
        strengths[k] = walk_one_sided(
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
        )
    return strengths


exchange_factors = kernel(_factors.py_func)

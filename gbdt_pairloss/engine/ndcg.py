"""The kernel for pairs weighted by |delta NDCG|: LambdaRank, and LambdaMART in a booster."""

from __future__ import annotations

import numpy as np

from .charges import Rows
from .compile import kernel, leaf
from .direct import extremes, make_columns
from .ndcg_direct import Exchange, loss_range_ndcg, sum_first, sum_of_phi_ndcg, sum_range_ndcg
from .onesided import sum_one_sided
from .query_sums import MAGNITUDE, query_factor, read, scatter
from .ranking import discounts

# Queries of more rows than this are summed one-sided, or by their first rows where that is less work.
_LARGE = 1024


@leaf
def _finish(q, row, sum_of_phi, query_weight, exchange, strengths, pairs, is_loss, first, second, out, out_second):
    """Normalise and scatter what a query has summed up."""
    temperature, normalize, hessian_scale = pairs
    per_ideal = exchange.per_ideal[q]
    factor = query_factor(strengths[q], temperature, normalize, row.shape[0], per_ideal * sum_of_phi)
    factor *= per_ideal * query_weight[q]
    if is_loss:
        scatter(row, first, second, factor, factor, out, out_second)
    else:
        factor /= temperature
        scatter(row, first, second, factor, factor * hessian_scale / temperature, out, out_second)


@leaf
def _prepare(row, scores, temperature, exchange, orders, columns, x, discount, top, first, second):
    """Read a query's scores and rank them; returns their largest magnitude, and base and slope of phi's divisor."""
    largest = read(row, scores, temperature, x)
    discounts(x, row, exchange.truncation, exchange.few, orders, (columns.fraction, columns.exponent), discount, top)
    first[:] = 0.0
    second[:] = 0.0
    low, high = extremes(x)
    tied = low == high  # then LightGBM does not divide by the distances
    return largest, 1.0 if tied else exchange.base, 0.0 if tied else exchange.slope


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
    """The queries from ``begin`` on up to the first to be summed one-sided, whose number is returned."""
    temperature, normalize, _ = pairs
    ptr, row_of, run_end = rows.ptr, rows.row, rows.run_end
    zero = np.int64(0)
    for q in range(begin, end):
        offset = ptr[q]
        n = ptr[q + 1] - offset
        if n < 2 or run_end[offset] == offset + n:
            continue
        if n > _LARGE and exchange.truncation >= n and exchange.slope == 0:
            return q
        row = row_of[offset : offset + n]
        x, discount, top, first, second = arrays[0][:n], arrays[1][:n], arrays[2][:n], arrays[3][:n], arrays[4][:n]
        largest, base, slope = _prepare(
            row, scores, temperature, exchange, orders, columns, x, discount, top, first, second
        )
        here = Exchange(exchange.truncation, base, slope, exchange.per_ideal, exchange.few)
        if largest > MAGNITUDE:
            strengths[q] = -1.0
            continue
        strength, sum_of_phi = 0.0, 0.0
        if n > _LARGE and 8 * exchange.truncation < n:
            strength, sum_of_phi = sum_first(
                x, offset, rows, here, temperature, discount, orders[0], is_loss, first, second
            )
        else:
            if is_loss:
                loss_range_ndcg(x, zero, n, offset, rows, here, temperature, discount, top, columns, first, second)
            else:
                strength = sum_range_ndcg(
                    x, zero, n, offset, rows, here, temperature, discount, top, columns, first, second
                )
            if normalize == 1:
                sum_of_phi = sum_of_phi_ndcg(x, offset, rows, here, temperature, discount, top)
        if not is_loss:
            strengths[q] = exchange.per_ideal[q] * strength
        _finish(q, row, sum_of_phi, query_weight, exchange, strengths, pairs, is_loss, first, second, out, out_second)
    return end


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
    arrays = (np.empty(longest), np.empty(longest), np.empty(longest), np.empty(longest), np.empty(longest))
    orders = (np.empty(longest, np.int64), np.empty(longest, np.int64))
    columns = make_columns(longest, out)
    temperature, normalize, _ = pairs
    q = np.int64(begin)
    while True:
        q = _sum_some(
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
        if q == end:
            return
        offset = rows.ptr[q]
        n = rows.ptr[q + 1] - offset
        row = rows.row[offset : offset + n]
        x, discount, top, first, second = arrays[0][:n], arrays[1][:n], arrays[2][:n], arrays[3][:n], arrays[4][:n]
        largest, base, slope = _prepare(
            row, scores, temperature, exchange, orders, columns, x, discount, top, first, second
        )
        here = Exchange(exchange.truncation, base, slope, exchange.per_ideal, exchange.few)
        if largest > MAGNITUDE:
            strengths[q] = -1.0
            q += 1
            continue
        # For the normaliser "query" the sum of phi first: what winners sum up as weights, without weights.
        unit = Rows(rows.row, rows.ptr, rows.run_end, x[:0], x[:0], rows.value)
        ranking = orders[0][:n].copy()
        sum_of_phi, strength = 0.0, 0.0
        for step in range(0 if normalize == 1 else 1, 2):
            of_phi = step == 0
            first[:] = 0.0
            second[:] = 0.0
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
                sum_of_phi = second.sum()
        if not is_loss:
            strengths[q] = exchange.per_ideal[q] * strength
        _finish(q, row, sum_of_phi, query_weight, exchange, strengths, pairs, is_loss, first, second, out, out_second)
        q += 1

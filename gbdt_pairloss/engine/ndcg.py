"""The kernel for pairs weighted by |delta NDCG|: LambdaRank, and LambdaMART in a booster."""

from __future__ import annotations

import numpy as np

from .charges import Rows
from .compile import kernel, leaf
from .direct import BEYOND, EXPONENT, FRACTION, Range, make_columns, over_temperature, write
from .lanes import LANES
from .ndcg_direct import Exchange, loss_range_ndcg, sum_first, sum_of_phi_ndcg, sum_range_ndcg
from .onesided import sum_one_sided
from .query_sums import query_factor
from .ranking import discounts

# Queries of more rows than this are summed one-sided, or by their first rows where that is less work.
_LARGE = 1024


@leaf
def _finish(q, sum_of_phi, rows, query_weight, exchange, strengths, pairs, is_loss, arrays, out, out_second):
    """Normalise and scatter what a query has summed up; returns whether all of it is finite."""
    temperature, normalize, hessian_scale = pairs
    offset = rows.ptr[q]
    n = rows.ptr[q + 1] - offset
    per_ideal = exchange.per_ideal[q]
    factor = query_factor(strengths[q], temperature, normalize, n, per_ideal * sum_of_phi)
    factor *= per_ideal * query_weight[q]
    factor_second = factor
    if not is_loss:
        factor /= temperature
        factor_second = factor * hessian_scale / temperature
    zero = np.int64(0)
    here = Range(zero, n, offset, False, zero)
    first, second = arrays[3], arrays[4]
    return write(here, rows.row, first, second, factor, factor_second, (arrays[5], arrays[6]), out, out_second)


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
        if n > _LARGE and exchange.truncation >= n and exchange.slope == 0:
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
        if not is_loss:
            strengths[q] = exchange.per_ideal[q] * strength
        finite &= _finish(
            q, sum_of_phi, rows, query_weight, exchange, strengths, pairs, is_loss, arrays, out, out_second
        )
        q += 1

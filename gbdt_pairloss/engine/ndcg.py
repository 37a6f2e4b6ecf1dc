"""Pairs weighted by |delta NDCG|: LambdaRank, and LambdaMART in a booster.

phi_ij = (gain_i - gain_j) |discount_i - discount_j| / ideal DCG: by how much NDCG would change if the two rows changed
places in the current ranking. With a truncation at k a pair counts if either of its rows is among the first k.
LightGBM's lambdarank divides by 0.01 + |s_i - s_j| as well (lambdarank_norm).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compile import kernel, leaf
from .direct import (
    COLUMNS_PER_SUM,
    ROWS_PER_SUM,
    add_totals,
    exponentials,
    extremes,
    fill_columns,
    make_columns,
    orient,
    orient_shorter,
    strips,
    take,
)
from .formulas import ndcg_general, ndcg_loss, ndcg_plain
from .lanes import LANES, rows_by_columns
from .query_sums import MAGNITUDE, read, scatter
from .ranking import discounts


class Exchange(NamedTuple):
    """What phi depends on.

    Attributes
    ----------
    truncation : int
        A pair counts if either rank, from 0, is below it.
    base, slope : float
        phi is divided by base + slope |s_i - s_j|.
    per_ideal : float64 array of shape (n_queries,)
        1 / ideal DCG, or 0 where that is 0.
    few : float64 array
        The first discounts.
    """

    truncation: int
    base: float
    slope: float
    per_ideal: NDArray[np.float64]
    few: NDArray[np.float64]


@leaf
def _plain_columns(columns):
    return (columns.e, columns.value, columns.discount)


@leaf
def _plain_row(columns, i):
    return (columns.e[i], columns.value[i], columns.discount[i])


_sum_plain = strips(ndcg_plain, _plain_columns, _plain_row)
_general_row = rows_by_columns(ndcg_general, n_rows=1, n_row_sums=3, n_column_sums=2)
_loss_row = rows_by_columns(ndcg_loss, n_rows=1, n_row_sums=2, n_column_sums=0)


@leaf
def _fill(x, n, mirrored, temperature, discount, top, columns):
    """Discounts, whether among the first, and places in the order of scores, in the range's orientation."""
    for i in range(n):
        p = n - 1 - i if mirrored else i
        columns.discount[i] = discount[p]
        columns.top[i] = top[p]
        columns.place[i] = x[p] * temperature
    columns.discount[n : n + LANES] = 0
    columns.top[n : n + LANES] = 0
    columns.place[n : n + LANES] = 0


@leaf
def _phi(x, i, j, temperature, values, discount, top, base, slope):
    """phi of winner i and loser j, in float64."""
    phi = (values[i] - values[j]) * abs(discount[i] - discount[j]) * max(top[i], top[j])
    return phi / (base + slope * temperature * abs(x[i] - x[j]))


@leaf
def sum_query(x, offset, rows, exchange, temperature, discount, top, columns, gradient, hessian):
    """Gradient and Hessian of one query, without its factors; returns the strength, without weights."""
    n = x.shape[0]
    zero = np.int64(0)
    weighted = rows.winner_weight.size > 0
    mirrored, n_rows = orient_shorter(zero, n, offset, rows.run_end, columns.start)
    wide = exponentials(x, zero, n, mirrored, columns)
    if wide:
        return _sum_wide(x, offset, rows, exchange, temperature, discount, top, gradient, hessian)
    fill_columns(x, zero, n, offset, mirrored, False, rows, columns)
    _fill(x, n, mirrored, temperature, discount, top, columns)
    if weighted or exchange.truncation < n or exchange.slope > 0:
        strength = _sum_general(n, n_rows, offset, mirrored, rows, exchange, columns)
    else:
        strength = _sum_plain(n, n_rows, columns)
    add_totals(zero, n, mirrored, columns, gradient, hessian)
    return strength


@leaf
def _sum_general(n, n_rows, offset, mirrored, rows, exchange, columns):
    start, sums = columns.start, (columns.sum_r, columns.sum_t)
    e, weight, value, discount, top, place = (
        columns.e,
        columns.weight,
        columns.value,
        columns.discount,
        columns.top,
        columns.place,
    )
    kind = e.dtype.type
    row_weights = rows.loser_weight if mirrored else rows.winner_weight
    base, slope = kind(exchange.base), kind(exchange.slope)
    strength = 0.0
    for strip in range(0, n_rows, ROWS_PER_SUM):
        for i in range(strip, min(strip + ROWS_PER_SUM, n_rows)):
            own = kind(1)
            if row_weights.size > 0:
                own = kind(row_weights[offset + (n - 1 - i if mirrored else i)])
            left = start[i]
            while left < n:
                r, t, s = _general_row(
                    (e, weight, value, discount, top, place),
                    ((e[i], own, value[i], discount[i], top[i], place[i], base, slope),),
                    (left,),
                    min(left + COLUMNS_PER_SUM, n),
                    sums,
                )
                columns.total_r[i] += np.float64(r) * own
                columns.total_t[i] += np.float64(t) * own
                strength += s
                left += COLUMNS_PER_SUM
        for k in range(start[strip], n):
            columns.total_r[k] -= np.float64(columns.sum_r[k]) * weight[k]
            columns.total_t[k] += np.float64(columns.sum_t[k]) * weight[k]
            columns.sum_r[k] = 0
            columns.sum_t[k] = 0
    return strength


@leaf
def _sum_wide(x, offset, rows, exchange, temperature, discount, top, gradient, hessian):
    """As ``sum_query`` for scores of any spread: an exponential for each pair."""
    n = x.shape[0]
    weighted = rows.winner_weight.size > 0
    values = rows.value[offset : offset + n]
    strength = 0.0
    for i in range(n):
        for j in range(rows.run_end[offset + i] - offset, n):
            phi = _phi(x, i, j, temperature, values, discount, top, exchange.base, exchange.slope)
            d = x[i] - x[j]
            small = np.exp(-abs(d))
            r = phi * (small if d > 0 else 1.0) / (1.0 + small)
            t = phi * small / ((1.0 + small) * (1.0 + small))
            strength += r
            if weighted:
                weight = rows.winner_weight[offset + i] * rows.loser_weight[offset + j]
                r *= weight
                t *= weight
            gradient[i] -= r
            gradient[j] += r
            hessian[i] += t
            hessian[j] += t
    return strength


@leaf
def _loss_query(x, offset, rows, exchange, temperature, discount, top, columns, loss, weight_won):
    """For each row of one query, the weighted loss of the pairs that it wins, and the sum of their weights."""
    n = x.shape[0]
    zero = np.int64(0)
    n_rows = orient(zero, n, offset, rows.run_end, False, columns.start)
    wide = exponentials(x, zero, n, False, columns)
    fill_columns(x, zero, n, offset, False, False, rows, columns)
    _fill(x, n, False, temperature, discount, top, columns)
    score = columns.sum_r  # zeros again at the end
    kind = score.dtype.type
    for i in range(n):
        score[i] = x[i] - x[0]
    columns.e[n : n + LANES] = 1
    values = rows.value[offset : offset + n]
    for i in range(n_rows):
        total, won = 0.0, 0.0
        left = columns.start[i]
        while left < n:
            stop = min(left + COLUMNS_PER_SUM, n)
            if wide:
                for j in range(left, stop):
                    phi = _phi(x, i, j, temperature, values, discount, top, exchange.base, exchange.slope)
                    phi *= columns.weight[j]
                    d = x[i] - x[j]
                    total += phi * (max(-d, 0.0) + np.log1p(np.exp(-abs(d))))
                    won += phi
            else:
                own = (
                    score[i],
                    columns.e[i],
                    columns.value[i],
                    columns.discount[i],
                    columns.top[i],
                    columns.place[i],
                    kind(exchange.base),
                    kind(exchange.slope),
                )
                some, weights = _loss_row(
                    (
                        score,
                        columns.e,
                        columns.weight,
                        columns.value,
                        columns.discount,
                        columns.top,
                        columns.place,
                    ),
                    (own,),
                    (left,),
                    stop,
                    (),
                )
                total += some
                won += weights
            left += COLUMNS_PER_SUM
        if rows.winner_weight.size > 0:
            total *= rows.winner_weight[offset + i]
            won *= rows.winner_weight[offset + i]
        loss[i] += total
        weight_won[i] += won
    score[: n + LANES] = 0


@leaf
def _sum_of_phi(x, offset, rows, exchange, temperature, discount, top):
    """The sum of phi over the pairs of one query, before all weights."""
    n = x.shape[0]
    values = rows.value[offset : offset + n]
    total = 0.0
    for i in range(n):
        for j in range(rows.run_end[offset + i] - offset, n):
            total += _phi(x, i, j, temperature, values, discount, top, exchange.base, exchange.slope)
    return total


@leaf
def _factor(strength, n, sum_of_phi, temperature, normalize):
    if normalize == 1:
        return n / sum_of_phi if sum_of_phi > 0 else 0.0
    if normalize == 2:
        total = 2.0 * strength / temperature
        return (np.log1p(total) / total if total > 0 else 1.0) / np.log(2.0)
    return 1.0


@leaf
def _sum_each(
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
    temperature, normalize, hessian_scale = pairs
    ptr, row_of, run_end = rows.ptr, rows.row, rows.run_end
    for q in range(begin, end):
        offset = ptr[q]
        n = ptr[q + 1] - offset
        if n < 2 or run_end[offset] == offset + n:
            continue
        row = row_of[offset : offset + n]
        x, discount, top, first, second = arrays[0][:n], arrays[1][:n], arrays[2][:n], arrays[3][:n], arrays[4][:n]
        if read(row, scores, temperature, x) > MAGNITUDE:
            strengths[q] = -1.0
            continue
        discounts(x, row, exchange.truncation, exchange.few, orders[0], orders[1], columns.fraction, discount, top)
        # All scores equal: LightGBM does not divide by their distances.
        low, high = extremes(x)
        tied = low == high
        here = Exchange(
            exchange.truncation,
            1.0 if tied else exchange.base,
            0.0 if tied else exchange.slope,
            exchange.per_ideal,
            exchange.few,
        )
        per_ideal = exchange.per_ideal[q]
        first[:] = 0.0
        second[:] = 0.0
        if is_loss:
            _loss_query(x, offset, rows, here, temperature, discount, top, columns, first, second)
        else:
            strengths[q] = per_ideal * sum_query(
                x, offset, rows, here, temperature, discount, top, columns, first, second
            )
        sum_of_phi = 0.0
        if normalize == 1:
            sum_of_phi = per_ideal * _sum_of_phi(x, offset, rows, here, temperature, discount, top)
        factor = per_ideal * query_weight[q] * _factor(strengths[q], n, sum_of_phi, temperature, normalize)
        if is_loss:
            scatter(row, first, second, factor, factor, out, out_second)
        else:
            scatter(
                row,
                first,
                second,
                factor / temperature,
                factor * hessian_scale / (temperature * temperature),
                out,
                out_second,
            )


@kernel
def sum_queries_ndcg(begin, end, scores, rows, query_weight, exchange, strengths, pairs, is_loss, out, out_second):
    """Gradient and Hessian, or loss and weight, of the queries ``begin`` to ``end``; see ``sum_queries``."""
    longest = 0
    for q in range(begin, end):
        longest = max(longest, rows.ptr[q + 1] - rows.ptr[q])
    x, discount, top, first, second = (
        np.empty(longest),
        np.empty(longest),
        np.empty(longest),
        np.empty(longest),
        np.empty(longest),
    )
    order, buffer = np.empty(longest, np.int64), np.empty(longest, np.int64)
    columns = make_columns(longest, out)
    _sum_each(
        begin,
        end,
        scores,
        rows,
        query_weight,
        exchange,
        strengths,
        pairs,
        is_loss,
        (x, discount, top, first, second),
        (order, buffer),
        columns,
        out,
        out_second,
    )

"""Pairs weighted by |delta NDCG|, summed directly.

phi_ij = (gain_i - gain_j) |discount_i - discount_j| / ideal DCG: by how much NDCG would change if the two rows changed
places in the current ranking. With a truncation at k a pair counts if either of its rows is among the first k.
LightGBM's lambdarank divides by 0.01 + |s_i - s_j| as well (lambdarank_norm). The ideal DCG is left to the query's
factors.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compile import leaf
from .direct import (
    COLUMNS_PER_SUM,
    ROWS_PER_SUM,
    WIDEST,
    add_totals,
    clear_totals,
    exponentiate,
    fill_columns,
    first_column,
    load,
    orient,
    row_at,
    strips,
    take_weighted,
)
from .formulas import ndcg_general, ndcg_loss, ndcg_plain
from .lanes import LANES, rows_by_columns


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
def _fill(here, temperature, rows, discount, top, columns):
    """Weights, values, discounts, whether among the first, and places in the order of scores, in a range's orientation.

    ``columns.x`` are its scores over the temperature.
    """
    fill_columns(here, rows, columns)
    n = here.last - here.first
    for i in range(n):
        p = row_at(here, i)
        columns.discount[i] = discount[p]
        columns.top[i] = top[p]
        columns.place[i] = columns.x[i] * temperature
    columns.discount[n : n + LANES] = 0
    columns.top[n : n + LANES] = 0
    columns.place[n : n + LANES] = 0


@leaf
def _phi(x, i, j, temperature, values, discount, top, base, slope):
    """phi of winner i and loser j, in float64."""
    phi = (values[i] - values[j]) * abs(discount[i] - discount[j]) * max(top[i], top[j])
    return phi / (base + slope * temperature * abs(x[i] - x[j]))


@leaf
def sum_range_ndcg(x, first, last, offset, rows, exchange, temperature, discount, top, columns, gradient, hessian):
    """Add the sums over all pairs of a range; returns the strength, without weights. See ``direct.sum_range``."""
    here = orient(first, last, offset, rows, False)
    low, high = load(x, here, columns)
    if here.n_rows == 0:
        return 0.0
    if high - low > WIDEST:
        return _sum_wide(x, first, last, offset, rows, exchange, temperature, discount, top, gradient, hessian)
    n = last - first
    clear_totals(n, columns)
    exponentiate(n, 0.5 * low + 0.5 * high, -1.0 if here.mirrored else 1.0, columns)
    _fill(here, temperature, rows, discount, top, columns)
    if rows.winner_weight.size > 0 or exchange.truncation < x.shape[0] or exchange.slope > 0:
        strength = _sum_general(here, rows, exchange, columns)
    else:
        strength = _sum_plain(here, rows, columns)
    add_totals(here, columns, gradient, hessian)
    return strength


@leaf
def _sum_general(here, rows, exchange, columns):
    n = here.last - here.first
    sums = (columns.sum_r, columns.sum_t)
    e, weight, value, discount, top, place = (
        columns.e,
        columns.weight,
        columns.value,
        columns.discount,
        columns.top,
        columns.place,
    )
    kind = e.dtype.type
    row_weights = rows.loser_weight if here.mirrored else rows.winner_weight
    base, slope = kind(exchange.base), kind(exchange.slope)
    strength = 0.0
    for strip in range(0, here.n_rows, ROWS_PER_SUM):
        for i in range(strip, min(strip + ROWS_PER_SUM, here.n_rows)):
            own = kind(1)
            if row_weights.size > 0:
                own = kind(row_weights[here.offset + row_at(here, i)])
            left = first_column(here, i, rows)
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
        take_weighted(columns, first_column(here, strip, rows), n)
    return strength


@leaf
def _sum_wide(x, first, last, offset, rows, exchange, temperature, discount, top, gradient, hessian):
    """As ``sum_range_ndcg`` for scores of any spread: an exponential for each pair."""
    weighted = rows.winner_weight.size > 0
    values = rows.value[offset:]
    strength = 0.0
    for i in range(first, last):
        for j in range(rows.run_end[offset + i] - offset, last):
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
def loss_range_ndcg(x, first, last, offset, rows, exchange, temperature, discount, top, columns, loss, weight_won):
    """Add to each row of a range the weighted loss of the pairs that it wins in it, and the sum of their weights."""
    here = orient(first, last, offset, rows, True)
    n = last - first
    low, high = load(x, here, columns)
    wide = high - low > WIDEST
    if not wide:
        exponentiate(n, 0.5 * low + 0.5 * high, 1.0, columns)
        columns.e[n : n + LANES] = 1
    _fill(here, temperature, rows, discount, top, columns)
    score = columns.sum_r  # zeros again at the end
    kind = score.dtype.type
    for i in range(n):
        score[i] = columns.x[i] - columns.x[0]
    values = rows.value[offset:]
    for i in range(here.n_rows):
        total, won = 0.0, 0.0
        left = first_column(here, i, rows)
        while left < n:
            stop = min(left + COLUMNS_PER_SUM, n)
            if wide:
                for j in range(left, stop):
                    phi = _phi(
                        x, first + i, first + j, temperature, values, discount, top, exchange.base, exchange.slope
                    )
                    phi *= columns.weight[j]
                    d = x[first + i] - x[first + j]
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
            total *= rows.winner_weight[offset + first + i]
            won *= rows.winner_weight[offset + first + i]
        loss[first + i] += total
        weight_won[first + i] += won
    score[: n + LANES] = 0


@leaf
def sum_of_phi_ndcg(x, offset, rows, exchange, temperature, discount, top):
    """The sum of phi over the pairs of one query, before all weights."""
    n = x.shape[0]
    values = rows.value[offset : offset + n]
    total = 0.0
    for i in range(n):
        for j in range(rows.run_end[offset + i] - offset, n):
            total += _phi(x, i, j, temperature, values, discount, top, exchange.base, exchange.slope)
    return total


@leaf
def sum_first(x, offset, rows, exchange, temperature, discount, order, is_loss, first, second):
    """A large query truncated at k: the first k rows of the ranking against all below them. Strength, sum of phi."""
    n = x.shape[0]
    run_end, values = rows.run_end[offset:], rows.value[offset:]
    weighted = rows.winner_weight.size > 0
    strength, sum_of_phi = 0.0, 0.0
    for rank in range(min(exchange.truncation, n)):
        p = order[rank]
        for q in range(n):
            if discount[q] >= discount[p] or run_end[q] == run_end[p]:
                continue
            i, j = min(p, q), max(p, q)  # winner and loser
            phi = (values[i] - values[j]) * (discount[p] - discount[q])
            phi /= exchange.base + exchange.slope * temperature * abs(x[p] - x[q])
            sum_of_phi += phi
            d = x[i] - x[j]
            small = np.exp(-abs(d))
            r = phi * (small if d > 0 else 1.0) / (1.0 + small)
            strength += r
            weight = 1.0
            if weighted:
                weight = rows.winner_weight[offset + i] * rows.loser_weight[offset + j]
            if is_loss:
                first[i] += weight * phi * (max(-d, 0.0) + np.log1p(small))
                second[i] += weight * phi
            else:
                t = phi * small / ((1.0 + small) * (1.0 + small))
                first[i] -= weight * r
                first[j] += weight * r
                second[i] += weight * t
                second[j] += weight * t
    return strength, sum_of_phi

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

from .columns import (
    DISCOUNT,
    PLACE,
    ROW_WEIGHT,
    SCORE,
    SCORE_REST,
    TOP,
    VALUE,
    WEIGHT,
    E,
    X,
    exponentiate,
    exponentiate_for_loss,
    fill_columns,
    first_column,
    load,
    orient,
    row_at,
)
from .compile import leaf
from .direct import COLUMNS_PER_SUM, WIDEST, add_totals, clear_totals, strips
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
def _plain_values(columns, constants):
    return columns.work[E], columns.work[VALUE], columns.work[DISCOUNT]


@leaf
def _general_columns(columns, constants):
    work = columns.work
    return work[E], work[WEIGHT], work[VALUE], work[DISCOUNT], work[TOP], work[PLACE]


@leaf
def _general_rows(columns, constants):
    work, (base, slope) = columns.work, constants
    return work[E], work[ROW_WEIGHT], work[VALUE], work[DISCOUNT], work[TOP], work[PLACE], base, slope


_sum_plain = strips(ndcg_plain, _plain_values, _plain_values, weighted=False)
_sum_general = strips(ndcg_general, _general_columns, _general_rows, weighted=True)
_loss_row = rows_by_columns(ndcg_loss, n_rows=1, n_column_sums=0, n_totals=0, n_returned=2)


@leaf
def _fill(here, temperature, rows, discount, top, columns):
    """Weights, values, discounts, whether among the first, and places by score, in a range's orientation."""
    fill_columns(here, rows, columns)
    n = here.last - here.first
    own = columns.work
    for i in range(n):
        p = row_at(here, i)
        own[DISCOUNT, i] = discount[p]
        own[TOP, i] = top[p]
        own[PLACE, i] = (columns.double[X, i] - columns.double[X, 0]) * temperature
    own[DISCOUNT, n : n + LANES] = 0
    own[TOP, n : n + LANES] = 0
    own[PLACE, n : n + LANES] = 0


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
        strength = _sum_general(here, rows, columns, (exchange.base, exchange.slope))
    else:
        strength = _sum_plain(here, rows, columns, ())
    add_totals(here, columns, gradient, hessian)
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
    _fill(here, temperature, rows, discount, top, columns)
    weight, row_weight = columns.work[WEIGHT], columns.work[ROW_WEIGHT]
    if not wide:
        exponentiate_for_loss(n, 0.5 * low + 0.5 * high, columns)
    score, rest = columns.work[SCORE], columns.work[SCORE_REST]
    arrays = (score, rest, *_general_columns(columns, ()))
    own = (score, rest, *_general_rows(columns, (exchange.base, exchange.slope)))
    values = rows.value[offset:]
    for i in range(here.n_rows):
        total, won = 0.0, 0.0
        start = first_column(here, i, rows)
        if wide:
            for j in range(start, n):
                phi = _phi(x, first + i, first + j, temperature, values, discount, top, exchange.base, exchange.slope)
                phi *= weight[j]
                d = x[first + i] - x[first + j]
                total += phi * (max(-d, 0.0) + np.log1p(np.exp(-abs(d))))
                won += phi
        else:
            for left in range(start, n, COLUMNS_PER_SUM):
                some, weights = _loss_row(arrays, own, i, (left,), min(left + COLUMNS_PER_SUM, n), (), ())
                total += some
                won += weights
        loss[first + i] += total * row_weight[i]
        weight_won[first + i] += won * row_weight[i]


@leaf
def sum_pairs_ndcg(
    is_loss, x, first, last, offset, rows, exchange, temperature, discount, top, columns, first_sum, second_sum
):
    """As ``direct.sum_pairs``; the second sums of losses are the pairs' weights."""
    pairs = (first, last, offset, rows, exchange, temperature, discount, top, columns, first_sum, second_sum)
    if is_loss:
        loss_range_ndcg(x, *pairs)
        return 0.0
    return sum_range_ndcg(x, *pairs)


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

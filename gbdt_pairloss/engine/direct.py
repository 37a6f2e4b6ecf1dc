"""The direct sum: every pair of a range of rows, one reciprocal each and no exponential.

With ``e = exp(s / T)`` a pair of winner i and loser j has ``r = sigma((s_j - s_i) / T) = e_j / (e_i + e_j)``, and
``r (1 - r) = r e_i / (e_i + e_j)`` without cancellation, however far apart the scores are.

The rows of a range stand in descending order of their labels, so what row i beats is a suffix of the range. A few
rows are held in registers while the suffix streams past: the sums of the columns (losers) are kept in an array, those
of the rows (winners) in registers. If there are fewer losing than winning rows the range is **mirrored**: read
backwards with ``exp(-s / T)``, which swaps the roles and leaves the formulas as they are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compile import helper, leaf
from .lanes import LANES, maximum, minimum, rows_by_columns

# Entries are summed in the working precision over at most this many rows or columns, then added up in float64: the
# rounding of float32 then stays below 1e-6 even where all terms are equal, and so round the same way.
ROWS_PER_SUM = 64
COLUMNS_PER_SUM = 512

# The spread of scores over the temperature up to which e and 1 / e, and sums of two, stay within float32's range.
_WIDEST = 80.0

_LOG2_E = 1.4426950408889634
_LN_2_HIGH = 0.6931471803691238  # 33 bits: n * _LN_2_HIGH is exact for |n| < 2^20
_LN_2_LOW = 1.9082149292705877e-10


@leaf
def power_of_two(n):
    """2^n for a whole float64 n of at most 1022 in magnitude."""
    return np.int64((np.int64(n) + 1023) << 52).view(np.float64)


@leaf
def exponential(x):
    """exp(x) for |x| <= 708 to 1e-15, in operations that vectorise."""
    n = np.rint(x * _LOG2_E)
    f = (x - n * _LN_2_HIGH) - n * _LN_2_LOW
    p = 1.0 / 6227020800.0
    p = p * f + 1.0 / 479001600.0
    p = p * f + 1.0 / 39916800.0
    p = p * f + 1.0 / 3628800.0
    p = p * f + 1.0 / 362880.0
    p = p * f + 1.0 / 40320.0
    p = p * f + 1.0 / 5040.0
    p = p * f + 1.0 / 720.0
    p = p * f + 1.0 / 120.0
    p = p * f + 1.0 / 24.0
    p = p * f + 1.0 / 6.0
    p = p * f + 0.5
    p = p * f + 1.0
    p = p * f + 1.0
    return p * power_of_two(n)


def _plain(columns, row):
    """r and r (1 - r) = a t: rows sum r and t, columns r and a t."""
    (x,), (a,) = columns, row
    q = 1.0 / (x + a)
    r = x * q
    return (r, r * q), (r, r * (a * q))


def _general(columns, row):
    """phi = row value - column value; the third sum is of phi r without weights."""
    (x, weight, value), (a, row_weight, row_value) = columns, row
    q = 1.0 / (x + a)
    r = x * q * (row_value - value)
    t = r * (a * q)
    return (weight * r, weight * t, r), (row_weight * r, row_weight * t)


def _loss(columns, row):
    """phi softplus(-d) = phi (max(-d, 0) + log1p(m)), m = e^-|d| the ratio of the smaller e to the larger.

    log1p(m) = 2 atanh(w) with w = m / (2 + m) <= 1 / 3: a series in w^2 that loses nothing where m is small.
    """
    (x, e, weight, value), (row_x, row_e, row_value) = columns, row
    small, large = minimum(e, row_e), maximum(e, row_e)
    w = small / (large * 2.0 + small)
    square = w * w
    last = 8 if w.bits == 32 else 17
    series = square * 0.0 + 1.0 / (2 * last + 1)
    for k in range(last - 1, -1, -1):
        series = series * square + 1.0 / (2 * k + 1)
    above = x - row_x
    return ((maximum(above, above * 0.0) + w * 2.0 * series) * (row_value - value) * weight,), ()


_loss_row = rows_by_columns(_loss, n_rows=1, n_row_sums=1, n_column_sums=0)
_one_row = rows_by_columns(_plain, n_rows=1, n_row_sums=2, n_column_sums=2)
_two_rows = rows_by_columns(_plain, n_rows=2, n_row_sums=2, n_column_sums=2)
_four_rows = rows_by_columns(_plain, n_rows=4, n_row_sums=2, n_column_sums=2)
_one_general_row = rows_by_columns(_general, n_rows=1, n_row_sums=3, n_column_sums=2)


@leaf
def _one_wide_row(fraction, exponent, weight, value, a, a_exponent, row_weight, row_value, column_r, column_t):
    """As ``_general`` for scores of any spread: e = fraction * 2^exponent, in float64."""
    row_r, row_t, strength = 0.0, 0.0, 0.0
    for k in range(fraction.shape[0]):
        shift = min(max(a_exponent - exponent[k], -1000.0), 1000.0)
        ratio = a / fraction[k] * power_of_two(shift)  # e_row / e_column
        q = 1.0 / (1.0 + ratio)
        r = q * (row_value - value[k])
        t = r * (ratio * q)
        row_r += weight[k] * r
        row_t += weight[k] * t
        strength += r
        column_r[k] += row_weight * r
        column_t[k] += row_weight * t
    return row_r, row_t, strength


class Columns(NamedTuple):
    """Arrays that ``sum_range`` works in, for ranges of up to so many rows (and padding).

    Attributes
    ----------
    start : int64 array
        The first column that each row meets.
    e, weight, value, sum_r, sum_t : arrays of the working precision
    fraction, exponent, total_r, total_t : float64 arrays
    """

    start: NDArray[np.int64]
    e: NDArray[np.floating]
    weight: NDArray[np.floating]
    value: NDArray[np.floating]
    sum_r: NDArray[np.floating]
    sum_t: NDArray[np.floating]
    fraction: NDArray[np.float64]
    exponent: NDArray[np.float64]
    total_r: NDArray[np.float64]
    total_t: NDArray[np.float64]


@helper
def make_columns(n, general, out):
    """Columns for ranges of up to n rows in the precision of ``out``; ``general``: also for weights and values."""
    padded = n + 2 * LANES
    some = padded if general else 0
    return Columns(
        np.empty(n, np.int64),
        np.empty(padded, out.dtype),
        np.empty(some, out.dtype),
        np.empty(some, out.dtype),
        np.zeros(padded, out.dtype),
        np.zeros(padded, out.dtype),
        np.empty(padded),
        np.empty(padded),
        np.empty(padded),
        np.empty(padded),
    )


@leaf
def extremes(x):
    low, high = x[0], x[0]
    for p in range(x.shape[0]):
        low, high = min(low, x[p]), max(high, x[p])
    return low, high


@leaf
def sum_range(x, first, last, offset, rows, columns, gradient, hessian):
    """Add the sums over all pairs of a range to the gradients and Hessians of its rows.

    Parameters
    ----------
    x : float64 array
        Scores of the query over the temperature.
    first, last : int
        The range, counted from the query's first row.
    offset : int
        The query's first position in the plan.
    rows : Rows
    columns : Columns
        All zeros in ``sum_r`` and ``sum_t``, which is how they are left.
    gradient, hessian : arrays
        Of the query's rows: sum of phi r with weights, - for winners and + for losers, and of phi r (1 - r).

    Returns
    -------
    strength : float
        Sum of phi r over the pairs, without weights.
    """
    n = last - first
    run_end, e, total_r, total_t = rows.run_end, columns.e, columns.total_r, columns.total_t
    if run_end[offset + first] >= offset + last:
        return 0.0
    winners = _orient(first, last, offset, run_end, False, columns.start)
    losers = offset + last - run_end[offset + first]  # rows after the first run
    mirrored = losers < winners
    if mirrored:
        _orient(first, last, offset, run_end, True, columns.start)
    n_rows = min(losers, winners)

    low, high = extremes(x[first:last])
    wide = high - low > _WIDEST
    middle = 0.5 * low + 0.5 * high
    if not wide:
        if mirrored:
            for i in range(n):
                e[i] = exponential(middle - x[last - 1 - i])
        else:
            for i in range(n):
                e[i] = exponential(x[first + i] - middle)
    total_r[:n] = 0.0
    total_t[:n] = 0.0
    if wide or rows.winner_weight.size > 0 or rows.value.size > 0:
        strength = _sum_general(x, first, last, offset, mirrored, wide, n_rows, rows, columns)
    else:
        strength = _sum_plain(n, n_rows, columns)

    if mirrored:
        for i in range(n):
            gradient[last - 1 - i] += total_r[i]
            hessian[last - 1 - i] += total_t[i]
    else:
        for i in range(n):
            gradient[first + i] -= total_r[i]
            hessian[first + i] += total_t[i]
    return strength


@leaf
def _orient(first, last, offset, run_end, mirrored, start):
    """What each row meets: the columns from ``start`` on. Returns the number of rows before the last run."""
    p = first
    before = first
    while p < last:
        before = p
        end = min(run_end[offset + p] - offset, last)
        for i in range(p, end):
            if mirrored:
                start[last - 1 - i] = last - p
            else:
                start[i - first] = end - first
        p = end
    return before - first


@leaf
def _sum_plain(n, n_rows, columns):
    """Totals of the range in its orientation: r of rows counts +, of columns -."""
    e, start, column_r, column_t = columns.e, columns.start, columns.sum_r, columns.sum_t
    total_r, total_t = columns.total_r, columns.total_t
    e[n : n + LANES] = 0
    strength = 0.0
    for strip in range(0, n_rows, ROWS_PER_SUM):
        strip_end = min(strip + ROWS_PER_SUM, n_rows)
        i = strip
        while i < strip_end:
            m = 1  # rows that start in the same vector of columns
            while m < 4 and i + 2 * m <= strip_end and start[i + 2 * m - 1] - start[i] < LANES:
                m *= 2
            left = start[i]
            while left < n:
                stop = min(left + COLUMNS_PER_SUM, n)
                if m == 4:
                    ra, rb, rc, rd, ta, tb, tc, td = _four_rows(
                        (e,),
                        ((e[i],), (e[i + 1],), (e[i + 2],), (e[i + 3],)),
                        (left, max(left, start[i + 1]), max(left, start[i + 2]), max(left, start[i + 3])),
                        stop,
                        (column_r, column_t),
                    )
                    total_r[i + 2] += rc
                    total_r[i + 3] += rd
                    total_t[i + 2] += tc * e[i + 2]
                    total_t[i + 3] += td * e[i + 3]
                elif m == 2:
                    ra, rb, ta, tb = _two_rows(
                        (e,),
                        ((e[i],), (e[i + 1],)),
                        (left, max(left, start[i + 1])),
                        stop,
                        (column_r, column_t),
                    )
                else:
                    ra, ta = _one_row((e,), ((e[i],),), (left,), stop, (column_r, column_t))
                total_r[i] += ra
                total_t[i] += ta * e[i]
                if m > 1:
                    total_r[i + 1] += rb
                    total_t[i + 1] += tb * e[i + 1]
                left += COLUMNS_PER_SUM
            i += m
        strength += _take(column_r, total_r, start[strip], n, -1.0)  # every pair is in the columns' sums once
        _take(column_t, total_t, start[strip], n, 1.0)
    return strength


@leaf
def _take(column, total, first, last, sign):
    """total += sign * column, which is cleared; returns its sum."""
    column, total = column[first:last], total[first:last]
    added = 0.0
    for k in range(column.shape[0]):
        value = np.float64(column[k])
        added += value
        total[k] += sign * value
        column[k] = 0
    return added


@leaf
def _fill_columns(x, first, last, offset, mirrored, wide, rows, columns):
    """Weights, values and, for scores of any spread, fractions and exponents, in the range's orientation."""
    n = last - first
    weight, value, fraction, exponent = columns.weight, columns.value, columns.fraction, columns.exponent
    winner_weight, loser_weight, values = rows.winner_weight, rows.loser_weight, rows.value
    weighted, valued = winner_weight.size > 0, values.size > 0
    # Values near 1e6 would cost all digits of float32: only their differences matter.
    centre = values[offset + (first + last) // 2] if valued else 0.0
    for i in range(n):
        p = last - 1 - i if mirrored else first + i
        weight[i] = 1
        value[i] = 0
        if weighted:
            weight[i] = winner_weight[offset + p] if mirrored else loser_weight[offset + p]
        if valued:
            value[i] = centre - values[offset + p] if mirrored else values[offset + p] - centre
        if wide:
            z = (-x[p] if mirrored else x[p]) * _LOG2_E
            exponent[i] = np.rint(z)
            fraction[i] = exponential((z - exponent[i]) / _LOG2_E)
    columns.e[n : n + LANES] = 0
    weight[n : n + LANES] = 0
    value[n : n + LANES] = 0


@leaf
def loss_range(x, first, last, offset, rows, columns, loss):
    """Add to each row of a range the sum of phi softplus(-d) with weights over the pairs that it wins in it."""
    n = last - first
    start, e, sum_r = columns.start, columns.e, columns.sum_r
    weight, value = columns.weight, columns.value
    winner_weight = rows.winner_weight
    valued = rows.value.size > 0
    n_rows = _orient(first, last, offset, rows.run_end, False, start)
    low, high = extremes(x[first:last])
    wide = high - low > _WIDEST
    middle = 0.5 * low + 0.5 * high
    _fill_columns(x, first, last, offset, False, False, rows, columns)
    position = sum_r  # the columns' scores, from the middle; zeros again at the end
    if not wide:
        for i in range(n):
            position[i] = x[first + i] - middle
            e[i] = exponential(x[first + i] - middle)
        e[n : n + LANES] = 1
    for i in range(n_rows):
        total = 0.0
        row_value = value[i] if valued else value.dtype.type(1)
        left = start[i]
        while left < n:
            stop = min(left + COLUMNS_PER_SUM, n)
            if wide:
                for k in range(left, stop):
                    z = x[first + k] - x[first + i]
                    phi = (np.float64(row_value) - value[k]) * weight[k]
                    total += phi * (max(z, 0.0) + np.log1p(np.exp(-abs(z))))
            else:
                (s,) = _loss_row((position, e, weight, value), ((position[i], e[i], row_value),), (left,), stop, ())
                total += s
            left += COLUMNS_PER_SUM
        if winner_weight.size > 0:
            total *= winner_weight[offset + first + i]
        loss[first + i] += total
    position[: n + LANES] = 0


@leaf
def _sum_general(x, first, last, offset, mirrored, wide, n_rows, rows, columns):
    """As ``_sum_plain`` with weights and values, for scores of any spread."""
    n = last - first
    e, start, column_r, column_t = columns.e, columns.start, columns.sum_r, columns.sum_t
    total_r, total_t, weight, value = columns.total_r, columns.total_t, columns.weight, columns.value
    fraction, exponent = columns.fraction, columns.exponent
    winner_weight, loser_weight = rows.winner_weight, rows.loser_weight
    weighted, valued = winner_weight.size > 0, rows.value.size > 0
    _fill_columns(x, first, last, offset, mirrored, wide, rows, columns)
    strength = 0.0
    for strip in range(0, n_rows, ROWS_PER_SUM):
        stop = min(strip + ROWS_PER_SUM, n_rows)
        for i in range(strip, stop):
            p = offset + (last - 1 - i if mirrored else first + i)
            row_weight = weight.dtype.type(1)
            if weighted:
                row_weight = weight.dtype.type(loser_weight[p] if mirrored else winner_weight[p])
            row_value = value[i] if valued else value.dtype.type(1)
            left = start[i]
            while left < n:
                stop = min(left + COLUMNS_PER_SUM, n)
                if wide:
                    here = slice(left, stop)
                    r, t, s = _one_wide_row(
                        fraction[here],
                        exponent[here],
                        weight[here],
                        value[here],
                        fraction[i],
                        exponent[i],
                        row_weight,
                        row_value,
                        column_r[here],
                        column_t[here],
                    )
                    total_r[i] += r * row_weight
                    total_t[i] += t * row_weight
                    strength += s
                else:
                    r, t, s = _one_general_row(
                        (e, weight, value), ((e[i], row_weight, row_value),), (left,), stop, (column_r, column_t)
                    )
                    total_r[i] += np.float64(r) * row_weight
                    total_t[i] += np.float64(t) * row_weight
                    strength += s
                left += COLUMNS_PER_SUM
        for k in range(start[strip], n):
            total_r[k] -= np.float64(column_r[k]) * weight[k]
            total_t[k] += np.float64(column_t[k]) * weight[k]
            column_r[k] = 0
            column_t[k] = 0
    return strength

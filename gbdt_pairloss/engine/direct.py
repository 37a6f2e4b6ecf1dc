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
from .formulas import LOG2_E, exponential, general, logistic_loss, plain, power_of_two
from .lanes import LANES, rows_by_columns

# Entries are summed in the working precision over at most this many rows or columns, then added up in float64: the
# rounding of float32 then stays below 1e-6 even where all terms are equal, and so round the same way.
ROWS_PER_SUM = 64
COLUMNS_PER_SUM = 512

# The spread of scores over the temperature up to which e and 1 / e, and sums of two, stay within float32's range.
WIDEST = 80.0


@leaf
def _one_wide_row(fraction, exponent, weight, value, a, a_exponent, row_weight, row_value, column_r, column_t):
    """As ``formulas.general`` for scores of any spread: e = fraction * 2^exponent, in float64."""
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


_loss_row = rows_by_columns(logistic_loss, n_rows=1, n_row_sums=1, n_column_sums=0)
_general_row = rows_by_columns(general, n_rows=1, n_row_sums=3, n_column_sums=2)


class Columns(NamedTuple):
    """Arrays that ``sum_range`` works in, for ranges of up to so many rows (and padding).

    Attributes
    ----------
    start : int64 array
        The first column that each row meets.
    e, weight, value, discount, top, place, sum_r, sum_t : arrays of the working precision
        ``discount``, ``top`` and ``place`` are those of ``ndcg_direct.py``.
    fraction, exponent, total_r, total_t : float64 arrays
    """

    start: NDArray[np.int64]
    e: NDArray[np.floating]
    weight: NDArray[np.floating]
    value: NDArray[np.floating]
    discount: NDArray[np.floating]
    top: NDArray[np.floating]
    place: NDArray[np.floating]
    sum_r: NDArray[np.floating]
    sum_t: NDArray[np.floating]
    fraction: NDArray[np.float64]
    exponent: NDArray[np.float64]
    total_r: NDArray[np.float64]
    total_t: NDArray[np.float64]


@helper
def make_columns(n, out):
    """Columns for ranges of up to n rows in the precision of ``out``."""
    padded = n + 2 * LANES
    return Columns(
        np.empty(n, np.int64),
        np.empty(padded, out.dtype),
        np.empty(padded, out.dtype),
        np.empty(padded, out.dtype),
        np.zeros(padded, out.dtype),
        np.zeros(padded, out.dtype),
        np.zeros(padded, out.dtype),
        np.zeros(padded, out.dtype),
        np.zeros(padded, out.dtype),
        np.empty(padded),
        np.empty(padded),
        np.empty(padded),
        np.empty(padded),
    )


@leaf
def take(column, total, first, last, sign):
    """total += sign * column, which is cleared; returns its sum."""
    column, total = column[first:last], total[first:last]
    added = 0.0
    for k in range(column.shape[0]):
        value = np.float64(column[k])
        added += value
        total[k] += sign * value
        column[k] = 0
    return added


def strips(formula, columns_of, row_of):
    """A function that sums over the pairs of a range, a few rows at a time.

    Parameters
    ----------
    formula : callable
        Of one pair, see ``lanes.rows_by_columns``: rows sum r and t, columns r and a t, where a is the first value of
        the row.
    columns_of, row_of : compiled functions
        ``columns_of(columns)``: the arrays that the formula takes; ``row_of(columns, i)``: the values of a row.
    """
    one = rows_by_columns(formula, n_rows=1, n_row_sums=2, n_column_sums=2)
    two = rows_by_columns(formula, n_rows=2, n_row_sums=2, n_column_sums=2)
    four = rows_by_columns(formula, n_rows=4, n_row_sums=2, n_column_sums=2)

    @leaf
    def sum_strips(n, n_rows, columns):
        """Totals of the range in its orientation: r of rows counts +, of columns -. Returns the sum of r."""
        e, start, column_r, column_t = columns.e, columns.start, columns.sum_r, columns.sum_t
        total_r, total_t = columns.total_r, columns.total_t
        arrays = columns_of(columns)
        sums = (column_r, column_t)
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
                        ra, rb, rc, rd, ta, tb, tc, td = four(
                            arrays,
                            (
                                row_of(columns, i),
                                row_of(columns, i + 1),
                                row_of(columns, i + 2),
                                row_of(columns, i + 3),
                            ),
                            (left, max(left, start[i + 1]), max(left, start[i + 2]), max(left, start[i + 3])),
                            stop,
                            sums,
                        )
                        total_r[i + 2] += rc
                        total_r[i + 3] += rd
                        total_t[i + 2] += tc * e[i + 2]
                        total_t[i + 3] += td * e[i + 3]
                    elif m == 2:
                        rows = (row_of(columns, i), row_of(columns, i + 1))
                        ra, rb, ta, tb = two(arrays, rows, (left, max(left, start[i + 1])), stop, sums)
                    else:
                        ra, ta = one(arrays, (row_of(columns, i),), (left,), stop, sums)
                    total_r[i] += ra
                    total_t[i] += ta * e[i]
                    if m > 1:
                        total_r[i + 1] += rb
                        total_t[i + 1] += tb * e[i + 1]
                    left += COLUMNS_PER_SUM
                i += m
            strength += take(column_r, total_r, start[strip], n, -1.0)  # every pair is in the columns' sums once
            take(column_t, total_t, start[strip], n, 1.0)
        return strength

    return sum_strips


@leaf
def _plain_columns(columns):
    return (columns.e,)


@leaf
def _plain_row(columns, i):
    return (columns.e[i],)


_sum_plain = strips(plain, _plain_columns, _plain_row)


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
    if rows.run_end[offset + first] >= offset + last:
        return 0.0
    mirrored, n_rows = orient_shorter(first, last, offset, rows.run_end, columns.start)
    wide = exponentials(x, first, last, mirrored, columns)
    if wide or rows.winner_weight.size > 0 or rows.value.size > 0:
        strength = _sum_general(x, first, last, offset, mirrored, wide, n_rows, rows, columns)
    else:
        strength = _sum_plain(last - first, n_rows, columns)
    add_totals(first, last, mirrored, columns, gradient, hessian)
    return strength


@leaf
def orient_shorter(first, last, offset, run_end, start):
    """Orient a range of several labels so that there are the fewest rows: whether mirrored, and their number."""
    winners = orient(first, last, offset, run_end, False, start)
    losers = offset + last - run_end[offset + first]  # rows after the first run
    if losers < winners:
        orient(first, last, offset, run_end, True, start)
        return True, losers
    return False, winners


@leaf
def exponentials(x, first, last, mirrored, columns):
    """e of the range's rows in its orientation, and totals of 0; True, and no e, if the scores spread too widely."""
    n = last - first
    e, total_r, total_t = columns.e, columns.total_r, columns.total_t
    total_r[:n] = 0.0
    total_t[:n] = 0.0
    low, high = extremes(x[first:last])
    if high - low > WIDEST:
        return True
    middle = 0.5 * low + 0.5 * high
    if mirrored:
        for i in range(n):
            e[i] = exponential(middle - x[last - 1 - i])
    else:
        for i in range(n):
            e[i] = exponential(x[first + i] - middle)
    return False


@leaf
def add_totals(first, last, mirrored, columns, gradient, hessian):
    """Add what the rows of an oriented range have summed up: winners count -, losers +."""
    total_r, total_t = columns.total_r, columns.total_t
    for i in range(last - first):
        if mirrored:
            gradient[last - 1 - i] += total_r[i]
            hessian[last - 1 - i] += total_t[i]
        else:
            gradient[first + i] -= total_r[i]
            hessian[first + i] += total_t[i]


@leaf
def orient(first, last, offset, run_end, mirrored, start):
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
def fill_columns(x, first, last, offset, mirrored, wide, rows, columns):
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
            z = (-x[p] if mirrored else x[p]) * LOG2_E
            exponent[i] = np.rint(z)
            fraction[i] = exponential((z - exponent[i]) / LOG2_E)
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
    n_rows = orient(first, last, offset, rows.run_end, False, start)
    low, high = extremes(x[first:last])
    wide = high - low > WIDEST
    middle = 0.5 * low + 0.5 * high
    fill_columns(x, first, last, offset, False, False, rows, columns)
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
    fill_columns(x, first, last, offset, mirrored, wide, rows, columns)
    strength = 0.0
    for strip in range(0, n_rows, ROWS_PER_SUM):
        for i in range(strip, min(strip + ROWS_PER_SUM, n_rows)):
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
                    r, t, s = _general_row(
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

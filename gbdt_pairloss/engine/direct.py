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
from .formulas import (
    LN_2,
    LOG2_E,
    exponentials,
    flush,
    general,
    logistic_loss,
    plain,
    power_of_two,
    scaled,
    spread,
)
from .lanes import LANES, along, rows_by_columns

# Entries are summed in the working precision over at most this many rows or columns, then added up in float64: the
# rounding of float32 then stays below 1e-6 even where all terms are equal, and so round the same way.
ROWS_PER_SUM = 64
COLUMNS_PER_SUM = 512

# The spread of scores over the temperature up to which e and 1 / e, and sums of two, stay within float32's range.
WIDEST = 80.0

#: Scores over the temperature beyond this are the reference engine's.
MAGNITUDE = 1e290

#: What a sum returns in the place of the strength for scores that are not finite, or beyond MAGNITUDE.
BEYOND = -1.0

_exponentials = along(exponentials)
_spread = along(spread, ("least", "most", "finite"))
_flush = along(flush, ("sum",))
_scaled = along(scaled, ("finite", "finite"))
_loss_row = rows_by_columns(logistic_loss, n_rows=1, n_row_sums=1, n_column_sums=0)
_general_row = rows_by_columns(general, n_rows=1, n_row_sums=3, n_column_sums=2)


class Columns(NamedTuple):
    """Arrays that the direct sums work in, for ranges of up to so many rows (and padding).

    Attributes
    ----------
    x, fraction, exponent, total_r, total_t : float64 arrays
    e, weight, value, discount, top, place, sum_r, sum_t : arrays of the working precision
        ``discount``, ``top`` and ``place`` are those of ``ndcg_direct.py``. All zeros in ``sum_r`` and ``sum_t``, which
        is how every sum leaves them.
    """

    x: NDArray[np.float64]
    fraction: NDArray[np.float64]
    exponent: NDArray[np.float64]
    total_r: NDArray[np.float64]
    total_t: NDArray[np.float64]
    e: NDArray[np.floating]
    weight: NDArray[np.floating]
    value: NDArray[np.floating]
    discount: NDArray[np.floating]
    top: NDArray[np.floating]
    place: NDArray[np.floating]
    sum_r: NDArray[np.floating]
    sum_t: NDArray[np.floating]


@helper
def make_columns(n, out):
    """Columns for ranges of up to n rows in the precision of ``out``."""
    n += 2 * LANES
    return Columns(
        np.empty(n),
        np.empty(n),
        np.empty(n),
        np.empty(n),
        np.empty(n),
        np.empty(n, out.dtype),
        np.empty(n, out.dtype),
        np.empty(n, out.dtype),
        np.empty(n, out.dtype),
        np.empty(n, out.dtype),
        np.empty(n, out.dtype),
        np.zeros(n, out.dtype),
        np.zeros(n, out.dtype),
    )


class Range(NamedTuple):
    """Rows of a query in the orientation in which they are summed: row i of n meets columns up to the last.

    Attributes
    ----------
    first, last : int
        Counted from the query's first row.
    offset : int
        The query's first position in the plan.
    mirrored : bool
        Read backwards, with losers for rows.
    n_rows : int
        How many rows meet columns.
    """

    first: int
    last: int
    offset: int
    mirrored: bool
    n_rows: int


@leaf
def orient(first, last, offset, rows, forward):
    """A range in the orientation with the fewest rows, or ``forward``."""
    winners = max(rows.run_begin[offset + last - 1] - offset - first, 0)  # rows before the last run
    losers = max(last - (rows.run_end[offset + first] - offset), 0)  # after the first one
    if losers < winners and not forward:
        return Range(first, last, offset, True, losers)
    return Range(first, last, offset, False, winners)


@leaf
def row_at(here, i):
    """The row that stands at i in a range's orientation, counted from the query's first."""
    return here.last - 1 - i if here.mirrored else here.first + i


@leaf
def first_column(here, i, rows):
    """The first column that row i meets."""
    p = here.offset + row_at(here, i)
    if here.mirrored:
        return here.last - max(rows.run_begin[p] - here.offset, here.first)
    return min(rows.run_end[p] - here.offset, here.last) - here.first


@leaf
def extremes(x, n):
    """The least and the largest of the first n entries of a padded array, and 1 if all are finite, else 0."""
    x[n : n + LANES] = x[n - 1]
    return spread_of(x, 0, n)


@leaf
def spread_of(x, begin, end):
    """As ``extremes`` of whole vectors."""
    return _spread((x,), (), begin, end, ())


@leaf
def load(x, here, columns):
    """The scores of a range in its orientation; returns their extremes."""
    n = here.last - here.first
    if here.mirrored:
        for i in range(n):
            columns.x[i] = x[here.last - 1 - i]
    else:
        for i in range(n):
            columns.x[i] = x[here.first + i]
    low, high, _ = extremes(columns.x, n)
    return low, high


@leaf
def read(here, row, scores, columns):
    """The caller's scores of a range in its orientation; returns their extremes, and 1 if they are finite, else 0."""
    n = here.last - here.first
    if here.mirrored:
        last = here.offset + here.last - 1
        for i in range(n):
            columns.x[i] = scores[row[last - i]]
    else:
        first = here.offset + here.first
        for i in range(n):
            columns.x[i] = scores[row[first + i]]
    return extremes(columns.x, n)


@leaf
def exponentiate(n, middle, scale, columns):
    """e = exp((x - middle) scale), and 0 beyond the last."""
    _exponentials((columns.x,), (middle, scale * LOG2_E), 0, n, (columns.e,))
    columns.e[n : n + LANES] = 0


@leaf
def clear_totals(n, columns):
    columns.total_r[: n + LANES] = 0.0
    columns.total_t[: n + LANES] = 0.0


@leaf
def take(columns, start, n):
    """Add what the columns have summed up to the totals, r as -; returns the sum of r."""
    (added,) = _flush((columns.sum_r, columns.total_r), (-1.0,), start, n, (columns.total_r, columns.sum_r))
    _flush((columns.sum_t, columns.total_t), (1.0,), start, n, (columns.total_t, columns.sum_t))
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
    def sum_strips(here, rows, columns):
        """Totals of the range in its orientation: r of rows counts +, of columns -. Returns the sum of r."""
        n = here.last - here.first
        e, total_r, total_t = columns.e, columns.total_r, columns.total_t
        arrays = columns_of(columns)
        sums = (columns.sum_r, columns.sum_t)
        strength = 0.0
        for strip in range(0, here.n_rows, ROWS_PER_SUM):
            strip_end = min(strip + ROWS_PER_SUM, here.n_rows)
            i = strip
            while i < strip_end:
                start = first_column(here, i, rows)
                m = 1  # rows that start in the same vector of columns
                while m < 4 and i + 2 * m <= strip_end and first_column(here, i + 2 * m - 1, rows) - start < LANES:
                    m *= 2
                left = start
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
                            (
                                left,
                                max(left, first_column(here, i + 1, rows)),
                                max(left, first_column(here, i + 2, rows)),
                                max(left, first_column(here, i + 3, rows)),
                            ),
                            stop,
                            sums,
                        )
                        total_r[i + 2] += rc
                        total_r[i + 3] += rd
                        total_t[i + 2] += tc * e[i + 2]
                        total_t[i + 3] += td * e[i + 3]
                    elif m == 2:
                        pair = (row_of(columns, i), row_of(columns, i + 1))
                        starts = (left, max(left, first_column(here, i + 1, rows)))
                        ra, rb, ta, tb = two(arrays, pair, starts, stop, sums)
                    else:
                        ra, ta = one(arrays, (row_of(columns, i),), (left,), stop, sums)
                    total_r[i] += ra
                    total_t[i] += ta * e[i]
                    if m > 1:
                        total_r[i + 1] += rb
                        total_t[i + 1] += tb * e[i + 1]
                    left += COLUMNS_PER_SUM
                i += m
            strength += take(columns, first_column(here, strip, rows), n)  # every pair is in the columns' sums once
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
def nearest_zero(scores):
    """The score of the smallest magnitude."""
    least = abs(scores[0])
    for k in range(scores.shape[0]):
        least = min(least, abs(scores[k]))
    for k in range(scores.shape[0]):
        if abs(scores[k]) == least:
            return scores[k]
    return scores[0]


@leaf
def over_temperature(row, scores, temperature, x):
    """x = the scores of these rows over the temperature; x is padded.

    Returns the extremes, and whether the fast sums take them: finite, and not beyond MAGNITUDE.
    """
    n = row.shape[0]
    for p in range(n):
        x[p] = scores[row[p]]
    low, high, finite = extremes(x, n)
    if finite == 0.0 or max(-low, high) / temperature > MAGNITUDE:
        return low, high, False
    centre = 0.0
    if centre_matters(low, high, temperature):
        centre = nearest_zero(x[:n])
    for p in range(n):
        x[p] = (x[p] - centre) / temperature
    return (low - centre) / temperature, (high - centre) / temperature, True


@leaf
def centre_matters(low, high, temperature):
    """Whether scores lose digits that matter if they are divided by the temperature as they are."""
    return temperature != 1.0 and max(-low, high) > 1000.0 * temperature


@leaf
def sum_oriented(here, low, high, temperature, rows, columns):
    """Totals of the rows of a range in its orientation, and its strength.

    Parameters
    ----------
    here : Range
    low, high : float
        The extremes of the scores.
    temperature : float
        Of the scores in ``columns.x``.
    rows : Rows
    columns : Columns

    Returns
    -------
    strength : float
        Sum of phi r over the pairs, without weights, or BEYOND. ``columns.total_r`` are the sums of phi r with weights,
        + for rows and - for columns, and ``total_t`` those of phi r (1 - r).
    """
    n = here.last - here.first
    clear_totals(n, columns)
    if here.n_rows == 0:
        return 0.0
    wide = (high - low) / temperature > WIDEST
    if wide:
        centre = nearest_zero(columns.x[:n])  # no score loses digits to it
        most = 0.0
        for i in range(n):
            columns.x[i] = (columns.x[i] - centre) / temperature
            most = max(most, abs(columns.x[i]))
        if most > MAGNITUDE:
            return BEYOND
    else:
        exponentiate(n, 0.5 * low + 0.5 * high, (-1.0 if here.mirrored else 1.0) / temperature, columns)
    if wide or rows.winner_weight.size > 0 or rows.value.size > 0:
        return _sum_general(here, wide, rows, columns)
    return _sum_plain(here, rows, columns)


@leaf
def sum_range(x, first, last, offset, rows, columns, gradient, hessian):
    """Add the sums over all pairs of a range to the gradients and Hessians of its rows; see ``sum_oriented``.

    ``x`` are scores over the temperature; the factors of the query are left out.
    """
    here = orient(first, last, offset, rows, False)
    low, high = load(x, here, columns)
    strength = sum_oriented(here, low, high, 1.0, rows, columns)
    add_totals(here, columns, gradient, hessian)
    return strength


@leaf
def add_totals(here, columns, gradient, hessian):
    """Add the totals of an oriented range: winners count -, losers +."""
    total_r, total_t = columns.total_r, columns.total_t
    for i in range(here.last - here.first):
        if here.mirrored:
            gradient[here.last - 1 - i] += total_r[i]
            hessian[here.last - 1 - i] += total_t[i]
        else:
            gradient[here.first + i] -= total_r[i]
            hessian[here.first + i] += total_t[i]


@leaf
def write(here, row, first, second, factor, factor_second, scaled, out, out_second):
    """Scatter two arrays in the orientation of a range, times their factors, to the caller's rows.

    ``scaled`` are two padded arrays of the precision of ``out``. Returns whether all results are finite.
    """
    n = here.last - here.first
    finite = _scaled((first, second), (factor, factor_second), 0, n, scaled)
    begin, step = here.offset + here.first, 1
    if here.mirrored:
        begin, step = here.offset + here.last - 1, -1
    for i in range(n):
        p = row[begin + step * i]
        out[p] = scaled[0][i]
        out_second[p] = scaled[1][i]
    return finite[0] > 0.0 and finite[1] > 0.0


@leaf
def fill_columns(here, rows, columns):
    """Weights and values in the range's orientation."""
    n = here.last - here.first
    weight, value = columns.weight, columns.value
    weights = rows.winner_weight if here.mirrored else rows.loser_weight
    weighted, valued = weights.size > 0, rows.value.size > 0
    # Values near 1e6 would cost all digits of float32: only their differences matter.
    centre = rows.value[here.offset + (here.first + here.last) // 2] if valued else 0.0
    sign = -1.0 if here.mirrored else 1.0
    for i in range(n):
        p = here.offset + row_at(here, i)
        weight[i] = weights[p] if weighted else 1.0
        value[i] = sign * (rows.value[p] - centre) if valued else 0.0
    weight[n : n + LANES] = 0
    value[n : n + LANES] = 0


@leaf
def loss_range(x, first, last, offset, rows, columns, loss):
    """Add to each row of a range the sum of phi softplus(-d) with weights over the pairs that it wins in it."""
    here = orient(first, last, offset, rows, True)
    n = last - first
    low, high = load(x, here, columns)
    wide = high - low > WIDEST
    middle = 0.5 * low + 0.5 * high
    fill_columns(here, rows, columns)
    e, weight, value = columns.e, columns.weight, columns.value
    position = columns.sum_r  # the columns' scores, from the middle; zeros again at the end
    valued = rows.value.size > 0
    if not wide:
        exponentiate(n, middle, 1.0, columns)
        e[n : n + LANES] = 1
        for i in range(n):
            position[i] = columns.x[i] - middle
    for i in range(here.n_rows):
        total = 0.0
        row_value = value[i] if valued else value.dtype.type(1)
        left = first_column(here, i, rows)
        while left < n:
            stop = min(left + COLUMNS_PER_SUM, n)
            if wide:
                for k in range(left, stop):
                    z = columns.x[k] - columns.x[i]
                    phi = (np.float64(row_value) - value[k]) * weight[k]
                    total += phi * (max(z, 0.0) + np.log1p(np.exp(-abs(z))))
            else:
                (s,) = _loss_row((position, e, weight, value), ((position[i], e[i], row_value),), (left,), stop, ())
                total += s
            left += COLUMNS_PER_SUM
        if rows.winner_weight.size > 0:
            total *= rows.winner_weight[offset + first + i]
        loss[first + i] += total
    position[: n + LANES] = 0


@leaf
def _sum_general(here, wide, rows, columns):
    """As ``_sum_plain`` with weights and values, for scores of any spread."""
    n = here.last - here.first
    e, column_r, column_t = columns.e, columns.sum_r, columns.sum_t
    total_r, total_t, weight, value = columns.total_r, columns.total_t, columns.weight, columns.value
    fraction, exponent = columns.fraction, columns.exponent
    fill_columns(here, rows, columns)
    if wide:
        sign = -1.0 if here.mirrored else 1.0
        for i in range(n):
            z = sign * columns.x[i] * LOG2_E
            exponent[i] = np.rint(z)
            fraction[i] = np.exp((z - exponent[i]) * LN_2)
    row_weights = rows.loser_weight if here.mirrored else rows.winner_weight
    valued = rows.value.size > 0
    strength = 0.0
    for strip in range(0, here.n_rows, ROWS_PER_SUM):
        for i in range(strip, min(strip + ROWS_PER_SUM, here.n_rows)):
            row_weight = weight.dtype.type(1)
            if row_weights.size > 0:
                row_weight = weight.dtype.type(row_weights[here.offset + row_at(here, i)])
            row_value = value[i] if valued else value.dtype.type(1)
            left = first_column(here, i, rows)
            while left < n:
                stop = min(left + COLUMNS_PER_SUM, n)
                if wide:
                    some = slice(left, stop)
                    r, t, s = _one_wide_row(
                        fraction[some],
                        exponent[some],
                        weight[some],
                        value[some],
                        fraction[i],
                        exponent[i],
                        row_weight,
                        row_value,
                        column_r[some],
                        column_t[some],
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
        take_weighted(columns, first_column(here, strip, rows), n)
    return strength


@leaf
def take_weighted(columns, start, n):
    """As ``take``, with the columns' weights."""
    for k in range(start, n):
        columns.total_r[k] -= np.float64(columns.sum_r[k]) * columns.weight[k]
        columns.total_t[k] += np.float64(columns.sum_t[k]) * columns.weight[k]
        columns.sum_r[k] = 0
        columns.sum_t[k] = 0


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

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
    flush_weighted,
    general,
    limits,
    logistic_loss,
    plain,
    power_of_two,
    scaled,
    two_parts,
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

#: The same for a query that needs ``spread.py``.
SPREAD = -2.0

# Pairs that are summed directly all the same, at a few ns each.
_MOST_PAIRS = 1e6

_exponentials = along(exponentials)
_limits = along(limits, ("least", "most", "finite"))
_flush = along(flush, ("sum",))
_flush_weighted = along(flush_weighted)
_two_parts = along(two_parts)
_scaled = along(scaled, ("finite", "finite"))
_loss_row = rows_by_columns(logistic_loss, n_rows=1, n_column_sums=0, n_totals=0, n_returned=1)

#: The rows of ``Columns.double``: scores, their exponentials as fractions and exponents, what is summed up.
X, FRACTION, EXPONENT, TOTAL_R, TOTAL_T = range(5)

#: The rows of ``Columns.work``: exponentials, weights and values of columns and of rows, what columns have summed up
#: (all zeros, which is how every sum leaves them), scores in two parts for the loss, and what ``ndcg_direct.py`` needs.
E, WEIGHT, VALUE, ROW_WEIGHT, ROW_VALUE, SUM_R, SUM_T, SCORE, SCORE_REST, DISCOUNT, TOP, PLACE = range(12)


class Columns(NamedTuple):
    """What the direct sums work in, for ranges of up to so many rows (and padding).

    Attributes
    ----------
    double : float64 array of shape (5, n)
    work : array of the working precision of shape (12, n)
    """

    double: NDArray[np.float64]
    work: NDArray[np.floating]


@helper
def make_columns(n, out):
    """Columns for ranges of up to n rows in the precision of ``out``."""
    n = (n + 3 * LANES) // LANES * LANES
    columns = Columns(np.empty((5, n)), np.empty((12, n), out.dtype))
    columns.work[SUM_R] = 0
    columns.work[SUM_T] = 0
    return columns


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
    return _orient(first, last, offset, winners, rows, forward)


@leaf
def orient_query(q, rows):
    """The range of a whole query, not empty, in the orientation with the fewest rows."""
    offset, zero = rows.ptr[q], np.int64(0)
    # Its last run from an array of its own: the end of ``run_begin`` is not in the cache yet.
    return _orient(zero, rows.ptr[q + 1] - offset, offset, rows.last_run[q] - offset, rows, False)


@leaf
def _orient(first, last, offset, winners, rows, forward):
    losers = max(last - (rows.run_end[offset + first] - offset), 0)  # rows after the first run
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
    p = np.uint64(here.offset + row_at(here, i))  # a signed index is looked at for being negative
    if here.mirrored:
        return here.last - max(rows.run_begin[p] - here.offset, here.first)
    return min(rows.run_end[p] - here.offset, here.last) - here.first


@leaf
def extremes(x, n):
    """The least and the largest of the first n entries of a padded array, and 1 if all are finite, else 0."""
    x[n : n + LANES] = x[n - 1]
    return limits_of(x, 0, n)


@leaf
def limits_of(x, begin, end):
    """As ``extremes`` of whole vectors."""
    return _limits((x,), (), begin, end, ())


@leaf
def load(x, here, columns):
    """The scores of a range in its orientation; returns their extremes."""
    n = here.last - here.first
    own = columns.double[X]
    if here.mirrored:
        for i in range(n):
            own[i] = x[here.last - 1 - i]
    else:
        for i in range(n):
            own[i] = x[here.first + i]
    low, high, _ = extremes(own, n)
    return low, high


@leaf
def read(here, row, scores, columns):
    """The caller's scores of a range in its orientation; returns their extremes, and 1 if they are finite, else 0."""
    n = here.last - here.first
    x = columns.double[X]
    own = row[here.offset + here.first : here.offset + here.last]
    if here.mirrored:
        for i in range(n):
            x[i] = scores[own[n - 1 - i]]
    else:
        for i in range(n):
            x[i] = scores[own[i]]
    return extremes(x, n)


@leaf
def exponentiate(n, middle, scale, columns):
    """e = exp((x - middle) scale), and 0 beyond the last."""
    e = columns.work[E]
    _exponentials((columns.double[X],), (middle, scale * LOG2_E), 0, n, (e,))
    e[n : n + LANES] = 0


@leaf
def exponentiate_for_loss(n, middle, columns):
    """e, and 1 beyond the last, and scores from the middle, in two parts: in float32 one part would not do."""
    exponentiate(n, middle, 1.0, columns)
    work = columns.work
    _two_parts((columns.double[X],), (middle,), 0, n, (work[SCORE], work[SCORE_REST]))
    work[E, n : n + LANES] = 1
    work[SCORE, n : n + LANES] = 0
    work[SCORE_REST, n : n + LANES] = 0


@leaf
def clear_totals(n, columns):
    columns.double[TOTAL_R, : n + LANES] = 0.0
    columns.double[TOTAL_T, : n + LANES] = 0.0


@leaf
def _take(columns, start, n):
    """Add what the columns have summed up to the totals, r as -; returns the sum of r."""
    r, t, total_r, total_t = columns.work[SUM_R], columns.work[SUM_T], columns.double[TOTAL_R], columns.double[TOTAL_T]
    (strength,) = _flush((r, total_r), (-1.0,), start, n, (total_r, r))
    _flush((t, total_t), (1.0,), start, n, (total_t, t))
    return strength


@leaf
def _take_weighted(columns, start, n):
    """As ``_take`` with the columns' weights, for sums that return their strength themselves."""
    r, t, total_r, total_t = columns.work[SUM_R], columns.work[SUM_T], columns.double[TOTAL_R], columns.double[TOTAL_T]
    weight = columns.work[WEIGHT]
    _flush_weighted((r, total_r, weight), (-1.0,), start, n, (total_r, r))
    _flush_weighted((t, total_t, weight), (1.0,), start, n, (total_t, t))
    return 0.0


@leaf
def _no_strength(returned):
    return 0.0


@leaf
def _own_strength(returned):
    return returned[0]


def strips(formula, columns_of, rows_of, weighted):
    """A function that sums over the pairs of a range, a few rows at a time.

    Parameters
    ----------
    formula : callable
        Of one pair, see ``lanes.rows_by_columns``: rows and columns sum r and t.
    columns_of, rows_of : compiled functions
        Columns (and the function's last argument) to the values that the formula takes.
    weighted : bool
        Whether columns' sums lack the columns' weights; then the formula returns phi r without weights to rows, third.

    Returns
    -------
    sum_strips : compiled function
        ``sum_strips(here, rows, columns, constants)``: totals of a range in its orientation, r of rows as +, of columns
        as -; returns the sum of r without weights.
    """
    n_returned = int(weighted)
    one = rows_by_columns(formula, 1, 2, 2, n_returned)
    two = rows_by_columns(formula, 2, 2, 2, n_returned)
    four = rows_by_columns(formula, 4, 2, 2, n_returned)
    take = _take_weighted if weighted else _take
    strength_of = _own_strength if weighted else _no_strength

    @leaf
    def sum_strips(here, rows, columns, constants):
        n = here.last - here.first
        arrays, own = columns_of(columns, constants), rows_of(columns, constants)
        sums = (columns.work[SUM_R], columns.work[SUM_T])
        totals = (columns.double[TOTAL_R], columns.double[TOTAL_T])
        strength = 0.0
        for strip in range(0, here.n_rows, ROWS_PER_SUM):
            end = min(strip + ROWS_PER_SUM, here.n_rows)
            i = strip
            while i < end:
                a = first_column(here, i, rows)
                # How many rows start in the same vector of columns, and where.
                b, c, d, m = a, a, a, 1
                if i + 4 <= end:
                    d = first_column(here, i + 3, rows)
                if i + 4 <= end and d - a < LANES:
                    m = 4
                    if d > a:
                        b, c = first_column(here, i + 1, rows), first_column(here, i + 2, rows)
                elif i + 2 <= end:
                    b = first_column(here, i + 1, rows)
                    m = 2 if b - a < LANES else 1
                for left in range(a, n, COLUMNS_PER_SUM):
                    stop = min(left + COLUMNS_PER_SUM, n)
                    if m == 4:
                        starts = (left, max(left, b), max(left, c), max(left, d))
                        strength += strength_of(four(arrays, own, i, starts, stop, sums, totals))
                    elif m == 2:
                        strength += strength_of(two(arrays, own, i, (left, max(left, b)), stop, sums, totals))
                    else:
                        strength += strength_of(one(arrays, own, i, (left,), stop, sums, totals))
                i += m
            strength += take(columns, first_column(here, strip, rows), n)
        return strength

    return sum_strips


@leaf
def _plain_values(columns, constants):
    return (columns.work[E],)


@leaf
def _general_columns(columns, constants):
    return columns.work[E], columns.work[WEIGHT], columns.work[VALUE]


@leaf
def _general_rows(columns, constants):
    return columns.work[E], columns.work[ROW_WEIGHT], columns.work[ROW_VALUE]


_sum_plain = strips(plain, _plain_values, _plain_values, weighted=False)
_sum_general = strips(general, _general_columns, _general_rows, weighted=True)


@leaf
def is_spread(n, panels):
    """Whether a query of n rows needs ``spread.py``; ``panels`` is 0 where a table does not hold them."""
    return panels == 0 and 0.5 * n * n > _MOST_PAIRS


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
    low, high, _ = extremes(x, n)  # of what stands in x: a vector's division may round otherwise than a number's
    return low, high, True


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
    if (high - low) / temperature > WIDEST:
        return _sum_wide(here, temperature, rows, columns)
    exponentiate(n, 0.5 * low + 0.5 * high, (-1.0 if here.mirrored else 1.0) / temperature, columns)
    if rows.winner_weight.size == 0 and rows.value.size == 0:
        return _sum_plain(here, rows, columns, ())
    fill_columns(here, rows, columns)
    return _sum_general(here, rows, columns, ())


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
    total_r, total_t = columns.double[TOTAL_R], columns.double[TOTAL_T]
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
    own = row[here.offset + here.first : here.offset + here.last]
    if here.mirrored:
        for i in range(n):
            out[own[n - 1 - i]] = scaled[0][i]
            out_second[own[n - 1 - i]] = scaled[1][i]
    else:
        for i in range(n):
            out[own[i]] = scaled[0][i]
            out_second[own[i]] = scaled[1][i]
    return finite[0] > 0.0 and finite[1] > 0.0


@leaf
def fill_columns(here, rows, columns):
    """Weights and values in the range's orientation."""
    n = here.last - here.first
    weight, value, row_weight, row_value = (
        columns.work[WEIGHT],
        columns.work[VALUE],
        columns.work[ROW_WEIGHT],
        columns.work[ROW_VALUE],
    )
    weighted, valued = rows.winner_weight.size > 0, rows.value.size > 0
    # Values near 1e6 would cost all digits of float32: only their differences matter.
    centre = rows.value[here.offset + (here.first + here.last) // 2] if valued else 0.0
    sign = -1.0 if here.mirrored else 1.0
    for i in range(n):
        p = here.offset + row_at(here, i)
        weight[i], row_weight[i], value[i], row_value[i] = 1.0, 1.0, 0.0, 1.0
        if weighted:
            weight[i] = rows.winner_weight[p] if here.mirrored else rows.loser_weight[p]
            row_weight[i] = rows.loser_weight[p] if here.mirrored else rows.winner_weight[p]
        if valued:
            value[i] = sign * (rows.value[p] - centre)
            row_value[i] = value[i]
    weight[n : n + LANES] = 0
    value[n : n + LANES] = 0


@leaf
def _sum_wide(here, temperature, rows, columns):
    """As ``sum_oriented`` for scores of any spread: e = fraction * 2^exponent, in float64."""
    n = here.last - here.first
    x, fraction, exponent = columns.double[X], columns.double[FRACTION], columns.double[EXPONENT]
    total_r, total_t = columns.double[TOTAL_R], columns.double[TOTAL_T]
    weight, value = columns.work[WEIGHT], columns.work[VALUE]
    row_weight, row_value = columns.work[ROW_WEIGHT], columns.work[ROW_VALUE]
    fill_columns(here, rows, columns)
    centre = nearest_zero(x[:n])  # no score loses digits to it
    scale = (-1.0 if here.mirrored else 1.0) / temperature
    for i in range(n):
        power = (x[i] - centre) * scale * LOG2_E
        if abs(power) > 4.0 * MAGNITUDE:
            return BEYOND
        exponent[i] = np.rint(power)
        fraction[i] = np.exp((power - exponent[i]) * LN_2)
    strength = 0.0
    for i in range(here.n_rows):
        sum_r, sum_t = 0.0, 0.0
        for k in range(first_column(here, i, rows), n):
            shift = min(max(exponent[i] - exponent[k], -1000.0), 1000.0)
            ratio = fraction[i] / fraction[k] * power_of_two(shift)  # e_row / e_column
            q = 1.0 / (1.0 + ratio)
            r = q * (np.float64(row_value[i]) - value[k])
            strength += r
            r *= np.float64(row_weight[i]) * weight[k]
            t = r * (ratio * q)
            sum_r += r
            sum_t += t
            total_r[k] -= r
            total_t[k] += t
        total_r[i] += sum_r
        total_t[i] += sum_t
    return strength


@leaf
def loss_range(scores, first, last, offset, rows, columns, loss):
    """Add to each row of a range the sum of phi softplus(-d) with weights over the pairs that it wins in it."""
    here = orient(first, last, offset, rows, True)
    n = last - first
    low, high = load(scores, here, columns)
    wide = high - low > WIDEST
    fill_columns(here, rows, columns)
    x, work = columns.double[X], columns.work
    if not wide:
        exponentiate_for_loss(n, 0.5 * low + 0.5 * high, columns)
    arrays = (work[SCORE], work[SCORE_REST], work[E], work[WEIGHT], work[VALUE])
    own = (work[SCORE], work[SCORE_REST], work[E], work[ROW_VALUE])
    for i in range(here.n_rows):
        total = 0.0
        start = first_column(here, i, rows)
        if wide:
            for k in range(start, n):
                z = x[k] - x[i]
                phi = (np.float64(work[ROW_VALUE, i]) - work[VALUE, k]) * work[WEIGHT, k]
                total += phi * (max(z, 0.0) + np.log1p(np.exp(-abs(z))))
        else:
            for left in range(start, n, COLUMNS_PER_SUM):
                total += _loss_row(arrays, own, i, (left,), min(left + COLUMNS_PER_SUM, n), (), ())[0]
        loss[first + i] += total * work[ROW_WEIGHT, i]

"""The direct sum: every pair of a range of rows, one reciprocal each and no exponential.

With ``e = exp(s / T)`` a pair of winner i and loser j has ``r = sigma((s_j - s_i) / T) = e_j / (e_i + e_j)``, and
``r (1 - r) = r e_i / (e_i + e_j)`` without cancellation, however far apart the scores are.

The rows of a range stand in descending order of their labels, so what row i beats is a suffix of the range. A few
rows are held in registers while the suffix streams past: the sums of the columns (losers) are kept in an array, those
of the rows (winners) in registers. If there are fewer losing than winning rows the range is **mirrored**: read
backwards with ``exp(-s / T)``, which swaps the roles and leaves the formulas as they are.
"""

from __future__ import annotations

import numpy as np

from .columns import (
    BEYOND,
    EXPONENT,
    FRACTION,
    MAGNITUDE,
    ROW_VALUE,
    ROW_WEIGHT,
    SCORE,
    SCORE_REST,
    SUM_R,
    SUM_T,
    TOTAL_R,
    TOTAL_T,
    VALUE,
    WEIGHT,
    E,
    X,
    exponentiate,
    exponentiate_for_loss,
    fill_columns,
    first_column,
    load,
    nearest_zero,
    orient,
)
from .compile import leaf
from .formulas import (
    LN_2,
    LOG2_E,
    flush,
    flush_weighted,
    general,
    logistic_loss,
    plain,
    power_of_two,
)
from .lanes import LANES, along, rows_by_columns

# Entries are summed in the working precision over at most this many rows or columns, then added up in float64: the
# rounding of float32 then stays below 1e-6 even where all terms are equal, and so round the same way.
ROWS_PER_SUM = 64
COLUMNS_PER_SUM = 512

# The spread of scores over the temperature up to which e and 1 / e, and sums of two, stay within float32's range.
WIDEST = 80.0

#: The same for a query that needs ``spread.py``.
SPREAD = -2.0

# Pairs that are summed directly all the same, at a few ns each.
_MOST_PAIRS = 1e6

_flush = along(flush, ("sum",))
_flush_weighted = along(flush_weighted)
_loss_row = rows_by_columns(logistic_loss, n_rows=1, n_column_sums=0, n_totals=0, n_returned=1)


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


@leaf
def sum_pairs(is_loss, x, first, last, offset, rows, columns, first_sum, second_sum):
    """Add the gradients and Hessians of a range, or its losses to the first; returns the strength, of losses 0."""
    if is_loss:
        loss_range(x, first, last, offset, rows, columns, first_sum)
        return 0.0
    return sum_range(x, first, last, offset, rows, columns, first_sum, second_sum)

"""The rows of a range as the columns of a direct sum: read in their orientation, and their results written back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compile import helper, leaf
from .formulas import LOG2_E, exponentials, limits, scaled, two_parts
from .lanes import LANES, along

#: Scores over the temperature beyond this are the reference engine's.
MAGNITUDE = 1e290

#: What a sum returns in the place of the strength for scores that are not finite, or beyond MAGNITUDE.
BEYOND = -1.0

_exponentials = along(exponentials)
_limits = along(limits, ("least", "most", "finite"))
_two_parts = along(two_parts)
_scaled = along(scaled, ("finite", "finite"))

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

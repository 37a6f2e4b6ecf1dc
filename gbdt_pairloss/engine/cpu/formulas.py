"""What the innermost loops compute: for one number, and for one pair, of columns of rows against one row.

For pairs x, or e, is exp(s / T) of a column, a that of the row; of a pair of winner i and loser j r = e_j / (e_i + e_j)
and t = r (1 - r). In a range that is read backwards e is exp(-s / T) and the roles are swapped: the formulas stay.
"""

from __future__ import annotations

from math import factorial

import numpy as np

from .compile import leaf
from .lanes import absolute, maximum, minimum

LN_2 = 0.6931471805599453
LOG2_E = 1.4426950408889634


@leaf
def power_of_two(n):
    """2^n for a whole float64 n of at most 1022 in magnitude."""
    return np.int64((np.int64(n) + 1023) << 52).view(np.float64)


def exponentials(inputs, constants, bits):
    """2^((x - middle) scale), for powers of at most 64 in magnitude."""
    (x,), (middle, scale) = inputs, constants
    power = (x - middle) * scale
    whole = power.rounded()
    f = (power - whole).to(bits) * LN_2
    last = 7 if bits == 32 else 13
    series = f * 0.0 + 1.0 / factorial(last)
    for k in range(last - 1, -1, -1):
        series = series * f + 1.0 / factorial(k)
    return (series * whole.to(bits).power_of_two(),), ()


def logistic_slopes(inputs, constants, bits):
    """-sigma(-d) and sigma(d) sigma(-d), the first and the second derivative of softplus(-d)."""
    d = minimum(maximum(inputs[0], inputs[0] * 0.0 - 700.0), inputs[0] * 0.0 + 700.0)
    ((e,), _) = exponentials((d,), (d * 0.0, d * 0.0 + LOG2_E), bits)
    wrong = 1.0 / (e + 1.0)
    return (wrong * -1.0, wrong * (e * wrong)), ()


def two_parts(inputs, constants, bits):
    """x - middle as rounded, and what that lacks."""
    score = inputs[0] - constants[0]
    rounded = score.to(bits)
    return (rounded, score - rounded.to(64)), ()


def limits(inputs, constants, bits):
    """For folds: the least, the most, and whether finite."""
    return (), (inputs[0],) * 3


def flush(inputs, constants, bits):
    """(total + sign * sum, 0), and sum for a fold."""
    (column, total), (sign,) = inputs, constants
    return (total + column.to(64) * sign, column * 0.0), (column,)


def flush_weighted(inputs, constants, bits):
    """(total + sign * weight * sum, 0)."""
    (column, total, weight), (sign,) = inputs, constants
    return (total + column.to(64) * weight.to(64) * sign, column * 0.0), ()


def scaled(inputs, constants, bits):
    """Two arrays times two factors, and these for a fold, as rounded."""
    first, second = (value.to(64) * factor for value, factor in zip(inputs, constants, strict=True))
    return (first, second), (first.to(bits), second.to(bits))


def plain(columns, row):
    """r and t."""
    (x,), (a,) = columns, row
    q = 1.0 / (x + a)
    r = x * q
    t = r * (a * q)
    return (r, t), (r, t)


def general(columns, row):
    """Rows sum r and t times both weights, columns times the row's; phi = row value - column value; and phi r."""
    (x, weight, value), (a, row_weight, row_value) = columns, row
    q = 1.0 / (x + a)
    r = x * q * (row_value - value)
    own = row_weight * r
    t = own * (a * q)
    return (weight * own, weight * t, r), (own, t)


def ndcg_plain(columns, row):
    """As ``plain`` with phi = |difference of gains| |difference of discounts|."""
    (x, value, discount), (a, row_value, row_discount) = columns, row
    q = 1.0 / (x + a)
    r = x * q * ((row_value - value) * absolute(row_discount - discount))
    t = r * (a * q)
    return (r, t), (r, t)


def _exchange(columns, row):
    """phi of ``ndcg_general``: where ``top`` of either is 1, over base + slope |difference of scores|."""
    (value, discount, top, place), (row_value, row_discount, row_top, row_place, base, slope) = columns, row
    phi = (row_value - value) * absolute(row_discount - discount) * maximum(row_top, top)
    return phi / (base + slope * absolute(row_place - place))


def ndcg_general(columns, row):
    """As ``general`` with the phi of ``_exchange``."""
    (x, weight), (a, row_weight) = columns[:2], row[:2]
    q = 1.0 / (x + a)
    r = x * q * _exchange(columns[2:], row[2:])
    own = row_weight * r
    t = own * (a * q)
    return (weight * own, weight * t, r), (own, t)


def softplus(column, row):
    """softplus(-d) = max(-d, 0) + log1p(m), with m = e^-|d| the ratio of the smaller e to the larger.

    The arguments are scores, in two parts, and e. log1p(m) = 2 atanh(w) with w = m / (2 + m) <= 1 / 3: a series in w^2
    that loses nothing where m is small.
    """
    (x, rest, e), (row_x, row_rest, row_e) = column, row
    small, large = minimum(e, row_e), maximum(e, row_e)
    w = small / (large * 2.0 + small)
    square = w * w
    last = 8 if w.bits == 32 else 17
    series = square * 0.0 + 1.0 / (2 * last + 1)
    for k in range(last - 1, -1, -1):
        series = series * square + 1.0 / (2 * k + 1)
    above = (x - row_x) + (rest - row_rest)
    return maximum(above, above * 0.0) + w * 2.0 * series


def ndcg_loss(columns, row):
    """Rows sum phi softplus(-d) and phi, times the columns' weights."""
    phi = columns[3] * _exchange(columns[4:], row[4:])
    return (phi * softplus(columns[:3], row[:3]), phi), ()


def logistic_loss(columns, row):
    """phi softplus(-d) with phi = row value - column value."""
    weight, value = columns[3:]
    return (softplus(columns[:3], row[:3]) * (row[3] - value) * weight,), ()

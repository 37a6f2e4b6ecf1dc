"""The compiled sums of ``separable.py``: of the queries ``begin`` to ``end``, results by position.

Every kernel takes the scores, the plan's beginnings of queries and ends of runs of equal labels, the weights of winners
(w) and of losers (v), phi = up of the winner - down of the loser, whether there are other weights than 1, whether the
strengths are wanted, and the temperature and margin. It adds to ``first`` the sums of l', of winners as they are and of
losers as -, to ``second`` those of l'', writes the winners' ``loss``, and for each query its ``strengths``, the sum of
phi |l'| without weights.
"""

from __future__ import annotations

import numpy as np

from .compile import exact_helper, exact_kernel
from .sorting import merge, sort


@exact_kernel
def sum_squared(
    begin, end, scores, ptr, run_end, w, v, up, down, weighted, wanted, parameters, first, second, loss, strengths
):
    temperature, margin = parameters
    ones = np.ones(_longest(begin, end, ptr) if weighted else 0)
    x = np.empty(_longest(begin, end, ptr))
    for q in range(begin, end):
        a, b = ptr[q], ptr[q + 1]
        if b == a or run_end[a] == b:
            continue
        _over_temperature(scores[a:b], temperature, x)
        arrays = (up[a:b], down[a:b], first[a:b], second[a:b], loss[a:b])
        total = _squared(x, a, run_end[a:b], w[a:b], v[a:b], arrays, margin)
        if not wanted:
            continue
        # |l'| = 2 |margin - d| = 2 (2 max(margin - d, 0) - (margin - d))
        if weighted:
            spare = (up[a:b], down[a:b], np.zeros(b - a), np.zeros(b - a), np.zeros(b - a))
            total = _squared(x, a, run_end[a:b], ones[: b - a], ones[: b - a], spare, margin)
        strengths[q] = 2.0 * max(2.0 * _sum_hinge_loss(x, a, run_end[a:b], up[a:b], down[a:b], margin) - total, 0.0)


@exact_helper
def _squared(x, offset, run_end, w, v, arrays, margin):
    """The sums of one query; returns the sum of phi w v (margin - d)."""
    up, down, first, second, loss = arrays
    n = run_end.shape[0]
    total = 0.0
    # Winners, over the moments of all rows of smaller labels: run by run from the last.
    v0, v1, v2, d0, d1, d2 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    high = n
    while high > 0:
        low = _run_begin(high, run_end, offset)
        for i in range(low, high):
            m = margin - x[i]
            short = up[i] * (m * v0 + v1) - (m * d0 + d1)
            total += w[i] * short
            first[i] -= 2.0 * w[i] * short
            second[i] += 2.0 * w[i] * (up[i] * v0 - d0)
            loss[i] = w[i] * (up[i] * (m * m * v0 + 2.0 * m * v1 + v2) - (m * m * d0 + 2.0 * m * d1 + d2))
        for j in range(low, high):
            v0 += v[j]
            v1 += v[j] * x[j]
            v2 += v[j] * x[j] * x[j]
            d0 += v[j] * down[j]
            d1 += v[j] * down[j] * x[j]
            d2 += v[j] * down[j] * x[j] * x[j]
        high = low
    # Losers, over those of all rows of larger labels.
    u0, u1, w0, w1 = 0.0, 0.0, 0.0, 0.0
    low = 0
    while low < n:
        high = run_end[low] - offset
        for j in range(low, high):
            m = margin + x[j]
            first[j] += 2.0 * v[j] * ((m * u0 - u1) - down[j] * (m * w0 - w1))
            second[j] += 2.0 * v[j] * (u0 - down[j] * w0)
        for i in range(low, high):
            u0 += w[i] * up[i]
            u1 += w[i] * up[i] * x[i]
            w0 += w[i]
            w1 += w[i] * x[i]
        low = high
    return total


@exact_kernel
def sum_exponential(
    begin, end, scores, ptr, run_end, w, v, up, down, weighted, wanted, parameters, first, second, loss, strengths
):
    (temperature,) = parameters
    ones = np.ones(_longest(begin, end, ptr) if weighted else 0)
    x = np.empty(_longest(begin, end, ptr))
    for q in range(begin, end):
        a, b = ptr[q], ptr[q + 1]
        if b == a or run_end[a] == b:
            continue
        _over_temperature(scores[a:b], temperature, x)
        arrays = (up[a:b], down[a:b], first[a:b], second[a:b], loss[a:b])
        strengths[q] = _exponential(x, a, run_end[a:b], w[a:b], v[a:b], arrays)
        if weighted and wanted:
            spare = (up[a:b], down[a:b], np.zeros(b - a), np.zeros(b - a), np.zeros(b - a))
            strengths[q] = _exponential(x, a, run_end[a:b], ones[: b - a], ones[: b - a], spare)


@exact_helper
def _exponential(x, offset, run_end, w, v, arrays):
    """The sums of one query; returns the sum of phi w v exp(-d).

    Running sums are kept in units of their largest term: they overflow only where a pair's loss does.
    """
    up, down, first, second, loss = arrays
    n = run_end.shape[0]
    total = 0.0
    unit, v0, d0 = -np.inf, 0.0, 0.0
    high = n
    while high > 0:
        low = _run_begin(high, run_end, offset)
        for i in range(low, high):
            sum_v = up[i] * v0 - d0
            if w[i] > 0.0 and sum_v > 0.0:
                value = w[i] * (sum_v * np.exp(unit - x[i]))
                total += value
                first[i] -= value
                second[i] += value
                loss[i] = value
        for j in range(low, high):
            if v[j] > 0.0:
                if x[j] > unit:
                    v0 *= np.exp(unit - x[j])
                    d0 *= np.exp(unit - x[j])
                    unit = x[j]
                e = v[j] * np.exp(x[j] - unit)
                v0 += e
                d0 += e * down[j]
        high = low
    unit, u0, w0 = np.inf, 0.0, 0.0
    low = 0
    while low < n:
        high = run_end[low] - offset
        for j in range(low, high):
            sum_w = u0 - down[j] * w0
            if v[j] > 0.0 and sum_w > 0.0:
                value = v[j] * (sum_w * np.exp(x[j] - unit))
                first[j] += value
                second[j] += value
        for i in range(low, high):
            if w[i] > 0.0:
                if x[i] < unit:
                    u0 *= np.exp(x[i] - unit)
                    w0 *= np.exp(x[i] - unit)
                    unit = x[i]
                e = w[i] * np.exp(unit - x[i])
                u0 += e * up[i]
                w0 += e
        low = high
    return total


@exact_kernel
def sum_hinge(
    begin, end, scores, ptr, run_end, w, v, up, down, weighted, wanted, parameters, first, second, loss, strengths
):
    temperature, margin = parameters
    for q in range(begin, end):
        a, b = ptr[q], ptr[q + 1]
        if b == a or run_end[a] == b:
            continue
        arrays = (up[a:b], down[a:b], first[a:b], second[a:b], loss[a:b])
        strengths[q] = _hinge(scores[a:b], a, run_end[a:b], w[a:b], v[a:b], arrays, temperature, margin)


@exact_helper
def _sum_hinge_loss(x, offset, run_end, up, down, margin):
    """The sum of phi max(margin - d, 0) over the pairs of one query, of scores over the temperature."""
    n = run_end.shape[0]
    ones, loss = np.ones(n), np.zeros(n)
    _hinge(x[:n], offset, run_end, ones, ones, (up, down, np.zeros(n), np.zeros(n), loss), 1.0, margin)
    return loss.sum()


@exact_helper
def _hinge(scores, offset, run_end, w, v, arrays, temperature, margin):
    """The sums of one query; returns the sum of phi over the pairs inside the margin, without weights.

    Runs of equal labels are sorted by score; then neighbours are merged, two by two, until there is one. When two are
    merged, all rows of the first beat all rows of the second.
    """
    n = run_end.shape[0]
    key, order = scores.copy(), np.arange(n)
    spare_key, spare_order = np.empty(n), np.empty(n, np.int64)
    bounds = np.empty(n + 1, np.int64)
    count, low = 0, 0
    while low < n:
        bounds[count] = low
        high = run_end[low] - offset
        sort(key[low:high], order[low:high], spare_key[low:high], spare_order[low:high])
        low = high
        count += 1
    bounds[count] = n
    centre = _mean(scores)
    strength = 0.0
    while count > 1:
        merged = 0
        for k in range(0, count, 2):
            a, b = bounds[k], bounds[k + 1]
            c = bounds[min(k + 2, count)]
            if c > b:
                strength += _sweep(a, b, c, key, order, w, v, arrays, temperature, margin, centre)
            merge(key, order, a, b, c, spare_key, spare_order)
            bounds[merged] = a
            merged += 1
        bounds[merged] = n
        count = merged
        key, order, spare_key, spare_order = spare_key, spare_order, key, order
    return strength


@exact_helper
def _sweep(a, b, c, key, order, w, v, arrays, temperature, margin, centre):
    """Sums over the pairs of winners [a, b) and losers [b, c), both in descending order of their scores."""
    up, down, first, second, loss = arrays
    strength = 0.0
    # Winner by winner, the losers inside its margin are the first ones, more and more of them.
    inside = b
    v0, v1, d0, d1, n0, nd = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for p in range(a, b):
        while inside < c and (key[p] - key[inside]) / temperature < margin:
            j = order[inside]
            x = (key[inside] - centre) / temperature
            v0 += v[j]
            v1 += v[j] * x
            d0 += v[j] * down[j]
            d1 += v[j] * down[j] * x
            n0 += 1.0
            nd += down[j]
            inside += 1
        if inside > b:
            i = order[p]
            m = margin - (key[p] - centre) / temperature
            phi = w[i] * (up[i] * v0 - d0)
            first[i] -= phi
            second[i] += phi
            loss[i] += max(w[i] * (up[i] * (m * v0 + v1) - (m * d0 + d1)), 0.0)
            strength += up[i] * n0 - nd
    # Loser by loser from the last, the winners inside are the last ones.
    inside = b - 1
    u0, w0 = 0.0, 0.0
    for back in range(c - b):
        p = c - 1 - back
        while inside >= a and (key[inside] - key[p]) / temperature < margin:
            i = order[inside]
            u0 += w[i] * up[i]
            w0 += w[i]
            inside -= 1
        j = order[p]
        phi = v[j] * (u0 - down[j] * w0)
        first[j] += phi
        second[j] += phi
    return strength


@exact_helper
def _run_begin(high, run_end, offset):
    """Where the run of equal labels begins that ends at ``high``."""
    low = high - 1
    while low > 0 and run_end[low - 1] - offset == high:
        low -= 1
    return low


@exact_helper
def _over_temperature(scores, temperature, x):
    """x = scores over the temperature, from their mean."""
    centre = _mean(scores)
    for k in range(scores.shape[0]):
        x[k] = (scores[k] - centre) / temperature


@exact_helper
def _mean(scores):
    """The mean, of scores whose sum may be beyond float64."""
    mean = 0.0
    for score in scores:
        mean += score / scores.shape[0]
    return mean


@exact_helper
def _longest(begin, end, ptr):
    longest = 0
    for q in range(begin, end):
        longest = max(longest, ptr[q + 1] - ptr[q])
    return longest

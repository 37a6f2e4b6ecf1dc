"""The compiled steps of ``pair_by_pair.py``; but for ``logistic`` none of them knows a loss."""

from __future__ import annotations

import numpy as np

from .compile import exact_helper, exact_kernel, kernel
from .formulas import logistic_slopes
from .lanes import along
from .sorting import sort

_slopes = along(logistic_slopes)


@kernel
def logistic(d, n, first, second):
    """The first and second derivatives of the logistic loss at n entries of padded arrays."""
    _slopes((d,), (), 0, n, (first, second))


@exact_kernel
def differ(winner, loser, x, temperature, d):
    """d of pairs, and 0 beyond the last."""
    for k in range(winner.shape[0]):
        d[k] = (x[winner[k]] - x[loser[k]]) / temperature
    d[winner.shape[0] :] = 0.0


@exact_kernel
def add_pairs(winner, loser, query, first, second, phi, omega, counted, low, first_query, sums, divisors):
    """Add phi omega l' and phi omega l'' of pairs to their rows, and phi |counted| to their queries.

    ``phi``, ``omega`` and ``counted`` have one entry if they are the same for all; the sums, a row's first and second
    side by side, begin with position ``low``, the divisors with ``first_query``.
    """
    for k in range(winner.shape[0]):
        own = phi[k] if phi.shape[0] > 1 else phi[0]
        divisors[query[winner[k]] - first_query] += own * abs(counted[k] if counted.shape[0] > 1 else counted[0])
        own *= omega[k] if omega.shape[0] > 1 else omega[0]
        if own == 0.0:
            continue
        i, j = winner[k] - low, loser[k] - low
        slope, curve = own * first[k], own * second[k]
        sums[i, 0] += slope
        sums[j, 0] -= slope
        sums[i, 1] += curve
        sums[j, 1] += curve


@exact_kernel
def add_won(winner, loss, weight, low, sums):
    """Add the losses and the weights of pairs to their winners."""
    for k in range(winner.shape[0]):
        sums[winner[k] - low, 0] += loss[k]
        sums[winner[k] - low, 1] += weight[k]


@exact_kernel
def list_losers(begin, first, before, run_end, winner, loser):
    """The ordered pairs from number ``begin`` on, of which winner ``first`` has number ``before[first]`` and more."""
    p = first
    for k in range(winner.shape[0]):
        while begin + k >= before[p + 1]:
            p += 1
        winner[k] = p
        loser[k] = run_end[p] + (begin + k - before[p])


@exact_kernel
def rank(ptr, scores, rows):
    """The rank of each position in its query, from 0: larger scores first, equal ones in the order of the rows."""
    n = scores.shape[0]
    result = np.empty(n, np.int64)
    for q in range(ptr.shape[0] - 1):
        a, b = ptr[q], ptr[q + 1]
        order = a + np.argsort(rows[a:b])
        key, spare_key, spare = scores[order], np.empty(b - a), np.empty(b - a, np.int64)
        sort(key, order, spare_key, spare)
        for k in range(b - a):
            result[order[k]] = k
    return result


@exact_helper
def _mixed(z):
    """The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): all bits of a number depend on all."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


# The increments of SplitMix64's counter, and of a second one.
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_SILVER = np.uint64(0xD1B54A32D192ED03)


@exact_kernel
def hash_of(scores, seed):
    """A number that depends on the seed and on every bit of the scores."""
    bits = scores.view(np.uint64)
    total = _mixed(seed + _SILVER)
    for p in range(bits.shape[0]):
        total += _mixed(bits[p] + np.uint64(p) * _GOLDEN)
    return _mixed(total)


@exact_kernel
def draw(number, winner, n, seed, rows, run_end, end, weight, total, loser):
    """Draw the losers of winners: draw ``number % n`` of each, see ``pair_by_pair._DrawnPairs``.

    ``total[p]`` is the weight of all positions before p, ``end`` where the winners' queries end.
    """
    for k in range(number.shape[0]):
        which = number[k] % n
        begin, stop = np.int64(run_end[winner[k]]), end[k]
        bits = _mixed(_mixed(seed + np.uint64(rows[winner[k]]) * _GOLDEN) + np.uint64(which) * _SILVER)
        uniform = np.float64(bits >> np.uint64(11)) * 2.0**-53
        base = total[begin]
        target = base + (total[stop] - base) * ((which + uniform) / n)
        # The last position with no more than the target before it, and, should rounding lead beyond, with a weight.
        low, high = begin, stop - 1
        while low < high:
            middle = (low + high + 1) // 2
            if total[middle] <= target:
                low = middle
            else:
                high = middle - 1
        while low > begin and weight[low] == 0.0:
            low -= 1
        loser[k] = low

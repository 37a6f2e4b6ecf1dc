"""Each query's rows sorted, largest key first, equal keys in row order; and how many pairs stood the other way.

A merge sort: its cost is O(n log n) for a query of any size, and every merge counts the pairs that it turns around.
"""

from __future__ import annotations

import numpy as np

from ._compile import helper, kernel

# Shorter stretches are sorted by insertion.
_WIDTH = 8

# Rows that a core's cache holds with their copies: stretches of so many are sorted one after the other, then merged.
_CHUNK = 8192

_ZERO, _ONE = np.uint64(0), np.uint64(1)


@helper
def _insert(key, row, begin, end):
    """Sort [begin, end) by insertion; returns the pairs that stood the other way."""
    turned = 0
    for p in range(begin + 1, end):
        x, x_row, q = key[p], row[p], p
        while q > begin and key[q - 1] < x:
            key[q], row[q] = key[q - 1], row[q - 1]
            q -= 1
        key[q], row[q] = x, x_row
        turned += p - q
    return turned


@helper
def _merge(key, row, begin, middle, end, to_key, to_row):
    """Merge the sorted [begin, middle) and [middle, end); returns the pairs that stood the other way.

    From both ends at once, two chains of steps that do not wait for each other, and without a branch on what is
    compared, which no processor could predict. As many steps as the shorter half has rows cannot run out of either.
    """
    # Unsigned, for Numba has a signed index looked at for being negative.
    left, right, to = np.uint64(begin), np.uint64(middle), np.uint64(begin)
    past_left, last_left, last_right, last = np.uint64(middle), np.uint64(middle) - _ONE, np.uint64(end) - _ONE, np.uint64(end) - _ONE
    turned = _ZERO
    for _ in range(min(middle - begin, end - middle)):
        is_right = np.uint64(key[right] > key[left])
        first = right if is_right else left
        to_key[to], to_row[to] = key[first], row[first]
        turned += is_right * (past_left - left)
        left += _ONE - is_right
        right += is_right
        to += _ONE

        is_left = np.uint64(key[last_right] > key[last_left])
        final = last_left if is_left else last_right
        to_key[last], to_row[last] = key[final], row[final]
        turned += (_ONE - is_left) * (past_left - _ONE - last_left)
        last_left -= is_left
        last_right -= _ONE - is_left
        last -= _ONE
    while to <= last:
        if left > last_left or (right <= last_right and key[right] > key[left]):
            to_key[to], to_row[to] = key[right], row[right]
            turned += past_left - left
            right += _ONE
        else:
            to_key[to], to_row[to] = key[left], row[left]
            left += _ONE
        to += _ONE
    return np.int64(turned)

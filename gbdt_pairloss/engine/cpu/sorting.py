"""Keys sorted, the largest first, equal keys in the order they have; and how many pairs stood the other way.

A merge sort: O(n log n) whatever the rows hold, stable, and each merge counts the pairs that it turns around.
"""

from __future__ import annotations

import numpy as np

from .compile import exact_helper

# Shorter stretches are sorted by insertion.
_WIDTH = 8

# Rows that stay in a core's cache with their copies: stretches of so many are sorted one by one, and then merged.
_CHUNK = 16384

_ONE = np.uint64(1)


@exact_helper
def _insert(key, row, begin, end):
    """Sort [begin, end) by insertion; returns the pairs that stood the other way."""
    turned = 0
    for p in range(begin + 1, end):
        x, x_row, to = key[p], row[p], p
        while to > begin and key[to - 1] < x:
            key[to], row[to] = key[to - 1], row[to - 1]
            to -= 1
        key[to], row[to] = x, x_row
        turned += p - to
    return turned


@exact_helper
def merge(key, row, begin, middle, end, to_key, to_row):
    """Merge the sorted [begin, middle) and [middle, end); returns the pairs that stood the other way.

    From both ends at once, two chains of steps that do not wait for each other, and without a branch on what is
    compared, which no processor could foresee.
    """
    # Unsigned, for a signed index is looked at for being negative.
    half = np.uint64(middle)
    left, past_left, right, past_right = np.uint64(begin), half, half, np.uint64(end)
    to, past_to = left, past_right
    turned = np.uint64(0)
    for _ in range(min(middle - begin, end - middle)):  # so many steps exhaust neither half
        is_right = np.uint64(key[right] > key[left])
        first = right if is_right else left
        to_key[to], to_row[to] = key[first], row[first]
        turned += is_right * (half - left)
        left += _ONE - is_right
        right += is_right
        to += _ONE

        is_left = np.uint64(key[past_right - _ONE] > key[past_left - _ONE])
        last = (past_left if is_left else past_right) - _ONE
        past_to -= _ONE
        to_key[past_to], to_row[past_to] = key[last], row[last]
        turned += (_ONE - is_left) * (half - past_left)
        past_left -= is_left
        past_right -= _ONE - is_left
    while to < past_to:
        if left == past_left or (right < past_right and key[right] > key[left]):
            to_key[to], to_row[to] = key[right], row[right]
            turned += half - left
            right += _ONE
        else:
            to_key[to], to_row[to] = key[left], row[left]
            left += _ONE
        to += _ONE
    return np.int64(turned)


@exact_helper
def _merge_all(key, row, begin, end, width, spare_key, spare_row):
    """Merge the sorted stretches of ``width`` rows that [begin, end) consists of, two by two until there is one."""
    turned = 0
    from_key, from_row, to_key, to_row = key, row, spare_key, spare_row
    in_spare = False
    while width < end - begin:
        for left in range(begin, end, 2 * width):
            right = min(left + width, end)
            turned += merge(from_key, from_row, left, right, min(right + width, end), to_key, to_row)
        from_key, from_row, to_key, to_row = to_key, to_row, from_key, from_row
        in_spare = not in_spare
        width *= 2
    if in_spare:
        for p in range(begin, end):
            key[p], row[p] = spare_key[p], spare_row[p]
    return turned


@exact_helper
def sort(key, row, spare_key, spare_row):
    """Sort ``key`` in place, largest first, equal keys in the order they have, and move ``row`` with it.

    The spare arrays have at least as many entries. Returns the pairs that stood the other way, the smaller key first.
    """
    n, turned = key.shape[0], 0
    for begin in range(0, n, _CHUNK):
        end = min(begin + _CHUNK, n)
        for p in range(begin, end, _WIDTH):
            turned += _insert(key, row, p, min(p + _WIDTH, end))
        turned += _merge_all(key, row, begin, end, _WIDTH, spare_key, spare_row)
    return turned + _merge_all(key, row, 0, n, _CHUNK, spare_key, spare_row)

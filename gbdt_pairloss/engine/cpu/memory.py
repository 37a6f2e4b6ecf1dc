"""Memory that goes from one call to the next, as the boosters keep theirs from round to round."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Blocks of one size that are kept: what one call works in, and its results.
_MOST = 8


class Memory:
    """Arrays whose memory is used again once nobody refers to them any more, nor to a view of them.

    Pages that are touched for the first time cost more than the sums on them.
    """

    def __init__(self) -> None:
        self._free: dict[int, list[NDArray[np.uint8]]] = {}

    def array(self, size: int, dtype: Any) -> NDArray[Any]:
        """An array of any contents."""
        n_bytes = _rounded(size * np.dtype(dtype).itemsize)
        free = self._free.setdefault(n_bytes, [])
        try:
            block = free.pop()
        except IndexError:
            block = np.empty(n_bytes, np.uint8)
        # numpy shortens chains of views to the last array: over a memoryview that is this one, so that it lives as
        # long as any view.
        array = np.frombuffer(block.data, dtype, count=size)
        weakref.finalize(array, _give_back, free, block).atexit = False
        return array


def _rounded(n_bytes: int) -> int:
    """Up to the next eighth of a power of two: queries of about one size share blocks."""
    step = 1 << max(6, n_bytes.bit_length() - 4)
    return max(1, -(-n_bytes // step)) * step


def _give_back(free: list[NDArray[np.uint8]], block: NDArray[np.uint8]) -> None:
    if len(free) < _MOST:
        free.append(block)

"""A pool of buffers: the next call uses the memory of the last one again."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The largest number of free buffers of one size. It suffices for the temporary arrays of one call and its results.
_MOST_FREE = 8


class Memory:
    """A pool of buffers for arrays. A buffer is used again once its array and all views of it are collected.

    The pool saves page faults: the first access to a page costs more than the sums on it.
    """

    def __init__(self) -> None:
        self._free: dict[int, list[NDArray[np.uint8]]] = {}

    def array(self, size: int, dtype: Any) -> NDArray[Any]:
        """Return an uninitialised array."""
        n_bytes = _rounded(size * np.dtype(dtype).itemsize)
        free = self._free.setdefault(n_bytes, [])
        try:
            buffer = free.pop()
        except IndexError:
            buffer = np.empty(n_bytes, np.uint8)
        # NumPy replaces a chain of views by a reference to the last array of the chain. Over a memoryview, this array
        # is the last one, so that it lives as long as any view of it.
        array = np.frombuffer(buffer.data, dtype, count=size)
        weakref.finalize(array, _give_back, free, buffer).atexit = False
        return array


def _rounded(n_bytes: int) -> int:
    """Round up to the next eighth of a power of two, so that queries of similar size share buffers."""
    step = 1 << max(6, n_bytes.bit_length() - 4)
    return max(1, -(-n_bytes // step)) * step


def _give_back(free: list[NDArray[np.uint8]], buffer: NDArray[np.uint8]) -> None:
    """Add a buffer to the free ones, unless there are enough."""
    if len(free) < _MOST_FREE:
        free.append(buffer)

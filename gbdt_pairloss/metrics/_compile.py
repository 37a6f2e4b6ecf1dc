"""How the metrics' loops are compiled: as the engine's kernels, but with the arithmetic as it is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

_njit: Any = numba.njit

# No fast mathematics: two sums of the same terms must come to the same number for a right order to score exactly 1,
# and NaN says that a metric is undefined.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True}

#: A function that only other kernels call; it is compiled into them.
helper: Callable[[Callable[..., Any]], Any] = _njit(**_OPTIONS)


def kernel(function: Callable[..., Any]) -> Any:
    """A function that Python calls, kept on disk where Numba finds a folder that it can write."""
    try:
        return _njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # what Numba raises when it finds none
        return _njit(**_OPTIONS)(function)

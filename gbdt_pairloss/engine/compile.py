"""How kernels are compiled: lazily, once per machine, and so that they run outside the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

_njit: Any = numba.njit

# Sums may be reordered and multiplications fused, which is what vectorised loops need. Not "nnan" and "ninf": a
# kernel may meet an infinite exponent. error_model="numpy": no branch for a division by zero in the inner loops.
_OPTIONS: dict[str, Any] = {
    "fastmath": {"reassoc", "contract", "arcp", "nsz", "nnan"},
    "error_model": "numpy",
    "nogil": True,
}

#: A function that only other kernels call; it is compiled into them.
helper: Callable[[Callable[..., Any]], Any] = _njit(**_OPTIONS)

#: As ``helper``, without reference counts: counting costs more than a small query. It may neither make an array nor
#: return one (unless to another leaf): who counts would free it.
leaf: Callable[[Callable[..., Any]], Any] = _njit(_nrt=False, **_OPTIONS)


def kernel(function: Callable[..., Any]) -> Any:
    """A function that Python calls, kept on disk.

    Numba writes beside the source or, where that is read-only, to the user's cache folder (``NUMBA_CACHE_DIR`` names
    another); where no folder can be written it compiles anew in every process.
    """
    try:
        return _njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # what Numba raises when it finds no folder for its cache
        return _njit(**_OPTIONS)(function)

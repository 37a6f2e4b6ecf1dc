"""How kernels are compiled: lazily, once per machine, and so that they run outside the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba

_Function = Callable[..., Any]
_njit: Any = numba.njit

_OPTIONS: dict[str, Any] = {"error_model": "numpy", "nogil": True, "no_cfunc_wrapper": True}

# Of a function that Python never calls: its wrapper would take a quarter of the compilation.
_INNER: dict[str, Any] = {**_OPTIONS, "no_cpython_wrapper": True}

# Sums may be reordered and multiplications fused, which is what vectorised loops need. Not "ninf": a score of -inf
# pads the ranking's columns.
_FAST = {"reassoc", "contract", "arcp", "nsz", "nnan"}


# Of all that kernels are made of.
_DIGEST = sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()


def _on_disk(**options: Any) -> Callable[[_Function], Any]:
    def decorate(function: _Function) -> Any:
        try:
            dispatcher = _njit(cache=True, **options)(function)
        except RuntimeError:  # what Numba raises when it finds no folder for its cache
            return _njit(**options)(function)
        # Numba takes a kernel from the cache if the file that it stands in is as old as it was; what it calls stands in
        # other files, and not every installer dates files anew.
        cache_file: Any = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
        if hasattr(cache_file, "_source_stamp"):
            cache_file._source_stamp = (cache_file._source_stamp, _DIGEST)
        return dispatcher

    return decorate


#: A function that only other kernels call; it is compiled into them.
helper: Callable[[_Function], Any] = _njit(fastmath=_FAST, **_INNER)

#: As ``helper``, without reference counts: counting costs more than a small query. It may neither make an array nor
#: return one (unless to another leaf): who counts would free it.
leaf: Callable[[_Function], Any] = _njit(fastmath=_FAST, _nrt=False, **_INNER)

#: A function that Python calls, kept on disk. Numba writes beside the source or, where that is read-only, to the user's
#: cache folder (``NUMBA_CACHE_DIR`` names another); where no folder can be written it compiles anew in every process.
kernel: Callable[[_Function], Any] = _on_disk(fastmath=_FAST, **_OPTIONS)

#: The same with the arithmetic as it is written: two sums of the same terms come to the same number, and NaN is NaN.
exact_helper: Callable[[_Function], Any] = _njit(**_INNER)
exact_kernel: Callable[[_Function], Any] = _on_disk(**_OPTIONS)

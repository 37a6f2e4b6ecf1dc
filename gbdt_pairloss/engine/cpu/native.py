"""Load the compiled core: the extension module for the processor's level of the instruction set.

An installation has one module per level (x86-64-v2, v3 and v4 on x86-64, "generic" on other processors), and the module
``_cpu``, which tells the level of the processor. An installation that found no C++ compiler has neither.
"""

from __future__ import annotations

import os
import warnings
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

#: The levels that modules are compiled for, the highest first.
LEVELS = ("v4", "v3", "v2", "generic")

#: The environment variable that chooses a level.
VARIABLE = "GBDT_PAIRLOSS_ISA"

_REINSTALL = "pip install --force-reinstall --no-deps --no-cache-dir --no-binary gbdt_pairloss gbdt_pairloss"


@cache
def native() -> Any:
    """Return the compiled core for this processor, or None if it is not installed.

    Raises
    ------
    ValueError
        If GBDT_PAIRLOSS_ISA is not a level that can be loaded here.
    ImportError
        If the compiled core is installed, but cannot be loaded.

    Warns
    -----
    RuntimeWarning
        If the compiled core is not installed, or not for this processor. Results are cached: the warning comes once.
    """
    available = levels()
    wanted = os.environ.get(VARIABLE)
    if wanted:
        if wanted not in available:
            raise ValueError(f"{VARIABLE}={wanted}: {_complaint(wanted, available)}")
        return _load(f"_native_{wanted}")
    if available:
        return _load(f"_native_{available[0]}")
    if not _is_installed("_cpu"):
        reason = "is not installed: usually because no C++ compiler was found when the package was installed"
        remedy = f"Install a C++ compiler (g++ or clang), and then: {_REINSTALL}"
    else:
        reason = f"does not support this processor: x86-64-{_load('_cpu').level()}"
        remedy = "It needs SSE4.2 (x86-64-v2)."
    warnings.warn(
        f"the compiled core of gbdt_pairloss {reason}. Sums over pairs run in NumPy, pair by pair, which is much "
        f"slower for large queries. {remedy}",
        RuntimeWarning,
        stacklevel=2,
    )
    return None


def levels() -> tuple[str, ...]:
    """Return the levels that are installed and that the processor supports, the highest first."""
    if not _is_installed("_cpu"):
        return ()
    highest = _load("_cpu").level()
    supported = LEVELS[LEVELS.index(highest) :] if highest in LEVELS else ()
    return tuple(level for level in supported if _is_installed(f"_native_{level}"))


def _complaint(level: str, available: tuple[str, ...]) -> str:
    """Say why a level cannot be loaded, and which can."""
    if level not in LEVELS:
        reason = "not a level of the instruction set"
    elif _is_installed(f"_native_{level}"):
        reason = f"this processor supports only {_load('_cpu').level()}"
    else:
        reason = "the compiled core is not installed for this level"
    return f"{reason}; valid here: {', '.join(available) or 'none'}"


def _is_installed(name: str) -> bool:
    return find_spec(f"{__package__}.{name}") is not None


def _load(name: str) -> ModuleType:
    """Import an extension module that is installed."""
    full_name = f"{__package__}.{name}"
    try:
        return import_module(full_name)
    except ImportError as error:
        spec = find_spec(full_name)
        file = spec.origin if spec is not None else name
        raise ImportError(
            f"cannot load {file}, a part of the compiled core of gbdt_pairloss ({error}). It may have been built for "
            f"another processor, system or C++ library. To build it here: {_REINSTALL}",
            name=full_name,
            path=file,
        ) from error

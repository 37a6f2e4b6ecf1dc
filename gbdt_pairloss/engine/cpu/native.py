"""The extension module of the CPU engines: the one that was compiled for this processor's level of instructions."""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType

_LEVELS = ("v4", "v3", "v2", "generic")


@cache
def native() -> ModuleType:
    for level in _LEVELS:
        try:
            return importlib.import_module(f"._native_{level}", __package__)
        except ImportError:
            continue
    raise ImportError("no extension module")

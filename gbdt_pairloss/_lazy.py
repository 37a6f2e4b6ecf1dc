"""Public names that are imported on first use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(package: str, home: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a package's ``__getattr__`` that imports public names from their modules on first use.

    Parameters
    ----------
    package : str
        The package's ``__name__``.
    home : mapping
        The module of each name, relative to the package. For a module, it is the name itself.

    Returns
    -------
    callable
        ``(name) -> value``; it raises an AttributeError for other names.
    """

    def find(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(f".{home[name]}", package)
        value = module if name == home[name] else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    return find

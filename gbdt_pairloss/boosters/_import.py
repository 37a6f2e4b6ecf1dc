"""Import a booster's package."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def import_booster(package: str) -> Any:
    """Import a booster's package; if it is not installed, the ImportError names the extra that installs it."""
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise ImportError(f"{package} is not installed: pip install 'gbdt_pairloss[{package}]'", name=package) from None

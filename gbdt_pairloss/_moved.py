"""Names of modules that earlier versions had: pickles of theirs load, whatever has been moved since."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_PACKAGE = __package__ or "gbdt_pairloss"

#: Where the classes of a module of version 0.1.0 are now.
MOVED = {
    "attachments": "ranking._attach",
    "boosters.lightgbm_ranker": "boosters.lightgbm.ranker",
    "boosters.xgboost_ranker": "boosters.xgboost.ranker",
    "bpr": "objectives",
    "dask.lightgbm": "dask._lightgbm",
    "dask.xgboost": "dask._xgboost",
    "display": "model_selection",
    "pairs": "ranking._pairs",
    "scoring": "model_selection",
}


class _MovedModule(ModuleType):
    """Stands in for a module that has moved, and imports it when a name is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what inspection asks of every module
            raise AttributeError(name)
        old = self.__name__.removeprefix(f"{_PACKAGE}.")
        return getattr(import_module(f"{_PACKAGE}.{MOVED[old]}"), name)


def install() -> None:
    """Let the old names of modules be imported."""
    for old in MOVED:
        name = f"{_PACKAGE}.{old}"
        sys.modules.setdefault(name, _MovedModule(name))

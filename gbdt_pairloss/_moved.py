"""Module names of earlier versions, kept importable so that pickles of those versions can be loaded."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_PACKAGE = __package__ or "gbdt_pairloss"

#: Current module of the classes of each module of version 0.1.0.
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
    """A module that has moved: it imports the current module when an attribute is accessed."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # inspection reads such attributes of every module
            raise AttributeError(name)
        old = self.__name__.removeprefix(f"{_PACKAGE}.")
        return getattr(import_module(f"{_PACKAGE}.{MOVED[old]}"), name)


def install() -> None:
    """Make the old module names importable."""
    for old in MOVED:
        name = f"{_PACKAGE}.{old}"
        sys.modules.setdefault(name, _MovedModule(name))

"""Module names of earlier versions, kept importable so that pickles of those versions can be loaded."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_PACKAGE = __package__ or "gbdt_pairloss"

#: For each old module name: the module that has replaced it, and the names (public ones, classes of pickled objects)
#: that can still be imported from the old one.
MOVED = {
    "attachments": ("ranking._attach", ("Attachment", "attach")),
    "boosters.lightgbm_ranker": ("boosters.lightgbm.ranker", ("LGBMRanker",)),
    "boosters.xgboost_batches": ("boosters.xgboost.batches", ("whole_queries",)),
    "boosters.xgboost_ranker": ("boosters.xgboost.ranker", ("XGBRanker",)),
    "bpr": ("objectives", ("BPR",)),
    "cross_validation": ("model_selection", ("cv",)),
    "dask.lightgbm": ("dask._lightgbm", ("DaskLGBMRanker",)),
    "dask.xgboost": ("dask._xgboost", ("DaskXGBRanker",)),
    "display": ("model_selection", ("RankingDisplay",)),
    "objective_base": ("objectives", ("PairwiseObjective",)),
    "pairs": ("ranking._pairs", ("Pairs",)),
    "registry": ("objectives", ("get_objective",)),
    "scoring": ("model_selection", ("RankingScorer", "make_ranking_scorer")),
    "weights": ("ranking._weights", ("popularity_weights", "propensity_weights")),
}


def install() -> None:
    """Make the old module names importable."""
    for old, (new, names) in MOVED.items():
        name = f"{_PACKAGE}.{old}"
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        module.__getattr__ = _lookup(name, new, names)  # type: ignore[method-assign]
        sys.modules.setdefault(name, module)


def _lookup(old: str, new: str, names: tuple[str, ...]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of an old module.

    It imports the new module for the names that have moved only: ``pickle`` and others ask every module for the names
    of objects that have nothing to do with this package.
    """

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {old!r} has no attribute {name!r}")
        return getattr(import_module(f"{_PACKAGE}.{new}"), name)

    return find

"""The boosters: how each one's dataset is read, and the rankers.

A booster is a module here, named like the booster's own package, with

- ``read_dataset(dataset) -> RankingData``: labels, groups and weights that a dataset holds, attachments included;
- ``metric_result(name, value, maximize)``: a metric's value in the form that the booster takes;
- ``check_trainable(dataset)``: raises where training with a custom objective would silently fail;
- ``MIN_CHILD_HESSIAN``: the booster's default for the smallest sum of Hessians in a leaf;
- its ranker.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

BOOSTERS = ("lightgbm", "xgboost")


def adapter_of(dataset: Any) -> Any:
    """The module here for the booster that a dataset comes from, by its class; None if it is no booster's."""
    for cls in type(dataset).__mro__:
        package = cls.__module__.partition(".")[0]
        if package in BOOSTERS:
            return import_module(f"{__name__}.{package}")
    return None


def import_booster(package: str) -> Any:
    """Import a booster's package; an ImportError names the extra that installs it."""
    try:
        return import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise ImportError(f"{package} is not installed: pip install 'gbdt_pairloss[{package}]'", name=package) from None

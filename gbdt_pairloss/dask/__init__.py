"""The rankers on Dask clusters: every query is brought to one worker, and each worker trains on whole queries.

Rows are shuffled once, by query. Then each worker that got some runs the ordinary ranker on them, inside the booster's
own network: LightGBM's data-parallel learner, XGBoost's collective. Evaluation sets go whole to every worker, so that
all of them see the same metrics and stop in the same round.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["DaskLGBMRanker", "DaskXGBRanker"]

if TYPE_CHECKING:
    from .lightgbm import DaskLGBMRanker
    from .xgboost import DaskXGBRanker

_HOME = {"DaskLGBMRanker": "lightgbm", "DaskXGBRanker": "xgboost"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

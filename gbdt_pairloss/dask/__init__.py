"""Rankers on Dask clusters, in which every worker trains on whole queries.

- ``DaskLGBMRanker``: LightGBM's ranker on a Dask cluster.
- ``DaskXGBRanker``: XGBoost's ranker on a Dask cluster.

``fit`` shuffles the rows once, so that all rows of a query are on one worker. Then each worker that holds rows runs the
local ranker on them, inside the booster's network: LightGBM's data-parallel learner, or XGBoost's collective. Every
worker gets all evaluation sets, so that all workers see the same metrics and stop in the same round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazily

__all__ = ["DaskLGBMRanker", "DaskXGBRanker"]

if TYPE_CHECKING:
    from ._lightgbm import DaskLGBMRanker
    from ._xgboost import DaskXGBRanker

# Imported on first use: one booster is enough for its ranker.
_HOME = {"DaskLGBMRanker": "_lightgbm", "DaskXGBRanker": "_xgboost"}


__getattr__ = lazily(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted(__all__)

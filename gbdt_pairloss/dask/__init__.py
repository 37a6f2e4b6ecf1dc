"""The rankers on Dask clusters: every query is brought to one worker, and each worker trains on whole queries.

Rows are shuffled once, by query. Then each worker that got some runs the ordinary ranker on them, inside the booster's
own network: LightGBM's data-parallel learner, XGBoost's collective. Evaluation sets go whole to every worker, so that
all of them see the same metrics and stop in the same round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import lazily

__all__ = ["DaskLGBMRanker", "DaskXGBRanker"]

if TYPE_CHECKING:
    from ._lightgbm import DaskLGBMRanker
    from ._xgboost import DaskXGBRanker

_HOME = {"DaskLGBMRanker": "lightgbm", "DaskXGBRanker": "xgboost"}


__getattr__ = lazily(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted(__all__)

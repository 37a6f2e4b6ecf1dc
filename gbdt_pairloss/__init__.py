"""Exact pairwise ranking objectives for LightGBM and XGBoost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _moved, boosters  # noqa: F401  # the boosters register their datasets' readers
from ._lazy import lazily

__version__ = "0.1.0"

__all__ = [
    "BPR",
    "LGBMRanker",
    "PairwiseCustom",
    "PairwiseExponential",
    "PairwiseHinge",
    "PairwiseLogistic",
    "PairwiseSoftZeroOne",
    "PairwiseSquared",
    "RankingDisplay",
    "XGBRanker",
    "attach",
    "cv",
    "datasets",
    "get_objective",
    "make_ranking_scorer",
    "metrics",
    "popularity_weights",
    "propensity_weights",
    "whole_queries",
]

if TYPE_CHECKING:
    from . import datasets, metrics
    from .boosters.lightgbm.ranker import LGBMRanker
    from .boosters.xgboost.batches import whole_queries
    from .boosters.xgboost.ranker import XGBRanker
    from .model_selection import RankingDisplay, cv, make_ranking_scorer
    from .objectives import (
        BPR,
        PairwiseCustom,
        PairwiseExponential,
        PairwiseHinge,
        PairwiseLogistic,
        PairwiseSoftZeroOne,
        PairwiseSquared,
        get_objective,
    )
    from .ranking._attach import attach
    from .ranking._weights import popularity_weights, propensity_weights

# Resolved on first use: importing the package imports no booster.
_HOME = {
    "BPR": "objectives",
    "PairwiseCustom": "objectives",
    "PairwiseExponential": "objectives",
    "PairwiseHinge": "objectives",
    "PairwiseLogistic": "objectives",
    "PairwiseSoftZeroOne": "objectives",
    "PairwiseSquared": "objectives",
    "get_objective": "objectives",
    "RankingDisplay": "model_selection",
    "cv": "model_selection",
    "make_ranking_scorer": "model_selection",
    "attach": "ranking._attach",
    "popularity_weights": "ranking._weights",
    "propensity_weights": "ranking._weights",
    "LGBMRanker": "boosters.lightgbm.ranker",
    "XGBRanker": "boosters.xgboost.ranker",
    "whole_queries": "boosters.xgboost.batches",
    "metrics": "metrics",
    "datasets": "datasets",
}


__getattr__ = lazily(__name__, _HOME)
_moved.install()


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])

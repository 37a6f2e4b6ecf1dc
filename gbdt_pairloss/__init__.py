"""Exact pairwise ranking objectives for LightGBM and XGBoost."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    from .attachments import attach
    from .boosters.lightgbm_ranker import LGBMRanker
    from .boosters.xgboost_batches import whole_queries
    from .boosters.xgboost_ranker import XGBRanker
    from .cross_validation import cv
    from .display import RankingDisplay
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
    from .scoring import make_ranking_scorer
    from .weights import popularity_weights, propensity_weights

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
    "RankingDisplay": "display",
    "make_ranking_scorer": "scoring",
    "popularity_weights": "weights",
    "propensity_weights": "weights",
    "attach": "attachments",
    "cv": "cross_validation",
    "LGBMRanker": "boosters.lightgbm_ranker",
    "XGBRanker": "boosters.xgboost_ranker",
    "whole_queries": "boosters.xgboost_batches",
    "metrics": "metrics",
    "datasets": "datasets",
}


__getattr__ = lazily(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])

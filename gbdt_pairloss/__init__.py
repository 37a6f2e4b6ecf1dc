"""Exact pairwise ranking objectives for LightGBM and XGBoost.

Every pair of every query, without truncation or sampling, at a cost per row that does not grow with the query.

Objectives, for ``lgb.train``, ``xgb.train``, the rankers, and arrays:

PairwiseLogistic         pairwise logistic loss (RankNet; LambdaMART with pair_weight="ndcg")
BPR                      Bayesian personalised ranking: positives against negatives, all or drawn
PairwiseHinge            pairwise hinge loss (RankSVM)
PairwiseSquared          pairwise squared loss with a margin
PairwiseExponential      pairwise exponential loss (RankBoost)
PairwiseSoftZeroOne      pairwise soft zero-one loss, for labels that may be wrong
PairwiseCustom           a user-defined pairwise loss
PairwiseMeanSquaredError
                         differences of scores against differences of labels: a regression within the queries
WeightedSum              a sum of objectives, of one label or of several: ``0.7 * PairwiseLogistic() + 0.3 * BPR()``
get_objective            an objective by name

Rankers with scikit-learn's interface, cross-validation, a scorer and a plot:

LGBMRanker               LightGBM's ranker with these objectives and metrics
XGBRanker                XGBoost's ranker with these objectives and metrics
train                    a booster's training, with objectives and metrics by name
cv                       a booster's cross-validation, on folds of whole queries
make_ranking_scorer      a scorer for scikit-learn's searches and cross-validation
RankingDisplay           a plot of a metric at each rank, or of its distribution over the queries

Data:

attach                   item weights, masks, item ids and explicit pairs beside a booster's dataset
popularity_weights       weights of negatives, by how often their items occur
propensity_weights       weights of clicks, by the chance that their positions are examined
whole_queries            an XGBoost data iterator that does not cut a query in two
datasets                 readers of LETOR files, a retrieval task, synthetic rankings
metrics                  NDCG, average precision, reciprocal rank and others, exact under ties

``gbdt_pairloss.dask`` has rankers for Dask clusters; ``python -m gbdt_pairloss`` compares objectives on one data set.
"""

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
    "PairwiseMeanSquaredError",
    "PairwiseSoftZeroOne",
    "PairwiseSquared",
    "RankingDisplay",
    "WeightedSum",
    "XGBRanker",
    "attach",
    "cv",
    "datasets",
    "get_objective",
    "make_ranking_scorer",
    "metrics",
    "popularity_weights",
    "propensity_weights",
    "train",
    "whole_queries",
]

if TYPE_CHECKING:
    from . import datasets, metrics
    from .boosters.lightgbm.ranker import LGBMRanker
    from .boosters.xgboost.batches import whole_queries
    from .boosters.xgboost.ranker import XGBRanker
    from .model_selection import RankingDisplay, cv, make_ranking_scorer, train
    from .objectives import (
        BPR,
        PairwiseCustom,
        PairwiseExponential,
        PairwiseHinge,
        PairwiseLogistic,
        PairwiseMeanSquaredError,
        PairwiseSoftZeroOne,
        PairwiseSquared,
        WeightedSum,
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
    "PairwiseMeanSquaredError": "objectives",
    "PairwiseSoftZeroOne": "objectives",
    "PairwiseSquared": "objectives",
    "WeightedSum": "objectives",
    "get_objective": "objectives",
    "RankingDisplay": "model_selection",
    "cv": "model_selection",
    "make_ranking_scorer": "model_selection",
    "train": "model_selection",
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

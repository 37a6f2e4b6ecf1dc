"""Rankers of both boosters for the tests: small, deterministic, single-threaded."""

from __future__ import annotations

import pytest

pytest.importorskip("lightgbm", minversion="4.0")
pytest.importorskip("xgboost")

from gbdt_pairloss import LGBMRanker, XGBRanker

BOTH = pytest.mark.parametrize("Ranker", [LGBMRanker, XGBRanker])


def make_ranker(Ranker, **params):
    if Ranker is LGBMRanker:
        return LGBMRanker(
            **{"n_estimators": 12, "min_child_samples": 5, "n_jobs": 1, "random_state": 0, "verbose": -1, **params}
        )
    return XGBRanker(**{"n_estimators": 12, "n_jobs": 1, "max_depth": 4, "random_state": 0, **params})


def history_of(ranker, number=0):
    """Return the evaluation results of one set; LightGBM calls the training set "training"."""
    return list(ranker.evals_result_.values())[number]


def stopping(Ranker, **params):
    """Return a ranker that stops early, well before its 200 rounds."""
    return make_ranker(Ranker, n_estimators=200, learning_rate=0.5, early_stopping_rounds=5, **params)

"""Rank noise in trainings: seeded by the ranker, and not in the metric."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest

from gbdt_pairloss import LGBMRanker, PairwiseLogistic, XGBRanker


def test_the_metric_ranks_without_noise(make) -> None:
    problem = make(6, mean_size=20)
    dataset = lgb.Dataset(problem.X, problem.y, group=problem.sizes, free_raw_data=False).construct()
    noisy, plain = (PairwiseLogistic(pair_weight="ndcg", rank_noise=a) for a in (2.0, 0.0))
    assert noisy.metric(problem.scores, dataset) == plain.metric(problem.scores, dataset)


@pytest.mark.parametrize("ranker", [LGBMRanker, XGBRanker])
def test_rankers_seed_the_noise(ranker, make) -> None:
    problem = make(20, mean_size=15)
    objective = PairwiseLogistic(pair_weight="ndcg", rank_noise=1.0)

    def predictions(seed, **params):
        own = objective.set_params(**params)
        quiet = {"verbose": -1} if ranker is LGBMRanker else {}
        fitted = ranker(objective=own, n_estimators=5, random_state=seed, n_jobs=1, **quiet)
        return fitted.fit(problem.X, problem.y, group=problem.sizes).predict(problem.X)

    np.testing.assert_array_equal(predictions(1), predictions(1))
    assert not np.array_equal(predictions(1), predictions(2))
    np.testing.assert_array_equal(predictions(1, random_state=5), predictions(2, random_state=5))

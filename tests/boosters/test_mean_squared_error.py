"""Trainings with the pairwise mean squared error."""

from __future__ import annotations

import numpy as np
import pytest

from gbdt_pairloss import LGBMRanker, XGBRanker


@pytest.mark.parametrize("ranker", [LGBMRanker, XGBRanker])
def test_scores_get_the_scale_of_the_labels(ranker, make) -> None:
    problem = make(60, mean_size=20)
    labels = 100 * problem.y
    quiet = {"verbose": -1} if ranker is LGBMRanker else {}
    own = ranker(objective="pairwise_mean_squared_error", n_estimators=50, n_jobs=1, **quiet)
    scores = own.fit(problem.X, labels, group=problem.sizes).predict(problem.X)
    codes = np.repeat(np.arange(len(problem.sizes)), problem.sizes)

    def centred(values):
        return values - (np.bincount(codes, values) / problem.sizes)[codes]

    slope = (centred(scores) * centred(labels)).sum() / (centred(labels) ** 2).sum()
    assert 0.5 < slope < 1.1
    assert own.score(problem.X, problem.y, group=problem.sizes) > 0.8


def test_nothing_to_learn_is_said() -> None:
    ranker = LGBMRanker(objective="pairwise_mean_squared_error", n_estimators=1, verbose=-1)
    with pytest.warns(UserWarning, match="no query has two rows that take part"):
        ranker.fit(np.arange(90.0)[:, None], np.zeros(90), group=np.ones(90, dtype=int))

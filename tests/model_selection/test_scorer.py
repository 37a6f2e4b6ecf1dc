"""``make_ranking_scorer``: ranking metrics as scorers of scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from _support.rankers import BOTH
from _support.tables import ranker_in_pipeline
from sklearn.linear_model import Ridge

from gbdt_pairloss import make_ranking_scorer, metrics


def test_a_scorer_takes_any_estimator_and_needs_queries(problem) -> None:
    scorer = make_ranking_scorer("spearman")
    model = Ridge().fit(problem.X, problem.y)
    score = scorer(model, problem.X, problem.y, qid=problem.qid)
    assert score == metrics.spearman(problem.y, model.predict(problem.X), qid=problem.qid)
    with pytest.raises(ValueError, match="spearman ranks within queries: the scorer needs qid="):
        scorer(model, problem.X, problem.y)
    assert repr(make_ranking_scorer(metrics.get_metric("ndcg@5"))).startswith("RankingScorer(")
    with pytest.raises(TypeError, match="ndcg@5 is complete"):
        make_ranking_scorer(metrics.get_metric("ndcg@5"), gain="linear")


@BOTH
def test_a_scorer_follows_the_rule_of_the_ranker_for_negative_labels(Ranker, problem) -> None:
    y = np.where(np.arange(problem.y.size) % 7 == 0, -1, problem.y)
    ranker = ranker_in_pipeline(Ranker, objective__ignore_negative_labels=True)
    ranker.fit(problem.X, y, ranker__qid=problem.qid)
    keep = y >= 0
    scores = ranker.predict(problem.X)
    expected = metrics.ndcg(y[keep], scores[keep], qid=problem.qid[keep], k=5)
    assert make_ranking_scorer("ndcg@5")(ranker, problem.X, y, qid=problem.qid) == pytest.approx(expected)

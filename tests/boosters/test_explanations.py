"""Importances, curves and explanations of the rankers, by the boosters' own tools and by SHAP."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _support.rankers import BOTH, history_of, make_ranker

from gbdt_pairloss import LGBMRanker


@BOTH
def test_the_boosters_plot_importances_and_metrics_of_a_ranker(Ranker, problem) -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    ranker = make_ranker(Ranker, objective="pairwise_logistic").fit(
        problem.X,
        problem.y,
        qid=problem.qid,
        eval_set=[(problem.X, problem.y)],
        eval_qid=[problem.qid],
        eval_metric=["ndcg@5", "pairwise_logistic"],
    )
    assert np.argmax(ranker.feature_importances_) == 0
    package = lgb if Ranker is LGBMRanker else xgb
    axes = package.plot_importance(ranker)
    assert len(axes.patches) == np.count_nonzero(ranker.feature_importances_)
    if Ranker is LGBMRanker:
        axes = lgb.plot_metric(ranker, metric="ndcg@5")
        np.testing.assert_allclose(axes.lines[0].get_ydata(), history_of(ranker)["ndcg@5"])
    plt.close("all")
    assert list(history_of(ranker)) == ["ndcg@5", "pairwise_logistic"]
    assert len(history_of(ranker)["ndcg@5"]) == 12


@BOTH
def test_contributions_of_features_sum_to_the_prediction(Ranker, problem) -> None:
    ranker = make_ranker(Ranker).fit(problem.X, problem.y, qid=problem.qid)
    if Ranker is LGBMRanker:
        parts = ranker.predict(problem.X, pred_contrib=True)
    else:
        parts = ranker.get_booster().predict(xgb.DMatrix(problem.X, nthread=1), pred_contribs=True)
    np.testing.assert_allclose(parts.sum(axis=1), ranker.predict(problem.X), rtol=1e-4, atol=1e-4)


@BOTH
def test_shap_values_sum_to_the_prediction(Ranker, problem) -> None:
    shap = pytest.importorskip("shap")
    ranker = make_ranker(Ranker).fit(problem.X, problem.y, qid=problem.qid)
    explanation = shap.TreeExplainer(ranker)(problem.X)
    total = explanation.values.sum(axis=1) + explanation.base_values
    np.testing.assert_allclose(total, ranker.predict(problem.X), rtol=1e-4, atol=1e-4)
    assert np.argmax(np.abs(explanation.values).mean(axis=0)) == 0

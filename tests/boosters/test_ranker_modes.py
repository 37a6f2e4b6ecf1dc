"""The rankers in the modes of their boosters: DART, GOSS, constraints, continued training."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest
from _support.boosters import LIGHTGBM, XGBOOST
from _support.rankers import BOTH, history_of, make_ranker

from gbdt_pairloss import LGBMRanker, PairwiseLogistic, XGBRanker, metrics

LGBM_MODES = {
    "dart": {"boosting_type": "dart", "drop_rate": 0.3},
    "goss": {"data_sample_strategy": "goss", "learning_rate": 0.5},
    "goss, by the parameter of LightGBM 3": {"boosting_type": "goss", "learning_rate": 0.5},
    "quantised gradients": {"use_quantized_grad": True},
    "linear trees": {"linear_tree": True},
    "bagging": {"bagging_fraction": 0.7, "bagging_freq": 1},
    "extra trees": {"extra_trees": True},
    "monotone constraints": {"monotone_constraints": [1, -1, 0, 0, 0, 0]},
}


XGB_MODES = {
    # XGBoost 3.4 drops trees in its ordinary booster.
    "dart": {"rate_drop": 0.3, **({} if XGBOOST >= (3, 4) else {"booster": "dart"})},
    "exact": {"tree_method": "exact"},
    "approx": {"tree_method": "approx"},
    "lossguide": {"grow_policy": "lossguide", "max_leaves": 15},
    "sampling": {"subsample": 0.7, "colsample_bytree": 0.8},
    "several trees a round": {"num_parallel_tree": 3, "subsample": 0.5},
    "monotone constraints": {"monotone_constraints": (1, -1, 0, 0, 0, 0)},
}


@pytest.mark.parametrize(
    ("Ranker", "mode"),
    [(LGBMRanker, mode) for mode in LGBM_MODES] + [(XGBRanker, mode) for mode in XGB_MODES],
)
def test_a_ranker_learns_in_every_mode_of_its_booster(Ranker, mode, problem) -> None:
    if mode == "quantised gradients" and LIGHTGBM < (4, 2):
        pytest.skip("LightGBM before 4.2 crashes, with any custom objective")
    params = (LGBM_MODES if Ranker is LGBMRanker else XGB_MODES)[mode]
    ranker = make_ranker(Ranker, n_estimators=30, **params)
    ranker.fit(
        problem.X,
        problem.y,
        qid=problem.qid,
        eval_set=[(problem.X, problem.y)],
        eval_qid=[problem.qid],
        eval_metric="pairwise_logistic",
    )
    losses = history_of(ranker)["pairwise_logistic"]
    assert losses[-1] < 0.8 * np.log(2)  # a constant has the loss log(2)
    constant = metrics.ndcg(problem.y, np.zeros(problem.y.size), qid=problem.qid)
    assert ranker.score(problem.X, problem.y, qid=problem.qid) > constant + 0.15
    if mode == "monotone constraints":
        grid = np.repeat(problem.X[:1], 100, axis=0)
        for column, sign in ((0, 1), (1, -1)):
            grid = np.repeat(problem.X[:1], 100, axis=0)
            grid[:, column] = np.linspace(-3, 3, 100)
            scores = sign * ranker.predict(grid)
            assert (np.diff(scores) >= 0).all()
            assert scores[-1] > scores[0]


@pytest.mark.parametrize(("dart", "objective"), [("dart", "pairwise_logistic"), ("DART", "auto")])
def test_dart_keeps_its_trees_if_the_training_set_is_evaluated(dart, objective, problem, make) -> None:
    """LightGBM itself loses dropped trees for good if a metric in Python evaluates the training set of DART."""
    ranker = make_ranker(LGBMRanker, objective=objective, n_estimators=20, boosting_type=dart, drop_rate=0.3)
    other = make(1)
    ranker.fit(
        problem.X,
        problem.y,
        qid=problem.qid,
        eval_set=[(other.X, other.y), (problem.X, problem.y)],
        eval_qid=[other.qid, problem.qid],
        eval_metric="pairwise_logistic",
    )
    assert list(ranker.evals_result_) == ["valid_0", "training"]
    without_noise = PairwiseLogistic(pair_weight="ndcg" if objective == "auto" else "uniform")
    for name, rows in (("valid_0", other), ("training", problem)):
        loss = without_noise.loss(rows.y, ranker.predict(rows.X), qid=rows.qid, reduction="pair_weights")
        assert ranker.evals_result_[name]["pairwise_logistic"][-1] == pytest.approx(loss, rel=1e-5)
    assert loss < 0.8 * np.log(2)


@BOTH
def test_training_continues_from_a_model(Ranker, problem) -> None:
    first = make_ranker(Ranker, n_estimators=5).fit(problem.X, problem.y, qid=problem.qid)
    start = {"init_model": first} if Ranker is LGBMRanker else {"xgb_model": first}
    more = make_ranker(Ranker, n_estimators=7).fit(problem.X, problem.y, qid=problem.qid, **start)
    whole = make_ranker(Ranker, n_estimators=12).fit(problem.X, problem.y, qid=problem.qid)
    np.testing.assert_allclose(more.predict(problem.X), whole.predict(problem.X), rtol=1e-5, atol=1e-6)


def test_training_continues_with_other_data_and_another_objective(problem, make) -> None:
    other = make(1)
    first = make_ranker(LGBMRanker, n_estimators=5).fit(problem.X, problem.y, qid=problem.qid)
    more = make_ranker(LGBMRanker, n_estimators=3, objective="bpr")
    more.fit(other.X, other.y, qid=other.qid, init_model=first.booster_)
    assert more.booster_.num_trees() == 8
    np.testing.assert_allclose(more.predict(other.X, num_iteration=5), first.predict(other.X))

    first = make_ranker(XGBRanker, n_estimators=5).fit(problem.X, problem.y, qid=problem.qid)
    more = make_ranker(XGBRanker, n_estimators=3, objective="bpr")
    more.fit(other.X, other.y, qid=other.qid, xgb_model=first.get_booster())
    assert more.get_booster().num_boosted_rounds() == 8
    np.testing.assert_allclose(more.predict(other.X, iteration_range=(0, 5)), first.predict(other.X), rtol=1e-6)


def test_lightgbm_refuses_to_refit_a_model_of_a_custom_objective(problem, tmp_path) -> None:
    ranker = make_ranker(LGBMRanker).fit(problem.X, problem.y, qid=problem.qid)
    with pytest.raises(lgb.basic.LightGBMError, match="Cannot refit due to null objective function"):
        ranker.booster_.refit(problem.X, problem.y)
    ranker.booster_.save_model(tmp_path / "model.txt")
    with pytest.raises(lgb.basic.LightGBMError, match="No objective function provided"):
        lgb.Booster(model_file=tmp_path / "model.txt").refit(problem.X, problem.y, group=problem.sizes)


def test_lightgbm_refuses_random_forests_with_a_custom_objective(problem) -> None:
    ranker = make_ranker(LGBMRanker, boosting_type="rf", bagging_fraction=0.5, bagging_freq=1)
    with pytest.raises(lgb.basic.LightGBMError, match="RF mode do not support custom objective function"):
        ranker.fit(problem.X, problem.y, qid=problem.qid)

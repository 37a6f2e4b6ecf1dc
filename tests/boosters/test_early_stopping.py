"""Early stopping of the rankers: by any metric, and on held-out queries (eval_fraction)."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _support.rankers import BOTH, history_of, make_ranker, stopping
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from gbdt_pairloss import LGBMRanker, PairwiseLogistic, XGBRanker


@BOTH
@pytest.mark.parametrize("metric", ["mrr", "pair_accuracy", "recall@3", "pairwise_logistic"])
def test_early_stopping_uses_the_direction_of_the_metric(Ranker, problem, make, metric) -> None:
    # XGBoost itself minimises every metric that is not called ndcg, map, auc or pre.
    test = make(99)
    kwargs = {"eval_set": [(test.X, test.y)], "eval_group": [test.sizes], "eval_metric": ["ndcg@5", metric]}
    params = {"n_estimators": 200, "learning_rate": 0.3}
    if Ranker is LGBMRanker:
        ranker = make_ranker(Ranker, **params)
        kwargs["eval_metric"] = [metric]  # LightGBM stops when any metric of several stops improving
        kwargs["callbacks"] = [lgb.early_stopping(5, verbose=False)]
        ranker.fit(problem.X, problem.y, group=problem.sizes, **kwargs)
        best = ranker.best_iteration_ - 1
    else:
        ranker = make_ranker(Ranker, early_stopping_rounds=5, **params)
        ranker.fit(problem.X, problem.y, group=problem.sizes, **kwargs)
        best = ranker.best_iteration_
        assert best == ranker.best_iteration
        own = make_ranker(Ranker, callbacks=[xgb.callback.EarlyStopping(rounds=5)], **params)
        assert own.fit(problem.X, problem.y, group=problem.sizes, **kwargs).best_iteration == best
        assert ranker.early_stopping_rounds == 5
    values = np.array(history_of(ranker)[metric])
    assert best == (values.argmin() if metric == "pairwise_logistic" else values.argmax())
    assert len(values) == best + 6 < 200
    assert ranker.predict(problem.X) == pytest.approx(
        make_ranker(Ranker, **{**params, "n_estimators": int(best) + 1})
        .fit(problem.X, problem.y, group=problem.sizes)
        .predict(problem.X)
    )


def test_early_stopping_of_xgboost_follows_the_last_metric(problem, make) -> None:
    test = make(99)
    ranker = make_ranker(XGBRanker, n_estimators=100, early_stopping_rounds=3)
    ranker.fit(
        problem.X,
        problem.y,
        group=problem.sizes,
        eval_set=[(test.X, test.y)],
        eval_group=[test.sizes],
        eval_metric=["pair_accuracy", "rmse"],
    )
    assert ranker.best_iteration == np.argmin(history_of(ranker)["rmse"])


@BOTH
@pytest.mark.parametrize("weighted", [False, True])
def test_held_out_queries_act_as_an_evaluation_set(Ranker, weighted, scattered) -> None:
    X, y, qid = scattered
    weight = np.random.default_rng(1).uniform(0.1, 3, y.size) if weighted else None
    pipeline = make_pipeline(MinMaxScaler(), stopping(Ranker, eval_fraction=0.3))
    name = pipeline.steps[-1][0]
    pipeline.fit(X, y, **{f"{name}__qid": qid, f"{name}__sample_weight": weight})
    ranker = pipeline[-1]
    assert 0 < ranker.best_iteration_ < 100

    # By hand: the same queries, whole, in an evaluation set and not in the training set.
    names, first = np.unique(qid, return_index=True)
    names = names[np.argsort(first)]
    drawn = names[np.random.RandomState(0).permutation(names.size)[: round(0.3 * names.size)]]
    held_out = np.isin(qid, drawn)
    scaled = MinMaxScaler().fit_transform(X)
    weights = {}
    if weighted:
        of_sets = "eval_sample_weight" if Ranker is LGBMRanker else "sample_weight_eval_set"
        weights = {"sample_weight": weight[~held_out], of_sets: [weight[held_out]]}
    by_hand = stopping(Ranker).fit(
        scaled[~held_out],
        y[~held_out],
        qid=qid[~held_out],
        eval_set=[(scaled[held_out], y[held_out])],
        eval_qid=[qid[held_out]],
        **weights,
    )
    assert ranker.evals_result_ == by_hand.evals_result_
    np.testing.assert_array_equal(ranker.predict(scaled), by_hand.predict(scaled))


@BOTH
class TestHeldOutQueries:
    def test_pairs_and_initial_scores_are_divided_with_their_rows(self, Ranker, scattered) -> None:
        X, y, qid = scattered
        rng = np.random.default_rng(2)
        start = rng.normal(size=y.size)
        named = "init_score" if Ranker is LGBMRanker else "base_margin"
        # The pairs that the labels make, given explicitly.
        order = [(i, j) for i in range(y.size) for j in range(y.size) if qid[i] == qid[j] and y[i] > y[j]]
        ranker = make_ranker(Ranker, objective=PairwiseLogistic(normalize="query"), eval_fraction=0.4)
        metric = "pairwise_logistic"
        by_pairs = clone(ranker).fit(
            X, None, qid=qid, pairs=tuple(zip(*order, strict=True)), eval_metric=metric, **{named: start}
        )
        by_labels = clone(ranker).fit(X, y, qid=qid, eval_metric=metric, **{named: start})
        np.testing.assert_allclose(by_pairs.predict(X), by_labels.predict(X), rtol=1e-4, atol=1e-4)

    def test_held_out_rows_keep_their_initial_scores(self, Ranker, problem) -> None:
        named = "init_score" if Ranker is LGBMRanker else "base_margin"
        noise = np.random.default_rng(0).normal(size=(problem.y.size, 2))
        ranker = make_ranker(Ranker, n_estimators=2, eval_fraction=0.3, min_child_weight=1e-3)
        ranker.fit(noise, problem.y, qid=problem.qid, eval_metric="ndcg@5", **{named: 5 * problem.y})
        assert history_of(ranker)["ndcg@5"][0] > 0.95

    def test_a_metric_that_is_undefined_on_the_held_out_queries_is_an_error(self, Ranker, problem) -> None:
        y = np.where(problem.qid == 7, problem.y, 0)
        ranker = make_ranker(Ranker, eval_fraction=0.05)
        with pytest.raises(ValueError, match="eval_fraction: pair_accuracy is undefined for every query"):
            ranker.fit(problem.X, y, qid=problem.qid, eval_metric="pair_accuracy")

    @pytest.mark.parametrize("generator", [np.random.RandomState, np.random.default_rng])
    def test_random_generators_serve_as_random_state(self, Ranker, generator, problem) -> None:
        ranker = make_ranker(Ranker, eval_fraction=0.3, random_state=generator(0), subsample=0.5, subsample_freq=1)
        if Ranker is XGBRanker:
            ranker.set_params(subsample_freq=None)
        ranker.fit(problem.X, problem.y, qid=problem.qid)
        assert np.isfinite(ranker.predict(problem.X)).all()

    def test_random_state_draws_the_held_out_queries(self, Ranker, problem) -> None:
        def predictions(seed):
            ranker = make_ranker(Ranker, eval_fraction=0.3, random_state=seed)
            return ranker.fit(problem.X, problem.y, qid=problem.qid).predict(problem.X)

        np.testing.assert_array_equal(predictions(None), predictions(0))
        assert (predictions(1) != predictions(0)).any()

    def test_a_given_evaluation_set_is_used_instead(self, Ranker, problem, make) -> None:
        other = make(1)
        given = {"qid": problem.qid, "eval_set": [(other.X, other.y)], "eval_qid": [other.qid]}
        ranker = make_ranker(Ranker, eval_fraction=0.3).fit(problem.X, problem.y, **given)
        alone = make_ranker(Ranker).fit(problem.X, problem.y, **given)
        assert ranker.evals_result_ == alone.evals_result_

    @pytest.mark.parametrize("fraction", [0, 1, 1.5, -0.1, True, "half", np.nan])
    def test_bad_fractions_are_refused(self, Ranker, fraction, problem) -> None:
        ranker = make_ranker(Ranker, eval_fraction=fraction)
        with pytest.raises(ValueError, match="eval_fraction must be a number between 0 and 1"):
            ranker.fit(problem.X, problem.y, qid=problem.qid)

    def test_a_single_query_cannot_be_divided(self, Ranker, problem) -> None:
        ranker = make_ranker(Ranker, eval_fraction=0.5)
        with pytest.raises(ValueError, match="eval_fraction holds out whole queries, but there is only one query"):
            ranker.fit(problem.X, problem.y, group=[problem.y.size])


@BOTH
def test_other_tools_predict_with_the_trees_that_the_ranker_predicts_with(Ranker, problem, make, tmp_path) -> None:
    other = make(1)
    ranker = stopping(Ranker)
    ranker.fit(problem.X, problem.y, qid=problem.qid, eval_set=[(other.X, other.y)], eval_qid=[other.qid])
    n_rounds = len(next(iter(history_of(ranker).values())))
    assert 0 < ranker.n_trees_ < n_rounds < 200
    path = tmp_path / "model.json"
    expected = ranker.predict(other.X)
    if Ranker is LGBMRanker:
        ranker.booster_.save_model(path)
        plain = lgb.Booster(model_file=path)
        assert plain.num_trees() == ranker.n_trees_
        scores = plain.predict(other.X)
    else:
        ranker.save_model(path)
        plain = xgb.Booster(model_file=path)
        assert plain.num_boosted_rounds() == ranker.get_booster().num_boosted_rounds() == ranker.n_trees_
        assert ranker.best_iteration + 1 == ranker.n_trees_
        scores = plain.predict(xgb.DMatrix(other.X))
    np.testing.assert_array_equal(scores, expected)
    complete = make_ranker(Ranker, n_estimators=7).fit(problem.X, problem.y, qid=problem.qid)
    assert complete.n_trees_ == 7

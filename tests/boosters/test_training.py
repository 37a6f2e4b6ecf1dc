"""Training through lgb.train and xgb.train, and what it refuses or warns of."""

from __future__ import annotations

import gc
import weakref

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _support.boosters import BOTH_BOOSTERS, LGB, LIGHTGBM, XGB, XGBOOST, constructed, dataset_of, predict, train
from _support.recording import record_threads

from gbdt_pairloss import BPR, PairwiseLogistic, attach
from gbdt_pairloss.ranking._plan import Plan


@BOTH_BOOSTERS
@pytest.mark.parametrize("objective", [PairwiseLogistic(), BPR(threshold=1.0), PairwiseLogistic(normalize="log")])
def test_training_lowers_the_loss_of_the_objective(booster, objective, problem) -> None:
    dataset = dataset_of(booster, problem)
    history = {}
    if booster == "lightgbm":
        callbacks = [lgb.record_evaluation(history)]
        params = {**LGB, "objective": objective}
        lgb.train(params, dataset, 15, [dataset], ["data"], feval=objective.metric, callbacks=callbacks)
    else:
        xgb.train(
            XGB,
            dataset,
            15,
            obj=objective,
            custom_metric=objective.metric,
            evals=[(dataset, "data")],
            evals_result=history,
            verbose_eval=False,
        )
    losses = history["data"][objective.name]
    assert len(losses) == 15
    assert losses[-1] < 0.7 * losses[0]
    assert losses[0] < np.log(2)


@pytest.mark.skipif(XGBOOST < (3, 0), reason="XGBoost 2 always normalises by the scores")
@pytest.mark.parametrize(("labels", "n_queries", "mean_size"), [("grades", 25, 12), ("binary", 8, 60)])
def test_rank_pairwise_without_truncation_grows_the_same_trees(make, labels, n_queries, mean_size) -> None:
    # XGBoost then sums over all pairs, has no normalisers, and doubles the diagonal Hessian.
    problem = make(5, labels, n_queries, mean_size)
    native = {
        **XGB,
        "objective": "rank:pairwise",
        "lambdarank_pair_method": "topk",
        "lambdarank_num_pair_per_sample": int(problem.sizes.max()),
        "lambdarank_normalization": False,
        "lambdarank_score_normalization": False,
        "tree_method": "exact",
    }
    dataset = dataset_of("xgboost", problem)
    expected = predict("xgboost", xgb.train(native, dataset, 20), problem.X)
    objective = PairwiseLogistic(normalize="none")
    trained = predict("xgboost", train("xgboost", objective, dataset, 20, tree_method="exact"), problem.X)
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(trained, expected, rtol=0, atol=1e-6)


@pytest.mark.skipif(XGBOOST < (3, 0), reason="XGBoost 2 normalises in another way")
def test_rank_ndcg_grows_the_same_trees(problem) -> None:
    dataset = dataset_of("xgboost", problem)
    native = xgb.train({**XGB, "objective": "rank:ndcg"}, dataset, 5)
    objective = PairwiseLogistic(pair_weight="lambdarank", truncation=32)
    trained = train("xgboost", objective, dataset, 5)
    np.testing.assert_allclose(
        predict("xgboost", trained, problem.X), predict("xgboost", native, problem.X), rtol=1e-3, atol=1e-3
    )


@BOTH_BOOSTERS
def test_an_objective_uses_the_threads_of_the_booster_unless_it_has_n_threads(booster, problem, monkeypatch) -> None:
    used = record_threads(monkeypatch)
    if booster == "lightgbm":
        dataset = dataset_of(booster, problem)
        train(booster, PairwiseLogistic(), dataset, num_threads=1)
    else:
        dataset = xgb.DMatrix(problem.X, problem.y, group=problem.sizes, nthread=1)
        train(booster, PairwiseLogistic(), dataset)
    assert set(used) == {1}
    used.clear()
    train(booster, PairwiseLogistic(n_threads=3), dataset)
    assert set(used) == {3}


@BOTH_BOOSTERS
class TestRefusals:
    def test_a_dataset_without_groups(self, booster, problem) -> None:
        dataset = lgb.Dataset(problem.X, problem.y) if booster == "lightgbm" else xgb.DMatrix(problem.X, problem.y)
        with pytest.raises(ValueError, match="has no query groups"):
            train(booster, PairwiseLogistic(), dataset)

    def test_negative_labels_without_a_rule(self, booster, problem) -> None:
        with pytest.raises(ValueError, match="the label is -1.0 at row .*ignore_negative_labels"):
            train(booster, PairwiseLogistic(), dataset_of(booster, problem, y=problem.y - 1))

    def test_weights_that_are_all_zero(self, booster, problem) -> None:
        n = problem.y.size if booster == "lightgbm" else problem.sizes.size
        with pytest.raises(ValueError, match="every pair has weight zero"):
            train(booster, PairwiseLogistic(), dataset_of(booster, problem, weight=np.zeros(n)))

    def test_weights_that_exceed_float32(self, booster, problem) -> None:
        dataset = dataset_of(booster, problem)
        attach(dataset, item_weight=np.full(problem.y.size, 1e200))
        with pytest.raises(ValueError, match="leaves the range of float32: scale the weights down"):
            train(booster, PairwiseLogistic(), dataset)

    def test_equal_labels_cause_a_warning(self, booster, problem) -> None:
        with pytest.warns(UserWarning, match="nothing can be learned: no query has two rows with different labels"):
            train(booster, PairwiseLogistic(), dataset_of(booster, problem, y=np.ones(problem.y.size)))

    @pytest.mark.parametrize("threshold", [9.0, -1.0])
    def test_a_threshold_that_leaves_no_positive_or_no_negative(self, booster, problem, threshold) -> None:
        message = f"no query has both a positive \\(label above threshold={threshold}\\) and a negative"
        with pytest.raises(ValueError, match=message):
            train(booster, BPR(threshold=threshold), dataset_of(booster, problem))

    def test_hessians_too_small_for_a_leaf_cause_a_warning(self, booster, problem) -> None:
        dataset = dataset_of(booster, problem)
        attach(dataset, item_weight=np.full(problem.y.size, 1e-9))
        with pytest.warns(UserWarning, match="the Hessians of all rows sum to .*: no tree can split"):
            train(booster, PairwiseLogistic(), dataset, 1)

    def test_every_training_on_a_dataset_is_checked(self, booster, problem) -> None:
        n = problem.y.size if booster == "lightgbm" else problem.sizes.size
        dataset = dataset_of(booster, problem, weight=np.zeros(n))
        for _ in range(2):
            with pytest.raises(ValueError, match="every pair has weight zero"):
                train(booster, PairwiseLogistic(), dataset)
        dataset = dataset_of(booster, problem, y=np.ones(problem.y.size))
        for _ in range(2):
            with pytest.warns(UserWarning, match="nothing can be learned"):
                train(booster, PairwiseLogistic(), dataset)

    def test_two_scores_per_row(self, booster, problem) -> None:
        dataset = constructed(dataset_of(booster, problem))
        with pytest.raises(ValueError, match="one score per row"):
            PairwiseLogistic()(np.zeros((problem.y.size, 2)), dataset)


def test_a_nan_in_the_base_margin_is_refused(problem) -> None:
    dataset = dataset_of("xgboost", problem)
    margin = np.zeros(problem.y.size)
    margin[3] = np.nan
    dataset.set_base_margin(margin)
    with pytest.raises(ValueError, match="the score is nan at row 3"):
        train("xgboost", PairwiseLogistic(), dataset)


def test_bagging_by_query_of_lightgbm_is_refused(problem) -> None:
    params = {"bagging_by_query": True, "bagging_fraction": 0.5, "bagging_freq": 1}
    with pytest.raises(ValueError, match="bagging_by_query does not work with a custom objective"):
        train("lightgbm", PairwiseLogistic(), dataset_of("lightgbm", problem), **params)
    if LIGHTGBM < (4, 6):
        return  # LightGBM has the parameter from 4.6 on
    dataset = dataset_of("lightgbm", problem).construct()  # does not keep the parameters of the training
    plain = {"objective": PairwiseLogistic(), "verbose": -1, "num_threads": 1}
    lgb.train(plain, dataset, 3)
    with pytest.warns(UserWarning, match="the first tree moved all scores of a query alike"):
        lgb.train({**plain, **params}, dataset, 3)


@BOTH_BOOSTERS
def test_repeated_calls_and_dart_cause_no_false_warning(booster, problem) -> None:
    dataset = dataset_of(booster, problem)
    if booster == "lightgbm":
        dataset.construct()
        dart = {"boosting": "dart", "drop_rate": 0.9, "skip_drop": 0.0, "min_data_in_leaf": 20}
    else:
        dart = {"rate_drop": 0.9}
        if XGBOOST < (3, 4):
            dart["booster"] = "dart"
    for _ in range(3):
        PairwiseLogistic()(problem.scores, dataset)
    if booster == "lightgbm":
        train("lightgbm", PairwiseLogistic(), dataset, 6, **dart)
    else:
        xgb.train({**XGB, **dart}, dataset, 6, obj=PairwiseLogistic())


def test_the_ranker_of_lightgbm_is_refused_and_the_error_names_that_of_this_package(problem) -> None:
    ranker = lgb.LGBMRanker(objective=PairwiseLogistic(), n_estimators=2, n_jobs=1, verbose=-1)
    with pytest.raises(TypeError, match=r"gbdt_pairloss\.LGBMRanker"):
        ranker.fit(problem.X, problem.y, group=problem.sizes)


@BOTH_BOOSTERS
def test_datasets_and_their_plans_are_freed(booster, problem) -> None:
    def n_plans():
        gc.collect()
        return sum(isinstance(one, Plan) for one in gc.get_objects())

    before = n_plans()
    objective, dataset = PairwiseLogistic(), constructed(dataset_of(booster, problem))
    objective(problem.scores, dataset)
    objective.metric(problem.scores, dataset)
    assert n_plans() > before
    alive = weakref.ref(dataset)
    del dataset
    assert n_plans() == before
    assert alive() is None

"""Metrics and losses as lgb.train and xgb.train call them."""

from __future__ import annotations

import warnings

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _support.boosters import BOTH_BOOSTERS, constructed, dataset_of

from gbdt_pairloss import PairwiseLogistic, metrics

LABELS = np.array([2.0, 0, 1, 0, 1, 0, 0])
SCORES = np.array([0.1, 0.7, 0.7, 0.2, 0.3, 0.9, 0.3])
GROUP = [4, 3]


FEATURES = np.array([[0.1], [0.7], [0.7], [0.2], [0.3], [0.9], [0.3]])


def test_feval_in_lightgbm_evaluates_every_metric_by_name():
    dataset = lgb.Dataset(
        FEATURES, LABELS, group=GROUP, params={"verbose": -1, "feature_pre_filter": False}
    ).construct()
    expected = [
        ("ndcg@2", metrics.ndcg(LABELS, SCORES, group=GROUP, k=2), True),
        ("mrr", metrics.reciprocal_rank(LABELS, SCORES, group=GROUP), True),
    ]
    assert metrics.feval("ndcg@2", "mrr")(SCORES, dataset) == expected
    record: dict = {}
    lgb.train(
        {"objective": "lambdarank", "verbose": -1, "metric": "None", "min_data_in_leaf": 1},
        dataset,
        num_boost_round=2,
        valid_sets=[dataset],
        valid_names=["train"],
        feval=metrics.feval("ndcg@2", "mrr"),
        callbacks=[lgb.record_evaluation(record)],
    )
    assert {name: len(values) for name, values in record["train"].items()} == {"ndcg@2": 2, "mrr": 2}


def test_feval_in_xgboost_evaluates_every_metric_by_name():
    dataset = xgb.DMatrix(FEATURES, LABELS)
    dataset.set_group(GROUP)
    expected = [
        ("ndcg@2", metrics.ndcg(LABELS, SCORES, group=GROUP, k=2)),
        ("mrr", metrics.reciprocal_rank(LABELS, SCORES, group=GROUP)),
    ]
    assert metrics.feval("ndcg@2", "mrr")(SCORES, dataset) == expected
    record: dict = {}
    xgb.train(
        {"objective": "rank:pairwise", "disable_default_eval_metric": True},
        dataset,
        num_boost_round=2,
        evals=[(dataset, "train")],
        custom_metric=metrics.feval("ndcg@2", "mrr"),
        maximize=True,
        evals_result=record,
        verbose_eval=False,
    )
    assert {name: len(values) for name, values in record["train"].items()} == {"ndcg@2": 2, "mrr": 2}


def test_feval_refuses_anything_but_a_dataset():
    with pytest.raises(TypeError, match=r"LightGBM Dataset or an XGBoost DMatrix, not a ndarray"):
        metrics.feval("ndcg")(SCORES, LABELS)


@BOTH_BOOSTERS
def test_the_metric_of_an_objective_is_its_loss_in_the_form_of_the_booster(booster, problem) -> None:
    objective = PairwiseLogistic()
    dataset = constructed(dataset_of(booster, problem))
    result = objective.metric(problem.scores, dataset)
    value = objective.loss(problem.y, problem.scores, group=problem.sizes, reduction="pair_weights")
    expected = ("pairwise_logistic", value, False) if booster == "lightgbm" else ("pairwise_logistic", value)
    assert result == pytest.approx(expected)


@BOTH_BOOSTERS
def test_the_loss_of_a_dataset_without_pairs_is_an_error(booster, problem) -> None:
    dataset = constructed(dataset_of(booster, problem, y=np.ones(problem.y.size)))
    with pytest.raises(ValueError, match="pairwise_logistic is undefined: no query has two rows"):
        PairwiseLogistic().metric(problem.scores, dataset)


@pytest.mark.parametrize("metric", [PairwiseLogistic().metric, metrics.feval("ndcg")])
def test_metrics_refuse_the_training_set_of_dart(metric, problem) -> None:
    train = lgb.Dataset(problem.X, problem.y, group=problem.sizes)
    same = lgb.Dataset(problem.X, problem.y, group=problem.sizes, reference=train)
    params = {"objective": PairwiseLogistic(), "boosting": "dart", "drop_rate": 0.5, "verbose": -1, "num_threads": 1}
    lgb.train(params, train, 5, valid_sets=[same], feval=metric)
    with pytest.raises(ValueError, match="LightGBM drops trees permanently when a metric in Python evaluates"):
        lgb.train(params, train, 5, valid_sets=[train], feval=metric)


@pytest.mark.parametrize("name", ["pair_accuracy", "spearman", "ndcg@5"])
def test_xgboosts_early_stopping_in_the_wrong_direction_is_warned_of_once(name, problem) -> None:
    dataset = xgb.DMatrix(problem.X, problem.y, group=problem.sizes, nthread=1)
    params = {"objective": "rank:pairwise", "disable_default_eval_metric": True, "nthread": 1, "max_depth": 3}
    common = {"evals": [(dataset, "train")], "custom_metric": metrics.feval(name), "verbose_eval": False}

    def train(**given):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            xgb.train(params, dataset, 8, **common, **given)
        return [str(warning.message) for warning in caught if "early stopping" in str(warning.message)]

    message = f"larger values of {name} are better, but XGBoost's early stopping is about to minimise it: give"
    found = train(early_stopping_rounds=2)
    if name == "ndcg@5":  # which XGBoost maximises
        assert not found
    else:
        assert len(found) == 1
        assert found[0].startswith(message)
    assert not train(early_stopping_rounds=2, maximize=True)
    assert not train(callbacks=[xgb.callback.EarlyStopping(rounds=2, maximize=True)])
    assert not train()


def test_metrics_of_one_name_are_refused(problem) -> None:
    with pytest.raises(ValueError, match="feval has two metrics called 'ndcg@3'"):
        metrics.feval("ndcg@3", metrics.get_metric("ndcg@3", gain="linear"))
    dataset = lgb.Dataset(problem.X, problem.y, group=problem.sizes)
    params = {"objective": "lambdarank", "metric": "ndcg", "eval_at": [3], "verbose": -1}
    record: dict = {}
    given = {"valid_sets": [dataset], "callbacks": [lgb.record_evaluation(record)]}
    with pytest.raises(ValueError, match="LightGBM evaluates ndcg@3, too"):
        lgb.train(params, dataset, 4, feval=metrics.feval("ndcg@3"), **given)
    lgb.train(params, dataset, 4, feval=metrics.feval("ndcg@4", "ndcg"), **given)
    assert {name: len(values) for name, values in record["training"].items()} == dict.fromkeys(
        ("ndcg@3", "ndcg@4", "ndcg"), 4
    )
    matrix = xgb.DMatrix(problem.X, problem.y, group=problem.sizes, nthread=1)
    common = {"evals": [(matrix, "train")], "verbose_eval": False}
    params = {"objective": "rank:ndcg", "eval_metric": "ndcg@3", "nthread": 1}
    with pytest.raises(ValueError, match="XGBoost evaluates ndcg@3, too"):
        xgb.train(params, matrix, 4, custom_metric=metrics.feval("ndcg@3"), **common)
    results: dict = {}
    xgb.train(params, matrix, 4, custom_metric=metrics.feval("ndcg@4"), evals_result=results, **common)
    assert {name: len(values) for name, values in results["train"].items()} == {"ndcg@3": 4, "ndcg@4": 4}

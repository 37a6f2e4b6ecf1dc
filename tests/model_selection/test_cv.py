"""``cv``: the cross-validation of the boosters on folds of whole queries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("lightgbm", minversion="4.0")
pytest.importorskip("xgboost")

import lightgbm as lgb
import xgboost as xgb
from _support.boosters import assert_same_in_float32
from sklearn.model_selection import GroupKFold, KFold

from gbdt_pairloss import BPR, PairwiseLogistic, attach, cv, metrics

BOOSTERS = pytest.mark.parametrize("booster", ["lightgbm", "xgboost"])


def dataset_of(booster, problem, weight=None):
    if booster == "lightgbm":
        weight = None if weight is None else np.repeat(weight, problem.sizes)
        return lgb.Dataset(problem.X, problem.y, group=problem.sizes, weight=weight, free_raw_data=False)
    return xgb.DMatrix(problem.X, problem.y, group=problem.sizes, weight=weight, nthread=1)


def params_of(booster, objective="pairwise_logistic", **params):
    if booster == "lightgbm":
        common = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, "deterministic": True, "seed": 1}
    else:
        common = {"nthread": 1, "max_depth": 4, "seed": 1}
    return {**common, "objective": objective, **params}


def last_test_value(results) -> float:
    names = [name for name in results if name.startswith(("valid ", "test-")) and name.endswith("-mean")]
    assert len(names) == 1
    return np.asarray(results[names[0]])[-1]


class Recording(PairwiseLogistic):
    """An objective that records what it is called with, and what it returns."""

    trained: list = []  # noqa: RUF012
    evaluated: list = []  # noqa: RUF012

    def __call__(self, preds, dataset):
        result = super().__call__(preds, dataset)
        self.trained.append((*contents(dataset), preds.copy(), result))
        return result

    def metric(self, preds, dataset):
        result = super().metric(preds, dataset)
        self.evaluated.append((*contents(dataset), preds.copy(), result[1]))
        return result


def contents(dataset):
    """Return copies of the labels and the query sizes of a dataset."""
    labels = dataset.get_label().copy()
    if isinstance(dataset, lgb.Dataset):
        return labels, np.array(dataset.get_group())
    return labels, np.diff(dataset.get_uint_info("group_ptr"))


@pytest.fixture
def recording():
    Recording.trained.clear()
    Recording.evaluated.clear()
    return Recording(hessian_scale=1)


@BOOSTERS
@pytest.mark.parametrize("folds", [None, GroupKFold(3), "rows"])
def test_every_fold_has_whole_queries_with_their_weights(booster, folds, problem, recording) -> None:
    query_weight = np.random.default_rng(0).uniform(0.5, 2, problem.sizes.size)
    loser_weight = np.arange(1.0, problem.y.size + 1)
    # Each row has a label of its own, by which it is recognised in a fold.
    y = np.random.default_rng(1).permutation(problem.y.size).astype(float)
    row_of = np.argsort(y)
    dataset = dataset_of(booster, replace(problem, y=y), query_weight)
    attach(dataset, loser_weight=loser_weight)
    if folds == "rows":  # rows in random order
        rng = np.random.default_rng(0)
        folds = [tuple(rng.permutation(p) for p in f) for f in GroupKFold(3).split(problem.X, groups=problem.qid)]
    cv(params_of(booster, recording), dataset, 2, folds=folds, nfold=3)

    def expected_arguments(labels, sizes):
        rows = row_of[labels.astype(int)]
        queries = np.unique(problem.qid[rows])
        np.testing.assert_array_equal(np.sort(rows), np.flatnonzero(np.isin(problem.qid, queries)))
        np.testing.assert_array_equal(sizes, problem.sizes[queries])
        weights = {"sample_weight": query_weight[queries], "loser_weight": loser_weight[rows]}
        return rows, {"group": sizes, **weights}

    objective = PairwiseLogistic(hessian_scale=1)
    for labels, sizes, scores, result in recording.trained:
        rows, arguments = expected_arguments(labels, sizes)
        assert_same_in_float32(result, objective.gradient_hessian(y[rows], scores, **arguments))
    for labels, sizes, scores, value in recording.evaluated:
        rows, arguments = expected_arguments(labels, sizes)
        expected = objective.loss(y[rows], scores, **arguments, reduction="pair_weights")
        assert value == pytest.approx(expected, rel=1e-6)
    training_sets = {frozenset(labels) for labels, *_ in recording.trained}
    evaluation_sets = {frozenset(labels) for labels, *_ in recording.evaluated}
    assert len(training_sets) == 3
    assert {frozenset(y) - part for part in training_sets} <= evaluation_sets


@BOOSTERS
def test_the_result_is_the_mean_over_the_trainings_of_each_fold(booster, problem) -> None:
    objective = PairwiseLogistic(normalize="query")
    folds = list(GroupKFold(3).split(problem.X, groups=problem.qid))
    results = cv(params_of(booster, objective), dataset_of(booster, problem), 5, folds=folds)
    values = []
    for train, test in folds:
        sizes = [problem.sizes[np.unique(problem.qid[rows])] for rows in (train, test)]
        if booster == "lightgbm":
            # lightgbm.cv bins the features of all rows at once.
            whole = dataset_of(booster, problem).construct()
            model = lgb.train(params_of(booster, objective), whole.subset(train), 5)
            scores = model.predict(problem.X[test])
        else:
            part = xgb.DMatrix(problem.X[train], problem.y[train], group=sizes[0], nthread=1)
            params = params_of(booster, "rank:pairwise", base_score=0.0, disable_default_eval_metric=True)
            scores = xgb.train(params, part, 5, obj=objective).predict(xgb.DMatrix(problem.X[test]))
        values.append(objective.loss(problem.y[test], scores, group=sizes[1], reduction="pair_weights"))
    assert last_test_value(results) == pytest.approx(np.mean(values), rel=1e-5)


@BOOSTERS
def test_given_metrics_and_native_objectives_are_evaluated(booster, problem) -> None:
    named = "feval" if booster == "lightgbm" else "custom_metric"
    results = cv(params_of(booster), dataset_of(booster, problem), 3, nfold=3, **{named: metrics.feval("ndcg@5")})
    assert 0.5 < last_test_value(results) <= 1
    if booster == "lightgbm":
        native = cv(params_of(booster, "lambdarank", eval_at=[3]), dataset_of(booster, problem), 3, nfold=3)
    else:
        native = cv(params_of(booster, "rank:ndcg", eval_metric="ndcg@3"), dataset_of(booster, problem), 3, nfold=3)
    assert 0.5 < last_test_value(native) <= 1


@BOOSTERS
def test_metrics_by_name_are_evaluated(booster, problem) -> None:
    key = "metric" if booster == "lightgbm" else "eval_metric"
    results = cv(params_of(booster, **{key: ["spearman", "rmse", "bpr"]}), dataset_of(booster, problem), 3, nfold=3)
    by_name = {name.partition("-")[2] if booster == "xgboost" else name.removeprefix("valid ") for name in results}
    assert {"spearman-mean", "rmse-mean", "bpr-mean"} <= by_name
    alone = cv(params_of(booster, **{key: "ndcg@3"}), dataset_of(booster, problem), 3, nfold=3)
    direct = cv(
        params_of(booster),
        dataset_of(booster, problem),
        3,
        nfold=3,
        **{"feval" if booster == "lightgbm" else "custom_metric": metrics.feval("ndcg@3")},
    )
    assert last_test_value(alone) == last_test_value(direct)


@BOOSTERS
def test_nested_parameters_reach_the_objective(booster, problem) -> None:
    dataset = dataset_of(booster, problem)
    nested = cv(params_of(booster, objective__temperature=3.0), dataset, 3, nfold=3)
    direct = cv(params_of(booster, PairwiseLogistic(temperature=3.0)), dataset, 3, nfold=3)
    assert last_test_value(nested) == last_test_value(direct)
    with pytest.raises(ValueError, match="objective__temperature: the objective .* is the booster's own"):
        cv(
            params_of(booster, "rank:ndcg" if booster == "xgboost" else "lambdarank", objective__temperature=3.0),
            dataset,
        )


def test_early_stopping_of_xgboost_uses_the_direction_of_the_metric(problem) -> None:
    results = cv(
        params_of("xgboost", eval_metric="spearman", learning_rate=0.1),
        dataset_of("xgboost", problem),
        100,
        nfold=3,
        early_stopping_rounds=5,
    )
    curve = np.asarray(results["test-spearman-mean"])
    assert curve.size > 2  # if it were minimised, its first value would be the best
    assert curve[-1] == curve.max()


def test_the_objective_may_be_given_by_other_names_but_not_twice(problem) -> None:
    expected = last_test_value(cv(params_of("lightgbm"), dataset_of("lightgbm", problem), 3, nfold=3))
    params = params_of("lightgbm")
    params["application"] = params.pop("objective")
    assert last_test_value(cv(params, dataset_of("lightgbm", problem), 3, nfold=3)) == expected

    expected = last_test_value(cv(params_of("xgboost"), dataset_of("xgboost", problem), 3, nfold=3))
    for native in (None, "rank:pairwise"):
        params = params_of("xgboost", native)
        found = cv(params, dataset_of("xgboost", problem), 3, nfold=3, obj=PairwiseLogistic())
        assert last_test_value(found) == expected
    with pytest.raises(ValueError, match="the objective is given twice: 'pairwise_logistic' and BPR"):
        cv(params_of("xgboost"), dataset_of("xgboost", problem), 3, obj=BPR())


@BOOSTERS
def test_the_dataset_and_the_parameters_remain_unchanged(booster, problem) -> None:
    dataset, params = dataset_of(booster, problem, np.ones(problem.sizes.size)), params_of(booster)
    before = dict(params)
    first = cv(params, dataset, 3, nfold=3)
    assert params == before
    again = cv(params, dataset, 3, nfold=3)
    other = cv(params, dataset, 3, nfold=3, seed=1)
    in_order = cv(params, dataset, 3, nfold=3, shuffle=False)
    values = [last_test_value(results) for results in (first, again, other, in_order)]
    assert values[0] == values[1]
    assert len(set(values)) == 3
    if booster == "xgboost":
        with pytest.raises(xgb.core.XGBoostError):  # XGBoost does not slice a DMatrix with groups
            dataset.slice([0])


@BOOSTERS
class TestRefusals:
    def test_folds_that_cut_a_query(self, booster, problem) -> None:
        with pytest.raises(
            ValueError, match=r"folds\[0\] splits query \d+ \(counted from 0\): \d+ of its \d+ rows are in"
        ):
            cv(params_of(booster), dataset_of(booster, problem), 2, folds=list(KFold(3).split(problem.X)))

    @pytest.mark.parametrize("rows", [[], [0, 0], [-1], [10**6]])
    def test_rows_that_are_missing_repeated_or_out_of_range(self, booster, rows, problem) -> None:
        first = np.arange(problem.sizes[0])
        with pytest.raises(ValueError, match=r"folds\[0\]: the training rows must be different ones from 0 to"):
            cv(params_of(booster), dataset_of(booster, problem), 2, folds=[(rows, first)])

    def test_masks_and_an_empty_list_of_folds(self, booster, problem) -> None:
        mask = problem.qid < 10
        with pytest.raises(ValueError, match=r"folds\[0\] is a mask; it takes the numbers of rows"):
            cv(params_of(booster), dataset_of(booster, problem), 2, folds=[(mask, ~mask)])
        with pytest.raises(ValueError, match="folds is empty"):
            cv(params_of(booster), dataset_of(booster, problem), 2, folds=[])

    @pytest.mark.parametrize("nfold", [1, 31, 2.5, "5"])
    def test_too_few_or_too_many_folds(self, booster, nfold, problem) -> None:
        with pytest.raises(ValueError, match="nfold must be from 2 to the number of queries, 30"):
            cv(params_of(booster), dataset_of(booster, problem), 2, nfold=nfold)

    def test_a_dataset_without_groups(self, booster, problem) -> None:
        dataset = lgb.Dataset(problem.X, problem.y) if booster == "lightgbm" else xgb.DMatrix(problem.X, problem.y)
        with pytest.raises(ValueError, match="has no query groups"):
            cv(params_of(booster), dataset, 2)

    def test_anything_but_a_dataset(self, booster, problem) -> None:
        with pytest.raises(TypeError, match="cv takes a lightgbm.Dataset or an xgboost.DMatrix, got a ndarray"):
            cv(params_of(booster), problem.X, 2)


@BOOSTERS
def test_parameters_that_the_objective_would_ignore_are_refused(booster, problem) -> None:
    name, value = ("is_unbalance", True) if booster == "lightgbm" else ("ndcg_exp_gain", False)
    with pytest.raises(ValueError, match=f"{name} belongs to the booster's own objectives"):
        cv(params_of(booster, **{name: value}), dataset_of(booster, problem), 2, nfold=3)


def test_ranks_of_lightgbms_parameters(problem) -> None:
    for name in ("eval_at", "ndcg_eval_at", "map_at"):
        for ranks in ([3], "3", (3, 5)):
            params = params_of("lightgbm", metric="ndcg", **{name: ranks})
            results = cv(params, dataset_of("lightgbm", problem), 2, nfold=3)
            expected = {f"valid ndcg@{k}-mean" for k in ([3] if len(ranks) < 2 else [3, 5])}
            assert {key for key in results if key.endswith("mean")} == expected


def _largest(preds, dataset):
    return "largest", float(preds.max())


def test_the_direction_of_a_metric_of_ones_own(problem) -> None:
    given = {"nfold": 3, "custom_metric": _largest, "early_stopping_rounds": 2}
    params, dataset = params_of("xgboost"), dataset_of("xgboost", problem)
    assert len(cv(params, dataset, 8, maximize=True, **given)) == 8
    assert len(cv(params, dataset, 8, maximize=False, **given)) < 8
    with pytest.raises(ValueError, match="early stopping needs maximize=True or maximize=False"):
        cv(params, dataset, 8, **given)
    params["eval_metric"] = "ndcg@3"
    del given["custom_metric"]
    assert len(cv(params, dataset, 8, maximize=True, **given)) > 1
    with pytest.raises(ValueError, match="maximize=False, but larger values of 'ndcg@3' are better"):
        cv(params, dataset, 8, maximize=False, **given)

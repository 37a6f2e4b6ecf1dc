"""Arguments and data that the rankers refuse or warn of."""

from __future__ import annotations

import warnings

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from _support.rankers import BOTH, make_ranker

from gbdt_pairloss import LGBMRanker, PairwiseLogistic, XGBRanker, metrics


@BOTH
class TestRefusals:
    def test_a_misspelt_objective_is_an_error_that_lists_the_names(self, Ranker, problem) -> None:
        for name in ("pairwise_logistc", "pairwise"):
            with pytest.raises(ValueError, match=f"objective '{name}' is not known .did you mean 'pairwise_logistic'"):
                make_ranker(Ranker, objective=name).fit(problem.X, problem.y, qid=problem.qid)
        with pytest.raises(ValueError, match=r"objective 'hopeless' is not known: .*pairwise_logistic"):
            make_ranker(Ranker, objective="hopeless").fit(problem.X, problem.y, qid=problem.qid)

    def test_data_without_queries_are_refused(self, Ranker, problem) -> None:
        rows = slice(0, 60)
        one = problem.X[rows], problem.y[rows]
        for native in (None, "rank_xendcg" if Ranker is LGBMRanker else "rank:ndcg"):
            params = {} if native is None else {"objective": native}
            with pytest.raises(
                ValueError, match=r"give qid=.*, or group=, such as group=\[60\] if all rows are one query"
            ):
                make_ranker(Ranker, **params).fit(*one)
            message = r"eval_set\[0\]: the queries of the rows are not given: .* eval_group=\[\[60\]\]"
            with pytest.raises(ValueError, match=message):
                make_ranker(Ranker, **params).fit(problem.X, problem.y, qid=problem.qid, eval_set=[one])
        ranker = make_ranker(Ranker).fit(*one, group=[60])
        assert ranker.score(problem.X[rows], problem.y[rows]) > 0.8
        several = make_ranker(Ranker).fit(problem.X, problem.y, qid=problem.qid)
        with pytest.raises(ValueError, match="score ranks within queries: it needs qid= or group="):
            several.score(problem.X, problem.y)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"y": "nan"}, "y is nan at row 4"),
            ({"y": "negative"}, "the label is -1.0 at row 4.*ignore_negative_labels"),
            ({"y": "huge"}, "y is 1e.39 at row 4, outside the boosters' range"),
            ({"y": None}, "y is None"),
            ({"y": [1.0]}, "y has 1 entries, but there are"),
            ({"qid": [1, 2]}, "qid has 2 entries, but there are"),
            ({"qid": None, "group": [3]}, "group sums to 3, but there are"),
            ({"group": [3]}, "group and qid are both given"),
            ({"sample_weight": [1.0, 2.0]}, "sample_weight has 2 entries; it takes one per row"),
            ({"sample_weight": -1.0}, "sample_weight is -1.0 at row 0; weights must not be negative"),
            ({"sample_weight": np.nan}, "sample_weight is nan at row 0"),
            ({"sample_weight": 0.0}, "every pair has weight zero"),
            ({"start": np.nan}, "(init_score|base_margin) is nan at row 0"),
            ({"eval_set": "short"}, r"eval_set\[0\]: y has 1 entries"),
            ({"eval_qid": []}, "eval_qid has 0 entries for 1 evaluation set"),
            ({"eval_metric": "ndgc"}, "unknown metric 'ndgc' .did you mean 'ndcg'"),
            ({"eval_metric": ["ndcg@0"]}, "'ndcg@0': the part after @ must be a positive integer"),
        ],
    )
    def test_bad_arguments_are_refused(self, Ranker, problem, change, message) -> None:
        n = problem.y.size
        y = problem.y.copy()
        arguments = {"qid": problem.qid, "eval_set": [(problem.X.copy(), problem.y)], "eval_qid": [problem.qid]}
        kind = change.pop("y", "good") if (change := dict(change)) else "good"
        if kind == "nan":
            y[4] = np.nan
        elif kind == "negative":
            y[4] = -1
        elif kind == "huge":
            y[4] = 1e39
        elif kind != "good":
            y = kind
        if "start" in change:
            start = np.full(n, change.pop("start"))
            arguments["init_score" if Ranker is LGBMRanker else "base_margin"] = start
        if isinstance(change.get("sample_weight"), float):
            change["sample_weight"] = np.full(n, change["sample_weight"])
        if change.get("eval_set") == "short":
            change["eval_set"] = [(problem.X, [1.0])]
        ranker = make_ranker(Ranker)
        with pytest.raises(ValueError, match=message):
            ranker.fit(problem.X, y, **{**arguments, **change})
        assert not ranker.__sklearn_is_fitted__()

    def test_query_ids_given_both_as_an_argument_and_as_a_column(self, Ranker, problem) -> None:
        frame = pd.DataFrame(problem.X).assign(qid=problem.qid)
        with pytest.raises(ValueError, match="qid is given twice"):
            make_ranker(Ranker).fit(frame, problem.y, qid=problem.qid)

    def test_equal_labels_cause_a_warning(self, Ranker, problem) -> None:
        with pytest.warns(UserWarning, match="nothing can be learned: no query has two rows with different labels"):
            make_ranker(Ranker).fit(problem.X, np.ones(problem.y.size), qid=problem.qid)

    def test_ndcg_refuses_negative_labels_and_spearman_does_not(self, Ranker, problem) -> None:
        objective = PairwiseLogistic(ignore_negative_labels=False)
        y = problem.y - 2
        ranker = make_ranker(Ranker, objective=objective).fit(problem.X, y, qid=problem.qid)
        with pytest.raises(ValueError, match="negative"):
            ranker.score(problem.X, y, qid=problem.qid)
        assert ranker.score(problem.X, y, qid=problem.qid, metric="spearman") > 0.5
        expected = metrics.spearman(y, ranker.predict(problem.X), qid=problem.qid)
        assert ranker.score(problem.X, y, qid=problem.qid, metric="spearman") == pytest.approx(expected)

    def test_an_unknown_objective_is_named(self, Ranker, problem) -> None:
        with pytest.raises((ValueError, lgb.basic.LightGBMError), match="nonsense"):
            make_ranker(Ranker, objective="nonsense").fit(problem.X, problem.y, qid=problem.qid)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"bagging_by_query": True}, "bagging_by_query does not work with a custom objective"),
        ({"class_weight": "balanced"}, "class_weight does not apply to our objectives"),
    ],
)
def test_parameters_of_lightgbm_that_do_not_work_are_refused(problem, params, message) -> None:
    with pytest.raises(ValueError, match=message):
        make_ranker(LGBMRanker, **params).fit(problem.X, problem.y, qid=problem.qid)


@pytest.mark.parametrize(
    ("Ranker", "name", "value", "instead"),
    [
        (LGBMRanker, "sigmoid", 2.0, "write objective__temperature"),
        (LGBMRanker, "lambdarank_truncation_level", 10, "all pairs count; objective__truncation="),
        (LGBMRanker, "label_gain", [0, 1, 3], "labels may be any numbers"),
        (XGBRanker, "lambdarank_num_pair_per_sample", 8, "all pairs count; objective__truncation="),
        (XGBRanker, "lambdarank_unbiased", True, "give sample_weight=propensity_weights"),
        (LGBMRanker, "scale_pos_weight", 3.0, "give sample_weight"),
        (LGBMRanker, "unbalance", True, "give sample_weight"),
        (LGBMRanker, "objective_seed", 3, "write objective__random_state"),
        (LGBMRanker, "alpha", 0.5, "leave it out .reg_alpha is the L1 penalty"),
        (XGBRanker, "ndcg_exp_gain", False, 'write objective__gain="linear"'),
        (XGBRanker, "scale_pos_weight", 3.0, "give sample_weight"),
    ],
)
def test_parameters_of_the_boosters_own_objectives_are_refused(Ranker, name, value, instead, problem) -> None:
    with pytest.raises(
        ValueError,
        match=f"{name} belongs to the booster's own objectives; with an objective of gbdt_pairloss {instead}",
    ):
        make_ranker(Ranker, **{name: value}).fit(problem.X, problem.y, qid=problem.qid)
    if Ranker is LGBMRanker or name != "scale_pos_weight":  # which XGBoost says that it does not use
        native = "lambdarank" if Ranker is LGBMRanker else "rank:pairwise"
        make_ranker(Ranker, objective=native, **{name: value}).fit(problem.X, np.minimum(problem.y, 2), qid=problem.qid)


@BOTH
def test_the_default_metric_of_score_names_another_one_for_returns(Ranker, problem) -> None:
    y = problem.y - 1.5
    ranker = make_ranker(Ranker, objective=PairwiseLogistic(ignore_negative_labels=False))
    ranker.fit(problem.X, y, qid=problem.qid)
    with pytest.raises(ValueError, match="ndcg needs labels of 0 or more.* another metric, such as metric='spearman'"):
        ranker.score(problem.X, y, qid=problem.qid)
    assert ranker.score(problem.X, y, qid=problem.qid, metric="spearman") > 0.5


@BOTH
def test_defaults_of_the_boosters_own_objectives_are_accepted(Ranker, problem) -> None:
    defaults = {"is_unbalance": False, "scale_pos_weight": 1} if Ranker is LGBMRanker else {"ndcg_exp_gain": True}
    make_ranker(Ranker, **defaults).fit(problem.X, problem.y, qid=problem.qid)


@BOTH
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"eval_set": 3}, "eval_set takes a list, with one entry per evaluation set; got 3"),
        ({"eval_set": np.zeros((4, 2)), "eval_qid": None}, r"eval_set\[0\] must be a pair \(X, y\)"),
        ({"eval_set": [None]}, r"eval_set\[0\] must be a pair \(X, y\)"),
        ({"eval_set": "two", "eval_qid": None}, r"eval_set\[0\] must be a pair \(X, y\)"),
        ({"eval_qid": 7, "eval_set": []}, "eval_qid takes a list, with one entry per evaluation set; got 7"),
        ({"eval_metric": [None]}, "eval_metric takes names such as 'ndcg@10', metrics and callables, got None"),
        (
            {"eval_metric": [["ndcg"]]},
            r"eval_metric takes names such as 'ndcg@10', metrics and callables, got \['ndcg'",
        ),
        ({"eval_set": "wide"}, r"eval_set\[0\]: X has 12 features, but the training set has 6"),
        ({"sample_weight": 1e38}, "sample_weight is 1e.38 at row 0, outside the boosters' range"),
        ({"start": 1e308}, "(init_score|base_margin) is 1e.308 at row 0, outside the boosters' range"),
    ],
)
def test_arguments_that_crash_the_boosters_are_refused(Ranker, problem, arguments, message) -> None:
    given = {"eval_set": [(problem.X, problem.y)], "eval_qid": [problem.qid], **arguments}
    if isinstance(given["eval_set"], str) and given["eval_set"] == "wide":
        given["eval_set"] = [(np.column_stack([problem.X, problem.X]), problem.y)]
    if "start" in given:
        start = np.full(problem.y.size, given.pop("start"))
        given["init_score" if Ranker is LGBMRanker else "base_margin"] = start
    if "sample_weight" in given:
        given["sample_weight"] = np.full(problem.y.size, given["sample_weight"])
    for X in (problem.X, pd.DataFrame(problem.X)):
        with pytest.raises((ValueError, TypeError), match=message):
            make_ranker(Ranker).fit(X, problem.y, qid=problem.qid, **given)


@BOTH
def test_data_without_rows_is_refused(Ranker, problem) -> None:
    with pytest.raises(ValueError, match="X has no rows"):
        make_ranker(Ranker).fit(problem.X[:0], problem.y[:0], qid=problem.qid[:0])


@BOTH
def test_a_model_without_a_split_causes_a_warning(Ranker, problem) -> None:
    limit = {"min_split_gain": 1e9} if Ranker is LGBMRanker else {"gamma": 1e9}
    with pytest.warns(UserWarning, match="no tree of the model has a split"):
        make_ranker(Ranker, n_estimators=1, **limit).fit(problem.X, problem.y, qid=problem.qid)
    with (
        pytest.warns(UserWarning, match="no tree of the model has a split"),
        pytest.warns(UserWarning, match="no tree can split if a leaf needs 1e[+]06"),
    ):
        make_ranker(Ranker, n_estimators=1, min_child_weight=1e6).fit(problem.X, problem.y, qid=problem.qid)


@BOTH
@pytest.mark.parametrize("objective", ["auto", "pairwise_logistic", "pairwise_hinge"])
def test_features_that_do_not_vary_within_queries_cause_a_warning(Ranker, objective, problem) -> None:
    X = np.random.default_rng(0).normal(size=(problem.sizes.size, 3))[problem.qid]
    with pytest.warns(UserWarning, match="the first tree moved all scores of a query alike|no tree of the model has"):
        make_ranker(Ranker, objective=objective).fit(X, problem.y, qid=problem.qid)


def test_a_linear_booster_causes_no_warning_of_missing_splits(problem) -> None:
    objective = PairwiseLogistic(hessian_scale=0.01)
    ranker = make_ranker(XGBRanker, objective=objective, booster="gblinear", max_depth=None)
    with warnings.catch_warnings(record=True) as caught:  # XGBoost 3.3 and newer warn that gblinear will go
        warnings.simplefilter("always")
        ranker.fit(problem.X, problem.y, qid=problem.qid)
        score = ranker.score(problem.X, problem.y, qid=problem.qid)
    assert not [w for w in caught if "split" in str(w.message)]
    assert score > 0.8

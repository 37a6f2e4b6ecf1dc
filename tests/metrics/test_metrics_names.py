"""Metrics by name, as objects, and as the boosters call them."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from gbdt_pairloss import metrics
from gbdt_pairloss.ranking._data import RankingData
from gbdt_pairloss.ranking._groups import Groups
from gbdt_pairloss.ranking._reading import read_arrays

LABELS = np.array([2.0, 0, 1, 0, 1, 0, 0])
SCORES = np.array([0.1, 0.7, 0.7, 0.2, 0.3, 0.9, 0.3])
GROUP = [4, 3]


@pytest.fixture
def data():
    return read_arrays(LABELS, SCORES, group=GROUP).data


@pytest.mark.parametrize("name", sorted(metrics.METRICS))
def test_a_name_is_its_function(name, data):
    metric = metrics.get_metric(name)
    function = metrics.METRICS[name].function
    assert metric.name == name
    assert metric.maximize is True
    assert metric(data, SCORES) == function(LABELS, SCORES, group=GROUP)
    np.testing.assert_array_equal(metric.per_query(data, SCORES), function(LABELS, SCORES, group=GROUP, per_query=True))


@pytest.mark.parametrize(
    ("name", "same"),
    [("map", metrics.average_precision), ("mrr", metrics.reciprocal_rank), ("pre", metrics.precision)],
)
def test_short_names(name, same):
    assert metrics.METRICS[name].function is same


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("ndcg@2", {"gain": "linear", "ties": "order"}, {"k": 2, "gain": "linear", "ties": "order"}),
        ("map@3", {"relevant": 2, "empty": "skip"}, {"k": 3, "relevant": 2, "empty": "skip"}),
        ("err@2", {"max_label": 4}, {"k": 2, "max_label": 4}),
        ("pre@10", {}, {"k": 10}),
        ("pair_accuracy", {"ties": "wrong"}, {"ties": "wrong"}),
    ],
)
def test_cut_and_options(name, options, expected, data):
    metric = metrics.get_metric(name, **options)
    function = metrics.METRICS[name.partition("@")[0]].function
    assert metric.name == name
    assert metric(data, SCORES) == function(LABELS, SCORES, group=GROUP, **expected)


def test_queries_count_by_their_weight_times_the_mean_of_their_item_weights():
    groups = Groups.from_sizes(GROUP, 7)
    item_weight = np.array([1.0, 1, 2, 2, 5, 5, 5])
    query_weight = np.array([4.0, 1.0])
    metric = metrics.get_metric("pair_accuracy")
    data = RankingData(LABELS, groups, item_weight=item_weight, query_weight=query_weight)
    values = metric.per_query(data, SCORES)
    assert metric(data, SCORES) == pytest.approx((4 * 1.5 * values[0] + 1 * 5 * values[1]) / (4 * 1.5 + 5))


def test_metrics_pickle_copy_and_compare(data):
    metric = metrics.get_metric("ndcg@3", gain="linear")
    for twin in (
        pickle.loads(pickle.dumps(metric)),
        copy.deepcopy(metric),
        metrics.get_metric("ndcg@3", gain="linear"),
    ):
        assert twin == metric
        assert hash(twin) == hash(metric)
        assert twin(data, SCORES) == metric(data, SCORES)
    assert metric != metrics.get_metric("ndcg@3")
    evaluation = metrics.feval("ndcg@3", "map")
    assert pickle.loads(pickle.dumps(evaluation)) == evaluation
    assert copy.deepcopy(evaluation) == evaluation


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ndgc", r"unknown metric 'ndgc' \(did you mean 'ndcg'\?\); the names are auc, average_precision"),
        ("", "unknown metric ''"),
        ("rmse@3", "unknown metric 'rmse@3'"),
        ("auc@5", "auc takes no @k"),
        ("spearman@5", "spearman takes no @k"),
        ("ndcg@0", "must be a positive integer"),
        ("ndcg@", "must be a positive integer"),
        ("ndcg@-1", "must be a positive integer"),
        ("ndcg@2.5", "must be a positive integer"),
        ("ndcg@5@5", "must be a positive integer"),
        ("ndcg@ 5", "must be a positive integer"),
        ("ndcg@٣", "must be a positive integer"),
    ],
)
def test_wrong_names(name, message):
    with pytest.raises(ValueError, match=message):
        metrics.get_metric(name)
    with pytest.raises(ValueError, match=message):
        metrics.feval(name)


def test_a_name_must_be_a_string():
    with pytest.raises(TypeError, match="must be a string"):
        metrics.get_metric(metrics.ndcg)


def test_wrong_options():
    with pytest.raises(TypeError, match="ndcg has no option 'relevant'; it takes k, gain, ties, empty"):
        metrics.get_metric("ndcg", relevant=2)
    with pytest.raises(TypeError, match="goes into its name: 'ndcg@5'"):
        metrics.get_metric("ndcg", k=5)
    with pytest.raises(TypeError, match="auc has no option 'k'"):
        metrics.get_metric("auc", k=5)
    with pytest.raises(ValueError, match="gain must be one of"):
        metrics.get_metric("ndcg", gain="cubic")
    with pytest.raises(ValueError, match="empty must be one of"):
        metrics.get_metric("map", empty=2)
    with pytest.raises(TypeError, match="no metric of 'ndcg@5', 'map' has the option 'gian'"):
        metrics.feval("ndcg@5", "map", gian="linear")
    with pytest.raises(ValueError, match="at least one metric name"):
        metrics.feval()


def test_masked_rows_do_not_weigh(data):
    item_weight = np.array([1.0, 1, 2, np.nan, 5, 5, 5])
    mask = np.arange(7) != 3
    masked = RankingData(LABELS, data.groups, item_weight=item_weight, mask=mask)
    values = metrics.ndcg(LABELS, SCORES, group=GROUP, mask=mask, per_query=True)
    assert metrics.get_metric("ndcg")(masked, SCORES) == pytest.approx(np.average(values, weights=[4 / 3, 5]))


def test_scores_of_a_booster_are_checked(data):
    metric = metrics.get_metric("ndcg")
    broken = SCORES.copy()
    broken[3] = np.nan
    with pytest.raises(ValueError, match="the score is nan at row 3"):
        metric(data, broken)
    with pytest.raises(ValueError, match="the score has 6 entries, but there are 7 rows"):
        metric(data, SCORES[:-1])
    mask = np.arange(7) != 3
    masked = RankingData(LABELS, data.groups, mask=mask)
    assert metric(masked, broken) == metrics.ndcg(LABELS, SCORES, group=GROUP, mask=mask)


def test_feval_needs_a_dataset():
    with pytest.raises(TypeError, match=r"LightGBM Dataset or an XGBoost DMatrix, not a ndarray"):
        metrics.feval("ndcg")(SCORES, LABELS)


def test_feval_gives_options_to_the_metrics_that_have_them(data):
    evaluation = metrics.feval("ndcg@2", "map", metrics.get_metric("mrr", relevant=1), gain="linear", relevant=2)
    ndcg, average_precision, reciprocal_rank = evaluation.metrics
    assert ndcg == metrics.get_metric("ndcg@2", gain="linear")
    assert average_precision == metrics.get_metric("map", relevant=2)
    assert reciprocal_rank == metrics.get_metric("mrr", relevant=1)


FEATURES = np.array([[0.1], [0.7], [0.7], [0.2], [0.3], [0.9], [0.3]])


def test_feval_in_lightgbm():
    lgb = pytest.importorskip("lightgbm")
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


def test_feval_in_xgboost():
    xgb = pytest.importorskip("xgboost")
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

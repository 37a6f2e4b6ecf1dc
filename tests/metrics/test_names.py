"""Metrics by name and as objects: get_metric, feval, options. (tests/boosters/test_metrics.py: in a booster.)"""

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
def test_a_metric_by_name_has_the_value_of_its_function(name, data):
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
def test_short_names_give_the_same_functions(name, same):
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
def test_the_cut_in_a_name_and_options_are_applied(name, options, expected, data):
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


def test_metrics_can_be_pickled_copied_and_compared(data):
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
        ("two\nlines", "unknown metric"),
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
def test_unknown_names_are_refused(name, message):
    with pytest.raises(ValueError, match=message):
        metrics.get_metric(name)
    with pytest.raises(ValueError, match=message):
        metrics.feval(name)


def test_a_name_must_be_a_string():
    with pytest.raises(TypeError, match="must be a string"):
        metrics.get_metric(metrics.ndcg)


def test_unknown_options_are_refused():
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


def test_weights_of_masked_rows_do_not_count(data):
    item_weight = np.array([1.0, 1, 2, np.nan, 5, 5, 5])
    mask = np.arange(7) != 3
    masked = RankingData(LABELS, data.groups, item_weight=item_weight, mask=mask)
    values = metrics.ndcg(LABELS, SCORES, group=GROUP, mask=mask, per_query=True)
    assert metrics.get_metric("ndcg")(masked, SCORES) == pytest.approx(np.average(values, weights=[4 / 3, 5]))


def test_scores_that_are_not_finite_or_do_not_fit_are_refused(data):
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


def test_feval_passes_an_option_to_each_metric_that_has_it(data):
    evaluation = metrics.feval("ndcg@2", "map", metrics.get_metric("mrr", relevant=1), gain="linear", relevant=2)
    ndcg, average_precision, reciprocal_rank = evaluation.metrics
    assert ndcg == metrics.get_metric("ndcg@2", gain="linear")
    assert average_precision == metrics.get_metric("map", relevant=2)
    assert reciprocal_rank == metrics.get_metric("mrr", relevant=1)


@pytest.mark.parametrize(
    ("name", "meant"), [("ndcg10", "ndcg@10"), ("NDCG@10", "ndcg@10"), ("Ndcg_5", "ndcg@5"), ("spear", "spearman")]
)
def test_a_misspelt_name_is_completed(name, meant) -> None:
    with pytest.raises(ValueError, match=f"unknown metric '{name}' .did you mean '{meant}'"):
        metrics.get_metric(name)


def test_a_metrics_function_in_place_of_feval_is_named() -> None:
    lgb = pytest.importorskip("lightgbm")
    dataset = lgb.Dataset([[0.0], [1.0]], [0, 1], group=[2])
    with pytest.raises(TypeError, match=r"ndcg takes arrays: give the booster metrics.feval\('ndcg'\)"):
        metrics.ndcg([0.0, 1.0], dataset)

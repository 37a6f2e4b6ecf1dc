"""Errors of the metrics name the argument and the row, and say what to do."""

from __future__ import annotations

import numpy as np
import pytest

from gbdt_pairloss import metrics

NAMES = sorted({definition.name for definition in metrics.METRICS.values()})
BINARY = ("average_precision", "reciprocal_rank", "precision", "recall", "hit_rate", "auc")
CUT = ("ndcg", "average_precision", "reciprocal_rank", "precision", "recall", "hit_rate", "err")


def function(name):
    return metrics.METRICS[name].function


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_and_labels_must_be_finite(name, bad):
    with pytest.raises(ValueError, match=r"y_pred is (nan|inf) at row 1"):
        function(name)([1, 0], [0.5, bad])
    with pytest.raises(ValueError, match=r"y_true is (nan|inf) at list 1, position 0"):
        function(name)([[1, 0], [bad, 1]], [[1, 2], [3, 4]])


@pytest.mark.parametrize("name", NAMES)
def test_arguments_that_do_not_fit_are_refused(name):
    with pytest.raises(ValueError, match="y_true has shape"):
        function(name)([1, 0, 1], [0.5, 0.1])
    with pytest.raises(ValueError, match="group and qid are both given"):
        function(name)([1, 0], [0.5, 0.1], group=[2], qid=[1, 1])
    with pytest.raises(ValueError, match="group sums to 3"):
        function(name)([1, 0], [0.5, 0.1], group=[3])
    with pytest.raises(ValueError, match="mask has shape"):
        function(name)([1, 0], [0.5, 0.1], mask=[True])


@pytest.mark.parametrize("name", NAMES)
def test_bad_query_weights_are_refused(name):
    with pytest.raises(ValueError, match="query_weight has 2 entries, but there are 1 queries"):
        function(name)([1, 0], [0.5, 0.1], query_weight=[1, 2])
    with pytest.raises(ValueError, match=r"the query weight is -1\.0 at query 0"):
        function(name)([1, 0], [0.5, 0.1], query_weight=[-1])
    with pytest.raises(ValueError, match="query weights are all 0"):
        function(name)([1, 0], [0.5, 0.1], query_weight=[0])
    with pytest.raises(ValueError, match="query_weight has shape"):
        function(name)([1, 0], [0.5, 0.1], query_weight=[[1, 2]])


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("k", [0, -1, True, 2.0, "3"])
def test_k_must_be_a_positive_integer(name, k):
    with pytest.raises(ValueError, match="k must be a positive integer, or None"):
        function(name)([1, 0], [0.5, 0.1], k=k)


def test_k_may_be_a_numpy_integer():
    assert metrics.recall([1, 0], [2, 1], k=np.int32(1)) == 1.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("empty", [0.5, True, "zero", None])
def test_empty_must_be_0_1_or_skip(name, empty):
    with pytest.raises(ValueError, match=r"empty must be one of 0\.0, 1\.0, 'skip'"):
        function(name)([1, 0], [0.5, 0.1], empty=empty)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("err", "spearman")])
def test_ties_must_be_a_known_rule(name):
    other = "wrong" if name in ("pair_accuracy", "auc") else "order"
    with pytest.raises(ValueError, match=f"ties must be one of 'average', '{other}'; got 'random'"):
        function(name)([1, 0], [0.5, 0.1], ties="random")


def test_gain_must_be_a_known_function():
    with pytest.raises(ValueError, match="gain must be one of 'exp2', 'linear'"):
        metrics.ndcg([1, 0], [0.5, 0.1], gain="log")


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("relevant", [np.nan, np.inf, "1", None, True])
def test_relevant_must_be_a_number(name, relevant):
    with pytest.raises(ValueError, match="relevant must be a finite number"):
        function(name)([1, 0], [0.5, 0.1], relevant=relevant)


@pytest.mark.parametrize("name", ["ndcg", "err"])
def test_gains_refuse_negative_labels(name):
    with pytest.raises(ValueError, match=r"label is -1\.0 at row 2, query .*b.*; .*spearman and pair_accuracy"):
        function(name)([1, 0, -1], [3, 2, 1], qid=["a", "a", "b"])


@pytest.mark.parametrize("name", ["ndcg", "err"])
def test_exponential_gains_refuse_labels_above_53(name):
    with pytest.raises(ValueError, match=r"label is 54\.0 at row 1, query 0 \(counted from 0\); .*53"):
        function(name)([1, 54], [3, 2])


def test_the_error_of_a_large_label_names_the_linear_gain():
    with pytest.raises(ValueError, match='use gain="linear"'):
        metrics.ndcg([1, 54], [3, 2])
    with pytest.raises(ValueError, match=r"label is -0\.5 at row 0"):
        metrics.ndcg([-0.5, 1], [3, 2], gain="linear")


@pytest.mark.parametrize(
    ("max_label", "message"),
    [
        (1, r"max_label is 1, but there is a label of 2\.0"),
        (54, "max_label is 54; it must be at most 53"),
        (0, "max_label must be a finite number above 0"),
        ("4", "max_label must be a number above 0"),
    ],
)
def test_max_label_of_err_must_fit_the_labels(max_label, message):
    with pytest.raises(ValueError, match=message):
        metrics.err([2, 0], [0.5, 0.1], max_label=max_label)


@pytest.mark.parametrize("name", BINARY)
def test_labels_that_never_reach_the_threshold_cause_a_warning(name):
    with pytest.warns(UserWarning, match=r"no label reaches relevant=1\.0.* relevant= to the smallest"):
        value = function(name)([0.9, 0.1], [0.5, 0.1], empty=0.0)
    assert value == 0.0


@pytest.mark.parametrize("name", NAMES)
def test_input_without_a_defined_query_is_an_error(name):
    with pytest.raises(ValueError, match="nothing to average: no row takes part"):
        function(name)([], [], group=[0])
    with pytest.raises(ValueError, match="nothing to average: no row takes part"):
        function(name)([1, 0], [1, 2], mask=[False, False])
    # The rows that remain have equal labels; for the binary metrics, the only relevant row is masked.
    labels, mask = [0.0, 0.0, 5.0], [True, True, False]
    if name in BINARY:
        with (
            pytest.warns(UserWarning, match="no label reaches"),
            pytest.raises(ValueError, match=f"{name} is undefined for every query: it needs a relevant row"),
        ):
            function(name)(labels, [1, 2, 3], mask=mask, empty="skip")
    else:
        with pytest.raises(ValueError, match=f"{name} is undefined for every query: it needs (a label|two different)"):
            function(name)(labels, [1, 2, 3], mask=mask, empty="skip")

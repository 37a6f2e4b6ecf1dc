"""Properties of every metric: forms of input, order of rows, monotone scores, weights, undefined queries, size."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdt_pairloss import metrics

NAMES = sorted({definition.name for definition in metrics.METRICS.values()})
CUT = ("ndcg", "average_precision", "reciprocal_rank", "precision", "recall", "hit_rate", "err")
TIED = [name for name in NAMES if name != "err"]  # ERR ranks tied rows in row order
UNDEFINED_IS_SKIPPED = ("pair_accuracy", "auc", "spearman")


def function(name):
    return metrics.METRICS[name].function


def lists(seed=0, n_lists=30, size=8, n_scores=5):
    """Return 2-D labels and scores with ties; every list has a relevant row and one that is not."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (n_lists, size)).astype(float)
    labels[:, 0], labels[:, 1] = 2.0, 0.0
    return labels, rng.integers(0, n_scores, (n_lists, size)).astype(float)


@pytest.mark.parametrize("name", NAMES)
def test_all_forms_of_input_agree(name):
    labels, scores = lists()
    n_lists, size = labels.shape
    metric = function(name)
    expected = metric(labels, scores, per_query=True)
    flat = (labels.ravel(), scores.ravel())
    qid = np.repeat(np.arange(n_lists), size)
    forms = {
        "group": metric(*flat, group=np.full(n_lists, size), per_query=True),
        "qid": metric(*flat, qid=qid, per_query=True),
        "string qid": metric(*flat, qid=[f"q{i * 7 % 31}" for i in qid], per_query=True),
        "lists of lists": metric(labels.tolist(), scores.tolist(), per_query=True),
        "mask of ones": metric(labels, scores, mask=np.ones(labels.shape, dtype=bool), per_query=True),
        "dictionary": metric({"labels": labels, "mask": np.ones(labels.shape)}, scores, per_query=True),
        "float32": metric(labels.astype(np.float32), scores.astype(np.float32), per_query=True),
        "integers": metric(labels.astype(int), scores.astype(int), per_query=True),
    }
    # Rows of a query scattered over the input, but in the same order within it.
    interleaved = np.arange(n_lists * size).reshape(n_lists, size).T.ravel()
    forms["scattered"] = metric(flat[0][interleaved], flat[1][interleaved], qid=qid[interleaved], per_query=True)
    for form, values in forms.items():
        assert values.dtype == np.float64, form
        np.testing.assert_array_equal(values, expected, err_msg=form)


@pytest.mark.parametrize("name", NAMES)
def test_masked_rows_do_not_count_whatever_they_contain(name):
    labels, scores = lists()
    expected = function(name)(labels, scores, per_query=True)
    mask = np.ones((labels.shape[0], 12), dtype=bool)
    mask[:, [0, 3, 7, 11]] = False
    wide_labels, wide_scores = np.full(mask.shape, np.nan), np.full(mask.shape, np.inf)
    wide_labels[:, 3], wide_labels[:, 7] = -5.0, 1e6
    wide_labels[mask], wide_scores[mask] = labels.ravel(), scores.ravel()
    np.testing.assert_array_equal(function(name)(wide_labels, wide_scores, mask=mask, per_query=True), expected)
    given_as_dict = function(name)({"labels": wide_labels, "mask": mask}, wide_scores, per_query=True)
    np.testing.assert_array_equal(given_as_dict, expected)


@pytest.mark.parametrize("name", TIED)
def test_the_order_of_rows_does_not_matter(name):
    labels, scores = lists(seed=1)
    qid = np.repeat(np.arange(labels.shape[0]), labels.shape[1])
    order = np.random.default_rng(2).permutation(labels.size)
    shuffled = function(name)(labels.ravel()[order], scores.ravel()[order], qid=qid[order])
    assert shuffled == pytest.approx(function(name)(labels, scores), rel=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_only_the_order_of_scores_matters(name):
    labels, scores = lists(seed=3)
    expected = function(name)(labels, scores)
    for transformed in (np.exp(scores), 1e-12 * scores - 5, np.arctan(scores) * 1e300):
        assert function(name)(labels, transformed) == pytest.approx(expected, rel=1e-14)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(0, 3), min_size=3, max_size=10).filter(any),
    st.sampled_from(NAMES),
)
def test_an_integer_query_weight_is_a_number_of_copies(seed, weights, name):
    labels, scores = lists(seed, n_lists=len(weights), size=6)
    weighted = function(name)(labels, scores, query_weight=weights)
    copied = function(name)(np.repeat(labels, weights, axis=0), np.repeat(scores, weights, axis=0))
    if name == "err":  # the largest label of y_true is that of all queries
        top = labels.max()
        weighted = function(name)(labels, scores, query_weight=weights, max_label=top)
        copied = function(name)(np.repeat(labels, weights, axis=0), np.repeat(scores, weights, axis=0), max_label=top)
    assert weighted == pytest.approx(copied, rel=1e-12)


def test_query_weights_are_in_the_order_in_which_queries_first_appear():
    # Query "b" (weight 3) is ranked right, "a" wrong.
    assert metrics.pair_accuracy([1, 1, 0, 0], [2, 1, 1, 2], qid=["b", "a", "b", "a"], query_weight=[3, 1]) == 3 / 4


@pytest.mark.parametrize("name", NAMES)
def test_a_metric_is_the_weighted_mean_of_its_values_per_query(name):
    labels, scores = lists(seed=4)
    weights = np.random.default_rng(5).random(labels.shape[0])
    values = function(name)(labels, scores, per_query=True)
    assert values.shape == (labels.shape[0],)
    assert ((values >= -1) & (values <= 1)).all()
    assert function(name)(labels, scores) == pytest.approx(values.mean(), rel=1e-14)
    mean = function(name)(labels, scores, query_weight=weights)
    assert isinstance(mean, float)
    assert mean == pytest.approx(np.average(values, weights=weights), rel=1e-13)


@pytest.mark.parametrize("name", CUT)
def test_a_cut_longer_than_the_list_is_the_whole_list(name):
    labels, scores = lists(seed=6)
    whole, cut = function(name)(labels, scores), function(name)(labels, scores, k=1000)
    if name == "precision":  # precision divides by k, as in trec_eval
        assert cut == pytest.approx(whole * labels.shape[1] / 1000, rel=1e-13)
    else:
        assert cut == whole


@pytest.mark.parametrize("name", NAMES)
def test_undefined_queries_count_as_empty_says(name):
    """Two queries are defined; one has labels of 0 only, one has no rows, and one has all rows masked."""
    labels = np.array([1, 0, 0, 0, 0, 1, 0, 1, 1], dtype=float)
    scores = np.array([2, 1, 3, 2, 1, 1, 2, 1, 2], dtype=float)
    mask = np.array([1] * 7 + [0] * 2, dtype=bool)
    group = [2, 3, 0, 2, 2]
    metric = function(name)

    def per_query(**options):
        return metric(labels, scores, group=group, mask=mask, per_query=True, **options)

    default = "skip" if name in UNDEFINED_IS_SKIPPED else 0.0
    np.testing.assert_array_equal(per_query(), per_query(empty=default))
    for empty, expected in ((0.0, 0.0), (1.0, 1.0), (np.float32(1), 1.0), (0, 0.0), ("skip", np.nan)):
        values = per_query(empty=empty)
        np.testing.assert_array_equal(values[1], expected)
        assert np.isnan(values[[2, 4]]).all()
        assert np.isfinite(values[[0, 3]]).all()
        mean = metric(labels, scores, group=group, mask=mask, empty=empty)
        assert mean == pytest.approx(np.nanmean(values), rel=1e-14)
    weights = [1.0, 2.0, 100.0, 3.0, 100.0]
    values = per_query(empty=1.0)
    mean = metric(labels, scores, group=group, mask=mask, empty=1.0, query_weight=weights)
    assert mean == pytest.approx((values[0] + 2 * 1.0 + 3 * values[3]) / 6, rel=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_values_per_query_are_nan_without_rows(name):
    assert np.isnan(function(name)([], [], group=[0, 0], per_query=True)).all()
    assert function(name)([], [], group=[], per_query=True).shape == (0,)


@pytest.mark.parametrize("name", ["pair_accuracy", "spearman"])
def test_pair_accuracy_and_spearman_take_negative_labels(name):
    labels, scores = lists(seed=7)
    assert function(name)(labels - 2, scores) == function(name)(labels, scores)


@pytest.mark.parametrize("name", NAMES)
def test_input_may_be_read_only(name):
    labels, scores = lists(seed=8)
    labels.setflags(write=False)
    scores.setflags(write=False)
    weights = np.ones(labels.shape[0])
    weights.setflags(write=False)
    function(name)(labels, scores, query_weight=weights)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tied", [False, True])
def test_queries_of_100_000_rows_take_little_time_and_memory(name, tied):
    """Half of 200,000 rows are one query. An n x n array would need 80 GB, a loop over rows or orders minutes."""
    rng = np.random.default_rng(9)
    n = 200_000
    labels = np.abs(rng.normal(size=n)) if name in UNDEFINED_IS_SKIPPED else rng.integers(0, 5, n).astype(float)
    scores = rng.integers(0, 3, n).astype(float) if tied else rng.normal(size=n)
    group = [100_000, *np.full(1000, 100)]
    start = time.perf_counter()
    value = function(name)(labels, scores, group=group)
    assert time.perf_counter() - start < 5
    assert -1 <= value <= 1


def test_the_sum_over_long_tied_runs_is_exact():
    n, r = 100_000, 7
    labels = np.zeros(n)
    labels[:r] = 1
    scores = np.zeros(n)
    # P(no relevant row in the first k) as a product of r factors instead of k.
    k = 20_000
    none = np.prod([(n - k - i) / (n - i) for i in range(r)])
    assert metrics.hit_rate(labels, scores, k=k) == pytest.approx(1 - none, rel=1e-12)
    assert metrics.recall(labels, scores, k=k) == pytest.approx(k / n, rel=1e-15)
    # All rows relevant: every rank's precision is 1.
    assert metrics.average_precision(np.ones(n), scores) == pytest.approx(1.0, rel=1e-13)
    # One relevant row: the mean of 1/rank.
    harmonic = np.sum(1 / np.arange(1, n + 1)) / n
    assert metrics.reciprocal_rank((labels > 0) & (np.arange(n) == 3), scores) == pytest.approx(harmonic, rel=1e-12)
    assert metrics.average_precision((np.arange(n) == 3).astype(int), scores) == pytest.approx(harmonic, rel=1e-12)

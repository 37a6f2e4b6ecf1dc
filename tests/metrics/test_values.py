"""Values of every metric against independent code: scikit-learn, SciPy, ranx, ir-measures, loops over tied orders."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import ndcg_score, roc_auc_score

from gbdt_pairloss import metrics

# ---------------------------------------------------------------------------------------------------------------
# Plain definitions. Their argument is the relevance (or gain, or label) of the rows in ranked order.


def plain_average_precision(relevance, k):
    hits = [sum(relevance[: r + 1]) / (r + 1) for r in range(min(k, len(relevance))) if relevance[r]]
    return sum(hits) / sum(relevance)


def plain_reciprocal_rank(relevance, k):
    first = relevance.index(1) + 1
    return 1 / first if first <= k else 0.0


def plain_precision(relevance, k):
    return sum(relevance[:k]) / k


def plain_recall(relevance, k):
    return sum(relevance[:k]) / sum(relevance)


def plain_hit_rate(relevance, k):
    return float(any(relevance[:k]))


def plain_ndcg(labels, k):
    def dcg(ranked):
        return sum((2**y - 1) / math.log2(r + 2) for r, y in enumerate(ranked[:k]))

    return dcg(labels) / dcg(sorted(labels, reverse=True))


def plain_err(labels, k, max_label):
    total, reach = 0.0, 1.0
    for r, y in enumerate(labels[:k]):
        stop = (2**y - 1) / 2**max_label
        total += reach * stop / (r + 1)
        reach *= 1 - stop
    return total


def plain_pair_accuracy(labels, scores, tied_pair=0.5):
    right = [
        (si > sj) + tied_pair * (si == sj)
        for yi, si in zip(labels, scores, strict=True)
        for yj, sj in zip(labels, scores, strict=True)
        if yi > yj
    ]
    return sum(right) / len(right)


PLAIN = {
    "average_precision": plain_average_precision,
    "reciprocal_rank": plain_reciprocal_rank,
    "precision": plain_precision,
    "recall": plain_recall,
    "hit_rate": plain_hit_rate,
}


def orders(scores):
    """Yield all orders of the rows by descending score, each order of tied rows once."""
    levels = sorted(set(scores), reverse=True)
    runs = [[i for i, s in enumerate(scores) if s == level] for level in levels]
    for parts in itertools.product(*(itertools.permutations(run) for run in runs)):
        yield list(itertools.chain.from_iterable(parts))


def expectation(metric, values, scores):
    return np.mean([metric([values[i] for i in order]) for order in orders(scores)])


def random_queries(rng, n_queries, largest, n_grades, n_scores):
    sizes = rng.integers(2, largest + 1, n_queries)
    labels = rng.integers(0, n_grades, sizes.sum()).astype(float)
    labels[np.cumsum(sizes) - sizes] = 1.0  # each query has a relevant row
    labels[np.cumsum(sizes) - 1] = 0.0
    scores = rng.integers(0, n_scores, sizes.sum()).astype(float)
    return labels, scores, sizes


def split(array, sizes):
    return [part.tolist() for part in np.split(array, np.cumsum(sizes)[:-1])]


# ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("k", [1, 2, 3, 5, 50, None])
def test_binary_metrics_are_the_mean_over_all_orders_of_tied_rows(name, k):
    rng = np.random.default_rng(7)
    labels, scores, sizes = random_queries(rng, 60, 7, 3, 3)
    values = getattr(metrics, name)(labels, scores, group=sizes, k=k, per_query=True)
    for value, y, s in zip(values, split(labels, sizes), split(scores, sizes), strict=True):
        cut = len(y) if k is None else k
        relevance = [int(label >= 1) for label in y]
        assert value == pytest.approx(expectation(lambda r, cut=cut: PLAIN[name](r, cut), relevance, s), abs=1e-12)


@pytest.mark.parametrize("name", [*PLAIN, "ndcg"])
@pytest.mark.parametrize("k", [1, 3, None])
def test_ties_may_be_broken_by_row_order(name, k):
    rng = np.random.default_rng(8)
    labels, scores, sizes = random_queries(rng, 60, 9, 4, 3)
    values = getattr(metrics, name)(labels, scores, group=sizes, k=k, ties="order", per_query=True)
    for value, y, s in zip(values, split(labels, sizes), split(scores, sizes), strict=True):
        cut = len(y) if k is None else k
        order = sorted(range(len(s)), key=lambda i, s=s: -s[i])
        ranked = [y[i] for i in order]
        expected = plain_ndcg(ranked, cut) if name == "ndcg" else PLAIN[name]([int(v >= 1) for v in ranked], cut)
        assert value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", [*PLAIN, "ndcg"])
def test_the_value_under_ties_is_the_mean_over_row_orders(name):
    """The value is the mean of ties="order" over shuffled rows, also for long runs of tied rows."""
    rng = np.random.default_rng(9)
    labels = (rng.random(40) < 0.2).astype(float)
    scores = np.repeat([2.0, 1.0], [10, 30])
    metric = getattr(metrics, name)
    order = np.array([rng.permutation(40) for _ in range(2000)])
    draws = metric(labels[order], scores[order], k=15, ties="order", per_query=True)
    error = np.std(draws) / np.sqrt(len(draws))
    assert metric(labels, scores, k=15) == pytest.approx(np.mean(draws), abs=5 * error + 1e-12)


@pytest.mark.parametrize("k", [None, 1, 2, 5, 100])
@pytest.mark.parametrize("n_scores", [1, 3, 1000])
def test_ndcg_agrees_with_scikit_learn(k, n_scores):
    rng = np.random.default_rng(1)
    labels, scores, sizes = random_queries(rng, 50, 30, 5, n_scores)
    exponential = metrics.ndcg(labels, scores, group=sizes, k=k, per_query=True)
    linear = metrics.ndcg(labels, scores, group=sizes, k=k, gain="linear", per_query=True)
    for q, (y, s) in enumerate(zip(split(labels, sizes), split(scores, sizes), strict=True)):
        assert exponential[q] == pytest.approx(ndcg_score([2.0 ** np.array(y) - 1], [s], k=k), abs=1e-12)
        assert linear[q] == pytest.approx(ndcg_score([y], [s], k=k), abs=1e-12)


def test_ndcg_takes_float_labels():
    labels, scores = [0.5, 2.25, 1e-3], [0.2, 0.1, 0.3]
    gains = [2**y - 1 for y in labels]
    dcg = gains[2] / math.log2(2) + gains[0] / math.log2(3) + gains[1] / math.log2(4)
    ideal = gains[1] / math.log2(2) + gains[0] / math.log2(3) + gains[2] / math.log2(4)
    assert metrics.ndcg(labels, scores) == pytest.approx(dcg / ideal, rel=1e-14)


def test_ndcg_takes_labels_up_to_53_or_any_with_the_linear_gain():
    assert metrics.ndcg([53, 0], [0.1, 0.2]) == pytest.approx(1 / math.log2(3), rel=1e-15)
    assert metrics.ndcg([1e300, 0], [0.1, 0.2], gain="linear") == pytest.approx(1 / math.log2(3), rel=1e-15)


def test_the_ideal_order_scores_exactly_one():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 5, 1000).astype(float)
    labels[::10], labels[1::10] = 1.0, 0.0
    group = np.full(100, 10)
    for name in ("ndcg", "average_precision", "recall", "pair_accuracy", "auc", "spearman"):
        assert (metrics.METRICS[name].function(labels, labels, group=group, per_query=True) == 1.0).all()
    assert metrics.ndcg(labels / 7, labels, group=group, gain="linear", per_query=True).max() == 1.0


# Values per query by ranx 0.3.21 and by ir-measures 0.4.3 (pytrec_eval-terrier 0.5.11) on this input.
LABELS = [*(1, 0, 2, 0, 1), *(0, 0, 0, 1), *(1, 1, 0), *(0, 0)]
SCORES = [*(0.31, 0.92, 0.77, 0.54, 0.05), *(0.9, 0.1, 0.4, 0.3), *(0.2, 0.9, 0.4), *(0.5, 0.6)]
GROUP = [5, 4, 3, 2]
THIRD = 0.3333333333333333
VALUES = {
    # ranx: map, map@3, mrr, mrr@1, precision@3, recall@3, hit_rate@2, ndcg@3 (linear gain), ndcg_burges@3
    # ir-measures: AP, AP@3, RR, RR@2, P@3, P@10, R@3, Success@1, Success@2, nDCG@3 (linear gain)
    "map": [0.5333333333333333, THIRD, 0.8333333333333333, 0.0],
    "map@3": [0.16666666666666666, THIRD, 0.8333333333333333, 0.0],
    "mrr": [0.5, THIRD, 1.0, 0.0],
    "mrr@1": [0.0, 0.0, 1.0, 0.0],
    "mrr@2": [0.5, 0.0, 1.0, 0.0],
    "precision@3": [THIRD, THIRD, 0.6666666666666666, 0.0],
    "precision@10": [0.3, 0.1, 0.2, 0.0],
    "recall@3": [THIRD, 1.0, 1.0, 0.0],
    "hit_rate@1": [0.0, 0.0, 1.0, 0.0],
    "hit_rate@2": [1.0, 0.0, 1.0, 0.0],
    "ndcg@3": [0.45819933371607996, 0.5, 0.9197207891481876, 0.0],
    "ndcg@3 linear": [0.4030302838010049, 0.5, 0.9197207891481876, 0.0],
}


@pytest.mark.parametrize("name", VALUES)
def test_values_agree_with_ranx_and_ir_measures(name):
    name, _, linear = name.partition(" ")
    base, _, cut = name.partition("@")
    options = {"gain": "linear"} if linear else {}
    options["k"] = int(cut) if cut else None
    function = metrics.METRICS[base].function
    expected = VALUES[f"{name} {linear}".strip()]
    values = function(LABELS, SCORES, group=GROUP, per_query=True, **options)
    np.testing.assert_allclose(values, expected, rtol=1e-14)
    assert function(LABELS, SCORES, group=GROUP, **options) == pytest.approx(np.mean(expected), rel=1e-14)


@pytest.mark.parametrize("k", [None, 1, 3])
@pytest.mark.parametrize("max_label", [None, 6])
def test_err_agrees_with_a_plain_loop(k, max_label):
    rng = np.random.default_rng(3)
    labels, scores, sizes = random_queries(rng, 50, 40, 5, 8)
    labels[::7] += 0.5
    values = metrics.err(labels, scores, group=sizes, k=k, max_label=max_label, per_query=True)
    largest = labels.max() if max_label is None else max_label
    for value, y, s in zip(values, split(labels, sizes), split(scores, sizes), strict=True):
        order = sorted(range(len(s)), key=lambda i, s=s: -s[i])
        ranked = [y[i] for i in order]
        assert value == pytest.approx(plain_err(ranked, k or len(y), largest), rel=1e-13)


def test_err_agrees_with_a_worked_example():
    # Grades 3, 2, 4 of at most 4: R = 7/16, 3/16, 15/16.
    expected = 7 / 16 + (9 / 16) * (3 / 16) / 2 + (9 / 16) * (13 / 16) * (15 / 16) / 3
    assert metrics.err([3, 2, 4], [3, 2, 1]) == pytest.approx(expected, rel=1e-15)


label_lists = st.lists(
    st.tuples(st.sampled_from([-2.5, -1.0, 0.0, 0.25, 1.0, 1.5, 3.0]), st.sampled_from([-1.0, -0.0, 0.0, 0.5, 2.0])),
    min_size=2,
    max_size=25,
)


@settings(max_examples=50, deadline=None)
@given(st.lists(label_lists, min_size=1, max_size=6))
def test_pair_accuracy_is_the_share_of_right_pairs(queries):
    labels = [y for query in queries for y, _ in query]
    scores = [s for query in queries for _, s in query]
    sizes = [len(query) for query in queries]
    for ties, tied_pair in (("average", 0.5), ("wrong", 0.0)):
        values = metrics.pair_accuracy(labels, scores, group=sizes, ties=ties, per_query=True)
        for value, query in zip(values, queries, strict=True):
            y, s = zip(*query, strict=True)
            if len(set(y)) == 1:
                assert np.isnan(value)
            else:
                assert value == pytest.approx(plain_pair_accuracy(y, s, tied_pair), abs=1e-14)


@pytest.mark.parametrize("n_labels", [2, 3, 7, 300, 10**9])
def test_pair_accuracy_of_longer_lists_is_the_share_of_right_pairs(n_labels):
    rng = np.random.default_rng(4)
    sizes = [300, 1, 2, 150]
    labels = rng.integers(0, n_labels, sum(sizes)) * 0.1 - 1e6
    scores = np.round(labels * 1e-9 + rng.normal(size=labels.size), 1)
    values = metrics.pair_accuracy(labels, scores, group=sizes, per_query=True)
    for q, (y, s) in enumerate(zip(split(labels, sizes), split(scores, sizes), strict=True)):
        if len(set(y)) > 1:
            assert values[q] == pytest.approx(plain_pair_accuracy(y, s), abs=1e-14)


@pytest.mark.parametrize("relevant", [1.0, 2, 0.5])
@pytest.mark.parametrize("n_scores", [1, 3, 1000])
def test_auc_agrees_with_scikit_learn(relevant, n_scores):
    rng = np.random.default_rng(5)
    labels, scores, sizes = random_queries(rng, 40, 30, 4, n_scores)
    labels[np.cumsum(sizes) - sizes] = 3.0
    values = metrics.auc(labels, scores, group=sizes, relevant=relevant, per_query=True)
    for value, y, s in zip(values, split(labels, sizes), split(scores, sizes), strict=True):
        assert value == pytest.approx(roc_auc_score(np.array(y) >= relevant, s), abs=1e-14)


@pytest.mark.parametrize("n_scores", [2, 5, 10**6])
def test_spearman_agrees_with_scipy(n_scores):
    rng = np.random.default_rng(6)
    sizes = rng.integers(5, 60, 30)
    labels = np.round(rng.normal(size=sizes.sum()), 1)
    scores = rng.integers(0, n_scores, sizes.sum()) * 1e-3
    values = metrics.spearman(labels, scores, group=sizes, per_query=True)
    for value, y, s in zip(values, split(labels, sizes), split(scores, sizes), strict=True):
        expected = 0.0 if len(set(s)) == 1 else spearmanr(y, s).statistic
        assert value == pytest.approx(expected, abs=1e-13)


def test_spearman_of_constant_scores_is_zero():
    values = metrics.spearman([1, 2, 3, 1, 1], [5, 5, 5, 1, 2], group=[3, 2], per_query=True)
    assert values[0] == 0.0
    assert np.isnan(values[1])


def test_a_row_is_relevant_if_its_label_reaches_the_threshold():
    labels, scores = [0.1, 0.4, 0.3], [3, 2, 1]
    assert metrics.reciprocal_rank(labels, scores, relevant=0.4) == 1 / 2
    assert metrics.reciprocal_rank(labels, scores, relevant=0.3) == 1 / 2
    assert metrics.precision(labels, scores, relevant=0.3, k=2) == 1 / 2
    assert metrics.recall([-1, 0, 0], scores, relevant=0.0, k=2) == 1 / 2
    # A label in float32 reaches a threshold in float64 that is written with the same digits.
    assert metrics.recall(np.float32([0.1, 0.3]), np.float32([1, 2]), relevant=0.3, k=1) == 1.0


def test_zero_and_negative_zero_are_tied():
    assert metrics.reciprocal_rank([1, 0], [-0.0, 0.0]) == 0.75
    assert metrics.pair_accuracy([-0.0, 0.0, 1.0], [3, 1, 2]) == 0.5

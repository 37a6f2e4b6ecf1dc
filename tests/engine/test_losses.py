"""The CPU engine's sums of each loss: the definition's, for hostile scores, and for queries of any size."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from _support.engines import assert_matches_reference, cpu_engine, plan_of, reference_engine, spec_of
from _support.objectives import LOSSES, NORMALIZERS
from sklearn.base import clone

from gbdt_pairloss import BPR, PairwiseExponential, PairwiseHinge
from gbdt_pairloss.engine.cpu.separable import SEPARABLE_LOSSES
from gbdt_pairloss.engine.reference import ReferenceEngine
from gbdt_pairloss.engine.select import select_cpu_engine

#: The losses that the CPU engine sums faster than pair by pair, beside the logistic one.
SUMMED = ["hinge", "squared", "exponential", "soft zero-one"]
LABELS = ["grades", "binary", "distinct", "near a million", "one winner"]


def labels_of(kind, n, rng):
    return {
        "grades": rng.choice(5, size=n, p=[0.52, 0.32, 0.134, 0.018, 0.008]).astype(float),
        "binary": (rng.random(n) < 0.02).astype(float),
        "distinct": rng.standard_normal(n),
        "near a million": 1e6 + rng.choice(7, size=n) / 8,
        "one winner": (np.arange(n) == n // 3).astype(float),
    }[kind]


SCORES = {
    "normal": lambda n, rng: 1.5 * rng.standard_normal(n),
    "ties": lambda n, rng: np.round(rng.standard_normal(n)),
    "far from 0": lambda n, rng: 1e7 + rng.standard_normal(n),
    "constant": lambda n, rng: np.full(n, 0.3),
    "an outlier": lambda n, rng: np.where(np.arange(n) == 5, 40.0, rng.standard_normal(n)),
    "two clusters": lambda n, rng: np.where(rng.random(n) < 0.5, 10.0, -10.0) + rng.standard_normal(n),
}

SIZES = [1, 2, 3, 17, 150, 700]


def covering_grid():
    """Return all combinations of loss, labels and scores, with one pair weight each; the other one is slow."""
    for triple in itertools.product(range(len(SUMMED)), range(len(LABELS)), range(len(SCORES))):
        for k, pair_weight in enumerate(("uniform", "label_diff")):
            name, labels, scores = (kinds[i] for kinds, i in zip((SUMMED, LABELS, list(SCORES)), triple, strict=True))
            marks = [] if sum(triple) % 2 == k else [pytest.mark.slow]
            yield pytest.param(name, labels, scores, pair_weight, marks=marks)


@pytest.mark.parametrize(("name", "labels", "scores", "pair_weight"), list(covering_grid()))
def test_fast_sums_agree_with_the_definition(name, labels, scores, pair_weight) -> None:
    """Losses of rows, gradients and Hessians, of queries of 1 to 700 rows with weights of 0."""
    rng = np.random.default_rng(0)
    n = sum(SIZES)
    y, s = labels_of(labels, n, rng), SCORES[scores](n, rng)
    w, v = np.where(rng.random(n) < 0.2, 0.0, rng.uniform(0.1, 5, n)), rng.uniform(0, 2, n)
    objective = clone(LOSSES[name][0]).set_params(
        pair_weight=pair_weight, normalize="log", temperature=0.7, ignore_negative_labels=False
    )
    plan, spec = plan_of(objective, y, s, group=SIZES, sample_weight=w, loser_weight=v), spec_of(objective)
    exact = ReferenceEngine()
    query = np.repeat(np.arange(len(SIZES)), SIZES)
    actual = objective.gradient_hessian(y, s, group=SIZES, sample_weight=w, loser_weight=v)
    losses = objective.loss(y, s, group=SIZES, sample_weight=w, loser_weight=v, reduction="none")
    expected = [*exact.gradient_hessian(plan, s, spec), exact.winner_loss(plan, s, spec)[0]]
    for array, other in zip((*actual, losses), expected, strict=True):
        largest = np.zeros(len(SIZES))
        np.maximum.at(largest, query, np.abs(other))
        assert np.isfinite(array).all()
        # Differences of scores of 1e7 have an accuracy of 1e-9; sums by moments lose the square of that.
        bound = {"far from 0": 1e-7}.get(scores, 1e-11)
        assert (np.abs(array - other) <= bound * largest[query]).all()


@pytest.mark.parametrize("name", SUMMED)
def test_a_query_of_200_000_rows(name) -> None:
    # 2e10 pairs: too many for a sum pair by pair.
    rng = np.random.default_rng(2)
    n = 200_000
    y, s = rng.standard_normal(n), rng.standard_normal(n).astype(np.float32)
    gradient, hessian = (
        clone(LOSSES[name][0]).set_params(ignore_negative_labels=False, normalize="query").gradient_hessian(y, s)
    )
    assert gradient.dtype == np.float32
    assert abs(gradient.sum(dtype=float)) <= 1e-6 * np.abs(gradient).sum(dtype=float)
    assert (hessian > 0).mean() > 0.99
    assert np.corrcoef(-gradient, y)[0, 1] > 0.3


def losses_with_normalizers():
    """Return all combinations of loss and normaliser; one normaliser of each loss is not slow."""
    for i, name in enumerate(["logistic", *SUMMED]):
        for k, normalize in enumerate(NORMALIZERS):
            yield pytest.param(name, normalize, marks=[] if i % 3 == k else [pytest.mark.slow])


@pytest.mark.parametrize(("name", "normalize"), list(losses_with_normalizers()))
def test_a_query_of_150_000_rows_with_a_callable_pair_weight(name, normalize) -> None:
    rng = np.random.default_rng(2)
    n = 150_000
    y, s = rng.choice(30, n).astype(float), rng.standard_normal(n).astype(np.float32)
    objective = clone(LOSSES[name][0]).set_params(normalize=normalize, pair_weight=lambda a, b: 1 / (1 + a))
    gradient, hessian = objective.gradient_hessian(y, s)
    assert abs(gradient.sum(dtype=float)) <= 1e-6 * np.abs(gradient).sum(dtype=float)
    assert (hessian > 0).mean() > 0.99


#: Labels of a query that all threads share: long runs, runs of one row, and both.
SHARED_LABELS = {
    "binary": lambda n, rng: (rng.random(n) < 0.5).astype(float),
    "grades": lambda n, rng: rng.integers(0, 5, n).astype(float),
    "distinct": lambda n, rng: rng.uniform(0, 4, n),
    "a long run among short ones": lambda n, rng: np.where(rng.random(n) < 0.6, 1.0, rng.uniform(0, 4, n)),
}


def sums_by_thread(plan, scores, spec):
    """Return the sums and the losses on one thread, after asserting that any number of threads has the same bits."""
    results = []
    for n_threads in (1, 2, 5):
        engine = select_cpu_engine(n_threads, plan, spec)
        results.append([engine.sums(plan, scores, spec, np.float64, loss=loss) for loss in (False, True)])
    for other in results[1:]:
        for sums, expected in zip(other, results[0], strict=True):
            for array, exact in zip(sums, expected, strict=True):
                np.testing.assert_array_equal(array, exact)
    return results[0]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("labels", SHARED_LABELS)
@pytest.mark.parametrize("name", SEPARABLE_LOSSES)
def test_rows_of_a_query_that_threads_share(name, labels, weighted) -> None:
    rng = np.random.default_rng(4)
    n = 100_000
    y, s = SHARED_LABELS[labels](n, rng), 1.5 * rng.standard_normal(n).round(4)
    given = {"sample_weight": rng.random(n), "loser_weight": rng.random(n)} if weighted else {}
    objective = clone(LOSSES[name][0]).set_params(temperature=0.7, pair_weight="label_diff" if weighted else "uniform")
    plan, spec = plan_of(objective, y, s, **given), spec_of(objective)
    sums, losses = sums_by_thread(plan, s, spec)
    w = given.get("sample_weight", np.ones(n))
    v = given.get("loser_weight", np.ones(n))
    actual = [sums.first, sums.second, losses.first, losses.second]
    for i in rng.integers(0, n, 10):
        loses, wins = y < y[i], y > y[i]
        own = w[i] * v[loses] * (y[i] - y[loses] if weighted else 1)
        other = w[wins] * v[i] * (y[wins] - y[i] if weighted else 1)
        value, first, second = spec.pair_loss.derivatives((s[i] - s[loses]) / 0.7)
        _, first_of_winners, second_of_winners = spec.pair_loss.derivatives((s[wins] - s[i]) / 0.7)
        expected = [
            ((own * first).sum() - (other * first_of_winners).sum()) / 0.7,
            ((own * second).sum() + (other * second_of_winners).sum()) / 0.7**2,
            (own * value).sum(),
            (own * np.ones(loses.sum())).sum(),
        ]
        for array, exact in zip(actual, expected, strict=True):
            assert abs(array[i] - exact) <= 1e-11 * np.abs(array).max()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", SEPARABLE_LOSSES)
def test_the_sum_of_slopes_of_a_query_that_threads_share(name, weighted) -> None:
    rng = np.random.default_rng(5)
    n, winners = 80_000, np.arange(100, 300)
    y, s = np.zeros(n), rng.standard_normal(n)
    y[winners] = rng.uniform(1, 3, winners.size)
    weight = rng.random(n) if weighted else None
    objective = clone(LOSSES[name][0]).set_params(normalize="log", pair_weight="label_diff")
    plan, spec = plan_of(objective, y, s, sample_weight=weight), spec_of(objective)
    sums, _ = sums_by_thread(plan, s, spec)
    expected = 0.0
    for i in winners:
        loses = y < y[i]
        slopes = spec.pair_loss.derivatives((s[i] - s[loses]) / spec.temperature)[1]
        expected += ((y[i] - y[loses]) * np.abs(slopes)).sum() / spec.temperature
    assert sums.lambda_sum[0] == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("objective", [PairwiseHinge(), PairwiseHinge(pair_weight="ndcg"), BPR(negatives=2)])
def test_row_numbers_of_64_bits_change_no_bit(objective) -> None:
    rng = np.random.default_rng(6)
    y, s = rng.integers(0, 2, 300).astype(float), rng.standard_normal(300)
    plan, spec = plan_of(objective, y, s, group=[100, 200]), spec_of(objective)
    wide = replace(plan, rows=plan.rows.astype(np.int64))
    assert plan.rows.dtype == np.int32
    for loss in (False, True):
        expected = select_cpu_engine(1, plan, spec).sums(plan, s, spec, np.float64, loss=loss)
        for array, exact in zip(
            select_cpu_engine(1, wide, spec).sums(wide, s, spec, np.float64, loss=loss), expected, strict=True
        ):
            np.testing.assert_array_equal(array, exact)


@pytest.mark.parametrize("n", [3000, 100_000])
def test_the_exponential_loss_of_scores_that_span_hundreds_of_temperatures(n) -> None:
    """Sums of e^score would leave the range of float64; the losses do not."""
    rng = np.random.default_rng(7)
    y, s = np.zeros(n), rng.uniform(-700, 0, n)
    winners = rng.choice(n, 50, replace=False)
    y[winners] = rng.uniform(1, 3, 50)
    s[winners] = rng.uniform(0, 700, 50)
    weight = rng.random(n)
    objective = clone(LOSSES["exponential"][0]).set_params(normalize="log", temperature=1.0)
    plan, spec = plan_of(objective, y, s, loser_weight=weight), spec_of(objective)
    sums, losses = sums_by_thread(plan, s, spec)
    d = s[winners][:, None] - s
    loss = np.where(y[winners][:, None] > y, np.exp(-np.where(y[winners][:, None] > y, d, 0.0)), 0.0)
    expected = (loss * weight).sum(axis=0)
    expected[winners] -= (loss * weight).sum(axis=1)
    np.testing.assert_allclose(sums.first, expected, rtol=1e-9, atol=0)
    np.testing.assert_allclose(losses.first[winners], (loss * weight).sum(axis=1), rtol=1e-11)
    assert sums.lambda_sum[0] == pytest.approx(loss.sum(), rel=1e-11)


def test_a_pair_without_weight_may_have_an_infinite_loss() -> None:
    """The loss of the pair of rows 1 and 2 is infinite; neither truncation nor a weight of 0 lets it count."""
    truncated = PairwiseExponential(pair_weight="ndcg", truncation=1, normalize="log")
    with np.errstate(over="ignore"):
        assert_matches_reference(cpu_engine, truncated, [2, 1, 0], np.array([800.5, 0, 800]), np.float64, group=[3])
        for engine in (cpu_engine, reference_engine):
            objective, scores = PairwiseExponential(normalize="none"), np.array([0.0, 800, 800])
            plan = plan_of(objective, np.array([1.0, 1, 0]), scores, group=[3], sample_weight=np.array([0.0, 1, 1]))
            spec = spec_of(objective)
            gradient, _ = engine(plan, spec).gradient_hessian(plan, scores, spec, np.float64)
            assert gradient[0] == 0
            assert gradient[1] < 0
            np.testing.assert_allclose(gradient[1], -gradient[2])

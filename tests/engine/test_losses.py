"""The CPU engine's sums of each loss: the definition's, for hostile scores, and for queries of any size."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from _support.engines import plan_of, spec_of
from _support.objectives import LOSSES, NORMALIZERS
from sklearn.base import clone

from gbdt_pairloss.engine.reference import ReferenceEngine

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

"""Every objective sums what its definition says, pair by pair: random problems with weights, masks and parameters."""

from __future__ import annotations

import numpy as np
import pytest
from _support.contract import WeightedProblem, weighted_problems
from _support.explicit_pairs import cases
from _support.objectives import (
    LOSSES,
    PAIR_WEIGHTS,
    assert_close,
    by_definition,
    pairs_of_labels,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from gbdt_pairloss import PairwiseLogistic


def assert_agrees(name: str, pair_weight: str, p: WeightedProblem) -> None:
    """Compare loss, gradient and Hessian of the labels' pairs with the definition."""
    objective, formula = LOSSES[name]
    parameter, phi = PAIR_WEIGHTS[pair_weight]
    objective = clone(objective).set_params(pair_weight=parameter, ignore_negative_labels=False, **p.parameters)
    y = (p.y > 0).astype(float) if name == "bpr" else p.y
    pairs = pairs_of_labels(y, p.codes)
    weights = np.array([phi(y[i], y[j]) for i, j in zip(*pairs, strict=True)])
    expected = by_definition(formula, p.s, p.codes, pairs, phi=weights, **p.weights)
    gradient, hessian = objective.gradient_hessian(p.y, p.s, **p.arguments)
    # A gradient is a sum of numbers of the size of the largest, which cancel.
    scale = np.abs([expected.gradient, expected.hessian]).max(initial=0.0)
    atol = 1e-12 * (min(1.0, scale) if name in ("logistic", "bpr") and pair_weight == "uniform" else max(1.0, scale))
    np.testing.assert_allclose(gradient, expected.gradient, rtol=1e-9, atol=max(atol, 1e-15))
    np.testing.assert_allclose(hessian, expected.hessian, rtol=1e-9, atol=max(atol, 1e-15))
    assert objective.loss(p.y, p.s, **p.arguments) == pytest.approx(expected.loss, rel=1e-9, abs=max(atol, 1e-15))
    # The losers of a query gain what its winners lose.
    total, magnitude = (np.bincount(p.codes, values, len(p.sizes)) for values in (gradient, np.abs(gradient)))
    assert (np.abs(total) <= 1e-12 * magnitude).all()
    assert (hessian >= 0).all()


@settings(max_examples=150, deadline=None)
@given(weighted_problems())
def test_the_logistic_loss_over_the_pairs_of_labels(p) -> None:
    """The default objective, on the most examples."""
    assert_agrees("logistic", "uniform", p)


@pytest.mark.parametrize("pair_weight", PAIR_WEIGHTS)
@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=12, deadline=None)
@given(weighted_problems(signed=False))
def test_every_loss_over_the_pairs_of_labels_with_every_pair_weight(name, pair_weight, p) -> None:
    """Pair weights of labels from 0; the losses' own parameters at their defaults, and a wider margin."""
    assert_agrees(name, pair_weight, p)


@settings(max_examples=150, deadline=None)
@given(cases(), st.integers(1, 40))
def test_explicit_pairs(case, n_pairs) -> None:
    """Pairs that contradict each other and the labels, some listed more than once, some of weight 0."""
    pairs = case.any_pairs(n_pairs)
    loss, gradient, hessian = case.by_hand(pairs)
    actual = case.objective.gradient_hessian(case.y, case.s, pairs=pairs, **case.arguments)
    assert_close(actual, (gradient, hessian))
    assert case.objective.loss(case.y, case.s, pairs=pairs, **case.arguments) == pytest.approx(
        loss, rel=1e-9, abs=1e-12
    )


def test_a_query_that_is_summed_in_parts_agrees_with_a_matrix_of_all_pairs() -> None:
    rng = np.random.default_rng(3)
    n = 2500
    y, s, w = rng.normal(size=n), rng.normal(size=n), rng.uniform(size=n)
    wins = y[:, None] > y[None, :]
    wrong = 1 / (1 + np.exp(s[:, None] - s[None, :]))
    slope = np.where(wins, w[:, None] * wrong, 0)
    gradient, hessian = PairwiseLogistic(normalize="none", ignore_negative_labels=False).gradient_hessian(
        y, s, sample_weight=w
    )
    np.testing.assert_allclose(gradient, slope.sum(axis=0) - slope.sum(axis=1), rtol=1e-9, atol=1e-9)
    curvature = slope * (1 - wrong)
    np.testing.assert_allclose(hessian, curvature.sum(axis=0) + curvature.sum(axis=1), rtol=1e-9)

"""The pairwise mean squared error: all pairs of rows, equal labels among them, in both directions."""

from __future__ import annotations

import numpy as np
import pytest
from _support.contract import weighted_problems
from _support.engines import SCORES, assert_matches_reference, cpu_engine, labels_of, scores_of, some_zero
from _support.objectives import by_definition
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdt_pairloss import PairwiseMeanSquaredError, get_objective


def residual_squared(d):
    """Return d^2 and its derivatives."""
    return d**2, 2 * d, np.full(np.shape(d), 2.0)


def all_pairs(codes):
    """Return all pairs of two rows within queries, in both directions."""
    return np.nonzero((codes[:, None] == codes) & ~np.eye(codes.size, dtype=bool))


@settings(max_examples=100, deadline=None)
@given(weighted_problems(), st.sampled_from(["query", "none"]))
def test_the_sum_over_all_pairs_by_hand(p, normalize) -> None:
    given = {**p.weights, "normalize": "none"}
    temperature = given.pop("temperature")
    takes_part = np.ones(p.y.size, dtype=bool) if p.mask is None else p.mask
    rows = np.maximum(np.bincount(p.codes, takes_part, len(p.sizes)), 1)
    if normalize == "query":  # divided by the rows that take part
        given["q"] = np.broadcast_to(given["q"], rows.shape) / rows
    expected = by_definition(residual_squared, p.s / temperature - p.y, p.codes, all_pairs(p.codes), **given)
    objective = PairwiseMeanSquaredError(
        **{**p.parameters, "normalize": normalize}, ignore_negative_labels=False, hessian_scale=2.0
    )
    gradient, hessian = objective.gradient_hessian(p.y, p.s, **p.arguments)
    scale = np.abs(expected.gradient).max(initial=0.0)
    np.testing.assert_allclose(gradient, expected.gradient / temperature, rtol=1e-9, atol=1e-12 * scale)
    np.testing.assert_allclose(hessian, 2 * expected.hessian / temperature**2, rtol=1e-9)
    assert objective.loss(p.y, p.s, **p.arguments) == pytest.approx(expected.loss, rel=1e-9, abs=1e-12)
    mean = expected.loss / expected.weight if expected.weight > 0 else 0.0
    assert objective.loss(p.y, p.s, reduction="pair_weights", **p.arguments) == pytest.approx(mean, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("item_weight", ["winner", "both"])
def test_gradient_and_hessian_are_the_derivatives_of_the_loss(item_weight) -> None:
    rng = np.random.default_rng(0)
    y, s = rng.integers(0, 3, 12).astype(float), rng.normal(size=12)
    given = {"group": [5, 7], "sample_weight": rng.uniform(0, 2, 12), "loser_weight": rng.uniform(0, 2, 12)}
    objective = PairwiseMeanSquaredError(temperature=0.7, item_weight=item_weight)
    gradient, hessian = objective.gradient_hessian(y, s, **given)
    for row in range(12):
        step = 1e-3 * (np.arange(12) == row)
        above, here, below = (objective.loss(y, s + k * step, **given) for k in (1, 0, -1))
        assert gradient[row] == pytest.approx((above - below) / 2e-3, rel=1e-7)  # the loss is a parabola
        assert hessian[row] == pytest.approx((above - 2 * here + below) / 1e-6, rel=1e-4)


def test_by_query_it_is_twice_the_squared_error_about_the_mean() -> None:
    rng = np.random.default_rng(1)
    sizes = [4, 1, 9]
    codes = np.repeat(np.arange(3), sizes)
    y, s = rng.normal(size=14), rng.normal(size=14)
    error = s - y
    error -= (np.bincount(codes, error) / sizes)[codes]
    objective = PairwiseMeanSquaredError(ignore_negative_labels=False)
    gradient, hessian = objective.gradient_hessian(y, s, group=sizes)
    assert objective.loss(y, s, group=sizes) == pytest.approx(2 * (error**2).sum())
    np.testing.assert_allclose(gradient, 4 * error, atol=1e-12)
    np.testing.assert_allclose(hessian, 4 * (1 - 1 / np.array(sizes))[codes])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scores", SCORES)
@pytest.mark.parametrize("labels", ["grades", "near a million", "distinct"])
def test_hostile_scores_and_labels_by_the_definition(labels, scores, dtype) -> None:
    rng = np.random.default_rng(2)
    sizes = [1, 2, 3, 40, 1100 if scores.endswith("outlier") else 300]
    y = labels_of(labels, sum(sizes), rng)
    s = scores_of(scores, y, sizes, rng)
    weights = {"sample_weight": some_zero(y.size, rng), "loser_weight": some_zero(y.size, rng)}
    for normalize, temperature, some in (("query", 1.0, {}), ("query", 0.3, weights), ("none", 0.3, weights)):
        objective = PairwiseMeanSquaredError(normalize=normalize, temperature=temperature, ignore_negative_labels=False)
        mask = rng.random(y.size) < 0.9
        assert_matches_reference(cpu_engine, objective, y, s, dtype, group=sizes, mask=mask, **some)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_long_query_by_the_definition(weighted) -> None:
    rng = np.random.default_rng(4)
    y, s = rng.normal(size=5000), rng.normal(size=5000)
    objective = PairwiseMeanSquaredError(ignore_negative_labels=False)
    weight = some_zero(y.size, rng) if weighted else None
    assert_matches_reference(cpu_engine, objective, y, s, group=[5000], sample_weight=weight)


def test_rows_of_little_or_no_weight_cost_the_others_no_digits() -> None:
    y, s = np.array([0.0, 1.0, 2.0, 0.0]), np.array([1e20, 0.5, -0.3, -1e308])
    weight = np.array([1e-30, 1.0, 2.0, 0.0])
    objective = PairwiseMeanSquaredError(item_weight="both", temperature=0.01)
    assert_matches_reference(cpu_engine, objective, y, s, np.float64, group=[4], sample_weight=weight)


def test_results_do_not_depend_on_threads_to_the_last_bit() -> None:
    rng = np.random.default_rng(3)
    sizes = [300_000, *([40] * 10_000)]
    y, s = rng.normal(size=sum(sizes)), rng.normal(size=sum(sizes))
    one, three = (
        PairwiseMeanSquaredError(ignore_negative_labels=False, n_threads=n).gradient_hessian(y, s, group=sizes)
        for n in (1, 3)
    )
    np.testing.assert_array_equal(three, one)


def test_a_query_of_equal_labels_is_trained_on() -> None:
    gradient, _ = PairwiseMeanSquaredError().gradient_hessian([1.0, 1.0], [0.0, 1.0])
    np.testing.assert_allclose(gradient, [-2.0, 2.0])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"normalize": "log"}, "normalize must be one of 'query', 'none'; got 'log'"),
        ({"temperature": 0}, "temperature must be a finite number above 0"),
    ],
)
def test_bad_parameters(params, message) -> None:
    with pytest.raises(ValueError, match=message):
        PairwiseMeanSquaredError(**params)
    with pytest.raises(ValueError, match=message):
        PairwiseMeanSquaredError().set_params(**params)


@pytest.mark.parametrize("name", ["pair_weight", "truncation", "rank_noise", "gain", "random_state"])
def test_parameters_of_weights_of_pairs_are_unknown(name) -> None:
    with pytest.raises(TypeError, match=name):
        get_objective("pairwise_mean_squared_error", **{name: None})
    with pytest.raises(ValueError, match=name):
        PairwiseMeanSquaredError().set_params(**{name: None})


def test_explicit_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="explicit pairs do not say by how much"):
        PairwiseMeanSquaredError().gradient_hessian([0.0, 0.0], [0.0, 1.0], pairs=([0], [1]))


def test_bad_scores_are_named() -> None:
    with pytest.raises(ValueError, match="y_pred is nan at row 1"):
        PairwiseMeanSquaredError().gradient_hessian([0.0, 0.0, 1.0], [0.0, np.nan, 1.0])

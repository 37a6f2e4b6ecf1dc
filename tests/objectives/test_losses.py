"""The losses: other libraries' formulas and examples, the exponential loss's range, and a loss of the user's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from _support.objectives import sigma, squared_hinge

from gbdt_pairloss import (
    PairwiseCustom,
    PairwiseExponential,
    PairwiseHinge,
    PairwiseSoftZeroOne,
    PairwiseSquared,
)

# A list of labels and scores, and the differences of scores of its pairs.
LABELS, SCORES = (1, 0, 1, 3), (1.0, 3.0, 2.0, 4.0)
DIFFERENCES = (1.0 - 3.0, 2.0 - 3.0, 4.0 - 1.0, 4.0 - 3.0, 4.0 - 2.0)


def total(objective) -> float:
    """Return the plain sum of the losses of the list."""
    return objective.set_params(normalize="none").loss(LABELS, SCORES)


def test_hinge_of_keras_rs_and_rax() -> None:
    expected = sum(max(1 - d, 0.0) for d in DIFFERENCES)  # PairwiseHingeLoss; pairwise_hinge_loss
    assert total(PairwiseHinge()) == pytest.approx(expected, rel=1e-12)
    hot = sum(max(1 - d / 2, 0.0) for d in DIFFERENCES)
    assert total(PairwiseHinge(temperature=2.0)) == pytest.approx(hot, rel=1e-12)


def test_soft_zero_one_of_keras_rs_and_tf_ranking() -> None:
    expected = sum(1 - sigma(d) if d > 0 else sigma(-d) for d in DIFFERENCES)  # PairwiseSoftZeroOneLoss
    assert total(PairwiseSoftZeroOne()) == pytest.approx(expected, rel=1e-12)


def test_keras_rs_prints_a_hinge_row_in_the_example_of_its_logistic_loss() -> None:
    rows = PairwiseHinge(normalize="none").loss([0, 1, 2, 3], [1.0, 1.8, 2.0, 3.0], reduction="none")
    np.testing.assert_allclose(rows, [0, 0.2, 0.8, 0], atol=1e-12)


def phi(pair_weight, winner, loser) -> float:
    """Return the weight of one pair: weights of rows remove all others, and the slope of the loss is -1."""
    slope = PairwiseCustom(lambda d: (-d, -np.ones_like(d), np.ones_like(d)), pair_weight=pair_weight, normalize="none")
    rows = np.arange(4)
    gradient, _ = slope.gradient_hessian(LABELS, SCORES, sample_weight=rows == winner, loser_weight=rows == loser)
    return -gradient[winner]


def test_pair_weights_of_rax_and_tf_ranking() -> None:
    # dcg_lambdaweight on this list, Rax 0.4.0: without its normalisation, times 4, the length of the list.
    rax = {(0, 1): 0.801013, (3, 0): 13.66376, (2, 1): 0.523719, (3, 1): 10.33397, (3, 2): 12.0}
    ideal = 7 + 1 / math.log2(3) + 1 / math.log2(4)
    for pair, expected in rax.items():
        assert 4 * ideal * phi("ndcg", *pair) == pytest.approx(expected, rel=1e-6)
    # labeldiff_lambdaweight and TF-Ranking's LabelDiffLambdaWeight: |y_i - y_j|.
    assert [phi("label_diff", *pair) for pair in rax] == pytest.approx([1, 2, 1, 3, 2], rel=1e-12)


def test_exponential_loss_of_scores_too_far_apart_in_the_wrong_order_is_an_error() -> None:
    objective = PairwiseExponential(normalize="none")
    message = "the exponential loss overflows at row 2, of query 1 .* span 1e[+]03 temperatures.*Raise the temperature"
    with pytest.raises(ValueError, match=message):
        objective.gradient_hessian([1, 0, 1, 0], [0.0, 0.0, -500.0, 500.0], group=[2, 2])
    with pytest.raises(ValueError, match="overflows"):
        objective.loss([1, 0, 1, 0], [0.0, 0.0, -500.0, 500.0], group=[2, 2])
    with pytest.raises(ValueError, match="leaves the range of float32"):
        objective.gradient_hessian([1, 0], np.array([-50, 50], dtype=np.float32))


def test_exponential_loss_of_scores_as_far_apart_in_the_right_order_is_not() -> None:
    gradient, _ = PairwiseExponential(normalize="none").gradient_hessian([2, 1, 0, 0], [1e5, 0.0, -1e5, -1e5 - 1])
    np.testing.assert_array_equal(gradient, [0, 0, 0, 0])
    gradient, _ = PairwiseExponential(normalize="none").gradient_hessian([2, 1, 0], [900.0, 0.0, 1.0])
    np.testing.assert_allclose(gradient, [0, -math.e, math.e], rtol=1e-12)


def test_a_weight_of_0_removes_a_pair_that_overflows() -> None:
    gradient, _ = PairwiseExponential(normalize="none").gradient_hessian(
        [1, 0, 1], [-1000.0, 1000.0, 999.0], sample_weight=[0, 1, 1]
    )
    np.testing.assert_allclose(gradient, [0, math.e, -math.e], rtol=1e-12)


def test_a_weight_of_0_does_not_remove_it_from_the_normaliser() -> None:
    """Normalisers count pairs before their weights."""
    with pytest.raises(ValueError, match="the exponential loss overflows at row .*, of query 0"):
        PairwiseExponential(normalize="log").gradient_hessian([1, 0, 1], [0.0, 0.5, -5000.0], sample_weight=[1, 1, 0])


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (
            lambda d: d,
            TypeError,
            "must return the loss and its first and second derivative, three arrays; got a ndarray",
        ),
        (lambda d: (d, d), TypeError, "three arrays; got 2 values"),
        (lambda d: (d, d[:1], d), ValueError, "the first derivative has shape"),
        (lambda d: (d, d * np.nan, d), ValueError, "the first derivative is nan at d = .*; it must be finite"),
        (lambda d: (d, d, -np.ones_like(d)), ValueError, "the second derivative is -1.0 at d = .* a surrogate"),
    ],
)
def test_bad_functions_of_a_custom_loss(function, error, message) -> None:
    with pytest.raises(error, match=message):
        PairwiseCustom(function).gradient_hessian([1, 0, 2], [0.1, 0.2, 0.4])


def test_bad_parameters_of_a_custom_loss() -> None:
    with pytest.raises(ValueError, match="function must be a callable of d, got 3"):
        PairwiseCustom(3)
    with pytest.raises(ValueError, match="name must be a string that is not empty"):
        PairwiseCustom(squared_hinge, name="")


@pytest.mark.parametrize("name", ["logistic", "hinge", "squared", "exponential", "soft_zero_one", "pairwise_hinge"])
def test_the_name_of_a_custom_loss_chooses_nothing(name) -> None:
    """Not even if it is that of one of the package's losses."""
    y, s = [1, 0, 2, 0], [0.1, 0.2, 0.4, 3.0]
    for arguments in ({}, {"pairs": ([0, 2], [1, 3])}):
        plain = PairwiseCustom(squared_hinge).gradient_hessian(y, s, **arguments)
        named = PairwiseCustom(squared_hinge, name=name).gradient_hessian(y, s, **arguments)
        np.testing.assert_array_equal(named, plain)


def test_a_custom_loss_may_return_its_argument() -> None:
    actual = PairwiseCustom(lambda d: (d, d, d**2), pair_weight="label_diff")
    apart = PairwiseCustom(lambda d: (d.copy(), d.copy(), d**2), pair_weight="label_diff")
    y, s = [2, 1, 0], [0.1, 0.2, 0.4]
    np.testing.assert_array_equal(actual.gradient_hessian(y, s), apart.gradient_hessian(y, s))


@pytest.mark.parametrize("objective", [PairwiseHinge, PairwiseSquared])
@pytest.mark.parametrize("margin", [np.nan, np.inf, "1", None, True])
def test_bad_margins(objective, margin) -> None:
    with pytest.raises(ValueError, match="margin must be a finite number"):
        objective(margin=margin)

"""Sums of objectives: gradients and losses of the parts, labels, pairs, parameters, operators and refusals."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone

from gbdt_pairloss import (
    BPR,
    PairwiseCustom,
    PairwiseHinge,
    PairwiseLogistic,
    PairwiseMeanSquaredError,
    WeightedSum,
    get_objective,
)

SIZES = np.array([4, 1, 12, 7, 0, 9])
N = int(SIZES.sum())
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 4, (N, 3)).astype(float)
SCORES = RNG.normal(size=N)
WEIGHTS = {
    "sample_weight": RNG.uniform(0.2, 3, N),
    "loser_weight": RNG.uniform(0.2, 3, N),
    "mask": RNG.random(N) < 0.8,
}
PAIRS = (np.array([0, 5, 9, 30, 18]), np.array([2, 8, 7, 25, 20]), np.array([1.0, 2.0, 0.5, 1.0, 3.0]))
REDUCTIONS = ("sum", "mean", "sum_over_batch_size", "mean_with_sample_weight", "none", "pairs", "pair_weights")

#: Sums with the arguments of their data and those of each part's.
CASES = {
    "one label": (0.7 * PairwiseLogistic() + 0.3 * PairwiseMeanSquaredError(), LABELS[:, 0], [LABELS[:, 0]] * 2),
    "a label for each term": (
        WeightedSum([PairwiseLogistic(), PairwiseHinge(margin=0.5), BPR(threshold=1)], [1, 2, 0.5]),
        LABELS,
        list(LABELS.T),
    ),
    "labels by number": (
        WeightedSum([PairwiseLogistic(pair_weight="ndcg"), PairwiseMeanSquaredError()], [1, 2], labels=[2, 0]),
        LABELS,
        [LABELS[:, 2], LABELS[:, 0]],
    ),
    "the same plan with two weights": (
        WeightedSum([PairwiseLogistic(temperature=0.5), PairwiseLogistic(normalize="query")], [1, 3], labels=[1, 1]),
        LABELS,
        [LABELS[:, 1]] * 2,
    ),
    "grades and pairs": (
        WeightedSum([PairwiseLogistic(), PairwiseLogistic(temperature=2.0)], [1, 2], labels=[0, "pairs"]),
        LABELS[:, 0],
        [LABELS[:, 0], "pairs"],
    ),
    "a term of weight 0": (
        WeightedSum([PairwiseLogistic(), PairwiseHinge()], [0.0, 2.0]),
        LABELS[:, 0],
        [LABELS[:, 0]] * 2,
    ),
}
EACH = pytest.mark.parametrize("case", CASES)


def arguments_of(labels, data):
    """Return labels and arguments of a part, or of a sum that has pairs among its labels."""
    if isinstance(labels, str):
        return np.zeros(N), {**data, "pairs": PAIRS}
    return labels, data


def parts_of(case, method, data, **more):
    """Return the weighted sum of the results of each part's own call."""
    objective, _, labels = CASES[case]
    total = 0
    for part, weight, own in zip(objective.objectives, objective.weights, labels, strict=True):
        y, arguments = arguments_of(own, data)
        total = total + weight * np.array(getattr(part, method)(y, SCORES, **arguments, **more))
    return total


def whole_of(case, method, data, scores=SCORES, **more):
    objective, y, _ = CASES[case]
    pairs = {"pairs": PAIRS} if "pairs" in (objective.labels or []) else {}
    return getattr(objective, method)(y, scores, **data, **pairs, **more)


@EACH
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_are_the_weighted_sums_of_the_parts(case, weighted) -> None:
    data = {"group": SIZES, **(WEIGHTS if weighted else {})}
    actual = whole_of(case, "gradient_hessian", data)
    expected = parts_of(case, "gradient_hessian", data)
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-14)
    single = whole_of(case, "gradient_hessian", data, scores=SCORES.astype(np.float32))
    assert single[0].dtype == single[1].dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=1e-4, atol=1e-5)


@EACH
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_losses_are_the_weighted_sums_of_the_parts(case, reduction) -> None:
    data = {"group": SIZES, **WEIGHTS}
    actual = whole_of(case, "loss", data, reduction=reduction)
    assert actual == pytest.approx(parts_of(case, "loss", data, reduction=reduction), rel=1e-12)
    assert np.shape(actual) == ((N,) if reduction == "none" else ())


def test_the_gradient_is_the_derivative_of_the_loss() -> None:
    terms = [PairwiseLogistic(normalize="none"), PairwiseMeanSquaredError(temperature=0.7)]
    objective = WeightedSum(terms, [2.0, 0.5], labels=[1, 0])
    gradient, hessian = objective.gradient_hessian(LABELS, SCORES, group=SIZES, **WEIGHTS)
    step = 1e-5
    for row in range(N):
        losses, gradients = [], []
        for sign in (1, -1):
            moved = SCORES + sign * step * (np.arange(N) == row)
            losses.append(objective.loss(LABELS, moved, group=SIZES, **WEIGHTS))
            gradients.append(objective.gradient_hessian(LABELS, moved, group=SIZES, **WEIGHTS)[0][row])
        assert (losses[0] - losses[1]) / (2 * step) == pytest.approx(gradient[row], rel=1e-6, abs=1e-7)
        assert hessian[row] >= 0
        assert (gradients[0] - gradients[1]) / (2 * step) == pytest.approx(hessian[row], rel=1e-6, abs=1e-7)


def test_lists_in_rows_of_2d_arrays() -> None:
    y, s = LABELS[:30].reshape(5, 6, 3), SCORES[:30].reshape(5, 6)
    mask = WEIGHTS["mask"][:30].reshape(5, 6)
    objective = WeightedSum([PairwiseLogistic(), PairwiseHinge(), PairwiseMeanSquaredError()], [1, 2, 3])
    gradient, _ = objective.gradient_hessian(y, s, mask=mask)
    assert gradient.shape == s.shape
    parts = zip(objective.objectives, objective.weights, strict=True)
    expected = sum(w * o.gradient_hessian(y[..., k], s, mask=mask)[0] for k, (o, w) in enumerate(parts))
    np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-14)
    # Rows that take no part may hold anything.
    y = np.where(mask[..., None], y, np.nan)
    np.testing.assert_array_equal(objective.gradient_hessian(y, s, mask=mask)[0], gradient)
    # One column is one label.
    same = objective.gradient_hessian(LABELS[:, :1], SCORES, group=SIZES)
    np.testing.assert_array_equal(same, objective.gradient_hessian(LABELS[:, 0], SCORES, group=SIZES))


def test_each_term_has_its_own_rule_for_negative_labels() -> None:
    y = np.column_stack([np.where(LABELS[:, 0] == 0, -1, LABELS[:, 0]), LABELS[:, 1] - 1])
    terms = [PairwiseLogistic(ignore_negative_labels=True), PairwiseHinge(ignore_negative_labels=False)]
    actual = WeightedSum(terms, [1, 1]).gradient_hessian(y, SCORES, group=SIZES)
    parts = [term.gradient_hessian(y[:, k], SCORES, group=SIZES) for k, term in enumerate(terms)]
    np.testing.assert_allclose(actual, np.add(*parts), rtol=1e-12, atol=1e-14)
    terms[1].set_params(ignore_negative_labels=None)
    with pytest.raises(
        ValueError, match=r"term 1 \(pairwise_hinge\), column 1 of the labels: the label is -1.0 at row"
    ):
        WeightedSum(terms, [1, 1]).gradient_hessian(y, SCORES, group=SIZES)


def test_item_ids_are_for_the_terms_that_read_them() -> None:
    ids = np.random.default_rng(3).integers(0, 8, N)
    objective = PairwiseLogistic() + BPR()
    y = LABELS[:, 0]
    actual = objective.gradient_hessian(y, SCORES, group=SIZES, item_id=ids)
    parts = [PairwiseLogistic().gradient_hessian(y, SCORES, group=SIZES)]
    parts.append(BPR().gradient_hessian(y, SCORES, group=SIZES, item_id=ids))
    np.testing.assert_allclose(actual, np.add(*parts), rtol=1e-12, atol=1e-14)
    both = WeightedSum([BPR(), BPR()], [1, 1], labels=[0, "pairs"])
    parts = [BPR().gradient_hessian(y, SCORES, group=SIZES, item_id=ids)]
    parts.append(BPR().gradient_hessian(y, SCORES, group=SIZES, pairs=PAIRS))
    actual = both.gradient_hessian(y, SCORES, group=SIZES, item_id=ids, pairs=PAIRS)
    np.testing.assert_allclose(actual, np.add(*parts), rtol=1e-12, atol=1e-14)
    with pytest.raises(ValueError, match="item_id makes a difference to BPR only, and the objective is weighted_sum"):
        (2 * PairwiseLogistic()).gradient_hessian(y, SCORES, group=SIZES, item_id=ids)


def test_a_term_of_weight_0_may_be_the_one_that_reads_pairs_or_ids() -> None:
    """As in a grid over the weights."""
    objective = WeightedSum([PairwiseLogistic(), PairwiseHinge(), BPR()], [2, 0, 0], labels=[0, "pairs", 0])
    data = {"group": SIZES, "pairs": PAIRS, "item_id": np.arange(N)}
    actual = objective.gradient_hessian(LABELS[:, 0], SCORES, **data)
    expected = np.multiply(PairwiseLogistic().gradient_hessian(LABELS[:, 0], SCORES, group=SIZES), 2)
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-14)


# Operators.


def test_division_by_a_number() -> None:
    a, b = PairwiseLogistic(), PairwiseHinge()
    assert repr((a + 3 * b) / 2) == repr(0.5 * a + 1.5 * b)
    with pytest.raises(ValueError, match="cannot be divided by 0"):
        a / 0
    with pytest.raises(TypeError):
        a / b


def test_operators_make_one_flat_sum() -> None:
    a, b, c = PairwiseLogistic(), PairwiseHinge(), BPR()
    total = 0.5 * a + b * 2 + c
    assert (total.objectives, total.weights, total.labels) == ([a, b, c], [0.5, 2, 1], None)
    total = 2 * (0.5 * a + b) + np.float32(3) * c
    assert (total.objectives, total.weights) == ([a, b, c], [1.0, 2, 3.0])
    total = c + (a + b)
    assert (total.objectives, total.weights) == ([c, a, b], [1, 1, 1])
    assert sum([a, b, c]).objectives == [a, b, c]
    assert sum([a]) is a
    columns = WeightedSum([a, b], [1, 2], labels=[1, 0])
    total = 2 * columns + WeightedSum([c], [3], labels=["pairs"])
    assert (total.weights, total.labels) == ([2, 4, 3], [1, 0, "pairs"])
    with pytest.raises(ValueError, match=r"labels= is set in one summand only.*WeightedSum\(objectives, weights, lab"):
        columns + c


@pytest.mark.parametrize(
    "wrong",
    [
        lambda a: a + 1,
        lambda a: 1 + a,
        lambda a: a * a,
        lambda a: "2" * a,
        lambda a: True * a,
        lambda a: np.ones(2) * a,
        lambda a: a * [0.5],
        lambda a: a + "bpr",
        lambda a: a + PairwiseHinge,
        lambda a: a - a,
    ],
)
def test_operators_refuse_other_operands(wrong) -> None:
    with pytest.raises(TypeError):
        wrong(PairwiseLogistic())


# Parameters.


def test_parameters_of_terms() -> None:
    objective = 0.7 * PairwiseLogistic() + 0.3 * PairwiseHinge(margin=2.0)
    params = objective.get_params()
    assert set(objective.get_params(deep=False)) == {"objectives", "weights", "labels"}
    assert params["0"] is objective.objectives[0]
    assert params["1__margin"] == 2.0
    assert objective.set_params(**{"0__temperature": 3.0, "weights": [1, 2], "1__margin": 0.5}) is objective
    assert objective.objectives[0].temperature == 3.0
    assert objective.objectives[1].margin == 0.5
    assert objective.weights == [1, 2]
    objective.set_params(**{"1": BPR(), "1__threshold": 2.0})
    assert (objective.objectives[1].name, objective.objectives[1].threshold) == ("bpr", 2.0)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"0__temperature": 5.0, "1__margin": np.nan}, ValueError, "margin must be a finite number"),
        ({"0__temperature": 5.0, "1__nothing": 1}, ValueError, "Invalid parameter 'nothing'"),
        ({"weights": [2, 2], "2__margin": 1.0}, ValueError, "there is no parameter '2__margin'; a sum of 2 terms has"),
        ({"weights": [2, 2], "margin": 1.0}, ValueError, "there is no parameter 'margin'"),
        ({"0__temperature": 5.0, "weights": [1]}, ValueError, "weights has 1 entries, but there are 2 objectives"),
        ({"labels": [0, 1], "1": "bpr"}, TypeError, r"objectives\[1\] is the name 'bpr'"),
    ],
)
def test_all_parameters_are_set_or_none(params, error, message) -> None:
    objective = 0.7 * PairwiseLogistic() + 0.3 * PairwiseHinge()
    before = {**objective.get_params()}
    with pytest.raises(error, match=message):
        objective.set_params(**params)
    assert objective.get_params() == before


def test_copies_are_independent_and_equal() -> None:
    objective = WeightedSum((PairwiseLogistic(), BPR(negatives=1)), np.array([0.5, 2.0]), labels=[1, 0])
    expected = objective.gradient_hessian(LABELS, SCORES, group=SIZES)
    for copied in (clone(objective), pickle.loads(pickle.dumps(objective)), copy.deepcopy(objective)):
        assert copied.objectives[0] is not objective.objectives[0]
        assert repr(copied) == repr(objective)
        np.testing.assert_array_equal(copied.gradient_hessian(LABELS, SCORES, group=SIZES), expected)
        copied.set_params(**{"0__temperature": 9.0})
    assert objective.objectives[0].temperature == 1.0


def test_the_representation_is_an_expression() -> None:
    objective = 0.7 * PairwiseLogistic() + PairwiseHinge(margin=2)
    expected = "WeightedSum(objectives=[PairwiseLogistic(), PairwiseHinge(margin=2)], weights=[0.7, 1])"
    assert " ".join(repr(objective).split()) == expected
    objective.set_params(labels=[1, "pairs"])
    assert repr(eval(repr(objective))) == repr(objective)  # the names are imported here


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([], []), ValueError, "objectives is empty"),
        ((PairwiseLogistic(), [1]), TypeError, "objectives must be a list"),
        (([PairwiseLogistic()], 1), TypeError, "weights must be a list"),
        (([PairwiseLogistic()], [1], 0), TypeError, "labels must be a list"),
        (([PairwiseLogistic()], [1], "pairs"), TypeError, "labels must be a list"),
        ((["bpr"], [1]), TypeError, r"objectives\[0\] is the name 'bpr': give an object, get_objective\('bpr'\)"),
        (([BPR], [1]), TypeError, r"objectives\[0\] is the class BPR: give an object, BPR\(\)"),
        (([BPR(), 2 * BPR()], [1, 1]), TypeError, r"objectives\[1\] is a sum: add sums by \+"),
        (([abs], [1]), TypeError, r"objectives\[0\] must be an objective of gbdt_pairloss, got <built-in"),
        (([BPR()], [1, 2]), ValueError, "weights has 2 entries, but there are 1 objectives"),
        (([BPR()], [1], [0, 1]), ValueError, "labels has 2 entries, but there are 1 objectives"),
        (([BPR(), BPR()], [1, -0.5]), ValueError, r"weights\[1\] must be a finite number of at least 0, got -0.5"),
        (([BPR()], [np.nan]), ValueError, r"weights\[0\] must be a finite number"),
        (([BPR()], [np.inf]), ValueError, r"weights\[0\] must be a finite number"),
        (([BPR()], ["1"]), ValueError, r"weights\[0\] must be a finite number"),
        (([BPR()], [True]), ValueError, r"weights\[0\] must be a finite number"),
        (([BPR(), BPR()], [0, 0.0]), ValueError, "all weights are 0"),
        (([BPR()], [1], [-1]), ValueError, r'labels\[0\] must be the number of a column, from 0, or "pairs"; got -1'),
        (([BPR()], [1], [0.0]), ValueError, r"labels\[0\] must be the number of a column"),
        (([BPR()], [1], ["clicks"]), ValueError, r"labels\[0\] must be the number of a column.*'clicks'"),
    ],
)
def test_parameters_that_are_not_allowed(arguments, error, message) -> None:
    with pytest.raises(error, match=message):
        WeightedSum(*arguments)


def test_get_objective_returns_a_sum_unchanged() -> None:
    objective = 2 * BPR()
    assert get_objective(objective) is objective


# Labels and pairs that do not fit.

TWO = PairwiseLogistic() + PairwiseHinge()


@pytest.mark.parametrize(
    ("objective", "y", "more", "message"),
    [
        (TWO, LABELS, {}, "the labels have 3 columns, but the sum has 2 terms: give it labels="),
        (
            WeightedSum([BPR(), BPR()], [1, 1], [0, 3]),
            LABELS,
            {},
            r"term 1 \(bpr\) reads column 3 of the labels \(from 0\), but there are 3 columns",
        ),
        (
            WeightedSum([BPR(), PairwiseHinge()], [1, 1], [0, 1]),
            LABELS[:, 0],
            {},
            r"term 1 \(pairwise_hinge\) reads column 1 of the labels \(from 0\), but there is one column",
        ),
        (TWO, LABELS[:, 0], {"pairs": PAIRS}, r"there are pairs, but no term of the sum reads them: labels="),
        (
            WeightedSum([BPR(), BPR()], [1, 1], [0, "pairs"]),
            LABELS[:, 0],
            {},
            r'term 1 \(bpr\) reads "pairs", but there are none: give pairs=',
        ),
        (
            WeightedSum([BPR(), PairwiseMeanSquaredError()], [1, 1], [0, "pairs"]),
            LABELS[:, 0],
            {"pairs": PAIRS},
            r"term 1 \(pairwise_mean_squared_error\): explicit pairs do not say by how much",
        ),
        (
            PairwiseLogistic() + BPR(negative_weight=np.ones(N)),
            LABELS[:, 0],
            {},
            "1__negative_weight is an array with one entry per row, which a term of a sum does not support.*loser_weig",
        ),
        (
            TWO,
            LABELS[:-1],
            {},
            r"y_true has shape \(32, 3\), but y_pred has shape \(33,\), or that and the number of c",
        ),
        (TWO, np.zeros((N, 0)), {}, r"y_true has shape \(33, 0\)"),
        (
            TWO,
            np.where(np.arange(2 * N).reshape(N, 2) == 7, np.nan, 1.0),
            {},
            r"y_true in column 1 is nan at row 3; it must be finite",
        ),
    ],
)
def test_labels_that_do_not_fit(objective, y, more, message) -> None:
    with pytest.raises(ValueError, match=message):
        objective.gradient_hessian(y, SCORES, group=SIZES, **more)


def test_other_objectives_refuse_several_columns() -> None:
    with pytest.raises(ValueError, match=r"y_true has shape \(33, 3\), but y_pred has shape \(33,\)$"):
        PairwiseLogistic().loss(LABELS, SCORES, group=SIZES)


def test_a_sum_out_of_range_is_refused() -> None:
    y, s = [1, 0], np.array([0.0, 100.0], dtype=np.float32)
    objective = PairwiseHinge(normalize="none") + PairwiseHinge(normalize="none")
    with pytest.raises(ValueError, match="the gradient or Hessian of the sum leaves the range of float32"):
        (2e38 * objective).gradient_hessian(y, s)
    with pytest.raises(ValueError, match=re.escape("term 0 (pairwise_hinge): the gradient or Hessian")):
        (4e38 * objective).gradient_hessian(y, s)


def test_a_user_defined_loss_is_a_term() -> None:
    custom = PairwiseCustom(lambda d: (np.log1p(np.exp(-d)), -1 / (1 + np.exp(d)), 0.25 * np.ones_like(d)))
    objective = custom + 2 * PairwiseLogistic()
    actual = objective.loss(LABELS[:, 0], SCORES, group=SIZES)
    assert actual == pytest.approx(3 * PairwiseLogistic().loss(LABELS[:, 0], SCORES, group=SIZES), rel=1e-6)

"""The pairwise losses: their formulas, their sums over all pairs, and a loss of one's own."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from _support.engines import spec_of
from _support.rankers import make_ranker
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

import gbdt_pairloss
from gbdt_pairloss import (
    PairwiseCustom,
    PairwiseExponential,
    PairwiseHinge,
    PairwiseLogistic,
    PairwiseSoftZeroOne,
    PairwiseSquared,
    get_objective,
    metrics,
)
from gbdt_pairloss.engine.reference import ReferenceEngine
from gbdt_pairloss.objectives import objective_names
from gbdt_pairloss.ranking._reading import read_arrays


def sigma(d: float) -> float:
    return 1 / (1 + math.exp(-d))


def squared_hinge(d):
    short = np.maximum(1 - d, 0)
    return short**2, -2 * short, 2.0 * (short > 0)


#: An objective, and its loss, slope and curvature (or surrogate) of one pair in plain Python.
LOSSES = {
    "hinge": (PairwiseHinge(), lambda d: (max(1 - d, 0), -float(d < 1), float(d < 1))),
    "wide hinge": (PairwiseHinge(margin=2.5), lambda d: (max(2.5 - d, 0), -float(d < 2.5), float(d < 2.5))),
    "squared": (PairwiseSquared(), lambda d: ((1 - d) ** 2, -2 * (1 - d), 2.0)),
    "exponential": (PairwiseExponential(), lambda d: (math.exp(-d), -math.exp(-d), math.exp(-d))),
    "soft zero-one": (
        PairwiseSoftZeroOne(),
        lambda d: (sigma(-d), -sigma(d) * sigma(-d), sigma(d) * sigma(-d)),
    ),
    "logistic": (
        PairwiseLogistic(),
        lambda d: (math.log1p(math.exp(-d)), -sigma(-d), sigma(d) * sigma(-d)),
    ),
    "custom": (
        PairwiseCustom(squared_hinge),
        lambda d: (max(1 - d, 0) ** 2, -2 * max(1 - d, 0), 2.0 * (d < 1)),
    ),
}

#: phi of two labels, winner first; what LightGBM's users know as an arbitrary gain matrix.
PAIR_WEIGHTS = {
    "uniform": lambda a, b: 1.0,
    "label_diff": lambda a, b: a - b,
    "gain_diff": lambda a, b: 2**a - 2**b,
    "callable": lambda a, b: (a - b) ** 2 + (0.5 * a if b > 0 else 0.0),
}


def by_hand(loss, y, s, sizes, *, w, v, q, mask, phi, temperature, normalize, both):
    """The definition, pair by pair: loss, gradient, Hessian."""
    gradient, hessian, total = np.zeros(len(y)), np.zeros(len(y)), 0.0
    start = 0
    for query, size in enumerate(sizes):
        rows = [r for r in range(start, start + size) if mask[r]]
        start += size
        pairs = [(i, j, loss((s[i] - s[j]) / temperature)) for i in rows for j in rows if y[i] > y[j]]
        weights = [phi(y[i], y[j]) for i, j, _ in pairs]
        factor = q[query]
        if normalize == "query":
            factor *= len(rows) / sum(weights) if sum(weights) > 0 else 0
        elif normalize == "log" and pairs:
            strength = 2 * sum(p * abs(slope) for p, (_, _, (_, slope, _)) in zip(weights, pairs, strict=True))
            strength /= temperature
            factor *= math.log1p(strength) / math.log(2) / strength if strength > 0 else 1 / math.log(2)
        for p, (i, j, (value, slope, curve)) in zip(weights, pairs, strict=True):
            omega = factor * p * w[i] * v[j] * (w[j] if both else 1)
            total += omega * value
            gradient[i] += omega * slope / temperature
            gradient[j] -= omega * slope / temperature
            hessian[i] += omega * curve / temperature**2
            hessian[j] += omega * curve / temperature**2
    return total, gradient, hessian


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = draw(st.lists(st.integers(0, 7), min_size=1, max_size=4).filter(lambda sizes: sum(sizes) > 0))
    n = sum(sizes)
    some = draw(st.sampled_from([np.ones(n), rng.uniform(0, 3, n), rng.integers(0, 2, n).astype(float)]))
    return {
        "y": draw(st.sampled_from([rng.integers(0, 4, n).astype(float), rng.uniform(0, 3, n).round(1)])),
        # Rounded: many pairs on the very edge of a margin.
        "s": np.round(rng.normal(scale=draw(st.sampled_from([0.3, 1.0, 4.0])), size=n), draw(st.sampled_from([0, 15]))),
        "sizes": sizes,
        "w": some,
        "v": draw(st.sampled_from([np.ones(n), rng.uniform(0, 3, n), some[::-1]])),
        "q": np.ones(len(sizes)),
        "mask": draw(st.sampled_from([np.ones(n, dtype=bool), rng.random(n) < 0.7])),
        "temperature": draw(st.sampled_from([0.5, 1.0, 2.0])),
        "normalize": draw(st.sampled_from(["none", "query", "log"])),
        "both": draw(st.booleans()),
    }


@pytest.mark.parametrize("pair_weight", PAIR_WEIGHTS)
@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=12, deadline=None)
@given(p=problems())
def test_agrees_with_the_definition_by_hand(name, pair_weight, p) -> None:
    objective, loss = LOSSES[name]
    objective = clone(objective).set_params(
        temperature=p["temperature"],
        normalize=p["normalize"],
        item_weight="both" if p["both"] else "winner",
        pair_weight=PAIR_WEIGHTS["callable"] if pair_weight == "callable" else pair_weight,
    )
    expected = by_hand(loss, **p, phi=PAIR_WEIGHTS[pair_weight])
    arguments = {"group": p["sizes"], "sample_weight": p["w"], "loser_weight": p["v"], "mask": p["mask"]}
    gradient, hessian = objective.gradient_hessian(p["y"], p["s"], **arguments)
    scale = max(1.0, np.abs(expected[1]).max(), expected[2].max())
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-9, atol=1e-12 * scale)
    np.testing.assert_allclose(hessian, expected[2], rtol=1e-9, atol=1e-12 * scale)
    assert objective.loss(p["y"], p["s"], **arguments) == pytest.approx(expected[0], rel=1e-9, abs=1e-12 * scale)
    codes = np.repeat(np.arange(len(p["sizes"])), p["sizes"])
    assert np.abs(np.bincount(codes, gradient)).max() <= 1e-12 * scale * len(p["y"])


@pytest.mark.parametrize("pair_weight", PAIR_WEIGHTS)
@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_the_finite_difference_of_the_loss(name, pair_weight, problem) -> None:
    objective = clone(LOSSES[name][0]).set_params(
        normalize="query",
        temperature=0.7,
        pair_weight=PAIR_WEIGHTS["callable"] if pair_weight == "callable" else pair_weight,
    )
    w = np.random.default_rng(0).uniform(0.1, 2, problem.y.size)
    arguments = {"group": problem.sizes, "sample_weight": w}
    scores = problem.scores / 4  # an exponential takes all digits from the others
    gradient, hessian = objective.gradient_hessian(problem.y, scores, **arguments)
    is_exact = name in ("squared", "exponential", "logistic", "custom")  # the others have surrogates
    for row in np.flatnonzero(gradient)[::40]:
        step = np.zeros(problem.y.size)
        step[row] = 1e-6
        losses = [objective.loss(problem.y, scores + sign * step, **arguments) for sign in (1, -1)]
        assert (losses[0] - losses[1]) / 2e-6 == pytest.approx(gradient[row], rel=1e-5, abs=1e-5)
        slopes = [objective.gradient_hessian(problem.y, scores + sign * step, **arguments)[0][row] for sign in (1, -1)]
        if is_exact:
            assert (slopes[0] - slopes[1]) / 2e-6 == pytest.approx(hessian[row], rel=1e-5, abs=1e-5)
    assert (hessian >= 0).all()


@pytest.mark.parametrize("name", LOSSES)
def test_item_weight_both_removes_and_duplicates_rows(name) -> None:
    y, s = np.array([2.0, 1.0, 0.0, 1.0]), np.array([0.3, 0.9, -0.2, 0.4])
    objective = clone(LOSSES[name][0]).set_params(normalize="none", item_weight="both")
    weighted = objective.gradient_hessian(y, s, sample_weight=[1, 2, 1, 0])
    rows = np.array([0, 1, 1, 2])
    for ours, plain in zip(weighted, objective.gradient_hessian(y[rows], s[rows]), strict=True):
        np.testing.assert_allclose(ours, [plain[0], plain[1] + plain[2], plain[3], 0], rtol=1e-12)


@pytest.mark.parametrize("normalize", ["none", "query", "log"])
@pytest.mark.parametrize("name", LOSSES)
def test_scaling_the_weights_scales_gradient_and_hessian(name, normalize, problem) -> None:
    objective = clone(LOSSES[name][0]).set_params(normalize=normalize)
    w, v = np.random.default_rng(2).uniform(0.1, 1, (2, problem.y.size))
    arguments = {"group": problem.sizes}
    one = objective.gradient_hessian(problem.y, problem.scores, sample_weight=w, loser_weight=v, **arguments)
    six = objective.gradient_hessian(problem.y, problem.scores, sample_weight=3 * w, loser_weight=2 * v, **arguments)
    np.testing.assert_allclose(six, np.multiply(one, 6), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["hinge", "soft zero-one"])
def test_a_surrogate_is_the_size_of_the_slope(name) -> None:
    objective = clone(LOSSES[name][0]).set_params(normalize="none")
    for d in (-3.0, -0.2, 0.0, 0.4, 2.0):
        gradient, hessian = objective.gradient_hessian([1, 0], [d, 0.0])
        np.testing.assert_allclose(hessian, np.abs(gradient), rtol=1e-12)


class TestOtherPeoplesFormulas:
    """KerasRS and Rax: the pair losses, written as arithmetic; one list of labels 1, 0, 1, 3."""

    y, s = (1, 0, 1, 3), (1.0, 3.0, 2.0, 4.0)
    differences = (1.0 - 3.0, 2.0 - 3.0, 4.0 - 1.0, 4.0 - 3.0, 4.0 - 2.0)

    def total(self, objective) -> float:
        return objective.set_params(normalize="none").loss(self.y, self.s)

    def test_hinge(self) -> None:
        expected = sum(max(1 - d, 0.0) for d in self.differences)  # PairwiseHingeLoss; pairwise_hinge_loss
        assert self.total(PairwiseHinge()) == pytest.approx(expected, rel=1e-12)
        hot = sum(max(1 - d / 2, 0.0) for d in self.differences)
        assert self.total(PairwiseHinge(temperature=2.0)) == pytest.approx(hot, rel=1e-12)

    def test_soft_zero_one(self) -> None:
        expected = sum(1 - sigma(d) if d > 0 else sigma(-d) for d in self.differences)  # PairwiseSoftZeroOneLoss
        assert self.total(PairwiseSoftZeroOne()) == pytest.approx(expected, rel=1e-12)

    def test_keras_rs_prints_a_hinge_row_in_the_example_of_its_logistic_loss(self) -> None:
        rows = PairwiseHinge(normalize="none").loss([0, 1, 2, 3], [1.0, 1.8, 2.0, 3.0], reduction="none")
        np.testing.assert_allclose(rows, [0, 0.2, 0.8, 0], atol=1e-12)

    def test_the_weights_of_pairs_are_raxs(self) -> None:
        # dcg_lambdaweight on this list, Rax 0.4.0: without its normalisation, times 4, the length of the list.
        rax = {(0, 1): 0.801013, (3, 0): 13.66376, (2, 1): 0.523719, (3, 1): 10.33397, (3, 2): 12.0}
        ideal = 7 + 1 / math.log2(3) + 1 / math.log2(4)
        for pair, expected in rax.items():
            assert 4 * ideal * self.phi("ndcg", *pair) == pytest.approx(expected, rel=1e-6)
        # labeldiff_lambdaweight and TF-Ranking's LabelDiffLambdaWeight: |y_i - y_j|.
        assert [self.phi("label_diff", *pair) for pair in rax] == pytest.approx([1, 2, 1, 3, 2], rel=1e-12)

    def phi(self, pair_weight, winner, loser) -> float:
        """The weight of one pair: weights of rows take out all others, and the slope of the loss is -1."""
        slope = PairwiseCustom(
            lambda d: (-d, -np.ones_like(d), np.ones_like(d)), pair_weight=pair_weight, normalize="none"
        )
        rows = np.arange(4)
        gradient, _ = slope.gradient_hessian(self.y, self.s, sample_weight=rows == winner, loser_weight=rows == loser)
        return -gradient[winner]


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


@pytest.mark.parametrize("scores", SCORES)
@pytest.mark.parametrize("labels", ["grades", "binary", "distinct", "near a million", "one winner"])
@pytest.mark.parametrize("name", ["hinge", "squared", "exponential", "soft zero-one"])
@pytest.mark.parametrize("pair_weight", ["uniform", "label_diff"])
def test_fast_sums_agree_with_brute_force(name, labels, scores, pair_weight) -> None:
    rng = np.random.default_rng(0)
    n = sum(SIZES)
    y, s = labels_of(labels, n, rng), SCORES[scores](n, rng)
    w, v = np.where(rng.random(n) < 0.2, 0.0, rng.uniform(0.1, 5, n)), rng.uniform(0, 2, n)
    objective = clone(LOSSES[name][0]).set_params(
        pair_weight=pair_weight, normalize="log", temperature=0.7, ignore_negative_labels=False
    )
    data = read_arrays(y, s, group=SIZES, sample_weight=w, loser_weight=v).data
    plan, summed = objective.plan(data), spec_of(objective)
    exact = ReferenceEngine()
    query = np.repeat(np.arange(len(SIZES)), SIZES)
    ours = objective.gradient_hessian(y, s, group=SIZES, sample_weight=w, loser_weight=v)
    losses = objective.loss(y, s, group=SIZES, sample_weight=w, loser_weight=v, reduction="none")
    expected = [*exact.gradient_hessian(plan, s, summed), exact.winner_loss(plan, s, summed)[0]]
    for array, other in zip((*ours, losses), expected, strict=True):
        largest = np.zeros(len(SIZES))
        np.maximum.at(largest, query, np.abs(other))
        assert np.isfinite(array).all()
        # Scores of 1e7 leave 1e-9 of their differences to work with; those of moments lose the square of it.
        bound = {"far from 0": 1e-7}.get(scores, 1e-11)
        assert (np.abs(array - other) <= bound * largest[query]).all()


@pytest.mark.parametrize("name", ["hinge", "squared", "exponential", "soft zero-one", "custom"])
def test_results_do_not_depend_on_the_number_of_threads(name) -> None:
    rng = np.random.default_rng(1)
    sizes = rng.integers(1, 400, 600)
    n = int(sizes.sum())
    y, s = rng.integers(0, 5, n).astype(float), rng.standard_normal(n)
    objective = LOSSES[name][0]
    one = clone(objective).set_params(n_threads=1).gradient_hessian(y, s, group=sizes)
    for n_threads in (2, 3, 7):
        several = clone(objective).set_params(n_threads=n_threads).gradient_hessian(y, s, group=sizes)
        np.testing.assert_array_equal(one, several)


@pytest.mark.parametrize("name", ["hinge", "squared", "exponential", "soft zero-one"])
def test_a_query_of_any_size(name) -> None:
    # 2e10 pairs: neither their time nor their memory can be paid.
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


@pytest.mark.parametrize("normalize", ["none", "query", "log"])
@pytest.mark.parametrize("name", ["logistic", "hinge", "squared", "exponential", "soft zero-one"])
def test_a_query_of_any_size_with_a_callable_weight(name, normalize) -> None:
    rng = np.random.default_rng(2)
    n = 150_000
    y, s = rng.choice(30, n).astype(float), rng.standard_normal(n).astype(np.float32)
    objective = clone(LOSSES[name][0]).set_params(normalize=normalize, pair_weight=lambda a, b: 1 / (1 + a))
    gradient, hessian = objective.gradient_hessian(y, s)
    assert abs(gradient.sum(dtype=float)) <= 1e-6 * np.abs(gradient).sum(dtype=float)
    assert (hessian > 0).mean() > 0.99


@pytest.mark.parametrize("name", ["hinge", "soft zero-one", "logistic"])
@pytest.mark.parametrize("pair_weight", ["uniform", "callable"])
@pytest.mark.parametrize("scale", [1e-300, 1e30, 1e306])
def test_any_finite_score_gives_a_finite_gradient(name, pair_weight, scale) -> None:
    s = scale * np.array([3.0, -2.0, 0.0, 1.0, 1.0, -3.0])
    objective = clone(LOSSES[name][0])
    objective.set_params(pair_weight=PAIR_WEIGHTS["callable"] if pair_weight == "callable" else "uniform")
    for normalize in ("log", "query", "none"):
        objective.set_params(normalize=normalize)
        gradient, hessian = objective.gradient_hessian([0, 1, 2, 3, 0, 0], s)
        assert np.isfinite(gradient).all()
        assert np.isfinite(hessian).all()
        if name != "soft zero-one":
            assert gradient[0] > 0 > gradient[3]


class TestExponential:
    def test_scores_too_far_apart_in_the_wrong_order_are_an_error(self) -> None:
        objective = PairwiseExponential(normalize="none")
        message = (
            "the exponential loss overflows at row 2, of query 1 .* span 1e[+]03 temperatures.*Raise the temperature"
        )
        with pytest.raises(ValueError, match=message):
            objective.gradient_hessian([1, 0, 1, 0], [0.0, 0.0, -500.0, 500.0], group=[2, 2])
        with pytest.raises(ValueError, match="overflows"):
            objective.loss([1, 0, 1, 0], [0.0, 0.0, -500.0, 500.0], group=[2, 2])
        with pytest.raises(ValueError, match="leaves the range of float32"):
            objective.gradient_hessian([1, 0], np.array([-50, 50], dtype=np.float32))

    def test_scores_as_far_apart_in_the_right_order_are_none(self) -> None:
        gradient, _ = PairwiseExponential(normalize="none").gradient_hessian([2, 1, 0, 0], [1e5, 0.0, -1e5, -1e5 - 1])
        np.testing.assert_array_equal(gradient, [0, 0, 0, 0])
        gradient, _ = PairwiseExponential(normalize="none").gradient_hessian([2, 1, 0], [900.0, 0.0, 1.0])
        np.testing.assert_allclose(gradient, [0, -math.e, math.e], rtol=1e-12)

    def test_a_weight_of_0_takes_a_bad_pair_out(self) -> None:
        gradient, _ = PairwiseExponential(normalize="none").gradient_hessian(
            [1, 0, 1], [-1000.0, 1000.0, 999.0], sample_weight=[0, 1, 1]
        )
        np.testing.assert_allclose(gradient, [0, math.e, -math.e], rtol=1e-12)

    def test_but_not_out_of_the_normaliser(self) -> None:  # which counts pairs before their weights
        with pytest.raises(ValueError, match="the exponential loss overflows at row .*, of query 0"):
            PairwiseExponential(normalize="log").gradient_hessian(
                [1, 0, 1], [0.0, 0.5, -5000.0], sample_weight=[1, 1, 0]
            )


class TestCallablePairWeight:
    y, s = (2.0, 1.0, 1.0, 0.0, 2.0), (0.1, 0.5, -0.3, 0.2, -1.0)

    def test_it_is_called_once_for_each_pair_of_distinct_labels(self) -> None:
        calls = []

        def weight(winner, loser):
            calls.append((winner, loser))
            return 1.0

        objective = PairwiseLogistic(pair_weight=weight)
        result = objective.gradient_hessian(self.y * 4, self.s * 4, group=[5, 10, 5])
        assert sorted(calls) == [(1.0, 0.0), (2.0, 0.0), (2.0, 1.0)]
        np.testing.assert_allclose(
            result, PairwiseLogistic().gradient_hessian(self.y * 4, self.s * 4, group=[5, 10, 5]), rtol=1e-9
        )

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (
                -1.0,
                r"pair_weight of the labels 2 \(winner\) and 1 \(loser\) is -1.0; it must be finite and not negative",
            ),
            (math.nan, "is nan; it must be finite and not negative"),
            (math.inf, "is inf; it must be finite"),
            (None, "is None; it must be a number"),
            (np.ones(2), "it must be one number"),
        ],
    )
    def test_bad_values(self, value, message) -> None:
        with pytest.raises(ValueError, match=message):
            PairwiseLogistic(pair_weight=lambda a, b: value).gradient_hessian(self.y, self.s)

    def test_too_many_labels(self) -> None:
        objective = PairwiseLogistic(pair_weight=lambda a, b: a - b)
        y = np.repeat([0.0, 1.0], [3, 257])
        y[3:] = np.arange(257)
        s = np.zeros(y.size)
        with pytest.raises(ValueError, match="query b has 257 distinct labels.* at most 256"):
            objective.gradient_hessian(y, s, qid=["a"] * 3 + ["b"] * 257)
        ours = objective.gradient_hessian(y[3:259], s[3:259])
        np.testing.assert_allclose(
            ours, PairwiseLogistic(pair_weight="label_diff").gradient_hessian(y[3:259], s[3:259]), rtol=1e-9
        )

    @pytest.mark.parametrize("value", [3, "label", None])
    def test_what_is_no_weight(self, value) -> None:
        with pytest.raises(ValueError, match="pair_weight must be one of 'uniform'"):
            PairwiseLogistic(pair_weight=value)


class TestCustomLoss:
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
    def test_bad_functions(self, function, error, message) -> None:
        with pytest.raises(error, match=message):
            PairwiseCustom(function).gradient_hessian([1, 0, 2], [0.1, 0.2, 0.4])

    def test_bad_parameters(self) -> None:
        with pytest.raises(ValueError, match="function must be a callable of d, got 3"):
            PairwiseCustom(3)
        with pytest.raises(ValueError, match="name must be a string that is not empty"):
            PairwiseCustom(squared_hinge, name="")

    @pytest.mark.parametrize("name", ["logistic", "hinge", "squared", "exponential", "soft_zero_one", "pairwise_hinge"])
    def test_a_name_is_a_name(self, name) -> None:
        y, s = [1, 0, 2, 0], [0.1, 0.2, 0.4, 3.0]
        for arguments in ({}, {"pairs": ([0, 2], [1, 3])}):
            plain = PairwiseCustom(squared_hinge).gradient_hessian(y, s, **arguments)
            named = PairwiseCustom(squared_hinge, name=name).gradient_hessian(y, s, **arguments)
            np.testing.assert_array_equal(named, plain)

    def test_it_may_return_what_it_was_given(self) -> None:
        ours = PairwiseCustom(lambda d: (d, d, d**2), pair_weight="label_diff")
        apart = PairwiseCustom(lambda d: (d.copy(), d.copy(), d**2), pair_weight="label_diff")
        y, s = [2, 1, 0], [0.1, 0.2, 0.4]
        np.testing.assert_array_equal(ours.gradient_hessian(y, s), apart.gradient_hessian(y, s))

    def test_it_lives_an_ordinary_life(self) -> None:
        objective = PairwiseCustom(squared_hinge, name="squared_hinge", temperature=0.5)
        expected = objective.gradient_hessian([1, 0, 2], [0.1, 0.2, 0.4])
        for twin in (clone(objective), pickle.loads(pickle.dumps(objective))):
            np.testing.assert_array_equal(twin.gradient_hessian([1, 0, 2], [0.1, 0.2, 0.4]), expected)
        assert objective.get_params()["temperature"] == 0.5


@pytest.mark.parametrize("name", objective_names())
def test_every_objective_has_the_shared_parameters_and_its_name(name) -> None:
    objective = get_objective(name, temperature=0.5, normalize="query")
    assert objective.name == name
    assert {"temperature", "pair_weight", "normalize", "n_threads"} <= set(objective.get_params())
    assert type(objective).__name__ in gbdt_pairloss.__all__
    with pytest.raises(TypeError, match="nonsense"):
        get_objective(name, nonsense=1)
    with pytest.raises(ValueError, match="Invalid parameter 'nonsense'"):
        objective.set_params(nonsense=1)


@pytest.mark.parametrize("objective", [PairwiseHinge, PairwiseSquared])
@pytest.mark.parametrize("margin", [np.nan, np.inf, "1", None, True])
def test_bad_margins(objective, margin) -> None:
    with pytest.raises(ValueError, match="margin must be a finite number"):
        objective(margin=margin)


@pytest.mark.parametrize("ranker", ["LGBMRanker", "XGBRanker"])
@pytest.mark.parametrize("name", [*LOSSES, "callable pair weight"])
def test_it_trains_a_ranker_whose_metric_goes_down(name, ranker, make) -> None:
    pytest.importorskip({"LGBMRanker": "lightgbm", "XGBRanker": "xgboost"}[ranker])
    train, test = make(0, n_queries=60), make(1, n_queries=40)
    objective = PairwiseHinge(pair_weight=PAIR_WEIGHTS["callable"]) if name not in LOSSES else LOSSES[name][0]
    model = make_ranker(getattr(gbdt_pairloss, ranker), objective=objective, n_estimators=25)
    model.fit(
        train.X,
        train.y,
        qid=train.qid,
        eval_set=[(test.X, test.y)],
        eval_qid=[test.qid],
        eval_metric=[objective, "pair_accuracy"],
    )
    (results,) = model.evals_result_.values()
    assert results[objective.name][-1] < 0.9 * results[objective.name][0]
    scores = model.predict(test.X)
    assert results["pair_accuracy"][-1] == pytest.approx(metrics.pair_accuracy(test.y, scores, group=test.sizes))
    assert results["pair_accuracy"][-1] > 0.8
    loss = objective.loss(test.y, scores, group=test.sizes, reduction="pair_weights")
    assert results[objective.name][-1] == pytest.approx(loss, rel=1e-5)

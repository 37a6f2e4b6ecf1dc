"""The contract of all objectives: properties that each of them has, over the pairs of labels and explicit pairs.

Most properties are checked on random problems with item weights, loser weights, query weights, masks, temperatures and
normalisers. No booster is needed.
"""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest
from _support.contract import ALL, SUBJECTS, Subject, fixed_problem, those, weighted_problems
from _support.objectives import LOSSES, NORMALIZERS, PAIR_WEIGHTS, SURROGATES, assert_close
from hypothesis import given, settings
from sklearn.base import clone

from gbdt_pairloss import PairwiseHinge, PairwiseLogistic, PairwiseSoftZeroOne
from gbdt_pairloss.objectives import objective_names

# Derivatives.


def assert_derivatives(subject, p) -> None:
    """Compare gradient and Hessian with differences of the loss and of the gradient, while the normaliser is held."""
    bound = subject.on(p)
    # No two scores whose order, and no pair whose side of a margin, a step could change.
    s = p.s + np.random.default_rng(0).uniform(0.001, 0.1, p.s.size)
    gradient, hessian = bound.gradient_hessian(s)
    factor = np.ones(s.size)
    if p.normalize == "log":  # which rescales a gradient
        bound.objective.set_params(normalize="none")
        plain = np.bincount(p.codes, bound.gradient_hessian(s)[1], len(p.sizes))
        normalised = np.bincount(p.codes, hessian, len(p.sizes))
        factor = np.divide(normalised, plain, out=np.ones(plain.size), where=plain > 0)[p.codes]
    step = 1e-5
    losses, gradients = bound.of_many(np.concatenate([s + step * np.eye(s.size), s - step * np.eye(s.size)]))
    up, down = np.split((losses * factor).sum(axis=1), 2)
    assert (up - down) / (2 * step) == pytest.approx(gradient, rel=1e-6, abs=1e-7)
    if subject.exact_hessian:
        up, down = (np.diagonal(part) for part in np.split(gradients * factor, 2))
        assert (up - down) / (2 * step) == pytest.approx(hessian, rel=1e-6, abs=1e-7)


def assert_sums_to_zero(subject, p) -> None:
    """Check that what a query's winners gain its losers lose, and that no Hessian is negative."""
    gradient, hessian = subject.on(p).gradient_hessian()
    assert (hessian >= 0).all()
    total = np.bincount(p.codes, gradient, len(p.sizes))
    magnitude = np.bincount(p.codes, np.abs(gradient), len(p.sizes))
    assert (np.abs(total) <= (1e-13 if subject.explicit else 1e-12) * magnitude).all()


@those(differentiable=True)
@settings(max_examples=6, deadline=None)
@given(p=weighted_problems(scales=(0.1, 0.3, 1.0)))
def test_the_gradient_is_the_derivative_of_the_loss_and_the_hessian_that_of_the_gradient(subject, p) -> None:
    assert_derivatives(subject, p)


@those(differentiable=True)
@pytest.mark.parametrize("normalize", NORMALIZERS)
def test_derivatives_with_all_weights_and_every_normaliser(subject, normalize) -> None:
    assert_derivatives(subject, fixed_problem(normalize=normalize, both=True, mask=np.arange(33) % 8 != 3))


@pytest.mark.parametrize("pair_weight", PAIR_WEIGHTS)
@pytest.mark.parametrize("name", LOSSES)
def test_derivatives_of_every_loss_with_every_pair_weight(name, pair_weight) -> None:
    objective = clone(LOSSES[name][0]).set_params(pair_weight=PAIR_WEIGHTS[pair_weight][0])
    assert_derivatives(Subject(objective, exact_hessian=name not in SURROGATES), fixed_problem(normalize="query"))


@ALL
@settings(max_examples=10, deadline=None)
@given(p=weighted_problems())
def test_the_gradient_of_a_query_sums_to_zero_and_the_hessian_is_not_negative(subject, p) -> None:
    assert_sums_to_zero(subject, p)


@settings(max_examples=100, deadline=None)
@given(p=weighted_problems())
def test_derivatives_of_the_logistic_loss(p) -> None:
    """The default objective, on more examples and larger differences of scores."""
    assert_derivatives(SUBJECTS["logistic"], p)
    assert_sums_to_zero(SUBJECTS["logistic"], p)


@those(exact_hessian=False)
def test_a_surrogate_hessian_is_the_magnitude_of_the_slope(subject) -> None:
    objective = clone(subject.objective).set_params(normalize="none")
    arguments = {"pairs": ([0], [1])} if subject.explicit else {}
    for d in (-3.0, -0.2, 0.0, 0.4, 2.0):
        gradient, hessian = objective.gradient_hessian([1, 0], [d, 0.0], **arguments)
        np.testing.assert_allclose(hessian, np.abs(gradient), rtol=1e-12)


# Rows and queries.


@those(drawn=False)
@settings(max_examples=6, deadline=None)
@given(p=weighted_problems())
def test_the_order_of_rows_and_queries_does_not_matter(subject, p) -> None:
    """Except for drawn negatives, whose draws depend on it; with "ndcg", equal scores rank in row order."""
    if p.q is not None:  # as weights of the winners
        p = replace(p, w=p.q[p.codes], q=None, both=False)
    bound = subject.on(p)
    s = p.s if subject.separable else p.s + np.random.default_rng(0).uniform(0, 0.1, p.s.size)
    expected = bound.gradient_hessian(s)
    order = np.random.default_rng(1).permutation(s.size)  # row r of the moved data is row order[r]
    place = np.argsort(order)
    names = np.array(["d", "b", "a", "c"])
    moved = {"group": None, "qid": names[p.codes][order]}
    for name in ("sample_weight", "loser_weight", "mask"):
        if bound.arguments[name] is not None:
            moved[name] = bound.arguments[name][order]
    if subject.explicit:
        moved["pairs"] = (place[p.pairs[0]], place[p.pairs[1]], p.pairs[2])
    actual = bound.objective.gradient_hessian(bound.y[order], s[order], **{**bound.arguments, **moved})
    assert_close([array[place] for array in actual], expected)


@ALL
def test_empty_queries_and_queries_of_one_row_have_no_gradient(subject) -> None:
    p = fixed_problem()
    gradient, hessian = subject.on(p).gradient_hessian()
    assert gradient[6] == hessian[6] == 0
    assert np.any(gradient)
    if not subject.explicit:
        objective = clone(subject.objective).set_params(**({"negatives": 1} if subject.drawn else {}))
        gradient, _ = objective.gradient_hessian([1, 2, 0], [0.1, 0.2, 0.3], group=[1, 0, 2, 0])
        assert gradient[0] == 0
        assert gradient[1] < 0 < gradient[2]
        assert subject.objective.loss([], [], group=[]) == 0.0
        assert subject.objective.gradient_hessian(np.empty(0), np.empty(0), group=[0, 0])[0].shape == (0,)


@ALL
def test_without_rows_that_take_part_all_is_zero(subject) -> None:
    bound = subject.on(fixed_problem())
    nothing = np.zeros(bound.y.size, dtype=bool)
    assert not np.any(bound.gradient_hessian(mask=nothing))
    assert bound.loss(mask=nothing) == 0.0


@those(drawn=False)
@pytest.mark.parametrize("normalize", NORMALIZERS)
def test_masked_rows_are_as_if_removed_whatever_they_hold(subject, normalize) -> None:
    """Draws depend on the number of the row: see tests/engine/test_drawn_negatives.py."""
    mask = np.ones(33, dtype=bool)
    mask[[0, 7, 9, 17, 20, 30]] = False
    p = fixed_problem(mask=mask, normalize=normalize)
    bound = subject.on(p)
    actual = bound.gradient_hessian()
    for array in actual:
        assert not array[~mask].any()

    y, s, w, v = (array.copy() for array in (bound.y, bound.s, p.w, p.v))
    y[~mask], s[~mask] = [np.nan, -5.0, np.inf] * 2, [np.inf, np.nan] * 3
    w[~mask], v[~mask] = [np.nan, -1.0, np.inf] * 2, [-1.0, np.nan] * 3
    arguments = {**bound.arguments, "sample_weight": w, "loser_weight": v}
    np.testing.assert_array_equal(bound.objective.gradient_hessian(y, s, **arguments), actual)

    keep, place = np.flatnonzero(mask), np.cumsum(mask) - 1
    arguments = {"qid": p.codes[keep], "sample_weight": p.w[keep], "loser_weight": p.v[keep]}
    if subject.explicit:
        winner, loser, weight = p.pairs
        inside = mask[winner] & mask[loser]
        arguments["pairs"] = place[winner[inside]], place[loser[inside]], weight[inside]
    removed = bound.objective.gradient_hessian(bound.y[keep], bound.s[keep], **arguments)
    np.testing.assert_array_equal([array[keep] for array in actual], removed)


@those(explicit=False)
def test_negative_labels_take_no_part_or_are_labels(subject) -> None:
    """``ignore_negative_labels=True`` masks these rows; with False, labels are shifted without effect."""
    p = fixed_problem()
    y = p.y - 1
    arguments = {"group": p.sizes, "sample_weight": p.w, "loser_weight": p.v}
    objective = clone(subject.objective).set_params(ignore_negative_labels=True)
    if subject.drawn:
        objective.set_params(negatives=1)
        y[p.y == 0] = -1
        y[np.cumsum(p.sizes) - 1], y[np.cumsum(p.sizes) - 2] = 0, 0
        y[6] = 0
    ignoring = objective.gradient_hessian(y, p.s, **arguments)
    masked = clone(objective).set_params(ignore_negative_labels=None)
    np.testing.assert_array_equal(ignoring, masked.gradient_hessian(y, p.s, mask=y >= 0, **arguments))
    if subject.objective.pair_weight == "uniform" and subject.objective.name != "bpr":
        as_labels = clone(objective).set_params(ignore_negative_labels=False)
        np.testing.assert_array_equal(
            as_labels.gradient_hessian(y, p.s, **arguments), masked.gradient_hessian(p.y, p.s, **arguments)
        )


# Weights.


@those(drawn=False)
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("normalize", NORMALIZERS)
def test_weights_multiply(subject, normalize, both) -> None:
    """Item and loser weights multiply gradient and Hessian: the normalisers are of sums before weights."""
    p = fixed_problem(normalize=normalize, both=both)
    bound = subject.on(p)
    one = bound.gradient_hessian()
    scaled = bound.gradient_hessian(sample_weight=3 * p.w, loser_weight=2 * p.v)
    np.testing.assert_allclose(scaled, np.multiply(one, (9 if both else 3) * 2), rtol=1e-9, atol=1e-12)
    q = np.random.default_rng(2).uniform(0.2, 3, len(p.sizes))
    by_query = bound.gradient_hessian(sample_weight=q)
    expected = np.multiply(bound.gradient_hessian(sample_weight=None), q[p.codes])
    np.testing.assert_allclose(by_query, expected, rtol=1e-9, atol=1e-12)


@ALL
def test_a_scalar_weight_is_that_of_every_row(subject) -> None:
    bound = subject.on(fixed_problem(normalize="none", w=None))
    plain = bound.loss()
    assert bound.loss(sample_weight=2.0) == pytest.approx(2 * plain)
    mean = bound.loss(sample_weight=2.0, reduction="mean_with_sample_weight")
    assert mean == pytest.approx(plain)  # KerasRS divides by the scalar


def test_a_scalar_weight_of_lists_is_that_of_every_row() -> None:
    objective, lists = PairwiseLogistic(normalize="none"), ([[1, 0], [0, 2]], [[0.2, 0.5], [0.1, 0.4]])
    plain = objective.loss(*lists)
    assert objective.loss(*lists, sample_weight=2.0) == pytest.approx(2 * plain)
    assert objective.loss(*lists, sample_weight=2.0, reduction="mean_with_sample_weight") == pytest.approx(plain)


@those(explicit=False)
def test_queries_of_one_row_have_gradients_of_zero(subject) -> None:
    for gradient in subject.objective.gradient_hessian([1, 0], [0.1, 0.2], group=[1, 1]):
        np.testing.assert_array_equal(gradient, [0, 0])


@ALL
@pytest.mark.parametrize("normalize", ["query", "log"])
def test_normalisers_do_not_depend_on_weights(subject, normalize) -> None:
    p = fixed_problem(normalize=normalize, w=None, v=None)
    w, v = np.random.default_rng(3).uniform(0.2, 3, (2, p.y.size))
    w[::7] = 0
    if not subject.drawn:
        v[::9] = 0
    normalised, plain = subject.on(p), subject.on(fixed_problem(normalize="none", w=None, v=None))
    curvature = [bound.gradient_hessian()[1] for bound in (normalised, plain)]
    factor = np.divide(*curvature, out=np.ones(p.y.size), where=curvature[1] > 0)
    if subject.drawn:  # draws depend on the weights of negatives
        v = None
    expected = np.multiply(plain.gradient_hessian(sample_weight=w, loser_weight=v), factor)
    actual = normalised.gradient_hessian(sample_weight=w, loser_weight=v)
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12)


@those(separable=True, explicit=False)
def test_weights_of_both_rows_remove_and_duplicate_rows(subject) -> None:
    """With ``item_weight="both"``, a row of weight 0 is as if removed, one of weight 2 as if it came twice."""
    y, s = np.array([2.0, 1.0, 0.0, 1.0]), np.array([0.3, 0.9, -0.2, 0.4])
    objective = clone(subject.objective).set_params(normalize="none", item_weight="both")
    weighted = objective.gradient_hessian(y, s, sample_weight=[1, 2, 1, 0])
    rows = np.array([0, 1, 1, 2])
    for actual, plain in zip(weighted, objective.gradient_hessian(y[rows], s[rows]), strict=True):
        np.testing.assert_allclose(actual, [plain[0], plain[1] + plain[2], plain[3], 0], rtol=1e-12)


@those(explicit=True)
def test_a_pair_listed_twice_counts_twice(subject) -> None:
    p = fixed_problem(normalize="none")
    bound = subject.on(p)
    winner, loser, weight = p.pairs
    twice = np.arange(winner.size) < 20
    again = tuple(np.concatenate([array, array[twice]]) for array in p.pairs)
    double = winner, loser, np.where(twice, 2 * weight, weight)
    assert_close(*(bound.gradient_hessian(pairs=pairs) for pairs in (again, double)), rtol=1e-13)
    losses = [bound.loss(pairs=pairs) for pairs in (again, double)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-13)


@those(explicit=True)
@pytest.mark.parametrize("normalize", NORMALIZERS)
def test_weights_of_pairs_multiply(subject, normalize) -> None:
    """Exactly, for a power of two; the mean over pair weights does not change."""
    p = fixed_problem(normalize=normalize)
    bound = subject.on(p)
    winner, loser, weight = p.pairs
    plain, scaled = (bound.gradient_hessian(pairs=(winner, loser, weight * by)) for by in (1, 8))
    np.testing.assert_array_equal(scaled, np.multiply(plain, 8))
    losses = [bound.loss(pairs=(winner, loser, weight * by), reduction="pair_weights") for by in (1, 8)]
    assert losses[0] == losses[1] > 0


# Parameters.


@those(differentiable=True)
def test_the_temperature_divides_the_scores(subject) -> None:
    """Except in draws, and in the distances of scores that "lambdarank" divides by."""
    T, p = 0.4, fixed_problem(normalize="query", temperature=1.0)
    cold, hot = subject.on(p), subject.on(replace(p, temperature=T))
    assert hot.loss() == pytest.approx(cold.loss(p.s / T), rel=1e-12)
    gradient, hessian = hot.gradient_hessian()
    scaled = cold.gradient_hessian(p.s / T)
    np.testing.assert_allclose(gradient, scaled[0] / T, rtol=1e-9)
    np.testing.assert_allclose(hessian, scaled[1] / T**2, rtol=1e-9)


@ALL
def test_hessian_scale_multiplies_the_hessian_only(subject) -> None:
    bound = subject.on(fixed_problem())
    one = bound.gradient_hessian()
    bound.objective.set_params(hessian_scale=2)
    two = bound.gradient_hessian()
    np.testing.assert_array_equal(two[0], one[0])
    np.testing.assert_array_equal(two[1], 2 * one[1])


@ALL
@pytest.mark.parametrize("normalize", NORMALIZERS)
def test_reductions_divide_the_sum(subject, normalize) -> None:
    p = fixed_problem(normalize=normalize)
    bound = subject.on(p)
    total = bound.loss()
    expected = {
        "sum": total,
        "mean": total / p.y.size,
        "sum_over_batch_size": total / p.y.size,
        "mean_with_sample_weight": total / bound.arguments["sample_weight"].sum(),
    }
    for reduction, value in expected.items():
        assert bound.loss(reduction=reduction) == pytest.approx(value, rel=1e-12)
    of_rows = bound.loss(reduction="none")
    assert of_rows.shape == p.y.shape
    assert of_rows.sum() == pytest.approx(total, rel=1e-12)
    if subject.objective.pair_weight == "uniform" and not subject.drawn:
        y = (p.y > 0) if subject.objective.name == "bpr" else p.y
        winner, loser = np.nonzero((p.codes[:, None] == p.codes) & (y[:, None] > y))
        weight = np.ones(winner.size)
        if subject.explicit:
            winner, loser, weight = p.pairs
        assert bound.loss(reduction="pairs") == pytest.approx(total / winner.size, rel=1e-12)
        if normalize == "none":
            mean = total / (weight * p.w[winner] * p.v[loser]).sum()
            assert bound.loss(reduction="pair_weights") == pytest.approx(mean, rel=1e-12)


# Numbers and arrays.


@those(bounded=True, drawn=False)
@pytest.mark.parametrize("normalize", NORMALIZERS)
def test_any_finite_scores_have_a_finite_gradient(subject, normalize) -> None:
    y, base = [0, 1, 2, 3, 0, 0], np.array([3.0, -2.0, 0.0, 1.0, 1.0, -3.0])
    winner, loser = np.nonzero(np.subtract.outer(y, y) > 0)
    arguments = {"pairs": (winner, loser)} if subject.explicit else {}
    objective = clone(subject.objective).set_params(normalize=normalize)
    for scale in (1e-300, 1e-30, 1.0, 1e30, 1e306):
        gradient, hessian = objective.gradient_hessian(y, scale * base, **arguments)
        assert np.isfinite(gradient).all()
        assert np.isfinite(hessian).all()
        loss = objective.loss(y, scale * base, sample_weight=[1, 1, 0, 1, 1, 1], **arguments)
        assert np.isfinite(loss)
        if "soft_zero_one" not in objective.name:  # which gives up pairs that are far apart in the wrong order
            plain = objective.pair_weight == "uniform" and "hinge" not in objective.name
            assert gradient[0] > 0 > gradient[1 if plain else 3]


@ALL
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_do_not_depend_on_the_memory_of_the_arguments_and_have_the_dtype_of_the_scores(
    subject, dtype, tmp_path
) -> None:
    """Read-only, not contiguous, mapped from a file, or lists; the arguments are not changed."""
    p = fixed_problem(s=fixed_problem().s.astype(np.float32).astype(float))
    bound = subject.on(p)
    expected = bound.objective.gradient_hessian(bound.y, p.s.astype(dtype), **bound.arguments)
    assert expected[0].dtype == expected[1].dtype == dtype

    def read_only(array):
        array = array.copy()
        array.setflags(write=False)
        return array

    def strided(array):
        return np.repeat(array, 3)[::3]

    def mapped(array):
        file = tmp_path / f"{uuid4()}.npy"
        np.save(file, array)
        return np.load(file, mmap_mode="r")

    for form in (read_only, strided, mapped, lambda array: array.tolist()):
        arguments = {"group": form(np.array(p.sizes))}
        for name in ("sample_weight", "loser_weight"):
            arguments[name] = form(bound.arguments[name])
        if subject.explicit:
            arguments["pairs"] = tuple(form(array) for array in p.pairs)
        y, scores = form(bound.y.astype(dtype)), form(p.s.astype(dtype))
        scores = np.array(scores, dtype=dtype) if isinstance(scores, list) else scores  # a list has no dtype
        before = copy.deepcopy((y, scores, arguments))
        actual = bound.objective.gradient_hessian(y, scores, **arguments)
        np.testing.assert_array_equal(actual, expected)
        np.testing.assert_equal((y, scores, arguments), before)


@ALL
def test_results_do_not_depend_on_the_number_of_threads(subject) -> None:
    """Not in a bit; :func:`test_sums_by_several_tasks_have_the_same_bits` has sizes that are shared by threads."""
    rng = np.random.default_rng(1)
    # The sums of the losses that have no test of their own in tests/engine are of more pairs.
    large = subject in [SUBJECTS[name] for name in ("hinge", "squared", "exponential", "soft zero-one", "custom")]
    sizes = rng.integers(1, 400, 600) if large else rng.integers(4, 100, 300)
    p = fixed_problem(sizes=sizes.tolist(), w=None, v=None)
    bound = subject.on(p)
    bound.objective.set_params(n_threads=1)
    expected, loss = bound.gradient_hessian(), bound.loss()
    for n_threads in (2, 3, 7):
        bound.objective.set_params(n_threads=n_threads)
        np.testing.assert_array_equal(bound.gradient_hessian(), expected)
    assert bound.loss() == loss


@pytest.mark.parametrize(
    "objective",
    [
        PairwiseSoftZeroOne(),
        PairwiseHinge(pair_weight="label_diff"),
        PairwiseLogistic(pair_weight="lambdarank", truncation=30),
    ],
    ids=repr,
)
def test_sums_by_several_tasks_have_the_same_bits(objective) -> None:
    rng = np.random.default_rng(1)
    sizes = [4000] * 12 + [1, 30]
    y, s = rng.integers(0, 5, sum(sizes)).astype(float), rng.standard_normal(sum(sizes))
    one, *others = (clone(objective).set_params(n_threads=k).gradient_hessian(y, s, group=sizes) for k in (1, 2, 3, 7))
    for several in others:
        np.testing.assert_array_equal(several, one)


def test_sums_of_many_explicit_pairs_have_the_same_bits() -> None:
    rng = np.random.default_rng(2)
    winner, loser = rng.integers(0, 3000, (2, 600_000))
    pairs = (winner[winner != loser], loser[winner != loser])
    s = rng.standard_normal(3000)
    one, *others = (PairwiseHinge(n_threads=k).gradient_hessian(np.zeros(3000), s, pairs=pairs) for k in (1, 2, 7))
    for several in others:
        np.testing.assert_array_equal(several, one)


# The object.


@ALL
def test_copies_clones_and_pickles_are_the_same_objective(subject) -> None:
    p = fixed_problem()
    objective = clone(subject.objective).set_params(temperature=0.5)
    others = {"margin": 1.5, "threshold": 1.0, "name": "a loss of my own"}
    objective.set_params(**{name: value for name, value in others.items() if name in objective.get_params()})
    bound = subject.on(p)
    bound.objective = objective
    expected = bound.gradient_hessian()
    assert repr(objective).startswith(type(objective).__name__)
    assert "0.5" in repr(objective)
    parameters = objective.get_params()
    function = {"function": objective.function} if "function" in parameters else {}
    for twin in (
        clone(objective),
        copy.copy(objective),
        copy.deepcopy(objective),
        pickle.loads(pickle.dumps(objective)),
        type(objective)(**function).set_params(**parameters),
    ):
        assert twin is not objective
        assert twin.get_params() == parameters
        bound.objective = twin
        np.testing.assert_array_equal(bound.gradient_hessian(), expected)


def test_every_loss_is_under_contract() -> None:
    apart = {"pairwise_mean_squared_error"}  # test_mean_squared_error.py
    names = {subject.objective.name for subject in SUBJECTS.values()}
    assert names == {*objective_names(), "pairwise_custom"} - apart

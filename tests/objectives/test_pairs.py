"""Explicit pairs: the objectives, both boosters, the rankers and a metric, on pairs that no label makes."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold

from gbdt_pairloss import BPR, PairwiseLogistic, attach, get_objective, metrics

lgb = pytest.importorskip("lightgbm", minversion="4.0")
xgb = pytest.importorskip("xgboost")

from _support.rankers import BOTH, history_of, make_ranker  # noqa: E402

from gbdt_pairloss import LGBMRanker  # noqa: E402

LGB = {"verbose": -1, "num_threads": 1, "deterministic": True, "min_data_in_leaf": 5}
XGB = {"nthread": 1, "base_score": 0.0, "disable_default_eval_metric": True}
BOOSTERS = pytest.mark.parametrize("booster", ["lightgbm", "xgboost"])
NORMALIZERS = ["none", "query", "log"]


def _logistic(d):
    right, wrong = 1 / (1 + np.exp(-d)), 1 / (1 + np.exp(d))
    return np.log1p(np.exp(-d)), -wrong, right * wrong


def _soft_zero_one(d):
    right, wrong = 1 / (1 + np.exp(-d)), 1 / (1 + np.exp(d))
    return wrong, -right * wrong, right * wrong


# The losses of one pair as the README and the docstrings define them: l(d), l'(d) and what stands for l''(d).
LOSSES = {
    "pairwise_logistic": _logistic,
    "pairwise_hinge": lambda d: (np.maximum(1 - d, 0), -1.0 * (d < 1), 1.0 * (d < 1)),
    "pairwise_exponential": lambda d: (np.exp(-d), -np.exp(-d), np.exp(-d)),
    "pairwise_squared": lambda d: ((1 - d) ** 2, -2 * (1 - d), np.full(d.shape, 2.0)),
    "pairwise_soft_zero_one": _soft_zero_one,
    "bpr": _logistic,
}


class Case:
    """Labels, scores, pairs and weights of some queries, and the objective's parameters."""

    def __init__(self, seed, name, normalize, sizes, scale=1.0, temperature=1.0, weights=(), both=False) -> None:
        rng = np.random.default_rng(seed)
        n = sum(sizes)
        self.name, self.normalize, self.temperature, self.sizes = name, normalize, temperature, np.array(sizes)
        self.codes = np.repeat(np.arange(len(sizes)), sizes)
        # Zeros and ones are what BPR makes of labels; any others say the same to all objectives.
        self.y = rng.integers(0, 2 if name == "bpr" else 4, n).astype(float)
        self.s = rng.normal(scale=scale, size=n)
        self.item_weight = rng.integers(0, 4, n) / 2 if "item" in weights else None
        self.loser_weight = rng.integers(0, 4, n) / 2 if "loser" in weights else None
        self.query_weight = rng.uniform(0.2, 3, len(sizes)) if "query" in weights else None
        self.mask = rng.random(n) < 0.7 if "mask" in weights else None
        self.both = both
        self.objective = get_objective(
            name, normalize=normalize, temperature=temperature, item_weight="both" if both else "winner"
        )
        sample_weight = self.item_weight if self.query_weight is None else self.query_weight
        self.arguments = {
            "group": self.sizes,
            "sample_weight": sample_weight,
            "loser_weight": self.loser_weight,
            "mask": self.mask,
        }
        self.rng = rng

    def __repr__(self) -> str:
        return str(vars(self))

    def pairs_of_labels(self):
        """Every pair that the labels make, those of masked rows as well, in random order."""
        winner, loser = np.nonzero((self.codes[:, None] == self.codes) & (self.y[:, None] > self.y))
        order = self.rng.permutation(winner.size)
        return winner[order], loser[order]

    def any_pairs(self, n_pairs):
        """Pairs of rows of one query, drawn: they contradict each other and the labels, and come more than once."""
        winner, loser = np.nonzero((self.codes[:, None] == self.codes) & ~np.eye(self.codes.size, dtype=bool))
        drawn = self.rng.integers(0, winner.size, n_pairs)
        return winner[drawn], loser[drawn], self.rng.integers(0, 5, n_pairs) / 2

    def by_hand(self, pairs):
        """Loss, gradient and Hessian of pairs by the definition."""
        n = self.codes.size
        ones = np.ones(n)
        winner, loser, weight = pairs
        v = ones if self.loser_weight is None else self.loser_weight
        q = np.ones(self.sizes.size) if self.query_weight is None else self.query_weight
        w = ones if self.item_weight is None or self.query_weight is not None else self.item_weight
        takes_part = ones > 0 if self.mask is None else self.mask
        loss, gradient, hessian = 0.0, np.zeros(n), np.zeros(n)
        for query in range(self.sizes.size):
            listed = [
                (i, j, omega)
                for i, j, omega in zip(winner, loser, weight, strict=True)
                if self.codes[i] == query and takes_part[i] and takes_part[j]
            ]
            if not listed:
                continue
            i, j, omega = (np.array(column) for column in zip(*listed, strict=True))
            value, first, second = LOSSES[self.name]((self.s[i] - self.s[j]) / self.temperature)
            factor = q[query]
            if self.normalize == "query":
                factor *= takes_part[self.codes == query].sum() / len(listed)
            elif self.normalize == "log":
                total = 2 * np.abs(first).sum() / self.temperature
                factor *= (np.log1p(total) / total if total > 0 else 1) / np.log(2)
            omega = omega * factor * w[i] * v[j] * (w[j] if self.both else 1)
            loss += float((omega * value).sum())
            np.add.at(gradient, i, omega * first / self.temperature)
            np.add.at(gradient, j, -omega * first / self.temperature)
            for row in (i, j):
                np.add.at(hessian, row, omega * second / self.temperature**2)
        return loss, gradient, hessian


@st.composite
def cases(draw):
    sizes = draw(st.lists(st.integers(0, 7), min_size=1, max_size=4).filter(lambda s: max(s) > 1 and sum(s) != len(s)))
    return Case(
        draw(st.integers(0, 2**32 - 1)),
        draw(st.sampled_from(list(LOSSES))),
        draw(st.sampled_from(NORMALIZERS)),
        sizes,
        scale=draw(st.sampled_from([0.1, 1.0, 4.0])),
        temperature=draw(st.sampled_from([0.5, 1.0, 2.5])),
        weights=draw(st.sets(st.sampled_from(["item", "loser", "query", "mask"]))),
        both=draw(st.booleans()),
    )


def assert_close(actual, expected, rtol=1e-9) -> None:
    """Equal gradients and Hessians but for rounding: of a number, and of what cancels in a row's sum."""
    largest = max(np.max(np.abs(array)) for array in expected)
    for ours, theirs in zip(actual, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-3 * rtol * largest)


def assert_same_in_float32(actual, expected) -> None:
    """Equal to what float32 is good for: 1e-6 of the largest."""
    for ours, theirs in zip(actual, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6 * np.max(np.abs(theirs)))


# The sum.


def test_catboosts_pair_logit_on_the_example_of_keras_rs() -> None:
    labels, scores = np.array([1, 0, 1, 3, 0, 1, 2, 3]), np.array([1, 3, 2, 4, 1, 1.8, 2, 3])
    codes = np.repeat([0, 1], 4)
    winner, loser = np.nonzero((labels[:, None] > labels) & (codes[:, None] == codes))
    assert winner.size == 11
    objective = PairwiseLogistic(normalize="none")
    given = {"group": [4, 4], "reduction": "pair_weights"}
    plain = objective.loss(np.zeros(8), scores, pairs=(winner, loser), **given)
    assert plain == pytest.approx(0.5377218, abs=1e-6)  # CatBoost 1.2.10
    w = np.random.default_rng(0).uniform(0.1, 3, 11)
    weighted = objective.loss(np.zeros(8), scores, pairs=(winner, loser, w), **given)
    softplus = np.log1p(np.exp(scores[loser] - scores[winner]))
    assert weighted == pytest.approx((w * softplus).sum() / w.sum(), rel=1e-12)
    assert abs(weighted - plain) > 1e-3


@settings(max_examples=150, deadline=None)
@given(cases())
def test_listing_the_pairs_of_the_labels_is_the_same_as_the_labels(case) -> None:
    pairs = case.pairs_of_labels()
    assume(pairs[0].size)
    n = case.y.size
    listed = case.objective.gradient_hessian(np.zeros(n), case.s, pairs=pairs, **case.arguments)
    assert_close(listed, case.objective.gradient_hessian(case.y, case.s, **case.arguments))
    for reduction in ("sum", "mean", "pairs", "pair_weights", "none"):
        arguments = {**case.arguments, "reduction": reduction}
        ours = case.objective.loss(np.zeros(n), case.s, pairs=pairs, **arguments)
        np.testing.assert_allclose(ours, case.objective.loss(case.y, case.s, **arguments), rtol=1e-9, atol=1e-12)


@settings(max_examples=150, deadline=None)
@given(cases(), st.integers(1, 40))
def test_any_pairs_agree_with_the_definition_by_hand(case, n_pairs) -> None:
    pairs = case.any_pairs(n_pairs)
    loss, gradient, hessian = case.by_hand(pairs)
    listed = case.objective.gradient_hessian(case.y, case.s, pairs=pairs, **case.arguments)
    assert_close(listed, (gradient, hessian))
    ours = case.objective.loss(case.y, case.s, pairs=pairs, **case.arguments)
    assert ours == pytest.approx(loss, rel=1e-9, abs=1e-12)


@settings(max_examples=75, deadline=None)
@given(cases(), st.integers(1, 40))
def test_the_gradient_of_a_query_sums_to_zero_and_the_hessian_is_not_negative(case, n_pairs) -> None:
    pairs = case.any_pairs(n_pairs)
    gradient, hessian = case.objective.gradient_hessian(np.zeros(case.y.size), case.s, pairs=pairs, **case.arguments)
    assert (hessian >= 0).all()
    total = np.bincount(case.codes, gradient, case.sizes.size)
    assert (np.abs(total) <= 1e-13 * np.bincount(case.codes, np.abs(gradient), case.sizes.size)).all()


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("normalize", ["none", "query"])  # "log" rescales a gradient and has no loss
def test_the_gradient_is_the_finite_difference_of_the_loss(name, normalize) -> None:
    case = Case(3, name, normalize, [5, 0, 4, 1], temperature=0.7, weights=("item", "loser", "mask"), both=True)
    pairs = case.any_pairs(30)
    gradient, hessian = case.objective.gradient_hessian(case.y, case.s, pairs=pairs, **case.arguments)
    assert np.abs(gradient).max() > 0.1
    step = 1e-5
    for row in range(case.y.size):
        shifted = [case.s + sign * step * (np.arange(case.y.size) == row) for sign in (1, -1)]
        up, down = (case.objective.loss(case.y, s, pairs=pairs, **case.arguments) for s in shifted)
        assert (up - down) / (2 * step) == pytest.approx(gradient[row], rel=1e-6, abs=1e-7)
        if name in ("pairwise_hinge", "pairwise_soft_zero_one"):  # have a surrogate
            continue
        up, down = (case.objective.gradient_hessian(case.y, s, pairs=pairs, **case.arguments)[0] for s in shifted)
        assert (up[row] - down[row]) / (2 * step) == pytest.approx(hessian[row], rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("name", LOSSES)
def test_a_pair_listed_twice_counts_twice(name) -> None:
    case = Case(0, name, "none", [6, 5])
    winner, loser, weight = case.any_pairs(12)
    weight += 0.5
    twice = np.arange(12) < 5
    again = tuple(np.concatenate([array, array[twice]]) for array in (winner, loser, weight))
    double = winner, loser, np.where(twice, 2 * weight, weight)
    calls = [case.objective.gradient_hessian(case.y, case.s, group=case.sizes, pairs=p) for p in (again, double)]
    assert_close(*calls, rtol=1e-13)
    losses = [case.objective.loss(case.y, case.s, group=case.sizes, pairs=p) for p in (again, double)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-13)


@pytest.mark.parametrize("normalize", NORMALIZERS)
@pytest.mark.parametrize("name", LOSSES)
def test_weights_of_pairs_that_are_scaled_scale_gradient_and_hessian(name, normalize) -> None:
    case = Case(1, name, normalize, [6, 5], weights=("item", "loser", "query"))
    winner, loser, weight = case.any_pairs(25)
    plain, scaled = (
        case.objective.gradient_hessian(case.y, case.s, pairs=(winner, loser, weight * by), **case.arguments)
        for by in (1, 8)
    )
    for ours, theirs in zip(scaled, plain, strict=True):
        np.testing.assert_array_equal(ours, 8 * theirs)
    losses = [
        case.objective.loss(case.y, case.s, pairs=(winner, loser, weight * by), reduction="pair_weights")
        for by in (1, 8)
    ]
    assert losses[0] == losses[1] > 0


@pytest.mark.parametrize("normalize", NORMALIZERS)
def test_a_pair_of_weight_zero_contributes_nothing(normalize) -> None:
    case = Case(2, "pairwise_logistic", normalize, [8, 6])
    winner, loser, weight = case.any_pairs(40)
    weight[(winner == 3) | (loser == 3) | (case.codes[winner] == 1)] = 0  # row 3, and the second query
    counts = weight > 0
    s = case.s.copy()
    gradient, hessian = case.objective.gradient_hessian(case.y, s, group=case.sizes, pairs=(winner, loser, weight))
    assert not gradient[3]
    assert not hessian[3]
    assert not gradient[8:].any()
    assert not hessian[8:].any()
    assert gradient.any()
    if normalize == "none":  # the others count pairs before their weights, as they do those of labels
        left_out = winner[counts], loser[counts], weight[counts]
        expected = case.objective.gradient_hessian(case.y, s, group=case.sizes, pairs=left_out)
        for ours, theirs in zip((gradient, hessian), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_weights_that_are_none_or_ones_are_no_weights() -> None:
    case = Case(2, "pairwise_logistic", "log", [8, 6])
    winner, loser, _ = case.any_pairs(20)
    expected = case.objective.gradient_hessian(case.y, case.s, group=case.sizes, pairs=(winner, loser))
    for weight in (None, np.ones(20), np.ones(20, dtype=int), [1.0] * 20):
        ours = case.objective.gradient_hessian(case.y, case.s, group=case.sizes, pairs=(winner, loser, weight))
        for one, other in zip(ours, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", [list, np.int32, np.uint64, np.float64, "column", "series"])
def test_rows_in_every_form(kind) -> None:
    case = Case(2, "pairwise_logistic", "log", [8, 6])
    winner, loser, weight = case.any_pairs(20)
    expected = case.objective.gradient_hessian(case.y, case.s, group=case.sizes, pairs=(winner, loser, weight))
    if kind is list:
        pairs = winner.tolist(), loser.tolist(), weight.tolist()
    elif kind == "column":
        pairs = winner[:, None], loser[:, None], weight[:, None]
    elif kind == "series":
        pd = pytest.importorskip("pandas")
        pairs = tuple(pd.Series(array, index=np.arange(20)[::-1]) for array in (winner, loser, weight))
    else:
        pairs = winner.astype(kind), loser.astype(kind), weight
    ours = case.objective.gradient_hessian(case.y, case.s, group=case.sizes, pairs=pairs)
    for one, other in zip(ours, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_rows_of_lists_count_through_them() -> None:
    case = Case(2, "pairwise_logistic", "query", [5, 5, 5])
    pairs = case.any_pairs(20)
    flat = case.objective.gradient_hessian(case.y, case.s, group=case.sizes, pairs=pairs)
    lists = case.objective.gradient_hessian(case.y.reshape(3, 5), case.s.reshape(3, 5), pairs=pairs)
    for one, other in zip(lists, flat, strict=True):
        assert one.shape == (3, 5)
        np.testing.assert_array_equal(one.ravel(), other)


@pytest.mark.parametrize("n_queries", [1, 300])
def test_the_bits_do_not_depend_on_the_threads(n_queries) -> None:
    rng = np.random.default_rng(0)
    size, n_pairs = 3000 // n_queries, 620_000  # for the sums to be made in several parts
    query = rng.integers(0, n_queries, n_pairs)
    winner = rng.integers(0, size, n_pairs)
    loser = (winner + rng.integers(1, size, n_pairs)) % size + query * size
    winner += query * size
    pairs = winner, loser, rng.uniform(0, 2, n_pairs)
    s, labels = rng.normal(size=3000), np.zeros(3000)
    given = {"group": [size] * n_queries, "pairs": pairs}
    results = [PairwiseLogistic(n_threads=n).gradient_hessian(labels, s, **given) for n in (1, 2, 3)]
    losses = [PairwiseLogistic(n_threads=n).loss(labels, s, **given) for n in (1, 2, 3)]
    for k in range(2):
        np.testing.assert_array_equal(results[1][k], results[0][k])
        np.testing.assert_array_equal(results[2][k], results[0][k])
    assert losses[0] == losses[1] == losses[2]
    # And they are right: by hand, with the factor of each query.
    _, first, second = _logistic(s[winner] - s[loser])
    total = 2 * np.bincount(query, -first, n_queries)
    factor = np.log1p(total) / np.log(2) / total
    slope, curve = (pairs[2] * factor[query] * values for values in (first, second))
    gradient = np.bincount(winner, slope, 3000) - np.bincount(loser, slope, 3000)
    hessian = np.bincount(winner, curve, 3000) + np.bincount(loser, curve, 3000)
    assert_close(results[0], (gradient, hessian), rtol=1e-10)
    expected = float((pairs[2] * factor[query] * np.log1p(np.exp(s[loser] - s[winner]))).sum())
    assert losses[0] == pytest.approx(expected, rel=1e-12)


# Labels.


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("normalize", NORMALIZERS)
def test_labels_play_no_part(name, normalize) -> None:
    case = Case(4, name, normalize, [9, 1, 7], weights=("loser", "mask"))
    pairs = case.any_pairs(60)
    n = case.y.size
    results = []
    for labels in (np.zeros(n), np.full(n, 7.5), case.y, case.rng.uniform(0, 9, n), np.arange(n), np.arange(n)[::-1]):
        arrays = case.objective.gradient_hessian(labels, case.s, pairs=pairs, **case.arguments)
        loss = case.objective.loss(labels, case.s, pairs=pairs, reduction="none", **case.arguments)
        results.append((*arrays, loss))
    for other in results[1:]:
        assert_close(other, results[0], rtol=1e-12)


def test_negative_labels_play_no_part_either() -> None:
    case = Case(4, "pairwise_logistic", "log", [9, 7])
    given = {"pairs": case.any_pairs(60), "group": case.sizes}
    expected = case.objective.gradient_hessian(case.y, case.s, **given)
    assert_close(case.objective.gradient_hessian(case.y - 1, case.s, **given), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [float, "names"])
def test_rows_scattered_over_queries(dtype) -> None:
    case = Case(5, "pairwise_logistic", "log", [9, 2, 7, 4], weights=("item", "loser"))
    winner, loser, weight = case.any_pairs(50)
    n = case.y.size
    order = case.rng.permutation(n)  # row r of the scattered data is row order[r]
    place = np.argsort(order)
    names = np.array(["d", "a", "c", "b"]) if dtype == "names" else np.array([2.5, -1, 7, 0])
    expected = case.objective.gradient_hessian(case.y, case.s, pairs=(winner, loser, weight), **case.arguments)
    scattered = case.objective.gradient_hessian(
        np.zeros(n),
        case.s[order],
        qid=names[case.codes][order],
        sample_weight=case.item_weight[order],
        loser_weight=case.loser_weight[order],
        pairs=(place[winner], place[loser], weight),
    )
    assert_close([array[place] for array in scattered], expected, rtol=1e-12)


# Datasets of the boosters.


class Data:
    """Items of whose features a strength is made, and duels within queries: the stronger one wins more often."""

    def __init__(self, seed=0, n_queries=12, size=20, n_pairs=600, noise=0.25) -> None:
        rng = np.random.default_rng(seed)
        n = n_queries * size
        self.sizes = np.full(n_queries, size)
        self.qid = np.repeat(np.arange(n_queries), size)
        # Few values, so that every fold of the rows has the same bins.
        self.X = rng.integers(-8, 9, (n, 4)) / 4
        self.strength = 3 * self.X[:, 0] - 2 * self.X[:, 1]
        one = rng.integers(0, n, n_pairs)
        other = (one + rng.integers(1, size, n_pairs)) % size + one // size * size
        one_wins = rng.random(n_pairs) < 1 / (1 + np.exp((self.strength[other] - self.strength[one]) / noise))
        self.pairs = np.where(one_wins, one, other), np.where(one_wins, other, one), rng.integers(1, 9, n_pairs) / 4
        self.scores = rng.normal(size=n).astype(np.float32).astype(float)
        self.zeros = np.zeros(n)
        self.n = n


@pytest.fixture(scope="module")
def data() -> Data:
    return Data()


def dataset_of(booster, X, y=None, sizes=None, **params):
    if booster == "lightgbm":
        y = np.zeros(len(X)) if y is None else y
        return lgb.Dataset(X, y, group=sizes, params={"verbose": -1}, free_raw_data=False, **params)
    return xgb.DMatrix(X, y, group=sizes, nthread=1, **params)


def train(booster, objective, dataset, rounds=8):
    if booster == "lightgbm":
        return lgb.train({**LGB, "objective": objective}, dataset, rounds)
    return xgb.train(XGB, dataset, rounds, obj=objective)


def predict(booster, model, X):
    return model.predict(X) if booster == "lightgbm" else model.predict(xgb.DMatrix(X, nthread=1))


def construct(booster, dataset):
    return dataset.construct() if booster == "lightgbm" else dataset


def inside(pairs, rows):
    """The pairs whose rows are among some, counted among these."""
    place = np.full(100_000, -1)
    place[rows] = np.arange(len(rows))
    winner, loser, weight = pairs
    keep = place[winner] >= 0
    return place[winner[keep]], place[loser[keep]], weight[keep]


@BOOSTERS
@pytest.mark.parametrize("name", LOSSES)
def test_a_dataset_says_what_arrays_say(booster, name, data) -> None:
    objective = get_objective(name)
    dataset = construct(booster, dataset_of(booster, data.X, sizes=data.sizes))
    attach(dataset, pairs=data.pairs)
    ours = objective(data.scores, dataset)
    given = {"group": data.sizes, "pairs": data.pairs}
    assert_same_in_float32(ours, objective.gradient_hessian(data.zeros, data.scores, **given))
    assert all(array.dtype == np.float32 and array.flags.c_contiguous for array in ours)
    result = objective.metric(data.scores, dataset)
    expected = objective.loss(data.zeros, data.scores, reduction="pair_weights", **given)
    assert result[0] == name
    assert result[1] == pytest.approx(expected, rel=1e-9)


@BOOSTERS
def test_weights_of_rows_queries_and_pairs_multiply(booster, data) -> None:
    rng = np.random.default_rng(1)
    w, v, mask = rng.integers(1, 9, data.n) / 4, rng.integers(1, 9, data.n) / 4, rng.random(data.n) < 0.8
    dataset = construct(booster, dataset_of(booster, data.X, sizes=data.sizes))
    attach(dataset, loser_weight=v, mask=mask)
    attach(dataset, pairs=data.pairs)  # the others stay
    weight = w
    if booster == "lightgbm":
        dataset.set_weight(w)
    else:
        q = rng.integers(1, 9, data.sizes.size) / 4
        dataset.set_weight(q)
        attach(dataset, item_weight=w)
        weight = w * q[data.qid]
    objective = PairwiseLogistic()
    ours = objective(data.scores, dataset)
    arguments = {"sample_weight": weight, "loser_weight": v, "mask": mask}
    expected = objective.gradient_hessian(data.zeros, data.scores, group=data.sizes, pairs=data.pairs, **arguments)
    assert_same_in_float32(ours, expected)


@BOOSTERS
def test_a_dataset_without_groups_is_one_query(booster, data) -> None:
    dataset = construct(booster, dataset_of(booster, data.X, y=data.zeros))
    with pytest.raises(ValueError, match="has no query groups"):
        PairwiseLogistic()(data.scores, dataset)
    rng = np.random.default_rng(0)
    pairs = rng.permutation(data.n), rng.permutation(data.n)
    pairs = tuple(rows[pairs[0] != pairs[1]] for rows in pairs)
    attach(dataset, pairs=pairs)
    for normalize in NORMALIZERS:
        objective = PairwiseLogistic(normalize=normalize)
        ours = objective(data.scores, dataset)
        assert_same_in_float32(ours, objective.gradient_hessian(data.zeros, data.scores, pairs=pairs))


@pytest.mark.parametrize("grouped", [True, False])
def test_a_dmatrix_needs_no_labels(data, grouped) -> None:
    sizes = data.sizes if grouped else None
    without, zeros = xgb.DMatrix(data.X, nthread=1), xgb.DMatrix(data.X, data.zeros, nthread=1)
    models = []
    objective = PairwiseLogistic(normalize="none")
    for dataset in (without, zeros):
        if grouped:
            dataset.set_group(sizes)
        attach(dataset, pairs=data.pairs)
        models.append(train("xgboost", objective, dataset))
        assert objective.metric(data.scores, dataset)[1] == pytest.approx(
            objective.loss(data.zeros, data.scores, group=sizes, pairs=data.pairs, reduction="pair_weights"), rel=1e-9
        )
    predictions = [predict("xgboost", model, data.X) for model in models]
    np.testing.assert_array_equal(*predictions)
    assert np.ptp(predictions[0]) > 1


@BOOSTERS
def test_training_lowers_the_metric_of_the_objective(booster, data) -> None:
    dataset = dataset_of(booster, data.X, sizes=data.sizes)
    attach(dataset, pairs=data.pairs)
    objective, history = PairwiseLogistic(), {}
    if booster == "lightgbm":
        callbacks = [lgb.record_evaluation(history)]
        model = lgb.train(
            {**LGB, "objective": objective},
            dataset,
            12,
            [dataset],
            ["data"],
            feval=objective.metric,
            callbacks=callbacks,
        )
    else:
        evals = {"evals": [(dataset, "data")], "evals_result": history, "verbose_eval": False}
        model = xgb.train(XGB, dataset, 12, obj=objective, custom_metric=objective.metric, **evals)
    losses = history["data"]["pairwise_logistic"]
    assert losses[-1] < 0.7 * losses[0]
    scores = predict(booster, model, data.X)
    given = {"group": data.sizes, "pairs": data.pairs}
    assert losses[-1] == pytest.approx(objective.loss(data.zeros, scores, reduction="pair_weights", **given), rel=1e-5)
    assert metrics.pair_accuracy(data.zeros, scores, **given) > 0.8


def check_part(objective, scores, dataset, data, pairs) -> None:
    """A dataset made of some rows of the data, whose labels are their numbers, knows the pairs among them."""
    rows = np.asarray(dataset.get_label()).astype(int)
    sizes = np.bincount(data.qid[rows])
    starts = np.flatnonzero(np.diff(data.qid[rows], prepend=-1))
    group = sizes[data.qid[rows][starts]]
    assert 0 < rows.size <= data.n
    given = {"group": group, "pairs": inside(pairs, rows)}
    expected = objective.gradient_hessian(np.zeros(rows.size), scores, **given)
    assert np.abs(expected[0]).max() > 0
    assert_same_in_float32(objective(scores, dataset), expected)
    value = objective.metric(scores, dataset)[1]
    loss = objective.loss(np.zeros(rows.size), scores, reduction="pair_weights", **given)
    assert value == pytest.approx(loss, rel=1e-6)


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda dataset: pickle.loads(pickle.dumps(dataset))])
def test_pairs_follow_copies_of_a_dataset(how, data) -> None:
    dataset = dataset_of("lightgbm", data.X, np.arange(data.n), data.sizes)
    attach(dataset, pairs=data.pairs)
    check_part(PairwiseLogistic(), data.scores, how(dataset).construct(), data, data.pairs)


@BOOSTERS
def test_pairs_follow_a_cut_of_whole_queries(booster, data) -> None:
    whole = construct(booster, dataset_of(booster, data.X, np.arange(data.n), data.sizes))
    attach(whole, pairs=data.pairs)
    rows = np.flatnonzero((data.qid % 3 == 1) & (data.qid > 2))
    if booster == "lightgbm":
        part = whole.subset(rows.tolist()).construct()
        again = part.subset(list(range(20, rows.size))).construct()
    else:
        rows = rows.reshape(-1, 20)[::-1, ::-1].ravel()  # the order of queries and of rows may change
        part = whole.slice(rows, allow_groups=True)
        part.set_group(np.full(rows.size // 20, 20))
        again = part.slice(np.arange(20, rows.size), allow_groups=True)
        again.set_group(np.full(rows.size // 20 - 1, 20))
    del whole
    check_part(PairwiseLogistic(), data.scores[rows], part, data, data.pairs)
    check_part(PairwiseLogistic(), data.scores[rows][20:], again, data, data.pairs)


@BOOSTERS
def test_a_cut_that_keeps_pairs_whole_needs_no_groups(booster, data) -> None:
    whole = construct(booster, dataset_of(booster, data.X, np.arange(data.n)))
    attach(whole, pairs=data.pairs)
    rows = np.arange(40, 100)
    part = whole.subset(rows.tolist()).construct() if booster == "lightgbm" else whole.slice(rows)
    objective = PairwiseLogistic()
    expected = objective.gradient_hessian(np.zeros(60), data.scores[rows], pairs=inside(data.pairs, rows))
    assert_same_in_float32(objective(data.scores[rows], part), expected)


@BOOSTERS
def test_a_cut_through_a_pair_is_refused(booster, data) -> None:
    dataset = construct(booster, dataset_of(booster, data.X, data.zeros, data.sizes))
    attach(dataset, pairs=([0, 25], [1, 30]))
    rows = [*range(20), *range(20, 28)]
    message = r"takes one row of pairs\[1\], rows 25 and 30, and leaves the other .1 such pairs.: cut between queries"
    with pytest.raises(ValueError, match=message):  # noqa: PT012  # at the cut, or at the first use of what was cut
        part = dataset.subset(rows).construct() if booster == "lightgbm" else dataset.slice(rows, allow_groups=True)
        PairwiseLogistic()(np.zeros(28), part)


def test_a_cut_that_repeats_the_rows_of_a_pair_is_refused(data) -> None:
    dataset = xgb.DMatrix(data.X, data.zeros, nthread=1)
    attach(dataset, pairs=([0, 25], [1, 30]))
    with pytest.raises(ValueError, match="takes rows more than once, and there is no telling which"):
        dataset.slice([0, 1, 0])
    attach(dataset.slice([0, 1, 2, 2]), mask=np.ones(4, dtype=bool))  # row 2 is in no pair


def test_a_part_without_pairs_is_cut_again_like_any_other(data) -> None:
    dataset = xgb.DMatrix(data.X, data.zeros, nthread=1)
    attach(dataset, pairs=([0, 25], [1, 30]))
    assert dataset.slice(np.arange(40, 60)).slice(np.arange(10)).num_row() == 10


@BOOSTERS
def test_attaching_again_replaces_and_later_changes_do_not_matter(booster, data) -> None:
    objective = PairwiseLogistic()
    dataset = construct(booster, dataset_of(booster, data.X, sizes=data.sizes))
    reverse = data.pairs[1], data.pairs[0], data.pairs[2]
    for pairs in (data.pairs, reverse, data.pairs[:2], tuple(rows[:100] for rows in data.pairs)):
        mine = tuple(rows.copy() for rows in pairs)
        attach(dataset, pairs=mine)
        for array in mine:
            array[:] = 1
        ours = objective(data.scores, dataset)
        expected = objective.gradient_hessian(data.zeros, data.scores, group=data.sizes, pairs=pairs)
        assert_same_in_float32(ours, expected)
        for array in mine:
            array[:] = 2
        assert_same_in_float32(objective(data.scores, dataset), expected)


def test_arrays_are_not_changed(data) -> None:
    pairs = tuple(array.copy() for array in data.pairs)
    for array in pairs:
        array.flags.writeable = False
    PairwiseLogistic().gradient_hessian(data.zeros, data.scores, pairs=pairs, qid=data.qid)
    attach(xgb.DMatrix(data.X, nthread=1), pairs=pairs)
    for array, before in zip(pairs, data.pairs, strict=True):
        np.testing.assert_array_equal(array, before)


@BOOSTERS
@pytest.mark.parametrize("grouped", [True, False])
def test_cross_validation_by_whole_queries(booster, grouped, data) -> None:
    objective = PairwiseLogistic(normalize="none" if not grouped else "log")
    seen = []

    def checked(preds, dataset):
        scores = np.asarray(preds, dtype=float)
        rows = np.asarray(dataset.get_label()).astype(int)
        seen.append(frozenset(rows))
        if grouped:
            check_part(objective, scores, dataset, data, data.pairs)
        else:
            pairs = inside(data.pairs, rows)
            expected = objective.gradient_hessian(np.zeros(rows.size), scores, pairs=pairs)
            assert_same_in_float32(objective(scores, dataset), expected)
        return objective(preds, dataset)

    dataset = dataset_of(booster, data.X, np.arange(data.n), data.sizes if grouped else None)
    attach(dataset, pairs=data.pairs)
    folds = list(GroupKFold(3).split(data.X, groups=data.qid))
    if booster == "lightgbm":
        params = {**LGB, "objective": checked, "metric": "None"}
        history = lgb.cv(params, dataset, 3, folds=folds, feval=objective.metric)
        values = history["valid pairwise_logistic-mean"]
    else:
        how = {"nfold": 3} if grouped else {"folds": folds}
        history = xgb.cv(XGB, dataset, 3, obj=checked, custom_metric=objective.metric, as_pandas=False, **how)
        values = history["test-pairwise_logistic-mean"]
    assert len(set(seen)) == 3
    assert {len(rows) for rows in seen} == {160}
    assert values[2] < values[0] < np.log(2)


def test_pair_accuracy_of_a_dataset_counts_its_pairs(data) -> None:
    for booster in ("lightgbm", "xgboost"):
        dataset = construct(booster, dataset_of(booster, data.X, sizes=data.sizes))
        attach(dataset, pairs=data.pairs)
        ((name, value, *_),) = metrics.feval("pair_accuracy")(data.scores, dataset)
        assert name == "pair_accuracy"
        expected = metrics.pair_accuracy(data.zeros, data.scores, group=data.sizes, pairs=data.pairs)
        assert value == pytest.approx(expected, rel=1e-12)


# The rankers.


def predictions_by_round(ranker, X):
    rounds = range(1, 1 + len(next(iter(history_of(ranker).values()))))
    if isinstance(ranker, LGBMRanker):
        return [ranker.predict(X, num_iteration=k) for k in rounds]
    return [ranker.predict(X, iteration_range=(0, k)) for k in rounds]


@BOTH
def test_a_ranker_agrees_with_low_level_training(Ranker, data) -> None:
    ranker = make_ranker(Ranker).fit(data.X, data.zeros, qid=data.qid, pairs=data.pairs)
    if Ranker is LGBMRanker:
        dataset = lgb.Dataset(data.X, data.zeros, group=data.sizes)
        attach(dataset, pairs=data.pairs)
        params = {"objective": PairwiseLogistic(), "min_data_in_leaf": 5, "num_threads": 1, "verbose": -1}
        low_level = lgb.train(params, dataset, 12).predict(data.X)
    else:
        dataset = xgb.QuantileDMatrix(data.X, data.zeros, group=data.sizes, nthread=1)
        attach(dataset, pairs=data.pairs)
        params = {"max_depth": 4, "base_score": 0, "nthread": 1, "objective": "rank:pairwise"}
        low_level = xgb.train(params, dataset, 12, obj=PairwiseLogistic()).inplace_predict(data.X)
    np.testing.assert_array_equal(ranker.predict(data.X), low_level)
    assert ranker.n_queries_ == 12
    assert metrics.pair_accuracy(data.zeros, low_level, qid=data.qid, pairs=data.pairs) > 0.8


@BOTH
@pytest.mark.parametrize("y", ["labels", "none"])
def test_scattered_queries_train_the_same_as_sorted_ones(Ranker, y, data) -> None:
    rng = np.random.default_rng(1)
    order = rng.permutation(data.n)
    names = np.array([f"query {q}" for q in rng.permutation(data.sizes.size)])[data.qid]
    place = np.argsort(order)
    winner, loser, weight = data.pairs
    w, v = rng.uniform(0.5, 2, data.n), rng.uniform(0.5, 2, data.n)
    scattered = make_ranker(Ranker).fit(
        data.X[order],
        None if y == "none" else rng.integers(0, 5, data.n),
        qid=names[order],
        sample_weight=w[order],
        loser_weight=v[order],
        pairs=(place[winner], place[loser], weight),
    )
    # Queries by their first rows, each one's rows as they come.
    appearance = np.unique(data.qid[order], return_index=True)[1]
    by_query = order[np.argsort(appearance[data.qid[order]], kind="stable")]
    back = np.argsort(by_query)
    together = make_ranker(Ranker).fit(
        data.X[by_query],
        data.zeros,
        qid=names[by_query],
        sample_weight=w[by_query],
        loser_weight=v[by_query],
        pairs=(back[winner], back[loser], weight),
    )
    np.testing.assert_array_equal(scattered.predict(data.X), together.predict(data.X))
    assert np.ptp(scattered.predict(data.X)) > 1


@BOTH
@pytest.mark.parametrize("as_frame", [True, False])
def test_without_labels_and_queries_all_rows_are_one_query(Ranker, as_frame, data) -> None:
    X = pytest.importorskip("pandas").DataFrame(data.X, columns=list("abcd")) if as_frame else data.X
    objective = PairwiseLogistic(normalize="none")
    ranker = make_ranker(Ranker, objective=objective).fit(X, None, pairs=data.pairs)
    assert ranker.n_queries_ == 1
    same = make_ranker(Ranker, objective=objective).fit(X, data.zeros, group=[data.n], pairs=data.pairs)
    np.testing.assert_array_equal(ranker.predict(X), same.predict(X))
    assert metrics.pair_accuracy(data.zeros, ranker.predict(X), pairs=data.pairs) > 0.8


@BOTH
def test_the_objectives_own_loss_is_evaluated_on_the_given_pairs(Ranker, data) -> None:
    test = Data(7, n_queries=5)
    objective = PairwiseLogistic(normalize="query", temperature=0.5)
    fit = {"qid": data.qid, "pairs": data.pairs, "eval_set": [(test.X, test.zeros)], "eval_qid": [test.qid]}
    ranker = make_ranker(Ranker, objective=objective).fit(data.X, data.zeros, eval_pairs=[test.pairs], **fit)
    history = history_of(ranker)
    assert list(history) == ["pairwise_logistic"]
    expected = [
        objective.loss(test.zeros, s, group=test.sizes, pairs=test.pairs, reduction="pair_weights")
        for s in predictions_by_round(ranker, test.X)
    ]
    assert history["pairwise_logistic"] == pytest.approx(expected, rel=1e-6)
    assert expected[-1] < 0.8 * expected[0]
    asked = ["pair_accuracy", "pairwise_exponential"]
    ranker.fit(data.X, data.zeros, eval_pairs=[test.pairs], eval_metric=asked, **fit)
    history = history_of(ranker)
    assert sorted(history) == asked
    predictions = predictions_by_round(ranker, test.X)
    expected = [metrics.pair_accuracy(test.zeros, s, group=test.sizes, pairs=test.pairs) for s in predictions]
    assert history["pair_accuracy"] == pytest.approx(expected, rel=1e-6)
    exponential = get_objective("pairwise_exponential")
    given = {"group": test.sizes, "pairs": test.pairs, "reduction": "pair_weights"}
    expected = [exponential.loss(test.zeros, s, **given) for s in predictions]
    assert history["pairwise_exponential"] == pytest.approx(expected, rel=1e-6)


@BOTH
def test_evaluation_sets_that_differ_in_their_pairs_alone_are_told_apart(Ranker, data) -> None:
    winner, loser, weight = data.pairs
    first, second = (tuple(array[k::2] for array in data.pairs) for k in (0, 1))
    backwards = loser, winner, weight
    objective = PairwiseLogistic()
    ranker = make_ranker(Ranker).fit(
        data.X,
        data.zeros,
        qid=data.qid,
        pairs=data.pairs,
        eval_set=[
            (data.X.copy(), data.zeros.copy()),
            (data.X, data.zeros),  # with the training set's pairs
            (data.X.copy(), data.zeros.copy()),
            (data.X, data.zeros),
        ],
        eval_qid=[data.qid, None, data.qid, data.qid],
        eval_pairs=[first, None, second, backwards],
        eval_metric=["pairwise_logistic", "pair_accuracy"],
    )
    expected = [first, data.pairs, second, backwards]
    histories = list(ranker.evals_result_.values())
    assert len(histories) == 4
    if Ranker is LGBMRanker:  # which reports the training set before all others
        assert next(iter(ranker.evals_result_)) == "training"
        expected = [data.pairs, first, second, backwards]
    for history, pairs in zip(histories, expected, strict=True):
        given = {"group": data.sizes, "pairs": pairs}
        scores = predictions_by_round(ranker, data.X)
        losses = [objective.loss(data.zeros, s, reduction="pair_weights", **given) for s in scores]
        assert history["pairwise_logistic"] == pytest.approx(losses, rel=1e-6)
        shares = [metrics.pair_accuracy(data.zeros, s, **given) for s in scores]
        assert history["pair_accuracy"] == pytest.approx(shares, rel=1e-6)


@BOTH
def test_evaluation_sets_of_pairs_and_of_labels_go_together(Ranker, data) -> None:
    test = Data(7, n_queries=5)
    grades = np.clip(np.round(test.strength + 2), 0, 4)
    ranker = make_ranker(Ranker).fit(
        data.X,
        None,
        qid=data.qid,
        pairs=data.pairs,
        eval_set=[(test.X, None), (test.X, grades)],
        eval_qid=[test.qid, test.qid],
        eval_pairs=[test.pairs, None],
        eval_metric="pair_accuracy",
    )
    scores = ranker.predict(test.X)
    by_pairs = metrics.pair_accuracy(test.zeros, scores, qid=test.qid, pairs=test.pairs)
    by_grades = metrics.pair_accuracy(grades, scores, qid=test.qid)
    assert history_of(ranker, 0)["pair_accuracy"][-1] == pytest.approx(by_pairs, rel=1e-6)
    assert history_of(ranker, 1)["pair_accuracy"][-1] == pytest.approx(by_grades, rel=1e-6)
    assert abs(by_pairs - by_grades) > 1e-3


@BOTH
@pytest.mark.parametrize("metric", ["pairwise_logistic", "pair_accuracy"])
def test_early_stopping_follows_the_given_pairs(Ranker, metric) -> None:
    data, test = Data(n_pairs=150, noise=2.0), Data(7, n_queries=5, n_pairs=80, noise=2.0)
    params = {"n_estimators": 200, "learning_rate": 0.3}
    fit = {"qid": data.qid, "pairs": data.pairs, "eval_set": [(test.X, test.zeros)], "eval_qid": [test.qid]}
    fit |= {"eval_pairs": [test.pairs], "eval_metric": metric}
    if Ranker is LGBMRanker:
        ranker = make_ranker(Ranker, **params)
        ranker.fit(data.X, None, callbacks=[lgb.early_stopping(4, verbose=False)], **fit)
        best = ranker.best_iteration_ - 1
    else:
        ranker = make_ranker(Ranker, early_stopping_rounds=4, **params).fit(data.X, None, **fit)
        best = ranker.best_iteration
    values = np.array(history_of(ranker)[metric])
    assert best == (values.argmin() if metric == "pairwise_logistic" else values.argmax())
    assert len(values) == best + 5 < 200


@BOTH
def test_learning_from_duels_orders_rows_that_were_not_seen(Ranker) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(500, 5))
    strength = 3 * X[:, 0] + 2 * np.sin(2 * X[:, 1])
    train_rows, test_rows = np.arange(300), np.arange(300, 500)

    def duels(rows, n_pairs):
        one = rng.integers(0, rows.size, n_pairs)
        other = (one + rng.integers(1, rows.size, n_pairs)) % rows.size
        wins = rng.random(n_pairs) < 1 / (1 + np.exp(strength[rows][other] - strength[rows][one]))  # Bradley and Terry
        return np.where(wins, one, other), np.where(wins, other, one)

    objective = PairwiseLogistic(normalize="none")
    seen, held_out = duels(train_rows, 3000), duels(test_rows, 2000)
    ranker = make_ranker(Ranker, objective=objective, n_estimators=40).fit(X[train_rows], None, pairs=seen)
    scores = ranker.predict(X[test_rows])
    assert metrics.pair_accuracy(np.zeros(200), scores, pairs=held_out) > 0.8
    with pytest.warns(UserWarning, match="nothing can be learned"):
        alone = make_ranker(Ranker, objective=objective).fit(X[train_rows], np.zeros(300), group=[300])
    assert np.ptp(alone.predict(X[test_rows])) == 0


# Pair accuracy.


def test_pair_accuracy_by_hand() -> None:
    #         query a               query b        c
    scores = [3.0, 1.0, 2.0, 2.0, 5.0, 4.0, 4.5, 0.0]
    qid = ["a", "a", "a", "a", "b", "b", "b", "c"]
    winner = [0, 1, 2, 0, 5, 4]
    loser = [1, 2, 3, 3, 4, 6]
    zeros = np.zeros(8)
    given = {"qid": qid, "per_query": True}
    # In order, wrong, tied, in order; wrong, in order; and no pair.
    plain = metrics.pair_accuracy(zeros, scores, pairs=(winner, loser), **given)
    np.testing.assert_allclose(plain, [2.5 / 4, 1 / 2, np.nan], rtol=1e-15)
    wrong = metrics.pair_accuracy(zeros, scores, pairs=(winner, loser), ties="wrong", **given)
    np.testing.assert_allclose(wrong, [2 / 4, 1 / 2, np.nan], rtol=1e-15)
    pairs = winner, loser, [1, 2, 4, 0, 3, 1]
    weighted = metrics.pair_accuracy(zeros, scores, pairs=pairs, **given)
    np.testing.assert_allclose(weighted, [3 / 7, 1 / 4, np.nan], rtol=1e-15)
    assert metrics.pair_accuracy(zeros, scores, qid=qid, pairs=pairs) == pytest.approx((3 / 7 + 1 / 4) / 2)
    mean = metrics.pair_accuracy(zeros, scores, qid=qid, pairs=pairs, query_weight=[1, 3, 5])
    assert mean == pytest.approx((3 / 7 + 3 / 4) / 4)
    mask = [True, True, True, False, True, False, True, True]
    masked = metrics.pair_accuracy(zeros, [*scores[:3], np.nan, *scores[4:]], pairs=pairs, mask=mask, **given)
    np.testing.assert_allclose(masked, [1 / 3, 1, np.nan], rtol=1e-15)
    filled = metrics.pair_accuracy(zeros, scores, pairs=pairs, empty=1.0, **given)
    np.testing.assert_allclose(filled, [3 / 7, 1 / 4, 1], rtol=1e-15)
    # A query whose pairs all weigh nothing is like one without pairs.
    nothing = metrics.pair_accuracy(zeros, scores, pairs=(winner, loser, [1, 1, 1, 1, 0, 0]), **given)
    np.testing.assert_allclose(nothing, [2.5 / 4, np.nan, np.nan], rtol=1e-15)


@settings(max_examples=50, deadline=None)
@given(cases())
def test_pair_accuracy_of_the_pairs_of_the_labels_is_that_of_the_labels(case) -> None:
    pairs = case.pairs_of_labels()
    assume(pairs[0].size)
    case.s = np.round(case.s, 1)  # some are equal
    given = {"group": case.sizes, "mask": case.mask, "per_query": True}
    for ties in ("average", "wrong"):
        listed = metrics.pair_accuracy(np.zeros(case.y.size), case.s, pairs=pairs, ties=ties, **given)
        by_labels = metrics.pair_accuracy(case.y, case.s, ties=ties, **given)
        np.testing.assert_allclose(listed, by_labels, rtol=1e-12)


# What is refused.

REFUSED = [
    (([0, 1, 8], [1, 2, 3]), ValueError, r"pairs\[2\]: the winner is row 8, but there are 8 rows .from 0"),
    (([0, 1], [1, 9]), ValueError, r"pairs\[1\]: the loser is row 9, but there are 8 rows .from 0"),
    (([0, -1], [1, 2]), ValueError, r"pairs\[1\]: the winner is -1; rows are whole numbers that count from 0"),
    (([0, 1], [-3, 2]), ValueError, r"pairs\[0\]: the loser is -3; rows are whole numbers that count from 0"),
    (([0, 1.5], [1, 2]), ValueError, r"pairs\[1\]: the winner is 1.5; rows are whole numbers that count from 0"),
    (([0, 1], [1, np.nan]), ValueError, r"pairs\[1\]: the loser is nan; rows are whole numbers that count from 0"),
    (([True, False], [1, 2]), ValueError, "the winner of pairs has dtype bool; it takes the numbers of rows"),
    ((["a", "b"], [1, 2]), ValueError, "the winner of pairs has dtype <U1; it must be real numbers"),
    (([[0, 1]], [1]), ValueError, r"the winner of pairs has shape \(1, 2\); it must be one-dimensional"),
    (([0, 1], [1, 1]), ValueError, r"pairs\[1\]: row 1 is both winner and loser"),
    (([0, 1], [1]), ValueError, "pairs has 2 winners, but 1 losers"),
    (([0, 1], [1, 2], [1.0]), ValueError, "pairs has 2 pairs, but 1 weights"),
    (([0, 1], [1, 2], [1, -0.5]), ValueError, "the weight of pairs is -0.5 at pair 1; weights must not be negative"),
    (([0, 1], [1, 2], [np.nan, 1]), ValueError, "the weight of pairs is nan at pair 0; it must be finite"),
    (([0, 1], [1, 2], [1, np.inf]), ValueError, "the weight of pairs is inf at pair 1; it must be finite"),
    (([], []), ValueError, "pairs is empty: there is nothing to compare"),
    (np.array([[0, 1], [1, 2]]), TypeError, r"must be a tuple .winner, loser. .* goes as \(p\[:, 0\], p\[:, 1\]\)"),
    ([(0, 1), (1, 2), (2, 3)], TypeError, r"must be a tuple .* a list of pairs as tuple\(zip\(\*pairs\)\)"),
    (([0, 1],), TypeError, "pairs must be a tuple .winner, loser. or .winner, loser, weight."),
    (7, TypeError, "pairs must be a tuple .winner, loser. or .winner, loser, weight."),
]


@pytest.mark.parametrize(("pairs", "error", "message"), REFUSED)
def test_bad_pairs_of_arrays_and_datasets(pairs, error, message) -> None:
    scores = np.arange(8.0)
    for call in (PairwiseLogistic().gradient_hessian, PairwiseLogistic().loss, metrics.pair_accuracy):
        with pytest.raises(error, match=message):
            call(np.zeros(8), scores, pairs=pairs)
    X = np.arange(16.0).reshape(8, 2)
    good = [0], [1]
    for booster in ("lightgbm", "xgboost"):
        dataset = construct(booster, dataset_of(booster, X))
        attach(dataset, pairs=good)
        with pytest.raises(error, match=message):
            attach(dataset, pairs=pairs, mask=np.zeros(8, dtype=bool))
        # What was attached before is still there.
        objective = PairwiseLogistic(hessian_scale=100)
        expected = objective.gradient_hessian(np.zeros(8), scores, pairs=good)
        assert_same_in_float32(objective(scores, dataset), expected)


@pytest.mark.parametrize("row", [np.inf, 1e300])
def test_a_row_beyond_every_integer_is_out_of_range(row) -> None:
    with pytest.raises(ValueError, match="pairs.*winner"):
        PairwiseLogistic().loss(np.zeros(8), np.zeros(8), pairs=([0, row], [1, 2]))


@BOTH
@pytest.mark.parametrize(("pairs", "error", "message"), REFUSED)
def test_bad_pairs_of_rankers(Ranker, pairs, error, message) -> None:
    X = np.arange(16.0).reshape(8, 2)
    for y in (None, np.zeros(8)):
        ranker = make_ranker(Ranker)
        with pytest.raises(error, match=message):
            ranker.fit(X, y, pairs=pairs)
        assert not ranker.__sklearn_is_fitted__()


@BOTH
def test_bad_pairs_of_an_evaluation_set_name_the_set(Ranker, data) -> None:
    ranker = make_ranker(Ranker)
    fit = {"qid": data.qid, "pairs": data.pairs, "eval_set": [(data.X, data.zeros)] * 2, "eval_qid": [data.qid] * 2}
    for bad, message in (
        (([0], [data.n]), rf"eval_set\[1\]: pairs\[0\]: the loser is row {data.n}, but there are {data.n} rows"),
        (([0], [25]), r"eval_set\[1\]: pairs\[0\] crosses two queries: .* row 0, is in query 0, .* row 25, in query 1"),
        (([0], [1], [-1]), r"eval_set\[1\]: the weight of pairs is -1.0 at pair 0"),
        (([0], [1], [0]), r"eval_set\[1\]: pairwise_logistic is undefined: .*all weights are 0"),
    ):
        with pytest.raises(ValueError, match=message):
            ranker.fit(data.X, data.zeros, eval_pairs=[data.pairs, bad], **fit)
    with pytest.raises(ValueError, match="eval_pairs has 3 entries for 2 evaluation set"):
        ranker.fit(data.X, data.zeros, eval_pairs=data.pairs, **fit)
    assert not ranker.__sklearn_is_fitted__()


@BOTH
def test_an_evaluation_set_whose_pairs_are_no_tuple_is_named(Ranker, data) -> None:
    fit = {"qid": data.qid, "pairs": data.pairs, "eval_set": [(data.X, data.zeros)]}
    with pytest.raises(TypeError, match=r"eval_set\[0\]: pairs must be a tuple"):
        make_ranker(Ranker).fit(data.X, data.zeros, eval_pairs=[np.stack(data.pairs[:2], axis=1)], **fit)


def test_pairs_across_queries_name_both_as_the_caller_does(data) -> None:
    scores, zeros = np.arange(6.0), np.zeros(6)
    pairs = [0, 2, 3], [2, 5, 1]
    qid = ["x", "y", "x", "y", "z", "z"]
    message = (
        r"pairs\[1\] crosses two queries: its winner, row 2, is in query x, its loser, row 5, in query z; "
        r"rows are compared within a query only .1 such of 3"
    )
    for call in (PairwiseLogistic().gradient_hessian, metrics.pair_accuracy):
        with pytest.raises(ValueError, match=message):
            call(zeros, scores, qid=qid, pairs=pairs)
    by_size = r"pairs\[0\] crosses .* row 0, is in query 0 .counted from 0., its loser, row 2, in query 1 .*3 such of 3"
    with pytest.raises(ValueError, match=by_size):
        PairwiseLogistic().loss(zeros, scores, group=[2, 2, 2], pairs=pairs)
    with pytest.raises(ValueError, match=by_size):
        PairwiseLogistic().loss(zeros.reshape(3, 2), scores.reshape(3, 2), pairs=pairs)
    for booster in ("lightgbm", "xgboost"):
        dataset = dataset_of(booster, data.X, data.zeros, data.sizes)
        attach(dataset, pairs=([0, 25], [1, 41]))  # groups may be set later
        message = (
            r"pairs\[1\] crosses .* row 25, is in query 1 .counted from 0., its loser, row 41, in query 2 .*1 such"
        )
        with pytest.raises(ValueError, match=message):
            train(booster, PairwiseLogistic(), dataset)


@BOTH
def test_pairs_across_queries_of_a_ranker_name_both_as_the_caller_does(Ranker, data) -> None:
    names = np.array([f"race {q}" for q in data.qid])
    order = np.random.default_rng(0).permutation(data.n)
    winner, loser = order.tolist().index(3), order.tolist().index(25)
    ranker = make_ranker(Ranker)
    message = rf"pairs\[0\] .* row {winner}, is in query race 0, its loser, row {loser}, in query race 1;"
    with pytest.raises(ValueError, match=message):
        ranker.fit(data.X[order], None, qid=names[order], pairs=([winner], [loser]))
    assert not ranker.__sklearn_is_fitted__()


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (PairwiseLogistic(pair_weight="ndcg"), "pair_weight='ndcg' does not apply to them, leave it at .uniform"),
        (PairwiseLogistic(pair_weight="label_diff"), "pair_weight='label_diff' does not apply to them"),
        (PairwiseLogistic(pair_weight="lambdarank"), "explicit pairs have weights of their own"),
        (PairwiseLogistic(pair_weight=lambda winner, loser: 1.0), "explicit pairs have weights of their own"),
        (BPR(negatives=2), "explicit pairs are not drawn: give BPR negatives=.all. with them"),
    ],
)
def test_objectives_that_make_or_weigh_pairs_take_none(objective, message, data) -> None:
    with pytest.raises(ValueError, match=message):
        objective.loss(data.zeros, data.scores, group=data.sizes, pairs=data.pairs)
    for booster in ("lightgbm", "xgboost"):
        dataset = dataset_of(booster, data.X, data.zeros, data.sizes)
        attach(dataset, pairs=data.pairs)
        with pytest.raises(ValueError, match=message):
            train(booster, objective, dataset)
    for Ranker in BOTH.args[1]:
        ranker = make_ranker(Ranker, objective=objective)
        with pytest.raises(ValueError, match=message):
            ranker.fit(data.X, None, qid=data.qid, pairs=data.pairs)
        assert not ranker.__sklearn_is_fitted__()


@BOTH
def test_a_native_objective_knows_no_pairs(Ranker, data) -> None:
    ranker = make_ranker(Ranker, objective="lambdarank" if Ranker is LGBMRanker else "rank:ndcg")
    message = "pairs needs an objective of gbdt_pairloss: the booster's own knows nothing of it"
    with pytest.raises(ValueError, match=f"^{message}"):
        ranker.fit(data.X, data.zeros, qid=data.qid, pairs=data.pairs)
    evaluation = {"eval_set": [(data.X, data.zeros)], "eval_qid": [data.qid], "eval_pairs": [data.pairs]}
    with pytest.raises(ValueError, match=f"eval_{message}"):
        ranker.fit(data.X, data.zeros, qid=data.qid, **evaluation)
    assert not ranker.__sklearn_is_fitted__()


def test_pairs_that_all_weigh_nothing_are_refused_in_training(data) -> None:
    pairs = *data.pairs[:2], np.zeros(data.pairs[0].size)
    assert PairwiseLogistic().loss(data.zeros, data.scores, pairs=pairs, reduction="pair_weights", qid=data.qid) == 0
    for booster in ("lightgbm", "xgboost"):
        dataset = dataset_of(booster, data.X, data.zeros, data.sizes)
        attach(dataset, pairs=pairs)
        for _ in range(2):
            with pytest.raises(ValueError, match="every pair has weight zero; look at the weights"):
                train(booster, PairwiseLogistic(), dataset)
        with pytest.raises(ValueError, match="pairwise_logistic is undefined: .*all weights are 0"):
            PairwiseLogistic().metric(data.scores, construct(booster, dataset))
    for Ranker in BOTH.args[1]:
        ranker = make_ranker(Ranker)
        with pytest.raises(ValueError, match="every pair has weight zero; look at the weights"):
            ranker.fit(data.X, None, qid=data.qid, pairs=pairs)
        assert not ranker.__sklearn_is_fitted__()


def test_where_no_given_pair_counts_the_message_does_not_speak_of_labels(data) -> None:
    pairs, mask = ([0], [1]), np.arange(data.n) > 0
    dataset = xgb.DMatrix(data.X, data.zeros, nthread=1)
    attach(dataset, pairs=pairs, mask=mask)
    with pytest.raises(ValueError, match="undefined") as by_objective:
        PairwiseLogistic().metric(data.scores, dataset)
    with pytest.raises(ValueError, match="undefined") as by_metric:
        metrics.pair_accuracy(data.zeros, data.scores, pairs=pairs, mask=mask)
    with pytest.warns(UserWarning, match="nothing can be learned") as in_training:
        PairwiseLogistic()(data.scores, dataset)
    for message in (by_objective.value, by_metric.value, in_training[0].message):
        assert "different labels" not in str(message)


def test_a_row_out_of_range_of_an_unconstructed_dataset_is_found_at_its_first_use(data) -> None:
    dataset = dataset_of("lightgbm", data.X, data.zeros, data.sizes)
    attach(dataset, pairs=([0, data.n], [1, 2]))
    with pytest.raises(ValueError, match=rf"pairs\[1\]: the winner is row {data.n}, but there are {data.n} rows"):
        train("lightgbm", PairwiseLogistic(), dataset)


@BOTH
def test_a_ranker_needs_labels_or_pairs(Ranker, data) -> None:
    ranker = make_ranker(Ranker)
    with pytest.raises(ValueError, match="y is None; a ranker needs a label for each row"):
        ranker.fit(data.X, None, qid=data.qid)
    assert not ranker.__sklearn_is_fitted__()


@BOTH
def test_score_counts_given_pairs(data, Ranker) -> None:
    ranker = make_ranker(Ranker).fit(data.X, None, qid=data.qid, pairs=data.pairs)
    expected = metrics.pair_accuracy(data.zeros, ranker.predict(data.X), qid=data.qid, pairs=data.pairs)
    assert ranker.score(data.X, None, qid=data.qid, pairs=data.pairs) == expected
    assert ranker.score(data.X, None, pairs=data.pairs, metric="pair_accuracy") == pytest.approx(
        metrics.pair_accuracy(data.zeros, ranker.predict(data.X), pairs=data.pairs)
    )
    with pytest.raises(ValueError, match="ndcg@5 knows nothing of pairs: with pairs= the metric is 'pair_accuracy'"):
        ranker.score(data.X, None, qid=data.qid, pairs=data.pairs, metric="ndcg@5")


@BOTH
def test_an_evaluation_set_with_nothing_to_compare_is_refused(data, Ranker) -> None:
    ranker = make_ranker(Ranker)
    message = r"eval_set\[0\]: its labels are all equal, and it has no pairs: give them as eval_pairs="
    with pytest.raises(ValueError, match=message):
        ranker.fit(
            data.X, None, qid=data.qid, pairs=data.pairs, eval_set=[(data.X.copy(), data.zeros)], eval_qid=[data.qid]
        )
    assert not ranker.__sklearn_is_fitted__()

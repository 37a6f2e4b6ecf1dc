"""Rank noise: logistic, new for new scores, a function of the seed, the query's scores and the row alone."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from _support.engines import assert_matches_reference, boost, cpu_engine, plan_of
from _support.objectives import by_definition, logistic, pairs_of_labels
from scipy.integrate import quad
from scipy.stats import kstest

from gbdt_pairloss import PairwiseHinge, PairwiseLogistic
from gbdt_pairloss.engine.draws import noised_scores
from gbdt_pairloss.engine.spec import RankNoise

WEIGHTS = pytest.mark.parametrize("pair_weight", ["ndcg", "lambdarank"])


def sigma(x):
    """Return the distribution function of the standard logistic distribution."""
    return 1 / (1 + np.exp(-x))


def mixed(z):
    """Return SplitMix64's finaliser of a whole number below 2^64."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


def by_hand(s, rows, a, seed, temperature=1.0):
    """Compute the noised scores of a query, one by one, in whole numbers of any size."""
    golden, silver = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03
    bits = np.asarray(s, dtype=float).view(np.uint64).tolist()
    total = sum(mixed((b + int(row) * golden) % 2**64) for b, row in zip(bits, rows, strict=True))
    query = mixed((mixed((seed + silver) % 2**64) + total) % 2**64)
    odd = [2 * (mixed((query + int(row) * golden) % 2**64) >> 12) + 1 for row in rows]
    return np.array([x + a * temperature * np.log(k / (2**53 - k)) for x, k in zip(s, odd, strict=True)])


def test_the_definition_by_hand() -> None:
    rng = np.random.default_rng(0)
    s, rows = rng.normal(size=40), rng.permutation(10**6)[:40]
    for seed, a, temperature in ((0, 1.0, 1.0), (2**64 - 1, 3.0, 0.2)):
        noised = noised_scores(s, rows, RankNoise(a, seed), temperature)
        np.testing.assert_allclose(noised, by_hand(s, rows, a, seed, temperature), rtol=1e-14)


def test_noise_is_logistic_and_independent_of_the_scores() -> None:
    rng = np.random.default_rng(0)
    s = rng.normal(size=100_000)
    noise = noised_scores(s, np.arange(s.size), RankNoise(2.0, 0), 0.5) - s
    assert kstest(noise, sigma).pvalue > 0.01
    assert abs(np.corrcoef(s, noise)[0, 1]) < 0.01
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 0.01


@WEIGHTS
def test_gradients_and_loss_by_hand(pair_weight, make) -> None:
    problem = make(5, mean_size=12)
    s, codes = problem.scores, np.repeat(np.arange(len(problem.sizes)), problem.sizes)
    pairs = pairs_of_labels(problem.y, codes)
    phi = np.empty(pairs[0].size)
    for query in range(len(problem.sizes)):
        rows = np.flatnonzero(codes == query)
        z, y = by_hand(s[rows], rows, 1.5, 7, 0.6), problem.y[rows]
        discount = np.empty(rows.size)
        discount[np.argsort(-z)] = 1 / np.log2(2 + np.arange(rows.size))
        ideal = ((2 ** np.sort(y)[::-1] - 1) / np.log2(2 + np.arange(rows.size))).sum()
        own = codes[pairs[0]] == query
        i, j = (np.searchsorted(rows, side[own]) for side in pairs)
        phi[own] = (2 ** y[i] - 2 ** y[j]) * np.abs(discount[i] - discount[j]) / ideal
        if pair_weight == "lambdarank":
            phi[own] /= 0.01 + np.abs(z[i] - z[j])
    expected = by_definition(logistic, s, codes, pairs, phi=phi, temperature=0.6, normalize="log")
    objective = PairwiseLogistic(pair_weight=pair_weight, rank_noise=1.5, random_state=7, temperature=0.6)
    gradient, hessian = objective.gradient_hessian(problem.y, s, group=problem.sizes)
    np.testing.assert_allclose(gradient, expected.gradient, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(hessian, expected.hessian, rtol=1e-9, atol=1e-12)
    assert objective.loss(problem.y, s, group=problem.sizes) == pytest.approx(expected.loss, rel=1e-9)


def chance_of(order, s, a):
    """Compute the probability that three rows are ranked in this order, by their noised scores."""
    best, middle, worst = (s[row] for row in order)

    def density(z):  # of the row in the middle at z, one above, one below
        share = sigma((z - middle) / a)
        return share * (1 - share) / a * (1 - sigma((z - best) / a)) * sigma((z - worst) / a)

    return quad(density, -80, 80, limit=400)[0]


def test_the_mean_over_draws_is_the_expectation() -> None:
    y, s, a = np.array([2.0, 0.0, 1.0]), np.array([0.3, -0.5, 1.0]), 0.8
    orders = list(permutations(range(3)))
    chances = np.array([chance_of(order, s, a) for order in orders])
    assert chances.sum() == pytest.approx(1, abs=1e-6)
    discount = 1 / np.log2([2.0, 3.0, 4.0])
    ideal = 3 * discount[0] + discount[1]
    expected = np.zeros(3)
    for order, chance in zip(orders, chances, strict=True):
        of_row = np.empty(3)
        of_row[list(order)] = discount
        for i, j in ((0, 1), (0, 2), (2, 1)):
            pull = (2 ** y[i] - 2 ** y[j]) * abs(of_row[i] - of_row[j]) / ideal * sigma(s[j] - s[i])
            expected[[i, j]] += chance * np.array([-pull, pull])
    n = 10_000
    objective = PairwiseLogistic(pair_weight="ndcg", rank_noise=a, normalize="none", random_state=1)
    gradient, _ = objective.gradient_hessian(np.tile(y, n), np.tile(s, n), group=np.full(n, 3))
    drawn = gradient.reshape(n, 3)
    error = np.abs(drawn.mean(axis=0) - expected) / (drawn.std(axis=0) / np.sqrt(n))
    assert (error < 4).all()


@WEIGHTS
def test_draws_depend_on_the_seed_the_scores_and_the_rows_alone(pair_weight) -> None:
    rng = np.random.default_rng(3)
    y, s = rng.integers(0, 4, 60).astype(float), rng.normal(size=60)
    objective = PairwiseLogistic(pair_weight=pair_weight, rank_noise=1.0, normalize="none")

    def gradient(scores=s, group=(60,), **params):
        own = PairwiseLogistic(**{**objective.get_params(), **params})
        return own.gradient_hessian(y, scores, group=group)[0]

    np.testing.assert_array_equal(gradient(), gradient())
    np.testing.assert_array_equal(gradient(), gradient(random_state=0))
    assert np.abs(gradient() - gradient(random_state=1)).max() > 0.01
    moved = s.copy()
    moved[17] = np.nextafter(moved[17], 9)
    assert np.abs(gradient() - gradient(moved)).max() > 0.01  # new in every round
    first_query = gradient(group=(30, 30))[:30]
    moved = np.r_[s[:30], s[30:] + 1]
    np.testing.assert_array_equal(gradient(moved, group=(30, 30))[:30], first_query)
    y = np.tile(y[:30], 2)
    twice = gradient(np.tile(s[:30], 2), group=(30, 30))
    assert np.abs(twice[:30] - twice[30:]).max() > 0.01  # rows of two equal queries


@WEIGHTS
def test_a_little_noise_is_no_noise(pair_weight, make) -> None:
    problem = make(5, mean_size=30)
    results = [
        PairwiseLogistic(pair_weight=pair_weight, rank_noise=a).gradient_hessian(
            problem.y, problem.scores, group=problem.sizes
        )
        for a in (0.0, 1e-13)
    ]
    np.testing.assert_allclose(results[1], results[0], rtol=1e-9)


@pytest.mark.parametrize("normalize", ["log", "query"])
@pytest.mark.parametrize("weighted", [False, True])
def test_results_do_not_depend_on_threads_to_the_last_bit(normalize, weighted) -> None:
    rng = np.random.default_rng(4)
    sizes = [70_000, 3000, *([20] * 2000)]
    y, s = rng.integers(0, 5, sum(sizes)).astype(float), rng.normal(size=sum(sizes))
    objective = PairwiseLogistic(pair_weight="ndcg", rank_noise=1.0, normalize=normalize)
    plan = plan_of(objective, y, s, group=sizes, sample_weight=rng.random(y.size) if weighted else None)
    one = boost(objective.set_params(n_threads=1), plan, s)
    for n_threads in (2, 3):
        more = boost(objective.set_params(n_threads=n_threads), plan, s)
        np.testing.assert_array_equal(more, one)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("labels", ["grades", "distinct", "binary"])
@pytest.mark.parametrize("scores", ["normal", "ties", "few panels apart", "an outlier", "spread widely"])
def test_large_queries_by_the_definition(scores, labels, dtype) -> None:
    """Queries that are summed by blocks of ranks: with weights of both kinds, and with none."""
    rng = np.random.default_rng(5)
    sizes = [2600, 30, 1400]
    n = sum(sizes)
    y = {"grades": rng.integers(0, 5, n), "distinct": rng.uniform(0, 3, n), "binary": rng.random(n) < 0.1}[labels]
    s = {
        "normal": rng.normal(size=n),
        "ties": np.round(rng.normal(size=n)),
        "few panels apart": 12 * rng.normal(size=n),
        "an outlier": np.where(np.arange(n) == 100, 1e6, rng.normal(size=n)),
        "spread widely": np.round(rng.uniform(-1e5, 1e5, n), 0) + 0.25,  # exact, as they are over the temperature
    }[scores]
    weight = rng.uniform(0, 2, n) * (rng.random(n) < 0.8)
    for given in ({}, {"sample_weight": weight, "loser_weight": weight[::-1].copy()}):
        for normalize, temperature in (("log", 0.5), ("query", 1.0)):
            objective = PairwiseLogistic(
                pair_weight="ndcg", rank_noise=2.0, normalize=normalize, temperature=temperature
            )
            assert_matches_reference(cpu_engine, objective, y, s, dtype, group=sizes, **given)


def test_losses_that_are_summed_pair_by_pair(make) -> None:
    problem = make(6, mean_size=20)
    for params in ({"pair_weight": "ndcg", "truncation": 5}, {"pair_weight": "lambdarank", "temperature": 0.5}):
        objective = PairwiseHinge(**params, rank_noise=1.0)
        assert_matches_reference(
            cpu_engine, objective, problem.y, problem.scores, np.float64, group=problem.sizes, mask=problem.y != 1
        )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"rank_noise": -0.5, "pair_weight": "ndcg"}, "rank_noise must be at least 0, got -0.5"),
        ({"rank_noise": np.inf, "pair_weight": "ndcg"}, "rank_noise must be a finite number"),
        ({"rank_noise": np.nan, "pair_weight": "lambdarank"}, "rank_noise must be a finite number"),
        ({"rank_noise": "1", "pair_weight": "ndcg"}, "rank_noise must be a finite number"),
        ({"rank_noise": 1.0}, "rank_noise belongs to pair_weight="),
        ({"rank_noise": 1.0, "pair_weight": max}, "rank_noise belongs to"),
        ({"random_state": -1}, "random_state must be None or a whole number from 0"),
        ({"random_state": 2**64}, "random_state must be None or a whole number from 0, below 2\\^64"),
        ({"random_state": np.random.default_rng()}, "random_state must be None or a whole number from 0"),
    ],
)
def test_bad_parameters(params, message) -> None:
    with pytest.raises(ValueError, match=message):
        PairwiseLogistic(**params)


def test_every_seed_below_2_to_the_64() -> None:
    y, s = np.array([2.0, 0.0, 1.0, 0.0]), np.zeros(4)
    objective = PairwiseLogistic(pair_weight="ndcg", rank_noise=1.0, random_state=2**64 - 1)
    gradient, _ = objective.gradient_hessian(y, s)
    z = by_hand(s, np.arange(4), 1.0, 2**64 - 1)
    discount = np.empty(4)
    discount[np.argsort(-z)] = 1 / np.log2(2 + np.arange(4))
    phi = pull_of(y, discount)
    np.testing.assert_allclose(gradient[0] / gradient[2], phi[0] / phi[2], rtol=1e-9)


def pull_of(y, discount):
    """Return what each row of equal scores is pulled by: signed sums of phi over its pairs."""
    difference = 2 ** y[:, None] - 2 ** y[None, :]
    return (difference * np.abs(discount[:, None] - discount[None, :])).sum(axis=1)

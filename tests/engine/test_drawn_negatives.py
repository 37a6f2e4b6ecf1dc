"""Drawn negatives: unbiased, stratified, by weight, and a function of the scores and the random state alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from _support.engines import plan_of, spec_of
from _support.interactions import Users
from scipy.stats import chi2

from gbdt_pairloss import BPR
from gbdt_pairloss.engine.cpu.pair_by_pair import _pair_source
from gbdt_pairloss.engine.listed_pairs import listed_pairs
from gbdt_pairloss.engine.spec import Negatives


@pytest.fixture
def users() -> Users:
    return Users()


def times_drawn(y, v=None, *, winner_weight=None, group=None, n, **params):
    """Count how often each row is drawn, from the gradients of equal scores.

    A draw of a negative of weight v has phi v = V / n, where V is the weight of all negatives, and the slope of the
    loss is 1/2.
    """
    y = np.asarray(y, dtype=float)
    group = [y.size] if group is None else group
    v = np.ones(y.size) if v is None else np.asarray(v, dtype=float)
    objective = BPR(negatives=n, normalize="none", n_threads=1, **params)
    arguments = {"group": group, "loser_weight": v, "sample_weight": winner_weight}
    gradient, _ = objective.gradient_hessian(y, np.zeros(y.size), **arguments)
    codes = np.repeat(np.arange(len(group)), group)
    total = np.bincount(codes, v * (y == 0))[codes]
    return np.where(y == 0, gradient * 2 * n / total, 0.0)


@pytest.mark.slow
@pytest.mark.parametrize("normalize", ["none", "query"])
def test_the_mean_over_draws_is_the_sum_over_all_negatives(normalize) -> None:
    rng = np.random.default_rng(1)
    # Three users, the second time with weights of negatives.
    y = np.tile([1, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0], 2)
    v = np.r_[np.ones(19), rng.uniform(0.2, 2, 19)]
    v[[19 + 2, 19 + 10, 19 + 14]] = 0
    s, w = rng.normal(scale=1.5, size=y.size), rng.uniform(0.3, 3, y.size)
    arguments = {"group": [8, 7, 4, 8, 7, 4], "sample_weight": w, "loser_weight": v}
    exact = BPR(normalize=normalize)
    expected = [*exact.gradient_hessian(y, s, **arguments), exact.loss(y, s, reduction="none", **arguments)]
    gradients, losses = [], []
    for state in range(10_000):
        objective = BPR(negatives=2, normalize=normalize, random_state=state, n_threads=1)
        gradients.append(objective.gradient_hessian(y, s, **arguments))
        if state < 2000:
            losses.append(objective.loss(y, s, reduction="none", **arguments))
    deviates = []
    for drawn, mean in zip([*np.swapaxes(gradients, 0, 1), np.array(losses)], expected, strict=True):
        error = drawn.std(axis=0, ddof=1) / np.sqrt(drawn.shape[0])
        fixed = error < 1e-12  # rows that have no pair, or no weight
        np.testing.assert_allclose(drawn[0][fixed], mean[fixed], rtol=1e-9, atol=1e-12)
        deviates.append((drawn.mean(axis=0) - mean)[~fixed] / error[~fixed])
    z = np.concatenate(deviates)
    # The largest of about 80 normal deviates is larger than 4 once in 200 times.
    assert z.size == 2 * (38 - 3) + 10  # rows of weight, and losses of positives
    assert np.abs(z).max() < 4
    assert abs(z.mean()) < 0.5
    assert 0.5 < np.sqrt(np.mean(z**2)) < 1.5


def test_the_normaliser_query_does_not_depend_on_the_draws(users) -> None:
    factor = users.sizes / [
        y.sum() * (1 - y).sum() for y in np.split(users.y, users.starts[1:-1])
    ]  # rows over pairs, whatever the draws
    for state in range(5):
        plain, query = (BPR(negatives=3, normalize=name, random_state=state) for name in ("none", "query"))
        expected = np.multiply(users.gradients(plain, loser_weight=users.v), factor[users.qid])
        np.testing.assert_allclose(users.gradients(query, loser_weight=users.v), expected, rtol=1e-12)


def test_more_draws_are_closer_to_the_sum_over_all_negatives(users) -> None:
    exact, _ = users.gradients(BPR(normalize="none"))
    off = []
    for n in (1, 2, 4):
        drawn = [users.gradients(BPR(negatives=n, normalize="none", random_state=k))[0] for k in range(20)]
        off.append(np.mean((np.array(drawn) - exact) ** 2))
    assert off[1] < off[0] / 2  # independent draws would halve it
    assert off[2] < off[1] / 2


@pytest.mark.parametrize("normalize", ["none", "query", "log"])
def test_as_many_draws_as_negatives_of_equal_weight_take_each_once(normalize) -> None:
    y = np.tile([1, 0, 0, 1, 0, 0, 0], 12)
    s, w = np.random.default_rng(0).normal(size=(2, y.size))
    arguments = {"group": [7] * 12, "sample_weight": np.exp(w), "loser_weight": np.full(y.size, 0.3)}
    exact, drawn = BPR(normalize=normalize), BPR(negatives=5, normalize=normalize, random_state=3)
    expected = exact.gradient_hessian(y, s, **arguments)
    np.testing.assert_allclose(drawn.gradient_hessian(y, s, **arguments), expected, rtol=1e-12, atol=1e-14)
    assert drawn.loss(y, s, **arguments) == pytest.approx(exact.loss(y, s, **arguments), rel=1e-12)


@pytest.mark.parametrize("n", [1, 3, 5])
def test_every_positive_gets_its_number_of_draws(n) -> None:
    y = [1, 0, 0, 1, 0, 0, 1, 0, 0, 0]
    # Weights whose sum shows which positive a negative was drawn for.
    w = [1.0, 1, 1, 1e3, 1, 1, 1e6, 1, 1, 1]
    for state in range(20):
        sums = times_drawn(y, n=n, winner_weight=w, random_state=state)
        np.testing.assert_allclose(sums, np.round(sums), atol=1e-6)
        whole = np.round(sums).astype(int)
        for unit in (1, 1000, 1_000_000):
            assert (whole // unit % 1000).sum() == n


def test_each_nth_part_of_the_weight_gives_one_draw() -> None:
    # 4 draws of 12: with a negative in one quarter only, none comes up twice, as independent draws do.
    y = np.r_[1, np.zeros(12)]
    drawn = np.array([times_drawn(y, n=4, random_state=state) for state in range(200)])
    assert np.round(drawn).max() == 1
    assert (np.round(drawn).sum(axis=1) == 4).all()


@pytest.mark.parametrize("n", [1, 3])
def test_a_negative_is_drawn_in_proportion_to_its_weight(n) -> None:
    v = np.array([7, 0, 1, 0.25, 2, 0, 0.5, 1.25, 0])  # the first is the positive
    y = np.r_[1, np.zeros(8)]
    states = 3000
    drawn = sum(np.round(times_drawn(y, v, n=n, random_state=state)) for state in range(states))
    share = v[1:] / v[1:].sum()
    assert drawn.sum() == n * states
    assert (drawn[1:][share == 0] == 0).all()
    expected = n * states * share[share > 0]
    # Strata make the counts vary less than a multinomial's: its bound holds for them, too.
    assert ((drawn[1:][share > 0] - expected) ** 2 / expected).sum() < chi2.ppf(1 - 1e-4, expected.size - 1)


def test_draws_of_neighbours_and_of_random_states_are_independent() -> None:
    n_users = 40_000
    y, group = np.tile([1.0, 0, 0, 0, 0], n_users), [5] * n_users
    first = np.argmax(times_drawn(y, n=1, group=group).reshape(n_users, 5), axis=1)
    again = np.argmax(times_drawn(y, n=1, group=group, random_state=1).reshape(n_users, 5), axis=1)
    expected = np.full(16, 1 / 16)
    for one, other in ((first[:-1], first[1:]), (first, again)):
        table = np.bincount((one - 1) * 4 + other - 1, minlength=16)
        assert ((table - one.size * expected) ** 2 / (one.size / 16)).sum() < chi2.ppf(1 - 1e-4, 15)


def test_rows_that_take_no_part_are_never_drawn(users) -> None:
    mask = np.ones(users.y.size, dtype=bool)
    mask[users.starts[1:] - 1] = False
    v = users.v.copy()
    v[users.starts[1:] - 2] = 0
    for state in range(30):
        gradient, hessian = users.gradients(BPR(negatives=2, random_state=state), mask=mask, loser_weight=v)
        for out in (users.starts[1:] - 1, users.starts[1:] - 2):
            assert not gradient[out].any()
            assert not hessian[out].any()


def test_users_without_a_negative_or_a_positive_are_left_out() -> None:
    y, s = np.array([1.0, 0, 0, 1, 1, 0, 0]), np.zeros(7)
    gradient, _ = BPR(negatives=2).gradient_hessian(y, s, group=[3, 2, 2])
    assert not gradient[3:].any()
    alone, _ = BPR(negatives=2).gradient_hessian(y[:3], s[:3])
    np.testing.assert_array_equal(gradient[:3], alone)


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    rng = np.random.default_rng(0)
    n_users = 8000  # 440,000 pairs: several tasks
    y = np.tile(np.r_[np.ones(5), np.zeros(11)], n_users)
    s, v = rng.normal(size=y.size), rng.uniform(0.5, 2, y.size)
    arguments = {"group": [16] * n_users, "loser_weight": v}
    one, two, three = (BPR(negatives=11, n_threads=n).gradient_hessian(y, s, **arguments) for n in (1, 2, 3))
    np.testing.assert_array_equal(two, one)
    np.testing.assert_array_equal(three, one)


@pytest.mark.parametrize("normalize", ["none", "log"])
def test_float32_scores_have_the_draws_of_the_same_scores_in_float64(users, normalize) -> None:
    objective = BPR(negatives=3, normalize=normalize)
    single = users.scores.astype(np.float32)
    actual, expected = users.gradients(objective, single), users.gradients(objective, single.astype(np.float64))
    assert actual[0].dtype == np.float32
    np.testing.assert_array_equal(actual[0] == 0, expected[0] == 0)
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_scores_of_minus_zero_have_the_draws_of_zero(users) -> None:
    s = np.where(users.X[:, 1] > 0, 0.0, users.scores)
    objective = BPR(negatives=2)
    expected = users.gradients(objective, s)
    np.testing.assert_array_equal(users.gradients(objective, np.where(s == 0, -0.0, s)), expected)


def test_a_change_of_any_score_changes_draws_of_all_users(users) -> None:
    drawn = users.gradients(BPR(negatives=2))[0] != 0
    for row in range(0, users.y.size, 7):
        s = users.scores.copy()
        s[row] = np.nextafter(s[row], np.inf)
        changed = (users.gradients(BPR(negatives=2), s)[0] != 0) != drawn
        assert changed[users.qid != users.qid[row]].mean() > 0.1


def test_scores_that_change_places_have_other_draws(users) -> None:
    s = users.scores.copy()
    s[[0, -1]] = s[[-1, 0]]
    drawn = [users.gradients(BPR(negatives=2), scores)[0] != 0 for scores in (users.scores, s)]
    assert np.mean(drawn[0] != drawn[1]) > 0.1


def test_the_definition_and_the_compiled_engine_draw_the_same_losers() -> None:
    """All draws, of queries with weights of 0 and of very different size, agree."""
    rng = np.random.default_rng(8)
    sizes = [1, 30, 400, 25, 3000, 40, 40]
    y = (rng.random(sum(sizes)) < 0.3).astype(float)
    scores, v = rng.standard_normal(y.size), rng.random(y.size) ** 8
    v[rng.random(y.size) < 0.3] = 0
    for seed in (0, 1, 2**63 + 11):
        objective = BPR(negatives=1, normalize="none")
        plan = plan_of(objective, y, scores, group=sizes, loser_weight=v)
        spec = replace(spec_of(objective), negatives=Negatives(5, seed))
        x = plan.gather(scores)
        (expected,) = listed_pairs(plan, x, spec)
        source = _pair_source(plan, x, spec)
        parts = [source.tile(begin, min(begin + 777, source.size)) for begin in range(0, source.size, 777)]
        assert source.size > 777
        for name in ("winner", "loser", "phi", "weight"):
            joined = np.concatenate([getattr(part, name) for part in parts])
            np.testing.assert_array_equal(joined, getattr(expected, name))

"""BPR: labels cut at the threshold, weights of negatives, drawn negatives, and the parameters that it refuses."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from _support.interactions import Users
from sklearn.base import clone

from gbdt_pairloss import BPR, PairwiseLogistic, get_objective, popularity_weights


@pytest.fixture
def users() -> Users:
    return Users()


def test_bpr_is_the_logistic_loss_of_labels_cut_at_the_threshold(problem) -> None:
    for threshold in (0.0, 1.0, 2.5):
        actual = BPR(threshold=threshold).gradient_hessian(problem.y, problem.scores, group=problem.sizes)
        cut = PairwiseLogistic().gradient_hessian(problem.y > threshold, problem.scores, group=problem.sizes)
        np.testing.assert_array_equal(actual, cut)


def test_compute_is_the_loss_of_each_negative() -> None:
    positives, negatives = np.array([[1.0], [-90.0]]), np.array([[0.5, 2.0], [3.0, -90.0]])
    losses = BPR(temperature=2.0).compute(positives, negatives)
    np.testing.assert_allclose(losses, np.log1p(np.exp(-(positives - negatives) / 2.0)), rtol=1e-12)
    y = np.hstack([np.ones((2, 1)), np.zeros((2, 2))])
    total = BPR(temperature=2.0, normalize="none").loss(y, np.hstack([positives, negatives]))
    assert losses.sum() == pytest.approx(total, rel=1e-12)


def test_a_badly_misordered_pair_keeps_its_gradient() -> None:
    # The gradient of Merlin's BPRLoss is 0 from a difference of 88 in float32.
    gradient, _ = BPR(normalize="none").gradient_hessian([1, 0], np.array([-500, 500], dtype=np.float32))
    np.testing.assert_array_equal(gradient, [-1, 1])
    assert BPR(normalize="none").loss([1, 0], [-500.0, 500.0]) == 1000.0


def test_draws_are_the_same_on_every_call_and_for_copies_with_weights_of_negatives(users) -> None:
    objective = BPR(negatives=3, negative_weight=users.v, random_state=5)
    expected = users.gradients(objective)
    twins = [
        objective,
        clone(objective),
        copy.copy(objective),
        copy.deepcopy(objective),
        pickle.loads(pickle.dumps(objective)),
        BPR().set_params(**objective.get_params()),
    ]
    for twin in twins:
        np.testing.assert_array_equal(users.gradients(twin), expected)


def test_no_random_state_is_0_and_another_gives_other_draws(users) -> None:
    none, zero, one = (users.gradients(BPR(negatives=2, random_state=state))[0] for state in (None, 0, 1))
    np.testing.assert_array_equal(none, zero)
    np.testing.assert_array_equal(zero, users.gradients(BPR(negatives=2, random_state=np.int64(0)))[0])
    assert np.mean((zero == 0) != (one == 0)) > 0.1
    users.gradients(BPR(negatives=2, random_state=2**64 - 1))


def test_the_loss_is_that_of_the_draws(users) -> None:
    losses = [BPR(negatives=1, random_state=state).loss(users.y, users.scores, group=users.sizes) for state in range(3)]
    assert len(set(losses)) == 3


@pytest.mark.parametrize("negatives", ["all", 3])
def test_the_negative_weight_is_the_loser_weight(users, negatives) -> None:
    weighted, plain = BPR(negatives=negatives, negative_weight=users.v), BPR(negatives=negatives)
    expected = users.gradients(plain, loser_weight=users.v)
    assert not np.array_equal(expected, users.gradients(plain))
    np.testing.assert_array_equal(users.gradients(weighted), expected)
    as_list = BPR(negatives=negatives, negative_weight=list(users.v))
    np.testing.assert_array_equal(users.gradients(as_list), expected)
    for reduction in ("sum", "pair_weights"):
        losses = [
            objective.loss(users.y, users.scores, group=users.sizes, reduction=reduction, **arguments)
            for objective, arguments in ((weighted, {}), (plain, {"loser_weight": users.v}))
        ]
        assert losses[0] == losses[1]


def test_a_common_factor_of_the_weights_multiplies_the_gradient_and_leaves_the_draws(users) -> None:
    objective = BPR(negatives=3, normalize="none")
    one, four = (users.gradients(objective, loser_weight=factor * users.v) for factor in (1, 4))
    np.testing.assert_allclose(four, np.multiply(one, 4), rtol=1e-12)
    tiny = users.gradients(objective, loser_weight=2.0**-900 * users.v)
    np.testing.assert_allclose(np.multiply(tiny, 2.0**900), one, rtol=1e-12)


def test_popularity_weights_are_negative_weights(users) -> None:
    v = popularity_weights(users.item, alpha=0.75)
    count = np.bincount(users.item)[users.item] ** 0.75
    expected = users.gradients(BPR(normalize="none"), loser_weight=count)
    actual = users.gradients(BPR(normalize="none", negative_weight=v))
    np.testing.assert_allclose(np.multiply(actual, count.mean()), expected, rtol=1e-12)


@pytest.mark.parametrize("normalize", ["none", "query"])
def test_weights_of_negatives_make_the_exact_expectation_of_sampling_by_them(normalize) -> None:
    """With ``negatives="all"``: one negative for each positive, drawn with a chance in proportion to its weight."""
    rng = np.random.default_rng(0)
    sizes, y = [6, 5, 4], np.array([1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0])
    s, item = rng.normal(size=15), rng.integers(0, 5, 15)
    qid = np.repeat(np.arange(3), sizes)
    chance = popularity_weights(item, 0.75) * (y == 0)
    chance /= np.bincount(qid, chance)[qid]  # sums to 1 for each user
    loss, gradient, hessian = 0.0, np.zeros(15), np.zeros(15)
    for i in np.flatnonzero(y):  # one negative for each positive
        factor = 1.0
        if normalize == "query":
            factor = sizes[qid[i]] / (y[qid == qid[i]].sum() * (1 - y[qid == qid[i]]).sum())
        for j in np.flatnonzero((qid == qid[i]) & (y == 0)):
            p = factor * chance[j]
            wrong = 1 / (1 + np.exp(s[i] - s[j]))
            loss += p * np.log1p(np.exp(s[j] - s[i]))
            gradient[[i, j]] += p * wrong * np.array([-1, 1])
            hessian[[i, j]] += p * wrong * (1 - wrong)
    objective = BPR(negatives="all", normalize=normalize)
    arguments = {"group": sizes, "loser_weight": chance}
    np.testing.assert_allclose(objective.gradient_hessian(y, s, **arguments), [gradient, hessian], rtol=1e-12)
    assert objective.loss(y, s, **arguments) == pytest.approx(loss, rel=1e-12)
    if normalize == "none":  # each positive's expected loss
        mean = objective.loss(y, s, reduction="pair_weights", **arguments)
        assert mean == pytest.approx(loss / y.sum(), rel=1e-12)


def test_a_positive_that_weighs_nothing_needs_no_negatives() -> None:
    y, qid, w = [1, 0, 0, 1, 0], ["ann", "ann", "ann", "bob", "bob"], [1.0, 1.0, 1.0, 0.0, 1.0]
    gradient, _ = BPR(negatives=2).gradient_hessian(y, np.zeros(5), qid=qid, sample_weight=w)
    assert gradient[0] < 0
    assert not gradient[3:].any()


@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.parametrize("negatives", ["all", 2])
def test_without_a_positive_or_a_negative_the_gradient_of_arrays_is_zero(users, negatives, label) -> None:
    """A training would be refused: nothing can be learned."""
    y = np.full(users.y.size, label)
    assert not np.any(BPR(negatives=negatives).gradient_hessian(y, users.scores, group=users.sizes))


@pytest.mark.parametrize("negatives", [0, -1, 1.5, 2.0, True, None])
def test_negatives_must_be_all_or_a_number_of_draws(negatives) -> None:
    message = f'negatives must be "all" or a whole number above 0, got {negatives!r}'
    with pytest.raises(ValueError, match=message):
        BPR(negatives=negatives)
    objective = BPR(negatives=3)
    with pytest.raises(ValueError, match=message):
        objective.set_params(negatives=negatives)
    assert objective.negatives == 3


def test_negatives_accepts_no_string_but_all() -> None:
    with pytest.raises(ValueError, match="negatives must be .*, got 'some'"):
        BPR(negatives="some")


@pytest.mark.parametrize("state", [-1, 1.5, True, 2**64, np.random.RandomState(0), np.random.default_rng(0)])
def test_a_random_state_must_be_a_whole_number(state) -> None:
    with pytest.raises(ValueError, match="random_state must be None or a whole number from 0, below 2.64, got "):
        BPR(negatives=2, random_state=state)


@pytest.mark.parametrize("pair_weight", ["label_diff", "gain_diff", "ndcg", "lambdarank", max])
def test_drawn_negatives_have_no_other_pair_weight(pair_weight) -> None:
    message = 'pair_weight=.* does not apply to drawn negatives.*use negatives="all"'
    with pytest.raises(ValueError, match=message):
        BPR(negatives=2, pair_weight=pair_weight)
    BPR(pair_weight=pair_weight)


def test_a_name_of_negative_weights_must_be_known() -> None:
    with pytest.raises(ValueError, match="negative_weight must be .*'popularity'"):
        BPR(negative_weight="popularity")


def test_bad_parameters() -> None:
    with pytest.raises(ValueError, match="threshold must be a finite number"):
        BPR(threshold=np.nan)
    with pytest.raises(ValueError, match="threshold must be a finite number"):
        BPR(threshold=10**400)
    with pytest.raises(TypeError, match="margin"):
        BPR(margin=1.0)
    with pytest.raises(ValueError, match="positives_scores has shape"):
        BPR().compute([1.0, 2.0], [[1.0], [2.0]])


@pytest.mark.parametrize("objective", ["pairwise_logistic", "pairwise_hinge"])
def test_other_objectives_refuse_item_ids(users, objective) -> None:
    with pytest.raises(ValueError, match="item_id makes a difference to BPR only"):
        users.gradients(get_objective(objective), item_id=users.item)


def test_drawn_negatives_refuse_explicit_pairs(users) -> None:
    with pytest.raises(ValueError, match='explicit pairs are not drawn: give BPR negatives="all" with them'):
        users.gradients(BPR(negatives=2), pairs=([0], [1]))

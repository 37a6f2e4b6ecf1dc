"""BPR on the datasets of both boosters: draws of each round, its metric, and negatives attached to a dataset."""

from __future__ import annotations

import numpy as np
import pytest
from _support.datasets import BOOSTERS, constructed, dataset_of, predict, train
from _support.interactions import ITEM_IDS, MIXED_ITEM_IDS, Users
from sklearn.base import clone

from gbdt_pairloss import BPR, attach


@pytest.fixture
def users() -> Users:
    return Users()


def dataset_of_users(booster, users: Users, y=None):
    return constructed(booster, users.X, users.y if y is None else y, users.sizes)


@BOOSTERS
def test_no_round_repeats_the_draws_of_another(booster, users) -> None:
    objective, seen = BPR(negatives=2), []

    def spy(scores, dataset):
        gradient, hessian = objective(scores, dataset)
        seen.append(gradient != 0)
        return gradient, hessian

    train(booster, spy, dataset_of_users(booster, users), 6)
    assert len(seen) == 6
    for i in range(6):
        for j in range(i):
            assert np.mean(seen[i] != seen[j]) > 0.1


@BOOSTERS
def test_training_that_continues_from_a_model_has_the_draws_of_one_training(booster, users) -> None:
    def dataset():  # a new one: LightGBM keeps the scores that it continues from in the dataset
        return dataset_of(booster, users.X, users.y, users.sizes)

    objective = BPR(negatives=3)
    whole = train(booster, objective, dataset(), 8)
    more = train(booster, objective, dataset(), 5, start=train(booster, objective, dataset(), 3))
    np.testing.assert_allclose(predict(booster, more, users.X), predict(booster, whole, users.X), rtol=1e-6, atol=1e-6)
    other = train(booster, BPR(negatives=3, random_state=1), dataset(), 8)
    assert np.abs(predict(booster, other, users.X) - predict(booster, whole, users.X)).max() > 0.1


@BOOSTERS
@pytest.mark.parametrize("normalize", ["none", "query", "log"])
def test_the_metric_is_the_expectation_whatever_the_draws(users, booster, normalize) -> None:
    dataset = dataset_of_users(booster, users)
    attach(dataset, item_weight=users.w, loser_weight=users.v)
    expected = BPR(normalize=normalize).loss(
        users.y,
        users.scores,
        group=users.sizes,
        sample_weight=users.w,
        loser_weight=users.v,
        reduction="pair_weights",
    )
    for negatives, state in (("all", None), (1, 0), (1, 1), (4, 0)):
        result = BPR(normalize=normalize, negatives=negatives, random_state=state).metric(users.scores, dataset)
        assert result[0] == "bpr"
        assert result[1] == pytest.approx(expected, rel=1e-6)


@BOOSTERS
def test_the_metric_is_defined_with_fewer_negatives_than_draws(users, booster) -> None:
    few = BPR(negatives=12)
    result = few.metric(users.scores, dataset_of_users(booster, users))
    assert result[1] == BPR().metric(users.scores, dataset_of_users(booster, users))[1]


@BOOSTERS
@pytest.mark.parametrize("negatives", ["all", 2])
def test_item_ids_of_a_dataset(users, booster, negatives) -> None:
    objective = BPR(negatives=negatives, hessian_scale=1)
    keep = users.with_enough_negatives
    for item_id in (users.item, ITEM_IDS["str"][users.item], [MIXED_ITEM_IDS[k] for k in users.item]):
        dataset = dataset_of_users(booster, users)
        attach(dataset, item_id=item_id, mask=keep)
        expected = users.gradients(objective, mask=keep & ~users.is_false_negative)
        np.testing.assert_allclose(objective(users.scores, dataset), expected, rtol=1e-6)


@BOOSTERS
def test_missing_item_ids_are_refused_when_attached(users, booster) -> None:
    item = ITEM_IDS["str"][users.item].astype(object)
    item[4] = None
    with pytest.raises(ValueError, match="item_id is missing at row 4: every row needs one item id"):
        attach(dataset_of_users(booster, users), item_id=item)


@BOOSTERS
@pytest.mark.parametrize("negatives", ["all", 3])
def test_the_negative_weight_is_the_loser_weight(users, negatives, booster) -> None:
    """Another objective on the same dataset does not get these weights."""
    plain = BPR(negatives=negatives, hessian_scale=1)
    weighted = clone(plain).set_params(negative_weight=users.v)
    bare, attached = dataset_of_users(booster, users), dataset_of_users(booster, users)
    attach(attached, loser_weight=users.v)
    actual = weighted(users.scores, bare)
    np.testing.assert_array_equal(actual, plain(users.scores, attached))
    np.testing.assert_allclose(actual, users.gradients(plain, loser_weight=users.v), rtol=1e-6)
    assert weighted.metric(users.scores, bare) == plain.metric(users.scores, attached)
    np.testing.assert_allclose(plain(users.scores, bare), users.gradients(plain), rtol=1e-6)


@BOOSTERS
def test_negatives_are_not_weighed_twice(users, booster) -> None:
    dataset = dataset_of_users(booster, users)
    attach(dataset, loser_weight=users.v)
    message = "the negatives are weighed twice: by negative_weight and by the dataset's loser_weight"
    with pytest.raises(ValueError, match=message):
        BPR(negative_weight=users.v)(users.scores, dataset)


@BOOSTERS
def test_weights_of_another_number_of_rows_are_refused(users, booster) -> None:
    message = f"negative_weight has 2 entries, but the dataset has {users.y.size} rows: .*eval_loser_weight="
    with pytest.raises(ValueError, match=message):
        BPR(negative_weight=[1.0, 2.0])(users.scores, dataset_of_users(booster, users))


@BOOSTERS
def test_negative_weights_are_those_of_the_dataset_that_was_trained_on(users, booster) -> None:
    objective = BPR(negative_weight=users.v)
    own, other = dataset_of_users(booster, users), dataset_of_users(booster, users)
    with pytest.raises(
        ValueError, match="negative_weight belongs to the rows of the training set: give other sets their own"
    ):
        objective.metric(users.scores, other)
    objective(users.scores, own)
    attach(other, loser_weight=users.v)
    assert objective.metric(users.scores, own)[1] == objective.metric(users.scores, other)[1]


@BOOSTERS
def test_objectives_with_weights_of_their_own_share_a_dataset_without_making_plans_anew(users, booster) -> None:
    """A callable pair weight is called once for each plan, since there is one pair of labels."""
    made = []

    def weight(winner: float, loser: float) -> float:
        made.append((winner, loser))
        return 1.0

    dataset = dataset_of_users(booster, users)
    objectives = [
        BPR(negative_weight=users.v, pair_weight=weight),
        BPR(pair_weight=weight),
        BPR(negative_weight=2 * users.v, pair_weight=weight),
    ]
    for _ in range(3):
        for objective in objectives:
            objective(users.scores, dataset)
    assert made == 3 * [(1.0, 0.0)]


@BOOSTERS
@pytest.mark.parametrize("negatives", ["all", 2])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_training_without_a_positive_or_a_negative_is_refused(users, booster, negatives, label) -> None:
    objective = BPR(negatives=negatives)
    y = np.full(users.y.size, label)
    message = r"nothing can be learned: no query has both a positive \(label above threshold=0.0\) and a negative"
    with pytest.raises(ValueError, match=message):
        objective(users.scores, dataset_of_users(booster, users, y))
    with pytest.raises(ValueError, match=message):
        train(booster, objective, dataset_of_users(booster, users, y), 2)
    with pytest.raises(ValueError, match="bpr is undefined: no query has both a positive"):
        objective.metric(users.scores, dataset_of_users(booster, users, y))


def test_training_on_positives_and_negatives_of_different_users_is_refused(users) -> None:
    y = (users.qid % 2).astype(float)
    with pytest.raises(ValueError, match="nothing can be learned: no query has both a positive"):
        BPR(negatives=2)(users.scores, dataset_of_users("xgboost", users, y))


def test_training_on_false_negatives_only_is_refused(users) -> None:
    dataset = dataset_of_users("xgboost", users)
    attach(dataset, item_id=np.zeros(users.y.size))
    with pytest.raises(ValueError, match="nothing can be learned: no query has both a positive"):
        BPR()(users.scores, dataset)


def test_a_score_that_is_nan_is_named(users) -> None:
    users.scores[7] = np.nan
    dataset = dataset_of_users("xgboost", users)
    with pytest.raises(ValueError, match="the score is nan at row 7"):
        BPR(negatives=2)(users.scores, dataset)

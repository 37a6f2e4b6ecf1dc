"""Negatives of BPR from arrays: false negatives by item id, weights of negatives, and too few negatives to draw."""

from __future__ import annotations

import numpy as np
import pytest
from _support.interactions import ITEM_IDS, MIXED_ITEM_IDS, Users

from gbdt_pairloss import BPR

pd = pytest.importorskip("pandas")


@pytest.fixture
def users() -> Users:
    return Users()


def test_false_negatives_are_in_no_pair() -> None:
    #             user 0               user 1
    y = np.array([1.0, 0, 0, 0, 0, 0, 1, 0, 0, 0])
    item = ["a", "b", "a", "c", "d", "a", "b", "c", "b", "d"]
    group = [5, 5]
    false = [2, 8]
    others = np.flatnonzero(y == 0)[~np.isin(np.flatnonzero(y == 0), false)]
    s = np.random.default_rng(0).normal(size=10)
    gradient, hessian = BPR().gradient_hessian(y, s, group=group, item_id=item)
    assert not gradient[false].any()
    assert not hessian[false].any()
    assert (gradient[others] > 0).all()  # row 5 among them: "a" is no positive of user 1
    ever = np.zeros(10)
    for state in range(60):
        gradient, hessian = BPR(negatives=1, random_state=state).gradient_hessian(y, s, group=group, item_id=item)
        assert not gradient[false].any()
        assert not hessian[false].any()
        ever += gradient > 0
    assert (ever[others] > 0).all()


@pytest.mark.parametrize("normalize", ["none", "query", "log"])
@pytest.mark.parametrize("negatives", ["all", 2])
def test_false_negatives_are_as_if_masked(users, negatives, normalize) -> None:
    assert 20 < users.is_false_negative.sum() < users.y.size / 2
    keep = users.with_enough_negatives
    mask = np.random.default_rng(0).random(users.y.size) < 0.95
    mask[users.y == 1] = True
    objective = BPR(negatives=negatives, normalize=normalize)
    expected = users.gradients(objective, mask=mask & keep & ~users.is_false_negative)
    np.testing.assert_array_equal(users.gradients(objective, mask=mask & keep, item_id=users.item), expected)
    arguments = {"group": users.sizes, "reduction": "none"}
    loss = objective.loss(users.y, users.scores, mask=mask & keep, item_id=users.item, **arguments)
    masked = objective.loss(users.y, users.scores, mask=mask & keep & ~users.is_false_negative, **arguments)
    np.testing.assert_array_equal(loss, masked)


def test_a_positive_that_takes_no_part_makes_no_false_negative() -> None:
    y, item, mask = [1, 1, 0, 0], ["a", "b", "a", "b"], [False, True, True, True]
    gradient, _ = BPR(normalize="none").gradient_hessian(y, np.zeros(4), item_id=item, mask=mask)
    np.testing.assert_array_equal(gradient, [0, -0.5, 0.5, 0])


def test_the_threshold_says_what_a_positive_is() -> None:
    arguments = {"item_id": ["a", "a", "b", "c"]}
    gradient, _ = BPR(threshold=1, normalize="none").gradient_hessian([2, 1, 1, 0], np.zeros(4), **arguments)
    np.testing.assert_array_equal(gradient, [-1, 0, 0.5, 0.5])


def test_items_that_are_positives_twice_stay_positives() -> None:
    gradient, _ = BPR(normalize="none").gradient_hessian([1, 1, 0], np.zeros(3), item_id=["a", "a", "b"])
    np.testing.assert_array_equal(gradient, [-0.5, -0.5, 1])


@pytest.mark.parametrize("ids", sorted(ITEM_IDS))
def test_item_ids_have_any_dtype(users, ids) -> None:
    expected = users.gradients(BPR(), item_id=users.item)
    own = ITEM_IDS[ids][users.item]
    for item_id in (own, pd.Series(own), own[:, None]):
        np.testing.assert_array_equal(users.gradients(BPR(), item_id=item_id), expected)


def test_a_list_of_mixed_ids_keeps_apart_what_is_different(users) -> None:
    expected = users.gradients(BPR(), item_id=users.item)
    item_id = [MIXED_ITEM_IDS[k] for k in users.item]
    np.testing.assert_array_equal(users.gradients(BPR(), item_id=item_id), expected)


def test_a_list_of_large_ids_keeps_apart_what_is_different() -> None:
    item_id = [2**63, 2**63 + 1, -1]
    gradient, _ = BPR(normalize="none").gradient_hessian([1, 0, 0], np.zeros(3), item_id=item_id)
    np.testing.assert_array_equal(gradient, [-1, 0.5, 0.5])


def test_lists_in_two_dimensions() -> None:
    y, s = np.array([[1, 0, 0], [0, 1, 0]]), np.zeros((2, 3))
    gradient, _ = BPR(normalize="none").gradient_hessian(y, s, item_id=[["a", "a", "b"], ["a", "b", "c"]])
    np.testing.assert_array_equal(gradient, [[-0.5, 0, 0.5], [0.5, -1, 0.5]])


def test_item_ids_must_have_the_shape_of_the_scores() -> None:
    with pytest.raises(ValueError, match="item_id has shape"):
        BPR().gradient_hessian([[1, 0, 0], [0, 1, 0]], np.zeros((2, 3)), item_id=[["a", "b"], ["a", "b"], ["c", "d"]])


def test_missing_item_ids_are_refused(users) -> None:
    item = ITEM_IDS["str"][users.item].astype(object)
    item[4] = None
    for item_id in (item, np.where(np.arange(users.y.size) == 4, np.nan, users.item)):
        with pytest.raises(ValueError, match="item_id is missing at row 4: every row needs one item id"):
            users.gradients(BPR(), item_id=item_id)


def test_too_few_item_ids_are_refused(users) -> None:
    with pytest.raises(ValueError, match=f"item_id has 2 entries, but there are {users.y.size} rows"):
        users.gradients(BPR(), item_id=[1, 2])


def test_negatives_are_not_weighed_twice(users) -> None:
    message = "the negatives are weighed twice: by negative_weight and by the dataset's loser_weight"
    with pytest.raises(ValueError, match=message):
        users.gradients(BPR(negative_weight=users.v), loser_weight=users.v)


def test_weights_of_another_number_of_rows_are_refused(users) -> None:
    message = f"negative_weight has 2 entries, but the dataset has {users.y.size} rows: .*eval_loser_weight="
    with pytest.raises(ValueError, match=message):
        users.gradients(BPR(negative_weight=[1.0, 2.0]))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-1.0, "negative_weight is -1.0 at row 3; weights must not be negative"),
        (np.nan, "negative_weight is nan at row 3; it must be finite"),
        (np.inf, "negative_weight is inf at row 3; it must be finite"),
    ],
)
def test_bad_weights_are_refused_by_their_row(users, value, message) -> None:
    users.v[3] = value
    with pytest.raises(ValueError, match=message):
        users.gradients(BPR(negative_weight=users.v))


def test_more_draws_than_a_user_has_negatives_are_refused() -> None:
    y, qid = [1, 0, 0, 1, 0, 1, 0, 0], ["ann", "ann", "ann", "bob", "bob", "eve", "eve", "eve"]
    objective, s = BPR(negatives=2), np.zeros(8)
    with pytest.raises(
        ValueError,
        match="2 negatives are to be drawn for each positive, but query bob has only 1 with a weight above 0: "
        "draw fewer, or use all negatives",
    ):
        objective.gradient_hessian(y, s, qid=qid)
    with pytest.raises(ValueError, match=r"but query 1 \(counted from 0\) has only 1 with a weight above 0"):
        objective.gradient_hessian(y, s, group=[3, 2, 3])
    message = r"but query ann has only 1 with a weight above 0 \(2 queries have too few\)"
    with pytest.raises(ValueError, match=message):
        objective.gradient_hessian(y, s, qid=qid, loser_weight=[1, 0, 1, 1, 1, 1, 1, 1])
    with pytest.raises(ValueError, match="but query eve has only 1 with a weight above 0"):
        objective.gradient_hessian(y[5:], s[5:], qid=qid[5:], item_id=["a", "a", "b"])
    objective.gradient_hessian(y[5:], s[5:], qid=qid[5:])

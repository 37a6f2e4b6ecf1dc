"""What rankers of both boosters refuse of BPR, by the caller's names of users and numbers of rows."""

from __future__ import annotations

import numpy as np
import pytest
from _support.interactions import ITEM_IDS, Users
from _support.rankers import BOTH, make_ranker

from gbdt_pairloss import BPR


@pytest.fixture
def users() -> Users:
    return Users()


@BOTH
def test_missing_item_ids(users, Ranker) -> None:
    item = ITEM_IDS["str"][users.item].astype(object)
    item[4] = None
    rows = np.roll(users.scattered, 1)
    with pytest.raises(ValueError, match="item_id is missing at row 4: every row needs one item id"):
        make_ranker(Ranker, objective="bpr").fit(users.X[rows], users.y[rows], qid=users.qid[rows], item_id=item)


@BOTH
def test_too_few_item_ids(users, Ranker) -> None:
    with pytest.raises(ValueError, match=f"item_id has 2 entries, but there are {users.y.size} rows"):
        make_ranker(Ranker, objective="bpr").fit(users.X, users.y, qid=users.qid, item_id=[1, 2])


@BOTH
@pytest.mark.parametrize("objective", ["pairwise_logistic", "pairwise_hinge"])
def test_item_ids_for_other_objectives(users, Ranker, objective) -> None:
    with pytest.raises(ValueError, match="item_id makes a difference to BPR only, and the objective is pairwise_"):
        make_ranker(Ranker, objective=objective).fit(users.X, users.y, qid=users.qid, item_id=users.item)


@BOTH
def test_negatives_that_are_weighed_twice(users, Ranker) -> None:
    message = "the negatives are weighed twice: by negative_weight and by the dataset's loser_weight"
    with pytest.raises(ValueError, match=message):
        make_ranker(Ranker, objective=BPR(negative_weight=users.v)).fit(
            users.X, users.y, qid=users.qid, loser_weight=users.v
        )


@BOTH
def test_weights_of_another_number_of_rows(users, Ranker) -> None:
    message = f"negative_weight has 2 entries, but the dataset has {users.y.size} rows: .*eval_loser_weight="
    with pytest.raises(ValueError, match=message):
        make_ranker(Ranker, objective=BPR(negative_weight=[1.0, 2.0])).fit(users.X, users.y, qid=users.qid)
    with pytest.raises(ValueError, match=f"loser_weight has 1 entries, but there are {users.y.size} rows"):
        make_ranker(Ranker, objective="bpr").fit(users.X, users.y, qid=users.qid, loser_weight=[1.0])


@BOTH
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-1.0, "negative_weight is -1.0 at row 3; weights must not be negative"),
        (np.nan, "negative_weight is nan at row 3; it must be finite"),
        (np.inf, "negative_weight is inf at row 3; it must be finite"),
    ],
)
def test_bad_weights(users, Ranker, value, message) -> None:
    users.v[3] = value
    rows = np.roll(users.scattered, 1)
    with pytest.raises(ValueError, match=message):
        make_ranker(Ranker, objective=BPR(negative_weight=users.v)).fit(
            users.X[rows], users.y[rows], qid=users.qid[rows]
        )


@BOTH
def test_drawn_negatives_refuse_explicit_pairs(users, Ranker) -> None:
    with pytest.raises(ValueError, match='explicit pairs are not drawn: give BPR negatives="all" with them'):
        make_ranker(Ranker, objective=BPR(negatives=2)).fit(users.X, users.y, qid=users.qid, pairs=([0], [1]))


@BOTH
@pytest.mark.parametrize("order", ["together", "scattered"])
def test_more_draws_than_a_user_has_negatives(Ranker, order) -> None:
    y, qid = np.array([1, 0, 0, 1, 0, 1, 0, 0]), np.array(["ann"] * 3 + ["bob"] * 2 + ["eve"] * 3)
    rows = np.arange(8) if order == "together" else np.array([0, 3, 5, 1, 2, 4, 6, 7])
    ranker = make_ranker(Ranker, objective=BPR(negatives=2))
    with pytest.raises(
        ValueError,
        match="2 negatives are to be drawn for each positive, but query bob has only 1 with a weight above 0: "
        "draw fewer, or use all negatives",
    ):
        ranker.fit(np.arange(8.0)[rows, None], y[rows], qid=qid[rows])
    assert not ranker.__sklearn_is_fitted__()


@BOTH
@pytest.mark.parametrize("negatives", ["all", 2])
@pytest.mark.parametrize("label", [0.0, 1.0])
def test_no_positive_or_no_negative(users, Ranker, negatives, label) -> None:
    message = r"nothing can be learned: no query has both a positive \(label above threshold=0.0\) and a negative"
    ranker = make_ranker(Ranker, objective=BPR(negatives=negatives))
    with pytest.raises(ValueError, match=message):
        ranker.fit(users.X, np.full(users.y.size, label), qid=users.qid)
    assert not ranker.__sklearn_is_fitted__()

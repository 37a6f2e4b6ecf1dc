"""Rankers of both boosters with BPR: draws, seeds, item ids, and negatives in the order of the caller's rows."""

from __future__ import annotations

import numpy as np
import pytest
from _support.interactions import ITEM_IDS, Users
from _support.rankers import BOTH, history_of, make_ranker
from sklearn.base import clone

from gbdt_pairloss import BPR, LGBMRanker, PairwiseLogistic, metrics


@pytest.fixture
def users() -> Users:
    return Users()


@BOTH
def test_a_model_of_few_draws_ranks_about_as_well_as_one_of_all(Ranker) -> None:
    rng = np.random.default_rng(0)

    def interactions(n_users, n_items=50):
        X = rng.normal(size=(n_users * n_items, 6))
        taste = 1.5 * X[:, 0] - X[:, 1] + X[:, 2] * X[:, 3]
        y = (taste + rng.logistic(size=taste.size) > 3.5).astype(float)
        return X, y, np.repeat(np.arange(n_users), n_items), taste

    X, y, qid, _ = interactions(150)
    X_test, y_test, qid_test, taste = interactions(80)
    assert 0.03 < y.mean() < 0.2

    def results(negatives):
        objective = BPR(negatives=negatives, random_state=0)
        ranker = make_ranker(Ranker, objective=objective, n_estimators=40, learning_rate=0.15)
        scores = ranker.fit(X, y, qid=qid).predict(X_test)
        return np.array(
            [
                metrics.pair_accuracy(taste, scores, qid=qid_test),
                metrics.recall(y_test, scores, qid=qid_test, k=10),
            ]
        )

    everything, drawn = results("all"), results(5)
    assert everything[0] > 0.75
    np.testing.assert_allclose(drawn, everything, rtol=0, atol=0.03)


@BOTH
def test_random_state_of_a_ranker_seeds_the_draws(users, Ranker) -> None:
    def scores(objective, **params):
        ranker = make_ranker(Ranker, objective=objective, **params).fit(users.X, users.y, qid=users.qid)
        return ranker.predict(users.X)

    one, two = (scores(BPR(negatives=1), random_state=state) for state in (1, 2))
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(one, scores(BPR(negatives=1, random_state=1), random_state=1))
    np.testing.assert_array_equal(scores(BPR(), random_state=1), scores(BPR(random_state=7), random_state=1))


@BOTH
def test_training_continues_from_a_model(Ranker, users) -> None:
    def fit(n, **start):
        return make_ranker(Ranker, objective=BPR(negatives=3), n_estimators=n).fit(
            users.X, users.y, qid=users.qid, **start
        )

    start = "init_model" if Ranker is LGBMRanker else "xgb_model"
    more, whole = fit(5, **{start: fit(4)}), fit(9)
    np.testing.assert_allclose(more.predict(users.X), whole.predict(users.X), rtol=1e-6, atol=1e-6)


@BOTH
def test_the_model_does_not_depend_on_the_number_of_threads(Ranker, users) -> None:
    def fit(n_threads):
        objective = BPR(negatives=3, n_threads=n_threads)
        return make_ranker(Ranker, objective=objective).fit(users.X, users.y, qid=users.qid).predict(users.X)

    np.testing.assert_array_equal(fit(1), fit(3))


@BOTH
@pytest.mark.parametrize("negatives", ["all", 3])
def test_negative_weights_are_in_the_order_of_the_callers_rows(users, Ranker, negatives) -> None:
    rows, v = users.scattered, users.v
    weighted = BPR(negatives=negatives, negative_weight=v[rows])
    by_parameter = make_ranker(Ranker, objective=weighted)
    by_parameter.fit(users.X[rows], users.y[rows], qid=users.qid[rows])
    plain = BPR(negatives=negatives)
    by_argument = make_ranker(Ranker, objective=plain)
    by_argument.fit(users.X[rows], users.y[rows], qid=users.qid[rows], loser_weight=v[rows])
    grouped = make_ranker(Ranker, objective=plain).fit(users.X, users.y, group=users.sizes, loser_weight=v)
    np.testing.assert_array_equal(by_parameter.predict(users.X), grouped.predict(users.X))
    np.testing.assert_array_equal(by_argument.predict(users.X), grouped.predict(users.X))
    unweighted = make_ranker(Ranker, objective=plain).fit(users.X, users.y, group=users.sizes)
    assert not np.array_equal(unweighted.predict(users.X), grouped.predict(users.X))


@BOTH
def test_negative_weights_may_be_a_nested_parameter(users, Ranker) -> None:
    nested = make_ranker(Ranker, objective=BPR()).set_params(objective__negative_weight=users.v)
    expected = make_ranker(Ranker, objective=BPR()).fit(users.X, users.y, qid=users.qid, loser_weight=users.v)
    nested = clone(nested).fit(users.X, users.y, qid=users.qid)
    np.testing.assert_array_equal(nested.predict(users.X), expected.predict(users.X))


@BOTH
@pytest.mark.parametrize("negatives", ["all", 2])
def test_item_ids_of_scattered_rows(users, Ranker, negatives) -> None:
    keep, rows = users.with_enough_negatives, users.scattered
    out = np.where(keep, users.y, -1)
    objective = BPR(negatives=negatives, ignore_negative_labels=True)
    by_item = make_ranker(Ranker, objective=objective).fit(
        users.X[rows], out[rows], qid=users.qid[rows], item_id=ITEM_IDS["str"][users.item][rows]
    )
    without = make_ranker(Ranker, objective=objective).fit(
        users.X, np.where(users.is_false_negative, -1, out), qid=users.qid
    )
    np.testing.assert_array_equal(by_item.predict(users.X), without.predict(users.X))
    with_them = make_ranker(Ranker, objective=objective).fit(users.X, out, qid=users.qid)
    assert not np.array_equal(by_item.predict(users.X), with_them.predict(users.X))


@BOTH
def test_item_ids_of_evaluation_sets(users, Ranker) -> None:
    test = Users(1)
    ranker = make_ranker(Ranker, objective=BPR()).fit(
        users.X,
        users.y,
        qid=users.qid,
        item_id=users.item,
        eval_set=[(test.X, test.y), (users.X, users.y)],
        eval_qid=[test.qid, None],
        eval_item_id=[test.item, None],
        eval_metric="bpr",
    )
    names = sorted(ranker.evals_result_, key=lambda name: "training" in name)  # LightGBM calls users' set so
    for name, p in zip(names, (test, users), strict=True):
        loss = BPR().loss(
            p.y,
            ranker.predict(p.X).astype(np.float64),
            group=p.sizes,
            mask=~p.is_false_negative,
            reduction="pair_weights",
        )
        assert ranker.evals_result_[name]["bpr"][-1] == pytest.approx(loss, rel=1e-5)


@BOTH
def test_other_evaluation_sets_need_weights_of_their_own(users, Ranker) -> None:
    test = Users(1)
    ranker = make_ranker(Ranker, objective=BPR(negative_weight=users.v))
    arguments = {"eval_set": [(test.X, test.y)], "eval_qid": [test.qid], "eval_metric": "bpr"}
    with pytest.raises(
        ValueError,
        match=r"eval_set\[0\]: negative_weight belongs to the rows of the training set: "
        r"give other sets their own, as attach\(loser_weight=\) or fit\(eval_loser_weight=\)",
    ):
        ranker.fit(users.X, users.y, qid=users.qid, **arguments)
    ranker.fit(users.X, users.y, qid=users.qid, eval_loser_weight=[test.v], **arguments)
    loss = PairwiseLogistic().loss(
        test.y,
        ranker.predict(test.X).astype(float),
        group=test.sizes,
        loser_weight=test.v,
        reduction="pair_weights",
    )
    assert history_of(ranker)["bpr"][-1] == pytest.approx(loss, rel=1e-5)


@BOTH
def test_the_training_set_as_evaluation_set_has_its_weights(users, Ranker) -> None:
    arguments = {"qid": users.qid, "eval_set": [(users.X, users.y)], "eval_metric": "bpr"}
    ranker = make_ranker(Ranker, objective=BPR(negative_weight=users.v)).fit(users.X, users.y, **arguments)
    other = make_ranker(Ranker, objective=BPR())
    other.fit(users.X, users.y, loser_weight=users.v, **arguments)
    own = PairwiseLogistic().loss(
        users.y,
        ranker.predict(users.X).astype(float),
        group=users.sizes,
        loser_weight=users.v,
        reduction="pair_weights",
    )
    for fitted in (ranker, other):
        assert history_of(fitted)["bpr"][-1] == pytest.approx(own, rel=1e-5)


@BOTH
def test_negative_weights_of_scattered_evaluation_sets(users, Ranker) -> None:
    test = Users(1)
    rows = np.random.default_rng(0).permutation(test.y.size)
    ranker = make_ranker(Ranker, objective=BPR(negatives=2)).fit(
        users.X,
        users.y,
        qid=users.qid,
        loser_weight=users.v,
        eval_set=[(test.X[rows], test.y[rows])],
        eval_qid=[test.qid[rows]],
        eval_loser_weight=[test.v[rows]],
        eval_metric="bpr",
    )
    loss = BPR(negative_weight=test.v).loss(
        test.y, ranker.predict(test.X).astype(float), group=test.sizes, reduction="pair_weights"
    )
    assert history_of(ranker)["bpr"][-1] == pytest.approx(loss, rel=1e-5)


@BOTH
def test_an_evaluation_set_may_have_fewer_negatives_than_draws(users, Ranker) -> None:
    test = Users(1)
    keep = (test.y == 1) | np.isin(np.arange(test.y.size), test.starts[1:] - 1)  # one negative each
    ranker = make_ranker(Ranker, objective=BPR(negatives=3)).fit(
        users.X,
        users.y,
        qid=users.qid,
        eval_set=[(test.X[keep], test.y[keep])],
        eval_qid=[test.qid[keep]],
        eval_metric="bpr",
    )
    loss = BPR().loss(
        test.y[keep], ranker.predict(test.X[keep]).astype(float), qid=test.qid[keep], reduction="pair_weights"
    )
    assert history_of(ranker)["bpr"][-1] == pytest.approx(loss, rel=1e-5)


@BOTH
def test_the_loss_as_a_metric_does_not_depend_on_the_seed_of_the_draws(users, Ranker) -> None:
    ranker = make_ranker(Ranker, objective=BPR(negatives=1))
    metrics = ["bpr", BPR(negatives=1, random_state=3)]
    ranker.fit(
        users.X, users.y, qid=users.qid, eval_set=[(users.X, users.y)], eval_qid=[users.qid], eval_metric=metrics
    )
    assert list(history_of(ranker)) == ["bpr"]

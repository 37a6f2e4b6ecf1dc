"""Rankers of both boosters fitted on explicit pairs, with and without labels."""

from __future__ import annotations

import numpy as np
import pytest
from _support.datasets import lgb, xgb
from _support.explicit_pairs import NOT_FOR_PAIRS, REFUSED, Duels
from _support.rankers import BOTH, make_ranker

from gbdt_pairloss import BPR, LGBMRanker, PairwiseLogistic, attach, metrics


@pytest.fixture(scope="module")
def data() -> Duels:
    return Duels()


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


@BOTH
def test_score_counts_given_pairs(data, Ranker) -> None:
    ranker = make_ranker(Ranker).fit(data.X, None, qid=data.qid, pairs=data.pairs)
    expected = metrics.pair_accuracy(data.zeros, ranker.predict(data.X), qid=data.qid, pairs=data.pairs)
    assert ranker.score(data.X, None, qid=data.qid, pairs=data.pairs) == expected
    assert ranker.score(data.X, None, pairs=data.pairs, metric="pair_accuracy") == pytest.approx(
        metrics.pair_accuracy(data.zeros, ranker.predict(data.X), pairs=data.pairs)
    )
    with pytest.raises(ValueError, match="ndcg@5 does not support pairs: with pairs= the metric is 'pair_accuracy'"):
        ranker.score(data.X, None, qid=data.qid, pairs=data.pairs, metric="ndcg@5")


@BOTH
@pytest.mark.parametrize(("pairs", "error", "message"), REFUSED)
def test_bad_pairs_are_refused(Ranker, pairs, error, message) -> None:
    X = np.arange(16.0).reshape(8, 2)
    for y in (None, np.zeros(8)):
        ranker = make_ranker(Ranker)
        with pytest.raises(error, match=message):
            ranker.fit(X, y, pairs=pairs)
        assert not ranker.__sklearn_is_fitted__()


@BOTH
def test_pairs_across_queries_are_refused_with_the_names_of_both(Ranker, data) -> None:
    names = np.array([f"race {q}" for q in data.qid])
    order = np.random.default_rng(0).permutation(data.n)
    winner, loser = order.tolist().index(3), order.tolist().index(25)
    ranker = make_ranker(Ranker)
    message = rf"pairs\[0\] .* row {winner}, is in query race 0, its loser, row {loser}, in query race 1;"
    with pytest.raises(ValueError, match=message):
        ranker.fit(data.X[order], None, qid=names[order], pairs=([winner], [loser]))
    assert not ranker.__sklearn_is_fitted__()


@BOTH
@pytest.mark.parametrize(("parameters", "message"), NOT_FOR_PAIRS)
def test_objectives_that_make_or_weigh_pairs_take_no_explicit_pairs(Ranker, parameters, message, data) -> None:
    objective = BPR(**parameters) if "negatives" in parameters else PairwiseLogistic(**parameters)
    ranker = make_ranker(Ranker, objective=objective)
    with pytest.raises(ValueError, match=message):
        ranker.fit(data.X, None, qid=data.qid, pairs=data.pairs)
    assert not ranker.__sklearn_is_fitted__()


@BOTH
def test_native_objectives_do_not_support_pairs(Ranker, data) -> None:
    ranker = make_ranker(Ranker, objective="lambdarank" if Ranker is LGBMRanker else "rank:ndcg")
    message = "pairs needs an objective of gbdt_pairloss: the booster's own does not support it"
    with pytest.raises(ValueError, match=f"^{message}"):
        ranker.fit(data.X, data.zeros, qid=data.qid, pairs=data.pairs)
    evaluation = {"eval_set": [(data.X, data.zeros)], "eval_qid": [data.qid], "eval_pairs": [data.pairs]}
    with pytest.raises(ValueError, match=f"eval_{message}"):
        ranker.fit(data.X, data.zeros, qid=data.qid, **evaluation)
    assert not ranker.__sklearn_is_fitted__()


@BOTH
def test_pairs_that_all_weigh_nothing_are_refused(Ranker, data) -> None:
    pairs = *data.pairs[:2], np.zeros(data.pairs[0].size)
    ranker = make_ranker(Ranker)
    with pytest.raises(ValueError, match="every pair has weight zero; check the weights"):
        ranker.fit(data.X, None, qid=data.qid, pairs=pairs)
    assert not ranker.__sklearn_is_fitted__()


@BOTH
def test_a_ranker_needs_labels_or_pairs(Ranker, data) -> None:
    ranker = make_ranker(Ranker)
    with pytest.raises(ValueError, match="y is None; a ranker needs a label for each row"):
        ranker.fit(data.X, None, qid=data.qid)
    assert not ranker.__sklearn_is_fitted__()

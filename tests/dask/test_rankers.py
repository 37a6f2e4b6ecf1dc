"""The rankers on a Dask cluster of two processes: the models of one machine, in every form of rows."""

from __future__ import annotations

import pickle
import sys

import cloudpickle
import dask.array as da
import dask.dataframe as dd
import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from _support import recording
from _support.clusters import BOTH, local, make_ranker, on_cluster
from _support.rankers import history_of
from distributed import Client, LocalCluster
from sklearn.base import clone

from gbdt_pairloss import LGBMRanker, PairwiseHinge, PairwiseLogistic, WeightedSum, XGBRanker, metrics
from gbdt_pairloss.dask import DaskLGBMRanker, DaskXGBRanker

pytestmark = pytest.mark.slow
for module in (sys.modules[__name__], recording):  # the workers cannot import the tests
    cloudpickle.register_pickle_by_value(module)


@BOTH
def test_a_cluster_trains_the_model_of_one_machine(Ranker, rows, client) -> None:
    """The difference is not larger than for the native objective, whose trees depend on the cluster, too."""
    X, y, qid = rows
    frame = X.assign(qid=qid)
    difference = {}
    for objective in ("native", "pairwise_logistic"):
        native = "lambdarank" if Ranker is DaskLGBMRanker else "rank:pairwise"
        params = {"objective": native if objective == "native" else objective}
        ranker = make_ranker(Ranker, **params).fit(*on_cluster(rows))
        alone = local(Ranker, **params).fit(frame, y)
        predicted, expected = ranker.predict(frame), alone.predict(frame)
        difference[objective] = np.abs(predicted - expected).max() / np.ptp(expected)
        assert np.corrcoef(predicted, expected)[0, 1] > 0.99
        assert ranker.n_queries_ == alone.n_queries_ == 120
    assert difference["pairwise_logistic"] <= max(1e-5, difference["native"])
    if Ranker is DaskXGBRanker:
        assert difference["pairwise_logistic"] <= 1e-5


@BOTH
def test_a_worker_with_grades_alone_decides_as_the_others_do(Ranker, rows, client) -> None:
    """One query has other labels than grades: it is on one worker, and the default of the rankers weighs all alike."""
    X, y, qid = rows
    for change, expected in ((0.5, "pairwise_logistic"), (0.0, PairwiseLogistic(pair_weight="ndcg", rank_noise=1))):
        labels = y + np.where(qid == qid[0], change, 0)
        ranker = make_ranker(Ranker).fit(*on_cluster((X, labels, qid)))
        named = make_ranker(Ranker, objective=expected).fit(*on_cluster((X, labels, qid)))
        np.testing.assert_array_equal(ranker.predict(X), named.predict(X))
        alone = local(Ranker).fit(X.assign(qid=qid), labels)
        assert np.corrcoef(ranker.predict(X), alone.predict(X))[0, 1] > 0.97
        assert ranker.objective == ranker.to_local().objective == "auto"


@BOTH
@pytest.mark.parametrize("form", ["frame", "array"])
def test_no_query_is_split_between_workers(Ranker, form, rows, client, tmp_path) -> None:
    X, _, qid = rows
    y = np.arange(len(X), dtype=float)  # the label of a row is its number
    objective = PairwiseLogistic(pair_weight=recording.RecordsLabels(tmp_path))
    ranker = make_ranker(Ranker, objective=objective, n_estimators=2)
    if form == "frame":
        ranker.fit(*on_cluster((X, y, qid), 7))
    else:  # with different chunks
        chunked = (da.from_array(values, chunks=n) for values, n in ((X.to_numpy(), 400), (y, 700), (qid, 900)))
        X, labels, ids = chunked
        ranker.fit(X, labels, qid=ids)
    first, second = recording.labels_by_process(tmp_path)
    assert first | second == set(y)  # all rows of all queries
    first, second = (set(qid[np.array(sorted(labels), dtype=int)]) for labels in (first, second))
    assert not first & second
    assert first
    assert second


@BOTH
def test_weights_item_ids_and_initial_scores_follow_their_rows(Ranker, rows, client) -> None:
    X, y, qid = rows
    rng = np.random.default_rng(1)
    extra = {
        "sample_weight": rng.uniform(0.1, 3, y.size),
        "loser_weight": rng.uniform(0.1, 3, y.size),
        "item_id": rng.integers(0, 500, y.size),
        "mask": rng.random(y.size) < 0.9,
        "init_score" if Ranker is DaskLGBMRanker else "base_margin": rng.normal(size=y.size),
    }
    y = np.where(extra["mask"], y, np.nan)
    # LightGBM's data-parallel learner estimates the rows of a leaf from Hessians: trees differ if leaves are small.
    params = {"objective": "bpr", "objective__threshold": 1.0, "n_estimators": 1}
    chunked = {name: da.from_array(values, chunks=1000) for name, values in extra.items()}
    features = da.from_array(X.to_numpy(), chunks=(1000, 2))
    ranker = make_ranker(Ranker, **params)
    ranker.fit(features, da.from_array(y, chunks=1000), qid=da.from_array(qid, chunks=1000), **chunked)
    expected = local(Ranker, **params).fit(X.to_numpy(), y, qid=qid, **extra).predict(X.to_numpy())
    without = local(Ranker, **params).fit(X.to_numpy(), np.nan_to_num(y), qid=qid).predict(X.to_numpy())
    predicted = ranker.predict(X.to_numpy())
    if Ranker is DaskXGBRanker:
        np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-4)
    assert np.abs(predicted - expected).mean() < 0.1 * np.abs(predicted - without).mean()
    score = ranker.score(features, chunked["item_id"] % 3, qid=da.from_array(qid, chunks=1000), metric="ndcg@5")
    assert score == pytest.approx(metrics.ndcg(extra["item_id"] % 3, predicted, qid=qid, k=5))


@BOTH
@pytest.mark.parametrize("form", ["frame", "array"])
def test_several_labels_of_a_sum_follow_their_rows(Ranker, form, rows, client) -> None:
    X, y, qid = rows
    labels = np.column_stack([np.where(y > 2, -1.0, y), 4 - y, y])
    terms = [PairwiseLogistic(ignore_negative_labels=True), PairwiseLogistic(), PairwiseHinge()]
    objective = WeightedSum(terms, [1.0, 0.5, 2.0])
    # LightGBM's trees differ if leaves are small.
    ranker = make_ranker(Ranker, objective=objective, n_estimators=1)
    if form == "frame":
        frame, _ = on_cluster(rows)
        given = dd.from_pandas(pd.DataFrame(labels), npartitions=5)
        ranker.fit(frame, given)
        score = ranker.score(frame, given, metric="pair_accuracy")
    else:
        features, given, ids = (da.from_array(values, chunks=1000) for values in (X.to_numpy(), labels, qid))
        ranker.fit(features, given.rechunk((500, 1)), qid=ids)
        score = ranker.score(features, given, qid=ids, metric="pair_accuracy")
    X = X if form == "frame" else X.to_numpy()
    alone = local(Ranker, objective=objective, n_estimators=1).fit(X, labels, qid=qid)
    if Ranker is DaskXGBRanker:
        np.testing.assert_allclose(ranker.predict(X), alone.predict(X), rtol=1e-4, atol=1e-4)
    assert np.corrcoef(ranker.predict(X), alone.predict(X))[0, 1] > 0.99
    assert score == pytest.approx(ranker.to_local().score(X, labels, qid=qid, metric="pair_accuracy"))


@BOTH
def test_predictions_have_the_order_and_the_partitions_of_the_rows(Ranker, rows, client) -> None:
    X, y, _ = rows
    ranker = make_ranker(Ranker).fit(*on_cluster(rows))
    expected = ranker.to_local().predict(X)
    frame = dd.from_pandas(X.set_axis(np.arange(len(X)) * 3), npartitions=4)
    scores = ranker.predict(frame)
    assert isinstance(scores, dd.Series)
    assert scores.divisions == frame.divisions
    computed = scores.compute()
    assert computed.dtype == scores.dtype == expected.dtype
    np.testing.assert_array_equal(computed.index, np.arange(len(X)) * 3)
    np.testing.assert_array_equal(computed, expected)

    array = da.from_array(X.to_numpy(), chunks=((1000, 500, 1500), (3, 2)))
    by_array = make_ranker(Ranker).fit(array, da.from_array(y, chunks=700), qid=da.from_array(rows[2], chunks=800))
    scores = by_array.predict(array)
    assert scores.chunks == ((1000, 500, 1500),)
    np.testing.assert_array_equal(scores.compute(), by_array.to_local().predict(X.to_numpy()))

    with_empty = dd.concat([frame.partitions[:2], frame.loc[10**9 :], frame.partitions[2:]])
    np.testing.assert_array_equal(ranker.predict(with_empty).compute(), expected)


@BOTH
def test_early_stopping_evaluates_whole_sets(Ranker, rows, client) -> None:
    X, y, qid = rows
    held_out = np.isin(qid, np.unique(qid)[:40])
    train, test = ((X[part].reset_index(drop=True), y[part], qid[part]) for part in (~held_out, held_out))
    ranker = make_ranker(Ranker, n_estimators=200, learning_rate=0.5, early_stopping_rounds=5)
    (X_train, y_train), (X_test, y_test) = on_cluster(train), on_cluster(test, 3)
    ranker.fit(X_train, y_train, eval_set=[(X_test, y_test)], eval_metric="ndcg@5")
    history = history_of(ranker)["ndcg@5"]
    rounds = len(history)
    assert 5 < rounds < 200
    best = int(np.argmax(history))
    # LightGBM counts from 1.
    assert ranker.best_iteration_ == best + (1 if Ranker is DaskLGBMRanker else 0)
    expected = metrics.ndcg(test[1], ranker.predict(test[0]), qid=test[2], k=5)
    assert history[best] == pytest.approx(expected, abs=1e-5)


@BOTH
def test_workers_may_have_no_rows_or_no_pairs(Ranker, rows, client) -> None:
    X, y, qid = rows
    one = qid == qid[0]
    ranker = make_ranker(Ranker, min_child_weight=1e-3).fit(
        *on_cluster((X[one].reset_index(drop=True), y[one], qid[one]), 1)
    )
    assert ranker.n_queries_ == 1

    # All pairs are in one query, so that one of the workers has no pairs.
    for objective in ("pairwise_logistic", "bpr"):
        labels = np.where(one, y > np.median(y[one]), 0)
        ranker = make_ranker(Ranker, objective=objective, min_child_weight=1e-3).fit(*on_cluster((X, labels, qid)))
        assert metrics.auc(labels[one], ranker.predict(X)[one]) > 0.9


@BOTH
def test_a_fitted_ranker_can_be_cloned_pickled_saved_made_local_and_fitted_again(
    Ranker, rows, client, tmp_path
) -> None:
    X = rows[0]
    ranker = make_ranker(Ranker, client=client, objective=PairwiseLogistic(normalize="query"))
    twin = clone(ranker)
    assert twin.client is client
    assert twin.objective is not ranker.objective
    assert twin.get_params()["objective__normalize"] == "query"
    ranker.set_params(objective__normalize="none", n_estimators=4).fit(*on_cluster(rows))
    expected = ranker.predict(X)
    copied = pickle.loads(pickle.dumps(ranker))
    assert copied.client is None
    for other in (copied, ranker.to_local(), pickle.loads(pickle.dumps(ranker.to_local()))):
        np.testing.assert_array_equal(other.predict(X), expected)
    assert type(ranker.to_local()) in (LGBMRanker, XGBRanker)
    assert ranker.to_local().get_params()["objective__normalize"] == "none"
    if Ranker is DaskLGBMRanker:
        ranker.booster_.save_model(tmp_path / "model.txt")
        plain = lgb.Booster(model_file=tmp_path / "model.txt").predict(X)
    else:
        ranker.save_model(tmp_path / "model.json")
        plain = xgb.XGBRanker()
        plain.load_model(tmp_path / "model.json")
        plain = plain.predict(X)
    np.testing.assert_array_equal(plain, expected)
    again = ranker.fit(*on_cluster(rows)).predict(X)
    np.testing.assert_array_equal(again, expected)


@BOTH
def test_a_client_other_than_the_default_is_used(Ranker, rows, client) -> None:
    with Client(client.scheduler.address, set_as_default=False) as other:
        ranker = make_ranker(Ranker, client=other).fit(*on_cluster(rows))
        frame, labels = on_cluster(rows)
        assert ranker.score(frame, labels) > 0.8
        assert ranker.client is other


@BOTH
def test_workers_may_be_threads(Ranker, rows) -> None:
    """The boosters support one network per process, and here two workers share a process."""
    X, y, qid = rows
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0")
    with cluster, Client(cluster):
        ranker = make_ranker(Ranker).fit(*on_cluster(rows))
        expected = local(Ranker).fit(X.assign(qid=qid), y).predict(X)
        np.testing.assert_allclose(ranker.predict(X), expected, rtol=1e-5, atol=1e-5)

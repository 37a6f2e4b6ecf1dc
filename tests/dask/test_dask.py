"""The rankers on a Dask cluster of two processes."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import sys
import time
import uuid

import numpy as np
import pandas as pd
import pytest
from _support.rankers import history_of

pytest.importorskip("distributed")
pytest.importorskip("dask.dataframe")

import cloudpickle
import dask
import dask.array as da
import dask.dataframe as dd
import distributed
import lightgbm as lgb
import xgboost as xgb
from distributed import Client, LocalCluster
from sklearn.base import clone

from gbdt_pairloss import BPR, LGBMRanker, PairwiseLogistic, XGBRanker, metrics
from gbdt_pairloss.dask import DaskLGBMRanker, DaskXGBRanker

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers do not find the tests
pytestmark = pytest.mark.slow
BOTH = pytest.mark.parametrize("Ranker", [DaskLGBMRanker, DaskXGBRanker])


@pytest.fixture(scope="module")
def client():
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0")
    with cluster, Client(cluster) as client:
        yield client


@pytest.fixture
def mortal_client():
    """Of a cluster of its own, which may lose workers."""
    # A LocalCluster gives one up that is not there so long after it, or an earlier one of its name, has died.
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"}):
        cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0")
        with cluster, Client(cluster) as client:
            yield client


def make_ranker(Ranker, **params):
    if issubclass(Ranker, LGBMRanker):
        return Ranker(**{"n_estimators": 12, "min_child_samples": 5, "random_state": 0, "verbose": -1, **params})
    return Ranker(**{"n_estimators": 12, "max_depth": 4, "random_state": 0, **params})


def local(Ranker, **params):
    return make_ranker(LGBMRanker if Ranker is DaskLGBMRanker else XGBRanker, n_jobs=1, **params)


@pytest.fixture(scope="module")
def rows():
    """Rows in any order, features of few values (so that bins do not depend on which rows a worker sees)."""
    rng = np.random.default_rng(0)
    n = 3000
    X = rng.integers(-6, 7, (n, 5)) / 2
    qid = np.array([f"q{i:03}" for i in rng.integers(0, 120, n)])
    y = np.clip(np.round(X[:, 0] - X[:, 1] / 2 + rng.normal(scale=0.7, size=n) + 1), 0, 4)
    return pd.DataFrame(X, columns=list("abcde")), y, qid


def on_cluster(rows, npartitions=5):
    X, y, qid = rows
    return (
        dd.from_pandas(X.assign(qid=qid), npartitions=npartitions),
        dd.from_pandas(pd.Series(y), npartitions=npartitions),
    )


@BOTH
def test_as_on_one_machine(Ranker, rows, client) -> None:
    """The predictions differ by no more than the native objective's do, whose trees depend on the cluster, too."""
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


class Spy(PairwiseLogistic):
    """Writes down which queries each process trains on, and with how many rows."""

    def __init__(self, *, folder, **params) -> None:
        super().__init__(**params)
        self.folder = folder

    def plan(self, data):
        columns = np.column_stack([data.groups.ids, data.groups.sizes]).astype(str)
        np.save(f"{self.folder}/{os.getpid()}-{uuid.uuid4().hex}.npy", columns)
        return super().plan(data)


@BOTH
@pytest.mark.parametrize("form", ["frame", "array"])
def test_no_query_is_split(Ranker, form, rows, client, tmp_path) -> None:
    X, y, qid = rows
    ranker = make_ranker(Ranker, objective=Spy(folder=str(tmp_path)), n_estimators=2)
    if form == "frame":
        ranker.fit(*on_cluster(rows, 7))
    else:  # each cut in its own way
        X, y, ids = (da.from_array(values, chunks=n) for values, n in ((X.to_numpy(), 400), (y, 700), (qid, 900)))
        ranker.fit(X, y, qid=ids)
    seen = {}
    for path in tmp_path.iterdir():
        seen.setdefault(path.name.partition("-")[0], set()).update(map(tuple, np.load(path)))
    first, second = seen.values()
    names, sizes = np.unique(qid, return_counts=True)
    assert first | second == set(zip(names, sizes.astype(str), strict=True))
    assert not first & second
    assert first
    assert second


@BOTH
def test_weights_and_item_ids(Ranker, rows, client) -> None:
    X, y, qid = rows
    rng = np.random.default_rng(1)
    extra = {
        "sample_weight": rng.uniform(0.1, 3, y.size),
        "loser_weight": rng.uniform(0.1, 3, y.size),
        "item_id": rng.integers(0, 500, y.size),
        "init_score" if Ranker is DaskLGBMRanker else "base_margin": rng.normal(size=y.size),
    }
    # LightGBM's data-parallel learner guesses the rows of a leaf from Hessians: trees differ where leaves are small.
    params = {"objective": "bpr", "objective__threshold": 1.0, "n_estimators": 1}
    chunked = {name: da.from_array(values, chunks=1000) for name, values in extra.items()}
    features = da.from_array(X.to_numpy(), chunks=(1000, 2))
    ranker = make_ranker(Ranker, **params)
    ranker.fit(features, da.from_array(y, chunks=1000), qid=da.from_array(qid, chunks=1000), **chunked)
    expected = local(Ranker, **params).fit(X.to_numpy(), y, qid=qid, **extra).predict(X.to_numpy())
    without = local(Ranker, **params).fit(X.to_numpy(), y, qid=qid).predict(X.to_numpy())
    predicted = ranker.predict(X.to_numpy())
    if Ranker is DaskXGBRanker:
        np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-4)
    assert np.abs(predicted - expected).mean() < 0.1 * np.abs(predicted - without).mean()
    score = ranker.score(features, chunked["item_id"] % 3, qid=da.from_array(qid, chunks=1000), metric="ndcg@5")
    assert score == pytest.approx(metrics.ndcg(extra["item_id"] % 3, predicted, qid=qid, k=5))


@BOTH
def test_predictions_come_in_the_order_and_partitions_of_the_rows(Ranker, rows, client) -> None:
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
def test_early_stopping_sees_whole_evaluation_sets(Ranker, rows, client) -> None:
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
def test_workers_without_rows_or_pairs(Ranker, rows, client) -> None:
    X, y, qid = rows
    one = qid == qid[0]
    ranker = make_ranker(Ranker, min_child_weight=1e-3).fit(
        *on_cluster((X[one].reset_index(drop=True), y[one], qid[one]), 1)
    )
    assert ranker.n_queries_ == 1

    # All pairs are in one query, so that one of the workers has none.
    for objective in ("pairwise_logistic", "bpr"):
        labels = np.where(one, y > np.median(y[one]), 0)
        ranker = make_ranker(Ranker, objective=objective, min_child_weight=1e-3).fit(*on_cluster((X, labels, qid)))
        assert metrics.auc(labels[one], ranker.predict(X)[one]) > 0.9


@BOTH
def test_a_ranker_of_its_own_life(Ranker, rows, client, tmp_path) -> None:
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
class TestRefusals:
    """Each leaves the cluster as it was: the fixture is shared."""

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"qid": None}, ValueError, "fit on a cluster needs qid=, one id per row"),
            ({"pairs": ([0], [1])}, ValueError, "pairs has no meaning on a cluster"),
            ({"group": [3000]}, ValueError, "group has no meaning on a cluster"),
            ({"y": np.zeros(3000)}, TypeError, "y must be a Dask array, DataFrame or Series, got a ndarray"),
            ({"qid": "short"}, ValueError, "X has 3000 rows, but qid has 2990"),
            ({"qid": "missing"}, ValueError, "partition 1: qid is missing at row 500"),
            ({"y": "nan"}, ValueError, "partition 2: y is nan at row 7"),
            ({"y": "negative"}, ValueError, "partition 0: .* negative"),
            ({"sample_weight": "negative"}, ValueError, "partition 0: sample_weight is -1.0 at row 3"),
        ],
    )
    def test_bad_arguments(self, Ranker, change, error, message, rows, client) -> None:
        X, y, qid = rows
        arguments = {"y": da.from_array(y, chunks=1000), "qid": da.from_array(qid, chunks=1000)}
        ((name, value),) = change.items()
        if isinstance(value, str):
            values = {"y": y, "qid": qid.astype(object), "sample_weight": np.ones(y.size)}[name].copy()
            if value == "short":
                values = values[:-10]
            else:
                row = {"missing": 1500, "nan": 2007, "negative": 3}[value]
                values[row] = {"missing": None, "nan": np.nan, "negative": -1}[value]
            value = da.from_array(values, chunks=1000)
        arguments[name] = value
        with pytest.raises(error, match=message):
            make_ranker(Ranker).fit(da.from_array(X.to_numpy(), chunks=1000), **arguments)

    def test_a_learner_that_needs_all_rows(self, Ranker, rows, client) -> None:
        if Ranker is DaskLGBMRanker:
            with pytest.raises(ValueError, match="tree_learner='feature' does not suit rows that lie on several"):
                make_ranker(Ranker, tree_learner="feature").fit(*on_cluster(rows))
            make_ranker(Ranker, tree_learner="voting").fit(*on_cluster(rows))

    def test_held_out_queries(self, Ranker, rows, client) -> None:
        with pytest.raises(ValueError, match="eval_fraction does not work on a cluster"):
            make_ranker(Ranker, eval_fraction=0.2).fit(*on_cluster(rows))

    def test_nothing_to_learn(self, Ranker, rows, client) -> None:
        X, y, qid = rows
        with pytest.warns(UserWarning, match="nothing can be learned"):
            make_ranker(Ranker).fit(*on_cluster((X, np.ones(y.size), qid)))
        frame, labels = on_cluster(rows)
        with pytest.raises(ValueError, match="every pair has weight zero"):
            make_ranker(Ranker).fit(frame, labels, sample_weight=labels * 0)
        with pytest.raises(ValueError, match="nothing can be learned"):
            make_ranker(Ranker, objective="bpr").fit(frame, labels * 0)

    def test_a_metric_that_fails(self, Ranker, rows, client) -> None:
        def broken(y_true, y_pred):
            raise RuntimeError("not today")

        frame, labels = on_cluster(rows)
        with pytest.raises(RuntimeError, match="not today"):
            make_ranker(Ranker).fit(frame, labels, eval_set=[(frame, labels)], eval_metric=broken)
        make_ranker(Ranker).fit(frame, labels)  # the network is free again

    @pytest.mark.parametrize("ids", [[1, "1"], [b"q1"], [(1, 2)], [1, 1.5, None]])
    def test_ids_of_several_kinds(self, Ranker, ids, rows, client) -> None:
        X, y, _ = rows
        qid = np.empty(y.size, dtype=object)
        qid[:] = [ids[i % len(ids)] for i in range(y.size)]
        arrays = [da.from_array(values, chunks=1000) for values in (X.to_numpy(), y, qid)]
        with pytest.raises(
            (TypeError, ValueError), match="qid (must be numbers, dates or strings|is missing at row [0-9])"
        ):
            make_ranker(Ranker).fit(arrays[0], arrays[1], qid=arrays[2])

    def test_categories_that_dask_does_not_know(self, Ranker, rows, client) -> None:
        X, y, qid = rows
        words = X["a"].map("a{}".format)
        frame, labels = on_cluster((X.assign(a=pd.Categorical(words)), y, qid))
        unknown = frame.assign(a=frame["a"].astype(str).astype("category"))
        params = {} if Ranker is DaskLGBMRanker else {"enable_categorical": True}
        with pytest.raises(ValueError, match=r"the categories of column 'a' differ .*: call X.categorize\(\) first"):
            make_ranker(Ranker, **params).fit(unknown, labels)
        make_ranker(Ranker, **params).fit(frame, labels)

    def test_initial_scores_and_draws_are_looked_at_before(self, Ranker, rows, client) -> None:
        y = rows[1]
        frame, labels = on_cluster(rows)
        values = pd.Series(np.where(np.arange(y.size) == 77, np.nan, 0.0))
        start = {"init_score" if Ranker is DaskLGBMRanker else "base_margin": dd.from_pandas(values, npartitions=5)}
        with pytest.raises(ValueError, match="nan at row"):
            make_ranker(Ranker).fit(frame, labels, **start)
        with pytest.raises(ValueError, match="200 negatives are to be drawn"):
            make_ranker(Ranker, objective="bpr", objective__negatives=200).fit(frame, labels)
        with pytest.raises(ValueError, match="negative_weight= of the objective is an array"):
            make_ranker(Ranker, objective=BPR(negative_weight=np.ones(y.size))).fit(frame, labels)
        with pytest.raises(TypeError, match="fit has no argument 'sampel_weight'"):
            make_ranker(Ranker).fit(frame, labels, sampel_weight=labels)
        if Ranker is DaskXGBRanker:
            with pytest.raises(ValueError, match="one weight per query, and sample_weight differs within a query"):
                make_ranker(Ranker, objective="rank:pairwise").fit(frame, labels, sample_weight=labels)

    def test_no_split_is_a_warning(self, Ranker, rows, client) -> None:
        with pytest.warns(UserWarning, match="no tree of the model has a split"):
            make_ranker(Ranker, min_child_weight=1e9).fit(*on_cluster(rows))

    def test_score_without_queries(self, Ranker, rows, client) -> None:
        ranker = make_ranker(Ranker).fit(*on_cluster(rows))
        frame, labels = on_cluster(rows)
        with pytest.raises(ValueError, match="score ranks within queries: it needs qid="):
            ranker.score(frame.drop(columns="qid"), labels)


@BOTH
def test_a_client_that_is_not_the_default(Ranker, rows, client) -> None:
    with Client(client.scheduler.address, set_as_default=False) as other:
        ranker = make_ranker(Ranker, client=other).fit(*on_cluster(rows))
        frame, labels = on_cluster(rows)
        assert ranker.score(frame, labels) > 0.8
        assert ranker.client is other


@BOTH
def test_workers_that_are_threads(Ranker, rows) -> None:
    """Two workers in one process: the boosters know one network in a process."""
    X, y, qid = rows
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0")
    with cluster, Client(cluster):
        ranker = make_ranker(Ranker).fit(*on_cluster(rows))
        expected = local(Ranker).fit(X.assign(qid=qid), y).predict(X)
        np.testing.assert_allclose(ranker.predict(X), expected, rtol=1e-5, atol=1e-5)


MAY_RESTART_OTHERS = pytest.mark.filterwarnings("ignore:the training failed; the workers:UserWarning")


class FailsOnOne(xgb.callback.TrainingCallback):
    """A callback of either booster that fails on one of the workers, in the second round."""

    def __init__(self, names=(1,)) -> None:
        self.names = names

    def after_iteration(self, model, epoch, evals_log) -> bool:
        if epoch == 1 and distributed.get_worker().name in self.names:
            self.fail()
        return False

    def fail(self) -> None:
        raise RuntimeError("only here")

    def __call__(self, env) -> None:
        self.after_iteration(env.model, env.iteration, None)


class DiesOnOne(FailsOnOne):
    """Ends the process there, as the system does where memory is short."""

    def fail(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def settle(client) -> None:
    """Until two workers answer, and go on answering."""
    seen: list[set[int]] = []
    while len(seen) < 6 or any(len(now) < 2 or now != seen[-1] for now in seen[-6:]):
        time.sleep(0.5)
        seen.append(set(client.run(os.getpid, on_error="ignore").values()))
        assert len(seen) < 120


@BOTH
@MAY_RESTART_OTHERS
def test_one_worker_that_fails(Ranker, rows, mortal_client) -> None:
    """The other one waits for it, with LightGBM for ever: it is freed, and the next training works."""
    frame, labels = on_cluster(rows)
    with pytest.raises(RuntimeError, match="only here"):
        make_ranker(Ranker).fit(frame, labels, callbacks=[FailsOnOne()])
    settle(mortal_client)
    make_ranker(Ranker).fit(frame, labels)


@BOTH
@MAY_RESTART_OTHERS
@pytest.mark.parametrize("alone", [False, True])
def test_a_worker_that_dies(Ranker, alone, rows, mortal_client) -> None:
    """Dask would wait for its address for ever."""
    X, y, qid = rows
    if alone:  # with one query, the other worker gets no rows
        qid = np.full(y.size, "q")
    frame, labels = on_cluster((X, y, qid))
    dies = DiesOnOne([0, 1] if alone else [1])
    with pytest.raises(RuntimeError, match="the worker tcp://.* has left the cluster during fit"):
        make_ranker(Ranker).fit(frame, labels, callbacks=[dies])
    settle(mortal_client)
    make_ranker(Ranker).fit(*on_cluster(rows))


@BOTH
@MAY_RESTART_OTHERS
@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_worker_that_comes_back_under_its_address(Ranker, n_workers, rows) -> None:
    """Dask runs its task again there, but the booster's network is gone."""
    ports = free_ports()
    cluster = LocalCluster(n_workers=n_workers, threads_per_worker=1, worker_port=ports, dashboard_address=":0")
    gone = pytest.raises(RuntimeError, match="the worker tcp://.* has left the cluster during fit")
    with cluster, Client(cluster), gone:
        make_ranker(Ranker).fit(*on_cluster(rows), callbacks=[DiesOnOne([n_workers - 1])])


def free_ports() -> str:
    """Four ports in a row that nobody has."""
    for first in range(20_000, 30_000, 4):
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for port in range(first, first + 4):
                held.enter_context(socket.socket()).bind(("", port))
            return f"{first}:{first + 3}"
    raise AssertionError("no ports")

"""The rankers: every way in, early stopping, metrics, saving, and the boosters' own objectives."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone

from gbdt_pairloss import BPR, PairwiseLogistic, metrics

lgb = pytest.importorskip("lightgbm", minversion="4.0")
xgb = pytest.importorskip("xgboost")
pd = pytest.importorskip("pandas")

from gbdt_pairloss import LGBMRanker, XGBRanker  # noqa: E402

BOTH = pytest.mark.parametrize("Ranker", [LGBMRanker, XGBRanker])


def make_ranker(Ranker, **params):
    if Ranker is LGBMRanker:
        return LGBMRanker(
            **{"n_estimators": 12, "min_child_samples": 5, "n_jobs": 1, "random_state": 0, "verbose": -1, **params}
        )
    return XGBRanker(**{"n_estimators": 12, "n_jobs": 1, "max_depth": 4, "random_state": 0, **params})


def history_of(ranker, number=0):
    """The evaluation results of one set; LightGBM calls the training set "training"."""
    return list(ranker.evals_result_.values())[number]


@BOTH
def test_agrees_with_low_level_training(Ranker, problem) -> None:
    ranker = make_ranker(Ranker).fit(problem.X, problem.y, group=problem.sizes)
    if Ranker is LGBMRanker:
        params = {"objective": PairwiseLogistic(), "min_data_in_leaf": 5, "num_threads": 1, "verbose": -1}
        model = lgb.train(params, lgb.Dataset(problem.X, problem.y, group=problem.sizes), 12)
        low_level = model.predict(problem.X)
    else:
        dataset = xgb.QuantileDMatrix(problem.X, problem.y, group=problem.sizes, nthread=1)
        params = {"max_depth": 4, "base_score": 0, "nthread": 1, "objective": "rank:pairwise"}
        low_level = xgb.train(params, dataset, 12, obj=PairwiseLogistic()).inplace_predict(problem.X)
    np.testing.assert_array_equal(ranker.predict(problem.X), low_level)
    assert ranker.score(problem.X, problem.y, group=problem.sizes) > 0.8


@BOTH
@pytest.mark.parametrize("weighted", ["not", "row", "query"])
def test_rows_in_any_order_train_the_same_model(Ranker, problem, weighted) -> None:
    rng = np.random.default_rng(1)
    names = np.array([f"query {q}" for q in rng.permutation(problem.sizes.size)])
    order = rng.permutation(problem.y.size)
    start = rng.normal(scale=0.1, size=problem.y.size)
    initial = "init_score" if Ranker is LGBMRanker else "base_margin"
    grouped, scattered = {initial: start}, {initial: start[order]}
    if weighted == "row":
        w = rng.uniform(0.5, 2, problem.y.size)
        grouped["sample_weight"], scattered["sample_weight"] = w, w[order]
    elif weighted == "query":
        w = rng.uniform(0.5, 2, problem.sizes.size)
        grouped["sample_weight"], scattered["sample_weight"] = w, w[problem.qid][order]
    # XGBoost's histograms depend on the weights of queries: look at every split instead.
    params = {"tree_method": "exact"} if Ranker is XGBRanker else {}
    one = make_ranker(Ranker, **params).fit(problem.X, problem.y, group=problem.sizes, **grouped)
    qid = names[problem.qid][order]
    two = make_ranker(Ranker, **params).fit(problem.X[order], problem.y[order], qid=qid, **scattered)
    # Queries come in another order, so that sums round differently.
    np.testing.assert_allclose(one.predict(problem.X), two.predict(problem.X), rtol=1e-3, atol=1e-3)
    assert one.n_queries_ == two.n_queries_ == problem.sizes.size


@BOTH
def test_columns_as_numpy_pandas_and_sparse(Ranker, problem) -> None:
    X = np.where(np.abs(problem.X) < 0.3, 0, problem.X)
    frame = pd.DataFrame(X, columns=[f"feature_{i}" for i in range(X.shape[1])])
    order = np.random.default_rng(0).permutation(problem.y.size)
    y, qid = problem.y[order], problem.qid[order]
    expected = make_ranker(Ranker).fit(X[order], y, qid=qid).predict(X)
    as_frame = make_ranker(Ranker).fit(frame.iloc[order], pd.Series(y), qid=pd.Series(qid))
    np.testing.assert_array_equal(as_frame.predict(frame), expected)
    names = as_frame.feature_name_ if Ranker is LGBMRanker else as_frame.feature_names_in_
    assert list(names) == list(frame.columns)
    with_column = frame.assign(qid=problem.qid)
    by_column = make_ranker(Ranker).fit(with_column.iloc[order], y)
    np.testing.assert_array_equal(by_column.predict(with_column), expected)
    assert by_column.n_features_in_ == X.shape[1]
    assert by_column.score(with_column, problem.y) == as_frame.score(frame, problem.y, qid=problem.qid)
    for form in (scipy.sparse.csr_matrix, scipy.sparse.csc_matrix, scipy.sparse.coo_matrix):
        ranker = make_ranker(Ranker).fit(form(X[order]), y, qid=qid)
        sparse = ranker.predict(form(X).tocsr())
        assert sparse.shape == expected.shape
        assert metrics.ndcg(problem.y, sparse, qid=problem.qid) > 0.8  # XGBoost takes zeros left out as missing


@BOTH
def test_metrics_by_name_are_ours(Ranker, problem) -> None:
    names = ["ndcg@10", "map", "pair_accuracy", "mrr", "spearman", "pairwise_logistic", "bpr"]
    w = np.random.default_rng(0).uniform(0.5, 2, problem.sizes.size)
    weights = "eval_sample_weight" if Ranker is LGBMRanker else "sample_weight_eval_set"
    order = np.random.default_rng(1).permutation(problem.y.size)
    ranker = make_ranker(Ranker)
    ranker.fit(
        problem.X,
        problem.y,
        group=problem.sizes,
        eval_set=[(problem.X.copy(), problem.y), (problem.X[order], problem.y[order])],
        eval_qid=[problem.qid, problem.qid[order]],
        eval_metric=names,
        **{weights: [w, None]},
    )
    scores = ranker.predict(problem.X)
    for number, weight in enumerate((w, None)):
        history = history_of(ranker, number)
        assert list(history) == names
        assert all(len(values) == 12 for values in history.values())
        for name, function, options in [
            ("ndcg@10", metrics.ndcg, {"k": 10}),
            ("map", metrics.average_precision, {}),
            ("pair_accuracy", metrics.pair_accuracy, {}),
            ("mrr", metrics.reciprocal_rank, {}),
            ("spearman", metrics.spearman, {}),
        ]:
            value = function(problem.y, scores, group=problem.sizes, query_weight=weight, **options)
            assert history[name][-1] == pytest.approx(value, rel=1e-6), name
        for objective in (PairwiseLogistic(), BPR()):
            value = objective.loss(
                problem.y, scores, group=problem.sizes, sample_weight=weight, reduction="pair_weights"
            )
            assert history[objective.name][-1] == pytest.approx(value, rel=1e-5)


@BOTH
def test_default_metric(Ranker, problem) -> None:
    ranker = make_ranker(Ranker)
    ranker.fit(problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X.copy(), problem.y)], eval_qid=[problem.qid])
    expected = [f"ndcg@{k}" for k in range(1, 6)] if Ranker is LGBMRanker else ["ndcg"]
    assert list(history_of(ranker)) == expected
    signed = make_ranker(Ranker, objective=PairwiseLogistic(ignore_negative_labels=False))
    y = problem.y - 1.5
    signed.fit(problem.X, y, qid=problem.qid, eval_set=[(problem.X.copy(), y)], eval_qid=[problem.qid])
    assert list(history_of(signed)) == ["pairwise_logistic"]


@BOTH
@pytest.mark.parametrize("metric", ["mrr", "pair_accuracy", "recall@3", "pairwise_logistic"])
def test_early_stopping_knows_the_direction(Ranker, problem, make, metric) -> None:
    # XGBoost minimises whatever is not called ndcg, map, auc or pre.
    test = make(99)
    kwargs = {"eval_set": [(test.X, test.y)], "eval_group": [test.sizes], "eval_metric": ["ndcg@5", metric]}
    params = {"n_estimators": 200, "learning_rate": 0.3}
    if Ranker is LGBMRanker:
        ranker = make_ranker(Ranker, **params)
        kwargs["eval_metric"] = [metric]  # LightGBM stops when any one metric does
        kwargs["callbacks"] = [lgb.early_stopping(5, verbose=False)]
        ranker.fit(problem.X, problem.y, group=problem.sizes, **kwargs)
        best = ranker.best_iteration_ - 1
    else:
        ranker = make_ranker(Ranker, early_stopping_rounds=5, **params)
        ranker.fit(problem.X, problem.y, group=problem.sizes, **kwargs)
        best = ranker.best_iteration_
        assert best == ranker.best_iteration
        own = make_ranker(Ranker, callbacks=[xgb.callback.EarlyStopping(rounds=5)], **params)
        assert own.fit(problem.X, problem.y, group=problem.sizes, **kwargs).best_iteration == best
        assert ranker.early_stopping_rounds == 5
    values = np.array(history_of(ranker)[metric])
    assert best == (values.argmin() if metric == "pairwise_logistic" else values.argmax())
    assert len(values) == best + 6 < 200
    assert ranker.predict(problem.X) == pytest.approx(
        make_ranker(Ranker, **{**params, "n_estimators": int(best) + 1})
        .fit(problem.X, problem.y, group=problem.sizes)
        .predict(problem.X)
    )


@BOTH
def test_nested_parameters_reach_the_objective(Ranker, problem) -> None:
    ranker = make_ranker(Ranker).set_params(objective__temperature=2.0, learning_rate=0.05)
    assert ranker.get_params()["objective__temperature"] == 2.0
    assert ranker.get_params(deep=False)["learning_rate"] == 0.05
    fitted = ranker.fit(problem.X, problem.y, qid=problem.qid)
    plain = make_ranker(Ranker, learning_rate=0.05).fit(problem.X, problem.y, qid=problem.qid)
    assert not np.allclose(fitted.predict(problem.X), plain.predict(problem.X))
    by_object = make_ranker(Ranker, learning_rate=0.05, objective=PairwiseLogistic(temperature=2.0))
    np.testing.assert_array_equal(
        fitted.predict(problem.X), by_object.fit(problem.X, problem.y, qid=problem.qid).predict(problem.X)
    )
    at_once = make_ranker(Ranker, objective__temperature=2.0, learning_rate=0.05)
    assert at_once.get_params()["objective__temperature"] == 2.0
    assert repr(clone(at_once)) == repr(at_once)
    twin = clone(ranker)
    twin.set_params(objective__temperature=3.0)
    assert ranker.get_params()["objective__temperature"] == 2.0
    with pytest.raises(ValueError, match="Invalid parameter 'margin'"):
        ranker.set_params(objective__margin=1.0)
    native = {LGBMRanker: "lambdarank", XGBRanker: "rank:ndcg"}[Ranker]
    with pytest.raises(ValueError, match="is the booster's own and has no parameters temperature"):
        make_ranker(Ranker, objective=native).set_params(objective__temperature=1.0)
    for chosen in (native, None):
        with pytest.raises(ValueError, match=f"objective {chosen!r} is the booster's own"):
            make_ranker(Ranker).set_params(objective=chosen, objective__temperature=1.0)


@BOTH
@pytest.mark.parametrize("objective", ["bpr", BPR(threshold=1.5), PairwiseLogistic(temperature=0.5), None])
def test_pickle_joblib_clone_and_copy(Ranker, problem, objective, tmp_path) -> None:
    params = {} if objective is None else {"objective": objective}
    ranker = make_ranker(Ranker, **params).fit(problem.X, problem.y, qid=problem.qid)
    expected = ranker.predict(problem.X)
    joblib.dump(ranker, tmp_path / "ranker.joblib")
    for twin in (
        pickle.loads(pickle.dumps(ranker)),
        joblib.load(tmp_path / "ranker.joblib"),
        copy.deepcopy(ranker),
        clone(ranker).fit(problem.X, problem.y, qid=problem.qid),
    ):
        np.testing.assert_array_equal(twin.predict(problem.X), expected)
        assert repr(twin) == repr(ranker)
    if isinstance(objective, PairwiseLogistic):
        assert clone(ranker).objective is not objective


@BOTH
@pytest.mark.parametrize("stopped", [False, True])
def test_a_saved_model_needs_us_no_more(Ranker, problem, make, tmp_path, stopped) -> None:
    ranker = make_ranker(Ranker)
    arguments = {"qid": problem.qid}
    if stopped:
        test = make(99)
        arguments |= {"eval_set": [(test.X, test.y)], "eval_group": [test.sizes], "eval_metric": "mrr"}
        ranker.set_params(n_estimators=200)
        if Ranker is LGBMRanker:
            arguments["callbacks"] = [lgb.early_stopping(3, verbose=False)]
        else:
            ranker.set_params(early_stopping_rounds=3)
    ranker.fit(problem.X, problem.y, **arguments)
    np.save(tmp_path / "X.npy", problem.X)
    np.save(tmp_path / "scores.npy", ranker.predict(problem.X))
    if Ranker is LGBMRanker:
        ranker.booster_.save_model(tmp_path / "model.txt")
        load = "import lightgbm; scores = lightgbm.Booster(model_file='model.txt').predict(X)"
    else:
        ranker.save_model(tmp_path / "model.json")
        load = "import xgboost; r = xgboost.XGBRanker(); r.load_model('model.json'); scores = r.predict(X)"
    program = (
        f"import sys, numpy as np; X = np.load('X.npy'); {load}; "
        "assert (scores == np.load('scores.npy')).all(); assert not any('gbdt_pairloss' in m for m in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


@BOTH
def test_native_objectives_train_as_they_do(Ranker, problem) -> None:
    native, plain = {
        LGBMRanker: ("lambdarank", lgb.LGBMRanker),
        XGBRanker: ("rank:ndcg", xgb.XGBRanker),
    }[Ranker]
    ours = make_ranker(Ranker, objective=native)
    params = {k: v for k, v in ours.get_params().items() if k != "objective"}
    theirs = plain(objective=native, **params)
    eval_set = [(problem.X.copy(), problem.y)]
    ours.fit(
        problem.X,
        problem.y,
        qid=problem.qid,
        eval_set=eval_set,
        eval_group=[problem.sizes],
        eval_metric=["ndcg@3", "mrr"],
    )
    theirs.fit(problem.X, problem.y, group=problem.sizes)
    np.testing.assert_array_equal(ours.predict(problem.X), theirs.predict(problem.X))
    history = history_of(ours)
    assert sorted(history) == ["mrr", "ndcg@3"]
    assert all(len(values) == 12 for values in history.values())
    # ndcg@3 is the booster's own: row order breaks ties of scores, and ours agrees where there are none.
    assert history["mrr"][-1] == pytest.approx(
        metrics.reciprocal_rank(problem.y, ours.predict(problem.X), group=problem.sizes)
    )
    assert (ours.objective_ if Ranker is LGBMRanker else ours.objective) == native
    if Ranker is LGBMRanker:
        default = make_ranker(LGBMRanker, objective=None).fit(problem.X, problem.y, qid=problem.qid)
        assert default.objective_ == "lambdarank"
        np.testing.assert_array_equal(default.predict(problem.X), theirs.predict(problem.X))


def test_queries_of_more_than_10_000_rows() -> None:
    rng = np.random.default_rng(0)
    n = 10_500
    X, y = rng.normal(size=(n, 2)), np.zeros(n)
    y[:40] = 1.5  # nor are such labels LightGBM's
    X[:40] += 1
    ranker = make_ranker(LGBMRanker, n_estimators=2)
    ranker.fit(X, y, group=[n], eval_set=[(X, y)], eval_group=[[n]], eval_metric="ndcg@10")
    assert history_of(ranker)["ndcg@10"][-1] > 0


@BOTH
def test_training_goes_on_from_a_model(Ranker, problem) -> None:
    first = make_ranker(Ranker, n_estimators=5).fit(problem.X, problem.y, qid=problem.qid)
    start = {"init_model": first} if Ranker is LGBMRanker else {"xgb_model": first}
    more = make_ranker(Ranker, n_estimators=7).fit(problem.X, problem.y, qid=problem.qid, **start)
    whole = make_ranker(Ranker, n_estimators=12).fit(problem.X, problem.y, qid=problem.qid)
    np.testing.assert_allclose(more.predict(problem.X), whole.predict(problem.X), rtol=1e-5, atol=1e-6)


@BOTH
def test_parameters_are_left_as_they_were(Ranker, problem) -> None:
    ranker = make_ranker(Ranker, objective="bpr")
    before = ranker.get_params()
    ranker.fit(problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)], eval_qid=[problem.qid])
    assert ranker.get_params() == before
    with pytest.raises(ValueError, match="y is nan at row 0"):
        ranker.fit(problem.X, problem.y * np.nan, qid=problem.qid)
    assert ranker.get_params() == before
    ranker.predict(problem.X)


def test_the_best_model_can_be_kept_and_training_observed(problem) -> None:
    seen = []

    class Observer(xgb.callback.TrainingCallback):
        def after_iteration(self, model, epoch, evals_log):
            seen.append(evals_log["validation_0"]["pair_accuracy"][-1])
            return False

    ranker = make_ranker(
        XGBRanker,
        n_estimators=60,
        eval_metric="pair_accuracy",
        callbacks=[Observer(), xgb.callback.EarlyStopping(rounds=3, save_best=True)],
    )
    ranker.fit(problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)], eval_qid=[problem.qid])
    assert len(seen) == len(history_of(ranker)["pair_accuracy"])
    assert ranker.get_booster().num_boosted_rounds() == ranker.best_iteration + 1


def test_scores_of_xgboost_start_at_zero(problem) -> None:
    ranker = make_ranker(XGBRanker, n_estimators=0).fit(problem.X, problem.y, qid=problem.qid)
    assert (ranker.predict(problem.X) == 0).all()
    own = make_ranker(XGBRanker, n_estimators=0, base_score=7.0).fit(problem.X, problem.y, qid=problem.qid)
    assert (own.predict(problem.X) == 7).all()


def test_a_callable_metric_of_xgboost_is_a_mean_over_queries(problem) -> None:
    def share_right(y_true, y_pred):
        return float(y_true[np.argmax(y_pred)] == y_true.max())

    w = np.random.default_rng(0).uniform(0.5, 2, problem.sizes.size)
    ranker = make_ranker(XGBRanker, eval_metric=[share_right, "ndcg"])
    ranker.fit(
        problem.X,
        problem.y,
        group=problem.sizes,
        eval_set=[(problem.X.copy(), problem.y)],
        eval_group=[problem.sizes],
        sample_weight_eval_set=[w],
    )
    scores = ranker.predict(problem.X)
    values = [
        share_right(problem.y[a:b], scores[a:b]) for a, b in zip(problem.starts[:-1], problem.starts[1:], strict=True)
    ]
    several = problem.sizes > 1
    expected = np.average(np.array(values)[several], weights=w[several])
    assert history_of(ranker)["share_right"][-1] == pytest.approx(expected)


def test_lightgbms_own_forms_still_work(problem) -> None:
    def constant(y_true, y_pred):
        return "constant", 3.0, True

    ranker = make_ranker(LGBMRanker)
    ranker.fit(
        problem.X,
        problem.y,
        group=problem.sizes,
        eval_X=problem.X.copy(),
        eval_y=problem.y,
        eval_group=[problem.sizes],
        eval_metric=["ndcg", "l2", constant],
        eval_at=[2, 4],
    )
    assert list(history_of(ranker)) == ["l2", "constant", "ndcg@2", "ndcg@4"]


@BOTH
class TestRefusals:
    def test_without_groups_the_data_are_one_query(self, Ranker, problem) -> None:
        rows = slice(0, 60)
        with pytest.warns(UserWarning, match="neither qid nor group is given: all 60 rows are taken as one query"):
            ranker = make_ranker(Ranker).fit(problem.X[rows], problem.y[rows])
        assert ranker.score(problem.X[rows], problem.y[rows]) > 0.8
        several = make_ranker(Ranker).fit(problem.X, problem.y, qid=problem.qid)
        with pytest.raises(ValueError, match="score ranks within queries: it needs qid= or group="):
            several.score(problem.X, problem.y)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"y": "nan"}, "y is nan at row 4"),
            ({"y": "negative"}, "the label is -1.0 at row 4.*ignore_negative_labels"),
            ({"y": "huge"}, "y is 1e.39 at row 4, beyond the range"),
            ({"y": None}, "y is None"),
            ({"y": [1.0]}, "y has 1 entries, but there are"),
            ({"qid": [1, 2]}, "qid has 2 entries, but there are"),
            ({"qid": None, "group": [3]}, "group sums to 3, but there are"),
            ({"group": [3]}, "group and qid are both given"),
            ({"sample_weight": [1.0, 2.0]}, "sample_weight has 2 entries; it takes one per row"),
            ({"sample_weight": -1.0}, "sample_weight is -1.0 at row 0; weights must not be negative"),
            ({"sample_weight": np.nan}, "sample_weight is nan at row 0"),
            ({"sample_weight": 0.0}, "the weight of every pair is 0"),
            ({"start": np.nan}, "(init_score|base_margin) is nan at row 0"),
            ({"eval_set": "short"}, r"eval_set\[0\]: y has 1 entries"),
            ({"eval_qid": []}, "eval_qid has 0 entries, but eval_set has 1"),
            ({"eval_metric": "ndgc"}, "unknown metric 'ndgc' .did you mean 'ndcg'"),
            ({"eval_metric": ["ndcg@0"]}, "'ndcg@0': what follows the @ must be a positive integer"),
        ],
    )
    def test_bad_arguments(self, Ranker, problem, change, message) -> None:
        n = problem.y.size
        y = problem.y.copy()
        arguments = {"qid": problem.qid, "eval_set": [(problem.X.copy(), problem.y)], "eval_qid": [problem.qid]}
        kind = change.pop("y", "good") if (change := dict(change)) else "good"
        if kind == "nan":
            y[4] = np.nan
        elif kind == "negative":
            y[4] = -1
        elif kind == "huge":
            y[4] = 1e39
        elif kind != "good":
            y = kind
        if "start" in change:
            start = np.full(n, change.pop("start"))
            arguments["init_score" if Ranker is LGBMRanker else "base_margin"] = start
        if isinstance(change.get("sample_weight"), float):
            change["sample_weight"] = np.full(n, change["sample_weight"])
        if change.get("eval_set") == "short":
            change["eval_set"] = [(problem.X, [1.0])]
        ranker = make_ranker(Ranker)
        with pytest.raises(ValueError, match=message):
            ranker.fit(problem.X, y, **{**arguments, **change})
        assert not ranker.__sklearn_is_fitted__()

    def test_qid_twice(self, Ranker, problem) -> None:
        frame = pd.DataFrame(problem.X).assign(qid=problem.qid)
        with pytest.raises(ValueError, match="qid is given twice"):
            make_ranker(Ranker).fit(frame, problem.y, qid=problem.qid)

    def test_labels_all_equal(self, Ranker, problem) -> None:
        with pytest.warns(UserWarning, match="nothing can be learned: no query has two rows with different labels"):
            make_ranker(Ranker).fit(problem.X, np.ones(problem.y.size), qid=problem.qid)

    def test_ndcg_refuses_negative_labels_and_spearman_does_not(self, Ranker, problem) -> None:
        objective = PairwiseLogistic(ignore_negative_labels=False)
        y = problem.y - 2
        ranker = make_ranker(Ranker, objective=objective).fit(problem.X, y, qid=problem.qid)
        with pytest.raises(ValueError, match="negative"):
            ranker.score(problem.X, y, qid=problem.qid)
        assert ranker.score(problem.X, y, qid=problem.qid, metric="spearman") > 0.5
        expected = metrics.spearman(y, ranker.predict(problem.X), qid=problem.qid)
        assert ranker.score(problem.X, y, qid=problem.qid, metric="spearman") == pytest.approx(expected)

    def test_unknown_objective(self, Ranker, problem) -> None:
        with pytest.raises((ValueError, lgb.basic.LightGBMError), match="nonsense"):
            make_ranker(Ranker, objective="nonsense").fit(problem.X, problem.y, qid=problem.qid)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"bagging_by_query": True}, "bagging_by_query does not work with a custom objective"),
        ({"class_weight": "balanced"}, "class_weight does not apply to our objectives"),
    ],
)
def test_lightgbm_parameters_that_do_not_work(problem, params, message) -> None:
    with pytest.raises(ValueError, match=message):
        make_ranker(LGBMRanker, **params).fit(problem.X, problem.y, qid=problem.qid)


def test_xgboosts_own_objective_takes_weights_of_queries_in_either_form(problem) -> None:
    w = np.linspace(1, 2, problem.sizes.size)
    one = make_ranker(XGBRanker, objective="rank:ndcg")
    one.fit(problem.X, problem.y, qid=problem.qid, sample_weight=w)
    two = make_ranker(XGBRanker, objective="rank:ndcg")
    two.fit(problem.X, problem.y, qid=problem.qid, sample_weight=w[problem.qid])
    np.testing.assert_array_equal(one.predict(problem.X), two.predict(problem.X))
    with pytest.raises(ValueError, match="takes one weight per query, and sample_weight differs within a query"):
        one.fit(problem.X, problem.y, qid=problem.qid, sample_weight=np.linspace(1, 2, problem.y.size))


@BOTH
def test_ignored_labels_take_no_part_anywhere(Ranker, problem) -> None:
    y = problem.y.copy()
    drop = np.random.default_rng(0).random(y.size) < 0.3
    y[drop] = -1
    objective = PairwiseLogistic(ignore_negative_labels=True)
    ranker = make_ranker(Ranker, objective=objective)
    names = ["ndcg@5", "pair_accuracy", "pairwise_logistic"]
    ranker.fit(
        problem.X,
        y,
        qid=problem.qid,
        eval_set=[(problem.X, y)],
        eval_qid=[problem.qid],
        eval_metric=names,
    )
    scores, history = ranker.predict(problem.X), history_of(ranker)
    keep = ~drop
    expected = [
        metrics.ndcg(y, scores, qid=problem.qid, k=5, mask=keep),
        metrics.pair_accuracy(y[keep], scores[keep], qid=problem.qid[keep]),
        objective.loss(y, scores, qid=problem.qid, reduction="pair_weights"),
    ]
    assert [history[name][-1] for name in names] == pytest.approx(expected, rel=1e-5)
    assert ranker.score(problem.X, y, qid=problem.qid, metric="ndcg@5") == pytest.approx(expected[0])


@BOTH
def test_an_interrupted_training_leaves_no_trace(Ranker, problem) -> None:
    ranker = make_ranker(Ranker, objective=PairwiseLogistic(temperature=0.5))
    before = ranker.get_params()

    if Ranker is LGBMRanker:

        def interrupt(env) -> None:
            raise KeyboardInterrupt
    else:

        class Interrupt(xgb.callback.TrainingCallback):
            def after_iteration(self, model, epoch, evals_log):
                raise KeyboardInterrupt

        interrupt = Interrupt()
    with pytest.raises(KeyboardInterrupt):
        ranker.fit(problem.X, problem.y, qid=problem.qid, callbacks=[interrupt])
    assert ranker.get_params() == before
    assert not ranker.__sklearn_is_fitted__()
    ranker.fit(problem.X, problem.y, qid=problem.qid)


@BOTH
def test_trainings_in_threads_share_an_objective(Ranker, make) -> None:
    objective = PairwiseLogistic()
    problems = [make(seed) for seed in range(6)]

    def train(p):
        return make_ranker(Ranker, objective=objective).fit(p.X, p.y, qid=p.qid).predict(p.X)

    alone = [train(p) for p in problems]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(train, problems))
    np.testing.assert_array_equal(np.concatenate(together), np.concatenate(alone))


class TestEvaluation:
    @BOTH
    def test_the_training_set_with_other_queries_or_weights_is_another_set(self, Ranker, problem) -> None:
        X, y = problem.X, problem.y
        other = np.arange(y.size) // 10
        w = np.random.default_rng(0).uniform(0.1, 5, problem.sizes.size)
        ranker = make_ranker(Ranker)
        ranker.fit(X, y, qid=problem.qid, eval_set=[(X, y)], eval_qid=[other], eval_metric="ndcg@5")
        expected = metrics.ndcg(y, ranker.predict(X), qid=other, k=5)
        assert history_of(ranker)["ndcg@5"][-1] == pytest.approx(expected, rel=1e-6)
        ranker.fit(X, y, qid=problem.qid, sample_weight=w, eval_set=[(X, y)], eval_metric="ndcg@5")
        expected = metrics.ndcg(y, ranker.predict(X), qid=problem.qid, k=5)
        assert history_of(ranker)["ndcg@5"][-1] == pytest.approx(expected, rel=1e-6)

    @BOTH
    def test_every_way_of_naming_a_metric(self, Ranker, problem) -> None:
        objective = PairwiseLogistic(temperature=0.5)
        asked = [
            metrics.get_metric("ndcg@3", gain="linear"),
            metrics.feval("map", "mrr"),
            BPR(threshold=1.5),
            objective.metric,
            "map",
            "map",
        ]
        ranker = make_ranker(Ranker, objective=objective)
        ranker.fit(problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)], eval_metric=asked)
        history = history_of(ranker)
        assert list(history) == ["ndcg@3", "map", "mrr", "bpr", "pairwise_logistic"]
        assert {len(values) for values in history.values()} == {12}
        expected = metrics.ndcg(problem.y, ranker.predict(problem.X), qid=problem.qid, k=3, gain="linear")
        assert history["ndcg@3"][-1] == pytest.approx(expected, rel=1e-6)

    @BOTH
    @pytest.mark.parametrize(
        ("asked", "error", "message"),
        [
            (["ndcg@3", metrics.get_metric("ndcg@3", gain="linear")], ValueError, "two different metrics called"),
            ([metrics.ndcg], TypeError, "takes a metric of ours by name, 'ndcg'"),
        ],
    )
    def test_metrics_that_are_refused(self, Ranker, problem, asked, error, message) -> None:
        with pytest.raises(error, match=message):
            make_ranker(Ranker).fit(
                problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)], eval_metric=asked
            )

    @BOTH
    def test_labels_that_a_metric_refuses_are_named_as_the_caller_knows_them(self, Ranker, problem) -> None:
        order = np.random.default_rng(0).permutation(problem.y.size)
        y = problem.y[order] + 1
        y[200] = -3
        names = np.array([f"q{q}" for q in problem.qid])[order]
        objective = PairwiseLogistic(ignore_negative_labels=False)
        with pytest.raises(ValueError, match=rf"eval_set\[1\]: the label is -3.0 at row 200, query {names[200]};"):
            make_ranker(Ranker, objective=objective).fit(
                problem.X,
                problem.y,
                qid=problem.qid,
                eval_set=[(problem.X, problem.y), (problem.X[order], y)],
                eval_qid=[problem.qid, names],
                eval_metric="ndcg",
            )
        flat = [(problem.X, problem.y), (problem.X[:9], np.ones(9))]
        with pytest.raises(ValueError, match=r"eval_set\[1\]: pairwise_logistic is undefined"):
            make_ranker(Ranker).fit(
                problem.X,
                problem.y,
                qid=problem.qid,
                eval_set=flat,
                eval_qid=[problem.qid, np.zeros(9)],
                eval_metric="pairwise_logistic",
            )

    @BOTH
    def test_another_loss_follows_the_rule_for_negative_labels(self, Ranker, problem) -> None:
        y = problem.y - 1
        ranker = make_ranker(Ranker, objective=BPR(ignore_negative_labels=False))
        ranker.fit(
            problem.X, y, qid=problem.qid, eval_set=[(problem.X, y)], eval_metric=["pairwise_logistic", "pair_accuracy"]
        )
        assert list(history_of(ranker)) == ["pairwise_logistic", "pair_accuracy"]

    def test_early_stopping_of_xgboost_follows_the_last_metric(self, problem, make) -> None:
        test = make(99)
        ranker = make_ranker(XGBRanker, n_estimators=100, early_stopping_rounds=3)
        ranker.fit(
            problem.X,
            problem.y,
            group=problem.sizes,
            eval_set=[(test.X, test.y)],
            eval_group=[test.sizes],
            eval_metric=["pair_accuracy", "rmse"],
        )
        assert ranker.best_iteration == np.argmin(history_of(ranker)["rmse"])

    @pytest.mark.parametrize(
        ("parameter", "eval_at", "expected"),
        [
            ("ndcg", [5], ["ndcg@5"]),
            ("ndcg@10,pair_accuracy", None, ["ndcg@10", "pair_accuracy"]),
            (["map", "l2"], None, ["l2", "map"]),
            ("None", None, []),
            (None, 3, ["ndcg@3"]),
            (None, np.array([2, 4]), ["ndcg@2", "ndcg@4"]),
        ],
    )
    def test_the_metric_parameter_of_lightgbm(self, problem, parameter, eval_at, expected) -> None:
        params = {} if parameter is None else {"metric": parameter}
        ranker = make_ranker(LGBMRanker, **params)
        ranker.fit(problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)], eval_at=eval_at)
        history = history_of(ranker) if expected else ranker.evals_result_
        assert list(history) == expected
        assert {len(values) for values in history.values()} <= {12}

    def test_a_bad_metric_parameter_of_lightgbm(self, problem) -> None:
        fit = {"qid": problem.qid, "eval_set": [(problem.X, problem.y)]}
        with pytest.raises(ValueError, match="unknown metric 'foo'"):
            make_ranker(LGBMRanker, metric="foo").fit(problem.X, problem.y, **fit)
        with pytest.raises(ValueError, match="eval_at must be ranks, whole numbers from 1; got 0"):
            make_ranker(LGBMRanker).fit(problem.X, problem.y, eval_at=0, **fit)


class TestObjectiveParameter:
    @BOTH
    def test_a_parameter_without_its_prefix_is_refused(self, Ranker) -> None:
        with pytest.raises(ValueError, match="threshold is a parameter of the objective: write objective__threshold"):
            make_ranker(Ranker, objective="bpr", threshold=2)
        with pytest.raises(ValueError, match="write objective__temperature"):
            make_ranker(Ranker).set_params(temperature=2.0)

    @BOTH
    def test_a_refused_parameter_leaves_all_as_it_was(self, Ranker) -> None:
        objective = PairwiseLogistic(temperature=2.0)
        ranker = make_ranker(Ranker, objective=objective)
        with pytest.raises(ValueError, match="Invalid parameter 'zzz'"):
            ranker.set_params(learning_rate=0.9, objective__zzz=1)
        assert ranker.get_params()["learning_rate"] != 0.9
        ranker.set_params(objective__temperature=3.0)
        assert (objective.temperature, ranker.get_params()["objective__temperature"]) == (2.0, 3.0)

    @BOTH
    def test_the_class_instead_of_an_object(self, Ranker, problem) -> None:
        with pytest.raises(ValueError, match=r"objective is the class BPR; give an object, BPR\(\)"):
            make_ranker(Ranker, objective=BPR).fit(problem.X, problem.y, qid=problem.qid)

    @BOTH
    def test_an_objective_of_the_users_own(self, Ranker, problem) -> None:
        class Mine(PairwiseLogistic):
            name = "mine"

        y = problem.y - 2
        ranker = make_ranker(Ranker, objective=Mine(ignore_negative_labels=False))
        ranker.fit(problem.X, y, qid=problem.qid, eval_set=[(problem.X, y)])
        assert list(history_of(ranker)) == ["mine"]

    @pytest.mark.parametrize("alias", ["loss", "application"])
    def test_lightgbms_other_names_for_it(self, problem, alias) -> None:
        with pytest.raises(ValueError, match=f"{alias}='lambdarank' would take the place of objective"):
            make_ranker(LGBMRanker, **{alias: "lambdarank"}).fit(problem.X, problem.y, qid=problem.qid)

    def test_it_stays_when_a_model_is_loaded(self, problem, tmp_path) -> None:
        first = make_ranker(XGBRanker, objective="bpr").fit(problem.X, problem.y, qid=problem.qid)
        first.save_model(tmp_path / "model.json")
        second = make_ranker(XGBRanker, objective="bpr")
        second.load_model(tmp_path / "model.json")
        np.testing.assert_array_equal(second.predict(problem.X), first.predict(problem.X))
        second.fit(problem.X, problem.y, qid=problem.qid)
        np.testing.assert_array_equal(second.predict(problem.X), first.predict(problem.X))


@BOTH
def test_labels_that_float32_would_join_stay_apart(Ranker, problem) -> None:
    plain = make_ranker(Ranker).fit(problem.X, problem.y, qid=problem.qid)
    large = make_ranker(Ranker).fit(problem.X, problem.y * 60 + 1.7e9, qid=problem.qid)
    np.testing.assert_array_equal(large.predict(problem.X), plain.predict(problem.X))


@BOTH
def test_a_model_without_a_split_is_a_warning(Ranker, problem) -> None:
    limit = {"min_split_gain": 1e9} if Ranker is LGBMRanker else {"gamma": 1e9}
    with pytest.warns(UserWarning, match="no tree of the model has a split"):
        make_ranker(Ranker, n_estimators=1, **limit).fit(problem.X, problem.y, qid=problem.qid)
    with (
        pytest.warns(UserWarning, match="no tree of the model has a split"),
        pytest.warns(UserWarning, match="no tree can split if a leaf needs 1e[+]06"),
    ):
        make_ranker(Ranker, n_estimators=1, min_child_weight=1e6).fit(problem.X, problem.y, qid=problem.qid)


@BOTH
def test_no_rows(Ranker, problem) -> None:
    with pytest.raises(ValueError, match="X has no rows"):
        make_ranker(Ranker).fit(problem.X[:0], problem.y[:0], qid=problem.qid[:0])


@BOTH
def test_score_takes_weights_and_any_metric(Ranker, problem) -> None:
    ranker = make_ranker(Ranker, n_estimators=2).fit(problem.X, problem.y, qid=problem.qid)
    scores = ranker.predict(problem.X)
    w = np.random.default_rng(0).uniform(0.1, 5, problem.sizes.size)
    expected = metrics.ndcg(problem.y, scores, group=problem.sizes, query_weight=w)
    for weight in (w, w[problem.qid]):
        value = ranker.score(problem.X, problem.y, qid=problem.qid, sample_weight=weight)
        assert value == pytest.approx(expected)
    linear = metrics.get_metric("ndcg@5", gain="linear")
    value = ranker.score(problem.X, problem.y, qid=problem.qid, metric=linear)
    assert value == pytest.approx(metrics.ndcg(problem.y, scores, group=problem.sizes, k=5, gain="linear"))
    with pytest.raises(ValueError, match="bpr is a loss, of which less is better"):
        ranker.score(problem.X, problem.y, qid=problem.qid, metric="bpr")
    with pytest.raises(TypeError, match="metric must be a name"):
        ranker.score(problem.X, problem.y, qid=problem.qid, metric=metrics.ndcg)


@pytest.mark.parametrize("scattered", [False, True])
def test_what_fit_passes_on_to_lightgbm(problem, make, scattered) -> None:
    test = make(1)
    rng = np.random.default_rng(0)
    start, test_start = rng.normal(size=problem.y.size), rng.normal(size=test.y.size)
    X, X_test = problem.X.copy(), test.X.copy()
    X[:, 5], X_test[:, 5] = np.round(X[:, 5]) + 5, np.round(X_test[:, 5]) + 5
    common = {
        "feature_name": list("abcdef"),
        "categorical_feature": ["f"],
        "eval_names": ["held out"],
        "callbacks": [lgb.early_stopping(3, verbose=False)],
    }
    params = {"objective": "lambdarank", "n_estimators": 40}
    theirs = lgb.LGBMRanker(**make_ranker(LGBMRanker, **params).get_params())
    if "eval_X" in inspect.signature(lgb.LGBMRanker.fit).parameters:  # since 4.7
        evaluation = {"eval_X": (X_test,), "eval_y": (test.y,)}
    else:
        evaluation = {"eval_set": [(X_test, test.y)]}
    theirs.fit(
        X,
        problem.y,
        group=problem.sizes,
        init_score=start,
        eval_group=[test.sizes],
        eval_init_score=[test_start],
        **evaluation,
        **common,
    )
    rows, test_rows = np.arange(problem.y.size), np.arange(test.y.size)
    if scattered:  # the first rows of all queries, then the others: queries and their rows keep their order
        rows = np.concatenate([problem.starts[:-1], np.setdiff1d(rows, problem.starts[:-1])])
        test_rows = rng.permutation(test.y.size)
    ours = make_ranker(LGBMRanker, **params)
    ours.fit(
        X[rows],
        problem.y[rows],
        qid=problem.qid[rows],
        init_score=start[rows],
        eval_set=[(X_test[test_rows], test.y[test_rows])],
        eval_qid=[test.qid[test_rows]],
        eval_init_score=[test_start[test_rows]],
        **common,
    )
    assert ours.best_iteration_ == theirs.best_iteration_
    frame = pd.DataFrame(X, columns=common["feature_name"])
    np.testing.assert_allclose(ours.predict(frame), theirs.predict(frame), rtol=1e-9)
    for name, values in theirs.evals_result_["held out"].items():
        np.testing.assert_allclose(ours.evals_result_["held out"][name], values, rtol=1e-6)
    assert ours.feature_name_ == theirs.feature_name_


def test_what_fit_passes_on_to_xgboost(problem, make) -> None:
    test = make(1)
    rng = np.random.default_rng(0)
    start, test_start = rng.normal(size=problem.y.size), rng.normal(size=test.y.size)
    params = {"objective": "rank:ndcg", "n_estimators": 40, "early_stopping_rounds": 3, "eval_metric": "ndcg@5"}
    feature_weights = {"feature_weights": np.arange(1.0, 7.0)}
    params["colsample_bynode"] = 0.5
    if "feature_weights" in inspect.signature(xgb.XGBModel.__init__).parameters:  # since 3.0
        params |= feature_weights
        feature_weights = {}
    arguments = {
        "base_margin": start,
        "eval_set": [(test.X, test.y)],
        "eval_group": [test.sizes],
        "base_margin_eval_set": [test_start],
        "sample_weight": np.linspace(1, 2, problem.sizes.size),
        "sample_weight_eval_set": [np.linspace(1, 2, test.sizes.size)],
        "group": problem.sizes,
    }
    ours = make_ranker(XGBRanker, **params)
    theirs = xgb.XGBRanker(**ours.get_params()).fit(problem.X, problem.y, **arguments, **feature_weights)
    ours.fit(problem.X, problem.y, **arguments, **feature_weights)
    np.testing.assert_array_equal(ours.predict(problem.X), theirs.predict(problem.X))
    assert ours.best_iteration == theirs.best_iteration
    assert ours.evals_result_ == theirs.evals_result_


def test_a_model_in_training_can_be_pickled(problem, tmp_path) -> None:
    callback = xgb.callback.TrainingCheckPoint(tmp_path, name="model", as_pickle=True, interval=2)
    ranker = make_ranker(XGBRanker, n_estimators=5, callbacks=[callback], eval_metric="mrr")
    ranker.fit(problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)])
    saved = sorted(tmp_path.iterdir())
    assert saved
    with saved[-1].open("rb") as file:
        model = pickle.load(file)
    assert type(model) is xgb.Booster
    assert type(ranker.get_booster()) is xgb.Booster


@BOTH
def test_parameters_are_shown_as_scikit_learn_does(Ranker) -> None:
    native = lgb.LGBMRanker if Ranker is LGBMRanker else xgb.XGBRanker
    assert Ranker().get_params() == {**native().get_params(), "objective": "pairwise_logistic"}
    assert repr(Ranker(n_estimators=7)).replace(" ", "").replace("\n", "") == f"{Ranker.__name__}(n_estimators=7)"
    assert inspect.signature(Ranker).parameters["learning_rate"].kind is inspect.Parameter.KEYWORD_ONLY

    class Tuned(Ranker):
        def __init__(self, *, boost_from=1, **kwargs) -> None:
            super().__init__(**kwargs)
            self.boost_from = boost_from

    tuned = clone(Tuned(boost_from=3, n_estimators=5, objective="bpr"))
    params = tuned.get_params()
    assert (params["boost_from"], params["n_estimators"], params["objective"]) == (3, 5, "bpr")


class Each(xgb.callback.TrainingCallback):
    """Calls a function of the model after each round."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def after_iteration(self, model, epoch, evals_log) -> bool:
        self.function(model)
        return False


class TestWhatABoosterMayDoMeanwhile:
    @pytest.mark.parametrize("objective", ["pairwise_logistic", "rank:ndcg"])
    def test_evaluate_another_set(self, problem, make, objective) -> None:
        other = make(7)
        dmatrix = xgb.DMatrix(other.X, other.y, group=other.sizes, nthread=1)
        seen = []
        ranker = make_ranker(XGBRanker, objective=objective, callbacks=[Each(lambda m: seen.append(m.eval(dmatrix)))])
        ranker.fit(
            problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)], eval_metric=["ndcg@5", "mrr"]
        )
        assert len(seen) == 12
        assert all("mrr" not in message for message in seen)
        assert {len(values) for values in history_of(ranker).values()} == {12}

    def test_copy_the_model(self, problem) -> None:
        kept = []
        ranker = make_ranker(XGBRanker, eval_metric="mrr", callbacks=[Each(lambda m: kept.append(copy.deepcopy(m)))])
        ranker.fit(problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)])
        last = pickle.loads(pickle.dumps(kept[-1]))
        assert type(last) is xgb.Booster
        np.testing.assert_array_equal(last.inplace_predict(problem.X), ranker.predict(problem.X))


def test_lightgbms_own_objective_knows_the_training_set_as_lightgbm_does(problem) -> None:
    w = np.linspace(1, 2, problem.y.size)
    ranker = make_ranker(LGBMRanker, objective="lambdarank")
    ranker.fit(
        problem.X,
        problem.y,
        group=problem.sizes,
        sample_weight=w,
        eval_set=[(problem.X, problem.y)],
        eval_group=[list(problem.sizes)],
    )
    assert list(ranker.evals_result_) == ["training"]
    ranker = make_ranker(LGBMRanker, objective="lambdarank", metric="pair_accuracy")
    ranker.fit(problem.X, problem.y, group=problem.sizes, eval_set=[(problem.X, problem.y)])
    assert list(history_of(ranker)) == ["pair_accuracy"]


def test_the_ranks_of_lightgbms_constructor(problem) -> None:
    for params in ({"eval_at": [3]}, {"ndcg_at": "3"}):
        ranker = make_ranker(LGBMRanker, **params)
        with pytest.warns(UserWarning, match="Found '(eval_at|ndcg_at)' in params"):  # LightGBM's own words
            ranker.fit(problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)])
        assert list(history_of(ranker)) == ["ndcg@3"]


def test_any_metric_of_xgboosts(problem) -> None:
    names = ["mphe", "poisson-nloglik", "tweedie-nloglik@1.5", "error@0.3"]
    for objective in ("rank:ndcg", "pairwise_logistic"):
        ranker = make_ranker(XGBRanker, objective=objective)
        ranker.fit(problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)], eval_metric=names)
        assert list(history_of(ranker)) == names


@BOTH
def test_two_losses_of_one_name_are_refused(Ranker, problem) -> None:
    asked = ["pairwise_logistic", PairwiseLogistic(temperature=9.0)]
    with pytest.raises(ValueError, match="two different metrics called 'pairwise_logistic'"):
        make_ranker(Ranker).fit(
            problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)], eval_metric=asked
        )


@BOTH
def test_features_that_do_not_vary_within_queries_are_a_warning(Ranker, problem) -> None:
    X = np.random.default_rng(0).normal(size=(problem.sizes.size, 3))[problem.qid]
    with pytest.warns(UserWarning, match="the first tree moved all scores of a query alike|no tree of the model has"):
        make_ranker(Ranker).fit(X, problem.y, qid=problem.qid)


def test_a_linear_booster_needs_no_split(problem) -> None:
    ranker = make_ranker(XGBRanker, booster="gblinear", objective__hessian_scale=0.01, max_depth=None)
    if int(xgb.__version__.split(".")[0]) == 3 and int(xgb.__version__.split(".")[1]) >= 3:
        pytest.skip("XGBoost 3.3 deprecates gblinear with a warning")
    ranker.fit(problem.X, problem.y, qid=problem.qid)
    assert ranker.score(problem.X, problem.y, qid=problem.qid) > 0.8

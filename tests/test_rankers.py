"""The rankers: every way in, early stopping, metrics, saving, and the boosters' own objectives."""

from __future__ import annotations

import copy
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
def test_a_saved_model_needs_us_no_more(Ranker, problem, tmp_path) -> None:
    ranker = make_ranker(Ranker).fit(problem.X, problem.y, qid=problem.qid)
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
        with pytest.raises(ValueError, match="score needs qid= or group="):
            several.score(problem.X, problem.y)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"y": "nan"}, "y is nan at row 4"),
            ({"y": "negative"}, "the label is -1.0 at row 4.*ignore_negative_labels"),
            ({"y": "huge"}, "y is inf at row 4"),
            ({"y": "integers"}, r"y is 100000000 at row 4: beyond 2\*\*24 whole numbers run together"),
            ({"y": None}, "y is None"),
            ({"y": [1.0]}, "y has 1 entries, but there are"),
            ({"qid": [1, 2]}, "qid has 2 entries, but there are"),
            ({"qid": None, "group": [3]}, "group sums to 3, but there are"),
            ({"group": [3]}, "group and qid are both given"),
            ({"sample_weight": [1.0, 2.0]}, "sample_weight has 2 entries; it takes one per row"),
            ({"sample_weight": -1.0}, "weight is -1.0 at row 0; weights must not be negative"),
            ({"sample_weight": np.nan}, "weight is nan at row 0"),
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
        elif kind == "integers":
            y = y.astype(int)
            y[4] = 10**8
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


def test_item_weights_are_refused_with_xgboosts_own_objective(problem) -> None:
    w = np.ones(problem.y.size)
    with pytest.raises(ValueError, match="rank:ndcg takes one weight per query"):
        make_ranker(XGBRanker, objective="rank:ndcg").fit(problem.X, problem.y, qid=problem.qid, sample_weight=w)


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

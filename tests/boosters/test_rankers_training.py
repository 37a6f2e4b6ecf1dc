"""The rankers train: rows in any order, columns in any form, and the boosters' own objectives as they are."""

from __future__ import annotations

import copy
import inspect
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse

from gbdt_pairloss import PairwiseLogistic, metrics

lgb = pytest.importorskip("lightgbm", minversion="4.0")
xgb = pytest.importorskip("xgboost")
pd = pytest.importorskip("pandas")

from _support.rankers import BOTH, history_of, make_ranker  # noqa: E402

from gbdt_pairloss import LGBMRanker, XGBRanker  # noqa: E402


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
def test_native_objectives_train_as_they_do(Ranker, problem) -> None:
    native, plain = {
        LGBMRanker: ("lambdarank", lgb.LGBMRanker),
        XGBRanker: ("rank:ndcg", xgb.XGBRanker),
    }[Ranker]
    ours = make_ranker(Ranker, objective=native)
    params = {k: v for k, v in ours.get_params().items() if k not in ("objective", "eval_fraction")}
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
    # LightGBM 4.6 warns of arrays without names in its own ranker's predict.
    expected = theirs.booster_.predict(problem.X) if Ranker is LGBMRanker else theirs.predict(problem.X)
    np.testing.assert_array_equal(ours.predict(problem.X), expected)
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
        np.testing.assert_array_equal(default.predict(problem.X), expected)


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


@BOTH
def test_labels_that_float32_would_join_stay_apart(Ranker, problem) -> None:
    plain = make_ranker(Ranker).fit(problem.X, problem.y, qid=problem.qid)
    large = make_ranker(Ranker).fit(problem.X, problem.y * 60 + 1.7e9, qid=problem.qid)
    np.testing.assert_array_equal(large.predict(problem.X), plain.predict(problem.X))


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

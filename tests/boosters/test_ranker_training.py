"""Training of the rankers: rows in any order, native objectives, arguments of fit, callbacks, threads."""

from __future__ import annotations

import copy
import inspect
import pickle
from concurrent.futures import ThreadPoolExecutor

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from _support.rankers import BOTH, history_of, make_ranker
from _support.recording import record_threads

from gbdt_pairloss import LGBMRanker, PairwiseLogistic, XGBRanker, get_objective, metrics


@BOTH
def test_a_ranker_trains_the_model_of_lgb_train_and_xgb_train(Ranker, problem) -> None:
    ranker = make_ranker(Ranker).fit(problem.X, problem.y, group=problem.sizes)
    if Ranker is LGBMRanker:
        params = {"objective": get_objective("auto"), "min_data_in_leaf": 5, "num_threads": 1, "verbose": -1}
        model = lgb.train(params, lgb.Dataset(problem.X, problem.y, group=problem.sizes), 12)
        low_level = model.predict(problem.X)
    else:
        dataset = xgb.QuantileDMatrix(problem.X, problem.y, group=problem.sizes, nthread=1)
        params = {"max_depth": 4, "base_score": 0, "nthread": 1, "objective": "rank:pairwise"}
        low_level = xgb.train(params, dataset, 12, obj=get_objective("auto")).inplace_predict(problem.X)
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
    # XGBoost's histograms depend on the weights of queries; exact trees do not.
    params = {"tree_method": "exact"} if Ranker is XGBRanker else {}
    params["objective"] = "pairwise_logistic"  # rank noise depends on the order of rows
    one = make_ranker(Ranker, **params).fit(problem.X, problem.y, group=problem.sizes, **grouped)
    qid = names[problem.qid][order]
    two = make_ranker(Ranker, **params).fit(problem.X[order], problem.y[order], qid=qid, **scattered)
    # The queries have another order, so that sums round differently.
    np.testing.assert_allclose(one.predict(problem.X), two.predict(problem.X), rtol=1e-3, atol=1e-3)
    assert one.n_queries_ == two.n_queries_ == problem.sizes.size


@BOTH
def test_query_ids_may_be_tuples(Ranker, problem) -> None:
    pairs = [(str(q), q) for q in problem.qid]
    mixed = [q if q % 2 else (q, "even") for q in problem.qid.tolist()]
    expected = make_ranker(Ranker).fit(problem.X, problem.y, qid=problem.qid).predict(problem.X)
    for qid in (pairs, mixed):
        scores = make_ranker(Ranker).fit(problem.X, problem.y, qid=qid).predict(problem.X)
        np.testing.assert_array_equal(scores, expected)


@BOTH
def test_native_objectives_train_the_model_of_the_boosters_own_ranker(Ranker, problem) -> None:
    native, plain = {
        LGBMRanker: ("lambdarank", lgb.LGBMRanker),
        XGBRanker: ("rank:ndcg", xgb.XGBRanker),
    }[Ranker]
    ranker = make_ranker(Ranker, objective=native)
    params = {k: v for k, v in ranker.get_params().items() if k not in ("objective", "eval_fraction")}
    native_ranker = plain(objective=native, **params)
    eval_set = [(problem.X.copy(), problem.y)]
    ranker.fit(
        problem.X,
        problem.y,
        qid=problem.qid,
        eval_set=eval_set,
        eval_group=[problem.sizes],
        eval_metric=["ndcg@3", "mrr", "native:ndcg@4"],
    )
    native_ranker.fit(problem.X, problem.y, group=problem.sizes)
    # LightGBM 4.6 warns of arrays without names in its own ranker's predict.
    expected = native_ranker.booster_.predict(problem.X) if Ranker is LGBMRanker else native_ranker.predict(problem.X)
    np.testing.assert_array_equal(ranker.predict(problem.X), expected)
    history = history_of(ranker)
    assert sorted(history) == ["mrr", "ndcg@3", "ndcg@4"]
    assert all(len(values) == 12 for values in history.values())
    scores = ranker.predict(problem.X)
    assert history["mrr"][-1] == pytest.approx(metrics.reciprocal_rank(problem.y, scores, group=problem.sizes))
    assert history["ndcg@3"][-1] == pytest.approx(metrics.ndcg(problem.y, scores, group=problem.sizes, k=3), rel=1e-6)
    assert (ranker.objective_ if Ranker is LGBMRanker else ranker.objective) == native
    if Ranker is LGBMRanker:
        default = make_ranker(LGBMRanker, objective=None).fit(problem.X, problem.y, qid=problem.qid)
        assert default.objective_ == "lambdarank"
        np.testing.assert_array_equal(default.predict(problem.X), expected)


def test_lightgbm_trains_on_queries_of_more_than_10_000_rows() -> None:
    rng = np.random.default_rng(0)
    n = 10_500
    X, y = rng.normal(size=(n, 2)), np.zeros(n)
    y[:40] = 1.5  # LightGBM's own objective would refuse this label, too
    X[:40] += 1
    ranker = make_ranker(LGBMRanker, n_estimators=2)
    ranker.fit(X, y, group=[n], eval_set=[(X, y)], eval_group=[[n]], eval_metric="ndcg@10")
    assert history_of(ranker)["ndcg@10"][-1] > 0


def test_scores_of_xgboost_start_at_zero_or_at_base_score(problem) -> None:
    ranker = make_ranker(XGBRanker, n_estimators=0).fit(problem.X, problem.y, qid=problem.qid)
    assert (ranker.predict(problem.X) == 0).all()
    own = make_ranker(XGBRanker, n_estimators=0, base_score=7.0).fit(problem.X, problem.y, qid=problem.qid)
    assert (own.predict(problem.X) == 7).all()


def test_native_objectives_of_xgboost_take_query_weights_by_query_or_by_row(problem) -> None:
    w = np.linspace(1, 2, problem.sizes.size)
    one = make_ranker(XGBRanker, objective="rank:ndcg")
    one.fit(problem.X, problem.y, qid=problem.qid, sample_weight=w)
    two = make_ranker(XGBRanker, objective="rank:ndcg")
    two.fit(problem.X, problem.y, qid=problem.qid, sample_weight=w[problem.qid])
    np.testing.assert_array_equal(one.predict(problem.X), two.predict(problem.X))
    with pytest.raises(ValueError, match="takes one weight per query, and sample_weight differs within a query"):
        one.fit(problem.X, problem.y, qid=problem.qid, sample_weight=np.linspace(1, 2, problem.y.size))


@BOTH
def test_ignored_labels_count_neither_in_training_nor_in_metrics(Ranker, problem) -> None:
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
def test_labels_that_are_equal_in_float32_remain_different(Ranker, problem) -> None:
    plain = make_ranker(Ranker, objective="pairwise_logistic").fit(problem.X, problem.y, qid=problem.qid)
    large = make_ranker(Ranker, objective="pairwise_logistic").fit(problem.X, problem.y * 60 + 1.7e9, qid=problem.qid)
    np.testing.assert_array_equal(large.predict(problem.X), plain.predict(problem.X))


@pytest.mark.parametrize("scattered", [False, True])
def test_fit_passes_every_argument_on_to_lightgbm(problem, make, scattered) -> None:
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
    native_ranker = lgb.LGBMRanker(**make_ranker(LGBMRanker, **params).get_params())
    if "eval_X" in inspect.signature(lgb.LGBMRanker.fit).parameters:  # since 4.7
        evaluation = {"eval_X": (X_test,), "eval_y": (test.y,)}
    else:
        evaluation = {"eval_set": [(X_test, test.y)]}
    native_ranker.fit(
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
    ranker = make_ranker(LGBMRanker, **params)
    ranker.fit(
        X[rows],
        problem.y[rows],
        qid=problem.qid[rows],
        init_score=start[rows],
        eval_set=[(X_test[test_rows], test.y[test_rows])],
        eval_qid=[test.qid[test_rows]],
        eval_init_score=[test_start[test_rows]],
        **common,
    )
    assert ranker.best_iteration_ == native_ranker.best_iteration_
    frame = pd.DataFrame(X, columns=common["feature_name"])
    np.testing.assert_allclose(ranker.predict(frame), native_ranker.predict(frame), rtol=1e-9)
    for name, values in native_ranker.evals_result_["held out"].items():
        np.testing.assert_allclose(ranker.evals_result_["held out"][name], values, rtol=1e-6)
    assert ranker.feature_name_ == native_ranker.feature_name_


def test_fit_passes_every_argument_on_to_xgboost(problem, make) -> None:
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
    ranker = make_ranker(XGBRanker, **{**params, "eval_metric": "native:ndcg@5"})
    native_ranker = xgb.XGBRanker(**{**ranker.get_params(), "eval_metric": "ndcg@5"})
    native_ranker.fit(problem.X, problem.y, **arguments, **feature_weights)
    ranker.fit(problem.X, problem.y, **arguments, **feature_weights)
    np.testing.assert_array_equal(ranker.predict(problem.X), native_ranker.predict(problem.X))
    assert ranker.best_iteration == native_ranker.best_iteration
    assert ranker.evals_result_ == native_ranker.evals_result_


@pytest.mark.parametrize("Ranker", [LGBMRanker, XGBRanker])
def test_an_objective_uses_the_n_jobs_of_the_ranker_unless_it_has_n_threads(Ranker, problem, monkeypatch) -> None:
    used = record_threads(monkeypatch)
    for n_jobs, objective, expected in ((1, "bpr", 1), (1, PairwiseLogistic(n_threads=2), 2)):
        Ranker(objective=objective, n_estimators=2, n_jobs=n_jobs, eval_metric="ndcg@3").fit(
            problem.X, problem.y, qid=problem.qid
        )
        assert set(used) == {expected}
        used.clear()


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


def test_callbacks_of_xgboost_observe_training_and_keep_the_best_model(problem) -> None:
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
    history = history_of(ranker)["pair_accuracy"]
    # XGBoost before 3 calls them in any order, and none after the one that stops.
    assert seen == history[: len(seen)]
    assert len(history) - len(seen) in (0, 1)
    assert ranker.get_booster().num_boosted_rounds() == ranker.best_iteration + 1


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
    """A callback that calls a function of the model after each round."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def after_iteration(self, model, epoch, evals_log) -> bool:
        self.function(model)
        return False


class TestCallbacksOfXGBoost:
    @pytest.mark.parametrize("objective", ["pairwise_logistic", "rank:ndcg"])
    def test_they_may_evaluate_another_set(self, problem, make, objective) -> None:
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

    def test_they_may_copy_the_model(self, problem) -> None:
        kept = []
        ranker = make_ranker(XGBRanker, eval_metric="mrr", callbacks=[Each(lambda m: kept.append(copy.deepcopy(m)))])
        ranker.fit(problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)])
        last = pickle.loads(pickle.dumps(kept[-1]))
        assert type(last) is xgb.Booster
        np.testing.assert_array_equal(last.inplace_predict(problem.X), ranker.predict(problem.X))


def test_an_objective_that_a_callback_changes_trains_with_its_new_parameters(problem) -> None:
    class Anneals(xgb.callback.TrainingCallback):
        def after_iteration(self, model, epoch, evals_log):
            objective.set_params(temperature=1.0 + epoch)
            return False

    objective = PairwiseLogistic()
    ranker = make_ranker(XGBRanker, objective=objective, reg_lambda=5.0, n_jobs=None)
    annealed = ranker.fit(problem.X, problem.y, qid=problem.qid, callbacks=[Anneals()]).predict(problem.X)
    dmatrix = xgb.DMatrix(problem.X, problem.y, group=problem.sizes)
    objective.set_params(temperature=1.0)
    params = {**ranker.get_xgb_params(), "base_score": 0.0}
    model = xgb.train(params, dmatrix, ranker.n_estimators, obj=objective, callbacks=[Anneals()])
    np.testing.assert_array_equal(model.predict(dmatrix, output_margin=True), annealed)
    objective.set_params(temperature=1.0)
    constant = ranker.fit(problem.X, problem.y, qid=problem.qid).predict(problem.X)
    assert not np.allclose(constant, annealed)


def test_a_users_functions_get_the_rows_in_the_callers_order(problem) -> None:
    """They may close over another column, also where the rows of a query are scattered."""
    rng = np.random.default_rng(3)
    order = rng.permutation(problem.y.size)
    X, y, qid = problem.X[order], problem.y[order].astype(float), problem.qid[order]
    price, target = rng.uniform(0, 10, y.size), 3 * X[:, 0] + 0.1 * rng.normal(size=y.size)

    def revenue(y_true, y_pred):
        return "revenue", float(price @ y_pred), True

    def weighted(y_true, y_pred, weight):
        np.testing.assert_allclose(weight, price, rtol=1e-6)
        return "weighted", float(y_true @ y_pred), True

    def sizes(y_true, y_pred, weight, group):
        ends = np.cumsum(group)
        return "ends", float(np.add.reduceat(y_true, ends - group)[:3].sum()), True

    given = {"qid": qid, "sample_weight": price, "eval_set": [(X, y), (X[::-1], y[::-1])]}
    given |= {"eval_qid": [qid, qid[::-1]], "eval_sample_weight": [price, None]}
    ranker = make_ranker(LGBMRanker)
    ranker.fit(X, y, eval_metric=[revenue, lambda y, p: ("last", float(p[-1]), True), sizes], **given)
    scores = ranker.predict(X)
    first, second = ranker.evals_result_.values()
    assert first["revenue"][-1] == pytest.approx(price @ scores)
    assert (first["last"][-1], second["last"][-1]) == pytest.approx((scores[-1], scores[0]))
    by_query = [y[qid == query].sum() for query in dict.fromkeys(qid)]
    assert first["ends"][-1] == pytest.approx(sum(by_query[:3]))
    given |= {"eval_set": [(X, y)], "eval_qid": [qid], "eval_sample_weight": [price]}
    assert make_ranker(LGBMRanker).fit(X, y, eval_metric=weighted, **given).evals_result_["training"]["weighted"]

    def objective(y_true, y_pred):
        return y_pred - target, np.ones(y_pred.size)

    ranker = make_ranker(LGBMRanker, objective=objective, n_estimators=60).fit(X, y, qid=qid)
    assert np.corrcoef(ranker.predict(X), target)[0, 1] > 0.95
    assert ranker.objective_ is objective

"""Ctrl-C during a training ends it at once and leaves the objective, the dataset and the ranker usable."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

lgb = pytest.importorskip("lightgbm", minversion="4.0")
xgb = pytest.importorskip("xgboost")

from _support.problems import make_problem  # noqa: E402
from _support.rankers import BOTH, make_ranker  # noqa: E402

from gbdt_pairloss import LGBMRanker, PairwiseCustom, PairwiseLogistic  # noqa: E402


class Interrupts:
    """A function that sends this process the signal of Ctrl-C on its third call, once."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == 3:
            signal.raise_signal(signal.SIGINT)

    def __deepcopy__(self, memo):
        return self  # LightGBM copies its arguments


def logistic(d):
    e = np.exp(-np.abs(d))
    wrong = np.where(d >= 0, e, 1.0) / (1.0 + e)
    return np.maximum(-d, 0.0) + np.log1p(e), -wrong, wrong * (1.0 - wrong)


def interrupted_arguments(Ranker, where, problem):
    """Return parameters of a ranker and arguments of fit that interrupt its training."""
    interrupt = Interrupts()
    params, arguments = {}, {"qid": problem.qid}
    if where == "objective":

        def function(d):
            interrupt()
            return logistic(d)

        params["objective"] = PairwiseCustom(function, n_threads=1)
        return params, arguments, interrupt
    if where == "metric":

        def metric(y_true, y_pred):
            interrupt()
            return ("metric", 0.0, True) if Ranker is LGBMRanker else 0.0

        arguments |= {"eval_set": [(problem.X, problem.y)], "eval_qid": [problem.qid], "eval_metric": metric}
    elif Ranker is LGBMRanker:

        def callback(env):
            interrupt()

        arguments["callbacks"] = [callback]
    else:

        class Callback(xgb.callback.TrainingCallback):
            def after_iteration(self, model, epoch, evals_log):
                interrupt()
                return False

        arguments["callbacks"] = [Callback()]
    return params, arguments, interrupt


@BOTH
@pytest.mark.parametrize("before", ["new", "fitted"])
@pytest.mark.parametrize("where", ["objective", "metric", "callback"])
def test_an_interrupted_ranker_is_unfitted_and_usable(Ranker, where, before, problem) -> None:
    params, arguments, interrupt = interrupted_arguments(Ranker, where, problem)
    if where == "objective":
        expected = make_ranker(Ranker, objective=PairwiseCustom(logistic, n_threads=1))
    else:
        expected = make_ranker(Ranker)
    expected.fit(problem.X, problem.y, qid=problem.qid)
    ranker = make_ranker(Ranker)
    if before == "fitted":  # on fewer features, so that a remaining part of that model would be noticed
        ranker.fit(problem.X[:, :2], problem.y, qid=problem.qid)
    parameters = ranker.set_params(**params).get_params()
    with pytest.raises(KeyboardInterrupt):
        ranker.fit(problem.X, problem.y, **arguments)
    assert interrupt.calls == 3  # no further round
    assert ranker.get_params() == parameters
    assert not ranker.__sklearn_is_fitted__()
    with pytest.raises(NotFittedError):
        ranker.predict(problem.X)
    assert not hasattr(ranker, "n_queries_")
    again = ranker.fit(problem.X, problem.y, qid=problem.qid).predict(problem.X)
    np.testing.assert_array_equal(again, expected.predict(problem.X))


@BOTH
def test_a_refused_fit_leaves_the_fitted_model_unchanged(Ranker, problem) -> None:
    ranker = make_ranker(Ranker).fit(problem.X, problem.y, qid=problem.qid)
    scores = ranker.predict(problem.X)
    for wrong in ({"qid": problem.qid[1:]}, {"qid": problem.qid, "sample_weight": -problem.y - 1}):
        with pytest.raises(ValueError, match="qid has|sample_weight is"):
            ranker.fit(problem.X, problem.y, **wrong)
    np.testing.assert_array_equal(ranker.predict(problem.X), scores)


def trained_by_lightgbm(problem, data, objective, metric=None, rounds=8):
    params = {"objective": objective, "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, "deterministic": True}
    return lgb.train(params, data, rounds, valid_sets=[data], feval=metric).predict(problem.X)


def trained_by_xgboost(problem, data, objective, metric=None, rounds=8):
    params = {"objective": "rank:pairwise", "disable_default_eval_metric": True, "base_score": 0, "nthread": 1}
    evals = [(data, "train")]
    return xgb.train(params, data, rounds, obj=objective, custom_metric=metric, evals=evals).predict(data)


@pytest.mark.parametrize("where", ["objective", "metric"])
@pytest.mark.parametrize("booster", ["lightgbm", "xgboost"])
def test_a_training_after_an_interrupted_one_gives_the_same_model(booster, where, problem) -> None:
    objective = PairwiseLogistic()
    if booster == "lightgbm":
        train = trained_by_lightgbm
        make_data = lambda: lgb.Dataset(problem.X, problem.y, group=problem.sizes, free_raw_data=False)  # noqa: E731
    else:
        train = trained_by_xgboost
        make_data = lambda: xgb.DMatrix(problem.X, problem.y, group=problem.sizes)  # noqa: E731
    expected = train(problem, make_data(), PairwiseLogistic(), PairwiseLogistic().metric)
    interrupt, data = Interrupts(), make_data()

    def gradients(preds, dataset):
        if where == "objective":
            interrupt()
        return objective(preds, dataset)

    def metric(preds, dataset):
        if where == "metric":
            interrupt()
        return objective.metric(preds, dataset)

    with pytest.raises(KeyboardInterrupt):
        train(problem, data, gradients, metric)
    assert interrupt.calls == 3
    np.testing.assert_array_equal(train(problem, data, objective, objective.metric), expected)


_CHILD = """
import faulthandler, sys

faulthandler.dump_traceback_later(300, exit=True)
import numpy as np
from sklearn.exceptions import NotFittedError
from _support.rankers import make_ranker
from gbdt_pairloss import LGBMRanker, XGBRanker

rng = np.random.default_rng(0)
X = rng.normal(size=(20_000, 10))
y, group = np.clip(np.round(X[:, 0]), 0, 4), [100] * 200
Ranker = {"LGBMRanker": LGBMRanker, "XGBRanker": XGBRanker}[sys.argv[1]]
expected = make_ranker(Ranker, n_jobs=2).fit(X, y, group=group).predict(X)  # and kernels are compiled
ranker = make_ranker(Ranker, n_jobs=2, n_estimators=1_000_000)
print("training", flush=True)
try:
    ranker.fit(X, y, group=group)
except KeyboardInterrupt:
    print("interrupted", flush=True)
try:
    ranker.predict(X)
except NotFittedError:
    print("unfitted")
print(np.array_equal(ranker.set_params(n_estimators=12).fit(X, y, group=group).predict(X), expected))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("ranker", ["LGBMRanker", "XGBRanker"])
def test_a_signal_from_outside_ends_the_training_at_once(ranker, environment) -> None:
    command = [sys.executable, "-c", _CHILD, ranker]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout.readline() == "training\n"
            time.sleep(0.5)
            sent = time.monotonic()
            child.send_signal(signal.SIGINT)
            assert child.stdout.readline() == "interrupted\n"
            assert time.monotonic() - sent < 10  # a round takes some milliseconds on an idle machine
            assert child.stdout.read().split() == ["unfitted", "True"]
        finally:
            child.kill()


def test_an_objective_interrupted_in_one_of_several_threads_is_usable() -> None:
    problem = make_problem(3, n_queries=400, mean_size=60)
    interrupt, threads = Interrupts(), set()

    def function(d):
        threads.add(threading.get_ident())
        if not interrupt.calls and len(threads) > 1:
            interrupt.calls = 2
        if interrupt.calls:
            interrupt()
        return logistic(d)

    objective = PairwiseCustom(function, n_threads=2, normalize="none")
    with pytest.raises(KeyboardInterrupt):
        objective.gradient_hessian(problem.y, problem.scores, group=problem.sizes)
    assert len(threads) > 1
    expected = PairwiseLogistic(normalize="none").gradient_hessian(problem.y, problem.scores, group=problem.sizes)
    again = objective.gradient_hessian(problem.y, problem.scores, group=problem.sizes)
    np.testing.assert_allclose(again, expected, rtol=1e-9, atol=1e-12)

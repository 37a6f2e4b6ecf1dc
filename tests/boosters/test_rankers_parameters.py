"""The rankers as scikit-learn estimators: parameters, copies, saving."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.base import clone

from gbdt_pairloss import BPR, PairwiseLogistic

lgb = pytest.importorskip("lightgbm", minversion="4.0")
xgb = pytest.importorskip("xgboost")

from _support.rankers import BOTH, history_of, make_ranker  # noqa: E402

from gbdt_pairloss import LGBMRanker, XGBRanker  # noqa: E402


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
@pytest.mark.parametrize("stopped", [pytest.param(False, marks=pytest.mark.slow), True])
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
def test_parameters_are_left_as_they_were(Ranker, problem) -> None:
    ranker = make_ranker(Ranker, objective="bpr")
    before = ranker.get_params()
    ranker.fit(problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)], eval_qid=[problem.qid])
    assert ranker.get_params() == before
    with pytest.raises(ValueError, match="y is nan at row 0"):
        ranker.fit(problem.X, problem.y * np.nan, qid=problem.qid)
    assert ranker.get_params() == before
    ranker.predict(problem.X)


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
def test_parameters_are_shown_as_scikit_learn_does(Ranker) -> None:
    native = lgb.LGBMRanker if Ranker is LGBMRanker else xgb.XGBRanker
    own = {"objective": "pairwise_logistic", "eval_fraction": None}
    assert Ranker().get_params() == {**native().get_params(), **own}
    assert repr(Ranker(n_estimators=7)).replace(" ", "").replace("\n", "") == f"{Ranker.__name__}(n_estimators=7)"
    assert inspect.signature(Ranker).parameters["learning_rate"].kind is inspect.Parameter.KEYWORD_ONLY

    class Tuned(Ranker):
        def __init__(self, *, boost_from=1, **kwargs) -> None:
            super().__init__(**kwargs)
            self.boost_from = boost_from

    given = {"boost_from": 3, "n_estimators": 5, "objective": "bpr", "eval_fraction": 0.5}
    assert given.items() <= clone(Tuned(**given)).get_params().items()

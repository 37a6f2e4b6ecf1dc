"""Parameters of the rankers, and of their objectives, as scikit-learn reads and sets them."""

from __future__ import annotations

import inspect

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _support.rankers import BOTH, history_of, make_ranker
from sklearn.base import clone

from gbdt_pairloss import BPR, LGBMRanker, PairwiseLogistic, XGBRanker, get_objective


@BOTH
def test_nested_parameters_reach_the_objective(Ranker, problem) -> None:
    ranker = make_ranker(Ranker).set_params(objective__temperature=2.0, learning_rate=0.05)
    assert ranker.get_params()["objective__temperature"] == 2.0
    assert ranker.get_params(deep=False)["learning_rate"] == 0.05
    fitted = ranker.fit(problem.X, problem.y, qid=problem.qid)
    plain = make_ranker(Ranker, learning_rate=0.05).fit(problem.X, problem.y, qid=problem.qid)
    assert not np.allclose(fitted.predict(problem.X), plain.predict(problem.X))
    by_object = make_ranker(Ranker, learning_rate=0.05, objective=get_objective("auto", temperature=2.0))
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
def test_fit_leaves_the_parameters_unchanged(Ranker, problem) -> None:
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
    def test_a_parameter_of_the_objective_without_its_prefix_is_refused(self, Ranker) -> None:
        with pytest.raises(ValueError, match="threshold is a parameter of the objective: write objective__threshold"):
            make_ranker(Ranker, objective="bpr", threshold=2)
        with pytest.raises(ValueError, match="write objective__temperature"):
            make_ranker(Ranker).set_params(temperature=2.0)

    @BOTH
    def test_a_refused_parameter_changes_nothing(self, Ranker) -> None:
        objective = PairwiseLogistic(temperature=2.0)
        ranker = make_ranker(Ranker, objective=objective)
        with pytest.raises(ValueError, match="Invalid parameter 'zzz'"):
            ranker.set_params(learning_rate=0.9, objective__zzz=1)
        assert ranker.get_params()["learning_rate"] != 0.9
        ranker.set_params(objective__temperature=3.0)
        assert (objective.temperature, ranker.get_params()["objective__temperature"]) == (2.0, 3.0)

    @BOTH
    def test_a_class_is_refused_as_an_objective(self, Ranker, problem) -> None:
        with pytest.raises(ValueError, match=r"objective is the class BPR; give an object, BPR\(\)"):
            make_ranker(Ranker, objective=BPR).fit(problem.X, problem.y, qid=problem.qid)

    @BOTH
    def test_a_subclass_of_an_objective_trains_under_its_own_name(self, Ranker, problem) -> None:
        class Subclass(PairwiseLogistic):
            name = "subclass"

        y = problem.y - 2
        ranker = make_ranker(Ranker, objective=Subclass(ignore_negative_labels=False))
        ranker.fit(problem.X, y, qid=problem.qid, eval_set=[(problem.X, y)])
        assert list(history_of(ranker)) == ["subclass"]

    @pytest.mark.parametrize("alias", ["loss", "application"])
    def test_other_names_of_lightgbm_for_the_objective_are_refused(self, problem, alias) -> None:
        with pytest.raises(ValueError, match=f"{alias}='lambdarank' would take the place of objective"):
            make_ranker(LGBMRanker, **{alias: "lambdarank"}).fit(problem.X, problem.y, qid=problem.qid)

    def test_the_objective_remains_when_a_model_is_loaded(self, problem, tmp_path) -> None:
        first = make_ranker(XGBRanker, objective="bpr").fit(problem.X, problem.y, qid=problem.qid)
        first.save_model(tmp_path / "model.json")
        second = make_ranker(XGBRanker, objective="bpr")
        second.load_model(tmp_path / "model.json")
        np.testing.assert_array_equal(second.predict(problem.X), first.predict(problem.X))
        second.fit(problem.X, problem.y, qid=problem.qid)
        np.testing.assert_array_equal(second.predict(problem.X), first.predict(problem.X))


@BOTH
def test_parameters_are_listed_and_printed_as_scikit_learn_does(Ranker) -> None:
    native = lgb.LGBMRanker if Ranker is LGBMRanker else xgb.XGBRanker
    own = {"objective": "auto", "eval_fraction": None}
    assert Ranker().get_params() == {**native().get_params(), **own}
    assert repr(Ranker(n_estimators=7)).replace(" ", "").replace("\n", "") == f"{Ranker.__name__}(n_estimators=7)"
    assert inspect.signature(Ranker).parameters["learning_rate"].kind is inspect.Parameter.KEYWORD_ONLY

    class Tuned(Ranker):
        def __init__(self, *, boost_from=1, **kwargs) -> None:
            super().__init__(**kwargs)
            self.boost_from = boost_from

    given = {"boost_from": 3, "n_estimators": 5, "objective": "bpr", "eval_fraction": 0.5}
    assert given.items() <= clone(Tuned(**given)).get_params().items()

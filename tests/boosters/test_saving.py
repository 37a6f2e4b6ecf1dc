"""Pickles and saved models: in other processes, by later versions of the package, and without the package."""

from __future__ import annotations

import base64
import copy
import pickle
import subprocess
import sys

import joblib
import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _support.rankers import BOTH, make_ranker
from sklearn.base import clone

from gbdt_pairloss import BPR, LGBMRanker, PairwiseHinge, PairwiseLogistic, XGBRanker, metrics

# Made by version 0.1.0 of 22 November 2026. Do not regenerate them: users have such files.
# Its default of hessian_scale was 1.0.
PICKLES = {
    "logistic": (
        PairwiseLogistic(temperature=2.0, normalize="query", hessian_scale=1.0),
        "gASV/wAAAAAAAACMGGdiZHRfcGFpcmxvc3Mub2JqZWN0aXZlc5SMEFBhaXJ3aXNlTG9naXN0aWOUk5QpgZR9lCiMC3RlbXBlcmF0dXJllEdA"
        "AAAAAAAAAIwLcGFpcl93ZWlnaHSUjAd1bmlmb3JtlIwEZ2FpbpSMBGV4cDKUjAp0cnVuY2F0aW9ulE6MCW5vcm1hbGl6ZZSMBXF1ZXJ5lIwN"
        "aGVzc2lhbl9zY2FsZZRHP/AAAAAAAACMFmlnbm9yZV9uZWdhdGl2ZV9sYWJlbHOUTowLaXRlbV93ZWlnaHSUjAZ3aW5uZXKUjAluX3RocmVh"
        "ZHOUTowGZGV2aWNllIwEYXV0b5R1Yi4=",
    ),
    "bpr": (
        BPR(threshold=1.5, negatives=3, random_state=7, hessian_scale=1.0),
        "gASVMQEAAAAAAACMEWdiZHRfcGFpcmxvc3MuYnBylIwDQlBSlJOUKYGUfZQojAl0aHJlc2hvbGSURz/4AAAAAAAAjAluZWdhdGl2ZXOUSwOM"
        "D25lZ2F0aXZlX3dlaWdodJSMB3VuaWZvcm2UjAxyYW5kb21fc3RhdGWUSweMC3RlbXBlcmF0dXJllEc/8AAAAAAAAIwLcGFpcl93ZWlnaHSU"
        "aAiMBGdhaW6UjARleHAylIwKdHJ1bmNhdGlvbpROjAlub3JtYWxpemWUjANsb2eUjA1oZXNzaWFuX3NjYWxllEc/8AAAAAAAAIwWaWdub3Jl"
        "X25lZ2F0aXZlX2xhYmVsc5ROjAtpdGVtX3dlaWdodJSMBndpbm5lcpSMCW5fdGhyZWFkc5ROjAZkZXZpY2WUjARhdXRvlHViLg==",
    ),
    "metric": (
        metrics.get_metric("ndcg@5", gain="linear"),
        "gASVsAAAAAAAAACMHGdiZHRfcGFpcmxvc3MubWV0cmljcy5fbmFtZXOUjAZNZXRyaWOUk5QpgZR9lCiMBG5hbWWUjAZuZGNnQDWUjApkZWZp"
        "bml0aW9ulIwEbmRjZ5SMB29wdGlvbnOUKIwBa5RLBYaUjARnYWlulIwGbGluZWFylIaUjAR0aWVzlIwHYXZlcmFnZZSGlIwFZW1wdHmURwAA"
        "AAAAAAAAhpR0lIwIbWF4aW1pemWUiHViLg==",
    ),
}


@pytest.mark.parametrize("kind", PICKLES)
def test_pickles_of_version_0_1_0_load(kind) -> None:
    expected, text = PICKLES[kind]
    loaded = pickle.loads(base64.b64decode(text))
    assert type(loaded) is type(expected)
    if kind == "metric":
        assert loaded == expected
    else:
        assert loaded.get_params() == expected.get_params()


@pytest.mark.parametrize("objective", [PairwiseLogistic(temperature=2.0), BPR(negatives=2), PairwiseHinge(margin=2.0)])
@pytest.mark.parametrize("lacking", ["device", "item_weight"])
def test_an_older_pickle_of_an_objective_gets_the_default_of_a_new_parameter(objective, lacking) -> None:
    old = pickle.loads(pickle.dumps(objective))
    del vars(old)[lacking]
    loaded = pickle.loads(pickle.dumps(old))
    assert loaded.get_params() == objective.get_params()


@BOTH
def test_an_older_pickle_of_a_ranker_gets_the_default_of_a_new_parameter(Ranker, problem) -> None:
    ranker = make_ranker(Ranker).fit(problem.X, problem.y, qid=problem.qid)
    old = pickle.loads(pickle.dumps(ranker))
    del vars(old)["eval_fraction"]
    loaded = pickle.loads(pickle.dumps(old))
    assert loaded.get_params().keys() == ranker.get_params().keys()
    assert loaded.eval_fraction is None
    np.testing.assert_array_equal(loaded.predict(problem.X), ranker.predict(problem.X))


@BOTH
@pytest.mark.parametrize("objective", ["bpr", BPR(threshold=1.5), PairwiseLogistic(temperature=0.5), None])
def test_pickles_copies_and_clones_predict_the_same(Ranker, problem, objective, tmp_path) -> None:
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
def test_a_pickled_ranker_predicts_in_another_process(Ranker, problem, tmp_path, environment) -> None:
    ranker = make_ranker(Ranker, objective=BPR(threshold=1)).fit(problem.X, problem.y, qid=problem.qid)
    (tmp_path / "ranker.pkl").write_bytes(pickle.dumps(ranker))
    np.savez(tmp_path / "rows.npz", X=problem.X, scores=ranker.predict(problem.X))
    program = (
        "import pickle, numpy as np; rows = np.load('rows.npz'); ranker = pickle.load(open('ranker.pkl', 'rb')); "
        "assert (ranker.predict(rows['X']) == rows['scores']).all(); assert ranker.objective.threshold == 1"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True)


@BOTH
@pytest.mark.parametrize("stopped", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_saved_model_predicts_without_this_package(Ranker, problem, make, tmp_path, stopped) -> None:
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
        "assert (scores == np.load('scores.npy')).all(); assert 'gbdt_pairloss' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


@BOTH
def test_treelite_reads_a_saved_model(Ranker, problem, tmp_path) -> None:
    treelite = pytest.importorskip("treelite")
    ranker = make_ranker(Ranker).fit(problem.X, problem.y, qid=problem.qid)
    if Ranker is LGBMRanker:
        ranker.booster_.save_model(tmp_path / "model.txt")
        model = treelite.frontend.load_lightgbm_model(tmp_path / "model.txt")
    else:
        ranker.save_model(tmp_path / "model.json")
        model = treelite.frontend.load_xgboost_model(tmp_path / "model.json")
    X = problem.X.astype(np.float32)
    np.testing.assert_allclose(treelite.gtil.predict(model, X).ravel(), ranker.predict(X), rtol=1e-5, atol=1e-6)


def test_a_saved_model_of_xgboost_says_its_objective(problem, tmp_path) -> None:
    path = tmp_path / "model.json"
    ranker = make_ranker(XGBRanker, objective__temperature=0.5).fit(problem.X, problem.y, qid=problem.qid)
    ranker.save_model(path)
    expected = "PairwiseLogistic(pair_weight='ndcg', rank_noise=1.0, temperature=0.5)"
    for model in (XGBRanker(), xgb.XGBRanker()):
        model.load_model(path)
        assert model.get_booster().attributes()["gbdt_pairloss_objective"] == expected
    np.testing.assert_array_equal(model.predict(problem.X), ranker.predict(problem.X))
    native = make_ranker(XGBRanker, objective="rank:ndcg").fit(problem.X, problem.y, qid=problem.qid)
    assert "gbdt_pairloss_objective" not in native.get_booster().attributes()

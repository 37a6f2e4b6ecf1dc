"""Trainings release their memory: 100 in one process, and everything that belongs to a deleted dataset."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import weakref

import numpy as np
import pytest

from gbdt_pairloss import BPR, PairwiseLogistic, attach

lgb = pytest.importorskip("lightgbm", minversion="4.0")
xgb = pytest.importorskip("xgboost")

#: MB of resident memory that 80 trainings may add beyond those of a native objective: as steady growth, and including
#: the occasional steps of an allocator. A training that kept its dataset and plan would add 0.5 MB or more each time.
STEADILY, AT_ALL = 5, 20

_CHILD = """
import faulthandler, gc, json, os, sys
import numpy as np
import lightgbm as lgb, xgboost as xgb
from gbdt_pairloss import LGBMRanker, XGBRanker, BPR, PairwiseLogistic, attach

faulthandler.dump_traceback_later(900, exit=True)
rng = np.random.default_rng(0)
X = rng.normal(size=(6_000, 10))
y, group = np.clip(np.round(X[:, 0] + rng.normal(size=6_000)), 0, 4), np.full(120, 50)
qid, weight = np.repeat(np.arange(120), 50), rng.uniform(0.5, 2, 6_000)
LGB = {"verbose": -1, "num_threads": 1, "num_leaves": 15}
XGB = {"objective": "rank:pairwise", "disable_default_eval_metric": True, "nthread": 1, "max_depth": 4}
OWN = {"objective": "rank:pairwise", "nthread": 1, "max_depth": 4}

def lightgbm(objective):
    data = lgb.Dataset(X, y, group=group)
    attach(data, loser_weight=weight)
    lgb.train({**LGB, "objective": objective}, data, 5, valid_sets=[data], feval=objective.metric)

def xgboost(objective):
    data = xgb.DMatrix(X, y, group=group)
    attach(data, loser_weight=weight)
    xgb.train(XGB, data, 5, obj=objective, custom_metric=objective.metric, evals=[(data, "train")], verbose_eval=False)

def ranker(Ranker, **params):
    own = {"verbose": -1} if Ranker is LGBMRanker else {"max_depth": 4}
    Ranker(n_estimators=5, n_jobs=1, **own, **params).fit(
        X, y, qid=qid, sample_weight=weight, eval_set=[(X[:3000], y[:3000])], eval_qid=[qid[:3000]]
    )

def arrays():
    PairwiseLogistic(n_threads=2, pair_weight="ndcg").gradient_hessian(y, X[:, 1], qid=qid)

TRAIN = {
    "lgb.train, lambdarank": lambda: lgb.train({**LGB, "objective": "lambdarank"}, lgb.Dataset(X, y, group=group), 5),
    "lgb.train": lambda: lightgbm(PairwiseLogistic()),
    "LGBMRanker": lambda: ranker(LGBMRanker, objective=BPR(threshold=1)),
    "xgb.train, rank:pairwise": lambda: xgb.train(OWN, xgb.DMatrix(X, y, group=group), 5),
    "xgb.train": lambda: xgboost(PairwiseLogistic()),
    "XGBRanker": lambda: ranker(XGBRanker, objective=BPR(threshold=1)),
    "gradient_hessian": arrays,
}

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

train, sizes = TRAIN[sys.argv[1]], []
for _ in range(100):
    train()
    sizes.append(resident())
print(json.dumps(sizes))
"""

#: Each training, and the native one whose growth is subtracted.
CONTROL = {
    "lgb.train": "lgb.train, lambdarank",
    "LGBMRanker": "lgb.train, lambdarank",
    "xgb.train": "xgb.train, rank:pairwise",
    "XGBRanker": "xgb.train, rank:pairwise",
    "gradient_hessian": None,
}
_measured: dict[str, tuple[float, float]] = {}


def growth(what: str | None, environment: dict[str, str]) -> tuple[float, float]:
    """Return the MB that 80 trainings, after 20 others, add as steady growth and in total."""
    if what is None:
        return 0.0, 0.0
    if what not in _measured:
        command = [sys.executable, "-c", _CHILD, what]
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
        assert ended.returncode == 0, ended.stderr[-3000:]
        sizes = np.array(json.loads(ended.stdout.splitlines()[-1]))
        levels = np.median(sizes[20:].reshape(8, 10), axis=1)  # medians of ten trainings
        _measured[what] = 8 * float(np.median(np.diff(levels))), float(levels[-1] - levels[0])
        print(f"{what}: {sizes[19]:.1f} MB after 20 trainings, {sizes[-1]:.1f} after 100")
    return _measured[what]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("what", CONTROL)
def test_memory_does_not_grow_over_100_trainings(what, environment) -> None:
    steadily, in_all = np.subtract(growth(what, environment), np.maximum(growth(CONTROL[what], environment), 0))
    assert steadily < STEADILY
    assert in_all < AT_ALL


@pytest.mark.parametrize("booster", ["lightgbm", "xgboost"])
def test_a_dataset_is_freed_after_its_training(booster, problem) -> None:
    objective = BPR(threshold=1, n_threads=1)
    weight = np.ones(problem.y.size)
    params = {"num_threads": 1, "verbose": -1, "objective": objective}
    if booster == "lightgbm":
        data = lgb.Dataset(problem.X, problem.y, group=problem.sizes)
        attach(data, loser_weight=weight)
        model = lgb.train(params, data, 2, feval=objective.metric, valid_sets=[data], keep_training_booster=False)
    else:
        data = xgb.DMatrix(problem.X, problem.y, group=problem.sizes)
        attach(data, loser_weight=weight)
        params = {"objective": "rank:pairwise", "disable_default_eval_metric": True, "nthread": 1}
        model = xgb.train(params, data, 2, obj=objective)
    gone = weakref.ref(data)
    del data
    gc.collect()
    assert gone() is None
    assert model.num_trees() == 2 if booster == "lightgbm" else model.num_boosted_rounds() == 2


def test_scores_and_gradients_are_freed(problem) -> None:
    objective = PairwiseLogistic(n_threads=1)
    scores = problem.scores.copy()
    gradient, _ = objective.gradient_hessian(problem.y, scores, qid=problem.qid)
    gone = [weakref.ref(scores), weakref.ref(gradient)]
    del scores, gradient
    assert [reference() for reference in gone] == [None, None]

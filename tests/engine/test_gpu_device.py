"""On a CUDA device, with CuPy's own arrays and XGBoost's own training there."""

from __future__ import annotations

import numpy as np
import pytest

from gbdt_pairloss import PairwiseLogistic, XGBRanker
from gbdt_pairloss._device import has_device
from gbdt_pairloss.metrics import ndcg, pair_accuracy, spearman

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not has_device(), reason="no CUDA device, or no CuPy")]


@pytest.fixture
def cupy():
    return pytest.importorskip("cupy")


@pytest.fixture
def xgb():
    module = pytest.importorskip("xgboost")
    if not module.build_info().get("USE_CUDA"):
        pytest.skip("this XGBoost was built without CUDA")
    return module


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pair_weight", ["uniform", "label_diff", "ndcg", "lambdarank"])
def test_arrays_of_cupy(cupy, problem, pair_weight, dtype) -> None:
    objective = PairwiseLogistic(pair_weight=pair_weight)
    scores = problem.scores.astype(dtype)
    expected = objective.gradient_hessian(problem.y, scores, group=problem.sizes)
    ours = objective.gradient_hessian(cupy.asarray(problem.y), cupy.asarray(scores), group=problem.sizes)
    for mine, exact in zip(ours, expected, strict=True):
        assert isinstance(mine, cupy.ndarray)
        assert mine.dtype == dtype
        np.testing.assert_allclose(cupy.asnumpy(mine), exact, rtol=0, atol=1e-6 * np.abs(exact).max())
    loss = objective.loss(problem.y, cupy.asarray(scores), group=problem.sizes)
    assert isinstance(loss, float)
    assert loss == pytest.approx(objective.loss(problem.y, scores, group=problem.sizes), rel=1e-6)


def test_arrays_that_do_not_stand_together(cupy, problem) -> None:
    apart = cupy.zeros((problem.y.size, 2), dtype=np.float32)
    apart[:, 0] = cupy.asarray(problem.scores)
    ours = PairwiseLogistic().gradient_hessian(problem.y, apart[:, 0], group=problem.sizes)
    expected = PairwiseLogistic().gradient_hessian(problem.y, problem.scores.astype(np.float32), group=problem.sizes)
    np.testing.assert_allclose(cupy.asnumpy(ours[0]), expected[0], rtol=0, atol=1e-6 * np.abs(expected[0]).max())


@pytest.mark.parametrize("metric", [ndcg, pair_accuracy, spearman])
def test_metrics_of_cupy_scores(cupy, problem, metric) -> None:
    scores = np.round(problem.scores, 1)
    expected = metric(problem.y, scores, group=problem.sizes)
    assert metric(problem.y, cupy.asarray(scores), group=problem.sizes) == pytest.approx(expected, rel=1e-12)
    per_query = metric(problem.y, cupy.asarray(scores), group=problem.sizes, per_query=True)
    assert isinstance(per_query, cupy.ndarray)


def test_xgboost_takes_gradients_from_the_device(cupy, xgb, problem, monkeypatch) -> None:
    train = xgb.DMatrix(problem.X, problem.y, group=problem.sizes)
    seen = []
    boost = PairwiseLogistic.boost

    def spy(self, *arguments):
        seen.append(boost(self, *arguments))
        return seen[-1]

    monkeypatch.setattr(PairwiseLogistic, "boost", spy)
    models = []
    for where in ("auto", "cpu"):
        params = {"device": "cuda", "max_depth": 3, "base_score": 0.0, "disable_default_eval_metric": True}
        objective, result = PairwiseLogistic(device=where), {}
        model = xgb.train(
            params,
            train,
            10,
            obj=objective,
            custom_metric=objective.metric,
            evals=[(train, "train")],
            evals_result=result,
            verbose_eval=False,
        )
        models.append((model.predict(train), result["train"]["pairwise_logistic"]))
        assert len(seen) == 10
        assert all(isinstance(array, cupy.ndarray) == (where == "auto") for pair in seen for array in pair)
        seen.clear()
    for ours, expected in zip(*models, strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-3)


@pytest.mark.parametrize("scattered", [False, True])
def test_ranker_on_cuda(cupy, xgb, problem, scattered) -> None:
    rows = np.random.default_rng(0).permutation(problem.y.size) if scattered else np.arange(problem.y.size)
    X, y, qid = problem.X[rows], problem.y[rows], problem.qid[rows]
    given = {"n_estimators": 10, "max_depth": 3, "eval_metric": ["ndcg@5", "pairwise_logistic"]}
    host = XGBRanker(**given).fit(X, y, qid=qid, eval_set=[(X, y)], eval_qid=[qid])
    ours = XGBRanker(device="cuda", **given)
    ours.fit(cupy.asarray(X), y, qid=qid, eval_set=[(cupy.asarray(X), y)], eval_qid=[qid])
    np.testing.assert_allclose(ours.predict(X), host.predict(X), atol=1e-2)
    for metric in given["eval_metric"]:
        mine, theirs = (ranker.evals_result()["validation_0"][metric] for ranker in (ours, host))
        np.testing.assert_allclose(mine, theirs, atol=1e-2)

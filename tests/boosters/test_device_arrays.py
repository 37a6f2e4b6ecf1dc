"""Trainings on a device: gradients and metrics are computed there.

With a simulated device (fixture ``device``) instead of CUDA's and, where there is one, with CuPy and XGBoost on a
device.
"""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from _support.devices import assert_close, on_a_device
from sklearn.base import clone

from gbdt_pairloss import LGBMRanker, PairwiseLogistic, XGBRanker, attach
from gbdt_pairloss import _device as cuda
from gbdt_pairloss._device import is_on_device


@pytest.fixture
def on_cuda(device, monkeypatch):
    """Let XGBoost say that it trains on CUDA; gradients are copied to the host on the way to it."""
    xgb = pytest.importorskip("xgboost")
    dataset = pytest.importorskip("gbdt_pairloss.boosters.xgboost.dataset")
    monkeypatch.setattr(dataset, "device_of", lambda booster: "cuda:1")
    if not hasattr(xgb.core, "_grad_arrinf"):
        pytest.skip("this XGBoost reads gradients elsewhere")
    seen, kept = [], []
    interface = xgb.core._grad_arrinf

    def to_host(array, *rest):
        seen.append(is_on_device(array))
        kept.append(array.get() if is_on_device(array) else array)
        return interface(kept[-1], *rest)

    monkeypatch.setattr(xgb.core, "_grad_arrinf", to_host)
    return seen


def test_xgboost_trains_on_cuda(device, on_cuda, problem) -> None:
    import xgboost as xgb

    train = xgb.DMatrix(problem.X, problem.y, group=problem.sizes)
    params = {"max_depth": 3, "base_score": 0.0, "disable_default_eval_metric": True}
    results, models = [], []
    for objective in (PairwiseLogistic(), PairwiseLogistic(device="cpu")):
        device.launched.clear()
        device.asked.clear()
        result: dict = {}
        models.append(
            xgb.train(
                params,
                train,
                5,
                obj=objective,
                custom_metric=objective.metric,
                evals=[(train, "train")],
                evals_result=result,
                verbose_eval=False,
            ).predict(train)
        )
        results.append(result["train"]["pairwise_logistic"])
        assert all(on_cuda) == (objective.device == "auto")
        assert len(on_cuda) == 10
        assert (1 in device.asked) == (objective.device == "auto")  # the Booster's ordinal
        on_cuda.clear()
        assert device.launched.count("sum_pairs") == (0 if objective.device == "cpu" else 5 + 2 * 5)
    np.testing.assert_allclose(*models, atol=1e-4)
    np.testing.assert_allclose(*results, rtol=1e-5)


def test_labels_are_read_again_when_they_change(device, on_cuda, problem, monkeypatch) -> None:
    import xgboost as xgb

    train = xgb.DMatrix(problem.X, problem.y, group=problem.sizes)
    objective = PairwiseLogistic(hessian_scale=1)
    read = []
    get_label = xgb.DMatrix.get_label
    monkeypatch.setattr(xgb.DMatrix, "get_label", lambda self: read.append(self) or get_label(self))
    scores = device.upload(problem.scores.astype(np.float32))
    y = problem.y[::-1].copy()
    weight = np.linspace(1, 2, problem.sizes.size)
    changes = [
        (lambda: None, {}),
        (lambda: train.set_label(y), {}),
        (lambda: train.set_info(label=problem.y), {}),
        (lambda: train.set_float_info("label", y), {}),
        (lambda: train.set_weight(weight), {"sample_weight": weight}),
        (lambda: train.set_info(group=problem.sizes[::-1].copy()), {"group": problem.sizes[::-1]}),
        (lambda: attach(train, item_weight=np.arange(1.0, y.size + 1)), None),
    ]
    given = {"group": problem.sizes}
    for change, more in changes:
        change()
        read.clear()
        found = objective(scores, train)
        assert len(read) == 1
        read.clear()
        for one, again in zip(found, objective(scores, train), strict=True):
            np.testing.assert_array_equal(one.get(), again.get())
        assert read == []
        if more is None:
            return
        given.update(more)
        expected = objective.gradient_hessian(get_label(train), problem.scores.astype(np.float32), **given)
        assert_close(found, expected)


def test_scores_may_move_between_host_and_device_during_a_training(device, problem) -> None:
    import xgboost as xgb

    train = xgb.DMatrix(problem.X, problem.y, group=problem.sizes)
    objective, scores = PairwiseLogistic(hessian_scale=1), problem.scores.astype(np.float32)
    for given in (scores, device.upload(2 * scores), device.upload(scores), 2 * scores):
        on_host = given.get() if is_on_device(given) else given
        expected = clone(objective).set_params(device="cpu").gradient_hessian(problem.y, on_host, group=problem.sizes)
        for array, exact in zip(objective(given, train), expected, strict=True):
            assert is_on_device(array) == is_on_device(given)
            own = array.get() if is_on_device(array) else array
            np.testing.assert_allclose(own, exact, rtol=0, atol=1e-6 * np.abs(exact).max())


def test_explicit_pairs_of_a_dataset_are_summed_on_the_device(device, on_cuda, problem) -> None:
    import xgboost as xgb

    train = xgb.DMatrix(problem.X)
    attach(train, pairs=(np.arange(0, 40, 2), np.arange(1, 41, 2)))
    xgb.train({"base_score": 0.0}, train, 2, obj=PairwiseLogistic())
    assert device.launched.count("sum_listed_pairs") == 2


def test_rounds_keep_no_gradients_alive(problem, monkeypatch) -> None:
    xgb = pytest.importorskip("xgboost")
    monkeypatch.setattr(cuda, "may_have_device", lambda: True)
    monkeypatch.setattr(cuda, "has_device", lambda: False)
    arrays = []

    def objective(preds, dtrain):
        gradient, hessian = PairwiseLogistic()(preds, dtrain)
        arrays.append(weakref.ref(gradient))
        return gradient, hessian

    train = xgb.DMatrix(problem.X, problem.y, group=problem.sizes)
    gc.collect()
    gc.disable()
    try:
        xgb.train({"base_score": 0.0, "disable_default_eval_metric": True}, train, 10, obj=objective)
        assert sum(array() is not None for array in arrays) <= 1
    finally:
        gc.enable()


def first_label_of_the_best(y_true, y_pred) -> float:
    assert not is_on_device(y_pred)
    return float(y_true[np.argmax(y_pred)])


def test_rankers_train_on_cuda(device, on_cuda, problem) -> None:
    given = {"group": problem.sizes, "eval_set": [(problem.X, problem.y)], "eval_group": [problem.sizes]}
    fitted = []
    for where in ("auto", "cpu"):
        metrics = ["ndcg@5", "pair_accuracy", "spearman", first_label_of_the_best]
        params = {"n_estimators": 5, "max_depth": 3, "eval_metric": metrics}
        ranker = XGBRanker(objective="pairwise_logistic", objective__device=where, **params)
        fitted.append(ranker.fit(problem.X, problem.y, **given))
        assert all(on_cuda) == (where == "auto")
        assert bool(device.launched) == (where == "auto")
        on_cuda.clear()
        device.launched.clear()
    np.testing.assert_allclose(*(ranker.predict(problem.X) for ranker in fitted), atol=1e-4)
    for metric in ("ndcg@5", "pair_accuracy", "spearman", "first_label_of_the_best"):
        np.testing.assert_allclose(*(r.evals_result()["validation_0"][metric] for r in fitted), rtol=1e-6)


def test_features_on_the_device_are_regrouped_there(device, problem) -> None:
    from gbdt_pairloss.boosters._query_sets import Extras, read_query_set

    rows = np.random.default_rng(0).permutation(problem.y.size)
    up = device.upload
    rest = {"group": None, "sample_weight": None, "evaluator": None, "extras": Extras()}
    found, host = (
        read_query_set(to(problem.X[rows]), to(problem.y[rows]), qid=to(problem.qid[rows]), **rest)
        for to in (up, np.asarray)
    )
    assert is_on_device(found.X)
    np.testing.assert_array_equal(found.X.get(), host.X)
    np.testing.assert_array_equal(found.labels, host.labels)


def test_lightgbm_takes_arrays_of_the_host(device, problem) -> None:
    pytest.importorskip("lightgbm")
    given = {"group": problem.sizes}
    models = []
    for where in ("cuda", "cpu", "auto"):
        params = {"n_estimators": 5, "min_child_samples": 5, "verbose": -1}
        ranker = LGBMRanker(objective="pairwise_logistic", objective__device=where, **params)
        models.append(ranker.fit(problem.X, problem.y, **given).predict(problem.X))
        assert ("sum_pairs" in device.launched) == (where == "cuda")
        device.launched.clear()
    np.testing.assert_allclose(models[0], models[1], atol=1e-3)
    np.testing.assert_array_equal(models[1], models[2])


@pytest.fixture
def xgb_with_cuda():
    module = pytest.importorskip("xgboost")
    if not module.build_info().get("USE_CUDA"):
        pytest.skip("this XGBoost was built without CUDA")
    return module


@on_a_device
def test_xgboost_takes_gradients_from_the_device(cupy, xgb_with_cuda, problem) -> None:
    xgb = xgb_with_cuda
    train = xgb.DMatrix(problem.X, problem.y, group=problem.sizes)
    seen = []
    models = []
    for where in ("auto", "cpu"):
        params = {"device": "cuda", "max_depth": 3, "base_score": 0.0, "disable_default_eval_metric": True}
        objective, result = PairwiseLogistic(device=where), {}

        def spy(preds, dataset, objective=objective):
            seen.append(objective(preds, dataset))
            return seen[-1]

        model = xgb.train(
            params,
            train,
            10,
            obj=spy,
            custom_metric=objective.metric,
            evals=[(train, "train")],
            evals_result=result,
            verbose_eval=False,
        )
        models.append((model.predict(train), result["train"]["pairwise_logistic"]))
        assert len(seen) == 10
        assert all(isinstance(array, cupy.ndarray) == (where == "auto") for pair in seen for array in pair)
        seen.clear()
    for found, expected in zip(*models, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-3)


@on_a_device
@pytest.mark.parametrize("scattered", [False, True])
def test_ranker_on_cuda(cupy, xgb_with_cuda, problem, scattered) -> None:
    rows = np.random.default_rng(0).permutation(problem.y.size) if scattered else np.arange(problem.y.size)
    X, y, qid = problem.X[rows], problem.y[rows], problem.qid[rows]
    given = {"n_estimators": 10, "max_depth": 3, "eval_metric": ["ndcg@5", "pairwise_logistic"]}
    host = XGBRanker(**given).fit(X, y, qid=qid, eval_set=[(X, y)], eval_qid=[qid])
    ranker = XGBRanker(device="cuda", **given)
    ranker.fit(cupy.asarray(X), y, qid=qid, eval_set=[(cupy.asarray(X), y)], eval_qid=[qid])
    np.testing.assert_allclose(ranker.predict(X), host.predict(X), atol=1e-2)
    for metric in given["eval_metric"]:
        found, expected = (one.evals_result()["validation_0"][metric] for one in (ranker, host))
        np.testing.assert_allclose(found, expected, atol=1e-2)

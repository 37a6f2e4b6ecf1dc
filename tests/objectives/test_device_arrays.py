"""Objectives compute where the arrays are, and results are there too.

With a simulated device (fixture ``device``) instead of CUDA's and, where there is one, with CuPy on a device.
"""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from _support.devices import assert_close, on_a_device
from _support.engines import boost, plan_of

from gbdt_pairloss import PairwiseHinge, PairwiseLogistic
from gbdt_pairloss._device import is_on_device


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arrays_of_the_device_give_arrays_of_the_device(device, problem, dtype) -> None:
    objective = PairwiseLogistic()
    y, scores = problem.y, problem.scores.astype(dtype)
    weight = np.random.default_rng(0).random(y.size)
    expected = objective.gradient_hessian(y, scores, group=problem.sizes, sample_weight=weight)
    up = device.upload
    results = objective.gradient_hessian(up(y), up(scores), group=up(problem.sizes), sample_weight=up(weight))
    assert "sum_pairs" in device.launched
    assert_close(results, expected)
    assert_close(objective.gradient_hessian(y, up(scores), qid=up(problem.qid), sample_weight=weight), expected)
    lists = np.arange(12.0).reshape(3, 4) % 5
    assert_close(
        objective.gradient_hessian(up(lists), up(lists.astype(dtype))),
        objective.gradient_hessian(lists, lists.astype(dtype)),
    )
    for reduction in ("sum", "pair_weights", "mean"):
        given = {"group": problem.sizes, "reduction": reduction}
        assert objective.loss(up(y), up(scores), **given) == pytest.approx(objective.loss(y, scores, **given), rel=1e-6)
    one = {"group": problem.sizes, "reduction": "none"}
    assert_close([objective.loss(y, up(scores), **one)], [objective.loss(y, scores, **one)])


def test_scores_may_be_strided_or_integers(device, problem) -> None:
    objective, scores = PairwiseLogistic(), np.round(problem.scores)
    plan = plan_of(objective, problem.y, scores, group=problem.sizes)
    expected = boost(objective, plan, scores)
    strided = device.zeros((scores.size, 2), np.float64)
    strided[:, 0] = scores
    assert_close(boost(objective, plan, strided[:, 0]), expected)
    assert_close(boost(objective, plan, device.upload(scores.astype(np.int64))), expected)


def test_arrays_of_the_host_give_arrays_of_the_host(device, problem) -> None:
    given = (problem.y, problem.scores.astype(np.float32))
    expected = PairwiseLogistic(device="cpu").gradient_hessian(*given, group=problem.sizes)
    PairwiseLogistic().gradient_hessian(*given, group=problem.sizes)
    assert device.launched == []
    for array, exact in zip(
        PairwiseLogistic(device="cuda").gradient_hessian(*given, group=problem.sizes), expected, strict=True
    ):
        assert not is_on_device(array)
        np.testing.assert_allclose(array, exact, rtol=0, atol=1e-6 * np.abs(exact).max())
    assert "sum_pairs" in device.launched


def test_device_cpu_computes_on_the_host_and_returns_arrays_of_the_device(device, problem) -> None:
    given = (problem.y, problem.scores)
    expected = PairwiseLogistic().gradient_hessian(*given, group=problem.sizes)
    results = PairwiseLogistic(device="cpu").gradient_hessian(*map(device.upload, given), group=problem.sizes)
    assert device.launched == []
    assert_close(results, expected)


def test_bad_scores_of_the_device_are_named(device, problem) -> None:
    scores = problem.scores.copy()
    scores[[5, 9]] = np.nan
    with pytest.raises(ValueError, match="y_pred is nan at row 5"):
        PairwiseLogistic().gradient_hessian(problem.y, device.upload(scores), group=problem.sizes)


def test_an_objective_for_cuda_can_be_pickled_without_a_device() -> None:
    objective = PairwiseLogistic(device="cuda")
    assert pickle.loads(pickle.dumps(objective)).get_params() == objective.get_params()


@on_a_device
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pair_weight", ["uniform", "label_diff", "ndcg", "lambdarank"])
def test_arrays_of_cupy_give_arrays_of_cupy(cupy, problem, pair_weight, dtype) -> None:
    objective = PairwiseLogistic(pair_weight=pair_weight)
    scores = problem.scores.astype(dtype)
    expected = objective.gradient_hessian(problem.y, scores, group=problem.sizes)
    results = objective.gradient_hessian(cupy.asarray(problem.y), cupy.asarray(scores), group=problem.sizes)
    for array, exact in zip(results, expected, strict=True):
        assert isinstance(array, cupy.ndarray)
        assert array.dtype == dtype
        np.testing.assert_allclose(cupy.asnumpy(array), exact, rtol=0, atol=1e-6 * np.abs(exact).max())
    loss = objective.loss(problem.y, cupy.asarray(scores), group=problem.sizes)
    assert isinstance(loss, float)
    assert loss == pytest.approx(objective.loss(problem.y, scores, group=problem.sizes), rel=1e-6)


@on_a_device
def test_strided_arrays_of_cupy(cupy, problem) -> None:
    strided = cupy.zeros((problem.y.size, 2), dtype=np.float32)
    strided[:, 0] = cupy.asarray(problem.scores)
    results = PairwiseLogistic().gradient_hessian(problem.y, strided[:, 0], group=problem.sizes)
    expected = PairwiseLogistic().gradient_hessian(problem.y, problem.scores.astype(np.float32), group=problem.sizes)
    np.testing.assert_allclose(cupy.asnumpy(results[0]), expected[0], rtol=0, atol=1e-6 * np.abs(expected[0]).max())


def test_a_sum_adds_on_the_device_and_its_other_terms_compute_on_the_host(device, problem) -> None:
    """CUDA supports the logistic loss only."""
    objective = 0.7 * PairwiseLogistic() + 2 * PairwiseHinge()
    y, scores = problem.y, problem.scores.astype(np.float32)
    expected = objective.gradient_hessian(y, scores, group=problem.sizes)
    results = objective.gradient_hessian(device.upload(y), device.upload(scores), group=problem.sizes)
    assert "sum_pairs" in device.launched
    assert_close(results, expected)
    for reduction in ("sum", "pair_weights"):
        loss = objective.loss(y, device.upload(scores), group=problem.sizes, reduction=reduction)
        assert loss == pytest.approx(objective.loss(y, scores, group=problem.sizes, reduction=reduction), rel=1e-6)
    with pytest.raises(ValueError, match=r'term 1 \(pairwise_hinge\): device="cuda" does not support the hinge loss'):
        objective.set_params(**{"1__device": "cuda"}).gradient_hessian(y, scores, group=problem.sizes)
    huge = 2e38 * (PairwiseLogistic(normalize="none") + PairwiseLogistic(normalize="none"))
    with pytest.raises(ValueError, match="the gradient or Hessian of the sum leaves the range of float32"):
        huge.gradient_hessian([1, 0], device.upload(np.array([-9, 9], dtype=np.float32)))

"""Metrics of scores on a device: simulated (fixture ``device``), and CuPy's where there is one."""

from __future__ import annotations

import numpy as np
import pytest
from _support.devices import on_a_device
from _support.engines import data_of
from _support.problems import make_problem

from gbdt_pairloss.metrics import get_metric, ndcg, pair_accuracy, spearman


@pytest.mark.parametrize("k", [None, 3, 1000])
@pytest.mark.parametrize("ties", ["average", "order"])
@pytest.mark.parametrize("gain", ["exp2", "linear"])
def test_ndcg_on_the_device(device, problem, k, ties, gain) -> None:
    rng = np.random.default_rng(1)
    scores, mask = np.round(problem.scores), rng.random(problem.y.size) < 0.9
    for options in ({"qid": problem.qid}, {"group": problem.sizes, "mask": mask, "query_weight": rng.random(30)}):
        given = {**options, "k": k, "ties": ties, "gain": gain}
        assert ndcg(problem.y, device.upload(scores), **given) == pytest.approx(
            ndcg(problem.y, scores, **given), rel=1e-14
        )
        values = ndcg(problem.y, device.upload(scores), per_query=True, **given)
        np.testing.assert_allclose(values.get(), ndcg(problem.y, scores, per_query=True, **given), rtol=1e-14)
    assert "count_rows" in device.launched


@pytest.mark.parametrize("ties", ["average", "wrong"])
def test_pair_accuracy_on_the_device(device, ties) -> None:
    for labels in ("grades", "binary", "signed"):
        problem = make_problem(2, labels, mean_size=90)
        scores = np.round(problem.scores, 1)
        given = {"group": problem.sizes, "ties": ties, "per_query": True}
        values = pair_accuracy(problem.y, device.upload(scores), **given)
        np.testing.assert_array_equal(values.get(), pair_accuracy(problem.y, scores, **given))
    assert "count_rows" in device.launched
    winner, loser = np.array([0, 1]), np.array([2, 3])
    assert pair_accuracy(np.zeros(4), device.upload(np.arange(4.0)), pairs=(winner, loser)) == 0.0


def test_metrics_that_only_the_host_supports(device, problem) -> None:
    expected = spearman(problem.y, problem.scores, group=problem.sizes)
    assert spearman(device.upload(problem.y), device.upload(problem.scores), group=problem.sizes) == expected


@pytest.mark.parametrize("name", ["ndcg", "pair_accuracy", "map", "spearman"])
def test_bad_scores_of_a_dataset_are_named_wherever_a_metric_is_computed(device, problem, name) -> None:
    data = data_of((problem.y > 1).astype(float), problem.scores, group=problem.sizes)
    scores = problem.scores.copy()
    scores[7] = np.nan
    with pytest.raises(ValueError, match="the score is nan at row 7"):
        get_metric(name)(data, device.upload(scores))


def test_bad_scores_of_the_device_are_named(device, problem) -> None:
    scores = problem.scores.copy()
    scores[[5, 9]] = np.nan
    with pytest.raises(ValueError, match="y_pred is nan at row 5"):
        ndcg(problem.y, device.upload(scores), group=problem.sizes)


@on_a_device
@pytest.mark.parametrize("metric", [ndcg, pair_accuracy, spearman])
def test_metrics_of_cupy_scores(cupy, problem, metric) -> None:
    scores = np.round(problem.scores, 1)
    expected = metric(problem.y, scores, group=problem.sizes)
    assert metric(problem.y, cupy.asarray(scores), group=problem.sizes) == pytest.approx(expected, rel=1e-12)
    per_query = metric(problem.y, cupy.asarray(scores), group=problem.sizes, per_query=True)
    assert isinstance(per_query, cupy.ndarray)

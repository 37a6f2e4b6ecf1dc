"""Labels, queries and weights that the objectives read from a LightGBM Dataset or an XGBoost DMatrix."""

from __future__ import annotations

import itertools

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _support.boosters import (
    BOTH_BOOSTERS,
    Batches,
    assert_same_in_float32,
    constructed,
    dataset_of,
    external,
    predict,
    train,
)

from gbdt_pairloss import BPR, PairwiseLogistic, attach


@BOTH_BOOSTERS
def test_gradients_are_contiguous_float32(booster, problem) -> None:
    dataset = constructed(dataset_of(booster, problem))
    objective = PairwiseLogistic(hessian_scale=1)
    arrays = objective(problem.scores, dataset)
    expected = objective.gradient_hessian(problem.y, problem.scores, group=problem.sizes)
    assert_same_in_float32(arrays, expected)
    for array in arrays:
        assert array.dtype == np.float32
        assert array.flags.c_contiguous


def test_row_weights_of_lightgbm_are_item_weights(problem) -> None:
    w = np.random.default_rng(0).uniform(0.2, 3, problem.y.size).astype(np.float32)
    for item_weight in ("winner", "both"):
        objective = PairwiseLogistic(item_weight=item_weight)
        gradients = objective(problem.scores, dataset_of("lightgbm", problem, weight=w).construct())
        expected = objective.gradient_hessian(problem.y, problem.scores, group=problem.sizes, sample_weight=w)
        assert_same_in_float32(gradients, expected)


def test_weights_of_xgboost_are_query_weights_and_attached_ones_are_item_weights(problem) -> None:
    rng = np.random.default_rng(0)
    q = rng.uniform(0.2, 3, problem.sizes.size).astype(np.float32)
    w = rng.uniform(0.2, 3, problem.y.size)
    objective = PairwiseLogistic(hessian_scale=1)
    dataset = dataset_of("xgboost", problem, weight=q)
    by_query = objective(problem.scores, dataset)
    expected = objective.gradient_hessian(problem.y, problem.scores, group=problem.sizes, sample_weight=q)
    assert_same_in_float32(by_query, expected)
    attach(dataset, item_weight=w)
    both = objective(problem.scores, dataset)
    weight = w * np.repeat(q, problem.sizes)
    expected = objective.gradient_hessian(problem.y, problem.scores, group=problem.sizes, sample_weight=weight)
    assert_same_in_float32(both, expected)


@pytest.mark.parametrize(
    "kind",
    [
        "QuantileDMatrix",
        "DMatrix with qid",
        pytest.param(
            "ExtMemQuantileDMatrix",
            marks=pytest.mark.skipif(not hasattr(xgb, "ExtMemQuantileDMatrix"), reason="XGBoost has it from 3.0 on"),
        ),
    ],
)
def test_every_kind_of_dmatrix_gives_the_same_gradients_and_the_same_model(kind, problem, tmp_path) -> None:
    objective = PairwiseLogistic()
    expected = dataset_of("xgboost", problem)
    reference = objective(problem.scores, expected)
    if kind == "QuantileDMatrix":
        dataset = xgb.QuantileDMatrix(problem.X, problem.y, group=problem.sizes, nthread=1)
    elif kind == "DMatrix with qid":
        dataset = xgb.DMatrix(problem.X, problem.y, qid=problem.qid, nthread=1)
    else:
        half = problem.starts[problem.sizes.size // 2]
        dataset = external(Batches(problem, [0, half, problem.y.size], tmp_path))
    np.testing.assert_array_equal(objective(problem.scores, dataset), reference)
    model = train("xgboost", objective, dataset, 5)
    np.testing.assert_allclose(
        predict("xgboost", model, problem.X),
        predict("xgboost", train("xgboost", objective, expected, 5), problem.X),
        rtol=1e-5,
        atol=1e-5,
    )


@BOTH_BOOSTERS
def test_labels_groups_and_weights_that_are_set_anew_are_read_again(booster, problem) -> None:
    objective = PairwiseLogistic(hessian_scale=1)
    dataset = constructed(dataset_of(booster, problem))
    objective(problem.scores, dataset)
    y = problem.y[::-1].copy()
    dataset.set_label(y)
    expected = objective.gradient_hessian(y, problem.scores, group=problem.sizes)
    assert_same_in_float32(objective(problem.scores, dataset), expected)
    dataset.set_group(problem.sizes[::-1].copy())
    expected = objective.gradient_hessian(y, problem.scores, group=problem.sizes[::-1])
    assert_same_in_float32(objective(problem.scores, dataset), expected)
    one_per = problem.y.size if booster == "lightgbm" else problem.sizes.size
    w = np.linspace(1, 2, one_per)
    dataset.set_weight(w)
    expected = objective.gradient_hessian(y, problem.scores, group=problem.sizes[::-1], sample_weight=w)
    assert_same_in_float32(objective(problem.scores, dataset), expected)


@BOTH_BOOSTERS
def test_a_dataset_read_for_gain_differences_is_checked_again_for_ndcg(booster, problem) -> None:
    dataset = dataset_of(booster, problem, y=problem.y - 1)
    scores = np.zeros(problem.y.size)
    gains = PairwiseLogistic(pair_weight="gain_diff", ignore_negative_labels=False)
    gains(scores, constructed(dataset))
    with pytest.raises(ValueError, match="NDCG has no gain for the negative label"):
        gains.set_params(pair_weight="ndcg")(scores, dataset)


def test_objectives_that_read_labels_differently_do_not_share_a_plan(problem) -> None:
    dataset = dataset_of("xgboost", problem)
    objectives = PairwiseLogistic(), BPR(threshold=1.0), BPR(threshold=2.0)
    gradients = []
    for objective in objectives:
        objective.set_params(hessian_scale=1)
        arrays = objective(problem.scores, dataset)
        expected = objective.gradient_hessian(problem.y, problem.scores, group=problem.sizes)
        assert_same_in_float32(arrays, expected)
        gradients.append(arrays[0])
    for one, other in itertools.combinations(gradients, 2):
        assert not np.allclose(one, other)


@BOTH_BOOSTERS
def test_a_plan_is_built_once_for_all_copies_and_trainings(booster, problem) -> None:
    calls = []

    def weight(winner, loser):  # called when a plan is built, once for two labels of a query
        calls.append((winner, loser))
        return 1.0

    objective = PairwiseLogistic(pair_weight=weight)
    objective.gradient_hessian(problem.y, problem.scores, group=problem.sizes)
    once = len(calls)
    assert once > 0
    calls.clear()
    dataset = dataset_of(booster, problem)
    for _ in range(2):
        train(booster, PairwiseLogistic(pair_weight=weight), dataset, 3)
    assert len(calls) == once


@pytest.mark.parametrize("field", ["label", "weight"])
def test_infinite_labels_and_weights_of_lightgbm_are_refused(problem, field) -> None:
    values = np.ones(problem.y.size)
    values[5] = np.inf  # LightGBM replaces it by 1e38
    dataset = dataset_of("lightgbm", problem).construct()
    getattr(dataset, f"set_{field}")(values)
    with pytest.raises(ValueError, match=f"the Dataset's {field} is infinite at row 5"):
        PairwiseLogistic()(problem.scores, dataset)


def test_positions_of_lightgbm_are_refused(problem) -> None:
    if not hasattr(lgb.Dataset(problem.X), "position"):
        pytest.skip("LightGBM has positions from 4.1 on")
    dataset = lgb.Dataset(problem.X, problem.y, group=problem.sizes, position=np.arange(problem.y.size) % 5)
    with pytest.raises(ValueError, match=r"the Dataset has positions.*weigh the rows by .*propensity_weights"):
        train("lightgbm", PairwiseLogistic(), dataset)

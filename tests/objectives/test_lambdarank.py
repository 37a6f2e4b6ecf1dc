"""Gradients with |delta NDCG| are those of LightGBM's lambdarank, which its trees reveal."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest

from gbdt_pairloss import PairwiseLogistic


def native_leaves(problem, scores, **params):
    """Return each row's leaf after one round of lambdarank, and the leaves' sums of gradients and of Hessians."""
    dataset = lgb.Dataset(
        np.arange(scores.size, dtype=float)[:, None], problem.y, group=problem.sizes, init_score=scores
    )
    booster = lgb.train(
        {
            "objective": "lambdarank",
            "num_leaves": 200,
            "max_bin": scores.size + 1,
            "min_data_in_bin": 1,
            "min_data_in_leaf": 3,
            "min_sum_hessian_in_leaf": 1e-3,
            "learning_rate": 1.0,
            "num_threads": 1,
            "verbose": -1,
            **params,
        },
        dataset,
        num_boost_round=1,
    )
    leaf = booster.predict(np.arange(scores.size, dtype=float)[:, None], pred_leaf=True).ravel()
    nodes = booster.trees_to_dataframe()
    nodes = nodes[nodes["left_child"].isna()]
    number = nodes["node_index"].str.extract(r"L(\d+)$")[0].astype(int).to_numpy()
    values, weights = np.empty(number.size), np.empty(number.size)
    values[number], weights[number] = nodes["value"], nodes["weight"]
    return leaf, -values * weights, weights


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(
    ("native", "parameters"),
    [
        ({}, {"pair_weight": "lambdarank", "truncation": 30, "normalize": "log"}),
        ({"lambdarank_truncation_level": 3}, {"pair_weight": "lambdarank", "truncation": 3, "normalize": "log"}),
        ({"lambdarank_norm": False}, {"pair_weight": "ndcg", "truncation": 30, "normalize": "none"}),
        (
            {"lambdarank_norm": False, "lambdarank_truncation_level": 1000},
            {"pair_weight": "ndcg", "normalize": "none"},
        ),
        (
            {"lambdarank_norm": False, "sigmoid": 2.0},
            {"pair_weight": "ndcg", "truncation": 30, "normalize": "none", "temperature": 0.5},
        ),
        (
            {"label_gain": [0, 1, 2, 3, 4], "lambdarank_norm": False},
            {"pair_weight": "ndcg", "gain": "linear", "truncation": 30, "normalize": "none"},
        ),
    ],
)
def test_gradients_are_those_of_lightgbm(native, parameters, ties, make) -> None:
    problem = make(3, mean_size=40)
    scores = np.round(problem.scores, 1) if ties else problem.scores
    leaf, gradient, hessian = native_leaves(problem, scores, **native)
    objective = PairwiseLogistic(**parameters)
    results = objective.gradient_hessian(problem.y, scores, group=problem.sizes)
    assert np.unique(leaf).size > 100
    for expected, array in zip((gradient, hessian), results, strict=True):
        # LightGBM reads sigma from a table of 2^20 steps over 50 / sigmoid, and its sums are float32.
        sums = np.bincount(leaf, array)
        np.testing.assert_allclose(sums, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    assert np.abs(np.bincount(leaf, results[0]) - gradient).max() < 2e-5 * np.abs(gradient).max()

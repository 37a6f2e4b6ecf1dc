"""Cross-validation by the boosters themselves of datasets with explicit pairs."""

from __future__ import annotations

import numpy as np
import pytest
from _support.datasets import BOOSTERS, LGB, XGB, dataset_of, lgb, xgb
from _support.explicit_pairs import Duels, assert_has_pairs_of_rows, pairs_within
from _support.objectives import assert_same_in_float32
from sklearn.model_selection import GroupKFold

from gbdt_pairloss import PairwiseLogistic, attach


@pytest.fixture(scope="module")
def data() -> Duels:
    return Duels()


@BOOSTERS
@pytest.mark.parametrize("grouped", [True, False])
def test_cross_validation_by_whole_queries(booster, grouped, data) -> None:
    objective = PairwiseLogistic(normalize="none" if not grouped else "log", hessian_scale=1)
    seen = []

    def checked(preds, dataset):
        scores = np.asarray(preds, dtype=float)
        rows = np.asarray(dataset.get_label()).astype(int)
        seen.append(frozenset(rows))
        if grouped:
            assert_has_pairs_of_rows(objective, scores, dataset, data, data.pairs)
        else:
            pairs = pairs_within(data.pairs, rows)
            expected = objective.gradient_hessian(np.zeros(rows.size), scores, pairs=pairs)
            assert_same_in_float32(objective(scores, dataset), expected)
        return objective(preds, dataset)

    dataset = dataset_of(booster, data.X, np.arange(data.n), data.sizes if grouped else None)
    attach(dataset, pairs=data.pairs)
    folds = list(GroupKFold(3).split(data.X, groups=data.qid))
    if booster == "lightgbm":
        params = {**LGB, "objective": checked, "metric": "None"}
        history = lgb.cv(params, dataset, 3, folds=folds, feval=objective.metric)
        values = history["valid pairwise_logistic-mean"]
    else:
        how = {"nfold": 3} if grouped else {"folds": folds}
        history = xgb.cv(XGB, dataset, 3, obj=checked, custom_metric=objective.metric, as_pandas=False, **how)
        values = history["test-pairwise_logistic-mean"]
    assert len(set(seen)) == 3
    assert {len(rows) for rows in seen} == {160}
    assert values[2] < values[0] < np.log(2)

"""Datasets of both boosters and short trainings on them, with everything that both share under one name."""

from __future__ import annotations

import numpy as np
import pytest

lgb = pytest.importorskip("lightgbm", minversion="4.0")
xgb = pytest.importorskip("xgboost")

BOOSTERS = pytest.mark.parametrize("booster", ["lightgbm", "xgboost"])

LGB = {"verbose": -1, "num_threads": 1, "deterministic": True, "min_data_in_leaf": 5}
XGB = {"nthread": 1, "base_score": 0.0, "disable_default_eval_metric": True}


def dataset_of(booster, X, y=None, sizes=None, **params):
    """Return a dataset; LightGBM's is not constructed yet, and has labels of zeros if none are given."""
    if booster == "lightgbm":
        y = np.zeros(len(X)) if y is None else y
        return lgb.Dataset(X, y, group=sizes, params={"verbose": -1}, free_raw_data=False, **params)
    return xgb.DMatrix(X, y, group=sizes, nthread=1, **params)


def constructed(booster, *args, **params):
    """Return a dataset that is ready for use."""
    dataset = dataset_of(booster, *args, **params)
    return dataset.construct() if booster == "lightgbm" else dataset


def train(booster, objective, dataset, rounds=8, start=None, **params):
    """Train a model, from a model ``start`` if one is given."""
    if booster == "lightgbm":
        return lgb.train({**LGB, **params, "objective": objective}, dataset, rounds, init_model=start)
    return xgb.train({**XGB, **params}, dataset, rounds, obj=objective, xgb_model=start)


def predict(booster, model, X):
    """Return raw scores."""
    return model.predict(X) if booster == "lightgbm" else model.predict(xgb.DMatrix(X, nthread=1))

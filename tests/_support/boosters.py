"""Datasets and trainings of both boosters, for the tests of what lgb.train and xgb.train are given."""

from __future__ import annotations

import numpy as np

from _support import datasets
from _support.datasets import BOOSTERS as BOTH_BOOSTERS
from _support.datasets import LGB, XGB, lgb, predict, xgb

__all__ = [
    "BOTH_BOOSTERS",
    "LGB",
    "LIGHTGBM",
    "XGB",
    "XGBOOST",
    "assert_same_in_float32",
    "constructed",
    "dataset_of",
    "predict",
    "train",
]

LIGHTGBM, XGBOOST = (tuple(int(part) for part in package.__version__.split(".")[:2]) for package in (lgb, xgb))


def dataset_of(booster, problem, weight=None, X=None, y=None):
    X, y = problem.X if X is None else X, problem.y if y is None else y
    if booster == "lightgbm":
        return lgb.Dataset(X, y, group=problem.sizes, weight=weight, params={"verbose": -1})
    return xgb.DMatrix(X, y, group=problem.sizes, weight=weight, nthread=1)


def constructed(dataset):
    """Construct a LightGBM dataset, as its training does; an XGBoost one is constructed already."""
    return dataset.construct() if isinstance(dataset, lgb.Dataset) else dataset


def train(booster, objective, dataset, rounds=10, **params):
    return datasets.train(booster, objective, dataset, rounds, **params)


def assert_same_in_float32(actual, expected) -> None:
    """Compare gradients and Hessians to the precision of float32: 1e-6 of the largest."""
    for array, exact in zip(actual, expected, strict=True):
        np.testing.assert_allclose(array, exact, rtol=1e-5, atol=1e-6 * np.max(np.abs(exact)))


class Batches(xgb.DataIter):
    """An iterator whose batches are the rows between consecutive cuts."""

    def __init__(self, problem, cuts, directory, fields=None) -> None:
        self.problem, self.cuts, self.at = problem, cuts, 0
        self.fields = fields or (lambda rows: {"qid": problem.qid[rows]})
        super().__init__(cache_prefix=str(directory / "cache") if XGBOOST >= (3, 0) else None)

    def reset(self) -> None:
        self.at = 0

    def next(self, input_data) -> bool:
        if self.at == len(self.cuts) - 1:
            return False
        rows = slice(self.cuts[self.at], self.cuts[self.at + 1])
        input_data(data=self.problem.X[rows], label=self.problem.y[rows], **self.fields(rows))
        self.at += 1
        return True


def external(batches):
    """Return the dataset of an iterator's batches, in external memory where XGBoost supports that."""
    kind = xgb.ExtMemQuantileDMatrix if hasattr(xgb, "ExtMemQuantileDMatrix") else xgb.QuantileDMatrix
    return kind(batches, nthread=1)

"""Ranking problems shared by the tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Problem:
    """Features, labels, scores and sizes of queries; the rows of a query are contiguous."""

    X: np.ndarray
    y: np.ndarray
    scores: np.ndarray
    sizes: np.ndarray

    @property
    def qid(self) -> np.ndarray:
        return np.repeat(np.arange(self.sizes.size), self.sizes)

    @property
    def starts(self) -> np.ndarray:
        return np.concatenate(([0], np.cumsum(self.sizes)))


def make_problem(seed: int, labels: str = "grades", n_queries: int = 30, mean_size: int = 20) -> Problem:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 2 * mean_size, n_queries)
    n = int(sizes.sum())
    X = rng.normal(size=(n, 6))
    signal = X[:, 0] - 0.5 * X[:, 1] + rng.normal(scale=0.7, size=n)
    if labels == "grades":
        y = np.clip(np.round(signal + 1), 0, 4)
    elif labels == "binary":
        y = (signal > 0.8).astype(float)
    elif labels == "signed":
        y = signal
    else:
        raise ValueError(labels)
    return Problem(X, y, rng.normal(scale=2.0, size=n), sizes)

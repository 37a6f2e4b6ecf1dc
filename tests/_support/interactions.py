"""Users with positives and negatives, for tests of BPR."""

from __future__ import annotations

import numpy as np


class Users:
    """Users with 6 to 18 rows each: the first 2 are always positives and the last 4 negatives."""

    def __init__(self, seed: int = 0, n_users: int = 25) -> None:
        rng = np.random.default_rng(seed)
        self.sizes = rng.integers(6, 19, n_users)
        self.qid = np.repeat(np.arange(n_users), self.sizes)
        self.starts = np.concatenate(([0], np.cumsum(self.sizes)))
        n = self.qid.size
        self.X = rng.normal(size=(n, 5))
        self.y = (self.X[:, 0] + rng.normal(scale=0.6, size=n) > 0.7).astype(float)
        for start, stop in zip(self.starts[:-1], self.starts[1:], strict=True):
            self.y[start : start + 2] = 1
            self.y[stop - 4 : stop] = 0
        self.scores = rng.normal(size=n)
        self.w = rng.uniform(0.3, 2, n)
        self.v = rng.uniform(0.2, 3, n)  # of negatives
        self.item = rng.integers(0, 12, n)
        item_of_users = self.qid * 100 + self.item
        self.is_false_negative = (self.y == 0) & np.isin(item_of_users, item_of_users[self.y == 1])

    @property
    def scattered(self) -> np.ndarray:
        """The first row of every user, then all others: users and their rows keep their relative order."""
        return np.concatenate([self.starts[:-1], np.setdiff1d(np.arange(self.y.size), self.starts[:-1])])

    @property
    def with_enough_negatives(self) -> np.ndarray:
        """The rows of the users who have at least three negatives that are not false negatives."""
        true = (self.y == 0) & ~self.is_false_negative
        keep = np.bincount(self.qid, true)[self.qid] >= 3
        assert keep.mean() > 0.5
        return keep

    def gradients(self, objective, scores=None, **arguments):
        """Return the objective's gradient and Hessian."""
        scores = self.scores if scores is None else scores
        return objective.gradient_hessian(self.y, scores, group=self.sizes, **arguments)


_OBJECTS = np.empty(12, dtype=object)
_OBJECTS[:] = [1, "1", 2, "2", 3.5, "3.5", ("a", 1), ("a", 2), "a", False, 2**70, 2**70 + 1]

#: Ids of twelve items, by dtype.
ITEM_IDS = {
    "str": np.array([f"item {k}" for k in range(12)]),
    "int": np.array([2**62 + k for k in range(12)]),
    "float": np.linspace(-1, 1, 12),
    "date": np.datetime64("2026-01-01") + np.arange(12),
    "object": _OBJECTS,
}

#: Ids of twelve items in one list of numbers and strings.
MIXED_ITEM_IDS = [1, "1", 2, "2", 3.5, "3.5", 4, "4", 5, "5", 6, "6"]

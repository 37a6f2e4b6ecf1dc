"""The rankings that gradients are timed on: made up, from fixed seeds, of any size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

FIVE_GRADES = (0.52, 0.32, 0.134, 0.018, 0.008)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Labels, sizes of the queries, and scores such as a model has in the middle of its training."""

    labels: NDArray[np.float64]
    sizes: NDArray[np.int64]
    scores: NDArray[np.float64]

    @property
    def n_docs(self) -> int:
        return int(self.labels.size)

    def n_pairs(self) -> int:
        """Pairs of one query with different labels."""
        query = np.repeat(np.arange(self.sizes.size), self.sizes)
        order = np.lexsort((self.labels, query))
        first = np.diff(self.labels[order], prepend=-1.0) != 0
        first |= np.diff(query, prepend=-1) != 0
        runs = np.diff(np.append(np.flatnonzero(first), self.n_docs)).astype(np.float64)
        return int((np.square(self.sizes.astype(np.float64)).sum() - np.square(runs).sum()) / 2)


@dataclass(frozen=True)
class Shape:
    """A kind of ranking.

    Attributes
    ----------
    title : str
    make : callable
        A factor on the number of documents to a Ranking.
    weighings : tuple of dict
        Parameters of our objective to time on it, besides none.
    """

    title: str
    make: Callable[[float], Ranking]
    weighings: tuple[dict[str, Any], ...] = field(default=())


def web(scale: float) -> Ranking:
    rng = np.random.default_rng(1)
    n_docs = _scaled(1_000_000, scale)
    drawn = np.clip(rng.lognormal(np.log(105), 0.5, n_docs // 50), 1, 1251).astype(np.int64)
    sizes = drawn[: np.searchsorted(np.cumsum(drawn), n_docs) + 1]
    sizes[-1] -= sizes.sum() - n_docs
    return _graded(rng, sizes)


def five_grades(n_docs: int, query_size: int | None = None, spread: float = 1.0) -> Ranking:
    """Queries of one size; a single one without it."""
    size = query_size or n_docs
    return _graded(np.random.default_rng(2), np.full(n_docs // size, size), spread)


def one_query_binary(scale: float) -> Ranking:
    rng = np.random.default_rng(3)
    n_docs = _scaled(1_000_000, scale)
    labels = np.zeros(n_docs)
    labels[: n_docs // 100] = 1.0
    return _scored(rng, rng.permutation(labels), np.array([n_docs]))


def stocks(scale: float) -> Ranking:
    rng = np.random.default_rng(4)
    sizes = np.append(np.full(_scaled(333, scale), 3_000), 1_000)
    labels = rng.standard_normal(sizes.sum())
    return _scored(rng, labels - labels.min(), sizes)


def positives_and_negatives(n_queries: int, positives: int, negatives: int) -> Ranking:
    rng = np.random.default_rng(5)
    labels = np.tile(np.repeat([1.0, 0.0], [positives, negatives]), n_queries)
    return _scored(rng, labels, np.full(n_queries, positives + negatives))


def _scaled(number: int, scale: float) -> int:
    return max(1, round(number * scale))


def _graded(rng: np.random.Generator, sizes: NDArray[np.int64], spread: float = 1.0) -> Ranking:
    labels = rng.choice(len(FIVE_GRADES), size=sizes.sum(), p=FIVE_GRADES).astype(np.float64)
    return _scored(rng, labels, sizes, spread)


def _scored(
    rng: np.random.Generator, labels: NDArray[np.float64], sizes: NDArray[np.int64], spread: float = 1.0
) -> Ranking:
    return Ranking(labels, sizes.astype(np.int64), spread * rng.standard_normal(labels.size) + 0.4 * labels)


_LABEL_DIFF = {"pair_weight": "label_diff"}
_NDCG = {"pair_weight": "ndcg"}
_NOISY = {**_NDCG, "rank_noise": 3.0}
_LAMBDARANK = {"pair_weight": "lambdarank"}
_NOISY_LAMBDARANK = {**_LAMBDARANK, "rank_noise": 3.0}

SHAPES = {
    "web": Shape(
        "1.0M docs in queries of 119 on average, five grades",
        web,
        (_LABEL_DIFF, _NDCG, _NOISY, _LAMBDARANK, _NOISY_LAMBDARANK),
    ),
    "one-query": Shape(
        "one query of 1M docs, five grades",
        lambda scale: five_grades(_scaled(1_000_000, scale), spread=1.5),
        (_LABEL_DIFF, _NDCG, _NOISY),
    ),
    "binary": Shape("one query of 1M docs, 1% positive", one_query_binary),
    "stocks": Shape("333 queries of 3,000 docs and one of 1,000, float labels", stocks, (_LABEL_DIFF,)),
    "users": Shape(
        "500 queries of 20 positives and 1,980 negatives",
        lambda scale: positives_and_negatives(_scaled(500, scale), 20, 1_980),
    ),
    "1-of-100": Shape(
        "10,000 queries of 1 positive and 99 negatives",
        lambda scale: positives_and_negatives(_scaled(10_000, scale), 1, 99),
    ),
}

"""The definition of every sum, in NumPy and float64: the formula is evaluated for every pair of every query.

For a pair (i, j) of one query with y_i > y_j and d_ij = (s_i - s_j) / T::

    loss      = sum_pairs  omega_ij  l(d_ij)
    gradient  : winner += omega_ij l'(d_ij) / T     loser -= omega_ij l'(d_ij) / T
    Hessian   : both   += omega_ij l''(d_ij) / T^2                     (its diagonal)
    omega_ij  = query weight * winner weight_i * loser weight_j * phi_ij * normaliser of the query
    phi_ij    = 1, or the difference of the rows' values (labels or gains), or the entry of a table for their labels,
                or |delta NDCG|:
                (gain_i - gain_j) |1 / log2(rank_i + 1) - 1 / log2(rank_j + 1)| / ideal DCG,
                which :class:`~gbdt_pairloss.engine.spec.DeltaNDCG` may truncate, or divide by the distance of scores

The definition does not depend on the code that is tested against it, which is the other engines and the plans. It finds
pairs by comparing labels, does not rely on the order of a plan's rows, and repeats the formula of the normaliser.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..ranking._plan import Plan
from ..ranking._table_plan import TablePlan
from ..ranking._validation import Float64Array
from .finish import check_range
from .spec import SMALLEST_DISTANCE, PairSum

# Pairs of a tile: 8 MB per temporary array, so that memory does not grow with the pairs of a query.
_TILE = 1 << 20


class ReferenceEngine:
    """The engine that evaluates the definition, in O(pairs) time and O(n) memory.

    It supports every loss, and sums over the ordered pairs of the labels: it reads neither explicit pairs nor
    ``spec.negatives``.
    """

    takes_device_arrays: ClassVar[bool] = False

    def gradient_hessian(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any = np.float64
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        plan.check_scores(scores)
        scores = plan.gather(scores)
        gradient = np.zeros(scores.shape)
        hessian = np.zeros(scores.shape)
        for query, rows in _queries(plan):
            g, h = gradient[rows], hessian[rows]  # views
            w, v = plan.winner_weight[rows], plan.loser_weight[rows]
            lambda_sum, total = 0.0, 0.0  # sums over all pairs before weights: of phi |l'| / T, and of phi
            for tile, d, phi in _tiles(plan, scores, query, rows, spec):
                _, first, second = spec.pair_loss.derivatives(d)
                first *= phi
                lambda_sum += np.abs(first).sum() / spec.temperature
                total += phi.sum()
                weight = w[tile, None] * v[None, :]
                first *= weight
                second *= phi * weight
                g[tile] += first.sum(axis=1)
                g -= first.sum(axis=0)
                h[tile] += second.sum(axis=1)
                h += second.sum(axis=0)
            factor = _query_factor(plan, query, lambda_sum, total, spec) / spec.temperature
            g *= factor
            h *= factor / spec.temperature * spec.hessian_scale
        with np.errstate(over="ignore"):
            result = (plan.scatter(gradient).astype(dtype), plan.scatter(hessian).astype(dtype))
        check_range(*result)
        return result

    def winner_loss(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any = np.float64
    ) -> tuple[Float64Array, Float64Array]:
        plan.check_scores(scores)
        scores = plan.gather(scores)
        loss = np.zeros(scores.shape)
        weight = np.zeros(scores.shape)
        for query, rows in _queries(plan):
            w, v = plan.winner_weight[rows], plan.loser_weight[rows]
            lambda_sum, total = 0.0, 0.0
            for tile, d, phi in _tiles(plan, scores, query, rows, spec):
                value, first, _ = spec.pair_loss.derivatives(d)
                lambda_sum += np.abs(phi * first).sum() / spec.temperature
                total += phi.sum()
                pair_weight = phi * (w[tile, None] * v[None, :])
                loss[rows][tile] = (np.where(pair_weight > 0, value, 0.0) * pair_weight).sum(axis=1)
                weight[rows][tile] = pair_weight.sum(axis=1)
            factor = _query_factor(plan, query, lambda_sum, total, spec)
            loss[rows] *= factor
            weight[rows] *= factor
        return plan.scatter(loss), plan.scatter(weight)


def _queries(plan: Plan) -> Iterator[tuple[int, slice]]:
    """Yield the queries that have a pair, and the positions of their rows."""
    for query in np.flatnonzero(plan.n_pairs):
        yield int(query), slice(int(plan.ptr[query]), int(plan.ptr[query + 1]))


def _tiles(
    plan: Plan, scores: Float64Array, query: int, rows: slice, spec: PairSum
) -> Iterator[tuple[slice, Float64Array, Float64Array]]:
    """Yield some rows i of a query at a time, with d_ij and phi_ij for all rows j of the query.

    The rows are a slice of the query's. phi_ij is 0 unless i beats j. d_ij is 0 where phi_ij is.
    """
    y, s = plan.labels[rows], scores[rows]
    if spec.delta is not None:
        rank = np.empty(y.size, dtype=np.int64)
        rank[np.lexsort((plan.rows[rows], -s))] = np.arange(y.size)
        discount = 1 / np.log2(rank + 2)
        ideal = plan.ideal_dcg(spec.delta.truncation)[query]
    step = max(1, _TILE // y.size)
    for start in range(0, y.size, step):
        tile = slice(start, min(start + step, y.size))
        with np.errstate(over="ignore"):  # d is infinite for scores 1e308 apart, and the loss may be
            difference = s[tile, None] - s[None, :]
            d = difference / spec.temperature
        phi = (y[tile, None] > y[None, :]).astype(np.float64)
        if isinstance(plan, TablePlan):
            weights = plan.label_weights
            assert weights is not None
            index = np.where(phi > 0, weights.row[rows][tile, None] + weights.column[rows][None, :], 0)
            phi *= weights.table[index]
        if plan.values is not None:
            value = plan.values[rows]
            phi *= value[tile, None] - value[None, :]
        if spec.delta is not None:
            phi *= np.abs(discount[tile, None] - discount[None, :]) / ideal if ideal > 0 else 0.0
            if spec.delta.truncation is not None:
                phi *= np.minimum(rank[tile, None], rank[None, :]) < spec.delta.truncation
            if spec.delta.by_distance and s.min() != s.max():
                phi /= SMALLEST_DISTANCE + np.abs(difference)
        yield tile, np.where(phi > 0, d, 0.0), phi  # d = 0: without a pair a loss must not overflow


def _query_factor(plan: Plan, query: int, lambda_sum: float, sum_of_phi: float, spec: PairSum) -> float:
    """Compute the query weight times the normaliser.

    "query" is n_q / sum of phi, with n_q the rows of the query that take part. "log" is LightGBM's log2(1 + S) / S with
    S = 2 sum |lambda| (rank_objective.hpp, lambdarank_norm), which tends to 1 / ln 2 as S tends to 0.

    ``normalizers.query_factors`` is the same formula for all queries at once. It is not used here, so that the
    definition stays independent of the code that it tests.
    """
    weight = float(plan.query_weight[query])
    if spec.normalize == "query":
        return weight * float(plan.ptr[query + 1] - plan.ptr[query]) / sum_of_phi if sum_of_phi > 0 else 0.0
    if spec.normalize == "log":
        total = 2.0 * lambda_sum
        return weight * (math.log1p(total) / total if total > 0 else 1.0) / math.log(2.0)
    return weight

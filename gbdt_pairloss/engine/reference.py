"""The definition of every sum, in NumPy and float64: the formula is evaluated for every pair of every query.

For a pair (i, j) of one query with y_i > y_j and d_ij = (s_i - s_j) / T::

    loss      = sum_pairs  omega_ij  l(d_ij)
    gradient  : winner += omega_ij l'(d_ij) / T     loser -= omega_ij l'(d_ij) / T
    Hessian   : both   += omega_ij l''(d_ij) / T^2                     (its diagonal)
    omega_ij  = query weight * winner weight_i * loser weight_j * phi_ij * normaliser of the query
    phi_ij    = 1, or the difference of the rows' values (labels or gains), or the entry of a table for their labels,
                or |delta NDCG|:
                (gain_i - gain_j) |1 / log2(rank_i + 1) - 1 / log2(rank_j + 1)| / ideal DCG,
                which :class:`~gbdt_pairloss.engine.spec.DeltaNDCG` may truncate, or divide by the distance of scores;
                with rank noise, the ranks and the distance are those of noised scores (``draws.noised_scores``)

The definition does not depend on the code that is tested against it, which is the other engines. It finds the pairs of
labels by comparing them, and does not rely on the order of a plan's rows. On a ``ResidualPlan`` any two rows i and j
are a pair, and d_ij is the difference of their residuals, (s_i - s_j) / T - (t_i - t_j). Explicit pairs and drawn
negatives are lists of pairs; see ``listed_pairs``. Normalisers and query weights are in ``finish``, which all engines
share. Tests compare these with sums by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ranking._plan import Plan
from ..ranking._residual_plan import ResidualPlan
from ..ranking._table_plan import TablePlan
from ..ranking._validation import Float64Array
from .base import SummingEngine, all_summed
from .draws import noised_scores
from .listed_pairs import is_listed, listed_pairs
from .spec import SMALLEST_DISTANCE, PairSum, Sums

# Pairs of a tile: 8 MB per temporary array, so that memory does not grow with the pairs of a query.
_TILE = 1 << 20


class ReferenceEngine(SummingEngine):
    """The engine that evaluates the definition, in O(pairs) time and O(n) memory. It supports every sum."""

    def supports(self, plan: Plan, spec: PairSum) -> bool:
        return True

    def sums(self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any = None, *, loss: bool = False) -> Sums:
        plan.check_scores(scores)
        x = plan.gather(scores)
        sums = Sums(
            np.zeros(x.shape), np.zeros(x.shape), np.zeros(plan.n_queries), np.zeros(plan.n_queries), all_summed(plan)
        )
        with np.errstate(over="ignore", invalid="ignore"):  # check_range refuses what leaves float64's range
            if is_listed(plan, spec):
                _add_listed(plan, x, spec, loss, sums)
            else:
                for query, rows in _queries(plan):
                    _add_query(plan, x, query, rows, spec, loss, sums)
                if isinstance(plan, ResidualPlan):
                    sums.phi_sum[:] = plan.sum_of_phi  # includes pairs of a row with itself
        first, second = sums.first, sums.second
        if not loss:
            with np.errstate(over="ignore"):
                first = first / spec.temperature
                second = second / spec.temperature * (spec.hessian_scale / spec.temperature)
        return sums._replace(first=plan.scatter(first), second=plan.scatter(second))


def _add_query(plan: Plan, x: Float64Array, query: int, rows: slice, spec: PairSum, loss: bool, sums: Sums) -> None:
    """Add the sums of a query over the pairs of its labels, by position, before the factors 1 / T."""
    first_sum, second_sum = sums.first[rows], sums.second[rows]  # views
    w, v = plan.winner_weight[rows], plan.loser_weight[rows]
    for tile, d, phi in _tiles(plan, x, query, rows, spec):
        value, first, second = spec.pair_loss.derivatives(d)
        sums.phi_sum[query] += phi.sum()
        sums.lambda_sum[query] += np.abs(first * phi).sum() / spec.temperature
        omega = phi * (w[tile, None] * v[None, :])
        if loss:
            first_sum[tile] += (np.where(omega > 0, value, 0.0) * omega).sum(axis=1)
            second_sum[tile] += omega.sum(axis=1)
        else:
            first, second = (np.where(omega > 0, array, 0.0) * omega for array in (first, second))
            first_sum[tile] += first.sum(axis=1)
            first_sum -= first.sum(axis=0)
            second_sum[tile] += second.sum(axis=1)
            second_sum += second.sum(axis=0)


def _add_listed(plan: Plan, x: Float64Array, spec: PairSum, loss: bool, sums: Sums) -> None:
    """Add the sums over a list of pairs, by position, before the factors 1 / T."""
    n, query = x.shape[0], plan.query_of_positions
    sums.phi_sum[:] = plan.n_pairs  # for drawn negatives, those of the labels: a sum over draws would be an estimate
    for winner, loser, phi, weight in listed_pairs(plan, x, spec):
        with np.errstate(over="ignore"):
            value, first, second = spec.pair_loss.derivatives((x[winner] - x[loser]) / spec.temperature)
        lambdas = np.abs(first * phi) / spec.temperature
        sums.lambda_sum[:] += np.bincount(query[winner], lambdas, minlength=plan.n_queries)
        omega = phi * weight
        value, first, second = (np.where(omega > 0, array, 0.0) * omega for array in (value, first, second))
        if loss:
            sums.first[:] += np.bincount(winner, value, minlength=n)
            sums.second[:] += np.bincount(winner, omega, minlength=n)
        else:
            sums.first[:] += np.bincount(winner, first, minlength=n) - np.bincount(loser, first, minlength=n)
            sums.second[:] += np.bincount(winner, second, minlength=n) + np.bincount(loser, second, minlength=n)


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
    place = s
    if spec.delta is not None:
        if spec.delta.noise is not None:
            place = noised_scores(s, plan.rows[rows], spec.delta.noise, spec.temperature)
        rank = np.empty(y.size, dtype=np.int64)
        rank[np.lexsort((plan.rows[rows], -place))] = np.arange(y.size)
        discount = 1 / np.log2(rank + 2)
        ideal = plan.ideal_dcg(spec.delta.truncation)[query]
    step = max(1, _TILE // y.size)
    for start in range(0, y.size, step):
        tile = slice(start, min(start + step, y.size))
        with np.errstate(over="ignore"):  # d is infinite for scores 1e308 apart, and the loss may be
            d = (s[tile, None] - s[None, :]) / spec.temperature
        phi = (y[tile, None] > y[None, :]).astype(np.float64)
        if isinstance(plan, ResidualPlan):
            target = plan.targets[rows]
            d -= target[tile, None] - target[None, :]
            phi = 1.0 - np.eye(tile.stop - tile.start, y.size, tile.start)
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
            if spec.delta.by_distance and place.min() != place.max():
                with np.errstate(over="ignore"):
                    phi /= SMALLEST_DISTANCE + np.abs(place[tile, None] - place[None, :])
        yield tile, np.where(phi > 0, d, 0.0), phi  # d = 0: without a pair a loss must not overflow

"""The soft zero-one loss, from the sums of the logistic loss: its slope is the logistic loss's curve.

That engine adds the curves of all pairs of a row, won and lost, where the slopes of won ones count - and of lost ones
+. So its pairs are taken in blocks, all rows of [a, b) against all of [b, c), where every row has one role: splitting a
query at the label boundary nearest its middle, and both halves again, level by level, covers every pair once. All
pairs in O(n log(labels)).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ranking._blocks import Blocks
from ...ranking._cached_per_plan import cached_per_plan
from ...ranking._plan import Plan
from ...ranking._table_plan import TablePlan
from ...ranking._validation import Float64Array
from ..normalizers import PlainEngine
from ..pair_losses import LOGISTIC
from ..spec import PairSum
from .engine import CPUEngine


class SoftZeroOneEngine(PlainEngine):
    """Sums of the soft zero-one loss, with phi that is 1, a difference of values or a callable's.

    Parameters
    ----------
    n_threads : int or None
        None: as many as this process may use.
    """

    def __init__(self, n_threads: int | None = None) -> None:
        self.n_threads = n_threads
        self.engine = CPUEngine(n_threads)

    def plain_sums(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[NDArray[Any], NDArray[Any], Float64Array]:
        plan.check_scores(scores)
        x = plan.gather(scores)
        gradient, hessian = np.zeros(x.shape[0]), np.zeros(x.shape[0])
        lambda_sums = np.zeros(plan.n_queries)
        for level in _levels(plan):
            wins = level.plan.labels > 0
            _, curve = self._logistic(level.plan, x[level.owner], spec)
            level.add(np.where(wins, -curve, curve) * spec.temperature, gradient)
            level.add(curve * spec.hessian_scale, hessian)
            if spec.normalize == "log":
                if level.plan.has_row_weights:
                    _, curve = self._logistic(_unweighted(level.plan), x[level.owner], spec)
                query = level.query[level.plan.query_of_positions]
                lambda_sums += np.bincount(query, curve * wins, minlength=plan.n_queries) * spec.temperature
        divisors = lambda_sums if spec.normalize == "log" else plan.sum_of_phi
        return plan.scatter(gradient), plan.scatter(hessian), divisors

    def plain_losses(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[Float64Array, Float64Array]:
        plan.check_scores(scores)
        x = plan.gather(scores)
        loss, weight = np.zeros(x.shape[0]), np.zeros(x.shape[0])
        for level in _levels(plan):
            slope, _ = self._logistic(level.plan, x[level.owner], spec)
            level.add(np.where(level.plan.labels > 0, -slope, 0.0) * spec.temperature, loss)
            level.add(level.plan.winner_weight * level.plan.pair_weights_won, weight)
        return plan.scatter(loss), plan.scatter(weight)

    def _logistic(self, plan: Plan, x: Float64Array, spec: PairSum) -> tuple[Float64Array, Float64Array]:
        """Gradient and Hessian of the logistic loss; in float64, since a slope wants more digits than a curve."""
        plain = replace(spec, pair_loss=LOGISTIC, normalize="none", hessian_scale=1.0)
        return self.engine.gradient_hessian(plan, x, plain, np.float64)


@cached_per_plan
def _unweighted(plan: Plan) -> Plan:
    ones = np.ones(plan.rows.shape[0])
    return replace(plan, winner_weight=ones, loser_weight=ones)


def _levels(plan: Plan) -> Iterable[Blocks]:
    return plan.blocks() if isinstance(plan, TablePlan) else _split(plan)


@cached_per_plan
def _split(plan: Plan) -> list[Blocks]:
    """The blocks of a plan, level by level, each level as a plan whose queries are the blocks, with labels 1 and 0."""
    levels: list[Blocks] = []
    query = np.arange(plan.n_queries)
    first, last = plan.ptr[:-1], plan.ptr[1:]
    while True:
        several = last > first
        several[several] = plan.run_end[first[several]] < last[several]  # labels
        query, first, last = query[several], first[several], last[several]
        if query.size == 0:
            return levels
        middle = (first + last) // 2
        begin, end = plan.run_begin[middle], plan.run_end[middle]
        split = np.where((begin > first) & ((end >= last) | (middle - begin <= end - middle)), begin, end)
        levels.append(Blocks.of(plan, query, first, split, last))
        query = np.repeat(query, 2)
        first, last = np.stack([first, split], axis=1).ravel(), np.stack([split, last], axis=1).ravel()

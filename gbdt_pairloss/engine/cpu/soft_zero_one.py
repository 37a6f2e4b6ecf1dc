"""The soft zero-one loss, from the sums of the logistic loss.

The value and the first derivative of the soft zero-one loss are, up to their signs, the first and the second derivative
of the logistic loss. The engine of the logistic loss adds the second derivatives of all pairs of a row. Here those of
pairs that the row wins count negatively, and those of pairs that it loses positively. Therefore the pairs are taken in
blocks, all rows of [a, b) against all rows of [b, c), in which every row either wins or loses. A query is split at the
label boundary nearest to its middle, and both halves are split again, level by level. The blocks cover every pair once,
and the time for all pairs is O(n log(labels)).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ranking._blocks import Blocks
from ...ranking._cached_per_plan import cached_per_plan
from ...ranking._explicit_plan import ExplicitPlan
from ...ranking._plan import Plan
from ...ranking._table_plan import TablePlan
from ...ranking._validation import Float64Array
from ..base import SummingEngine, all_summed
from ..pair_losses import LOGISTIC, SOFT_ZERO_ONE
from ..spec import PairSum, Sums


class SoftZeroOneEngine(SummingEngine):
    """Sums of the soft zero-one loss, with phi that is 1, a difference of values, or an entry of a table.

    Parameters
    ----------
    logistic : SummingEngine
        The engine that sums the logistic loss over the blocks.
    fallback : SummingEngine
        The engine for queries with blocks that ``logistic`` cannot sum.
    """

    def __init__(self, logistic: SummingEngine, fallback: SummingEngine) -> None:
        self.logistic, self.fallback = logistic, fallback

    def supports(self, plan: Plan, spec: PairSum) -> bool:
        listed = isinstance(plan, ExplicitPlan) or spec.negatives is not None
        return spec.pair_loss.name == SOFT_ZERO_ONE.name and spec.delta is None and not listed

    def sums(self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any, *, loss: bool = False) -> Sums:
        plan.check_scores(scores)
        x = plan.gather(scores)
        first, second, lambda_sum = np.zeros(x.shape[0]), np.zeros(x.shape[0]), np.zeros(plan.n_queries)
        status = all_summed(plan)
        for level in _levels(plan):
            wins = level.plan.labels > 0
            logistic = self._logistic(level.plan, x[level.owner], spec)
            np.maximum.at(status, level.query, logistic.status)
            if loss:
                level.add(np.where(wins, -logistic.first, 0.0) * spec.temperature, first)
                level.add(level.plan.winner_weight * level.plan.pair_weights_won, second)
                continue
            level.add(np.where(wins, -logistic.second, logistic.second) * spec.temperature, first)
            with np.errstate(over="ignore"):  # check_range refuses what leaves float64's range
                level.add(logistic.second * spec.hessian_scale, second)
            if spec.normalize == "log":
                if level.plan.has_row_weights:
                    logistic = self._logistic(_unweighted(level.plan), x[level.owner], spec)
                query = level.query[level.plan.query_of_positions]
                won = np.bincount(query, logistic.second * wins, minlength=plan.n_queries)
                lambda_sum += won * spec.temperature
        return Sums(plan.scatter(first), plan.scatter(second), lambda_sum, plan.sum_of_phi, status)

    def _logistic(self, plan: Plan, x: Float64Array, spec: PairSum) -> Sums:
        """Sum the logistic loss.

        The sums are float64: here the Hessian becomes a gradient, which needs more digits than a Hessian.
        """
        logistic = replace(spec, pair_loss=LOGISTIC, normalize="none", hessian_scale=1.0)
        return self.logistic.sums(plan, x, logistic, np.float64)


@cached_per_plan
def _unweighted(plan: Plan) -> Plan:
    """Return the plan with winner and loser weights of 1."""
    ones = np.ones(plan.rows.shape[0])
    return replace(plan, winner_weight=ones, loser_weight=ones)


def _levels(plan: Plan) -> Iterable[Blocks]:
    """Return collections of blocks that together cover every pair of the plan once."""
    return plan.blocks() if isinstance(plan, TablePlan) else _split_into_blocks(plan)


@cached_per_plan
def _split_into_blocks(plan: Plan) -> list[Blocks]:
    """Split a plan into blocks, level by level.

    Each level is a plan whose queries are the blocks, with labels 1 and 0.
    """
    levels: list[Blocks] = []
    query = np.arange(plan.n_queries)
    first, last = plan.ptr[:-1], plan.ptr[1:]
    while True:
        has_pairs = last > first
        has_pairs[has_pairs] = plan.run_end[first[has_pairs]] < last[has_pairs]  # more than one label
        query, first, last = query[has_pairs], first[has_pairs], last[has_pairs]
        if query.size == 0:
            return levels
        middle = (first + last) // 2
        begin, end = plan.run_begin[middle], plan.run_end[middle]
        split = np.where((begin > first) & ((end >= last) | (middle - begin <= end - middle)), begin, end)
        levels.append(Blocks.of(plan, query, first, split, last))
        query = np.repeat(query, 2)
        first, last = np.stack([first, split], axis=1).ravel(), np.stack([split, last], axis=1).ravel()

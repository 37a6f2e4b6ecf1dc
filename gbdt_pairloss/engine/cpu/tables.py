"""Sums over table plans, whose pairs are weighted by a callable of both labels.

The pairs of one loser label have weights that depend on the winner only. They form a plan whose phi is a difference of
values, which a fast engine sums. The sums of all these plans are added up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...ranking._plan import Plan
from ...ranking._table_plan import TablePlan
from ...ranking._validation import Float64Array
from ..finish import FinishingEngine, UnnormalizedSums
from ..spec import PairSum
from .pair_by_pair import PairByPairEngine


class TableEngine(FinishingEngine):
    """An engine for table plans that is made of an engine for differences of values.

    Parameters
    ----------
    engine : UnnormalizedSums
        The engine that sums over the blocks.
    """

    def __init__(self, engine: UnnormalizedSums) -> None:
        self.engine, self.n_threads = engine, engine.n_threads

    def unnormalized_gradient_hessian(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[NDArray[Any], NDArray[Any], Float64Array]:
        plan.check_scores(scores)
        x = plan.gather(scores)
        gradient, hessian = np.zeros(x.shape[0]), np.zeros(x.shape[0])
        lambda_sums = np.zeros(plan.n_queries)
        for blocks in cast(TablePlan, plan).blocks():
            first, second, lambda_sums_of_blocks = self.engine.unnormalized_gradient_hessian(
                blocks.plan, x[blocks.owner], _spec_of_blocks(spec), dtype
            )
            if (lambda_sums_of_blocks < 0).any():  # scores out of the range of the fast engine
                return PairByPairEngine(self.n_threads).unnormalized_gradient_hessian(plan, scores, spec, dtype)
            blocks.add(first, gradient)
            blocks.add(second, hessian)
            blocks.add_to_queries(lambda_sums_of_blocks, lambda_sums)
        divisors = plan.sum_of_phi if spec.normalize == "query" else lambda_sums
        return plan.scatter(gradient), plan.scatter(hessian), divisors

    def unnormalized_winner_loss(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[Float64Array, Float64Array]:
        plan.check_scores(scores)
        x = plan.gather(scores)
        loss, weight = np.zeros(x.shape[0]), np.zeros(x.shape[0])
        for blocks in cast(TablePlan, plan).blocks():
            loss_of_blocks, weight_of_blocks = self.engine.unnormalized_winner_loss(
                blocks.plan, x[blocks.owner], _spec_of_blocks(spec), dtype
            )
            blocks.add(loss_of_blocks, loss)
            blocks.add(weight_of_blocks, weight)
        return plan.scatter(loss), plan.scatter(weight)


def _spec_of_blocks(spec: PairSum) -> PairSum:
    """Return the spec of the sums over the blocks of a plan.

    The normaliser is applied to the whole plan. "log" stays, because with it the engine returns the sums of |lambda|.
    """
    return spec if spec.normalize == "log" else replace(spec, normalize="none")

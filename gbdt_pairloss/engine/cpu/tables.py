"""Weights of pairs that a callable gives: every loser label as a plan of its own, summed by a fast engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...ranking._plan import Plan
from ...ranking._table_plan import TablePlan
from ...ranking._validation import Float64Array
from ..normalizers import PlainEngine, PlainSums
from ..spec import PairSum
from .pair_by_pair import PairByPairEngine


class TableEngine(PlainEngine):
    """Sums over a table plan, by an engine for differences of values.

    Parameters
    ----------
    engine : PlainSums
    """

    def __init__(self, engine: PlainSums) -> None:
        self.engine, self.n_threads = engine, engine.n_threads

    def plain_sums(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[NDArray[Any], NDArray[Any], Float64Array]:
        plan.check_scores(scores)
        x = plan.gather(scores)
        gradient, hessian = np.zeros(x.shape[0]), np.zeros(x.shape[0])
        lambda_sums = np.zeros(plan.n_queries)
        for blocks in cast(TablePlan, plan).blocks():
            first, second, own = self.engine.plain_sums(blocks.plan, x[blocks.owner], _plain(spec), dtype)
            if (own < 0).any():  # scores beyond the fast engine's range
                return PairByPairEngine(self.n_threads).plain_sums(plan, scores, spec, dtype)
            blocks.add(first, gradient)
            blocks.add(second, hessian)
            blocks.add_to_queries(own, lambda_sums)
        divisors = plan.sum_of_phi if spec.normalize == "query" else lambda_sums
        return plan.scatter(gradient), plan.scatter(hessian), divisors

    def plain_losses(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[Float64Array, Float64Array]:
        plan.check_scores(scores)
        x = plan.gather(scores)
        loss, weight = np.zeros(x.shape[0]), np.zeros(x.shape[0])
        for blocks in cast(TablePlan, plan).blocks():
            own, won = self.engine.plain_losses(blocks.plan, x[blocks.owner], _plain(spec), dtype)
            blocks.add(own, loss)
            blocks.add(won, weight)
        return plan.scatter(loss), plan.scatter(weight)


def _plain(spec: PairSum) -> PairSum:
    """The normaliser is that of the whole; only "log" wants lambda_sums."""
    return spec if spec.normalize == "log" else replace(spec, normalize="none")

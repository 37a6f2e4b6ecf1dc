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
from ..base import SummingEngine, all_summed
from ..spec import PairSum, Sums


class TableEngine(SummingEngine):
    """An engine for table plans that is made of an engine for differences of values.

    Parameters
    ----------
    engine : SummingEngine
        The engine that sums over the blocks.
    fallback : SummingEngine
        The engine for queries with blocks that ``engine`` cannot sum.
    """

    def __init__(self, engine: SummingEngine, fallback: SummingEngine) -> None:
        self.engine, self.fallback = engine, fallback

    def supports(self, plan: Plan, spec: PairSum) -> bool:
        return isinstance(plan, TablePlan) and spec.delta is None and self.engine.supports(plan.without_table, spec)

    def sums(self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any, *, loss: bool = False) -> Sums:
        plan.check_scores(scores)
        x = plan.gather(scores)
        first, second, lambda_sum = np.zeros(x.shape[0]), np.zeros(x.shape[0]), np.zeros(plan.n_queries)
        status = all_summed(plan)
        for blocks in cast(TablePlan, plan).blocks():
            sums = self.engine.sums(blocks.plan, x[blocks.owner], _spec_of_blocks(spec), dtype, loss=loss)
            blocks.add(sums.first, first)
            blocks.add(sums.second, second)
            blocks.add_to_queries(sums.lambda_sum, lambda_sum)
            np.maximum.at(status, blocks.query, sums.status)
        return Sums(plan.scatter(first), plan.scatter(second), lambda_sum, plan.sum_of_phi, status)


def _spec_of_blocks(spec: PairSum) -> PairSum:
    """Return the spec of the sums over the blocks of a plan.

    The normaliser is applied to the whole plan. "log" stays, because with it the engine returns the sums of |lambda|.
    """
    return spec if spec.normalize == "log" else replace(spec, normalize="none")

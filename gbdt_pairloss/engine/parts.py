"""Weights of pairs that a callable gives: every loser label as a plan of its own, summed by a fast engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..plan import Plan
from ..table_plan import TablePlan
from ..validation import Float64Array
from . import PairSum
from .factors import PlainEngine, PlainSums
from .listed import ListedEngine


class PartsEngine(PlainEngine):
    """Sums over a table plan, by an engine for differences of values.

    Parameters
    ----------
    engine : PlainSums
    """

    def __init__(self, engine: PlainSums) -> None:
        self.engine = engine

    def plain_sums(
        self, plan: Plan, scores: NDArray[Any], pairs: PairSum, dtype: Any
    ) -> tuple[NDArray[Any], NDArray[Any], Float64Array]:
        table_plan = cast(TablePlan, plan)
        plan.check_scores(scores)
        parts = table_plan.parts
        first, second, divisors = self.engine.plain_sums(
            parts.plan, plan.gather(scores)[parts.owner], _plain(pairs), dtype
        )
        if (divisors < 0).any():  # scores beyond the fast engine's range
            return ListedEngine().plain_sums(plan, scores, pairs, dtype)
        total = table_plan.sum_of_parts(divisors) if pairs.normalize == "log" else plan.sum_of_phi
        return self._joined(table_plan, first), self._joined(table_plan, second), total

    def plain_losses(
        self, plan: Plan, scores: NDArray[Any], pairs: PairSum, dtype: Any
    ) -> tuple[Float64Array, Float64Array]:
        table_plan = cast(TablePlan, plan)
        plan.check_scores(scores)
        parts = table_plan.parts
        sums = self.engine.plain_losses(parts.plan, plan.gather(scores)[parts.owner], _plain(pairs), dtype)
        loss, weight = (self._joined(table_plan, values) for values in sums)
        return loss, weight

    def _joined(self, plan: TablePlan, values: NDArray[Any]) -> Float64Array:
        """Sums of the parts' rows as those of the caller's."""
        total: Float64Array = np.bincount(plan.parts.owner, values, minlength=plan.rows.shape[0]).astype(np.float64)
        return plan.scatter(total)


def _plain(pairs: PairSum) -> PairSum:
    """The normaliser is that of the whole; only "log" wants strengths."""
    return pairs if pairs.normalize == "log" else replace(pairs, normalize="none")

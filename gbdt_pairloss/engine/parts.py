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
        self.engine, self.n_threads = engine, engine.n_threads

    def plain_sums(
        self, plan: Plan, scores: NDArray[Any], pairs: PairSum, dtype: Any
    ) -> tuple[NDArray[Any], NDArray[Any], Float64Array]:
        plan.check_scores(scores)
        x = plan.gather(scores)
        gradient, hessian = np.zeros(x.shape[0]), np.zeros(x.shape[0])
        strengths = np.zeros(plan.n_queries)
        for parts in cast(TablePlan, plan).parts():
            first, second, own = self.engine.plain_sums(parts.plan, x[parts.owner], _plain(pairs), dtype)
            if (own < 0).any():  # scores beyond the fast engine's range
                return ListedEngine(self.n_threads).plain_sums(plan, scores, pairs, dtype)
            parts.add(first, gradient)
            parts.add(second, hessian)
            parts.add_to_queries(own, strengths)
        divisors = plan.sum_of_phi if pairs.normalize == "query" else strengths
        return plan.scatter(gradient), plan.scatter(hessian), divisors

    def plain_losses(
        self, plan: Plan, scores: NDArray[Any], pairs: PairSum, dtype: Any
    ) -> tuple[Float64Array, Float64Array]:
        plan.check_scores(scores)
        x = plan.gather(scores)
        loss, weight = np.zeros(x.shape[0]), np.zeros(x.shape[0])
        for parts in cast(TablePlan, plan).parts():
            own, won = self.engine.plain_losses(parts.plan, x[parts.owner], _plain(pairs), dtype)
            parts.add(own, loss)
            parts.add(won, weight)
        return plan.scatter(loss), plan.scatter(weight)


def _plain(pairs: PairSum) -> PairSum:
    """The normaliser is that of the whole; only "log" wants strengths."""
    return pairs if pairs.normalize == "log" else replace(pairs, normalize="none")

"""The squared differences of residuals, over all pairs of rows of a query, in O(n)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ranking._cached_per_plan import cached_per_plan
from ...ranking._plan import Plan
from ...ranking._residual_plan import ResidualPlan
from ..base import SummingEngine, all_summed
from ..finish import check_range
from ..normalizers import query_factors
from ..pair_losses import SQUARED_RESIDUAL
from ..spec import PairSum, Sums
from .memory import Memory
from .native import native
from .native_plan import native_plan, readable
from .threads import available_cores


class ResidualEngine(SummingEngine):
    """Sums of the squared differences of residuals, whose means are enough.

    Parameters
    ----------
    n_threads : int or None
        None: as many as this process may use. Results do not depend on the number of threads: one thread sums a query.
    """

    def __init__(self, n_threads: int | None = None) -> None:
        self.n_threads = n_threads

    def supports(self, plan: Plan, spec: PairSum) -> bool:
        return isinstance(plan, ResidualPlan) and spec.pair_loss.name == SQUARED_RESIDUAL.name

    def gradient_hessian(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any = np.float64
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        results = _empty(plan, dtype)
        self._finish(plan, scores, spec, results, adds=False)
        return results

    def add_gradient_hessian(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, total: tuple[NDArray[Any], NDArray[Any]]
    ) -> None:
        self._finish(plan, scores, spec, total, adds=True)

    def sums(self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any, *, loss: bool = False) -> Sums:
        plan.check_scores(scores)
        first, second = _empty(plan, np.float64)
        self._call(plan, scores, spec, np.ones(plan.n_queries), (first, second), loss=loss)
        return Sums(first, second, np.zeros(plan.n_queries), plan.sum_of_phi, all_summed(plan))

    def _finish(
        self,
        plan: Plan,
        scores: NDArray[Any],
        spec: PairSum,
        results: tuple[NDArray[Any], NDArray[Any]],
        adds: bool,
    ) -> None:
        """Write the finished sums into arrays, or add them."""
        # The loop over queries multiplies by their factors, too: passes over the rows would take most of the time.
        if not self._call(plan, scores, spec, query_factors(plan, plan.sum_of_phi, spec), results, adds=adds):
            plan.check_scores(scores)
            check_range(*results)

    def _call(
        self,
        plan: Plan,
        scores: NDArray[Any],
        spec: PairSum,
        factors: NDArray[np.float64],
        results: tuple[NDArray[Any], NDArray[Any]],
        *,
        loss: bool = False,
        adds: bool = False,
    ) -> bool:
        """Call the core for sums times factors of the queries; return whether all results are finite."""
        assert isinstance(plan, ResidualPlan)
        is_finite: bool = native().add_residual(
            native_plan(plan),
            targets=plan.targets,
            scores=readable(scores),
            temperature=spec.temperature,
            hessian_scale=spec.hessian_scale,
            factors=factors,
            is_loss=loss,
            adds=adds,
            first=results[0],
            second=results[1],
            n_threads=self.n_threads or available_cores(),
        )
        return is_finite


def _empty(plan: Plan, dtype: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return arrays for results, with 0 in the rows that take no part, which the core does not write."""
    first, second = (_memory(plan).array(plan.n_rows, dtype) for _ in range(2))
    if plan.rows.size < plan.n_rows:
        first[:] = second[:] = 0.0
    return first, second


@cached_per_plan
def _memory(plan: Plan) -> Memory:
    return Memory()

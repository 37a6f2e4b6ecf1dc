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
        # The loop over queries multiplies by their factors, too: passes over the rows would take most of the time.
        first, second, finite = self._call(plan, scores, spec, dtype, query_factors(plan, plan.sum_of_phi, spec), False)
        if not finite:
            plan.check_scores(scores)
            check_range(first, second)
        return first, second

    def sums(self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any, *, loss: bool = False) -> Sums:
        plan.check_scores(scores)
        first, second, _ = self._call(plan, scores, spec, np.float64, np.ones(plan.n_queries), loss)
        return Sums(first, second, np.zeros(plan.n_queries), plan.sum_of_phi, all_summed(plan))

    def _call(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any, factors: NDArray[np.float64], loss: bool
    ) -> tuple[NDArray[Any], NDArray[Any], bool]:
        """Call the core; return its sums times factors of the queries, and whether all of them are finite."""
        assert isinstance(plan, ResidualPlan)
        memory = _memory(plan)
        first, second = (memory.array(plan.n_rows, dtype) for _ in range(2))
        if plan.rows.size < plan.n_rows:  # the core only writes the rows that take part
            first[:] = second[:] = 0.0
        finite = native().add_residual(
            native_plan(plan),
            targets=plan.targets,
            scores=readable(scores),
            temperature=spec.temperature,
            hessian_scale=spec.hessian_scale,
            factors=factors,
            is_loss=loss,
            first=first,
            second=second,
            n_threads=self.n_threads or available_cores(),
        )
        return first, second, finite


@cached_per_plan
def _memory(plan: Plan) -> Memory:
    return Memory()

"""The separable losses: every pair counts exactly, in O(n) or O(n log n) operations in float64.

A separable loss is a sum of products of a function of the winner's score and a function of the loser's. The sum over
all pairs then follows from sums over rows:

* squared, (margin - d)^2: a polynomial, which needs three moments of the scores;
* exponential, exp(-d): one moment, the sum of exp(score);
* hinge, max(margin - d, 0): separable inside the margin. The pairs inside are found by merging rows that are sorted by
  score, label by label (Lee and Lin, "Large-scale linear RankSVM", Neural Computation 26, 2014).

phi of a pair is ``up`` of its winner minus ``down`` of its loser. These are the rows' values, or 1 and 0.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ranking._cached_per_plan import cached_per_plan
from ...ranking._explicit_plan import ExplicitPlan
from ...ranking._plan import Plan
from ...ranking._table_plan import TablePlan
from ...ranking._validation import Float64Array
from ..base import SummingEngine, all_summed
from ..spec import PairSum, Sums
from .separable_kernels import sum_exponential, sum_hinge, sum_squared
from .threads import TASKS, Threads

#: The names of the separable losses.
SEPARABLE_LOSSES = ("hinge", "squared", "exponential")

# The least number of rows of a task.
_PER_TASK = 20_000


class SeparableEngine(SummingEngine):
    """Sums of the separable losses, with phi that is 1 or a difference of values.

    Parameters
    ----------
    n_threads : int or None
        None: as many as this process may use. One thread sums each query, so that results do not depend on the number
        of threads.
    """

    def __init__(self, n_threads: int | None = None) -> None:
        self.n_threads = n_threads

    def supports(self, plan: Plan, spec: PairSum) -> bool:
        other_pairs = isinstance(plan, (ExplicitPlan, TablePlan)) or spec.negatives is not None
        return spec.pair_loss.name in SEPARABLE_LOSSES and spec.delta is None and not other_pairs

    def sums(self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any, *, loss: bool = False) -> Sums:
        first, second, loss_sum, lambda_sums = self._sum(plan, scores, spec, loss)
        if loss:
            first, second = loss_sum, plan.winner_weight * plan.pair_weights_won
        else:
            with np.errstate(over="ignore"):
                first = first / spec.temperature
                second = second / spec.temperature * (spec.hessian_scale / spec.temperature)
        lambda_sums = lambda_sums / spec.temperature
        return Sums(plan.scatter(first), plan.scatter(second), lambda_sums, plan.sum_of_phi, all_summed(plan))

    def _sum(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, is_loss: bool
    ) -> tuple[Float64Array, Float64Array, Float64Array, Float64Array]:
        """Compute the sums before the factors 1 / T.

        Returns
        -------
        first, second, loss : float64 arrays of shape (n_positions,)
            The sums of l' (negative for losers), of l'', and of the loss of the pairs that each row wins.
        lambda_sums : float64 array of shape (n_queries,)
        """
        plan.check_scores(scores)
        first, second, loss = (np.zeros(plan.rows.shape[0]) for _ in range(3))
        lambda_sums = np.zeros(plan.n_queries)
        loss_parameters = (spec.temperature, *spec.pair_loss.parameters)
        kernel = _KERNELS[spec.pair_loss.name]
        with_lambda_sum = spec.normalize == "log" and not is_loss
        arguments = (
            plan.gather(scores),
            *_kernel_arrays(plan),
            with_lambda_sum,
            loss_parameters,
            first,
            second,
            loss,
            lambda_sums,
        )
        with Threads(self.n_threads) as threads:
            threads.run(lambda queries: kernel(*queries, *arguments), _query_ranges(plan, threads))
        if spec.pair_loss.name == "exponential":
            finite = np.repeat(np.isfinite(lambda_sums), np.diff(plan.ptr)) & np.isfinite(first) & np.isfinite(loss)
            _check_exponential(plan, scores, spec, finite)
        return first, second, loss, lambda_sums


_KERNELS: dict[str, Callable[..., Any]] = {
    "hinge": sum_hinge,
    "squared": sum_squared,
    "exponential": sum_exponential,
}


@cached_per_plan
def _kernel_arrays(plan: Plan) -> tuple[Any, ...]:
    """Return the arrays of a plan that the kernels read.

    They are the starts of queries, the ends of runs, the winner weights, the loser weights, ``up`` and ``down`` of each
    position, and a bool: True if there are weights other than 1.
    """
    n = plan.rows.shape[0]
    up, down = (np.ones(n), np.zeros(n)) if plan.values is None else (plan.centred_values,) * 2
    weighted = plan.has_row_weights
    return plan.ptr, plan.run_end, np.array(plan.winner_weight), np.array(plan.loser_weight), up, down, weighted


def _query_ranges(plan: Plan, threads: Threads) -> list[tuple[int, int]]:
    """Divide the queries into ranges [begin, end) with about equal numbers of rows."""
    n_tasks = min(1 if threads.n == 1 else TASKS * threads.n, 1 + plan.rows.shape[0] // _PER_TASK)
    bounds = np.searchsorted(plan.ptr, np.linspace(0, plan.ptr[-1], n_tasks + 1)[1:-1])
    return list(pairwise(np.unique(np.concatenate(([0], bounds, [plan.n_queries]))).tolist()))


def _check_exponential(plan: Plan, scores: NDArray[Any], spec: PairSum, finite: NDArray[np.bool_]) -> None:
    """Raise a ValueError if the results at a position are not finite."""
    if not finite.all():
        position = int(np.flatnonzero(~finite)[0])
        query = int(plan.query_of_positions[position])
        scores_of_query = plan.gather(scores)[plan.ptr[query] : plan.ptr[query + 1]]
        span = (scores_of_query.max() - scores_of_query.min()) / spec.temperature
        raise ValueError(
            f"the exponential loss overflows at row {plan.rows[position]}, of {plan.query_name(query)}, whose scores "
            f"span {span:.3g} temperatures, in the wrong order. Raise the temperature, lower the learning rate, or use "
            "a loss that grows more slowly"
        )

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

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ranking._explicit_plan import ExplicitPlan
from ...ranking._plan import Plan
from ...ranking._table_plan import TablePlan
from ..base import SummingEngine, all_summed
from ..spec import PairSum, Sums
from .native import native
from .native_plan import native_plan, readable
from .threads import available_cores

#: The names of the separable losses. The index of a name is its number in separable.cpp.
SEPARABLE_LOSSES = ("hinge", "squared", "exponential")


class SeparableEngine(SummingEngine):
    """Sums of the separable losses, with phi that is 1 or a difference of values.

    Parameters
    ----------
    n_threads : int or None
        None: as many as this process may use. Results do not depend on the number of threads: one thread sums a query,
        or each of the fixed parts of a query of more than 65,536 rows.
    """

    def __init__(self, n_threads: int | None = None) -> None:
        self.n_threads = n_threads

    def supports(self, plan: Plan, spec: PairSum) -> bool:
        other_pairs = isinstance(plan, (ExplicitPlan, TablePlan)) or spec.negatives is not None
        return spec.pair_loss.name in SEPARABLE_LOSSES and spec.delta is None and not other_pairs

    def sums(self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any, *, loss: bool = False) -> Sums:
        plan.check_scores(scores)
        name, margin = spec.pair_loss.name, (*spec.pair_loss.parameters, 0.0)[0]
        first, second, lambda_sum = np.zeros(plan.n_rows), np.zeros(plan.n_rows), np.zeros(plan.n_queries)
        native().add_separable(
            native_plan(plan),
            native().SeparableLoss(SEPARABLE_LOSSES.index(name), spec.temperature, margin, spec.hessian_scale),
            scores=readable(scores),
            first=first,
            second=None if loss else second,
            lambda_sums=lambda_sum if spec.normalize == "log" and not loss else None,
            n_threads=self.n_threads or available_cores(),
        )
        if name == "exponential":
            _check_exponential(plan, scores, spec, first, lambda_sum)
        if loss:
            second = plan.scatter(plan.winner_weight * plan.pair_weights_won)
        return Sums(first, second, lambda_sum, plan.sum_of_phi, all_summed(plan))


def _check_exponential(
    plan: Plan, scores: NDArray[Any], spec: PairSum, sums: NDArray[Any], lambda_sum: NDArray[Any]
) -> None:
    """Raise a ValueError if the sums of a row or of a query are not finite."""
    if np.isfinite(sums).all() and np.isfinite(lambda_sum).all():
        return
    query = plan.query_of_positions
    position = int(np.flatnonzero(~(np.isfinite(sums[plan.rows]) & np.isfinite(lambda_sum[query])))[0])
    of_query = scores[plan.rows[query == query[position]]].astype(np.float64)
    span = (float(of_query.max()) - float(of_query.min())) / spec.temperature
    raise ValueError(
        f"the exponential loss overflows at row {plan.rows[position]}, of {plan.query_name(int(query[position]))}, "
        f"whose scores span {span:.3g} temperatures, in the wrong order. Raise the temperature, lower the learning "
        "rate, or use a loss that grows more slowly"
    )

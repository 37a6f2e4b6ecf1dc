"""Losses that are sums of products: every pair exactly, in O(n) or O(n log n) operations of float64.

* squared, (margin - d)^2: a polynomial, three moments of the scores;
* exponential, exp(-d): one moment, of exp(score);
* hinge, max(margin - d, 0): the pairs inside the margin, found by merging rows that are sorted by score, label by label
  (Lee and Lin, "Large-scale linear RankSVM", Neural Computation 26, 2014).

A pair's phi is ``up`` of its winner minus ``down`` of its loser: their values, or 1 and 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ranking._cached_per_plan import cached_per_plan
from ...ranking._plan import Plan
from ...ranking._validation import Float64Array
from ..normalizers import PlainEngine
from ..spec import PairSum
from .separable_kernels import sum_exponential, sum_hinge, sum_squared
from .threads import TASKS, Threads

#: The losses that there are such sums for, by name.
SEPARABLE_LOSSES = ("hinge", "squared", "exponential")

# Rows that each task gets at least.
_PER_TASK = 20_000


class SeparableEngine(PlainEngine):
    """Sums of the separable losses, with phi that is 1 or a difference of values.

    Parameters
    ----------
    n_threads : int or None
        None: as many as this process may use. A query is summed by one thread; results do not depend on their number.
    """

    def __init__(self, n_threads: int | None = None) -> None:
        self.n_threads = n_threads

    def plain_sums(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[NDArray[Any], NDArray[Any], Float64Array]:
        first, second, _, lambda_sums = self._sum(plan, scores, spec)
        scale = spec.hessian_scale / spec.temperature
        with np.errstate(over="ignore"):
            first = first / spec.temperature
            second = second / spec.temperature * scale
        divisors = lambda_sums / spec.temperature
        if spec.normalize == "query":
            divisors = plan.sum_of_phi
        return plan.scatter(first), plan.scatter(second), divisors

    def plain_losses(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[Float64Array, Float64Array]:
        _, _, loss, _ = self._sum(plan, scores, replace(spec, normalize="none"))  # without lambda_sums
        return plan.scatter(loss), plan.scatter(plan.winner_weight * plan.pair_weights_won)

    def _sum(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum
    ) -> tuple[Float64Array, Float64Array, Float64Array, Float64Array]:
        """Sums of l' (of losers as -), of l'', the losses, by position, and the lambda_sums, all before 1 / T."""
        plan.check_scores(scores)
        first, second, loss = (np.zeros(plan.rows.shape[0]) for _ in range(3))
        lambda_sums = np.zeros(plan.n_queries)
        loss_parameters = (spec.temperature, *spec.pair_loss.parameters)
        kernel = _KERNELS[spec.pair_loss.name]
        with_lambda_sum = spec.normalize == "log"
        arguments = (
            plan.gather(scores),
            *_rows(plan),
            with_lambda_sum,
            loss_parameters,
            first,
            second,
            loss,
            lambda_sums,
        )
        with Threads(self.n_threads) as threads:
            threads.run(lambda queries: kernel(*queries, *arguments), _stretches(plan, threads))
        if spec.pair_loss.name == "exponential":
            known = np.repeat(np.isfinite(lambda_sums), np.diff(plan.ptr))
            _check_exponential(plan, scores, spec, known & np.isfinite(first) & np.isfinite(loss))
        return first, second, loss, lambda_sums


_KERNELS: dict[str, Callable[..., Any]] = {
    "hinge": sum_hinge,
    "squared": sum_squared,
    "exponential": sum_exponential,
}


@cached_per_plan
def _rows(plan: Plan) -> tuple[Any, ...]:
    """A plan as the kernels read it.

    The beginnings of queries, the ends of runs, the weights of winners and of losers, ``up`` and ``down`` of each
    position, and whether there are other weights than 1.
    """
    n = plan.rows.shape[0]
    up, down = (np.ones(n), np.zeros(n)) if plan.values is None else (plan.centred_values,) * 2
    weighted = plan.has_row_weights
    return plan.ptr, plan.run_end, np.array(plan.winner_weight), np.array(plan.loser_weight), up, down, weighted


def _stretches(plan: Plan, threads: Threads) -> list[tuple[int, int]]:
    """Stretches of queries with about equal numbers of rows."""
    n_tasks = min(1 if threads.n == 1 else TASKS * threads.n, 1 + plan.rows.shape[0] // _PER_TASK)
    bounds = np.searchsorted(plan.ptr, np.linspace(0, plan.ptr[-1], n_tasks + 1)[1:-1])
    return list(pairwise(np.unique(np.concatenate(([0], bounds, [plan.n_queries]))).tolist()))


def _check_exponential(plan: Plan, scores: NDArray[Any], spec: PairSum, finite: NDArray[np.bool_]) -> None:
    if not finite.all():
        position = int(np.flatnonzero(~finite)[0])
        query = int(plan.query_of_positions[position])
        own = plan.gather(scores)[plan.ptr[query] : plan.ptr[query + 1]]
        raise ValueError(
            f"the exponential loss overflows at row {plan.rows[position]}, of {plan.query_name(query)}, whose "
            f"scores span {(own.max() - own.min()) / spec.temperature:.3g} temperatures, in the wrong order. Raise "
            "the temperature or lower the learning rate, or take a loss that grows slower"
        )

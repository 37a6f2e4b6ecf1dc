"""The CPU engine of the logistic loss: it calls the Numba kernels on the threads of a call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ranking._cached_per_plan import cached_per_plan
from ...ranking._explicit_plan import ExplicitPlan
from ...ranking._plan import Plan
from ...ranking._table_plan import TablePlan
from ...ranking._validation import Float64Array
from ..base import SummingEngine
from ..finish import check_range
from ..normalizers import query_factors
from ..reference import ReferenceEngine
from ..spec import OUT_OF_RANGE, SMALLEST_DISTANCE, DeltaNDCG, PairSum, Sums
from .charges import flows
from .chebyshev import table
from .columns import BEYOND
from .direct import SPREAD
from .large import LARGE, sum_large, sum_large_ndcg
from .ndcg import sum_queries_ndcg
from .ndcg_direct import Exchange
from .query_sums import sum_queries
from .threads import TASKS, Threads
from .work import Work, precision

#: The names of the losses that have kernels here.
PAIR_LOSSES = ("logistic",)

# The ns that further threads must save to be used. The threads of a booster spin for some ms after their work, on the
# cores that the threads of this engine need: in a training on two cores a second thread does not shorten 4 ms of work.
_WORTH_THREADS = 2.5e6

# The least work of a thread, in ns.
_PER_THREAD = 5e5


class CPUEngine(SummingEngine):
    """Sums of the logistic loss over all ordered pairs.

    The cost per row does not grow with the query. With |delta NDCG| it grows with the logarithm of the query's rows.
    |delta NDCG| that is truncated, or divided by the distance of scores, takes time in proportion to its pairs, and one
    thread sums each query. One thread also sums a query whose scores span more than 8192 temperatures.

    Parameters
    ----------
    n_threads : int or None
        None: as many as this process may use.
    fallback : SummingEngine, optional
        The engine for scores that span more than the kernels support; the definition if omitted.

    Notes
    -----
    Errors stay below 1e-6 of a query's largest gradient and 1e-5 of its largest Hessian in float32, and below 1e-12 of
    both in float64. Results are the same, bit for bit, for any number of threads: one task sums each query, or each
    fixed part of a large one, in a fixed order. The threads are Python threads that live for one call, so that forking,
    joblib's workers and nested parallelism are safe.
    """

    def __init__(self, n_threads: int | None = None, fallback: SummingEngine | None = None) -> None:
        self.n_threads = n_threads
        self.fallback: SummingEngine = fallback or ReferenceEngine()

    def supports(self, plan: Plan, spec: PairSum) -> bool:
        listed_or_table = isinstance(plan, (ExplicitPlan, TablePlan)) or spec.negatives is not None
        return spec.pair_loss.name in PAIR_LOSSES and not listed_or_table

    def gradient_hessian(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any = np.float64
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        gradient, hessian, finite = self._sum_all(plan, scores, spec, np.dtype(dtype), np.zeros(plan.n_queries), False)
        if gradient.dtype != dtype:
            with np.errstate(over="ignore"):
                gradient, hessian = gradient.astype(dtype), hessian.astype(dtype)
            finite = False
        if not finite:
            check_range(gradient, hessian)
        return gradient, hessian

    def winner_loss(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any = np.float64
    ) -> tuple[Float64Array, Float64Array]:
        lambda_sums = np.zeros(plan.n_queries)
        if spec.normalize == "log":
            self._sum_all(plan, scores, spec, np.dtype(dtype), lambda_sums, False)
        loss, weight, _ = self._sum_all(plan, scores, spec, np.dtype(dtype), lambda_sums, True)
        loss = loss.astype(np.float64, copy=False)
        if spec.delta is not None:
            return loss, weight.astype(np.float64, copy=False)
        divisors = plan.sum_of_phi if spec.normalize == "query" else np.maximum(lambda_sums, 0.0) / spec.temperature
        factor = query_factors(plan, divisors, spec)
        won = plan.scatter(plan.winner_weight * plan.pair_weights_won * np.repeat(factor, np.diff(plan.ptr)))
        beyond = plan.of_queries(np.flatnonzero(lambda_sums == BEYOND)).rows
        won[beyond] = weight[beyond]
        return loss, won

    def sums(self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any, *, loss: bool = False) -> Sums:
        """Compute the sums by dividing the finished ones by the factors of the queries.

        With |delta NDCG|, ``phi_sum`` is not computed: ``gradient_hessian`` and ``winner_loss`` do not need it.
        """
        plan = _without_query_weights(plan)
        lambda_sums = np.zeros(plan.n_queries)
        spec = spec if spec.normalize == "log" and not loss else replace(spec, normalize="none")
        first, second, _ = self._sum(plan, scores, spec, np.dtype(dtype), lambda_sums, loss)
        status = np.where(lambda_sums < 0, OUT_OF_RANGE, 0).astype(np.uint8)
        lambda_sums = np.maximum(lambda_sums, 0.0) / spec.temperature
        if loss and spec.delta is None:
            second = plan.scatter(plan.winner_weight * plan.pair_weights_won)
        elif spec.normalize == "log":
            factor_of_row = np.ones(plan.n_rows)
            factor_of_row[plan.rows] = np.repeat(query_factors(plan, lambda_sums, spec), np.diff(plan.ptr))
            first, second = first / factor_of_row, second / factor_of_row
        phi_sum = plan.sum_of_phi if spec.delta is None else np.full(plan.n_queries, np.nan)
        return Sums(first, second, lambda_sums, phi_sum, status)

    def _sum_all(
        self,
        plan: Plan,
        scores: NDArray[Any],
        spec: PairSum,
        dtype: np.dtype[Any],
        lambda_sums: Float64Array,
        is_loss: bool,
    ) -> tuple[NDArray[Any], NDArray[Any], bool]:
        """Compute the finished sums, by the fallback engine for the queries that ``_sum`` marks with BEYOND."""
        first, second, finite = self._sum(plan, scores, spec, dtype, lambda_sums, is_loss)
        if (lambda_sums == BEYOND).any():
            plan.check_scores(scores)
            beyond = plan.of_queries(np.flatnonzero(lambda_sums == BEYOND))
            sums = self.fallback.winner_loss if is_loss else self.fallback.gradient_hessian
            if is_loss:  # the loss of such scores may leave the range of float32
                first, second = first.astype(np.float64), second.astype(np.float64)
            for out, result in zip((first, second), sums(beyond, scores, spec, dtype), strict=True):
                out[beyond.rows] = result[beyond.rows]
        return first, second, finite

    def _sum(
        self,
        plan: Plan,
        scores: NDArray[Any],
        spec: PairSum,
        dtype: np.dtype[Any],
        lambda_sums: Float64Array,
        is_loss: bool,
    ) -> tuple[NDArray[Any], NDArray[Any], bool]:
        """Compute gradients and Hessians, or with ``is_loss`` the losses and (for |delta NDCG|) the weights of winners.

        ``lambda_sums``, the sums of phi |l'| of the queries, are written with the gradients and read with the losses.
        BEYOND marks queries whose scores divided by the temperature leave the range of the kernels. The third result is
        True if all results are known to be finite.
        """
        dtype = precision(plan, spec, dtype)
        work = Work.of(plan, scores, spec, dtype, lambda_sums, is_loss)
        with Threads(self.n_threads) as threads:
            finite = _sum_separable(work, threads) if spec.delta is None else _sum_ndcg(work, spec.delta, threads)
        return work.first, work.second, finite


@cached_per_plan
def _without_query_weights(plan: Plan) -> Plan:
    """Return the plan with query weights of 1."""
    return replace(plan, query_weight=np.ones(plan.n_queries))


def _sum_separable(work: Work, threads: Threads) -> bool:
    """Sum all queries, with phi that is 1 or a difference of values. Return True if all results are finite."""
    sizes = np.diff(work.plan.ptr)
    large = sizes > LARGE
    # ns. A row costs about the same in every query; small queries are summed pair by pair, which adds their pairs.
    cost = np.where(large, 0.0, 4.0 * sizes + np.minimum(0.17 * work.plan.n_pairs, 60.0 * sizes))

    def sum_small(queries: tuple[int, int]) -> bool:
        return sum_queries(  # type: ignore[no-any-return]
            *queries,
            work.scores,
            work.rows,
            *work.query_arguments,
            work.flow,
            work.n_channels,
            work.n_targets,
            work.expansion,
            work.first,
            work.second,
        )

    return _run(work, sum_small, cost, large, sum_large, threads)


def _sum_ndcg(work: Work, delta: DeltaNDCG, threads: Threads) -> bool:
    """Sum all queries, with phi = |delta NDCG|. Return True if all results are finite."""
    sizes = np.diff(work.plan.ptr)
    ideal = work.plan.ideal_dcg(delta.truncation)
    exchange = Exchange(
        truncation=int(min(delta.truncation or sizes.max(initial=0), sizes.max(initial=0))),
        base=SMALLEST_DISTANCE if delta.by_distance else 1.0,
        slope=float(delta.by_distance),
        per_ideal=np.divide(1.0, ideal, out=np.zeros_like(ideal), where=ideal > 0),
        few=1 / np.log2(np.arange(4096) + 2.0),
    )
    query_weight, _, lambda_sums, parameters = work.query_arguments
    loss_table = table(len(work.expansion.terms), work.expansion.near, True)

    def sum_some(queries: tuple[int, int]) -> bool:
        return sum_queries_ndcg(  # type: ignore[no-any-return]
            *queries,
            work.scores,
            work.rows,
            query_weight,
            exchange,
            lambda_sums,
            parameters,
            work.flow,
            (work.n_channels, work.n_targets),
            flows(4, False, False, True),
            (work.expansion, loss_table),
            work.first,
            work.second,
        )

    large = (sizes > LARGE) & (delta.truncation is None and not delta.by_distance)
    cost = np.where(large, 0.0, 60.0 * sizes + np.minimum(0.4 * work.plan.n_pairs, 500.0 * sizes))

    def sum_alone(work: Work, query: int, threads: Threads) -> bool:
        return sum_large_ndcg(work, query, exchange, threads)

    return _run(work, sum_some, cost, large, sum_alone, threads)


def _run(
    work: Work,
    sum_some: Callable[[tuple[int, int]], bool],
    cost: Float64Array,
    large: NDArray[np.bool_],
    sum_alone: Callable[[Work, int, Threads], bool],
    threads: Threads,
) -> bool:
    """Sum all queries: the large ones, and those whose scores are spread wide, one at a time; the others in ranges.

    ``sum_some`` sums a range of queries, and ``sum_alone`` one query on all threads. Return True if all results are
    finite.
    """
    before = work.lambda_sums.copy()
    finite = threads.run(sum_some, _query_ranges(cost, large, threads))
    for query in np.flatnonzero(large | (work.lambda_sums == SPREAD)):
        work.lambda_sums[query] = before[query]
        finite.append(sum_alone(work, int(query), threads))
    return all(finite)


def _query_ranges(cost: Float64Array, large: NDArray[np.bool_], threads: Threads) -> list[tuple[int, int]]:
    """Divide the queries that are not large into ranges [begin, end) of decreasing cost.

    The cost decreases so that the threads end at about the same time.
    """
    if threads.n == 1 and not large.any():
        return [(0, cost.size)]
    total = np.concatenate(([0.0], np.cumsum(cost)))
    n = min(threads.n, 1 + int(total[-1] / _PER_THREAD))
    n_tasks = TASKS * n if total[-1] * (1 - 1 / n) > _WORTH_THREADS else 1
    shares = 1 - np.linspace(1, 0, n_tasks + 1)[1:-1] ** 2
    bounds = {0, cost.size, *np.searchsorted(total, shares * total[-1]).tolist()}
    for query in np.flatnonzero(large).tolist():
        bounds.update((query, query + 1))
    return [(a, b) for a, b in pairwise(sorted(bounds)) if not large[a]]

"""The CPU engine: Numba kernels on the caller's and other threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...ranking._plan import Plan
from ...ranking._validation import Float64Array
from ..normalizers import query_factors
from ..reference import ReferenceEngine
from ..spec import SMALLEST_DISTANCE, DeltaNDCG, PairSum, check_range
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

#: The losses that there are kernels for, by name.
PAIR_LOSSES = ("logistic",)

# ns that threads must save to pay. The boosters' own threads go on spinning for some ms after their work, on the cores
# that ours would need: in a training on two cores a second thread makes 4 ms of work no shorter.
_WORTH_THREADS = 2.5e6

# ns of work that each thread gets at least.
_PER_THREAD = 5e5


class CPUEngine:
    """Sums over all pairs at a cost per row that does not grow with the query; with |delta NDCG|, with its logarithm.

    Truncated |delta NDCG| takes time in proportion to its pairs. One query of that, or of scores that span more than
    8192 temperatures, is summed by one thread.

    Parameters
    ----------
    n_threads : int or None
        None: as many as this process may use.

    Notes
    -----
    Errors stay below 1e-6 of a query's largest gradient and 1e-5 of its largest Hessian in float32, and 1e-12 in
    float64. Results are the same, bit for bit, for any number of threads: each query, or each fixed part of a large
    one, is summed by one task in a fixed order. Threads are Python's own and live for one call, so that forking,
    joblib's workers and nested parallelism are safe.
    """

    takes_device_arrays: ClassVar[bool] = False

    def __init__(self, n_threads: int | None = None) -> None:
        self.n_threads = n_threads

    def gradient_hessian(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        gradient, hessian, finite = self._sum(plan, scores, spec, np.dtype(dtype), np.zeros(plan.n_queries), False)
        if gradient.dtype != dtype:
            with np.errstate(over="ignore"):
                gradient, hessian = gradient.astype(dtype), hessian.astype(dtype)
            finite = False
        if not finite:
            check_range(gradient, hessian)
        return gradient, hessian

    def winner_loss(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[Float64Array, Float64Array]:
        lambda_sums = np.zeros(plan.n_queries)
        if spec.normalize == "log":
            self._sum(plan, scores, spec, np.dtype(dtype), lambda_sums, False)
        loss, weight, _ = self._sum(plan, scores, spec, np.dtype(dtype), lambda_sums, True)
        loss = loss.astype(np.float64, copy=False)
        if spec.delta is not None:
            return loss, weight.astype(np.float64, copy=False)
        divisors = plan.sum_of_phi if spec.normalize == "query" else np.maximum(lambda_sums, 0.0) / spec.temperature
        factor = query_factors(plan, divisors, spec)
        won = plan.scatter(plan.winner_weight * plan.pair_weights_won * np.repeat(factor, np.diff(plan.ptr)))
        beyond = plan.of_queries(np.flatnonzero(lambda_sums == BEYOND)).rows
        won[beyond] = weight[beyond]
        return loss, won

    def plain_sums(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[NDArray[Any], NDArray[Any], Float64Array]:
        """As ``factors.PlainSums``; a lambda_sum below 0 says that it is not known (and the sums neither)."""
        lambda_sums = np.zeros(plan.n_queries)
        first, second, _ = self._sum(plan, scores, spec, np.dtype(dtype), lambda_sums, False)
        lambda_sums = np.where(lambda_sums < 0, -1.0, lambda_sums / spec.temperature)
        own = np.ones(plan.n_rows)
        own[plan.rows] = np.repeat(query_factors(plan, np.maximum(lambda_sums, 0.0), spec), np.diff(plan.ptr))
        return first / own, second / own, lambda_sums

    def plain_losses(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[Float64Array, Float64Array]:
        return self.winner_loss(plan, scores, replace(spec, normalize="none"), dtype)

    def _sum(
        self,
        plan: Plan,
        scores: NDArray[Any],
        spec: PairSum,
        dtype: np.dtype[Any],
        lambda_sums: Float64Array,
        is_loss: bool,
    ) -> tuple[NDArray[Any], NDArray[Any], bool]:
        """Gradients and Hessians, or losses; and whether they are known to be finite.

        ``lambda_sums`` of the queries are written with the gradients and read with the losses.
        """
        dtype = precision(plan, spec, dtype)
        work = Work.of(plan, scores, spec, dtype, lambda_sums, is_loss)
        with Threads(self.n_threads) as threads:
            finite = _sum_separable(work, threads) if spec.delta is None else _sum_ndcg(work, spec.delta, threads)
        first, second = work.first, work.second
        if (lambda_sums == BEYOND).any():
            plan.check_scores(scores)
            # Scores that even float64 cannot divide by the temperature.
            beyond = plan.of_queries(np.flatnonzero(lambda_sums == BEYOND))
            reference = ReferenceEngine()
            sums = reference.winner_loss if is_loss else reference.gradient_hessian
            if is_loss:  # of such scores it may be beyond float32
                first, second = first.astype(np.float64), second.astype(np.float64)
            for out, result in zip((first, second), sums(beyond, scores, spec, dtype), strict=True):
                out[beyond.rows] = result[beyond.rows]
        return first, second, finite


def _sum_separable(work: Work, threads: Threads) -> bool:
    """Sum all queries, with phi that is 1 or a difference of values; returns whether all results are finite."""
    sizes = np.diff(work.plan.ptr)
    large = sizes > LARGE
    # Rows cost about the same whatever the query, but for the pairs of small ones.
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
    """Sum all queries, with phi = |delta NDCG|; returns whether all results are finite."""
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
    """Sum stretches of the queries, and those alone that are large or need it; returns whether results are finite."""
    before = work.lambda_sums.copy()
    finite = threads.run(sum_some, _stretches(cost, large, threads))
    for query in np.flatnonzero(large | (work.lambda_sums == SPREAD)):
        work.lambda_sums[query] = before[query]
        finite.append(sum_alone(work, int(query), threads))
    return all(finite)


def _stretches(cost: Float64Array, large: NDArray[np.bool_], threads: Threads) -> list[tuple[int, int]]:
    """Stretches of the queries that are not large, of less and less cost: threads end at about the same time."""
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

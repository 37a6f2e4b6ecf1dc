"""The CPU engine: Numba kernels on a thread pool."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from queue import SimpleQueue
from threading import Thread
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..plan import Plan
from ..validation import Float64Array
from . import SMALLEST_DISTANCE, PairSum, check_range
from .charges import Rows, flows
from .chebyshev import WIDTH, Table, table
from .direct import BEYOND, MAGNITUDE, centre_matters
from .lanes import LANES
from .memory import Memory
from .ndcg import sum_queries_ndcg
from .ndcg_direct import Exchange
from .query_sums import (
    centre_of,
    centre_scores,
    cross,
    factors,
    loss_factors,
    panels_of,
    plant,
    read_scores,
    sum_down,
    sum_queries,
    sum_up,
    write_scaled,
)
from .reference import ReferenceEngine

#: The losses that there are kernels for, by name.
PAIR_LOSSES = ("logistic",)

_NORMALIZERS = {"none": 0, "query": 1, "log": 2}

# A query of more rows than this is shared by the threads, in parts that do not depend on their number.
_LARGE = 65536

# How many tasks each thread gets: more are better balanced, fewer cost less.
_TASKS = 6

# ns of work from which on starting threads pays.
_WORTH_THREADS = 1e6


class CPUEngine:
    """Sums over all pairs at a cost per row that does not grow with the query.

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

    def __init__(self, n_threads: int | None = None) -> None:
        self.n_threads = n_threads

    def gradient_hessian(
        self, plan: Plan, scores: NDArray[Any], pairs: PairSum, dtype: Any
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        gradient, hessian, _ = self._sum(plan, scores, pairs, np.dtype(dtype), None)
        if gradient.dtype != dtype:
            with np.errstate(over="ignore"):
                gradient, hessian = gradient.astype(dtype), hessian.astype(dtype)
            check_range(gradient, hessian)
        return gradient, hessian

    def winner_loss(
        self, plan: Plan, scores: NDArray[Any], pairs: PairSum, dtype: Any
    ) -> tuple[Float64Array, Float64Array]:
        strengths = np.zeros(plan.n_queries)
        if pairs.normalize == "log":
            _, _, strengths = self._sum(plan, scores, pairs, np.dtype(dtype), None)
        loss, weight, _ = self._sum(plan, scores, pairs, np.dtype(dtype), strengths)
        loss = loss.astype(np.float64, copy=False)
        if pairs.delta is not None:
            return loss, weight.astype(np.float64, copy=False)
        factor = loss_factors(plan.ptr, *_query_arguments(plan, strengths, pairs))
        weight = plan.winner_weight * plan.pair_weights_won * np.repeat(factor, np.diff(plan.ptr))
        return loss, plan.scatter(weight)

    def _sum(
        self,
        plan: Plan,
        scores: NDArray[Any],
        pairs: PairSum,
        dtype: np.dtype[Any],
        strengths: Float64Array | None,
    ) -> tuple[NDArray[Any], NDArray[Any], Float64Array]:
        """Gradients, Hessians and strengths of the queries; or, with strengths given, losses."""
        is_loss = strengths is not None
        if strengths is None:
            strengths = np.zeros(plan.n_queries)
        if pairs.delta is not None and pairs.delta.by_distance:
            dtype = np.dtype(np.float64)  # float32 has no digits for distances of 0.01 of scores in the tens
        work = _Work.of(plan, scores, pairs, dtype, strengths, is_loss)
        with _Threads(self.n_threads) as threads:
            finite = work.sum_ndcg(pairs, threads) if pairs.delta is not None else work.sum_separable(threads)
        if (strengths == BEYOND).any():
            plan.check_scores(scores)
            # Scores that even float64 cannot divide by the temperature.
            reference = ReferenceEngine()
            if is_loss:
                work.first[:], work.second[:] = reference.winner_loss(plan, scores, pairs, dtype)
            else:
                work.first[:], work.second[:] = reference.gradient_hessian(plan, scores, pairs, dtype)
        elif not finite and not is_loss:
            check_range(work.first, work.second)
        return work.first, work.second, strengths


def _query_arguments(plan: Plan, strengths: Float64Array, pairs: PairSum) -> tuple[Any, ...]:
    parameters = (pairs.temperature, _NORMALIZERS[pairs.normalize], pairs.hessian_scale)
    return plan.query_weight, plan.sum_of_phi, strengths, parameters


@dataclass(frozen=True)
class _Work:
    """One call: what the kernels read and write."""

    plan: Plan
    rows: Rows
    scores: Float64Array
    query_arguments: tuple[Any, ...]
    temperature: float
    flow: NDArray[np.int64]
    n_channels: int
    n_targets: int
    expansion: Table
    memory: Memory
    first: NDArray[Any]
    second: NDArray[Any]

    @classmethod
    def of(
        cls,
        plan: Plan,
        scores: NDArray[Any],
        pairs: PairSum,
        dtype: np.dtype[Any],
        strengths: Float64Array,
        is_loss: bool,
    ) -> _Work:
        kept = _Kept.of(plan)
        rows = kept.rows
        first, second = (kept.memory.array(plan.n_rows, dtype) for _ in range(2))
        if plan.rows.size < plan.n_rows:  # the kernels write the rows that take part
            first[:] = second[:] = 0.0
        weighted, valued = rows.winner_weight.size > 0, rows.value.size > 0
        with_strength = pairs.normalize == "log" and not is_loss
        powers = 4 if pairs.delta is not None else 2 if valued else 1
        # Chebyshev terms and near panels: errors of 1e-7 and 1e-14 of what is summed.
        terms, near = (8, 9) if dtype == np.float32 else (18, 18)
        return cls(
            plan=plan,
            rows=rows,
            scores=np.ascontiguousarray(scores, dtype=np.float64),
            query_arguments=_query_arguments(plan, strengths, pairs),
            temperature=pairs.temperature,
            flow=flows(powers, weighted, with_strength, is_loss),
            n_channels=powers * ((3 if with_strength else 2) if weighted else 1),
            n_targets=powers * (2 if weighted else 1),
            expansion=table(terms, near, is_loss),
            memory=kept.memory,
            first=first,
            second=second,
        )

    def sum_separable(self, threads: _Threads) -> bool:
        """Sum all queries, with phi that is 1 or a difference of values; returns whether all results are finite."""
        sizes = np.diff(self.plan.ptr)
        large = sizes > _LARGE
        # Rows cost about the same whatever the query, but for the pairs of small ones.
        cost = np.where(large, 0.0, 20.0 * sizes + np.minimum(0.2 * self.plan.n_pairs, 60.0 * sizes))

        def sum_small(queries: tuple[int, int]) -> bool:
            return sum_queries(  # type: ignore[no-any-return]
                *queries,
                self.scores,
                self.rows,
                *self.query_arguments,
                self.flow,
                self.n_channels,
                self.n_targets,
                self.expansion,
                self.first,
                self.second,
            )

        finite = threads.run(sum_small, _stretches(cost, large, threads))
        finite += [self.sum_large(int(query), threads) for query in np.flatnonzero(large)]
        return all(finite)

    def sum_ndcg(self, pairs: PairSum, threads: _Threads) -> bool:
        """Sum all queries, with phi = |delta NDCG|; returns whether all results are finite."""
        assert pairs.delta is not None
        sizes = np.diff(self.plan.ptr)
        ideal = self.plan.ideal_dcg(pairs.delta.truncation)
        exchange = Exchange(
            truncation=pairs.delta.truncation or int(sizes.max(initial=0)),
            base=SMALLEST_DISTANCE if pairs.delta.by_distance else 1.0,
            slope=float(pairs.delta.by_distance),
            per_ideal=np.divide(1.0, ideal, out=np.zeros_like(ideal), where=ideal > 0),
            few=1 / np.log2(np.arange(4096) + 2.0),
        )
        query_weight, _, strengths, parameters = self.query_arguments
        loss_table = table(len(self.expansion.terms), self.expansion.near, True)

        def sum_some(queries: tuple[int, int]) -> bool:
            return sum_queries_ndcg(  # type: ignore[no-any-return]
                *queries,
                self.scores,
                self.rows,
                query_weight,
                exchange,
                strengths,
                parameters,
                self.flow,
                (self.n_channels, self.n_targets),
                flows(4, False, False, True),
                (self.expansion, loss_table),
                self.first,
                self.second,
            )

        cost = 60.0 * sizes + np.minimum(0.4 * self.plan.n_pairs, 500.0 * sizes)
        return all(threads.run(sum_some, _stretches(cost, np.zeros(sizes.size, dtype=np.bool_), threads)))

    def sum_large(self, query: int, threads: _Threads) -> bool:
        """Sum one large query in steps that the threads share; returns whether its results are finite."""
        begin, end = int(self.plan.ptr[query]), int(self.plan.ptr[query + 1])
        n = end - begin
        rows, expansion = self.rows, self.expansion
        row = rows.row[begin:end]
        chunks = threads.stretches(n, LANES)
        padded = self.memory.array(n + LANES, np.float64)
        x = padded[:n]
        found = threads.run(lambda task: read_scores(*task, self.scores, row, padded), chunks)
        low, high = min(chunk[0] for chunk in found), max(chunk[1] for chunk in found)
        strengths = self.query_arguments[2]
        if not all(chunk[2] for chunk in found) or max(-low, high) / self.temperature > MAGNITUDE:
            strengths[query] = BEYOND
            return True
        if self.temperature != 1.0:
            centre = centre_of(x) if centre_matters.py_func(low, high, self.temperature) else 0.0
            threads.run(lambda task: centre_scores(*task, centre, self.temperature, x), chunks)
            low, high = (low - centre) / self.temperature, (high - centre) / self.temperature
        position, slots = panels_of(x, low, high)
        if position.size == 0:
            position = np.unique(np.floor(x / WIDTH))
        tree, subtrees = plant(n, begin, rows, position.size, expansion.near, self.flow.shape[0])
        moments = np.empty((tree.shape[1], self.n_channels, position.size, len(expansion.terms)))
        parts = [slice(*stretch) for stretch in threads.stretches(len(subtrees))]
        threads.run(
            lambda part: sum_up(subtrees[part], x, begin, tree, rows, position, slots, expansion, moments), parts
        )
        coefficients, strength = cross(subtrees, tree, self.flow, position, expansion, moments, self.n_targets)
        first, second = (self.memory.array(n + LANES, self.first.dtype) for _ in range(2))
        first[n:] = second[n:] = 0.0
        strength += np.concatenate(
            threads.run(
                lambda part: sum_down(
                    subtrees[part],
                    x,
                    begin,
                    tree,
                    rows,
                    self.flow,
                    position,
                    slots,
                    expansion,
                    moments,
                    coefficients[part],
                    first,
                    second,
                ),
                parts,
            )
        ).sum()
        if not expansion.is_loss:
            strengths[query] = strength
        factor, factor_second = factors(query, *self.query_arguments, n, expansion.is_loss)
        return all(
            threads.run(
                lambda task: write_scaled(*task, row, first, second, factor, factor_second, self.first, self.second),
                chunks,
            )
        )


def _stretches(cost: Float64Array, large: NDArray[np.bool_], threads: _Threads) -> list[tuple[int, int]]:
    """Stretches of the queries that are not large, of less and less cost: threads end at about the same time."""
    if threads.n == 1 and not large.any():
        return [(0, cost.size)]
    total = np.concatenate(([0.0], np.cumsum(cost)))
    n_tasks = 1 if threads.n == 1 or total[-1] < _WORTH_THREADS else _TASKS * threads.n
    shares = 1 - np.linspace(1, 0, n_tasks + 1)[1:-1] ** 2
    bounds = {0, cost.size, *np.searchsorted(total, shares * total[-1]).tolist()}
    for query in np.flatnonzero(large).tolist():
        bounds.update((query, query + 1))
    return [(a, b) for a, b in pairwise(sorted(bounds)) if not large[a]]


class _Threads:
    """Threads for the length of one call, that of the caller among them; with one, no others.

    They are Python's own, and started anew: there are none that a fork could lose.
    """

    def __init__(self, n_threads: int | None) -> None:
        self.n = n_threads or available_cores()
        self._others: list[Thread] = []
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def __enter__(self) -> _Threads:
        return self

    def __exit__(self, *_: object) -> None:
        for _other in self._others:
            self._work.put(None)
        for other in self._others:
            other.join()

    def run(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> list[Any]:
        """The function's results, in the order of the tasks."""
        if self.n == 1 or len(tasks) < 2:
            return [function(task) for task in tasks]
        while len(self._others) < self.n - 1:
            self._others.append(Thread(target=self._serve, daemon=True))
            self._others[-1].start()
        results: list[Any] = [None] * len(tasks)
        waiting, done = deque(range(len(tasks))), SimpleQueue[BaseException | None]()

        def work() -> None:
            failure: BaseException | None = None
            try:
                while True:
                    try:
                        task = waiting.popleft()
                    except IndexError:
                        break
                    results[task] = function(tasks[task])
            except BaseException as error:
                waiting.clear()
                failure = error
            done.put(failure)

        for _other in self._others:
            self._work.put(work)
        work()
        failures = [failure for failure in (done.get() for _ in range(self.n)) if failure is not None]
        if failures:
            raise failures[0]
        return results

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()

    def stretches(self, size: int, step: int = 1) -> list[tuple[int, int]]:
        """About equal stretches of ``range(size)`` to share, of whole multiples of ``step`` but for the last."""
        n_tasks = 1 if self.n == 1 else _TASKS * self.n
        length = max(1, -(-size // (n_tasks * step))) * step
        return [(start, min(start + length, size)) for start in range(0, size, length)]


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class _Kept:
    """What is kept as long as a plan: its arrays as the kernels read them, and the memory of its calls."""

    rows: Rows
    memory: Memory

    @classmethod
    def of(cls, plan: Plan) -> _Kept:
        kept = _KEPT.get(plan)
        if kept is None:
            none = np.empty(0)
            weighted = bool((plan.winner_weight != 1).any() or (plan.loser_weight != 1).any())
            rows = Rows(
                row=plan.rows.view(f"u{plan.rows.itemsize}"),
                ptr=plan.ptr,
                run_begin=plan.run_begin,
                run_end=plan.run_end,
                last_run=np.append(plan.run_begin, 0)[plan.ptr[1:] - 1].astype(np.int64),
                winner_weight=np.ascontiguousarray(plan.winner_weight) if weighted else none,
                loser_weight=np.ascontiguousarray(plan.loser_weight) if weighted else none,
                value=none if plan.values is None else plan.values,
            )
            kept = _KEPT[plan] = cls(rows, Memory())
        return kept


_KEPT: WeakKeyDictionary[Plan, _Kept] = WeakKeyDictionary()

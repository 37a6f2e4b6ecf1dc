"""The CPU engine of the logistic loss: it hands plans, scores and tables to the compiled core."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...ranking._cached_per_plan import cached_per_plan
from ...ranking._explicit_plan import ExplicitPlan
from ...ranking._plan import Plan
from ...ranking._table_plan import TablePlan
from ...ranking._validation import Float64Array
from ..base import SummingEngine
from ..expansion import count_channels, expansion_of, flows, powers_of, precision
from ..finish import check_range
from ..normalizers import CODES
from ..reference import ReferenceEngine
from ..spec import SMALLEST_DISTANCE, PairSum, RankNoise, Sums
from .memory import Memory
from .native import native
from .native_plan import native_plan, readable
from .threads import available_cores

#: The names of the losses that this engine supports.
PAIR_LOSSES = ("logistic",)

# The discounts of the first ranks, since logarithms are slow.
_FIRST_DISCOUNTS = 1 / np.log2(np.arange(4096) + 2.0)


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
        The engine for scores that span more than the core supports; the definition if omitted.

    Notes
    -----
    Errors stay below 1e-6 of a query's largest gradient and 1e-5 of its largest Hessian in float32, and below 1e-12 of
    both in float64, as long as scores are less than 1000 temperatures apart. (Scores over the temperature are rounded
    to 1e-16 of their span.) Results are the same, bit for bit, for any number of threads: one task sums each query, or
    each fixed part of a large one, in a fixed order. The threads live for one call, so that forking, joblib's workers
    and nested parallelism are safe.
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
        # The loop over queries finishes the sums, too: another pass over the rows would take a third of the time.
        call = self._call(plan, scores, spec, np.dtype(dtype), loss=False, finishes=True)
        if call.sums.status.any():
            return super().gradient_hessian(plan, scores, spec, dtype)
        if not call.finite and call.sums.first.dtype == np.float32:  # a sum may be larger than the result
            call = self._call(plan, scores, spec, np.dtype(np.float64), loss=False, finishes=True)
        first, second = call.sums.first, call.sums.second
        if first.dtype != dtype:
            with np.errstate(over="ignore"):  # check_range raises the error
                first, second = first.astype(dtype), second.astype(dtype)
        if not call.finite or first.dtype != call.sums.first.dtype:
            check_range(first, second)
        return first, second

    def sums(self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any, *, loss: bool = False) -> Sums:
        call = self._call(plan, scores, spec, np.dtype(dtype), loss=loss, finishes=False)
        if (
            not call.finite and dtype == np.float32
        ):  # without its factor, the sum of a query may be larger than the result
            call = self._call(plan, scores, spec, np.dtype(np.float64), loss=loss, finishes=False)
        sums = call.sums
        if loss and spec.delta is None:
            sums = sums._replace(second=plan.scatter(plan.winner_weight * plan.pair_weights_won))
        return sums

    def _call(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: np.dtype[Any], loss: bool, finishes: bool
    ) -> _Call:
        """Call the core: for finished gradients and Hessians, or for sums without the factors of the queries."""
        core = native()
        dtype = precision(plan, spec, dtype)
        prepared = _prepare(plan)
        powers, weighted = powers_of(plan, spec), plan.has_row_weights
        with_lambda_sum = spec.normalize == "log" and not loss
        first, second = (prepared.memory.array(plan.n_rows, dtype) for _ in range(2))
        if plan.rows.size < plan.n_rows:  # the core only writes the rows that take part
            first[:] = second[:] = 0.0
        by_query = spec.normalize == "query"
        if spec.delta is not None:
            delta, phi_sum = _delta(plan, spec, dtype), np.zeros(plan.n_queries)
        else:
            delta, phi_sum = None, plan.sum_of_phi if by_query else np.zeros(plan.n_queries)
        sums = Sums(first, second, np.zeros(plan.n_queries), phi_sum, np.zeros(plan.n_queries, dtype=np.uint8))
        finite = core.add_logistic(
            native_plan(plan),
            _fast_sum(dtype, powers, weighted, with_lambda_sum, loss),
            delta,
            scores=readable(scores),
            temperature=spec.temperature,
            normalizer=CODES[spec.normalize] if finishes else CODES["none"],
            hessian_scale=spec.hessian_scale,
            counts_phi=by_query and spec.delta is not None,
            query_weight=prepared.query_weight if finishes else None,
            first=first,
            second=second,
            lambda_sums=sums.lambda_sum,
            phi_sums=sums.phi_sum,
            status=sums.status,
            n_threads=self.n_threads or available_cores(),
        )
        return _Call(sums, finite)


class _Call(NamedTuple):
    """The results of a call of the core, and True if they are known to be finite."""

    sums: Sums
    finite: bool


class _Prepared(NamedTuple):
    """Values kept with a plan: its query weights, and the memory that its calls share."""

    query_weight: Float64Array
    memory: Memory


@cached_per_plan
def _prepare(plan: Plan) -> _Prepared:
    return _Prepared(np.array(plan.query_weight), Memory())


@cache
def _fast_sum(dtype: np.dtype[Any], powers: int, weighted: bool, with_lambda_sum: bool, loss: bool) -> Any:
    expansion = expansion_of(dtype, loss)
    table = flows(powers, weighted, with_lambda_sum, loss)
    n_channels, n_targets = count_channels(powers, weighted, with_lambda_sum)
    return native().FastSum(
        expansion.kernels.ravel(),
        expansion.rising,
        expansion.falling,
        expansion.near,
        expansion.is_loss,
        table.ravel(),
        n_channels,
        n_targets,
        powers,
    )


def _delta(plan: Plan, spec: PairSum, dtype: np.dtype[Any]) -> Any:
    """Return what phi = |delta NDCG| depends on, as the core reads it."""
    assert spec.delta is not None
    longest = int(np.diff(plan.ptr).max(initial=0))
    ideal = plan.ideal_dcg(spec.delta.truncation)
    noise = spec.delta.noise or RankNoise(0.0, 0)
    return native().DeltaNDCG(
        min(spec.delta.truncation or longest, longest),
        SMALLEST_DISTANCE if spec.delta.by_distance else 1.0,
        float(spec.delta.by_distance),
        np.divide(1.0, ideal, out=np.zeros_like(ideal), where=ideal > 0),
        _FIRST_DISCOUNTS,
        _fast_sum(dtype, 4, False, False, True),
        noise.scale * spec.temperature,
        noise.seed,
    )

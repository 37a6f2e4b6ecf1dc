"""The CUDA engine of the logistic loss and of squared residuals: CUDA kernels on arrays of a device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ..._device import Device
from ...ranking._plan import Plan
from ...ranking._residual_plan import ResidualPlan
from ...ranking._table_plan import TablePlan
from ..finish import check_range
from ..spec import Engine, PairSum
from .computation import BAD_ROW, NOT_FINITE, SOME_BEYOND, Computation
from .far_field import TooManyPairs
from .launch import scores_on
from .plan import GPUPlan
from .residuals import ResidualComputation
from .support import unsupported

# With device="auto", the largest number of rows of a query of which every pair is summed. Not measured.
_LONGEST_OF_EVERY_PAIR = 1 << 14


def is_expected_to_be_faster(plan: Plan, spec: PairSum) -> bool:
    """Return True if the CUDA engine is expected to be faster than the CPU engine.

    With |delta NDCG| and with a table of weights, the CUDA engine sums pair by pair. The CPU engine does not for long
    queries.
    """
    every_pair = spec.delta is not None or isinstance(plan, TablePlan)
    return not every_pair or int(np.diff(plan.ptr).max(initial=0)) <= _LONGEST_OF_EVERY_PAIR


class GPUEngine:
    """Sums of the logistic loss or of squared residuals over all pairs.

    The cost per row does not grow with the query. Only with |delta NDCG|, and with a table of weights, is the time
    proportional to the number of pairs.

    Parameters
    ----------
    device : Device
    fallback : callable
        A function of a plan and a sum that returns an engine on the CPU. It is called for scores that this engine does
        not support.

    Notes
    -----
    Scores may be NumPy arrays or arrays of the device. Results are arrays of the device. The error bounds are those of
    the CPU engine, except that float32 numbers below 1.2e-38 become 0 (CuPy compiles with this option). Results are the
    same, bit for bit, whenever they are computed again on a device, because every sum has a fixed order. The draws of
    rank noise, and with them the ranks, are those of the CPU engine. The fallback sums the logistic loss of scores that
    span more than 1e8 temperatures, and of large queries whose scores lie in too many panels for trees.
    """

    takes_device_arrays: ClassVar[bool] = True

    def __init__(self, device: Device, fallback: Callable[[Plan, PairSum], Engine]) -> None:
        self.device, self.fallback = device, fallback

    def supports(self, plan: Plan, spec: PairSum) -> bool:
        return unsupported(spec) is None

    def gradient_hessian(self, plan: Plan, scores: Any, spec: PairSum, dtype: Any) -> tuple[Any, Any]:
        with self.device.selected():
            return self._sum(plan, scores, spec, np.dtype(dtype), False)

    def winner_loss(self, plan: Plan, scores: Any, spec: PairSum, dtype: Any) -> tuple[Any, Any]:
        with self.device.selected():
            return self._sum(plan, scores, spec, np.dtype(dtype), True)

    def _sum(self, plan: Plan, scores: Any, spec: PairSum, dtype: np.dtype[Any], is_loss: bool) -> tuple[Any, Any]:
        device = self.device
        result_type = np.dtype(np.float64) if is_loss else dtype
        if plan.rows.shape[0] == 0:
            return device.zeros(plan.n_rows, result_type), device.zeros(plan.n_rows, result_type)
        kind = ResidualComputation if isinstance(plan, ResidualPlan) else Computation
        call = kind(device, plan, GPUPlan.of(plan, device), scores_on(device, scores), spec, dtype)
        call.read()
        if call.forest is not None:
            # The host waits for the scores anyway, to find their panels. It checks them first.
            results_of_fallback = self._handle_status(call, is_loss)
            if results_of_fallback is not None:
                return results_of_fallback
        try:
            results = call.results(is_loss, result_type)
        except TooManyPairs:
            return self._on_host(call, is_loss)
        return self._handle_status(call, is_loss, *results) or results

    def _handle_status(self, call: Computation, is_loss: bool, *results: Any) -> tuple[Any, Any] | None:
        """Act on the status that the kernels report.

        Raise a ValueError for scores or results that are not finite. Return the results of the fallback engine if the
        scores span too wide a range, else None.
        """
        status = self.device.download(call.status)
        if status[BAD_ROW] < call.host_plan.n_rows:
            call.host_plan.check_scores(self.device.download(call.scores))
        if status[SOME_BEYOND]:
            return self._on_host(call, is_loss)
        if status[NOT_FINITE]:
            check_range(*(self.device.download(result) for result in results))
        return None

    def _on_host(self, call: Computation, is_loss: bool) -> tuple[Any, Any]:
        """Compute the results by the fallback engine."""
        engine = self.fallback(call.host_plan, call.spec)
        sums = engine.winner_loss if is_loss else engine.gradient_hessian
        first, second = sums(call.host_plan, self.device.download(call.scores), call.spec, call.dtype)
        return self.device.upload(first), self.device.upload(second)

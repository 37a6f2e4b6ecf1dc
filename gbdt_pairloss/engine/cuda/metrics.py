"""NDCG and pair accuracy on the device: ranks by counting, the cost is that of all pairs of a query."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._device import Device
from ...ranking._plan import Plan
from ...ranking._validation import Float64Array
from .launch import C_TYPES, TILE, WARP, Kernel, launch, scores_on
from .plan import GPUPlan

#: Rows of a query up to which counting takes less time than a copy to the host and a sort there.
MOST_ROWS = 1 << 14


def achieved_dcg(device: Device, plan: Plan, scores: Any, k: int | None, by_order: bool) -> Float64Array:
    """The DCG of each query, with the plan's values as gains, in expectation over the orders of equal scores.

    Parameters
    ----------
    plan : Plan
        With values.
    scores : array of shape (n_rows,)
        On the device.
    k : int or None
        The first ranks that count.
    by_order : bool
        Equal scores stand in the caller's order instead.

    Raises
    ------
    ValueError
        If a score is not finite.
    """
    longest = int(np.diff(plan.ptr).max(initial=0))
    discount = 1.0 / np.log2(np.arange(2, 2 + longest))
    discount[longest if k is None else k :] = 0.0
    return _count(device, plan, scores, np.concatenate(([0.0], np.cumsum(discount))), by_order, 0.0)


def pairs_in_order(device: Device, plan: Plan, scores: Any, tied: float) -> Float64Array:
    """How many pairs of each query are in the right order; one of equal scores counts ``tied``.

    Raises
    ------
    ValueError
        If a score is not finite.
    """
    return _count(device, plan, scores, None, False, tied)


def _count(
    device: Device, plan: Plan, scores: Any, summed: Float64Array | None, by_order: bool, tied: float
) -> Float64Array:
    with device.selected():
        on_device = GPUPlan.of(plan, device)
        n, n_pieces, n_queries = on_device.n, on_device.n_pieces, plan.n_queries
        scores = scores_on(device, scores)
        x, extremes, piece_sum, total = (device.empty(size, np.float64) for size in (n, n_pieces, n_pieces, n_queries))
        status = device.upload(np.array([np.iinfo(np.int32).max, 0, 0], dtype=np.int32))
        right = device.empty(n, np.float64)
        discounted = None if summed is None else device.empty(n, np.float64)

        def run(file: str, name: str, n_threads: int, **arguments: Any) -> None:
            defines = {"REAL": "double"}
            if file == "queries.cu":
                defines.update(SCORE=C_TYPES[scores.dtype], OUT="double")
            launch(device, Kernel(file, name, tuple(defines.items())), -(-n_threads // TILE), **arguments)

        run(
            "queries.cu",
            "read_scores",
            n_pieces * WARP,
            n_pieces=n_pieces,
            piece_begin=on_device.pieces["piece_begin"],
            rows=on_device.rows,
            scores=scores,
            x=x,
            piece_low=extremes,
            piece_high=piece_sum,
            status=status,
        )
        run(
            "metrics.cu",
            "count_rows",
            n,
            n=n,
            range=on_device.ranges.range,
            range_query=on_device.ranges.query,
            query_begin=on_device.query_begin,
            rows=on_device.rows,
            run_end=on_device.runs["run_end"],
            x=x,
            gain=None if summed is None else on_device.gain,
            with_gain=summed is not None,
            summed=None if summed is None else device.upload(summed),
            by_order=by_order,
            tied=tied,
            discounted=discounted,
            right=right,
        )
        run(
            "queries.cu",
            "sum_pieces",
            n_pieces * WARP,
            n_pieces=n_pieces,
            piece_begin=on_device.pieces["piece_begin"],
            counted=right if discounted is None else discounted,
            piece_sum=piece_sum,
        )
        run(
            "metrics.cu",
            "sum_queries",
            n_queries * WARP,
            n_queries=n_queries,
            first_piece=on_device.pieces["first_piece"],
            piece_sum=piece_sum,
            sum=total,
        )
        if device.download(status)[0] < plan.n_rows:
            plan.check_scores(device.download(scores))
        return np.asarray(device.download(total))

"""NDCG and pair accuracy on the device. Ranks are counted, in time proportional to all pairs of rows of a query."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._device import Device
from ...ranking._plan import Plan
from ...ranking._validation import Float64Array
from .launch import C_TYPES, TILE, WARP, Kernel, launch, scores_on
from .plan import GPUPlan

#: The largest number of rows of a query for which counting is expected to take less time than copying to the host and
#: sorting there.
MOST_ROWS = 1 << 14


def achieved_dcg(device: Device, plan: Plan, scores: Any, k: int | None, by_order: bool) -> Float64Array:
    """Compute the DCG of each query, with the values of the plan as gains.

    Parameters
    ----------
    plan : Plan
        A plan with values.
    scores : array of shape (n_rows,)
        An array on the device.
    k : int or None
        The number of first ranks that count. None: all.
    by_order : bool
        True: rows with equal scores are ranked in the caller's order. False: the result is the expectation over all
        orders of rows with equal scores.

    Returns
    -------
    dcg : float64 array of shape (n_queries,)
        A NumPy array.

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
    """Count the pairs of each query that are in the right order. A pair of equal scores counts ``tied``.

    Raises
    ------
    ValueError
        If a score is not finite.
    """
    return _count(device, plan, scores, None, False, tied)


def _count(
    device: Device, plan: Plan, scores: Any, summed: Float64Array | None, by_order: bool, tied: float
) -> Float64Array:
    """Count rows by score, and sum over each query: discounted gains if ``summed`` is given, else pairs in order.

    ``summed`` are the sums of the first 0, 1, 2, ... discounts.
    """
    with device.selected():
        gpu_plan = GPUPlan.of(plan, device)
        n, n_pieces, n_queries = gpu_plan.n, gpu_plan.n_pieces, plan.n_queries
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
            piece_begin=gpu_plan.pieces["piece_begin"],
            rows=gpu_plan.rows,
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
            range=gpu_plan.ranges.range,
            range_query=gpu_plan.ranges.query,
            query_begin=gpu_plan.query_begin,
            rows=gpu_plan.rows,
            run_end=gpu_plan.runs["run_end"],
            x=x,
            gain=None if summed is None else gpu_plan.gain,
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
            piece_begin=gpu_plan.pieces["piece_begin"],
            counted=right if discounted is None else discounted,
            piece_sum=piece_sum,
        )
        run(
            "metrics.cu",
            "sum_queries",
            n_queries * WARP,
            n_queries=n_queries,
            first_piece=gpu_plan.pieces["first_piece"],
            piece_sum=piece_sum,
            sum=total,
        )
        if device.download(status)[0] < plan.n_rows:
            plan.check_scores(device.download(scores))
        return np.asarray(device.download(total))

"""What the metrics compute on a CUDA device, where the scores are; None where the host is faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from .. import _device
from ..ranking._data import RankingData
from ..ranking._plan import Plan, build_plan
from ..ranking._validation import Float64Array
from ._ranking import rows_per_query

# What follows from labels, for as long as the data: an evaluation set is looked at in every round.
_PLANS: WeakKeyDictionary[RankingData, dict[str | None, Plan]] = WeakKeyDictionary()


def dcg_on_device(
    data: RankingData, gain: str, gains: Callable[[], Float64Array], scores: Any, k: int | None, by_order: bool
) -> tuple[Float64Array, Float64Array] | None:
    """The discounted cumulative gain of each query, and the largest that it can have."""
    from ..engine.cuda.metrics import MOST_ROWS, achieved_dcg

    if rows_per_query(data).max(initial=0) > MOST_ROWS:
        return None
    plan = _plan(data, gain, gains)
    return achieved_dcg(_device.device_of(scores), plan, scores, k, by_order), plan.ideal_dcg(k)


def pairs_on_device(data: RankingData, scores: Any, tied: float) -> tuple[Float64Array, Float64Array] | None:
    """The pairs of each query that are in order, those of equal scores at ``tied``, and all of its pairs."""
    from ..engine.cuda.metrics import MOST_ROWS, pairs_in_order

    if rows_per_query(data).max(initial=0) > MOST_ROWS:
        return None
    plan = _plan(data, None, lambda: data.labels)
    return pairs_in_order(_device.device_of(scores), plan, scores, tied), plan.n_pairs.astype(float)


def _plan(data: RankingData, gain: str | None, values: Callable[[], Any]) -> Plan:
    plans = _PLANS.setdefault(data, {})
    if gain not in plans:
        value_of = None if gain is None else _itself
        plans[gain] = build_plan(data, values(), data.mask, "winner", value_of)
    return plans[gain]


def _itself(values: Float64Array) -> Float64Array:
    return values

"""Metrics of scores on a CUDA device; each function returns None if the host is expected to be faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from .. import _device
from ..ranking._data import RankingData
from ..ranking._plan import Plan, build_plan
from ..ranking._validation import Float64Array
from ._ranking import rows_per_query

# Plans follow from labels alone. They are kept as long as the data, since a booster evaluates a set in every round.
_CACHED_PLANS: WeakKeyDictionary[RankingData, dict[str | None, Plan]] = WeakKeyDictionary()


def dcg_on_device(
    data: RankingData, gain: str, gains: Callable[[], Float64Array], scores: Any, k: int | None, by_order: bool
) -> tuple[Float64Array, Float64Array] | None:
    """Return the discounted cumulative gain (DCG) of each query, and that of its ideal order."""
    from ..engine.cuda.metrics import MOST_ROWS, achieved_dcg

    if rows_per_query(data).max(initial=0) > MOST_ROWS:
        return None
    plan = _cached_plan(data, gain, gains)
    return achieved_dcg(_device.device_of(scores), plan, scores, k, by_order), plan.ideal_dcg(k)


def pairs_on_device(data: RankingData, scores: Any, tied: float) -> tuple[Float64Array, Float64Array] | None:
    """Return the number of pairs of each query in the right order (equal scores count ``tied``), and of all pairs."""
    from ..engine.cuda.metrics import MOST_ROWS, pairs_in_order

    if rows_per_query(data).max(initial=0) > MOST_ROWS:
        return None
    plan = _cached_plan(data, None, lambda: data.labels)
    return pairs_in_order(_device.device_of(scores), plan, scores, tied), plan.n_pairs.astype(float)


def _cached_plan(data: RankingData, gain: str | None, values: Callable[[], Any]) -> Plan:
    """Return the plan that sorts rows by ``values()``, built once for each ``gain``; None: the plan has no gains."""
    plans = _CACHED_PLANS.setdefault(data, {})
    if gain not in plans:
        value_of = None if gain is None else _identity
        plans[gain] = build_plan(data, values(), data.mask, "winner", value_of)
    return plans[gain]


def _identity(values: Float64Array) -> Float64Array:
    return values

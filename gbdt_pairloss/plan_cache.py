"""Plans, cached beside the booster's dataset that they belong to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from .data import RankingData
from .plan import Plan
from .training import TrainingWatch


@dataclass
class CachedPlan:
    """A plan, and what watches the first rounds of every training on it (see training.py)."""

    plan: Plan
    watch: TrainingWatch | None = None


@dataclass
class _Entry:
    data: RankingData
    plans: dict[Hashable, CachedPlan] = field(default_factory=dict)


# Keyed by the dataset itself, weakly: LightGBM deep-copies a callable several times, so nothing may hang on the
# objective, and an id() may be handed out again.
_PLANS: WeakKeyDictionary[Any, _Entry] = WeakKeyDictionary()
_LOCK = threading.RLock()


def cached_plan(dataset: Any, data: RankingData, key: Hashable, build: Callable[[RankingData], Plan]) -> CachedPlan:
    """The plan of a dataset, built on first use and again when its labels, groups, weights or mask have changed.

    Parameters
    ----------
    dataset : object
        The booster's dataset; only a weak reference is kept.
    data : RankingData
        What the dataset holds now. It is compared by content: a booster may hand out the same buffer with new
        numbers, or new buffers with the same.
    key : hashable
        The parameters of the objective that the plan depends on.
    build : callable
        ``data -> Plan``.
    """
    with _LOCK:
        entry = _PLANS.get(dataset)
        if entry is None or not entry.data.equals(data):
            entry = _Entry(data.copy())
            _PLANS[dataset] = entry
        if key not in entry.plans:
            entry.plans[key] = CachedPlan(build(entry.data))
        return entry.plans[key]

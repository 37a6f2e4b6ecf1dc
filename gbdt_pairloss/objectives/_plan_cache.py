"""Plans, cached beside the booster's dataset that they belong to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from ..ranking._data import RankingData
from ..ranking._plan import Plan
from ._diagnostics import TrainingWatch


@dataclass
class CachedPlan:
    """A plan, and what watches the first rounds of every training on it (see training.py)."""

    plan: Plan
    watch: TrainingWatch | None = None


@dataclass
class _Entry:
    data: RankingData
    version: Hashable
    plans: dict[Hashable, CachedPlan] = field(default_factory=dict)


# Keyed by the dataset itself, weakly: LightGBM deep-copies a callable several times, so nothing may hang on the
# objective, and an id() may be handed out again.
_PLANS: WeakKeyDictionary[Any, _Entry] = WeakKeyDictionary()
_LOCK = threading.RLock()


def cached_plan(
    dataset: Any,
    read: Callable[[], RankingData],
    key: Hashable,
    build: Callable[[RankingData], Plan],
    version: Hashable = None,
) -> CachedPlan:
    """The plan of a dataset, built on first use and again when its labels, groups, weights or mask have changed.

    Parameters
    ----------
    dataset : object
        The booster's dataset; only a weak reference is kept.
    read : callable
        Returns what the dataset holds now. It is compared by content: a booster may hand out the same buffer with new
        numbers, or new buffers with the same.
    key : hashable
        The parameters of the objective that the plan depends on.
    build : callable
        ``data -> Plan``.
    version : hashable, optional
        Where it is what it was, nothing has changed and nothing is read; None: nobody knows.
    """
    with _LOCK:
        entry = _PLANS.get(dataset)
        if entry is None or version is None or entry.version != version:
            data = read()
            if entry is None or not entry.data.equals(data):
                entry = _Entry(data.copy(), version)
                _PLANS[dataset] = entry
            entry.version = version
        if key not in entry.plans:
            entry.plans[key] = CachedPlan(build(entry.data))
        return entry.plans[key]

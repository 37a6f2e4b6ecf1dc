"""State that objectives keep beside a booster's dataset, as long as the dataset lives.

The state is found by a weak reference to the dataset. It cannot be an attribute of the objective, because LightGBM
deep-copies a callable several times. Nor can its key be the ``id()`` of the dataset, which Python may use again.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from ..ranking._adapter import Adapter, adapter_of
from ._diagnostics import TrainingWatch
from ._plan_cache import PlanCache


class DatasetState:
    """The adapter of a booster's dataset, the plans of the objectives on it, and the watch over each training.

    Parameters
    ----------
    adapter : Adapter
    """

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.plans = PlanCache()
        self._watches: WeakKeyDictionary[Any, TrainingWatch] = WeakKeyDictionary()

    def watch(self, plan: Any) -> TrainingWatch:
        """Return the watch over the trainings on a plan."""
        watch = self._watches.get(plan)
        if watch is None:
            watch = self._watches.setdefault(plan, TrainingWatch(self.adapter.MIN_CHILD_HESSIAN))
        return watch


_STATES: WeakKeyDictionary[Any, DatasetState] = WeakKeyDictionary()


def state_of(dataset: Any) -> DatasetState | None:
    """Return the state beside a booster's dataset; None if ``dataset`` is not a booster's dataset."""
    try:
        state = _STATES.get(dataset)
    except TypeError:  # not hashable, or without weak references: no booster's dataset is
        return None
    if state is None:
        adapter = adapter_of(dataset)
        if adapter is not None:
            state = _STATES.setdefault(dataset, DatasetState(adapter))
    return state

"""Cache for values that are derived from a plan: computed once, and kept as long as the plan."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

from ._plan import Plan

Made = TypeVar("Made")


def cached_per_plan(make: Callable[[Plan], Made]) -> Callable[[Plan], Made]:
    """Cache the results of a function of a plan, as long as the plan is alive.

    A result must not refer to the plan: the reference would keep the plan alive.
    """
    cache: WeakKeyDictionary[Plan, Made] = WeakKeyDictionary()

    @wraps(make)
    def get(plan: Plan) -> Made:
        made = cache.get(plan)
        if made is None:
            made = cache[plan] = make(plan)
        return made

    return get

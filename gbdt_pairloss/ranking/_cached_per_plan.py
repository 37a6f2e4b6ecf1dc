"""What follows from a plan, made once and kept as long as the plan."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar
from weakref import WeakKeyDictionary

from ._plan import Plan

Made = TypeVar("Made")


def cached_per_plan(make: Callable[[Plan], Made]) -> Callable[[Plan], Made]:
    """A function of a plan that is called once for each plan; what it makes may not refer to the plan itself."""
    known: WeakKeyDictionary[Plan, Made] = WeakKeyDictionary()

    @wraps(make)
    def get(plan: Plan) -> Made:
        made = known.get(plan)
        if made is None:
            made = known[plan] = make(plan)
        return made

    return get

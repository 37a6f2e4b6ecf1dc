"""Plans of one dataset, kept until its contents change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any

from ..ranking._data import RankingData


class PlanCache:
    """The plans of one dataset, by the parameters that they depend on."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._data: RankingData | None = None
        self._version: Hashable = None
        self._plans: dict[Hashable, Any] = {}

    def plan(
        self,
        key: Hashable,
        read: Callable[[], RankingData],
        build: Callable[[RankingData], Any],
        version: Hashable = None,
    ) -> Any:
        """Return a plan, built on first use and again when labels, groups, weights or mask have changed.

        Parameters
        ----------
        key : hashable
            The parameters of the objective that the plan depends on.
        read : callable
            A function that reads the dataset. Its results are compared by content: a booster may return the same buffer
            with new numbers, or new buffers with the same numbers.
        build : callable
            A function that makes a plan of the data.
        version : hashable, optional
            Change counter of the dataset: if it is unchanged, the dataset is not read again. None: there is no counter,
            and the dataset is read at every call.
        """
        with self._lock:
            if self._data is None or version is None or self._version != version:
                data = read()
                if self._data is None or not self._data.equals(data):
                    self._data, self._plans = data.copy(), {}
                self._version = version
            if key not in self._plans:
                self._plans[key] = build(self._data)
            return self._plans[key]

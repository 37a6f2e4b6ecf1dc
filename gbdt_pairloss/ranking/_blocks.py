"""A plan taken apart: queries of their own in which every row either wins or loses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._groups import IntArray
from ._plan import Plan, index_type
from ._validation import Float64Array


@dataclass(frozen=True, eq=False)
class Blocks:
    """Some parts of a plan: all rows of [first, split) against all of [split, last), each a query with labels 1 and 0.

    Attributes
    ----------
    plan : Plan
        Of the parts, for rows of its own, one for each position.
    owner : int64 array
        The position in the whole plan of each of these rows.
    query : int64 array
        The query of the whole plan that each part belongs to.
    """

    plan: Plan
    owner: IntArray
    query: IntArray

    @classmethod
    def of(
        cls,
        plan: Plan,
        query: IntArray,
        first: IntArray,
        split: IntArray,
        last: IntArray,
        values_of: Callable[[IntArray, NDArray[np.bool_], IntArray], Float64Array] | None = None,
    ) -> Blocks:
        """The parts of a plan with these bounds.

        ``values_of`` is a function of the positions in the plan, whether they win, and the numbers of their parts.
        Without it values are the plan's.
        """
        sizes = last - first
        ptr = np.concatenate(([0], np.cumsum(sizes)))
        owner = np.arange(ptr[-1]) + np.repeat(first - ptr[:-1], sizes)
        wins = owner < np.repeat(split, sizes)
        values: Float64Array | None
        if values_of is not None:
            values = values_of(owner, wins, np.repeat(np.arange(sizes.shape[0]), sizes))
        else:
            values = None if plan.values is None else plan.values[owner]
        parts = Plan(
            n_rows=owner.shape[0],
            rows=np.arange(owner.shape[0], dtype=index_type(owner.shape[0])),
            ptr=ptr,
            labels=wins.astype(np.float64),
            winner_weight=plan.winner_weight[owner],
            loser_weight=plan.loser_weight[owner],
            query_weight=np.ones(query.shape[0]),
            values=values,
        )
        return cls(parts, owner, query)

    def add(self, values: NDArray[Any], total: Float64Array) -> None:
        """Add one number for each row here to those of the whole plan's positions."""
        total += np.bincount(self.owner, values, minlength=total.shape[0])

    def add_to_queries(self, values: NDArray[Any], total: Float64Array) -> None:
        """Add one number for each part to those of the whole plan's queries."""
        total += np.bincount(self.query, values, minlength=total.shape[0])

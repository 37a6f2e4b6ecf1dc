"""Blocks of a plan: parts in which every row is either a winner or a loser, each treated as a query."""

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
    """Blocks of a plan, as a plan in which each block is a query with labels 1 and 0.

    In a block, all positions of [first, split) beat all positions of [split, last). A position of the plan may be in
    several blocks.

    Attributes
    ----------
    plan : Plan
        The plan of the blocks. It has one row for each position of each block.
    owner : int64 array of shape (n_rows,)
        The position in the whole plan of each row of ``plan``.
    query : int64 array of shape (n_blocks,)
        The query of the whole plan that each block belongs to.
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
        """Make the blocks of a plan with the given bounds.

        Parameters
        ----------
        plan : Plan
            The whole plan.
        query, first, split, last : int64 arrays of shape (n_blocks,)
            The query of each block, and its bounds as positions of the plan.
        values_of : callable, optional
            ``(owner, wins, block) -> values`` gives the values of the blocks' rows, from each row's position in the
            plan, whether it wins, and the number of its block. None: the values of the plan.
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
        block_plan = Plan(
            n_rows=owner.shape[0],
            rows=np.arange(owner.shape[0], dtype=index_type(owner.shape[0])),
            ptr=ptr,
            labels=wins.astype(np.float64),
            winner_weight=plan.winner_weight[owner],
            loser_weight=plan.loser_weight[owner],
            query_weight=np.ones(query.shape[0]),
            values=values,
        )
        return cls(block_plan, owner, query)

    def add(self, values: NDArray[Any], total: Float64Array) -> None:
        """Add a value of each row of the blocks to ``total``, which has one entry per position of the whole plan."""
        total += np.bincount(self.owner, values, minlength=total.shape[0])

    def add_to_queries(self, values: NDArray[Any], total: Float64Array) -> None:
        """Add a value of each block to ``total``, which has one entry per query of the whole plan."""
        total += np.bincount(self.query, values, minlength=total.shape[0])

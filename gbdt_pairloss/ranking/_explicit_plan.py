"""Plans of explicit pairs, which do not depend on the labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ._groups import IntArray
from ._pairs import Pairs
from ._plan import Plan, index_type
from ._validation import Float64Array


@dataclass(frozen=True, eq=False)
class ExplicitPlan(Plan):
    """A plan with a list of pairs, in ascending order of the winners' positions; phi is 1.

    Attributes
    ----------
    winner, loser : int32 or int64 arrays of shape (n_pairs,)
        Positions of the winner and of the loser of each pair.
    pair_weight : float64 array of shape (n_pairs,) or None
        Weight of each pair; None: 1.
    """

    # winner and loser are always given. The default is required because Plan has fields with defaults.
    winner: IntArray = None  # type: ignore[assignment]
    loser: IntArray = None  # type: ignore[assignment]
    pair_weight: Float64Array | None = None

    @classmethod
    def of(cls, plan: Plan, pairs: Pairs) -> ExplicitPlan:
        """Make the plan of explicit pairs of the caller's rows; pairs with a row that takes no part are left out."""
        position = np.full(plan.n_rows, -1, dtype=index_type(plan.n_rows))
        position[plan.rows] = np.arange(plan.rows.shape[0])
        winner, loser, weight = position[pairs.winner], position[pairs.loser], pairs.weight
        inside = (winner >= 0) & (loser >= 0)
        if not inside.all():
            winner, loser = winner[inside], loser[inside]
            weight = None if weight is None else weight[inside]
        # Pairs of one winner, and so of one query, are contiguous: they read neighbouring memory.
        if (winner[1:] < winner[:-1]).any():
            order = np.argsort(winner, kind="stable")
            winner, loser = winner[order], loser[order]
            weight = None if weight is None else weight[order]
        return plan.extended(cls, winner=winner, loser=loser, pair_weight=weight)

    def of_queries(self, queries: IntArray) -> ExplicitPlan:
        positions = self.positions_of(queries)
        new_position = np.full(self.rows.shape[0], -1, dtype=self.winner.dtype)
        new_position[positions] = np.arange(positions.shape[0])
        kept = new_position[self.winner] >= 0
        return replace(
            super().of_queries(queries),
            winner=new_position[self.winner[kept]],
            loser=new_position[self.loser[kept]],
            pair_weight=None if self.pair_weight is None else self.pair_weight[kept],
        )

    @cached_property
    def n_pairs(self) -> IntArray:
        return np.bincount(self.query_of_positions[self.winner], minlength=self.n_queries)

    @cached_property
    def has_weighted_pair(self) -> bool:
        weighs = (self.winner_weight[self.winner] > 0) & (self.loser_weight[self.loser] > 0)
        if self.pair_weight is not None:
            weighs &= self.pair_weight > 0
        return bool((weighs & (self.query_weight[self.query_of_positions[self.winner]] > 0)).any())

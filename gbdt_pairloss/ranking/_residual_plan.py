"""Plans of all pairs of rows, whose losses depend on differences of residuals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ._groups import IntArray
from ._plan import Plan
from ._validation import Float64Array


@dataclass(frozen=True, eq=False)
class ResidualPlan(Plan):
    """A plan of all ordered pairs of two rows of a query, whatever their labels; phi is 1.

    The loss of a pair is a function of the difference of the rows' residuals, d = (s_i - s_j) / T - (t_i - t_j). All
    ``labels`` are 0: the rows of a query are in the caller's order.

    Attributes
    ----------
    targets : float64 array of shape (n_positions,)
        t, the values that the scores over the temperature should have, up to a constant of each query.
    """

    # Always given. The default is required because Plan has fields with defaults.
    targets: Float64Array = None  # type: ignore[assignment]

    def of_queries(self, queries: IntArray) -> ResidualPlan:
        return replace(super().of_queries(queries), targets=self.targets[self.positions_of(queries)])

    @cached_property
    def n_pairs(self) -> IntArray:
        sizes = np.diff(self.ptr)
        return np.asarray(sizes * (sizes - 1))

    @cached_property
    def sum_of_phi(self) -> Float64Array:
        """The square of the number of rows of each query.

        It includes the pair of each row with itself, whose loss is 0, so that "query" divides by the number of rows.
        """
        return np.diff(self.ptr).astype(np.float64) ** 2

    @cached_property
    def pair_weights_won(self) -> Float64Array:
        return self.sum_over_others(self.loser_weight)

    @cached_property
    def has_weighted_pair(self) -> bool:
        weighs = (self.winner_weight > 0) & (self.pair_weights_won > 0)
        return bool((weighs & (self.query_weight[self.query_of_positions] > 0)).any())

    def heaviest(self, weight: Float64Array) -> IntArray:
        """Return the position of the largest weight of each query that has rows; of several, the first."""
        sizes = np.diff(self.ptr)
        starts = self.ptr[:-1][sizes > 0]
        largest = np.repeat(np.maximum.reduceat(weight, starts), sizes[sizes > 0])
        places = np.flatnonzero(weight == largest)
        _, first = np.unique(self.query_of_positions[places], return_index=True)
        return np.asarray(places[first])

    def sum_over_others(self, weight: Float64Array) -> Float64Array:
        """Return the sum of a weight over the other rows of each position's query."""
        if self.rows.shape[0] == 0:
            return np.zeros(0)
        # The largest weight of a query is added last: it must not cost the others their digits.
        sizes = np.diff(self.ptr)
        heaviest = self.heaviest(weight)
        rest = weight.copy()
        rest[heaviest] = 0.0
        rest = np.add.reduceat(rest, self.ptr[:-1][sizes > 0])
        others: Float64Array = np.repeat(rest + weight[heaviest], sizes[sizes > 0]) - weight
        others[heaviest] = rest
        return others

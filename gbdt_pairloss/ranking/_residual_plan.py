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
        return self._sum_over_others(self.loser_weight)

    @cached_property
    def has_weighted_pair(self) -> bool:
        weighs = (self.winner_weight > 0) & (self._sum_over_others(self.loser_weight) > 0)
        return bool((weighs & (self.query_weight[self.query_of_positions] > 0)).any())

    def _sum_over_others(self, weight: Float64Array) -> Float64Array:
        """Return the sum of a weight over the other rows of each position's query."""
        if self.rows.shape[0] == 0:
            return np.zeros(0)
        # Before and after the row, so that a large weight of its own does not cost the digits of the others.
        return (
            self._sum_before(weight, self.ptr)
            + self._sum_before(weight[::-1], (self.rows.shape[0] - self.ptr)[::-1])[::-1]
        )

    @staticmethod
    def _sum_before(weight: Float64Array, ptr: IntArray) -> Float64Array:
        """Return the sum of the weights of the positions before each one in its query."""
        total = np.concatenate(([0.0], np.cumsum(weight)))[:-1]
        result: Float64Array = total - np.repeat(total[np.minimum(ptr[:-1], weight.shape[0] - 1)], np.diff(ptr))
        return result

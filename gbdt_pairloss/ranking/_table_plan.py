"""Plans whose pairs weigh what a callable says of their labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ._blocks import Blocks
from ._groups import IntArray
from ._pair_weights import LabelWeights, label_weights
from ._plan import Plan
from ._validation import Float64Array

# Rows of a batch of parts: at least, unless there are no more; and as how many batches parts are kept.
_LEAST_BATCH, _MOST_KEPT = 1 << 16, 4


@dataclass(frozen=True, eq=False)
class TablePlan(Plan):
    """A plan with ``phi = label_weights.table[row of the winner + column of the loser]``."""

    label_weights: LabelWeights | None = None  # never None; dataclasses want a default after defaults

    @classmethod
    def of(cls, plan: Plan, weight_of: Callable[[float, float], float]) -> TablePlan:
        """The plan with the weights of a callable; see ``pair_weights.label_weights`` for what it raises."""
        weights = label_weights(weight_of, plan.labels, plan.ptr, plan.run_begin, plan.query_name)
        return plan.extended(cls, label_weights=weights)

    def blocks(self) -> Iterable[Blocks]:
        """The plan in parts whose phi is the winner's value, one for every label of a query but its largest.

        Losers, the rows of that label, have the value 0. They come in batches of bounded size; kept if these are few,
        else made anew each time.
        """
        if self._kept is not None:
            return self._kept
        return (self._batch(batch) for batch in self._batches)

    @cached_property
    def sum_of_phi(self) -> Float64Array:
        return self._totals[0]

    @cached_property
    def has_weighted_pair(self) -> bool:
        return self._totals[1]

    @cached_property
    def _batches(self) -> list[IntArray]:
        """Where the runs of losers begin, in batches."""
        begins = np.flatnonzero(self.run_begin == np.arange(self.rows.shape[0]))
        first = self.ptr[self.query_of_positions[begins]]
        lost, first = begins[begins > first], first[begins > first]
        rows = np.cumsum(self.run_end[lost] - first)
        most = max(_LEAST_BATCH, 2 * self.rows.shape[0])
        return np.split(lost, np.flatnonzero(np.diff(rows // most)) + 1) if lost.size else []

    @cached_property
    def _kept(self) -> list[Blocks] | None:
        return [self._batch(batch) for batch in self._batches] if len(self._batches) <= _MOST_KEPT else None

    @cached_property
    def _totals(self) -> tuple[Float64Array, bool]:
        """The sum of phi of each query, and whether any pair has a weight above 0."""
        total, has_weight = np.zeros(self.n_queries), False
        for blocks in self.blocks():
            plan = blocks.plan
            value, part, n = np.asarray(plan.values), plan.query_of_positions, plan.n_queries
            loses = plan.labels == 0
            own = np.bincount(part, value, minlength=n) * np.bincount(part, loses, minlength=n)
            blocks.add_to_queries(own, total)
            weighs = np.bincount(part, (value > 0) & (plan.winner_weight > 0), minlength=n) > 0
            weighs &= np.bincount(part, loses & (plan.loser_weight > 0), minlength=n) > 0
            has_weight = has_weight or bool((weighs & (self.query_weight[blocks.query] > 0)).any())
        return total, has_weight

    def _batch(self, lost: IntArray) -> Blocks:
        """The parts of the runs of losers that begin at these positions."""
        weights = self.label_weights
        assert weights is not None

        def values_of(owner: IntArray, wins: NDArray[np.bool_], part: IntArray) -> Float64Array:
            values = np.zeros(owner.shape[0])
            values[wins] = weights.table[weights.row[owner[wins]] + weights.column[lost[part[wins]]]]
            return values

        query = np.searchsorted(self.ptr, lost, side="right") - 1
        return Blocks.of(self, query, self.ptr[query], lost, self.run_end[lost].astype(np.int64), values_of)

"""Plans in which phi is a callable's value for the labels of the winner and the loser."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ._blocks import Blocks
from ._groups import IntArray
from ._pair_weights import LabelWeights, label_weights
from ._plan import Plan
from ._validation import Float64Array

# The approximate number of rows of a batch of blocks (twice the rows of the plan, if that is more), and the largest
# number of batches that are kept.
_MIN_BATCH_ROWS, _MAX_KEPT_BATCHES = 1 << 16, 4


@dataclass(frozen=True, eq=False)
class TablePlan(Plan):
    """A plan with ``phi = table[row[winner] + column[loser]]``, the arrays being those of ``label_weights``."""

    # label_weights is always given. The default is required because Plan has fields with defaults.
    label_weights: LabelWeights | None = None

    @classmethod
    def of(cls, plan: Plan, weight_of: Callable[[float, float], float]) -> TablePlan:
        """Make the plan with the pair weights of a callable; see :func:`label_weights` for the errors."""
        weights = label_weights(weight_of, plan.labels, plan.ptr, plan.run_begin, plan.query_name)
        return plan.extended(cls, label_weights=weights)

    @property
    def without_table(self) -> Plan:
        """The same plan with phi that does not depend on the table."""
        return Plan(**{field.name: getattr(self, field.name) for field in fields(Plan)})

    def of_queries(self, queries: IntArray) -> TablePlan:
        weights, positions = self.label_weights, self.positions_of(queries)
        assert weights is not None
        own = replace(weights, row=weights.row[positions], column=weights.column[positions])
        return replace(super().of_queries(queries), label_weights=own)

    def blocks(self) -> Iterable[Blocks]:
        """Return the plan as blocks in which phi is the value of the winner.

        Each block has one run of equal labels as its losers, which have the value 0, and all rows of the query with
        larger labels as its winners. The blocks come in batches of bounded size. They are kept if there are few
        batches, and otherwise made anew at each call.
        """
        if self._kept_blocks is not None:
            return self._kept_blocks
        return (self._blocks_of(runs) for runs in self._batches_of_runs)

    @cached_property
    def sum_of_phi(self) -> Float64Array:
        return self._phi_totals[0]

    @cached_property
    def has_weighted_pair(self) -> bool:
        return self._phi_totals[1]

    @cached_property
    def _batches_of_runs(self) -> list[IntArray]:
        """Positions where the runs of losers begin, in batches whose blocks have a bounded number of rows."""
        runs = np.flatnonzero(self.run_begin == np.arange(self.rows.shape[0]))
        query_begin = self.ptr[self.query_of_positions[runs]]
        has_winners = runs > query_begin
        runs, query_begin = runs[has_winners], query_begin[has_winners]
        rows_so_far = np.cumsum(self.run_end[runs] - query_begin)
        batch_rows = max(_MIN_BATCH_ROWS, 2 * self.rows.shape[0])
        return np.split(runs, np.flatnonzero(np.diff(rows_so_far // batch_rows)) + 1) if runs.size else []

    @cached_property
    def _kept_blocks(self) -> list[Blocks] | None:
        """The blocks of all batches; None if there are too many to keep."""
        if len(self._batches_of_runs) > _MAX_KEPT_BATCHES:
            return None
        return [self._blocks_of(runs) for runs in self._batches_of_runs]

    @cached_property
    def _phi_totals(self) -> tuple[Float64Array, bool]:
        """The sum of phi of each query, and whether any pair has a weight above 0."""
        total, has_weight = np.zeros(self.n_queries), False
        for blocks in self.blocks():
            plan = blocks.plan
            value, block, n = np.asarray(plan.values), plan.query_of_positions, plan.n_queries
            loses = plan.labels == 0
            block_total = np.bincount(block, value, minlength=n) * np.bincount(block, loses, minlength=n)
            blocks.add_to_queries(block_total, total)
            has_pair = np.bincount(block, (value > 0) & (plan.winner_weight > 0), minlength=n) > 0
            has_pair &= np.bincount(block, loses & (plan.loser_weight > 0), minlength=n) > 0
            has_weight = has_weight or bool((has_pair & (self.query_weight[blocks.query] > 0)).any())
        return total, has_weight

    def _blocks_of(self, runs: IntArray) -> Blocks:
        """Make the blocks of the runs of losers that begin at the given positions."""
        weights = self.label_weights
        assert weights is not None

        def values_of(owner: IntArray, wins: NDArray[np.bool_], block: IntArray) -> Float64Array:
            values = np.zeros(owner.shape[0])
            values[wins] = weights.table[weights.row[owner[wins]] + weights.column[runs[block[wins]]]]
            return values

        query = np.searchsorted(self.ptr, runs, side="right") - 1
        return Blocks.of(self, query, self.ptr[query], runs, self.run_end[runs].astype(np.int64), values_of)

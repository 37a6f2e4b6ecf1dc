"""Plans whose pairs weigh what a callable says of their labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from .groups import IntArray
from .pair_weights import LabelWeights, label_weights
from .plan import Plan, index_type
from .validation import Float64Array


@dataclass(frozen=True, eq=False)
class Parts:
    """A table plan as a plan of differences of values.

    For every label of a query but its largest there is a query of its own: its rows are the losers, all rows of larger
    labels the winners, and phi is the winner's value.

    Attributes
    ----------
    plan : Plan
        For rows of its own, one for each position.
    owner : int64 array
        The position in the table plan of each of these rows.
    query : int64 array
        The query in the table plan that each query here belongs to.
    """

    plan: Plan
    owner: IntArray
    query: IntArray


@dataclass(frozen=True, eq=False)
class TablePlan(Plan):
    """A plan with ``phi = label_weights.table[row of the winner + column of the loser]``."""

    label_weights: LabelWeights | None = None  # never None; dataclasses want a default after defaults

    @classmethod
    def of(cls, plan: Plan, weight_of: Callable[[float, float], float]) -> TablePlan:
        """The plan with the weights of a callable; see ``pair_weights.label_weights`` for what it raises."""
        weights = label_weights(weight_of, plan.labels, plan.ptr, plan.run_begin, plan.query_name)
        return cls(**{field.name: getattr(plan, field.name) for field in fields(Plan)}, label_weights=weights)

    @cached_property
    def parts(self) -> Parts:
        assert self.label_weights is not None
        begins = np.flatnonzero(self.run_begin == np.arange(self.rows.shape[0]))
        query = self.query_of_positions
        lost = begins[begins > self.ptr[query[begins]]]  # where the runs of losers begin
        first, end = self.ptr[query[lost]], self.run_end[lost].astype(np.int64)
        ptr = np.concatenate(([0], np.cumsum(end - first)))
        owner = np.arange(ptr[-1]) + np.repeat(first - ptr[:-1], end - first)
        wins = owner < np.repeat(lost, end - first)
        column = np.repeat(self.label_weights.column[lost], end - first)
        value = np.zeros(owner.shape[0])
        value[wins] = self.label_weights.table[self.label_weights.row[owner[wins]] + column[wins]]
        plan = Plan(
            n_rows=owner.shape[0],
            rows=np.arange(owner.shape[0], dtype=index_type(owner.shape[0])),
            ptr=ptr,
            labels=wins.astype(np.float64),
            winner_weight=self.winner_weight[owner],
            loser_weight=self.loser_weight[owner],
            query_weight=np.ones(lost.shape[0]),
            values=value,
        )
        return Parts(plan, owner, query[lost])

    @cached_property
    def sum_of_phi(self) -> Float64Array:
        plan = self.parts.plan
        # Losers have the value 0, so that only winners count.
        losers = np.repeat(np.bincount(plan.query_of_positions, plan.labels == 0), np.diff(plan.ptr))
        total = np.bincount(plan.query_of_positions, np.asarray(plan.values) * losers, minlength=plan.n_queries)
        return self.sum_of_parts(total.astype(np.float64))

    def sum_of_parts(self, values: Float64Array) -> Float64Array:
        """One number of each part, summed up for each query."""
        return np.bincount(self.parts.query, values, minlength=self.n_queries).astype(np.float64)

    @cached_property
    def has_weighted_pair(self) -> bool:
        plan = self.parts.plan
        if plan.n_queries == 0:
            return False
        loses = np.logical_or.reduceat((plan.labels == 0) & (plan.loser_weight > 0), plan.ptr[:-1])
        weighs = (plan.labels > 0) & (plan.winner_weight > 0) & (np.asarray(plan.values) > 0)
        counts = loses & (self.query_weight[self.parts.query] > 0)
        return bool((weighs & np.repeat(counts, np.diff(plan.ptr))).any())

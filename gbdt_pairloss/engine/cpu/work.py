"""One call of the CPU engine: what its kernels read and write, and what is kept from call to call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ranking._cached_per_plan import cached_per_plan
from ...ranking._plan import Plan
from ...ranking._validation import Float64Array
from ..spec import PairSum
from .charges import Rows, count_channels, flows
from .chebyshev import Table, table_of
from .memory import Memory

#: What kernels call the normalisers.
NORMALIZERS = {"none": 0, "query": 1, "log": 2}

# Values beyond this leave no room in float32 for sums of their differences.
_MOST_IN_FLOAT32 = 1e30


def precision(plan: Plan, spec: PairSum, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type that pairs are summed in, for results of a type."""
    by_distance = spec.delta is not None and spec.delta.by_distance
    # float32 has no digits for distances of 0.01 of scores in the tens.
    return np.dtype(np.float64) if by_distance or plan.largest_value > _MOST_IN_FLOAT32 else dtype


def query_arguments(plan: Plan, lambda_sums: Float64Array, spec: PairSum) -> tuple[Any, ...]:
    """What the kernels take for each query's factor."""
    parameters = (spec.temperature, NORMALIZERS[spec.normalize], spec.hessian_scale)
    return kept_of(plan).query_weight, plan.sum_of_phi, lambda_sums, parameters


@dataclass(frozen=True)
class Work:
    """One call.

    Attributes
    ----------
    plan, rows : Plan, Rows
    scores : float64 array of shape (n_rows,)
    query_arguments : tuple
    temperature : float
    flow : int64 array
        What charges become what sums, see ``charges.flows``; there are ``n_channels`` charges and ``n_targets`` sums.
    n_channels, n_targets : int
    expansion : Table
    memory : Memory
    first, second : arrays of shape (n_rows,)
        Gradients and Hessians, or losses and, with |delta NDCG|, the pairs' weights.
    """

    plan: Plan
    rows: Rows
    scores: Float64Array
    query_arguments: tuple[Any, ...]
    temperature: float
    flow: NDArray[np.int64]
    n_channels: int
    n_targets: int
    expansion: Table
    memory: Memory
    first: NDArray[Any]
    second: NDArray[Any]

    @property
    def lambda_sums(self) -> Float64Array:
        return self.query_arguments[2]  # type: ignore[no-any-return]

    @classmethod
    def of(
        cls,
        plan: Plan,
        scores: NDArray[Any],
        spec: PairSum,
        dtype: np.dtype[Any],
        lambda_sums: Float64Array,
        is_loss: bool,
    ) -> Work:
        kept = kept_of(plan)
        rows = kept.rows
        first, second = (kept.memory.array(plan.n_rows, dtype) for _ in range(2))
        if plan.rows.size < plan.n_rows:  # the kernels write the rows that take part
            first[:] = second[:] = 0.0
        weighted, valued = rows.winner_weight.size > 0, rows.value.size > 0
        with_lambda_sum = spec.normalize == "log" and not is_loss
        powers = 4 if spec.delta is not None else 2 if valued else 1
        n_channels, n_targets = count_channels(powers, weighted, with_lambda_sum)
        return cls(
            plan=plan,
            rows=rows,
            scores=np.require(scores, np.float64, ["C", "A", "W"]),
            query_arguments=query_arguments(plan, lambda_sums, spec),
            temperature=spec.temperature,
            flow=flows(powers, weighted, with_lambda_sum, is_loss),
            n_channels=n_channels,
            n_targets=n_targets,
            expansion=table_of(dtype, is_loss),
            memory=kept.memory,
            first=first,
            second=second,
        )


@dataclass(frozen=True)
class Kept:
    """What is kept as long as a plan: its arrays as the kernels read them, and the memory of its calls."""

    rows: Rows
    query_weight: Float64Array
    memory: Memory


@cached_per_plan
def kept_of(plan: Plan) -> Kept:
    """What is kept of a plan."""
    none = np.empty(0)
    weighted = plan.has_row_weights
    rows = Rows(
        row=plan.rows.view(f"u{plan.rows.itemsize}"),
        ptr=plan.ptr,
        run_begin=plan.run_begin,
        run_end=plan.run_end,
        last_run=np.append(plan.run_begin, 0)[plan.ptr[1:] - 1].astype(np.int64),
        winner_weight=np.array(plan.winner_weight) if weighted else none,
        loser_weight=np.array(plan.loser_weight) if weighted else none,
        value=none if plan.values is None else plan.values,
    )
    return Kept(rows, np.array(plan.query_weight), Memory())

"""The arguments of the CPU engine's kernels: those of one call, and those that are cached per plan."""

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

#: The numbers of the normalisers in the kernels.
NORMALIZER_CODES = {"none": 0, "query": 1, "log": 2}

# Sums of differences of larger values may leave the range of float32.
_MOST_IN_FLOAT32 = 1e30


def precision(plan: Plan, spec: PairSum, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type that pairs are summed in, for results of type ``dtype``."""
    by_distance = spec.delta is not None and spec.delta.by_distance
    # float32 resolves too few digits of a distance of 0.01 between scores of 10 or more.
    return np.dtype(np.float64) if by_distance or plan.largest_value > _MOST_IN_FLOAT32 else dtype


def query_arguments(plan: Plan, lambda_sums: Float64Array, spec: PairSum) -> tuple[Any, ...]:
    """Return the arguments that the kernels compute the factors of the queries from."""
    parameters = (spec.temperature, NORMALIZER_CODES[spec.normalize], spec.hessian_scale)
    return cpu_plan(plan).query_weight, plan.sum_of_phi, lambda_sums, parameters


@dataclass(frozen=True)
class Work:
    """The inputs and outputs of one call.

    Attributes
    ----------
    plan, rows : Plan, Rows
    scores : float64 array of shape (n_rows,)
    query_arguments : tuple
        See :func:`query_arguments`.
    temperature : float
    flow : int64 array
        The sums that each charge contributes to; see ``charges.flows``.
    n_channels, n_targets : int
        The numbers of charges and of sums.
    expansion : Table
    memory : Memory
    first, second : arrays of shape (n_rows,)
        The results: gradients and Hessians, or losses and, with |delta NDCG|, the weights of the pairs.
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
        """Sum of phi |l'| of each query. A negative entry is a message of the kernels: BEYOND or SPREAD."""
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
        """Return the work of one call, with results that are not yet computed."""
        prepared = cpu_plan(plan)
        rows = prepared.rows
        first, second = (prepared.memory.array(plan.n_rows, dtype) for _ in range(2))
        if plan.rows.size < plan.n_rows:  # the kernels only write the rows that take part
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
            memory=prepared.memory,
            first=first,
            second=second,
        )


@dataclass(frozen=True)
class CPUPlan:
    """A plan as the kernels read it, with the memory that its calls share. It is cached per plan."""

    rows: Rows
    query_weight: Float64Array
    memory: Memory


@cached_per_plan
def cpu_plan(plan: Plan) -> CPUPlan:
    """Return the arrays of a plan that the kernels read."""
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
    return CPUPlan(rows, np.array(plan.query_weight), Memory())

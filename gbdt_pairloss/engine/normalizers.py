"""From the plain sums of an engine to gradients and losses: normalisers, weights of queries, the caller's rows."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ..ranking._plan import Plan
from ..ranking._validation import Float64Array
from .spec import PairSum, check_range


class PlainSums(Protocol):
    """Sums without normalisers and weights of queries; all arrays in the caller's order of rows."""

    n_threads: int | None

    def plain_sums(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[NDArray[Any], NDArray[Any], Float64Array]:
        """Gradient, scaled Hessian, and what the normaliser divides each query by.

        That is the sum of phi |l'| / T before weights for "log", that of phi for "query", and nothing for "none".
        """

    def plain_losses(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[Float64Array, Float64Array]:
        """For each row, the weighted loss of the pairs that it wins, and the sum of these pairs' weights."""


def query_factors(plan: Plan, divisors: Float64Array, spec: PairSum) -> Float64Array:
    """The weight of each query times its normaliser; see ``reference``."""
    factor = plan.query_weight.astype(np.float64)
    if spec.normalize == "query":
        factor *= np.divide(np.diff(plan.ptr), divisors, out=np.zeros_like(divisors), where=divisors > 0)
    elif spec.normalize == "log":
        total = 2.0 * divisors
        factor *= np.divide(np.log1p(total), total, out=np.ones_like(total), where=total > 0) / np.log(2.0)
    return factor


def scaled(
    plan: Plan, factor: Float64Array, first: NDArray[Any], second: NDArray[Any], dtype: Any
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Two arrays of rows, times the factors of their queries, in a precision.

    Raises
    ------
    ValueError
        If a result leaves its range.
    """
    own = np.zeros(plan.n_rows)
    own[plan.rows] = np.repeat(factor, np.diff(plan.ptr))
    with np.errstate(over="ignore", invalid="ignore"):  # looked at below
        result = (first * own).astype(dtype), (second * own).astype(dtype)
    check_range(*result)
    return result


class PlainEngine(PlainSums):
    """An engine made of plain sums."""

    takes_device_arrays: ClassVar[bool] = False

    def gradient_hessian(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        first, second, divisors = self.plain_sums(plan, scores, spec, dtype)
        return scaled(plan, query_factors(plan, divisors, spec), first, second, dtype)

    def winner_loss(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[Float64Array, Float64Array]:
        divisors = plan.sum_of_phi
        if spec.normalize == "log" or spec.delta is not None:
            *_, divisors = self.plain_sums(plan, scores, spec, dtype)
        loss, weight = self.plain_losses(plan, scores, spec, dtype)
        return scaled(plan, query_factors(plan, divisors, spec), loss, weight, np.float64)

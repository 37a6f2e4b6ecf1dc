"""The last step of a sum: multiply by the factors of the queries, convert to the result's type, check the range.

Most engines leave this step to :class:`FinishingEngine`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ..ranking._plan import Plan
from ..ranking._validation import Float64Array
from .normalizers import query_factors
from .spec import PairSum


class UnnormalizedSums(Protocol):
    """The sums of an engine before the factors of the queries, that is, without normalisers and query weights.

    All arrays of rows are in the caller's order and have the shape (n_rows,).
    """

    n_threads: int | None

    def unnormalized_gradient_hessian(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[NDArray[Any], NDArray[Any], Float64Array]:
        """Compute the gradient, the scaled Hessian, and the divisor of each query.

        Returns
        -------
        gradient, hessian : arrays of shape (n_rows,)
        divisors : float64 array of shape (n_queries,)
            The sums that ``normalizers.query_factors`` needs for ``spec.normalize``: of phi for "query", of
            phi |l'| / T for "log", both before all weights. For "none" the entries have no meaning.
        """

    def unnormalized_winner_loss(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[Float64Array, Float64Array]:
        """Compute for each row the weighted loss of the pairs that it wins, and the sum of their weights."""


class FinishingEngine(UnnormalizedSums):
    """Base class of engines: subclasses compute the unnormalised sums, this class finishes them."""

    takes_device_arrays: ClassVar[bool] = False

    def gradient_hessian(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        first, second, divisors = self.unnormalized_gradient_hessian(plan, scores, spec, dtype)
        return finish(plan, query_factors(plan, divisors, spec), first, second, dtype)

    def winner_loss(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[Float64Array, Float64Array]:
        divisors = plan.sum_of_phi
        if spec.normalize == "log" or spec.delta is not None:  # otherwise the plan's sums of phi are the divisors
            *_, divisors = self.unnormalized_gradient_hessian(plan, scores, spec, dtype)
        loss, weight = self.unnormalized_winner_loss(plan, scores, spec, dtype)
        return finish(plan, query_factors(plan, divisors, spec), loss, weight, np.float64)


def finish(
    plan: Plan, factor: Float64Array, first: NDArray[Any], second: NDArray[Any], dtype: Any
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Multiply two arrays of rows by the factors of their queries, and convert them to a type.

    Raises
    ------
    ValueError
        If a result leaves the range of ``dtype``.
    """
    factor_of_row = np.zeros(plan.n_rows)
    factor_of_row[plan.rows] = np.repeat(factor, np.diff(plan.ptr))
    with np.errstate(over="ignore", invalid="ignore"):  # check_range raises the error
        result = (first * factor_of_row).astype(dtype), (second * factor_of_row).astype(dtype)
    check_range(*result)
    return result


def check_range(gradient: NDArray[Any], hessian: NDArray[Any]) -> None:
    """Raise a ValueError if a gradient or Hessian leaves the range of its type."""
    if not (np.isfinite(gradient).all() and np.isfinite(hessian).all()):
        raise ValueError(
            f"the gradient or Hessian (or the loss) leaves the range of {gradient.dtype.name}: scale the weights down, "
            "or raise the temperature"
        )

"""The last step of a sum: multiply by the factors of the queries, convert to the result's type, check the range."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ranking._plan import Plan
from .normalizers import query_factors
from .spec import PairSum, Sums


def finish(plan: Plan, sums: Sums, spec: PairSum, dtype: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Normalise the sums of all queries, multiply them by the query weights, and convert them to a type.

    Raises
    ------
    ValueError
        If a result leaves the range of ``dtype``.
    """
    divisors = sums.lambda_sum if spec.normalize == "log" else sums.phi_sum
    factor = np.zeros(plan.n_rows)
    factor[plan.rows] = np.repeat(query_factors(plan, divisors, spec), np.diff(plan.ptr))
    result = np.empty(plan.n_rows, dtype), np.empty(plan.n_rows, dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # check_range raises the error
        for values, out in zip((sums.first, sums.second), result, strict=True):
            np.multiply(values, factor, out=out, casting="same_kind")
    check_range(*result)
    return result


def check_range(gradient: NDArray[Any], hessian: NDArray[Any]) -> None:
    """Raise a ValueError if a gradient or Hessian leaves the range of its type."""
    if not (np.isfinite(gradient).all() and np.isfinite(hessian).all()):
        raise ValueError(
            f"the gradient or Hessian (or the loss) leaves the range of {gradient.dtype.name}: scale the weights down, "
            "or raise the temperature"
        )

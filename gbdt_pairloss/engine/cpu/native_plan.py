"""Plans as the extension module reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ranking._cached_per_plan import cached_per_plan
from ...ranking._plan import Plan
from .native import native


def readable(scores: NDArray[Any]) -> NDArray[Any]:
    """Return scores in a form that the module reads, without a copy if they are contiguous float32 or float64."""
    dtype = scores.dtype if scores.dtype in (np.float32, np.float64) else np.float64
    return np.require(scores, dtype, ["C", "A"])


@cached_per_plan
def native_plan(plan: Plan) -> Any:
    """Return the plan of the extension module, which holds the arrays of a plan. Weights of 1 are left out."""
    weighted = plan.has_row_weights
    return native().Plan(
        plan.n_rows,
        plan.rows,
        plan.ptr.astype(np.int64, copy=False),
        plan.run_begin.astype(plan.rows.dtype, copy=False),
        plan.run_end.astype(plan.rows.dtype, copy=False),
        np.ascontiguousarray(plan.winner_weight) if weighted else None,
        np.ascontiguousarray(plan.loser_weight) if weighted else None,
        plan.values,
    )

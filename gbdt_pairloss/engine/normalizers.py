"""The factor of each query: its weight times its normaliser, for all queries at once."""

from __future__ import annotations

import numpy as np

from ..ranking._plan import Plan
from ..ranking._validation import Float64Array
from .spec import PairSum

#: The numbers of the normalisers in the compiled kernels (``core/normalizer.h``).
CODES = {"none": 0, "query": 1, "log": 2}


def query_factors(plan: Plan, divisors: Float64Array, spec: PairSum) -> Float64Array:
    """Compute the weight of each query times its normaliser.

    Parameters
    ----------
    plan : Plan
    divisors : float64 array of shape (n_queries,)
        For "query", the sum of phi over the pairs of each query. For "log", the sum of phi |l'| / T over them, that is
        of |lambda|. Both are sums before all weights. "none" does not read them.
    spec : PairSum

    Returns
    -------
    factors : float64 array of shape (n_queries,)

    Notes
    -----
    The normalisers are

    * "none": 1;
    * "query": n / sum of phi, with n the rows of the query that take part; 0 for a sum of 0;
    * "log": LightGBM's log2(1 + S) / S with S = 2 sum |lambda| (rank_objective.hpp, ``lambdarank_norm``); 1 / ln 2,
      its limit, for a sum of 0.
    """
    factor = plan.query_weight.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # check_range refuses what leaves float64's range
        if spec.normalize == "query":
            factor *= np.divide(np.diff(plan.ptr), divisors, out=np.zeros_like(divisors), where=divisors > 0)
        elif spec.normalize == "log":
            total = 2.0 * divisors
            factor *= np.divide(np.log1p(total), total, out=np.ones_like(total), where=total > 0) / np.log(2.0)
    return factor

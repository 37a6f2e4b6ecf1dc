"""Gains of labels, for NDCG and for the pair weights that are differences of gains."""

from __future__ import annotations

import numpy as np

from ._validation import Float64Array

#: Accepted values of ``gain=``.
GAINS = ("exp2", "linear")


def gains_of(labels: Float64Array, gain: str) -> Float64Array:
    """Return the gain of each label: 2^y - 1 for "exp2", y for "linear".

    Gains may be infinite; the caller checks them.
    """
    if gain == "linear":
        return labels
    with np.errstate(over="ignore"):
        # Near 0, the difference 2^y - 1 would lose digits.
        return np.where(np.abs(labels) < 0.5, np.expm1(labels * np.log(2.0)), np.exp2(labels) - 1.0)

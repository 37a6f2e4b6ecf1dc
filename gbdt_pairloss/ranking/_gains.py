"""Gain of a label: what NDCG and the pair weights made of gains count for it."""

from __future__ import annotations

import numpy as np

from ._validation import Float64Array

#: The values that ``gain=`` takes.
GAINS = ("exp2", "linear")


def gains_of(labels: Float64Array, gain: str) -> Float64Array:
    """Return the gain of each label: 2^y - 1 for "exp2", y for "linear".

    An infinite gain is left for the caller to refuse.
    """
    if gain == "linear":
        return labels
    with np.errstate(over="ignore"):
        # Near 0 the difference of 2^y and 1 would lose digits.
        return np.where(np.abs(labels) < 0.5, np.expm1(labels * np.log(2.0)), np.exp2(labels) - 1.0)

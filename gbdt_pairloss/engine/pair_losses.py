"""The losses of one pair, as functions of d = (s_winner - s_loser) / T: their value and two derivatives.

A loss is one function of an array d. Every engine sums any of them; those that have a faster way know them by name.

The second derivative goes into Newton steps, so it must not be negative, and not 0 where there is a gradient. The hinge
has none, and that of the soft zero-one loss is below 0 for pairs in the wrong order: both give |l'| in its place, as
XGBoost's ``binary:hinge`` does. A step then moves a pair by at most about one temperature, and for the soft zero-one
loss |l'| bounds |l''|.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..ranking._validation import Float64Array
from .spec import PairLoss

Derivatives = tuple[Float64Array, Float64Array, Float64Array]


def logistic(d: Float64Array) -> Derivatives:
    """softplus(-d) = log(1 + exp(-d)), exact for any d."""
    e = np.exp(-np.abs(d))
    value = np.maximum(-d, 0.0) + np.log1p(e)
    wrong = np.where(d >= 0, e, 1.0) / (1.0 + e)  # sigma(-d): how wrongly the pair is ordered
    return value, -wrong, e / (1.0 + e) ** 2


def hinge(d: Float64Array, margin: float) -> Derivatives:
    """max(margin - d, 0); its surrogate for l'' is |l'|, 1 where d < margin."""
    inside = (d < margin).astype(np.float64)
    return np.maximum(margin - d, 0.0), -inside, inside


def squared(d: Float64Array, margin: float) -> Derivatives:
    """(margin - d)^2: it pulls pairs that are too far apart together, as well."""
    short = margin - d
    with np.errstate(over="ignore"):
        value = short**2
    return value, -2.0 * short, np.full(d.shape, 2.0)


def exponential(d: Float64Array) -> Derivatives:
    """exp(-d), infinite beyond d = -709."""
    with np.errstate(over="ignore"):
        e = np.exp(-d)
    return e, -e, e


def soft_zero_one(d: Float64Array) -> Derivatives:
    """sigma(-d), the chance that a pair is in the wrong order; its surrogate for l'' is |l'| = sigma(d) sigma(-d)."""
    e = np.exp(-np.abs(d))
    slope = e / (1.0 + e) ** 2
    return np.where(d >= 0, e, 1.0) / (1.0 + e), -slope, slope


LOGISTIC = PairLoss("logistic", logistic)
EXPONENTIAL = PairLoss("exponential", exponential)
SOFT_ZERO_ONE = PairLoss("soft_zero_one", soft_zero_one)


def hinge_loss(margin: float) -> PairLoss:
    """The hinge with its margin."""
    return PairLoss("hinge", partial(hinge, margin=margin), (margin,), smooth=False)


def squared_loss(margin: float) -> PairLoss:
    """The squared loss with its margin."""
    return PairLoss("squared", partial(squared, margin=margin), (margin,))


def custom_loss(function: Callable[[Float64Array], Any], name: str) -> PairLoss:
    """A user's function of d, its results checked.

    Raises
    ------
    TypeError, ValueError
        When it is evaluated: if it does not return three arrays of the shape of d, or a value that is not finite or a
        second derivative below 0.
    """

    def checked(d: Float64Array) -> Derivatives:
        results = function(d)
        if not isinstance(results, (tuple, list)) or len(results) != 3:
            given = f"{len(results)} values" if isinstance(results, (tuple, list)) else f"a {type(results).__name__}"
            raise TypeError(
                f"{name} must return the loss and its first and second derivative, three arrays; got {given}"
            )
        arrays = []
        for what, values in zip(("loss", "first derivative", "second derivative"), results, strict=True):
            array = np.array(values, dtype=np.float64)  # a copy: sums are made in place
            if array.shape != d.shape:
                raise ValueError(f"{name}: the {what} has shape {array.shape} for d of shape {d.shape}")
            bad = ~np.isfinite(array)
            if bad.any():
                raise ValueError(f"{name}: the {what} is {array[bad][0]} at d = {d[bad][0]}; it must be finite")
            arrays.append(array)
        negative = arrays[2] < 0
        if negative.any():
            raise ValueError(
                f"{name}: the second derivative is {arrays[2][negative][0]} at d = {d[negative][0]}; boosting divides "
                "by it: return a surrogate that is not negative, such as the magnitude of the first derivative"
            )
        return arrays[0], arrays[1], arrays[2]

    # Under a name of its own: engines know the others' kernels by theirs. Whether it is smooth nobody knows.
    return PairLoss("custom", checked, smooth=False)

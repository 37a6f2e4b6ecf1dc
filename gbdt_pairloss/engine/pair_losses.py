"""The losses of one pair, as functions of d = (s_winner - s_loser) / T: the value and two derivatives.

To add a loss, write here a function of an array d, and make a :class:`~gbdt_pairloss.engine.spec.PairLoss` of it. In
``objectives/_pairwise.py``, add a class whose ``pair_loss`` is this PairLoss. CONTRIBUTING.md lists where to name the
class. ``PairByPairEngine`` sums any loss. A faster engine recognises the losses that it has kernels for by their names.

The second derivative is the divisor of Newton steps. It must not be negative, and not 0 where there is a gradient. Two
losses violate this: l'' of the hinge is 0, and l'' of the soft zero-one loss is below 0 for pairs in the wrong order.
Both return the surrogate |l'| instead, as XGBoost's ``binary:hinge`` does. A step then moves a pair by at most about
one temperature, and for the soft zero-one loss |l'| bounds |l''|.
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
    """Compute softplus(-d) = log(1 + exp(-d)), without overflow or loss of digits for any d."""
    e = np.exp(-np.abs(d))
    value = np.maximum(-d, 0.0) + np.log1p(e)
    wrong = np.where(d >= 0, e, 1.0) / (1.0 + e)  # sigma(-d), the probability of the wrong order
    return value, -wrong, e / (1.0 + e) ** 2


def hinge(d: Float64Array, margin: float) -> Derivatives:
    """Compute max(margin - d, 0), with the surrogate |l'| for l'': 1 where d < margin, else 0."""
    inside = (d < margin).astype(np.float64)
    return np.maximum(margin - d, 0.0), -inside, inside


def squared(d: Float64Array, margin: float) -> Derivatives:
    """Compute (margin - d)^2, which also penalises pairs that are further apart than the margin."""
    short = margin - d
    with np.errstate(over="ignore"):
        value = short**2
    return value, -2.0 * short, np.full(d.shape, 2.0)


def exponential(d: Float64Array) -> Derivatives:
    """Compute exp(-d), which is infinite for d below -709."""
    with np.errstate(over="ignore"):
        e = np.exp(-d)
    return e, -e, e


def soft_zero_one(d: Float64Array) -> Derivatives:
    """Compute sigma(-d), the probability of the wrong order, with the surrogate |l'| = sigma(d) sigma(-d) for l''."""
    e = np.exp(-np.abs(d))
    slope = e / (1.0 + e) ** 2
    return np.where(d >= 0, e, 1.0) / (1.0 + e), -slope, slope


LOGISTIC = PairLoss("logistic", logistic)
EXPONENTIAL = PairLoss("exponential", exponential)
SOFT_ZERO_ONE = PairLoss("soft_zero_one", soft_zero_one)
#: The square of a difference of residuals, for a ``ResidualPlan``.
SQUARED_RESIDUAL = PairLoss("squared_residual", partial(squared, margin=0.0))


def hinge_loss(margin: float) -> PairLoss:
    """Return the hinge loss with a margin."""
    return PairLoss("hinge", partial(hinge, margin=margin), (margin,))


def squared_loss(margin: float) -> PairLoss:
    """Return the squared loss with a margin."""
    return PairLoss("squared", partial(squared, margin=margin), (margin,))


def custom_loss(function: Callable[[Float64Array], Any], name: str) -> PairLoss:
    """Return a user's function of d as a loss that checks the results of every call.

    Parameters
    ----------
    function : callable
        A function of an array d that returns the loss and its first and second derivative, three arrays of the shape
        of d.
    name : str
        The name of the function in error messages.

    Returns
    -------
    loss : PairLoss
        Its ``derivatives`` raise a TypeError if ``function`` does not return three arrays. They raise a ValueError if
        an array does not have the shape of d, a value is not finite, or a second derivative is below 0.
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
            array = np.array(values, dtype=np.float64)  # a copy, because engines overwrite it
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

    # The name is "custom" and not the user's, which could be that of a loss with a kernel.
    return PairLoss("custom", checked)

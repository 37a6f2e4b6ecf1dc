"""Weights of rows that users of ranking objectives need: by popularity, and against the bias of positions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._groups import item_counts
from ._validation import as_vector, check_finite, check_finite_number


def popularity_weights(
    item_id: ArrayLike, alpha: float = 1.0, *, interactions: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Weights of negatives in proportion to popularity^alpha, of mean 1.

    ::

        weight = count(item)^alpha / (mean of count(item)^alpha over the rows)

    As ``loser_weight``, or BPR's ``negative_weight``, they make of the sum over all negatives the exact expectation of
    BPR with negatives sampled by popularity, as implicit and LightFM sample (alpha = 1). alpha = 0.75 is word2vec's.

    Parameters
    ----------
    item_id : array of shape (n_rows,)
        The item that each row is, of any dtype.
    alpha : float, default=1.0
        At least 0; 0: all items alike.
    interactions : array of shape (n_interactions,), optional
        Item ids of the interactions whose number is an item's popularity, such as those of the positives. Items that
        have none weigh 0 (unless alpha is 0), and then nothing pushes them down: where they are candidates, too, add
        one interaction for every item. None: ``item_id`` itself.

    Returns
    -------
    weight : float64 array of shape (n_rows,)
        From 0; empty if there are no rows.

    Raises
    ------
    ValueError
        If an id is missing, alpha is not a number from 0, or no row's item has an interaction.

    References
    ----------
    Rendle and Freudenthaler, "Improving pairwise learning for item recommendation from implicit feedback", WSDM 2014.

    Examples
    --------
    >>> popularity_weights(["a", "b", "a", "a"])
    array([1.2, 0.4, 1.2, 1.2])
    """
    _check_exponent(alpha, "alpha")
    count = item_counts(item_id, item_id if interactions is None else interactions).astype(np.float64)
    if count.size == 0:
        return count
    if not count.any():
        raise ValueError("no row's item has an interaction: all weights would be 0")
    weight = (count / count.max()) ** alpha
    return np.asarray(weight / weight.mean())


def propensity_weights(
    position: ArrayLike, eta: float = 1.0, *, propensities: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Inverse-propensity weights: 1 / the chance that a user looks at a position.

    ::

        weight = position^eta        or        weight = 1 / propensities[position - 1]

    Clicks say where users look as much as what they want. As item weights (``sample_weight``, or
    ``attach(item_weight=)``, with the default ``item_weight="winner"``) these weights make up for clicks that rows far
    down did not get for want of a look; the weights of rows without a click do not count. What stays is that a row
    without a click counts as a loser whether it was looked at or not.

    Parameters
    ----------
    position : array of shape (n_rows,)
        Where the row was shown, from 1 at the top.
    eta : float, default=1.0
        From 0. The chance to be looked at is position^-eta; 0 is no bias.
    propensities : array of shape (n_positions,), optional
        The chances themselves, of position 1, 2, ...; above 0, at most 1. In place of ``eta``.

    Returns
    -------
    weight : float64 array of shape (n_rows,)
        From 1.

    Raises
    ------
    ValueError
        If a position is no whole number from 1, or has no propensity; if a propensity is not in (0, 1]; if eta is below
        0, or so large that a weight is infinite; if eta and propensities are both given.

    References
    ----------
    Joachims, Swaminathan and Schnabel, "Unbiased learning-to-rank with biased feedback", WSDM 2017.

    Examples
    --------
    >>> propensity_weights([1, 2, 10])
    array([ 1.,  2., 10.])
    >>> propensity_weights([1, 2], propensities=[1.0, 0.8])
    array([1.  , 1.25])
    """
    shown = as_vector(position, "position").astype(np.float64)
    check_finite(shown, "position")
    bad = (shown < 1) | (shown != np.floor(shown))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(f"position is {shown[row]:g} at row {row}; positions are whole numbers from 1, at the top")
    if propensities is None:
        _check_exponent(eta, "eta")
        with np.errstate(over="ignore"):
            weight = shown**eta
        check_finite(weight, "position^eta")
        return np.asarray(weight)
    if eta != 1.0:
        raise ValueError("eta and propensities are both given: give one of them")
    chance = as_vector(propensities, "propensities").astype(np.float64)
    bad = ~((chance > 0) & (chance <= 1))
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise ValueError(f"propensities[{first}] is {chance[first]}; a chance must be above 0 and at most 1")
    if shown.size and shown.max() > chance.size:
        row = int(shown.argmax())
        raise ValueError(
            f"position is {shown[row]:g} at row {row}, but there are propensities of {chance.size} positions only"
        )
    return np.asarray(1.0 / chance[shown.astype(np.int64) - 1])


def _check_exponent(value: float, name: str) -> None:
    check_finite_number(value, name)
    if value < 0:
        raise ValueError(f"{name} must be a number from 0, got {value!r}")

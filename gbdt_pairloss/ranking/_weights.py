"""Row weights for ranking: popularity of items, and inverse propensities against position bias."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._groups import item_counts
from ._validation import as_vector, check_finite, check_finite_number


def popularity_weights(
    item_id: ArrayLike, alpha: float = 1.0, *, interactions: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Compute weights of negatives in proportion to popularity^alpha, with mean 1.

    ::

        weight = count(item)^alpha / (mean of count(item)^alpha over the rows)

    With these weights as ``loser_weight``, or as BPR's ``negative_weight``, the sum over all negatives is the exact
    expectation of BPR with negatives that are sampled by popularity. implicit and LightFM sample with alpha = 1,
    word2vec with alpha = 0.75.

    Parameters
    ----------
    item_id : array of shape (n_rows,)
        Item id of each row, of any dtype.
    alpha : float, default=1.0
        Exponent, at least 0; with 0, all items weigh the same.
    interactions : array of shape (n_interactions,), optional
        Item id of each interaction, such as those of the positives; the popularity of an item is the number of its
        interactions. None: ``item_id``.

    Returns
    -------
    weight : float64 array of shape (n_rows,)
        Weights, at least 0; empty if there are no rows.

    Raises
    ------
    ValueError
        If an id is missing, alpha is not a finite number of at least 0, or no row's item has an interaction.

    See Also
    --------
    attach : Attach the weights to a booster's dataset, as ``loser_weight``.
    BPR : Objective with the parameter ``negative_weight``.
    propensity_weights : Weights of clicks against position bias.

    Notes
    -----
    Items without interactions have weight 0, unless alpha is 0. With weight 0, their rows have no effect as negatives.
    If they should have an effect, add one interaction for every item.

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
    """Compute inverse-propensity weights: 1 / the probability that a user examines a position.

    ::

        weight = position^eta        or        weight = 1 / propensities[position - 1]

    Clicks depend on the position of a row as well as on its relevance: users examine rows at low positions less often.
    These weights, used as item weights, correct for the clicks that such rows did not get because they were not
    examined.

    Parameters
    ----------
    position : array of shape (n_rows,)
        Position at which the row was shown, counted from 1 at the top.
    eta : float, default=1.0
        Exponent, at least 0. The probability of examination is position^-eta. With 0, there is no bias.
    propensities : array of shape (n_positions,), optional
        Probability of examination of positions 1, 2, ..., each above 0 and at most 1. It is used instead of ``eta``.

    Returns
    -------
    weight : float64 array of shape (n_rows,)
        Weights, at least 1.

    Raises
    ------
    ValueError
        If a position is not a whole number of at least 1, or has no propensity; if a propensity is not in (0, 1]; if
        eta is negative, or so large that a weight is infinite; if eta and propensities are both given.

    See Also
    --------
    attach : Attach the weights to a booster's dataset, as ``item_weight``.
    popularity_weights : Weights of negatives, by the popularity of their items.

    Notes
    -----
    Give the weights as ``sample_weight``, or attach them as ``item_weight``. With the objective's default
    ``item_weight="winner"``, the weights of rows without a click have no effect. The weights do not correct the losers:
    a row without a click counts as a loser whether it was examined or not.

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
        raise ValueError(f"position is {shown[row]:g} at row {row}; positions are whole numbers from 1 (the top)")
    if propensities is None:
        _check_exponent(eta, "eta")
        with np.errstate(over="ignore"):
            weight = shown**eta
        check_finite(weight, "position^eta")
        return np.asarray(weight)
    if eta != 1.0:
        raise ValueError("eta and propensities are both given: give one of them")
    propensity = as_vector(propensities, "propensities").astype(np.float64)
    bad = ~((propensity > 0) & (propensity <= 1))
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise ValueError(f"propensities[{first}] is {propensity[first]}; a propensity must be above 0 and at most 1")
    if shown.size and shown.max() > propensity.size:
        row = int(shown.argmax())
        raise ValueError(f"position is {shown[row]:g} at row {row}, but propensities has {propensity.size} entries")
    return np.asarray(1.0 / propensity[shown.astype(np.int64) - 1])


def _check_exponent(value: float, name: str) -> None:
    check_finite_number(value, name)
    if value < 0:
        raise ValueError(f"{name} must be at least 0, got {value!r}")

"""Pairwise objectives for tests: formulas of one pair, and the definition of their sums.

Everything here is plain NumPy, written from the README and the docstrings, independent of the package's engines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gbdt_pairloss import (
    BPR,
    PairwiseCustom,
    PairwiseExponential,
    PairwiseHinge,
    PairwiseLogistic,
    PairwiseSoftZeroOne,
    PairwiseSquared,
)

NORMALIZERS = ["none", "query", "log"]

# Losses of one pair: value, first derivative, and second derivative or its surrogate, as functions of
# d = (s_winner - s_loser) / T.


def sigma(d):
    """Return the logistic function of d."""
    return 1 / (1 + np.exp(-d))


def logistic(d):
    """Return log(1 + exp(-d)) and its derivatives."""
    return np.log1p(np.exp(-d)), -sigma(-d), sigma(d) * sigma(-d)


def hinge(d, margin=1.0):
    """Return max(margin - d, 0), its slope, and |slope| as the surrogate for its second derivative."""
    inside = 1.0 * (d < margin)
    return np.maximum(margin - d, 0), -inside, inside


def wide_hinge(d):
    """Return the hinge with a margin of 2.5."""
    return hinge(d, 2.5)


def squared(d):
    """Return (1 - d)^2 and its derivatives."""
    return (1 - d) ** 2, -2 * (1 - d), np.full(np.shape(d), 2.0)


def exponential(d):
    """Return exp(-d) and its derivatives."""
    return np.exp(-d), -np.exp(-d), np.exp(-d)


def soft_zero_one(d):
    """Return sigma(-d), its slope, and |slope| as the surrogate for its second derivative."""
    return sigma(-d), -sigma(d) * sigma(-d), sigma(d) * sigma(-d)


def squared_hinge(d):
    """Return max(1 - d, 0)^2 and its derivatives, as a user of PairwiseCustom writes it."""
    short = np.maximum(1 - d, 0)
    return short**2, -2 * short, 2.0 * (short > 0)


#: An objective of each loss, and its formula.
LOSSES = {
    "logistic": (PairwiseLogistic(), logistic),
    "bpr": (BPR(), logistic),
    "hinge": (PairwiseHinge(), hinge),
    "wide hinge": (PairwiseHinge(margin=2.5), wide_hinge),
    "squared": (PairwiseSquared(), squared),
    "exponential": (PairwiseExponential(), exponential),
    "soft zero-one": (PairwiseSoftZeroOne(), soft_zero_one),
    "custom": (PairwiseCustom(squared_hinge), squared_hinge),
}

#: The Hessian of these is a surrogate, |l'|, not the second derivative.
SURROGATES = ("hinge", "wide hinge", "soft zero-one")


def callable_weight(winner, loser):
    """Return the weight of a pair of labels as a user may define it."""
    return (winner - loser) ** 2 + (0.5 * winner if loser > 0 else 0.0)


#: The parameter ``pair_weight``, and phi of the labels of the winner and the loser.
PAIR_WEIGHTS: dict[str, tuple[str | Callable, Callable]] = {
    "uniform": ("uniform", lambda winner, loser: 1.0),
    "label_diff": ("label_diff", lambda winner, loser: winner - loser),
    "gain_diff": ("gain_diff", lambda winner, loser: 2**winner - 2**loser),
    "callable": (callable_weight, callable_weight),
}


def pairs_of_labels(y, codes):
    """Return winners and losers of all pairs that the labels make within queries."""
    return np.nonzero((codes[:, None] == codes) & (np.asarray(y)[:, None] > y))


@dataclass(frozen=True)
class Sums:
    """Sums over pairs by the definition."""

    loss: float
    gradient: np.ndarray
    hessian: np.ndarray
    #: The normaliser of each row's query, without the query's weight.
    factor: np.ndarray
    #: The sum of the weights of all pairs, normaliser included.
    weight: float


def by_definition(
    formula,
    s,
    codes,
    pairs,
    *,
    phi=None,
    omega=None,
    w=None,
    v=None,
    q=None,
    mask=None,
    temperature=1.0,
    normalize="none",
    both=False,
) -> Sums:
    """Sum losses, gradients and Hessians over pairs, query by query.

    Parameters
    ----------
    formula : callable
        Returns the loss of one pair, its slope and its curvature.
    s, codes : arrays of shape (n_rows,)
        Scores, and each row's query from 0.
    pairs : pair of arrays
        Winners and losers; pairs of rows that take no part are left out.
    phi : array, optional
        Weights of the pairs that the normaliser counts.
    omega : array, optional
        Weights of the pairs that the normaliser does not count.
    w, v : arrays of shape (n_rows,), optional
        Item weights and loser weights.
    q : array of shape (n_queries,), optional
        Query weights.
    mask : boolean array of shape (n_rows,), optional
        Rows that take part.
    temperature, normalize, both
        As the parameters of the objectives; ``both`` is ``item_weight="both"``.
    """
    n = len(s)
    codes = np.asarray(codes)
    n_queries = codes.max(initial=-1) + 1 if q is None else len(q)
    winner, loser = (np.asarray(rows) for rows in pairs[:2])
    phi = np.ones(winner.size) if phi is None else np.asarray(phi, dtype=float)
    omega = np.ones(winner.size) if omega is None else np.asarray(omega, dtype=float)
    w, v = (np.ones(n) if weight is None else np.asarray(weight, dtype=float) for weight in (w, v))
    q = np.ones(n_queries) if q is None else np.asarray(q, dtype=float)
    mask = np.ones(n, dtype=bool) if mask is None else np.asarray(mask)
    gradient, hessian, factor = np.zeros(n), np.zeros(n), np.ones(n)
    loss = total_weight = 0.0
    for query in range(n_queries):
        chosen = (codes[winner] == query) & mask[winner] & mask[loser]
        if not chosen.any():
            continue
        i, j, p = winner[chosen], loser[chosen], phi[chosen]
        value, slope, curvature = formula((np.asarray(s)[i] - np.asarray(s)[j]) / temperature)
        normalizer = 1.0
        if normalize == "query":
            normalizer = (mask & (codes == query)).sum() / p.sum() if p.sum() > 0 else 0.0
        elif normalize == "log":
            total = 2 * (p * np.abs(slope)).sum() / temperature
            normalizer = (np.log1p(total) / total if total > 0 else 1) / np.log(2)
        factor[codes == query] = normalizer
        weight = normalizer * q[query] * p * omega[chosen] * w[i] * v[j] * (w[j] if both else 1)
        loss += float((weight * value).sum())
        total_weight += float(weight.sum())
        np.add.at(gradient, i, weight * slope / temperature)
        np.add.at(gradient, j, -weight * slope / temperature)
        for rows in (i, j):
            np.add.at(hessian, rows, weight * curvature / temperature**2)
    return Sums(loss, gradient, hessian, factor, total_weight)


def assert_close(actual, expected, rtol=1e-9) -> None:
    """Compare gradients and Hessians: equal except for rounding, of a number and of what cancels in a row's sum."""
    largest = max(np.max(np.abs(array)) for array in expected)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=1e-3 * rtol * largest)


def assert_same_in_float32(actual, expected) -> None:
    """Compare with what float32 resolves: 1e-6 of the largest."""
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6 * np.max(np.abs(other)))

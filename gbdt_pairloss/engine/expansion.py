"""The tables of the fast sums: Chebyshev expansions of sigma, and the charges that they are applied to.

``core/chebyshev.h`` and ``core/charges.h`` say what the tables are for. They are computed once, in NumPy, for both
processors.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..ranking._plan import Plan
from ..ranking._validation import Float64Array
from .spec import PairSum

#: Width of a panel, in units of the temperature.
WIDTH = 2.0

# Sums of differences of larger values may leave the range of float32.
_MOST_IN_FLOAT32 = 1e30


class Expansion(NamedTuple):
    """The matrices between panels of scores.

    Attributes
    ----------
    kernels : float64 array of shape (2, 2 near + 1, terms, 2 terms)
        Source coefficients to target coefficients, of sigma and, in the second half, of sigma'. Index 0: of
        sigma(source - target), what a winner sums over losers; 1: of sigma(target - source), what a loser sums.
    rising, falling : float64 arrays of shape (terms,)
        The coefficients of e^d and e^-d on a panel.
    near : int
        The kernels are replaced by their tails from a distance of ``near + 1`` panels on.
    is_loss : bool
        True: of softplus(source - target) instead of sigma, and of 1 instead of sigma', for winners only.
    """

    kernels: Float64Array
    rising: Float64Array
    falling: Float64Array
    near: int
    is_loss: bool


@cache
def expansion_of(dtype: np.dtype[Any], is_loss: bool) -> Expansion:
    """Return the expansion for sums in a type, with errors of 1e-7 (float32) or 1e-14 (float64) of what is summed."""
    return _expansion(8, 9, is_loss) if dtype == np.float32 else _expansion(18, 18, is_loss)


def _expansion(terms: int, near: int, is_loss: bool) -> Expansion:
    angle = (np.arange(terms) + 0.5) * np.pi / terms
    nodes = np.cos(angle) * WIDTH / 2
    to_coefficients = 2 / terms * np.cos(np.outer(np.arange(terms), angle))
    to_coefficients[0] /= 2
    kernels = np.empty((2, 2 * near + 1, terms, 2 * terms))
    for distance in range(-near, near + 1):
        d = distance * WIDTH + nodes[:, None] - nodes[None, :]  # source minus target
        for side, argument in enumerate((d, -d)):
            sigma = 1 / (1 + np.exp(-argument))
            halves = (sigma, sigma / (1 + np.exp(argument)))
            if is_loss:
                halves = (np.logaddexp(0.0, argument), np.ones_like(argument))
            for half, values in enumerate(halves):
                kernels[side, distance + near, :, half * terms : (half + 1) * terms] = (
                    to_coefficients @ values @ to_coefficients.T
                )
    rising, falling = to_coefficients @ np.exp(nodes), to_coefficients @ np.exp(-nodes)
    return Expansion(kernels, rising, falling, near, is_loss)


def flows(powers: int, weighted: bool, with_lambda_sum: bool, loss: bool = False) -> NDArray[np.int64]:
    """Return the translations between the halves of a node: which charges become which sums.

    With S_c the sum of a row over the charges c of the other half, the sum of a winner is

    * S_1 where phi is 1,
    * y_i S_1 - S_y where phi = y_i - y_j,
    * -y_i D_i S_1 + D_i S_y + y_i S_D - S_yD where phi = (y_i - y_j) |D_i - D_j|, with S of each sign (see
      ``translate`` in ``core/chebyshev.h``),

    and the sum of a loser is its negative, except where phi is 1. The gradient of a winner is minus its sum. The
    Hessian and the loss are plus.

    Returns
    -------
    flows : int64 array of shape (n, 7)
        Side, source channel, target (or -1), sign of sigma, sign of sigma'; for the sum of phi sigma, the channel of
        the winners that the sums are multiplied by (or -1), and the sign of the product.
    """
    signs = {1: (1,), 2: (1, -1), 4: (-1, 1, 1, -1)}[powers]
    table = []
    for power, sign in enumerate(signs):
        to_loser = sign if powers == 1 else -sign
        winners, losers = (powers + power, power) if weighted else (power, power)  # the charges that each sums
        dual = powers - 1 - power
        if loss:
            table.append((0, winners, power, sign, sign, -1, 0))
            continue
        if weighted:
            table.append((0, winners, power, -sign, sign, -1, 0))
            table.append((1, losers, powers + power, to_loser, to_loser, -1, 0))
            if with_lambda_sum:
                table.append((0, 2 * powers + power, -1, 0, 0, 2 * powers + dual, sign))
        else:
            table.append((0, winners, power, -sign, sign, dual, sign))
            table.append((1, losers, power, to_loser, to_loser, -1, 0))
    return np.array(table, dtype=np.int64)


def count_channels(powers: int, weighted: bool, with_lambda_sum: bool) -> tuple[int, int]:
    """Return the numbers of channels and of targets of the translations of ``flows``."""
    return powers * ((3 if with_lambda_sum else 2) if weighted else 1), powers * (2 if weighted else 1)


def powers_of(plan: Plan, spec: PairSum) -> int:
    """Return the number of charges of a role: 1, y, D and y D; or the first two; or the first."""
    if spec.delta is not None:
        return 4
    return 1 if plan.values is None else 2


def precision(plan: Plan, spec: PairSum, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type that pairs are summed in, for results of type ``dtype``."""
    by_distance = spec.delta is not None and spec.delta.by_distance
    # float32 resolves too few digits of a distance of 0.01 between scores of 10 or more.
    return np.dtype(np.float64) if by_distance or plan.largest_value > _MOST_IN_FLOAT32 else dtype

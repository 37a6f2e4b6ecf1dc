"""What the rows of a plan weigh, and what follows for the fast sums.

A **channel** is a charge that sources carry: their weight as winners (role 0) or as losers (role 1), or 1 for the
unweighted strength (role 2), each alone and, where pairs weigh a difference of values, times the row's value, and with
|delta NDCG| both times its discount. Without weights role 0 is 1 and serves all. A **target** is what a row's evaluated
sums are multiplied with, likewise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compile import leaf


class Rows(NamedTuple):
    """The plan as the kernels read it; an empty array stands for weights of 1, or for phi = 1.

    Attributes
    ----------
    row : uint32 or uint64 array
        The caller's row at each position: a signed index is looked at for being negative.
    ptr : int64 array
        Where each query starts, and the end.
    run_begin, run_end : int32 or int64 arrays
        The run of equal labels of each position.
    last_run : int64 array
        Where each query's last run begins.
    winner_weight, loser_weight : float64 arrays
    value : float64 array
        phi is the difference of two rows' values.
    """

    row: NDArray[np.unsignedinteger]
    ptr: NDArray[np.int64]
    run_begin: NDArray[np.signedinteger]
    run_end: NDArray[np.signedinteger]
    last_run: NDArray[np.int64]
    winner_weight: NDArray[np.float64]
    loser_weight: NDArray[np.float64]
    value: NDArray[np.float64]


def flows(powers: int, weighted: bool, strength: bool, loss: bool = False) -> NDArray[np.int64]:
    """The translations between the halves of a node: what charges become what sums.

    With S_c what a row sums over the other half's charges c, a winner's sum is

    * S_1 where phi is 1,
    * y_i S_1 - S_y where phi = y_i - y_j,
    * -y_i D_i S_1 + D_i S_y + y_i S_D - S_yD where phi = (y_i - y_j) |D_i - D_j|, with S of each sign (see
      ``translate``),

    and a loser's is its negative, but for phi = 1. The gradient of a winner is minus its sum, the Hessian and the loss
    are plus.

    Returns
    -------
    flows : int64 array of shape (n, 7)
        Side, source channel, target (or -1), sign of sigma, sign of sigma'; for the strength, the winners' channel that
        the sums are multiplied with (or -1), and the product's sign.
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
            if strength:
                table.append((0, 2 * powers + power, -1, 0, 0, 2 * powers + dual, sign))
        else:
            table.append((0, winners, power, -sign, sign, dual, sign))
            table.append((1, losers, power, to_loser, to_loser, -1, 0))
    return np.array(table, dtype=np.int64)


def count_channels(powers: int, weighted: bool, strength: bool) -> tuple[int, int]:
    """How many channels and targets the translations of ``flows`` have."""
    return powers * ((3 if strength else 2) if weighted else 1), powers * (2 if weighted else 1)


@leaf
def role_weight(p, role, rows):
    if rows.winner_weight.size == 0 or role == 2:
        return 1.0
    return rows.winner_weight[p] if role == 0 else rows.loser_weight[p]


@leaf
def powers_of(rows, discount):
    """How many charges each role has: 1, y, D and yD, or the first two, or the first."""
    if discount.size > 0:
        return 4
    return 2 if rows.value.size > 0 else 1


@leaf
def fill_charges(first, last, offset, channel, rows, discount, centre, charge):
    powers = powers_of(rows, discount)
    role, power = channel // powers, channel % powers
    for k in range(last - first):
        p = offset + first + k
        charge[k] = role_weight(p, role, rows)
        if power % 2 == 1:
            charge[k] *= rows.value[p] - centre
        if power >= 2:
            charge[k] *= discount[first + k]


@leaf
def value_centre(offset, n, value):
    """The middle of a query's values, taken off them before they are multiplied: labels near 1e6 cost digits."""
    if value.size == 0:
        return 0.0
    return 0.5 * (value[offset] + value[offset + n - 1])

"""The fast sum: sigma interpolated on panels of scores, O(n) whatever the number of pairs.

sigma(x) = 1 / (1 + e^-x) is analytic in the strip |Im x| < pi. On panels of width 2 (scores over the temperature) a
Chebyshev interpolant in both arguments converges like 6.4^-terms. With x = (score / T - panel's centre) / (width / 2)::

    moments of the sources    M[s, k] = sum_j q_j T_k(x_j)                over the rows j of panel s
    translation               F[t, l] = sum_s sum_k K[s - t][k, l] M[s, k]
    at a target               sum_j q_j sigma((s_j - s_i) / T) = sum_l F[t, l] T_l(x_i)

sigma' has matrices of its own: differentiating the interpolant would cost two digits. Beyond ``near`` panels the
kernel is its tail, e^-|d|, which has rank one, on one side, and 1 on the other. Panels without a row are left out, so
that an outlier costs one panel, wherever it lies.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compile import helper, leaf

#: Width of a panel, in units of the temperature.
WIDTH = 2.0

# Where a query's scores span more panels than this, a row's panel is found by bisection instead of in a table.
_MOST_SLOTS = 4096

# So few are all kept, without a look at which of them are empty.
_FEW_PANELS = 24


class Table(NamedTuple):
    """The kernels' expansions; their number of terms is a type, so that compiled loops are unrolled.

    Attributes
    ----------
    terms : tuple of floats
        Of which only the length matters.
    kernels : float64 array of shape (2, 2 near + 1, terms, 2 terms)
        Source coefficients to target coefficients, of sigma and, in the second half, of sigma'. Index 0: of
        sigma(source - target), what a winner sums over losers; 1: of sigma(target - source), what a loser sums.
    rising, falling : float64 arrays of shape (terms,)
        e^d and e^-d on a panel.
    near : int
    is_loss : int
        1: of softplus(source - target) in the place of sigma and 1 in that of sigma', for winners only.
    """

    terms: tuple[float, ...]
    kernels: NDArray[np.float64]
    rising: NDArray[np.float64]
    falling: NDArray[np.float64]
    near: int
    is_loss: int


@cache
def table(terms: int, near: int, is_loss: bool = False) -> Table:
    """Expansions with this many terms, and tails from a distance of ``near + 1`` panels on."""
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
    return Table(
        terms=(0.0,) * terms,
        kernels=kernels,
        rising=to_coefficients @ np.exp(nodes),
        falling=to_coefficients @ np.exp(-nodes),
        near=near,
        is_loss=int(is_loss),
    )


def table_of(dtype: np.dtype, is_loss: bool) -> Table:
    """Expansions for sums in a type: errors of 1e-7 and 1e-14 of what is summed."""
    return table(8, 9, is_loss) if dtype == np.float32 else table(18, 18, is_loss)


@helper
def find_panels(x, low, high):
    """The panels that hold a score: their whole-number positions, ascending, and a table of slots (or an empty one).

    A score x lies in panel floor(x / WIDTH); ``slots[panel - position[0]]`` is its index in ``position``. ``low`` and
    ``high`` are the extremes of x. Both are empty where they span more than a table should hold.
    """
    low, high = np.floor(low / WIDTH), np.floor(high / WIDTH)
    if high - low < _FEW_PANELS:
        slots = np.arange(np.int64(high - low) + 1)
        return low + slots, slots
    if high - low < _MOST_SLOTS:
        slots = np.zeros(np.int64(high - low) + 1, np.int64)
        for p in range(x.shape[0]):
            slots[np.int64(np.floor(x[p] / WIDTH) - low)] = 1
        n = 0
        position = np.empty(slots.sum())
        for panel in range(slots.shape[0]):
            if slots[panel] > 0:
                position[n] = low + panel
                slots[panel] = n
                n += 1
        return position, slots
    return np.empty(0), np.empty(0, np.int64)


@leaf
def place(x, position, slots, slot, local):
    """The index of each score's panel, and where in it the score lies, in [-1, 1]."""
    first = position[0]
    if slots.shape[0] == position.shape[0]:  # no gaps
        for p in range(x.shape[0]):
            u = x[p] / WIDTH
            panel = np.floor(u)
            local[p] = 2.0 * (u - panel) - 1.0
            slot[p] = np.int64(panel - first)
        return
    for p in range(x.shape[0]):
        u = x[p] / WIDTH
        panel = np.floor(u)
        local[p] = 2.0 * (u - panel) - 1.0
        if slots.shape[0] > 0:
            slot[p] = slots[np.int64(panel - first)]
        else:
            low, high = 0, position.shape[0] - 1
            while low < high:
                middle = (low + high) // 2
                if position[middle] < panel:
                    low = middle + 1
                else:
                    high = middle
            slot[p] = low


@leaf
def add_moments(slot, local, charge, terms, moments):
    """moments[panel, k] += charge T_k(x) of each row."""
    for p in range(slot.shape[0]):
        x = local[p]
        m = moments[slot[p]]
        t0, t1 = charge[p], charge[p] * x
        for k in range(len(terms)):
            m[k] += t0
            t0, t1 = t1, 2.0 * x * t1 - t0


@leaf
def evaluate(slot, local, terms, coefficients, out):
    """out += sum_k coefficients[panel, k] T_k(x) of each row; sigma's and sigma''s coefficients side by side."""
    for p in range(slot.shape[0]):
        x = local[p]
        c = coefficients[slot[p]]
        t0, t1 = 1.0, x
        first, second = 0.0, 0.0
        for k in range(len(terms)):
            first += c[k] * t0
            second += c[k + len(terms)] * t0
            t0, t1 = t1, 2.0 * x * t1 - t0
        out[0, p] += first
        out[1, p] += second


@leaf
def translate(moments, position, side, signed, table, out):
    """Coefficients at all panels of what all panels hold: sigma's and sigma''s side by side.

    ``side`` 0: the targets are winners and sum sigma(source - target); 1: losers, and sigma(target - source).
    ``signed``: panels above the target count +, those below -, and its own does not count.
    """
    terms = len(table.terms)
    panels = position.shape[0]
    low, high = 0, 0
    for t in range(panels):
        while position[t] - position[low] > table.near:
            low += 1
        while high < panels and position[high] - position[t] <= table.near:
            high += 1
        target = out[t]
        target[:] = 0.0
        for s in range(low, high):
            m = moments[s]
            weight = 0.0
            for k in range(terms):
                weight += abs(m[k])
            if weight == 0.0 or (signed and s == t):
                continue
            sign = -1.0 if signed and s < t else 1.0
            matrix = table.kernels[side, np.int64(position[s] - position[t]) + table.near]
            for n in range(2 * terms):
                z = 0.0
                for k in range(terms):
                    z += matrix[k, n] * m[k]
                target[n] += sign * z
    if position[panels - 1] - position[0] > table.near:
        _add_far(moments, position, side, signed, table, out)


@leaf
def _add_far(moments, position, side, signed, table, out):
    """What ``translate`` sums over the panels that are not near: 1 on one side (or d), e^-|d| on the other.

    Two sweeps with running sums: over the sources below the target, and over those above it.
    """
    terms = len(table.terms)
    panels = position.shape[0]
    for sweep in range(2):
        above = sweep == 1
        # Below: sigma(source - target) is e^(source - target), a tail. For losers the sides swap.
        is_tail = above == (side == 1)
        towards = table.falling if above else table.rising  # of the source
        away = table.rising if above else table.falling  # of the target
        tail, mass, moment = 0.0, 0.0, 0.0  # moment: of the sources' distances from the target panel's centre
        waiting = panels - 1 if above else 0  # the first source that is not yet in the sums
        previous = position[waiting]
        for step in range(panels):
            t = panels - 1 - step if above else step
            tail *= np.exp(-WIDTH * abs(position[t] - previous))
            moment -= mass * WIDTH * (position[t] - previous)
            previous = position[t]
            while abs(position[t] - position[waiting]) > table.near:
                reach = 0.0
                for k in range(terms):
                    reach += towards[k] * moments[waiting, k]
                tail += reach * np.exp(-WIDTH * abs(position[t] - position[waiting]))
                mass += moments[waiting, 0]
                moment += moments[waiting, 0] * WIDTH * (position[waiting] - position[t])
                moment += moments[waiting, 1] * WIDTH / 2
                waiting += -1 if above else 1
            sign = -1.0 if signed and not above else 1.0
            if is_tail:
                for k in range(terms):
                    out[t, k] += sign * tail * away[k]
            elif table.is_loss:
                out[t, 0] += sign * moment
                out[t, 1] -= sign * mass * WIDTH / 2
            else:
                out[t, 0] += sign * mass
            if table.is_loss:
                out[t, terms] += sign * mass
            else:
                for k in range(terms):
                    out[t, k + terms] += sign * tail * away[k]

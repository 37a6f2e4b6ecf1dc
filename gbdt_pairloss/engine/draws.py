"""Random numbers that are functions of a seed, the bits of the scores and the row; there is no state.

The numbers are those of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA
2014). ``core/draws.h`` and ``core/rank_noise.h`` have the same in C++.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..ranking._groups import IntArray
from ..ranking._validation import Float64Array
from .spec import RankNoise

Bits = NDArray[np.uint64]

# The increments of SplitMix64's counter, and of a second one.
GOLDEN, SILVER = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1B54A32D192ED03)


def mixed(z: Bits) -> Bits:
    """Compute the finaliser of SplitMix64: every bit of the result depends on every bit of the argument."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: Bits = z ^ (z >> np.uint64(31))
    return result


def as_bits(values: IntArray) -> Bits:
    """Return whole numbers as 64 bits."""
    return values.astype(np.uint64)


def hash_of(scores: Float64Array, numbers: IntArray, seed: int) -> Bits:
    """Return a number that depends on a seed and on every bit of numbered scores, as an array of one entry.

    It does not depend on their order. -0.0 counts as 0.0.
    """
    terms = mixed((scores + 0.0).view(np.uint64) + as_bits(numbers) * GOLDEN)
    return mixed(mixed(np.array([seed], dtype=np.uint64) + SILVER) + terms.sum(dtype=np.uint64))


def natural_log(x: Float64Array) -> Float64Array:
    """Compute the natural logarithm of normal positive numbers, within an ulp.

    It is ``core/rank_noise.h``'s, to the last bit: ``numpy.log`` rounds otherwise on some processors, and then the
    noise of a seed would be another one there. Source: FreeBSD's e_log.c.
    """
    m, power = np.frexp(x)
    m, power = np.where(m < np.sqrt(0.5), (2.0 * m, power - 1.0), (m, power))  # m from sqrt(1/2) to sqrt(2)
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    half_square = 0.5 * f * f
    odd = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    even = 2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)
    even = z * (6.666666666666735130e-01 + w * even)
    rest = s * (half_square + (odd + even)) + power * 1.90821492927058770002e-10
    return np.asarray(power * 6.93147180369123816490e-01 - ((half_square - rest) - f))


def noised_scores(scores: Float64Array, rows: IntArray, noise: RankNoise, temperature: float) -> Float64Array:
    """Compute the scores by which the rows of a query are ranked with rank noise.

    ::

        s + a T log(u / (1 - u))

    u is uniform on the odd multiples of 2^-53 between 0 and 1. It is a function of the seed, of the scores of the
    query, and of the row.

    Parameters
    ----------
    scores : float64 array of shape (n,)
        The scores of the query.
    rows : int array of shape (n,)
        The caller's row of each score.
    noise : RankNoise
        a, and the seed.
    temperature : float
        T.
    """
    bits = mixed(hash_of(scores, rows, noise.seed) + as_bits(rows) * GOLDEN)
    u = (bits >> np.uint64(12)).astype(np.float64) * 2.0**-52 + 2.0**-53
    with np.errstate(over="ignore"):
        return np.asarray(scores + (noise.scale * temperature) * natural_log(u / (1.0 - u)))

"""Lists of pairs, in NumPy: explicit pairs and drawn negatives, as the definition sums over them.

For each winner, n losers are drawn from strata: the total weight of its losers is cut into n equal parts, and the k-th
loser is drawn from the k-th part. In a query with N losers of weight above 0, whose weights sum to V, a drawn pair
represents N / n pairs of loser weight V / N. Winners are the rows of the largest label of the query, and losers are all
others. The numbers are those of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014), seeded by ``random_state`` and by every bit of the scores.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..ranking._explicit_plan import ExplicitPlan
from ..ranking._groups import IntArray
from ..ranking._negatives import candidates_of, check_draws
from ..ranking._plan import Plan
from ..ranking._validation import Float64Array
from .draws import GOLDEN, SILVER, as_bits, hash_of, mixed
from .spec import Negatives, PairSum

_TILE = 1 << 20


class ListedPairs(NamedTuple):
    """Some pairs of a list.

    Attributes
    ----------
    winner, loser : int arrays of shape (n,)
        Positions in the plan.
    phi, weight : float64 arrays of shape (n,)
        phi, and the product of all other weights except the query's.
    """

    winner: IntArray
    loser: IntArray
    phi: Float64Array
    weight: Float64Array


def is_listed(plan: Plan, spec: PairSum) -> bool:
    """Return True if a sum is over a list of pairs, and not over all pairs of the labels."""
    return isinstance(plan, ExplicitPlan) or spec.negatives is not None


def listed_pairs(plan: Plan, x: Float64Array, spec: PairSum) -> Iterator[ListedPairs]:
    """Yield the pairs of a list, some at a time; ``x`` are the scores by position."""
    if isinstance(plan, ExplicitPlan):
        for begin in range(0, plan.winner.shape[0], _TILE):
            part = slice(begin, begin + _TILE)
            winner, loser = plan.winner[part], plan.loser[part]
            weight = plan.winner_weight[winner] * plan.loser_weight[loser]
            if plan.pair_weight is not None:
                weight = weight * plan.pair_weight[part]
            yield ListedPairs(winner, loser, np.ones(winner.shape), weight)
    else:
        assert spec.negatives is not None
        yield from _drawn_pairs(plan, x, spec.negatives)


def _drawn_pairs(plan: Plan, x: Float64Array, negatives: Negatives) -> Iterator[ListedPairs]:
    n = negatives.n
    check_draws(plan, n)
    candidates = candidates_of(plan)
    seed = hash_of(x, np.arange(x.shape[0]), negatives.seed)
    # A position of weight 0 is never drawn: should rounding lead to it, the last one with a weight before it is.
    weighted = np.maximum.accumulate(np.where(candidates.weight > 0, np.arange(x.shape[0]), -1))
    for start in range(0, candidates.winner.shape[0], max(1, _TILE // n)):
        part = slice(start, start + max(1, _TILE // n))
        winner, query = np.repeat(candidates.winner[part], n), np.repeat(candidates.query[part], n)
        draw = np.tile(np.arange(n), winner.shape[0] // n)
        bits = mixed(mixed(seed + as_bits(plan.rows[winner]) * GOLDEN) + as_bits(draw) * SILVER)
        uniform = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
        begin, end = plan.run_end[winner], plan.ptr[query + 1]
        low, high = candidates.total[begin], candidates.total[end]
        target = low + (high - low) * ((draw + uniform) / n)
        loser = np.minimum(np.searchsorted(candidates.total, target, side="right") - 1, end - 1)
        loser = np.maximum(weighted[loser], begin)
        weight = plan.winner_weight[winner] * candidates.mean_weight[query]
        yield ListedPairs(winner, loser, candidates.number[query] / n, weight)

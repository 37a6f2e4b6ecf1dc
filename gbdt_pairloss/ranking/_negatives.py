"""What can be drawn as negatives in a plan: losers of positive weight, for the winners of each query."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._cached_per_plan import cached_per_plan
from ._groups import IntArray
from ._plan import Plan
from ._validation import Float64Array


class Candidates(NamedTuple):
    """What can be drawn in a plan.

    Attributes
    ----------
    winner, query : int64 arrays of shape (n_winners,)
        The positions that have losers of weight above 0, and their queries.
    weight : float64 array of shape (n_positions,)
        Loser weights, in units of the query's largest: its digits must not drown in the running total.
    total : float64 array of shape (n_positions + 1,)
        The sum of these before each position.
    number, mean_weight : float64 arrays of shape (n_queries,)
        How many losers of weight above 0 there are, and the mean of their loser weights.
    drawn : int64 array
        The queries with a winner and a loser of weight above 0.
    fewest : float
        The fewest such losers of one of these.
    """

    winner: IntArray
    query: IntArray
    weight: Float64Array
    total: Float64Array
    number: Float64Array
    mean_weight: Float64Array
    drawn: IntArray
    fewest: float


@cached_per_plan
def candidates_of(plan: Plan) -> Candidates:
    """What can be drawn in a plan."""
    query, n = plan.query_of_positions, plan.n_queries
    wins = plan.run_end < plan.ptr[1:][query]
    weight = np.where(wins, 0.0, plan.loser_weight)
    number = np.bincount(query, weight > 0, minlength=n).astype(np.float64)
    mean = np.bincount(query, weight, minlength=n) / np.maximum(number, 1.0)
    largest = np.zeros(n)
    np.maximum.at(largest, query, weight)
    weight = weight / np.where(largest > 0, largest, 1.0)[query]
    total = np.concatenate(([0.0], np.cumsum(weight)))
    winner = np.flatnonzero(wins & (number[query] > 0))
    counts = (plan.winner_weight[winner] > 0) & (plan.query_weight[query[winner]] > 0)
    drawn = np.unique(query[winner[counts]])
    fewest = float(number[drawn].min(initial=np.inf))
    return Candidates(winner, query[winner], weight, total, number, mean, drawn, fewest)


def check_draws(plan: Plan, n: int) -> None:
    """Raise a ValueError if a query has fewer losers of weight above 0 than n draws for each winner, but some."""
    candidates = candidates_of(plan)
    if n <= candidates.fewest:
        return
    short = candidates.drawn[candidates.number[candidates.drawn] < n]
    first = int(short[0])
    others = f" ({short.size} queries have too few)" if short.size > 1 else ""
    raise ValueError(
        f"{n} negatives are to be drawn for each positive, but {plan.query_name(first)} has "
        f"{int(candidates.number[first])} of weight above 0{others}: draw fewer, or take all"
    )

"""Candidates for sampled negatives: the losers of positive weight of each query of a plan."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._cached_per_plan import cached_per_plan
from ._groups import IntArray
from ._plan import Plan
from ._validation import Float64Array


class Candidates(NamedTuple):
    """The losers that can be drawn as negatives, and the winners to draw them for.

    Attributes
    ----------
    winner, query : int64 arrays of shape (n_winners,)
        Positions of the winners whose query has losers of weight above 0, and their queries.
    weight : float64 array of shape (n_positions,)
        Loser weights divided by the largest of their query, so that small weights keep their digits in ``total``; 0 for
        winners.
    total : float64 array of shape (n_positions + 1,)
        Sum of ``weight`` before each position.
    number, mean_weight : float64 arrays of shape (n_queries,)
        Number of losers of weight above 0, and the mean of their loser weights.
    drawn : int64 array of shape (n_drawn_queries,)
        Queries that draws are made in: those with query weight, a winner's weight and a loser's weight above 0.
    fewest : float
        Smallest ``number`` of these queries; infinite if there is none.
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
    """Return the candidates for negatives of a plan."""
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
    """Raise a ValueError if a query has losers of weight above 0, but fewer than the n to draw for each winner."""
    candidates = candidates_of(plan)
    if n <= candidates.fewest:
        return
    short = candidates.drawn[candidates.number[candidates.drawn] < n]
    first = int(short[0])
    others = f" ({short.size} queries have too few)" if short.size > 1 else ""
    raise ValueError(
        f"{n} negatives are to be drawn for each positive, but {plan.query_name(first)} has only "
        f"{int(candidates.number[first])} with a weight above 0{others}: draw fewer, or use all negatives"
    )

"""Pairs one by one: explicit ones, drawn ones, or all, for any loss and any weights of pairs.

O(pairs) time and O(rows) memory: the pairs are looked at in blocks that stay in the cache. A block's differences go
through the loss as one array.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..groups import IntArray
from ..listed_plan import ListedPlan
from ..plan import Plan
from ..table_plan import TablePlan
from ..validation import Float64Array
from . import SMALLEST_DISTANCE, PairSum
from .factors import PlainEngine
from .kept import kept_with_plan
from .listed_kernels import add_pairs, add_won, differ, draw, hash_of, list_losers, logistic, rank
from .threads import Threads

# Pairs in a block: of their dozen temporaries, those in use at a time stay in the cache.
_BLOCK = 1 << 14

# Pairs of a task, which has sums of its own for the rows that it sees: at least, and how many tasks at most.
_PER_TASK, _MOST_TASKS = 1 << 18, 16


class Block(NamedTuple):
    """Some pairs: positions of winners and losers, phi, and the product of all weights, where these are not 1."""

    winner: IntArray
    loser: IntArray
    phi: Float64Array | None
    weight: Float64Array | None


class Source(Protocol):
    """Pairs in a fixed order, query by query."""

    size: int

    def block(self, begin: int, end: int) -> Block:
        """The pairs with these numbers."""


class ListedEngine(PlainEngine):
    """Sums over pairs one by one.

    Parameters
    ----------
    n_threads : int or None
        None: as many as this process may use. Results do not depend on their number.
    """

    def __init__(self, n_threads: int | None = None) -> None:
        self.n_threads = n_threads

    def plain_sums(
        self, plan: Plan, scores: NDArray[Any], pairs: PairSum, dtype: Any
    ) -> tuple[NDArray[Any], NDArray[Any], Float64Array]:
        sums = self._sum(plan, scores, pairs, False)
        with np.errstate(over="ignore"):
            first = sums.of_rows[:, 0] / pairs.temperature
            second = sums.of_rows[:, 1] / pairs.temperature * (pairs.hessian_scale / pairs.temperature)
        divisors = sums.divisors
        if pairs.normalize == "log":
            divisors = divisors / pairs.temperature
        elif pairs.delta is None:  # known, and of drawn pairs free of noise
            divisors = plan.sum_of_phi
        return plan.scatter(first), plan.scatter(second), divisors

    def plain_losses(
        self, plan: Plan, scores: NDArray[Any], pairs: PairSum, dtype: Any
    ) -> tuple[Float64Array, Float64Array]:
        sums = self._sum(plan, scores, pairs, True)
        return plan.scatter(sums.of_rows[:, 0]), plan.scatter(sums.of_rows[:, 1])

    def _sum(self, plan: Plan, scores: NDArray[Any], pairs: PairSum, is_loss: bool) -> _Sums:
        plan.check_scores(scores)
        x = plan.gather(scores)
        source = _source(plan, x, pairs)
        query = plan.query_of_positions
        n = plan.rows.shape[0]
        # Fixed by the data, so that the results are.
        step = max(_PER_TASK, 2 * n, -(-source.size // _MOST_TASKS))
        total = _Sums(np.zeros((n, 2)), np.zeros(plan.n_queries))

        def sum_some(begin: int) -> tuple[int, int, _Sums]:
            end = min(begin + step, source.size)
            return _sum_some(plan, x, query, pairs, source, begin, end, is_loss)

        with Threads(self.n_threads) as threads:
            for begin, first_query, part in threads.run(sum_some, range(0, source.size, step)):
                total.of_rows[begin : begin + part.of_rows.shape[0]] += part.of_rows
                total.divisors[first_query : first_query + part.divisors.shape[0]] += part.divisors
        return total


class _Sums(NamedTuple):
    """Gradient and Hessian, or loss and weight of winners, by position; what the normaliser divides queries by."""

    of_rows: Float64Array
    divisors: Float64Array


def _sum_some(
    plan: Plan,
    x: Float64Array,
    query: IntArray,
    pairs: PairSum,
    source: Source,
    begin: int,
    end: int,
    is_loss: bool,
) -> tuple[int, int, _Sums]:
    """The sums of the pairs ``begin`` to ``end``, and the position and the query that they begin with."""
    first_query = int(query[source.block(begin, begin + 1).winner[0]])
    last_query = int(query[source.block(end - 1, end).winner[0]])
    low, high = int(plan.ptr[first_query]), int(plan.ptr[last_query + 1])
    sums = _Sums(np.zeros((high - low, 2)), np.zeros(last_query + 1 - first_query))
    one = np.ones(1)
    derivatives = _derivatives(pairs, is_loss)
    d = np.empty(_BLOCK)
    for start in range(begin, end, _BLOCK):
        winner, loser, phi, omega = source.block(start, min(start + _BLOCK, end))
        n = winner.shape[0]
        differ(winner, loser, x, pairs.temperature, d)
        if is_loss:
            value = derivatives(d, n)[0]
            weights = np.ones(n) if omega is None else omega
            weights = weights if phi is None else weights * phi
            add_won(winner, np.where(weights > 0, value, 0.0) * weights, weights, low, sums.of_rows)
        else:
            _, first, second = derivatives(d, n)
            factors = (one if phi is None else phi, one if omega is None else omega)
            counted = first if pairs.normalize == "log" else one
            add_pairs(winner, loser, query, first, second, *factors, counted, low, first_query, *sums)
    return low, first_query, sums


def _derivatives(
    pairs: PairSum, is_loss: bool
) -> Callable[[Float64Array, int], tuple[Any, Float64Array, Float64Array]]:
    """The loss's own function, or a faster one, which leaves out the value where only slopes are asked for.

    It takes an array, and how many of its entries are of interest.
    """
    if is_loss or pairs.pair_loss.name != "logistic":
        return lambda d, n: pairs.pair_loss.derivatives(d[:n])
    first, second = np.empty(_BLOCK), np.empty(_BLOCK)

    def slopes(d: Float64Array, n: int) -> tuple[Any, Float64Array, Float64Array]:
        logistic(d, n, first, second)
        return None, first, second

    return slopes


def _source(plan: Plan, x: Float64Array, pairs: PairSum) -> Source:
    if isinstance(plan, ListedPlan):
        return _Explicit(plan)
    if pairs.negatives is not None:
        return _Drawn(plan, x, pairs)
    return _All(plan, x, pairs)


class _Explicit:
    """The pairs of a listed plan."""

    def __init__(self, plan: ListedPlan) -> None:
        self.plan = plan
        self.size = plan.winner.shape[0]
        self.weight_of = _weight_function(plan)

    def block(self, begin: int, end: int) -> Block:
        winner, loser = self.plan.winner[begin:end], self.plan.loser[begin:end]
        weight = None if self.weight_of is None else self.weight_of(winner, loser)
        if self.plan.pair_weight is not None:
            own = self.plan.pair_weight[begin:end]
            weight = own if weight is None else weight * own
        return Block(winner, loser, None, weight)


class _All:
    """All ordered pairs, winner by winner."""

    def __init__(self, plan: Plan, x: Float64Array, pairs: PairSum) -> None:
        self.plan = plan
        losers = np.repeat(plan.ptr[1:], np.diff(plan.ptr)) - plan.run_end
        self.before = np.concatenate(([0], np.cumsum(losers)))
        self.size = int(self.before[-1])
        self.phi_of = _phi_function(plan, x, pairs)
        self.weight_of = _weight_function(plan)

    def block(self, begin: int, end: int) -> Block:
        winner, loser = np.empty(end - begin, dtype=np.int64), np.empty(end - begin, dtype=np.int64)
        first = int(np.searchsorted(self.before, begin, side="right")) - 1
        list_losers(begin, first, self.before, self.plan.run_end, winner, loser)
        phi = None if self.phi_of is None else self.phi_of(winner, loser)
        return Block(winner, loser, phi, None if self.weight_of is None else self.weight_of(winner, loser))


def _weight_function(plan: Plan) -> Callable[[IntArray, IntArray], Float64Array] | None:
    """The product of the weights of the rows of pairs; None: 1."""
    w, v = plan.winner_weight, plan.loser_weight
    if not ((w != 1).any() or (v != 1).any()):
        return None
    return lambda winner, loser: w[winner] * v[loser]


def _phi_function(plan: Plan, x: Float64Array, pairs: PairSum) -> Callable[[IntArray, IntArray], Float64Array] | None:
    """phi of pairs of positions; None: 1."""
    if isinstance(plan, TablePlan):
        weights = plan.label_weights
        assert weights is not None
        return lambda winner, loser: weights.table[weights.row[winner] + weights.column[loser]]
    value = plan.values
    if value is None:
        return None
    if pairs.delta is None:
        return lambda winner, loser: value[winner] - value[loser]
    delta = pairs.delta
    query = plan.query_of_positions
    ranks = rank(plan.ptr, x, plan.rows)
    discount = 1 / np.log2(ranks + 2)
    ideal = plan.ideal_dcg(delta.truncation)
    per_ideal = np.divide(1.0, ideal, out=np.zeros_like(ideal), where=ideal > 0)
    sizes = np.diff(plan.ptr)
    # Where all scores of a query are equal the distance does not count.
    spread = np.zeros(plan.n_queries, dtype=np.bool_)
    some = np.flatnonzero(sizes)
    if some.size:
        starts = plan.ptr[:-1][some]
        spread[some] = np.minimum.reduceat(x, starts) != np.maximum.reduceat(x, starts)

    def phi(winner: IntArray, loser: IntArray) -> Float64Array:
        own = query[winner]
        result: Float64Array = value[winner] - value[loser]
        result *= np.abs(discount[winner] - discount[loser]) * per_ideal[own]
        if delta.truncation is not None:
            result *= np.minimum(ranks[winner], ranks[loser]) < delta.truncation
        if delta.by_distance:
            with np.errstate(over="ignore"):
                distance = SMALLEST_DISTANCE + np.abs(x[winner] - x[loser])
            result /= np.where(spread[own], distance, 1.0)
        return result

    return phi


class _Drawn:
    """Losers drawn for each winner: the k-th of n from the k-th n-th of its losers' total weight.

    Of a query with N losers of weight above 0, whose weights sum to V, each pair that is drawn stands for N / n, of
    weight V / N. Winners are the rows of the query's largest label, losers all others.
    """

    def __init__(self, plan: Plan, x: Float64Array, pairs: PairSum) -> None:
        assert pairs.negatives is not None
        self.plan, self.n = plan, pairs.negatives.n
        check_draws(plan, self.n)
        self.losers = _losers_of(plan)
        self.seed = np.uint64(hash_of(x + 0.0, np.uint64(pairs.negatives.seed)))  # + 0.0: -0.0 is 0
        self.size = self.losers.winner.shape[0] * self.n

    def block(self, begin: int, end: int) -> Block:
        losers = self.losers
        number = np.arange(begin, end)
        which = number // self.n
        winner, query = losers.winner[which], losers.query[which]
        loser = np.empty(end - begin, dtype=np.int64)
        rows = (self.plan.rows, self.plan.run_end, self.plan.ptr[1:][query], losers.weight, losers.total)
        draw(number, winner, self.n, self.seed, *rows, loser)
        weight = self.plan.winner_weight[winner] * losers.mean_weight[query]
        return Block(winner, loser, losers.number[query] / self.n, weight)


class _Losers(NamedTuple):
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


@kept_with_plan
def _losers_of(plan: Plan) -> _Losers:
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
    return _Losers(winner, query[winner], weight, total, number, mean, drawn, fewest)


def check_draws(plan: Plan, n: int) -> None:
    """Raise a ValueError if a query has fewer losers of weight above 0 than n draws for each winner, but some."""
    losers = _losers_of(plan)
    if n <= losers.fewest:
        return
    short = losers.drawn[losers.number[losers.drawn] < n]
    first = int(short[0])
    others = f" ({short.size} queries have too few)" if short.size > 1 else ""
    raise ValueError(
        f"{n} negatives are to be drawn for each positive, but {plan.query_name(first)} has "
        f"{int(losers.number[first])} of weight above 0{others}: draw fewer, or take all"
    )

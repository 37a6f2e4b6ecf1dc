"""Sums pair by pair: over explicit pairs, drawn pairs, or all ordered pairs, for any loss and any weights of pairs.

This takes O(pairs) time and O(rows) memory. The pairs are processed in tiles that fit in the cache. The loss is
evaluated once per tile, for an array of differences.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ...ranking._explicit_plan import ExplicitPlan
from ...ranking._groups import IntArray
from ...ranking._negatives import candidates_of, check_draws
from ...ranking._plan import Plan
from ...ranking._residual_plan import ResidualPlan
from ...ranking._table_plan import TablePlan
from ...ranking._validation import Float64Array
from ..base import SummingEngine, all_summed
from ..spec import SMALLEST_DISTANCE, PairSum, Sums
from .native import native
from .threads import Threads

# Pairs of a tile. There are a dozen temporary arrays of this length; those in use at one time stay in the cache.
_TILE = 1 << 14

# The least number of pairs of a task, and the largest number of tasks: every task allocates sums for its rows.
_PER_TASK, _MOST_TASKS = 1 << 18, 16


class Tile(NamedTuple):
    """Some pairs.

    Attributes
    ----------
    winner, loser : int arrays of shape (n,)
        Positions in the plan.
    phi : float64 array of shape (n,), or None
        None: 1.
    weight : float64 array of shape (n,), or None
        The product of all other weights except the query's. None: 1.
    """

    winner: IntArray
    loser: IntArray
    phi: Float64Array | None
    weight: Float64Array | None


class PairSource(Protocol):
    """A sequence of pairs, query by query.

    Attributes
    ----------
    size : int
        The number of pairs.
    """

    size: int

    def tile(self, begin: int, end: int) -> Tile:
        """Return the pairs number ``begin`` to ``end``."""


class PairByPairEngine(SummingEngine):
    """The engine that evaluates every pair. It supports every sum over pairs of labels, explicit or drawn pairs.

    Parameters
    ----------
    n_threads : int or None
        None: as many as this process may use. Results do not depend on the number of threads.
    """

    def __init__(self, n_threads: int | None = None) -> None:
        self.n_threads = n_threads

    def supports(self, plan: Plan, spec: PairSum) -> bool:
        return not isinstance(plan, ResidualPlan)

    def sums(self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any, *, loss: bool = False) -> Sums:
        plan.check_scores(scores)
        x = plan.gather(scores)
        source = _pair_source(plan, x, spec)
        task = _Task(plan, x, plan.query_of_positions.astype(np.int64, copy=False), spec, source, loss)
        n = plan.rows.shape[0]
        of_rows, of_queries = np.zeros((n, 2)), np.zeros(plan.n_queries)
        # The tasks depend on the data only. Therefore the results do not depend on the number of threads.
        step = max(_PER_TASK, 2 * n, -(-source.size // _MOST_TASKS))
        with Threads(self.n_threads) as threads:
            for part in threads.run(lambda begin: task.sum(begin, begin + step), range(0, source.size, step)):
                of_rows[part.first_position :][: part.of_rows.shape[0]] += part.of_rows
                of_queries[part.first_query :][: part.of_queries.shape[0]] += part.of_queries
        first, second = of_rows[:, 0], of_rows[:, 1]
        if not loss:
            with np.errstate(over="ignore"):
                first = first / spec.temperature
                second = second / spec.temperature * (spec.hessian_scale / spec.temperature)
        # Without |delta NDCG| the plan has the sum of phi. That over drawn pairs would be an estimate.
        phi_sum = plan.sum_of_phi if spec.delta is None else of_queries
        return Sums(plan.scatter(first), plan.scatter(second), of_queries / spec.temperature, phi_sum, all_summed(plan))


class _Part(NamedTuple):
    """The sums of a task.

    Attributes
    ----------
    first_position, first_query : int
        The position and the query that the sums begin with.
    of_rows : float64 array of shape (n_positions, 2)
        Sums of the first and the second derivative, or of the losses and the weights of the pairs that a row wins.
    of_queries : float64 array of shape (n_queries,)
        The sums that the normaliser needs: of phi |l'| for "log", else of phi.
    """

    first_position: int
    first_query: int
    of_rows: Float64Array
    of_queries: Float64Array


class _Task(NamedTuple):
    """The state that the tasks of a call share: the sum, its pairs, and the query of each position."""

    plan: Plan
    x: Float64Array
    query: NDArray[np.int64]
    spec: PairSum
    source: PairSource
    loss: bool

    def sum(self, begin: int, end: int) -> _Part:
        """Sum over the pairs number ``begin`` to ``end``."""
        source, plan = self.source, self.plan
        end = min(end, source.size)
        first_query = int(self.query[source.tile(begin, begin + 1).winner[0]])
        last_query = int(self.query[source.tile(end - 1, end).winner[0]])
        low, high = int(plan.ptr[first_query]), int(plan.ptr[last_query + 1])
        part = _Part(low, first_query, np.zeros((high - low, 2)), np.zeros(last_query + 1 - first_query))
        totals = native().PairTotals(self.query, low, first_query, part.of_rows.reshape(-1), part.of_queries)
        derivatives = _derivatives(self.spec, self.loss)
        differences = np.empty(_TILE)
        for start in range(begin, end, _TILE):
            winner, loser, phi, omega = source.tile(start, min(start + _TILE, end))
            d = differences[: winner.shape[0]]
            native().differ(winner, loser, self.x, self.spec.temperature, d)
            value, first, second = derivatives(d)
            if self.loss:
                totals.add_won(winner, phi, omega, value)
            else:
                totals.add(winner, loser, phi, omega, first, second, self.spec.normalize != "log")
        return part


def _derivatives(spec: PairSum, loss: bool) -> Callable[[Float64Array], tuple[Any, Float64Array, Float64Array]]:
    """Return the function of the loss; for the derivatives of the logistic loss, a faster one that omits the value."""
    if loss or spec.pair_loss.name != "logistic":
        return spec.pair_loss.derivatives
    first, second = np.empty(_TILE), np.empty(_TILE)

    def logistic_derivatives(d: Float64Array) -> tuple[Any, Float64Array, Float64Array]:
        n = d.shape[0]
        native().logistic_slopes(d, first[:n], second[:n])
        return None, first[:n], second[:n]

    return logistic_derivatives


def _pair_source(plan: Plan, x: Float64Array, spec: PairSum) -> PairSource:
    """Return the pairs of a plan that a sum is over; ``x`` are the scores by position."""
    if isinstance(plan, ExplicitPlan):
        return _ExplicitPairs(plan)
    if spec.negatives is not None:
        return _DrawnPairs(plan, x, spec)
    return _AllPairs(plan, x, spec)


class _ExplicitPairs:
    """The explicit pairs of a plan, in its order."""

    def __init__(self, plan: ExplicitPlan) -> None:
        self.plan = plan
        self.size = plan.winner.shape[0]
        self.weight_of = _weight_function(plan)

    def tile(self, begin: int, end: int) -> Tile:
        winner, loser = self.plan.winner[begin:end], self.plan.loser[begin:end]
        weight = None if self.weight_of is None else self.weight_of(winner, loser)
        if self.plan.pair_weight is not None:
            pair_weight = self.plan.pair_weight[begin:end]
            weight = pair_weight if weight is None else weight * pair_weight
        return Tile(winner, loser, None, weight)


class _AllPairs:
    """All ordered pairs, winner by winner."""

    def __init__(self, plan: Plan, x: Float64Array, spec: PairSum) -> None:
        self.plan = plan
        losers = np.repeat(plan.ptr[1:], np.diff(plan.ptr)) - plan.run_end
        self.before = np.concatenate(([0], np.cumsum(losers))).astype(np.int64, copy=False)
        self.size = int(self.before[-1])
        self.phi_of = _phi_function(plan, x, spec)
        self.weight_of = _weight_function(plan)

    def tile(self, begin: int, end: int) -> Tile:
        run_end = self.plan.run_end
        winner, loser = np.empty(end - begin, dtype=run_end.dtype), np.empty(end - begin, dtype=run_end.dtype)
        first = int(np.searchsorted(self.before, begin, side="right")) - 1
        native().list_losers(begin, first, self.before, run_end, winner, loser)
        phi = None if self.phi_of is None else self.phi_of(winner, loser)
        return Tile(winner, loser, phi, None if self.weight_of is None else self.weight_of(winner, loser))


def _weight_function(plan: Plan) -> Callable[[IntArray, IntArray], Float64Array] | None:
    """Return a function of winners and losers that computes winner weight times loser weight. None: they are all 1."""
    w, v = plan.winner_weight, plan.loser_weight
    if not ((w != 1).any() or (v != 1).any()):
        return None
    return lambda winner, loser: w[winner] * v[loser]


def _phi_function(plan: Plan, x: Float64Array, spec: PairSum) -> Callable[[IntArray, IntArray], Float64Array] | None:
    """Return a function that computes phi from winners and losers. None: phi is 1."""
    if isinstance(plan, TablePlan):
        weights = plan.label_weights
        assert weights is not None
        return lambda winner, loser: weights.table[weights.row[winner] + weights.column[loser]]
    value = plan.values
    if value is None:
        return None
    if spec.delta is None:
        return lambda winner, loser: value[winner] - value[loser]
    delta = spec.delta
    query = plan.query_of_positions
    ptr = plan.ptr.astype(np.int64, copy=False)
    place = x  # the scores that ranks and distances are those of
    if delta.noise is not None:
        place = np.empty_like(x)
        native().add_rank_noise(ptr, x, plan.rows, delta.noise.scale * spec.temperature, delta.noise.seed, place)
    ranks = np.empty(plan.rows.shape[0], dtype=np.int64)
    native().rank(ptr, place, plan.rows, ranks)
    discount = 1 / np.log2(ranks + 2)
    ideal = plan.ideal_dcg(delta.truncation)
    per_ideal = np.divide(1.0, ideal, out=np.zeros_like(ideal), where=ideal > 0)
    sizes = np.diff(plan.ptr)
    # phi is not divided by the distance in queries whose scores are all equal.
    spread = np.zeros(plan.n_queries, dtype=np.bool_)
    some = np.flatnonzero(sizes)
    if some.size:
        starts = plan.ptr[:-1][some]
        spread[some] = np.minimum.reduceat(place, starts) != np.maximum.reduceat(place, starts)

    def phi(winner: IntArray, loser: IntArray) -> Float64Array:
        query_of_pair = query[winner]
        result: Float64Array = value[winner] - value[loser]
        result *= np.abs(discount[winner] - discount[loser]) * per_ideal[query_of_pair]
        if delta.truncation is not None:
            result *= np.minimum(ranks[winner], ranks[loser]) < delta.truncation
        if delta.by_distance:
            with np.errstate(over="ignore"):
                distance = SMALLEST_DISTANCE + np.abs(place[winner] - place[loser])
            result /= np.where(spread[query_of_pair], distance, 1.0)
        return result

    return phi


class _DrawnPairs:
    """Pairs of winners with losers that are drawn at random.

    For each winner, n losers are drawn from strata: the total weight of its losers is cut into n equal parts, and the
    k-th loser is drawn from the k-th part.

    In a query with N losers of weight above 0, whose weights sum to V, a drawn pair represents N / n pairs of loser
    weight V / N. Winners are the rows of the largest label of the query, and losers are all others.
    """

    def __init__(self, plan: Plan, x: Float64Array, spec: PairSum) -> None:
        assert spec.negatives is not None
        self.plan, self.n = plan, spec.negatives.n
        check_draws(plan, self.n)
        self.candidates = candidates_of(plan)
        self.size = self.candidates.winner.shape[0] * self.n
        self.hash = native().hash_of(x, spec.negatives.seed)
        rows = plan.rows
        draws = native().Draws32 if rows.dtype == np.int32 else native().Draws64
        run_end = plan.run_end.astype(rows.dtype, copy=False)
        self.draws = draws(self.n, rows, run_end, self.candidates.weight, self.candidates.total)

    def tile(self, begin: int, end: int) -> Tile:
        candidates = self.candidates
        which = np.arange(begin, end) // self.n
        winner, query = candidates.winner[which], candidates.query[which]
        loser = np.empty(end - begin, dtype=np.int64)
        self.draws.draw(self.hash, begin, winner, self.plan.ptr[1:][query], loser)
        weight = self.plan.winner_weight[winner] * candidates.mean_weight[query]
        return Tile(winner, loser, candidates.number[query] / self.n, weight)

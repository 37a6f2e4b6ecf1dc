"""One large query, in steps that the threads share and in parts that do not depend on their number."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...ranking._validation import Float64Array
from .charges import Rows, flows
from .chebyshev import Table, table
from .columns import BEYOND, MAGNITUDE, centre_matters
from .lanes import LANES
from .ndcg import (
    copy_part,
    exchange_factors,
    merge_chunks,
    panel_bounds,
    partition_part,
    rank_chunk,
    settle_ties,
    sort_chunk,
    sweep_part,
    walk_down,
)
from .ndcg_direct import Exchange
from .onesided import PAIR, ROW
from .query_sums import (
    centre_of,
    centre_scores,
    cross,
    factors,
    panels_of,
    plant,
    read_scores,
    sum_down,
    sum_up,
    write_scaled,
)
from .spread import sum_spread, sum_spread_one_sided
from .threads import Threads
from .tree import DEPTH, FIRST, LAST, LEFT, SIDE, direct_cost
from .work import Work

#: A query of more rows than this is shared by the threads.
LARGE = 65536

# Rows that one task reads, writes or sorts at least: whole vectors.
_CHUNK = 256 * LANES

# Blocks of a node's ranking that are swept at a time.
_SWEEPS = 32


@dataclass(frozen=True)
class _Sums:
    """What is summed: see ``Work``."""

    rows: Rows
    flow: NDArray[np.int64]
    n_channels: int
    n_targets: int
    expansion: Table


@dataclass(frozen=True)
class _Query:
    """A query that has been read.

    Attributes
    ----------
    index, offset, n : int
        Its number, its first position in the plan, and its rows.
    chunks : list of tuples of int
        Begins and ends of what one task reads or writes.
    x : float64 array of shape (n,)
        Its scores over the temperature.
    position, slots : arrays
        Their panels, see ``chebyshev.find_panels``; empty where a table does not hold them (see ``spread.py``).
    """

    work: Work
    threads: Threads
    index: int
    offset: int
    n: int
    chunks: list[tuple[int, int]]
    x: Float64Array
    position: Float64Array
    slots: NDArray[np.int64]

    @classmethod
    def read(cls, work: Work, index: int, threads: Threads) -> _Query | None:
        """None, and BEYOND for its strength, if its scores are not finite or too large."""
        offset, end = int(work.plan.ptr[index]), int(work.plan.ptr[index + 1])
        n = end - offset
        row = work.rows.row[offset:end]
        chunks = threads.stretches(n, _CHUNK)
        padded = work.memory.array(n + LANES, np.float64)
        x = padded[:n]
        found = threads.run(lambda chunk: read_scores(*chunk, work.scores, row, padded), chunks)
        low, high = min(chunk[0] for chunk in found), max(chunk[1] for chunk in found)
        temperature = work.temperature
        if not all(chunk[2] for chunk in found) or max(-low, high) / temperature > MAGNITUDE:
            work.lambda_sums[index] = BEYOND
            return None
        if temperature != 1.0:
            centre = centre_of(x) if centre_matters.py_func(low, high, temperature) else 0.0
            threads.run(lambda chunk: centre_scores(*chunk, centre, temperature, x), chunks)
            # Of what stands in x: a vector's division may round otherwise than a number's.
            low, high = float(x.min()), float(x.max())
        position, slots = panels_of(x, low, high)
        return cls(work, threads, index, offset, n, chunks, x, position, slots)

    def empty(self) -> NDArray[Any]:
        """An array for the rows, padded with zeros."""
        array = self.work.memory.array(self.n + LANES, self.work.first.dtype)
        array[self.n :] = 0.0
        return array

    def write(self, first: NDArray[Any], second: NDArray[Any], factor: float, factor_second: float) -> bool:
        """Scatter results to the caller's rows, times their factors; returns whether all are finite."""
        row = self.work.rows.row[self.offset : self.offset + self.n]
        arguments = (row, first, second, factor, factor_second, self.work.first, self.work.second)
        return all(self.threads.run(lambda chunk: write_scaled(*chunk, *arguments), self.chunks))


@dataclass(frozen=True)
class _Tree:
    """The tree of a query, with moments, and what its subtrees' rows sum over rows outside their subtree.

    Attributes
    ----------
    nodes : int64 array
        See ``tree.py``.
    subtrees : int64 array of shape (n_subtrees, 2)
        Their nodes.
    parts : list of slice
        Stretches of the subtrees that one task sums.
    moments, coefficients : float64 arrays
    strength : float
        Of the pairs above the subtrees, as far as it comes of their moments.
    """

    nodes: NDArray[np.int64]
    subtrees: NDArray[np.int64]
    parts: list[slice]
    moments: Float64Array
    coefficients: Float64Array
    strength: float

    @classmethod
    def of(
        cls, query: _Query, sums: _Sums, discount: Float64Array, signed: bool, pair_cost: float, row_cost: float
    ) -> _Tree:
        rows, expansion, position = sums.rows, sums.expansion, query.position
        near, n_flows = expansion.near, sums.flow.shape[0]
        nodes, subtrees = plant(query.n, query.offset, rows, position.size, near, n_flows, pair_cost, row_cost)
        moments = np.empty((nodes.shape[1], sums.n_channels, position.size, len(expansion.terms)))
        parts = [slice(*stretch) for stretch in query.threads.stretches(len(subtrees))]
        panels = (position, query.slots)
        query.threads.run(
            lambda part: sum_up(
                subtrees[part], query.x, query.offset, nodes, rows, discount, *panels, expansion, moments
            ),
            parts,
        )
        above = cross(subtrees, nodes, sums.flow, position, signed, expansion, moments, sums.n_targets)
        return cls(nodes, subtrees, parts, moments, *above)

    def inner(self) -> list[list[int]]:
        """The nodes above the subtrees that part labels, by depth."""
        within = np.zeros(self.nodes.shape[1], dtype=np.bool_)
        for begin, end in self.subtrees:
            within[begin:end] = True
        nodes = [node for node in np.flatnonzero(~within) if self.nodes[SIDE, self.nodes[LEFT, node]] >= 0]
        depth = self.nodes[DEPTH, nodes]
        return [[int(node) for node in np.array(nodes)[depth == d]] for d in np.unique(depth)]


def sum_large(work: Work, index: int, threads: Threads) -> bool:
    """Sum a large query with phi that is 1 or a difference of values; returns whether its results are finite."""
    query = _Query.read(work, index, threads)
    if query is None:
        return True
    sums = _Sums(work.rows, work.flow, work.n_channels, work.n_targets, work.expansion)
    first, second = query.empty(), query.empty()
    if query.position.size == 0:
        first[:] = second[:] = 0.0
        arguments = (work.flow, work.n_channels, work.n_targets, work.expansion, first, second)
        strength = sum_spread(query.x, query.offset, work.rows, *arguments)
    else:
        strength = _sum_tree(query, sums, first, second)
    if not work.expansion.is_loss:
        work.lambda_sums[index] = strength
    return query.write(first, second, *factors(index, *work.query_arguments, query.n, work.expansion.is_loss))


def _sum_tree(query: _Query, sums: _Sums, first: NDArray[Any], second: NDArray[Any]) -> float:
    """Both sums of all rows, without the query's factors; returns the strength."""
    work = query.work
    tree = _Tree.of(query, sums, query.x[:0], False, direct_cost.py_func(work.rows), 0.0)
    strengths = query.threads.run(
        lambda part: sum_down(
            tree.subtrees[part],
            query.x,
            query.offset,
            tree.nodes,
            work.rows,
            work.flow,
            query.position,
            query.slots,
            work.expansion,
            tree.moments,
            tree.coefficients[part],
            first,
            second,
        ),
        tree.parts,
    )
    return tree.strength + float(np.concatenate(strengths).sum())


def sum_large_ndcg(work: Work, index: int, exchange: Exchange, threads: Threads) -> bool:
    """Sum a large query with phi = |delta NDCG| over all pairs; returns whether its results are finite."""
    query = _Query.read(work, index, threads)
    if query is None:
        return True
    query_weight, _, _, parameters = work.query_arguments
    order, spare = _rank(query)
    sum_of_phi = 0.0
    if parameters[1] == 1:  # the normaliser "query": what winners sum up as weights, without weights
        none = np.empty(0)
        expansion = table(len(work.expansion.terms), work.expansion.near, True)
        unit = _Sums(
            work.rows._replace(winner_weight=none, loser_weight=none), flows(4, False, False, True), 4, 4, expansion
        )
        _, weights, _ = _sum_one_sided(query, unit, exchange, order.copy(), spare)
        sum_of_phi = float(weights[: query.n].sum(dtype=np.float64))
    sums = _Sums(work.rows, work.flow, work.n_channels, work.n_targets, work.expansion)
    first, second, strength = _sum_one_sided(query, sums, exchange, order, spare)
    is_loss = work.expansion.is_loss
    if not is_loss:
        work.lambda_sums[index] = exchange.per_ideal[index] * strength
    arguments = (query_weight, exchange, work.lambda_sums, parameters, query.n, is_loss)
    return query.write(first, second, *exchange_factors(index, sum_of_phi, *arguments))


def _rank(query: _Query) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The positions by descending score, equal scores by the caller's rows; and an array of the same size."""
    n, memory = query.n, query.work.memory
    order, to_order = (memory.array(n, np.int64) for _ in range(2))
    key, to_key = (memory.array(n, np.float64) for _ in range(2))
    query.threads.run(lambda chunk: sort_chunk(*chunk, query.x, order, to_order, key, to_key), query.chunks)
    bounds = [begin for begin, _ in query.chunks] + [n]
    while len(bounds) > 2:
        merges = [(*bounds[k : k + 2], bounds[min(k + 2, len(bounds) - 1)]) for k in range(0, len(bounds) - 1, 2)]
        sorted_, merged = (key, order), (to_key, to_order)
        query.threads.run(lambda merge: merge_chunks(*sorted_, *merge, *merged), merges)  # noqa: B023
        order, to_order, key, to_key = to_order, order, to_key, key
        bounds = [*bounds[:-1:2], n]
    row = query.work.rows.row[query.offset : query.offset + n]
    settle_ties(row, order, to_order, key, to_key)
    return order, to_order


def _sum_one_sided(
    query: _Query, sums: _Sums, exchange: Exchange, order: NDArray[np.int64], spare: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[Any], float]:
    """Both sums of all rows, without the query's factors, and the strength. The ranking ``order`` is used up."""
    work, x, offset, n = query.work, query.x, query.offset, query.n
    memory, rows, expansion = work.memory, sums.rows, sums.expansion
    ranked = (order, memory.array(n, np.float64), memory.array(n, np.float64))
    buffers = (spare, memory.array(n, np.float64), memory.array(n, np.float64))
    discount = memory.array(n, np.float64)
    query.threads.run(lambda chunk: rank_chunk(*chunk, x, exchange.few, discount, ranked), query.chunks)
    first, second, top = query.empty(), query.empty(), memory.array(n, np.float64)
    first[:] = second[:] = 0.0
    top[:] = 1.0
    if query.position.size == 0:
        arguments = (exchange, work.temperature, discount, top, sums.flow, sums.n_channels, sums.n_targets, expansion)
        strength = sum_spread_one_sided(x, offset, rows, *arguments, ranked, buffers, first, second)
        return first, second, strength
    tree = _Tree.of(query, sums, discount, True, PAIR, ROW)
    nodes, panels = tree.nodes, (query.position, query.slots)
    strength = tree.strength
    for level in tree.inner():
        parts = []
        for node in level:
            bounds = panel_bounds(nodes[FIRST, node], nodes[LAST, node], ranked[1], _SWEEPS)
            parts += [(int(begin), int(end), node) for begin, end in pairwise(bounds)]
        swept = query.threads.run(
            lambda part: sweep_part(
                *part, x, offset, nodes, rows, *panels, expansion, tree.moments, ranked, first, second
            ),
            parts,
        )
        strength += sum(part[0] for part in swept)
        moves, to = [], {node: (nodes[FIRST, node], nodes[LAST, nodes[LEFT, node]]) for node in level}
        for (begin, end, node), (_, n_left) in zip(parts, swept, strict=True):
            left, right = to[node]
            moves.append((begin, end, int(nodes[LAST, nodes[LEFT, node]]), int(left), int(right)))
            to[node] = (left + n_left, right + end - begin - n_left)
        query.threads.run(lambda move: partition_part(*move, ranked, buffers), moves)
        query.threads.run(lambda part: copy_part(part[0], part[1], ranked, buffers), parts)
    strengths = query.threads.run(
        lambda part: walk_down(
            tree.subtrees[part],
            x,
            offset,
            nodes,
            rows,
            exchange,
            work.temperature,
            discount,
            top,
            sums.flow,
            *panels,
            expansion,
            tree.moments,
            tree.coefficients[part],
            ranked,
            buffers,
            first,
            second,
        ),
        tree.parts,
    )
    return first, second, strength + float(np.concatenate(strengths).sum())

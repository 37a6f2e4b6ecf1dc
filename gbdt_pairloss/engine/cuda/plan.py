"""A plan on the device: its rows, pieces of queries, ranges in which pairs are summed, and trees of large queries.

All of this follows from labels and weights. It is computed on the host once for each plan, and stays on the device.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._device import Device
from ...ranking._cached_per_plan import cached_per_plan
from ...ranking._explicit_plan import ExplicitPlan
from ...ranking._groups import IntArray
from ...ranking._plan import Plan
from ...ranking._residual_plan import ResidualPlan
from ...ranking._table_plan import TablePlan

# Rows of a piece of a query. One warp sums a piece.
_PIECE = 1024

# A query with more than _TREE_FROM rows has a tree. A leaf with several labels has at most _LEAF rows. Both are chosen
# by counting operations, and not yet by measuring time.
_TREE_FROM, _LEAF = 4096, 1024

# The largest number of rows of a leaf with one label, MOST_ROWS in expansion.cu.
_CHUNK = 2048


class Ranges(NamedTuple):
    """Ranges of positions on the device: pairs are summed one by one within a range only.

    Attributes
    ----------
    range : int32 array of shape (n,)
        The range of each position.
    begin, end : int32 arrays of shape (n_ranges,)
        The positions of a range. They are exchanged if the range has one label only, so that it is empty.
    query : int32 array of shape (n_ranges,)
        The query of each range.
    """

    range: Any
    begin: Any
    end: Any
    query: Any


class Forest(NamedTuple):
    """The trees of large queries, as arrays on the device.

    The nodes are ordered by tree, and within a tree by depth. A node with several labels is a leaf, or it has two
    children: the rows of one beat all rows of the other. A node with one label and many rows has chunks as children.
    Chunks are leaves only to bound the size of a leaf: their rows use the sums of the node.

    Attributes
    ----------
    query : int64 array of shape (n_trees,)
        The query of each tree, on the host.
    first_node : int64 array of shape (n_trees + 1,)
        The first node of each tree, and the end, on the host.
    nodes : dict of int32 arrays of shape (n_nodes,)
        ``node_begin`` and ``node_end`` are the positions of a node, ``parent`` and ``sibling`` are nodes (-1: none),
        ``first_child`` and ``end_child`` are the bounds of its children, ``side`` is 0 for winners and 1 for losers
        against the sibling (-1: neither), ``node_tree`` is the tree, and ``summed_by`` is the node whose sums the rows
        use.
    leaves : int32 array
    by_depth, inner_by_depth : lists of int32 arrays
        The nodes that have sums of their own, and the nodes that have children, for each depth.
    tree_query, tree_first_node : int32 arrays
        ``query`` and ``first_node`` on the device.
    query_first_node : int32 array of shape (n_queries + 1,)
        The first node of each query, and the end. Queries without a tree have no nodes.
    ranges : Ranges
        The leaves of the trees, and the queries without a tree.
    """

    query: IntArray
    first_node: IntArray
    nodes: dict[str, Any]
    leaves: Any
    by_depth: list[Any]
    inner_by_depth: list[Any]
    tree_query: Any
    tree_first_node: Any
    query_first_node: Any
    ranges: Ranges


@dataclass(eq=False)
class GPUPlan:
    """The arrays of a plan that the kernels read. Each is uploaded when it is first needed.

    Attributes
    ----------
    device : Device
    n : int
        The number of positions.
    n_queries : int
    host : dict
        The arrays on the host; see ``_host_arrays``.
    """

    device: Device
    n: int
    n_queries: int
    host: dict[str, Any]
    _cache: dict[Any, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan, device: Device) -> GPUPlan:
        """Return the plan on a device. It is cached per plan and device."""
        on_devices = _on_devices(plan)
        if id(device) not in on_devices:
            on_devices[id(device)] = cls(device, plan.rows.shape[0], plan.n_queries, _host_arrays(plan))
        return on_devices[id(device)]

    def cached(self, key: Any, make: Callable[[], Any]) -> Any:
        """Return the result of the first call of ``make`` for a key."""
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]

    def _int(self, array: Any) -> Any:
        """Upload an array as int32."""
        return self.device.upload(np.ascontiguousarray(array, dtype=np.int32))

    def _double(self, array: Any) -> Any:
        """Upload an array as float64."""
        return self.device.upload(np.ascontiguousarray(array, dtype=np.float64))

    @cached_property
    def rows(self) -> Any:
        """Caller's row at each position."""
        return self._int(self.host["rows"])

    @cached_property
    def runs(self) -> dict[str, Any]:
        """Bounds of the run of equal labels of each position."""
        return {"run_begin": self._int(self.host["run_begin"]), "run_end": self._int(self.host["run_end"])}

    @cached_property
    def n_pieces(self) -> int:
        """Number of pieces of all queries."""
        return int(self._pieces[1][-1])

    @cached_property
    def pieces(self) -> dict[str, Any]:
        """Start of each piece, and the first piece of each query, each followed by the end."""
        begin, first = self._pieces
        return {"piece_begin": self._int(begin), "first_piece": self._int(first)}

    @cached_property
    def _pieces(self) -> tuple[IntArray, IntArray]:
        ptr = self.host["ptr"]
        count = -(-np.diff(ptr) // _PIECE)
        first = np.concatenate(([0], np.cumsum(count)))
        number = np.arange(first[-1]) - np.repeat(first[:-1], count)
        return np.append(np.repeat(ptr[:-1], count) + number * _PIECE, self.n), first

    @cached_property
    def of_queries(self) -> dict[str, Any]:
        """Numbers of rows, sums of phi, and weights of the queries."""
        return {
            "sizes": self._int(np.diff(self.host["ptr"])),
            "sum_of_phi": self._double(self.host["sum_of_phi"]),
            "query_weight": self._double(self.host["query_weight"]),
        }

    @property
    def weighted(self) -> bool:
        """True if rows have weights other than 1."""
        return self.host["winner_weight"] is not None

    @cached_property
    def weights(self) -> dict[str, Any]:
        """Winner weights and loser weights. None: 1."""
        names = ("winner_weight", "loser_weight")
        return {name: self._double(self.host[name]) if self.weighted else None for name in names}

    @cached_property
    def value(self) -> Any:
        """Values minus the middle of the values of their query. None if the plan has no values."""
        return None if self.host["value"] is None else self._double(self.host["value"])

    @cached_property
    def gain(self) -> Any:
        """Values of the plan."""
        return self._double(self.host["gain"])

    @cached_property
    def query_begin(self) -> Any:
        """Start of each query, and the end."""
        return self._int(self.host["ptr"])

    def table(self, real: np.dtype[Any]) -> dict[str, Any]:
        """Return the weights of a table plan, as type ``real``, and the indices of rows in it. None: no table."""
        if self.host["table"] is None:
            return {"table": None, "as_winner": None, "as_loser": None}
        weights, as_winner, as_loser = self.host["table"]
        return {
            "table": self.cached(
                ("table", real), lambda: self.device.upload(np.ascontiguousarray(weights, dtype=real))
            ),
            "as_winner": self.cached("as_winner", lambda: self._int(as_winner)),
            "as_loser": self.cached("as_loser", lambda: self._int(as_loser)),
        }

    @cached_property
    def listed(self) -> dict[str, Any]:
        """Explicit pairs, in the order of the winners, and their numbers in the order of the losers."""
        winner, loser, weight = self.host["listed"]
        begins = {}
        for name, positions in (("won_begin", winner), ("lost_begin", loser)):
            begins[name] = self._int(np.concatenate(([0], np.cumsum(np.bincount(positions, minlength=self.n)))))
        return {
            **begins,
            "lost_pair": self._int(np.argsort(loser, kind="stable")),
            "winner": self._int(winner),
            "loser": self._int(loser),
            "with_pair_weight": weight is not None,
            "pair_weight": None if weight is None else self._double(weight),
        }

    @cached_property
    def residual(self) -> dict[str, Any]:
        """Targets, the row of each query that its residuals are relative to, and sums of weights of the other rows."""
        target, anchor, other_winners, other_losers = self.host["residual"]
        return {
            "target": self._double(target),
            "anchor": self._int(anchor),
            "other_winners": self._double(other_winners) if self.weighted else None,
            "other_losers": self._double(other_losers) if self.weighted else None,
        }

    def per_ideal(self, key: int | None, ideal: NDArray[np.float64] | None) -> Any:
        """Return 1 / ideal DCG of each query (0 if that is 0), or 1 if ``ideal`` is None; ``key`` is the truncation."""
        if ideal is None:
            return self._ones
        out = np.zeros_like(ideal)
        return self.cached(("per_ideal", key), lambda: self._double(np.divide(1.0, ideal, out=out, where=ideal > 0)))

    @cached_property
    def _ones(self) -> Any:
        return self._double(np.ones(self.n_queries))

    @cached_property
    def no_nodes(self) -> Any:
        """``Forest.query_first_node`` of a plan without trees."""
        return self._int(np.zeros(self.n_queries + 1))

    @cached_property
    def ranges(self) -> Ranges:
        """Ranges if no query has a tree: every query that has rows."""
        ptr = self.host["ptr"]
        query = np.flatnonzero(np.diff(ptr))
        return self._ranges(ptr[query], ptr[query + 1], query)

    @cached_property
    def forest(self) -> Forest | None:
        """Trees of the large queries. None if there are none."""
        ptr, run_begin, run_end = (self.host[name] for name in ("ptr", "run_begin", "run_end"))
        sizes = np.diff(ptr)
        query = np.flatnonzero((sizes > _TREE_FROM) & (self.host["n_pairs"] > 0))
        if query.size == 0:
            return None
        grown = [_grow(int(ptr[q]), int(ptr[q + 1]), run_begin, run_end) for q in query]
        first_node = np.concatenate(([0], np.cumsum([nodes.shape[0] for nodes in grown])))
        nodes = np.concatenate(grown)
        links = nodes[:, 2:6]  # numbered within the tree
        links[links >= 0] += np.repeat(first_node[:-1], np.diff(first_node))[np.nonzero(links >= 0)[0]]
        tree = np.repeat(np.arange(query.size), np.diff(first_node))
        depth, is_leaf, is_chunk = nodes[:, 7], nodes[:, 4] < 0, (nodes[:, 6] < 0) & (nodes[:, 2] >= 0)
        leaves = np.flatnonzero(is_leaf)
        summed_by = np.where(is_chunk, nodes[:, 2], np.arange(depth.size))
        others = np.setdiff1d(np.flatnonzero(sizes), query)
        begin = np.concatenate((nodes[leaves, 0], ptr[others]))
        order = np.argsort(begin)
        query_first_node = np.zeros(sizes.size + 1, dtype=np.int64)
        query_first_node[query + 1] = np.diff(first_node)
        names = ("node_begin", "node_end", "parent", "sibling", "first_child", "end_child", "side")
        columns = {name: self._int(nodes[:, i]) for i, name in enumerate(names)}
        return Forest(
            query=query,
            first_node=first_node,
            nodes={**columns, "node_tree": self._int(tree), "summed_by": self._int(summed_by)},
            leaves=self._int(leaves),
            by_depth=[self._int(np.flatnonzero((depth == d) & ~is_chunk)) for d in range(depth[~is_chunk].max() + 1)],
            inner_by_depth=[self._int(np.flatnonzero((depth == d) & ~is_leaf)) for d in range(depth.max())],
            tree_query=self._int(query),
            tree_first_node=self._int(first_node[:-1]),
            query_first_node=self._int(np.cumsum(query_first_node)),
            ranges=self._ranges(
                begin[order],
                np.concatenate((nodes[leaves, 1], ptr[others + 1]))[order],
                np.concatenate((query[tree[leaves]], others))[order],
            ),
        )

    def _ranges(self, begin: IntArray, end: IntArray, query: IntArray) -> Ranges:
        ranges = np.repeat(np.arange(begin.size), end - begin)
        one_label = self.host["run_end"][begin] >= end
        return Ranges(
            self._int(ranges),
            self._int(np.where(one_label, end, begin)),
            self._int(np.where(one_label, begin, end)),
            self._int(query),
        )


@cached_per_plan
def _on_devices(plan: Plan) -> dict[int, GPUPlan]:
    """Return the copies of a plan on devices, by the id of the device, which the copy keeps alive."""
    return {}


def _host_arrays(plan: Plan) -> dict[str, Any]:
    """Return the arrays that are uploaded when they are needed.

    There is no reference to the plan itself, which would keep the plan alive.
    """
    if plan.rows.shape[0] >= 2**31 or plan.n_rows >= 2**31:
        raise ValueError(f'device="cuda" supports fewer than 2^31 rows, got {plan.n_rows}: use device="cpu"')
    value = None
    if plan.values is not None:
        value = plan.values - np.repeat(_middles(plan), np.diff(plan.ptr))
    table = listed = None
    if isinstance(plan, TablePlan):
        weights = plan.label_weights
        assert weights is not None
        table = (weights.table, weights.row, weights.column)
    if isinstance(plan, ExplicitPlan):
        if plan.winner.shape[0] >= 2**31:
            raise ValueError(
                f'device="cuda" supports fewer than 2^31 pairs, got {plan.winner.shape[0]}: use device="cpu"'
            )
        listed = (plan.winner, plan.loser, plan.pair_weight)
    residual = None
    if isinstance(plan, ResidualPlan):
        # The difference of two residuals is rounded to the digits of their distances to a third one. Its row has the
        # largest weight, so that in the sums these distances weigh as much.
        anchor = np.zeros(plan.n_queries, dtype=np.int64)
        anchor[np.diff(plan.ptr) > 0] = plan.heaviest(plan.loser_weight)
        residual = (plan.targets, anchor, plan.sum_over_others(plan.winner_weight), plan.pair_weights_won)
    return {
        "rows": plan.rows,
        "ptr": plan.ptr,
        "run_begin": plan.run_begin,
        "run_end": plan.run_end,
        "n_pairs": plan.n_pairs,
        "sum_of_phi": plan.sum_of_phi,
        "query_weight": plan.query_weight,
        "winner_weight": plan.winner_weight if plan.has_row_weights else None,
        "loser_weight": plan.loser_weight if plan.has_row_weights else None,
        "gain": plan.values,
        "value": value,
        "table": table,
        "listed": listed,
        "residual": residual,
    }


def _middles(plan: Plan) -> NDArray[np.float64]:
    """Return the middle of the values of each query, half way between the largest and the smallest."""
    assert plan.values is not None
    middle = np.zeros(plan.n_queries)
    some = np.flatnonzero(np.diff(plan.ptr))
    middle[some] = 0.5 * plan.values[plan.ptr[some]] + 0.5 * plan.values[plan.ptr[some + 1] - 1]
    return middle


def _grow(begin: int, end: int, run_begin: IntArray, run_end: IntArray) -> IntArray:
    """Build the tree of a query. Nodes are split at the label boundary nearest to their middle.

    Returns
    -------
    nodes : int64 array of shape (n_nodes, 8)
        Begin, end, parent, sibling, first child, end of children, side and depth, in the order of depth. Nodes are
        numbered within the tree.
    """
    nodes = [[begin, end, -1, -1, -1, -1, -1, 0]]
    for number, node in enumerate(nodes):  # the list grows in the loop
        first, last = node[:2]
        one_label = run_end[first] >= last
        is_chunk = number > 0 and node[6] < 0
        if is_chunk or last - first <= (_CHUNK if one_label else _LEAF):
            continue
        child, depth = len(nodes), node[7] + 1
        if one_label:
            bounds = [*range(first, last, _CHUNK), last]
            nodes += [[a, b, number, -1, -1, -1, -1, depth] for a, b in pairwise(bounds)]
        else:
            middle = (first + last) // 2
            before, after = int(run_begin[middle]), int(run_end[middle])
            middle = before if before > first and (after >= last or middle - before <= after - middle) else after
            nodes.append([first, middle, number, child + 1, -1, -1, 0, depth])
            nodes.append([middle, last, number, child, -1, -1, 1, depth])
        node[4:6] = child, len(nodes)
    return np.array(nodes, dtype=np.int64)

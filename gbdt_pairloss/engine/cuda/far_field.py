"""The far field of large queries on the device: the sums of rows over rows in other leaves of their query's tree.

Moments are added up from the leaves to the roots, and coefficients are passed down from the roots to the leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..._device import Device
from ..expansion import WIDTH, Expansion, count_channels, flows
from ..spec import PairSum
from .launch import TILE, Kernel, launch
from .plan import Forest, GPUPlan

# Numbers of panels that the scores of a query span. Up to the first, empty panels are kept. Up to the second, the
# device marks the panels that are not empty.
_FEW_PANELS, _MOST_MARKED = 64, 4096

# The largest number of moments and coefficients of all trees, and the work of one term of a translation between two
# panels, in units of the work of a pair.
_MOST_NUMBERS, _TRANSLATION = 1 << 28, 0.25

# The largest number of pairs that are summed one by one if trees do not save time.
_MOST_PAIRS = 1e12


class TooManyPairs(Exception):
    """Exception raised if trees do not save time, and there are too many pairs to sum them one by one."""


class Call(Protocol):
    """A call of the engine that has read its scores. Arrays of queries and rows are on the device.

    Attributes
    ----------
    x : float64 array of shape (n,)
        Scores in the order of the plan.
    centre : float64 array of shape (n_queries,)
        The centre of the scores of each query.
    low, high : float64 arrays of shape (n_queries,)
        The extremes of these scores minus the centre, divided by the temperature.
    panels : list of float64 arrays
        The result of ``find_panels``.
    """

    device: Device
    plan: GPUPlan
    spec: PairSum
    x: Any
    centre: Any
    low: Any
    high: Any

    @property
    def panels(self) -> list[NDArray[np.float64]]: ...

    def doubles(self, n: int) -> Any: ...


@dataclass(frozen=True, eq=False)
class FarField:
    """The sums of rows of large queries over the rows outside their leaf.

    Attributes
    ----------
    forest : Forest
    first, second : float64 arrays of shape (n,)
        Sums by position. They are 0 in queries without a tree.
    node_sum : float64 array
        For each node, in ``n_shares`` parts, the sum of phi |l'| over the pairs of its rows with its sibling's. Zeros
        if the normaliser does not need it.
    n_shares : int
    """

    forest: Forest
    first: Any
    second: Any
    node_sum: Any
    n_shares: int

    @classmethod
    def of(cls, call: Call, forest: Forest, expansion: Expansion) -> FarField | None:
        """Compute the sums. Return None if summing the pairs one by one costs less.

        Raises
        ------
        TooManyPairs
            If trees do not save time, and there are too many pairs to sum them one by one.
        """
        computation = _FarFieldComputation(call, forest, expansion)
        return computation.run() if computation.saves_time() else None


class _FarFieldComputation:
    """The computation of a far field: the sizes of its arrays, and the launches of its kernels."""

    def __init__(self, call: Call, forest: Forest, expansion: Expansion) -> None:
        plan, is_loss = call.plan, bool(expansion.is_loss)
        self.call, self.forest, self.expansion = call, forest, expansion
        self.terms = expansion.falling.size
        self.powers = 1 if plan.value is None else 2
        self.with_lambda_sum = call.spec.normalize == "log" and not is_loss
        self.flow = flows(self.powers, plan.weighted, self.with_lambda_sum, is_loss)
        self.n_channels, self.n_targets = count_channels(self.powers, plan.weighted, self.with_lambda_sum)
        # One entry for each tree.
        self.n_panels = np.array([position.size for position in call.panels])
        self.n_nodes = np.diff(forest.first_node)
        self.n_moments = self.n_nodes * self.n_channels * self.n_panels * self.terms
        self.n_coefficients = self.n_nodes * self.n_targets * self.n_panels * 2 * self.terms
        # Several thread blocks share a node, so that few nodes with many panels keep the device busy.
        self.n_shares = int(min(1 + self.n_targets * self.n_panels.max() * 2 * self.terms // (4 * TILE), 64))

    def saves_time(self) -> bool:
        """Return True if the trees cost less than the pairs one by one, and their arrays are not too large.

        Raises
        ------
        TooManyPairs
            If trees do not save time, and there are too many pairs to sum them one by one.
        """
        translations = float((self.n_nodes * self.n_panels.astype(float) ** 2).sum())
        terms_of_translations = translations * len(self.flow) * 2 * self.terms * self.terms
        pairs_of_trees = self.call.plan.host["n_pairs"][self.forest.query].sum(dtype=float)
        n_numbers = self.n_moments.sum() + self.n_coefficients.sum()
        if _TRANSLATION * terms_of_translations <= pairs_of_trees and n_numbers <= _MOST_NUMBERS:
            return True
        if pairs_of_trees > _MOST_PAIRS:
            raise TooManyPairs
        return False

    def run(self) -> FarField:
        """Launch the kernels."""
        call, forest, plan = self.call, self.forest, self.call.plan
        device = call.device
        moments, coefficients = (call.doubles(int(n.sum())) for n in (self.n_moments, self.n_coefficients))
        # Rows of queries without a tree read zeros.
        first, second, node_sum = (
            device.zeros(int(size), np.float64) for size in (plan.n, plan.n, self.n_nodes.sum() * self.n_shares)
        )
        trees = {
            "node_tree": forest.nodes["node_tree"],
            "first_node": forest.tree_first_node,
            "panel_begin": device.upload(_starts(self.n_panels).astype(np.int32)),
        }
        panels = device.upload(np.concatenate(call.panels))
        rows = {
            "leaves": forest.leaves,
            "node_begin": forest.nodes["node_begin"],
            "node_end": forest.nodes["node_end"],
            "tree_query": forest.tree_query,
            "centre": call.centre,
            "temperature": call.spec.temperature,
            "x": call.x,
            "panels": panels,
            "powers": self.powers,
            "weighted": plan.weighted,
            "value": plan.value,
            **plan.weights,
            **trees,
        }
        upward = {
            "moment_begin": device.upload(_starts(self.n_moments)),
            "n_channels": self.n_channels,
            "moments": moments,
        }
        downward = {
            "coefficient_begin": device.upload(_starts(self.n_coefficients)),
            "n_targets": self.n_targets,
            "coefficients": coefficients,
        }
        n_leaves = forest.leaves.shape[0]
        self._launch("expand_leaves", n_leaves, **rows, **upward)
        self._add_children(**trees, **upward)
        self._pass_down(panels=panels, node_sum=node_sum, **trees, **upward, **downward)
        self._launch(
            "evaluate_leaves",
            n_leaves,
            summed_by=forest.nodes["summed_by"],
            far_first=first,
            far_second=second,
            **rows,
            **downward,
        )
        return FarField(forest, first, second, node_sum, self.n_shares)

    def _add_children(self, **arguments: Any) -> None:
        """Compute the moments of the inner nodes, from the deepest ones to the roots."""
        for nodes in reversed(self.forest.inner_by_depth):
            self._launch(
                "add_children",
                nodes.shape[0],
                nodes=nodes,
                first_child=self.forest.nodes["first_child"],
                end_child=self.forest.nodes["end_child"],
                **arguments,
            )

    def _pass_down(self, **arguments: Any) -> None:
        """Compute the coefficients of all nodes, from the roots to the deepest ones."""
        device, expansion = self.call.device, self.expansion
        constants = self.call.plan.cached(
            ("expansion", self.terms, expansion.is_loss, self.with_lambda_sum),
            lambda: {
                "flow": device.upload(self.flow.astype(np.int32)),
                "kernels": device.upload(expansion.kernels),
                "rising": device.upload(expansion.rising),
                "falling": device.upload(expansion.falling),
            },
        )
        for nodes in self.forest.by_depth:
            self._launch(
                "pass_down",
                nodes.shape[0] * self.n_shares,
                nodes=nodes,
                n_shares=self.n_shares,
                parent=self.forest.nodes["parent"],
                sibling=self.forest.nodes["sibling"],
                side=self.forest.nodes["side"],
                n_flows=self.flow.shape[0],
                near=expansion.near,
                is_loss=expansion.is_loss,
                with_lambda_sum=self.with_lambda_sum,
                **constants,
                **arguments,
            )

    def _launch(self, name: str, n_blocks: int, **arguments: Any) -> None:
        """Launch a kernel of expansion.cu."""
        kernel = Kernel("expansion.cu", name, (("REAL", "double"), ("TERMS", str(self.terms))))
        launch(self.call.device, kernel, n_blocks, **arguments)


def _starts(sizes: NDArray[Any]) -> NDArray[np.int64]:
    """Return the start of each of several consecutive arrays, and the end of the last one."""
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)


def find_panels(call: Call, forest: Forest) -> list[NDArray[np.float64]]:
    """Return the panels that the scores of each tree lie in, in ascending order.

    Empty panels are included if the scores span few panels.
    """
    device, temperature = call.device, call.spec.temperature
    low = np.floor(device.download(call.low[forest.tree_query]) / WIDTH)
    high = np.floor(device.download(call.high[forest.tree_query]) / WIDTH)
    span = high - low + 1
    is_marked = (span > _FEW_PANELS) & (span <= _MOST_MARKED)
    slots = np.where(is_marked, span, 0).astype(np.int64)
    occupied = np.zeros(0)
    if is_marked.any():
        marks = device.zeros(int(slots.sum()), np.int32)
        launch(
            device,
            Kernel("expansion.cu", "mark_panels", (("REAL", "double"), ("TERMS", "8"))),
            forest.leaves.shape[0],
            leaves=forest.leaves,
            node_begin=forest.nodes["node_begin"],
            node_end=forest.nodes["node_end"],
            node_tree=forest.nodes["node_tree"],
            tree_query=forest.tree_query,
            centre=call.centre,
            temperature=temperature,
            x=call.x,
            first_panel=device.upload(low),
            slot_begin=device.upload(_starts(slots)),
            marks=marks,
        )
        occupied = device.download(marks)
    positions = []
    for query, a, b, own in zip(forest.query, low, high, np.split(occupied, np.cumsum(slots)[:-1]), strict=True):
        if own.size:
            positions.append(a + np.flatnonzero(own))
        elif b - a < _FEW_PANELS:
            positions.append(np.arange(a, b + 1))
        else:  # scores far apart: only their own panels, so that an outlier adds one panel, however far away
            begin, end = call.plan.host["ptr"][query : query + 2]
            centre = device.download(call.centre[query : query + 1])
            positions.append(np.unique(np.floor((device.download(call.x[begin:end]) - centre) / temperature / WIDTH)))
    return positions

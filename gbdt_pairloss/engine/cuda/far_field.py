"""The fast sums of large queries on the device: moments from the leaves of their trees up, coefficients down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..._device import Device
from ..cpu.charges import count_channels, flows
from ..cpu.chebyshev import WIDTH, Table
from ..spec import PairSum
from .launch import TILE, Kernel, launch
from .plan import Forest, GPUPlan

# Panels of a query up to which empty ones are kept; up to which the device marks those that are not.
_FEW_PANELS, _MOST_MARKED = 64, 4096

# What moments and coefficients of all trees may take, and how much of a pair's work a panel's term is to another's.
_MOST_NUMBERS, _TRANSLATION = 1 << 28, 0.25

# Pairs that are summed one by one where trees do not pay.
_MOST_PAIRS = 1e12


class TooManyPairs(Exception):
    """Trees do not pay, and there are too many pairs for anything else."""


class Call(Protocol):
    """What a call of the engine knows once it has read the scores; arrays of queries and rows are on the device.

    Attributes
    ----------
    x : float64 array of shape (n,)
        Scores in the plan's order.
    centre, low, high : float64 arrays of shape (n_queries,)
        Of each query's scores the centre, and the extremes from there in units of the temperature.
    panels : list of float64 arrays
        What ``find_panels`` found.
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
    """What rows of large queries sum over rows outside the leaf of their query's tree."""

    forest: Forest
    first: Any
    second: Any
    node_sum: Any
    n_shares: int

    @classmethod
    def of(cls, call: Call, forest: Forest, expansion: Table) -> FarField | None:
        """The sums, by moments from the leaves up and coefficients from the roots down; None if that costs more."""
        device, plan, spec = call.device, call.plan, call.spec
        powers = 1 if plan.value is None else 2
        with_lambda_sum = spec.normalize == "log" and not expansion.is_loss
        flow = flows(powers, plan.weighted, with_lambda_sum, bool(expansion.is_loss))
        n_channels, n_targets = count_channels(powers, plan.weighted, with_lambda_sum)
        terms = len(expansion.terms)
        positions = call.panels
        n_panels = np.array([position.size for position in positions])
        n_nodes = np.diff(forest.first_node)
        n_moments, n_coefficients = n_nodes * n_channels * n_panels * terms, n_nodes * n_targets * n_panels * 2 * terms
        translations = float((n_nodes * n_panels.astype(float) ** 2).sum()) * len(flow) * 2 * terms * terms
        pairs_of_trees = plan.host["n_pairs"][forest.query].sum(dtype=float)
        if _TRANSLATION * translations > pairs_of_trees or n_moments.sum() + n_coefficients.sum() > _MOST_NUMBERS:
            if pairs_of_trees > _MOST_PAIRS:
                raise TooManyPairs
            return None
        # Blocks that share a node, so that a few nodes of many panels keep the device busy.
        n_shares = int(min(1 + n_targets * n_panels.max() * 2 * terms // (4 * TILE), 64))
        moments, coefficients = call.doubles(int(n_moments.sum())), call.doubles(int(n_coefficients.sum()))
        # Rows of queries without a tree add zeros.
        first, second, node_sum = (
            device.zeros(int(size), np.float64) for size in (plan.n, plan.n, n_nodes.sum() * n_shares)
        )
        trees = {
            "node_tree": forest.nodes["node_tree"],
            "first_node": forest.tree_first_node,
            "panel_begin": device.upload(_starts(n_panels).astype(np.int32)),
        }
        panels = device.upload(np.concatenate(positions))
        moment_begin = device.upload(_starts(n_moments))
        coefficient_begin = device.upload(_starts(n_coefficients))
        rows = {
            "leaves": forest.leaves,
            "node_begin": forest.nodes["node_begin"],
            "node_end": forest.nodes["node_end"],
            "tree_query": forest.tree_query,
            "centre": call.centre,
            "temperature": spec.temperature,
            "x": call.x,
            "panels": panels,
            "powers": powers,
            "weighted": plan.weighted,
            "value": plan.value,
            **plan.weights,
            **trees,
        }

        def run(name: str, n_blocks: int, **arguments: Any) -> None:
            launch(
                device, Kernel("expansion.cu", name, (("REAL", "double"), ("TERMS", str(terms)))), n_blocks, **arguments
            )

        n_leaves = forest.leaves.shape[0]
        run("expand_leaves", n_leaves, moment_begin=moment_begin, n_channels=n_channels, moments=moments, **rows)
        for nodes in reversed(forest.inner_by_depth):
            run(
                "add_children",
                nodes.shape[0],
                nodes=nodes,
                first_child=forest.nodes["first_child"],
                end_child=forest.nodes["end_child"],
                moment_begin=moment_begin,
                n_channels=n_channels,
                moments=moments,
                **trees,
            )
        constants = plan.kept(
            ("expansion", terms, expansion.is_loss, with_lambda_sum),
            lambda: {
                "flow": device.upload(flow.astype(np.int32)),
                "kernels": device.upload(expansion.kernels),
                "rising": device.upload(expansion.rising),
                "falling": device.upload(expansion.falling),
            },
        )
        for nodes in forest.by_depth:
            run(
                "pass_down",
                nodes.shape[0] * n_shares,
                nodes=nodes,
                n_shares=n_shares,
                parent=forest.nodes["parent"],
                sibling=forest.nodes["sibling"],
                side=forest.nodes["side"],
                panels=panels,
                moment_begin=moment_begin,
                coefficient_begin=coefficient_begin,
                n_channels=n_channels,
                n_targets=n_targets,
                n_flows=flow.shape[0],
                near=expansion.near,
                is_loss=expansion.is_loss,
                with_lambda_sum=with_lambda_sum,
                moments=moments,
                coefficients=coefficients,
                node_sum=node_sum,
                **constants,
                **trees,
            )
        run(
            "evaluate_leaves",
            n_leaves,
            summed_by=forest.nodes["summed_by"],
            coefficient_begin=coefficient_begin,
            n_targets=n_targets,
            coefficients=coefficients,
            far_first=first,
            far_second=second,
            **rows,
        )
        return cls(forest, first, second, node_sum, n_shares)


def _starts(sizes: NDArray[Any]) -> NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)


def find_panels(call: Call, forest: Forest) -> list[NDArray[np.float64]]:
    """The panels of each tree's scores, ascending; empty ones only where they are few."""
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
        else:  # scores far apart: an outlier is one panel, wherever it lies
            begin, end = call.plan.host["ptr"][query : query + 2]
            centre = device.download(call.centre[query : query + 1])
            positions.append(np.unique(np.floor((device.download(call.x[begin:end]) - centre) / temperature / WIDTH)))
    return positions

"""The GPU engine: CUDA kernels on arrays of the device's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..._device import Device
from ...ranking._plan import Plan
from ...ranking._table_plan import TablePlan
from ..cpu.chebyshev import table_of
from ..cpu.work import NORMALIZERS, precision
from ..spec import SMALLEST_DISTANCE, Engine, PairSum, check_range
from .far_field import FarField, TooManyPairs, find_panels
from .launch import C_TYPES, TILE, WARP, Kernel, launch, scores_on
from .plan import Forest, GPUPlan

# Of a query's scores, in temperatures: up to which e^score needs no exponent of its own, and what the kernels take.
_NARROW = {np.dtype(np.float32): 80.0, np.dtype(np.float64): 600.0}
_MOST = 1e8

# Rows of a query up to which every pair of it is summed with device="auto". Not measured.
_LONGEST_OF_EVERY_PAIR = 1 << 14

# Of a row of explicit pairs, LANES in listed.cu.
_LANES = 8

# What stands in status, see queries.cu.
_BAD_ROW, _SOME_BEYOND, _NOT_FINITE = range(3)

_UNIFORM, _DIFFERENCE, _TABLE, _DELTA_NDCG = range(4)


def pays(plan: Plan, spec: PairSum) -> bool:
    """Whether the engine may be expected to be faster than the CPU's.

    Of |delta NDCG| and of weights by a callable it sums all pairs, which the CPU does not for long queries.
    """
    every_pair = spec.delta is not None or isinstance(plan, TablePlan)
    return not every_pair or int(np.diff(plan.ptr).max(initial=0)) <= _LONGEST_OF_EVERY_PAIR


class GPUEngine:
    """Sums of the logistic loss over all pairs, at a cost per row that does not grow with the query.

    With |delta NDCG|, and weights of pairs by a callable, the cost is that of all pairs.

    Parameters
    ----------
    device : Device
    fallback : callable
        A plan and a sum to the engine, on the CPU, that takes what this one does not.

    Notes
    -----
    Scores may be NumPy's or the device's; results are the device's. Error bounds are the CPU engine's, but that float32
    below 1.2e-38 is 0 (CuPy compiles so). Results are the same, bit for bit, whenever they are computed again on a
    device: every sum has a fixed order. Scores that span more than 1e8 temperatures go to the CPU, and those of large
    queries that lie in too many panels for trees.
    """

    takes_device_arrays: ClassVar[bool] = True

    def __init__(self, device: Device, fallback: Callable[[Plan, PairSum], Engine]) -> None:
        self.device, self.fallback = device, fallback

    def gradient_hessian(self, plan: Plan, scores: Any, spec: PairSum, dtype: Any) -> tuple[Any, Any]:
        with self.device.selected():
            return self._sum(plan, scores, spec, np.dtype(dtype), False)

    def winner_loss(self, plan: Plan, scores: Any, spec: PairSum, dtype: Any) -> tuple[Any, Any]:
        with self.device.selected():
            return self._sum(plan, scores, spec, np.dtype(dtype), True)

    def _sum(self, plan: Plan, scores: Any, spec: PairSum, dtype: np.dtype[Any], is_loss: bool) -> tuple[Any, Any]:
        device = self.device
        result_type = np.dtype(np.float64) if is_loss else dtype
        if plan.rows.shape[0] == 0:
            return device.zeros(plan.n_rows, result_type), device.zeros(plan.n_rows, result_type)
        call = _Call(device, plan, GPUPlan.of(plan, device), scores_on(device, scores), spec, dtype)
        call.read()
        # Panels are looked for on the host; then it may as well look at the scores first.
        known = self._elsewhere(call, is_loss) if call.forest is not None else None
        if known is not None:
            return known
        try:
            results = call.results(is_loss, result_type)
        except TooManyPairs:
            return self._on_host(call, is_loss)
        return self._elsewhere(call, is_loss, *results) or results

    def _elsewhere(self, call: _Call, is_loss: bool, *results: Any) -> tuple[Any, Any] | None:
        """What the kernels leave to others: messages, and scores too far apart, whose sums it returns."""
        status = self.device.download(call.status)
        if status[_BAD_ROW] < call.host_plan.n_rows:
            call.host_plan.check_scores(self.device.download(call.scores))
        if status[_SOME_BEYOND]:
            return self._on_host(call, is_loss)
        if status[_NOT_FINITE]:
            check_range(*(self.device.download(result) for result in results))
        return None

    def _on_host(self, call: _Call, is_loss: bool) -> tuple[Any, Any]:
        """Return the sums of the fallback engine."""
        engine = self.fallback(call.host_plan, call.spec)
        sums = engine.winner_loss if is_loss else engine.gradient_hessian
        found = sums(call.host_plan, self.device.download(call.scores), call.spec, call.dtype)
        return self.device.upload(found[0]), self.device.upload(found[1])


@dataclass(eq=False)
class _Call:
    """One call."""

    device: Device
    host_plan: Plan
    plan: GPUPlan
    scores: Any
    spec: PairSum
    dtype: np.dtype[Any]

    @cached_property
    def real(self) -> np.dtype[Any]:
        """The type that pairs are summed in."""
        return precision(self.host_plan, self.spec, self.dtype)

    @cached_property
    def status(self) -> Any:
        return self.device.upload(np.array([np.iinfo(np.int32).max, 0, 0], dtype=np.int32))

    @cached_property
    def phi(self) -> int:
        if self.spec.delta is not None:
            return _DELTA_NDCG
        if isinstance(self.host_plan, TablePlan):
            return _TABLE
        return _UNIFORM if self.plan.value is None else _DIFFERENCE

    @property
    def forest(self) -> Forest | None:
        """The trees of large queries, where phi is one that fast sums know."""
        if self.phi not in (_UNIFORM, _DIFFERENCE) or self.plan.host["listed"] is not None:
            return None
        return self.plan.forest

    @cached_property
    def panels(self) -> list[NDArray[np.float64]]:
        """The panels of each tree's scores."""
        assert self.forest is not None
        return find_panels(self, self.forest)

    @property
    def counts_phi(self) -> bool:
        """Whether the sum of phi is not known before the ranks are."""
        return self.spec.delta is not None and self.spec.normalize == "query"

    def read(self) -> None:
        """Scores in the plan's order, and what is to be known of each query's."""
        plan, n_queries = self.plan, self.plan.n_queries
        self.x = self.doubles(plan.n)
        extremes = {"piece_low": self.doubles(plan.n_pieces), "piece_high": self.doubles(plan.n_pieces)}
        piece_begin, first_piece = plan.pieces["piece_begin"], plan.pieces["first_piece"]
        self._run(
            "queries.cu",
            "read_scores",
            plan.n_pieces * WARP,
            n_pieces=plan.n_pieces,
            piece_begin=piece_begin,
            rows=plan.rows,
            scores=self.scores,
            x=self.x,
            status=self.status,
            **extremes,
        )
        self.centre, self.low, self.high = (self.doubles(n_queries) for _ in range(3))
        self.flags = self.device.empty(n_queries, np.int32)
        self._run(
            "queries.cu",
            "measure_queries",
            n_queries * WARP,
            n_queries=n_queries,
            first_piece=first_piece,
            temperature=self.spec.temperature,
            narrow=_NARROW[self.real],
            most=_MOST,
            centre=self.centre,
            low_of=self.low,
            high_of=self.high,
            flags=self.flags,
            status=self.status,
            **extremes,
        )

    def results(self, is_loss: bool, dtype: np.dtype[Any]) -> tuple[Any, Any]:
        """Gradients and Hessians, or losses and the weights of their pairs."""
        spec, plan = self.spec, self.plan
        # What a factor needs comes of the derivatives.
        counts = spec.normalize == "log" or self.counts_phi
        mantissas = self._expand(is_loss)
        ranks = self._rank()
        sums = self._sums(False, mantissas, ranks) if counts or not is_loss else None
        factor = self._factors(sums)
        if sums is None or is_loss:
            sums = self._sums(True, mantissas, ranks)
        allocate = self.device.empty if plan.n == self.host_plan.n_rows else self.device.zeros
        out = allocate(self.host_plan.n_rows, dtype), allocate(self.host_plan.n_rows, dtype)
        scale = 1.0 if is_loss else 1.0 / spec.temperature
        self._run(
            "queries.cu",
            "write_results",
            plan.n,
            out=dtype,
            n=plan.n,
            rows=plan.rows,
            range=plan.ranges.range,
            range_query=plan.ranges.query,
            factor=factor,
            scale_first=scale,
            scale_second=scale if is_loss else scale * scale * spec.hessian_scale,
            first=sums.first,
            second=sums.second,
            out_first=out[0],
            out_second=out[1],
            status=self.status,
        )
        return out

    def _expand(self, with_places: bool) -> dict[str, Any]:
        """e^score of all rows, and their scores in two parts where asked for."""
        n, real = self.plan.n, self.real
        out = {
            "mantissa": self.device.empty(n, real),
            "power": self.device.empty(n, np.int32),
            "place": self.device.empty(n, real) if with_places else None,
            "place_rest": self.device.empty(n, real) if with_places else None,
        }
        self._run(
            "queries.cu",
            "expand_rows",
            n,
            n=n,
            range=self.plan.ranges.range,
            range_query=self.plan.ranges.query,
            flags=self.flags,
            centre=self.centre,
            temperature=self.spec.temperature,
            x=self.x,
            with_places=with_places,
            **out,
        )
        return out

    def _rank(self) -> dict[str, Any]:
        """Ranks and discounts, where phi is made of them."""
        if self.spec.delta is None:
            return {"rank": None, "discount": None}
        n, ranges = self.plan.n, self.plan.ranges
        out = {"rank": self.device.empty(n, np.int32), "discount": self.doubles(n)}
        self._run(
            "ranking.cu",
            "rank_rows",
            n,
            n=n,
            range=ranges.range,
            range_begin=ranges.begin,
            range_end=ranges.end,
            rows=self.plan.rows,
            x=self.x,
            **out,
        )
        return out

    def _sums(self, is_loss: bool, mantissas: dict[str, Any], ranks: dict[str, Any]) -> _Sums:
        """Sums of all rows, without their queries' factors."""
        plan = self.plan
        out = {name: self.device.empty(plan.n, self.real) for name in ("first", "second", "counted")}
        common = {"n": plan.n, "flags": self.flags, **mantissas, **plan.weights, **out}
        if plan.host["listed"] is not None:
            self._run(
                "listed.cu",
                "sum_listed_pairs",
                plan.n * _LANES,
                is_loss=is_loss,
                range=plan.ranges.range,
                range_query=plan.ranges.query,
                weighted=plan.weighted,
                **plan.listed,
                **common,
            )
            return _Sums(out["first"], out["second"], out["counted"], None)
        far = self._far(is_loss)
        ranges = plan.ranges if far is None else far.forest.ranges
        delta = self.spec.delta
        truncation = plan.n if delta is None or delta.truncation is None else min(delta.truncation, plan.n)
        self._run(
            "pairs.cu",
            "sum_pairs",
            plan.n,
            is_loss=is_loss,
            range=ranges.range,
            range_begin=ranges.begin,
            range_end=ranges.end,
            range_query=ranges.query,
            centre=self.centre,
            value=plan.value if self.phi in (_DIFFERENCE, _DELTA_NDCG) else None,
            x=self.x,
            base=SMALLEST_DISTANCE if delta is not None and delta.by_distance else 1.0,
            slope=float(delta is not None and delta.by_distance),
            truncation=truncation,
            counts_phi=self.counts_phi,
            has_far=far is not None,
            far_first=None if far is None else far.first,
            far_second=None if far is None else far.second,
            **plan.runs,
            **plan.table(self.real),
            **ranks,
            **common,
        )
        return _Sums(out["first"], out["second"], out["counted"], far)

    def _far(self, is_loss: bool) -> FarField | None:
        """What rows sum over rows outside their leaf; None where no query has a tree that pays."""
        if self.forest is None:
            return None
        return FarField.of(self, self.forest, table_of(self.real, is_loss))

    def _factors(self, sums: _Sums | None) -> Any:
        """Weights of queries times their normalisers."""
        plan, spec = self.plan, self.spec
        piece_sum = self.doubles(max(plan.n_pieces, 1))
        if sums is not None:
            self._run(
                "queries.cu",
                "sum_pieces",
                plan.n_pieces * WARP,
                n_pieces=plan.n_pieces,
                piece_begin=plan.pieces["piece_begin"],
                counted=sums.counted,
                piece_sum=piece_sum,
            )
        far = None if sums is None else sums.far
        delta = spec.delta
        ideal = None if delta is None else self.host_plan.ideal_dcg(delta.truncation)
        factor = self.doubles(plan.n_queries)
        self._run(
            "queries.cu",
            "query_factors",
            plan.n_queries * WARP,
            n_queries=plan.n_queries,
            first_piece=plan.pieces["first_piece"],
            piece_sum=piece_sum,
            first_node=plan.no_nodes if far is None else far.forest.query_first_node,
            node_sum=None if far is None else far.node_sum,
            n_shares=1 if far is None else far.n_shares,
            per_ideal=plan.per_ideal(None if delta is None else delta.truncation, ideal),
            normalize=NORMALIZERS[spec.normalize],
            counts_phi=self.counts_phi,
            temperature=spec.temperature,
            factor=factor,
            **plan.of_queries,
        )
        return factor

    def doubles(self, n: int) -> Any:
        return self.device.empty(n, np.float64)

    def _run(
        self,
        file: str,
        name: str,
        n_threads: int,
        is_loss: bool = False,
        out: np.dtype[Any] | None = None,
        **arguments: Any,
    ) -> None:
        """Run a kernel on at least so many threads."""
        defines = {"REAL": C_TYPES[self.real]}
        if file == "queries.cu":
            defines["SCORE"] = C_TYPES[self.scores.dtype]
            defines["OUT"] = C_TYPES[self.dtype if out is None else out]
        elif file == "pairs.cu":
            defines.update(PHI=str(self.phi), WEIGHTED=str(int(self.plan.weighted)), LOSS=str(int(is_loss)))
        elif file == "listed.cu":
            defines["LOSS"] = str(int(is_loss))
        kernel = Kernel(file, name, tuple(defines.items()))
        launch(self.device, kernel, -(-n_threads // TILE), **arguments)


@dataclass(frozen=True, eq=False)
class _Sums:
    """What rows sum, without their queries' factors: see ``sum_pairs`` in pairs.cu."""

    first: Any
    second: Any
    counted: Any
    far: FarField | None

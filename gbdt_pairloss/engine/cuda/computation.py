"""One computation of the CUDA engine: the kernels in order, and the arrays that go from one to the next."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._device import Device
from ...ranking._plan import Plan
from ...ranking._table_plan import TablePlan
from ..expansion import expansion_of, precision
from ..normalizers import CODES
from ..spec import SMALLEST_DISTANCE, PairSum, RankNoise
from .far_field import FarField, find_panels
from .launch import C_TYPES, TILE, WARP, Kernel, launch
from .plan import Forest, GPUPlan

# Spans of the scores of a query, in temperatures. Up to the first, a floating-point number holds e^score, and no
# separate power of two is needed (kWidestSpread in core/pair_curve.h). Up to the second, the kernels support the query.
_NARROW = {np.dtype(np.float32): 80.0, np.dtype(np.float64): 600.0}
_MOST = 1e8

# Lanes that share a row of explicit pairs, LANES in listed.cu.
_LANES = 8

#: The entries of ``status``, as in queries.cu.
BAD_ROW, SOME_BEYOND, NOT_FINITE = range(3)

# The kinds of phi, as in pairs.cu.
_UNIFORM, _DIFFERENCE, _TABLE, _DELTA_NDCG = range(4)


@dataclass(eq=False)
class Computation:
    """The state of one call: its inputs, and the arrays on the device that its kernels share."""

    device: Device
    host_plan: Plan
    plan: GPUPlan
    scores: Any
    spec: PairSum
    dtype: np.dtype[Any]

    @cached_property
    def real(self) -> np.dtype[Any]:
        """Type that pairs are summed in."""
        return precision(self.host_plan, self.spec, self.dtype)

    @cached_property
    def status(self) -> Any:
        """Reports of the kernels: the first row with a score that is not finite, and two flags; see queries.cu."""
        return self.device.upload(np.array([np.iinfo(np.int32).max, 0, 0], dtype=np.int32))

    @cached_property
    def phi(self) -> int:
        """Kind of phi."""
        if self.spec.delta is not None:
            return _DELTA_NDCG
        if isinstance(self.host_plan, TablePlan):
            return _TABLE
        return _UNIFORM if self.plan.value is None else _DIFFERENCE

    @property
    def forest(self) -> Forest | None:
        """Trees of large queries. None if there are none, or if the fast sums do not support phi."""
        if self.phi not in (_UNIFORM, _DIFFERENCE) or self.plan.host["listed"] is not None:
            return None
        return self.plan.forest

    @cached_property
    def panels(self) -> list[NDArray[np.float64]]:
        """Panels that the scores of each tree lie in."""
        assert self.forest is not None
        return find_panels(self, self.forest)

    @property
    def counts_phi(self) -> bool:
        """True if the normaliser needs the sum of phi, and phi depends on the ranks."""
        return self.spec.delta is not None and self.spec.normalize == "query"

    def read(self) -> None:
        """Read the scores into the order of the plan, and measure those of each query."""
        n_queries = self.plan.n_queries
        extremes = self.read_scores()
        self.centre, self.low, self.high = (self.doubles(n_queries) for _ in range(3))
        self.flags = self.device.empty(n_queries, np.int32)
        self._run(
            "queries.cu",
            "measure_queries",
            n_queries * WARP,
            n_queries=n_queries,
            first_piece=self.plan.pieces["first_piece"],
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

    def read_scores(self) -> dict[str, Any]:
        """Read the scores into the order of the plan; return the extremes of each piece of a query."""
        plan = self.plan
        self.x = self.doubles(plan.n)
        extremes = {"piece_low": self.doubles(plan.n_pieces), "piece_high": self.doubles(plan.n_pieces)}
        self._run(
            "queries.cu",
            "read_scores",
            plan.n_pieces * WARP,
            n_pieces=plan.n_pieces,
            piece_begin=plan.pieces["piece_begin"],
            rows=plan.rows,
            scores=self.scores,
            x=self.x,
            status=self.status,
            **extremes,
        )
        return extremes

    def results(self, is_loss: bool, dtype: np.dtype[Any]) -> tuple[Any, Any]:
        """Compute gradients and Hessians, or with ``is_loss`` the losses and the weights of their pairs."""
        spec, plan = self.spec, self.plan
        # These normalisers need sums that are computed with the derivatives.
        needs_derivatives = spec.normalize == "log" or self.counts_phi
        inputs = self._inputs(is_loss)
        sums = self._sums(False, inputs) if needs_derivatives or not is_loss else None
        factor = self._factors(sums if needs_derivatives else None)
        if sums is None or is_loss:
            sums = self._sums(True, inputs)
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

    def _inputs(self, is_loss: bool) -> dict[str, Any]:
        """Compute the arrays that the sums over pairs are functions of."""
        return {**self._expand(is_loss), **self.rank()}

    def _expand(self, with_places: bool) -> dict[str, Any]:
        """Compute e^score of all rows as mantissa and power of two; ``with_places`` adds the scores in two parts."""
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

    def rank(self) -> dict[str, Any]:
        """Compute ranks and discounts, and the scores that they are those of, if phi depends on them."""
        if self.plan.host["listed"] is not None:
            return {}
        if self.spec.delta is None:
            return {"rank": None, "discount": None, "x": None}
        n, ranges = self.plan.n, self.plan.ranges
        x = self.x if self.spec.delta.noise is None else self._noised(self.spec.delta.noise)
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
            x=x,
            **out,
        )
        return {**out, "x": x}

    def _noised(self, noise: RankNoise) -> Any:
        """Compute the noised scores, and whether those of a query are tied, in ``flags``."""
        z = self.doubles(self.plan.n)
        self._run(
            "rank_noise.cu",
            "add_rank_noise",
            self.plan.n_queries * WARP,
            n_queries=self.plan.n_queries,
            query_begin=self.plan.query_begin,
            rows=self.plan.rows,
            x=self.x,
            scale=noise.scale * self.spec.temperature,
            seed=noise.seed,
            z=z,
            flags=self.flags,
        )
        return z

    def _sums(self, is_loss: bool, inputs: dict[str, Any]) -> RowSums:
        """Compute the sums of all rows, without the factors of their queries."""
        plan = self.plan
        out = {name: self.device.empty(plan.n, self.real) for name in ("first", "second", "counted")}
        common = {"n": plan.n, "flags": self.flags, **inputs, **plan.weights, **out}
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
            return RowSums(**out)
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
            value=plan.value if self.phi in (_DIFFERENCE, _DELTA_NDCG) else None,
            base=SMALLEST_DISTANCE if delta is not None and delta.by_distance else 1.0,
            slope=float(delta is not None and delta.by_distance),
            truncation=truncation,
            counts_phi=self.counts_phi,
            has_far=far is not None,
            far_first=None if far is None else far.first,
            far_second=None if far is None else far.second,
            **plan.runs,
            **plan.table(self.real),
            **common,
        )
        return RowSums(**out, far=far)

    def _far(self, is_loss: bool) -> FarField | None:
        """Compute the sums of rows over the rows outside their leaf. None if trees would not save time."""
        if self.forest is None:
            return None
        return FarField.of(self, self.forest, expansion_of(self.real, is_loss))

    def _factors(self, sums: RowSums | None) -> Any:
        """Compute the weights of the queries times their normalisers; ``sums`` are needed for some of these."""
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
            normalize=CODES[spec.normalize],
            counts_phi=self.counts_phi,
            temperature=spec.temperature,
            factor=factor,
            **plan.of_queries,
        )
        return factor

    def doubles(self, n: int) -> Any:
        """Return an uninitialised array of float64."""
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
        """Launch a kernel on at least ``n_threads`` threads, compiled for the types and constants of this call."""
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
class RowSums:
    """Sums of rows without the factors of their queries; see ``sum_pairs`` in pairs.cu.

    Attributes
    ----------
    first, second : arrays of shape (n,)
        Sums over the pairs: of the first and the second derivative, or of the loss and the weights.
    counted : array of shape (n,), optional
        Each row's part of the sum that the normaliser needs.
    far : FarField, optional
        The part of large queries that lies in their trees.
    """

    first: Any
    second: Any
    counted: Any = None
    far: FarField | None = None

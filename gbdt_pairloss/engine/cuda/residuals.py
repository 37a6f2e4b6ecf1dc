"""One computation of squared differences of residuals on the device."""

from __future__ import annotations

from typing import Any

import numpy as np

from .computation import Computation, RowSums
from .launch import WARP


class ResidualComputation(Computation):
    """The state of one call for a ``ResidualPlan``. The sums are computed in float64, in time proportional to the rows.

    Any finite scores are supported: the kernels need neither their centres nor their spans.
    """

    real = np.dtype(np.float64)
    forest = None

    def read(self) -> None:
        self.read_scores()

    def _inputs(self, is_loss: bool) -> dict[str, Any]:
        plan = self.plan
        out = {"residual": self.doubles(plan.n), "query_sums": self.doubles(4 * plan.n_queries)}
        piece_sums = self.doubles(4 * plan.n_pieces)
        self._run(
            "residuals.cu",
            "read_residuals",
            plan.n_pieces * WARP,
            n_pieces=plan.n_pieces,
            piece_begin=plan.pieces["piece_begin"],
            x=self.x,
            temperature=self.spec.temperature,
            target=plan.residual["target"],
            anchor=plan.residual["anchor"],
            residual=out["residual"],
            piece_sums=piece_sums,
            **self._rows,
        )
        self._run(
            "residuals.cu",
            "sum_moments",
            plan.n_queries * WARP,
            n_queries=plan.n_queries,
            first_piece=plan.pieces["first_piece"],
            piece_sums=piece_sums,
            query_sums=out["query_sums"],
        )
        return out

    def _sums(self, is_loss: bool, inputs: dict[str, Any]) -> RowSums:
        out = {name: self.doubles(self.plan.n) for name in ("first", "second")}
        self._run(
            "residuals.cu",
            "sum_residuals",
            self.plan.n,
            n=self.plan.n,
            losses=is_loss,
            **self._rows,
            **inputs,
            **out,
        )
        return RowSums(out["first"], out["second"])

    @property
    def _rows(self) -> dict[str, Any]:
        """The queries of the rows, their sizes, and all weights."""
        plan = self.plan
        return {
            "range": plan.ranges.range,
            "range_query": plan.ranges.query,
            "sizes": plan.of_queries["sizes"],
            "weighted": plan.weighted,
            "other_winners": plan.residual["other_winners"],
            "other_losers": plan.residual["other_losers"],
            **plan.weights,
        }

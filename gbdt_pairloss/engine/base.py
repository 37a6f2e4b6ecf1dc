"""The base class of engines that sum, and leave the finish to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..ranking._plan import Plan
from ..ranking._validation import Float64Array
from .finish import finish
from .spec import SUMMED, PairSum, Sums


class SummingEngine(ABC):
    """An :class:`~gbdt_pairloss.engine.spec.Engine` that is made of a function that sums.

    Subclasses define ``supports`` and ``sums``. A subclass whose loops finish the sums, too, may override
    ``gradient_hessian`` and ``winner_loss``.

    Attributes
    ----------
    fallback : SummingEngine or None
        The engine that sums the queries that this one reports as not summed. None: this engine sums all queries.
    """

    takes_device_arrays: ClassVar[bool] = False
    fallback: SummingEngine | None = None

    @abstractmethod
    def supports(self, plan: Plan, spec: PairSum) -> bool:
        """Return True if the engine can compute this sum over the pairs of this plan."""

    @abstractmethod
    def sums(self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any, *, loss: bool = False) -> Sums:
        """Sum over the pairs of every query; see :class:`~gbdt_pairloss.engine.spec.Sums`.

        A query with a score that is not finite raises a ValueError, or is reported as not summed.
        """

    def gradient_hessian(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any = np.float64
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        return finish(plan, self.all_sums(plan, scores, spec, dtype), spec, dtype)

    def winner_loss(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any = np.float64
    ) -> tuple[Float64Array, Float64Array]:
        sums = self.all_sums(plan, scores, spec, dtype, loss=True)
        if spec.normalize == "log":
            sums = sums._replace(lambda_sum=self.all_sums(plan, scores, spec, dtype).lambda_sum)
        return finish(plan, sums, spec, np.float64)

    def all_sums(self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any, *, loss: bool = False) -> Sums:
        """Sum over the pairs of every query, by the fallback engine where this one cannot."""
        sums = self.sums(plan, scores, spec, dtype, loss=loss)
        queries = np.flatnonzero(sums.status != SUMMED)
        if queries.size == 0:
            return sums
        plan.check_scores(scores)
        assert self.fallback is not None
        rest = plan.of_queries(queries)
        others = self.fallback.all_sums(rest, scores, spec, np.float64, loss=loss)

        def merged(values: NDArray[Any], replacement: NDArray[Any], where: NDArray[Any]) -> Float64Array:
            result: Float64Array = values.astype(np.float64)  # float32 may be too small for the fallback's results
            result[where] = replacement
            return result

        return Sums(
            merged(sums.first, others.first[rest.rows], rest.rows),
            merged(sums.second, others.second[rest.rows], rest.rows),
            merged(sums.lambda_sum, others.lambda_sum, queries),
            merged(sums.phi_sum, others.phi_sum, queries),
            np.zeros_like(sums.status),
        )


def all_summed(plan: Plan) -> NDArray[np.uint8]:
    """Return the status of a sum that covers all queries of a plan."""
    return np.zeros(plan.n_queries, dtype=np.uint8)

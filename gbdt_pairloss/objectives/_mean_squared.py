"""The pairwise mean squared error, which compares differences of scores with differences of labels."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._docstrings import documented_with
from ..engine.pair_losses import SQUARED_RESIDUAL
from ..ranking._data import RankingData
from ..ranking._plan import Plan
from ..ranking._residual_plan import ResidualPlan
from ._base import SingleObjective
from ._docs import OBJECTIVE_TEXT
from ._registry import register


@register
@documented_with(OBJECTIVE_TEXT)
class PairwiseMeanSquaredError(SingleObjective):
    """Pairwise mean squared error: the differences of the scores should be those of the labels.

    For every ordered pair (i, j) of two rows of a query, equal labels among them, with the residual e = s / T - y::

        loss      = sum omega_ij (e_i - e_j)^2          = sum omega_ij ((y_i - y_j) - (s_i - s_j) / T)^2
        gradient  : i += 2 omega_ij (e_i - e_j) / T     j -= 2 omega_ij (e_i - e_j) / T
        Hessian   : both += 2 omega_ij / T^2

    omega_ij is the item weight of i times the loser weight of j, the weight of the query, and the query's normaliser.
    Every two rows are two pairs, one in each direction, as in KerasRS.

    Scores get the scale of the labels, up to a constant of each query: it is a regression within the queries. A little
    of it, added to another objective, improves that one's rankings; see :class:`WeightedSum`.

    Domain: any finite scores and labels; the gradient grows with the residuals.

    Parameters
    ----------
    %(temperature)s
    normalize : {"query", "none"}, default="query"
        "query" divides by the number of the query's rows. Without row weights the loss is then twice the sum of
        (e_i - mean of e)^2, as CatBoost's QueryRMSE. The gradient is 4 (e_i - mean of e) / T. "none": the plain sum.
    %(hessian_scale)s
    %(ignore_negative_labels)s
    %(item_weight)s
    %(n_threads)s
    %(device)s

    Raises
    ------
    %(invalid)s
        In training, if there are explicit pairs, which do not say by how much the winner should be above the loser.

    See Also
    --------
    WeightedSum : Sums of objectives.
    PairwiseSquared : A loss of the order of the labels, whose margin does not depend on the labels.

    Notes
    -----
    All pairs take O(n) time: the mean of the residuals is enough. The loss of KerasRS ignores its temperature.

    References
    ----------
    KerasRS, ``PairwiseMeanSquaredError``; Rax, ``pairwise_mse_loss``; CatBoost, ``QueryRMSE``.

    Examples
    --------
    >>> from gbdt_pairloss import PairwiseMeanSquaredError
    >>> PairwiseMeanSquaredError(normalize="none").loss([1.0, 0.0, 2.0], [0.5, 0.0, 2.5])
    3.0
    """

    name = "pairwise_mean_squared_error"
    pair_loss = SQUARED_RESIDUAL
    _normalizers: ClassVar[tuple[str, ...]] = ("query", "none")

    def __init__(
        self,
        *,
        temperature: float = 1.0,
        normalize: str = "query",
        hessian_scale: float | None = None,
        ignore_negative_labels: bool | None = None,
        item_weight: str = "winner",
        n_threads: int | None = None,
        device: str = "auto",
    ) -> None:
        super().__init__(
            temperature=temperature,
            normalize=normalize,
            hessian_scale=hessian_scale,
            ignore_negative_labels=ignore_negative_labels,
            item_weight=item_weight,
            n_threads=n_threads,
            device=device,
        )

    def _ranking_labels(self, labels: NDArray[Any]) -> NDArray[Any]:
        return np.zeros(labels.shape)  # all rows are pairs: they stay in the caller's order

    def _kind_of_plan(self, plan: Plan, data: RankingData) -> Plan:
        return plan.extended(ResidualPlan, targets=plan.gather(data.labels))

    def _check_explicit_pairs(self, data: RankingData) -> None:
        raise ValueError(
            "explicit pairs do not say by how much the winner should be above the loser, which "
            f"{self.name} needs: give it labels instead"
        )

    def _nothing_to_learn(self) -> str:
        return "no query has two rows that take part"

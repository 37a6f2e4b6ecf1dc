"""What an objective knows of its parameters and of plans: the half of it that no user calls.

Rankers and clusters do, with plans of their own making; :mod:`gbdt_pairloss.objective_base` has what boosters and users
call.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from copy import copy
from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from .. import _device
from .._device import beside, like, to_host
from ..engine.select import select_engine, unsupported_on_cuda
from ..engine.spec import DeltaNDCG, Engine, PairSum
from ..ranking._data import RankingData
from ..ranking._explicit_plan import ExplicitPlan
from ..ranking._pair_weights import DELTA_WEIGHTS, PAIR_WEIGHTS, value_function
from ..ranking._plan import Plan, build_plan
from ..ranking._reading import rows_taking_part
from ..ranking._table_plan import TablePlan
from ..ranking._validation import check_choice, check_positive
from ._diagnostics import TrainingWatch, check_weights_of_pairs, warn_without_pairs

Self = TypeVar("Self", bound="PlannedObjective")


class PlannedObjective(BaseEstimator):  # type: ignore[misc]
    """Parameters of the pairwise objectives, the plans that follow from them, and sums over plans.

    A subclass has a ``name`` and a ``pair_loss`` and, if labels are not taken as they are, ``_ranking_labels``.
    """

    name: Any
    pair_loss: Any  # a PairLoss, maybe a property
    #: Whether ``item_id`` makes a difference.
    reads_item_id: ClassVar[bool] = False
    #: A parameter that is an array with one entry per row of the training set.
    row_parameter: str | None = None

    def __init__(
        self,
        *,
        temperature: float = 1.0,
        pair_weight: str | Callable[[float, float], float] = "uniform",
        gain: str = "exp2",
        truncation: int | None = None,
        normalize: str = "log",
        hessian_scale: float = 1.0,
        ignore_negative_labels: bool | None = None,
        item_weight: str = "winner",
        n_threads: int | None = None,
        device: str = "auto",
    ) -> None:
        self.temperature = temperature
        self.pair_weight = pair_weight
        self.gain = gain
        self.truncation = truncation
        self.normalize = normalize
        self.hessian_scale = hessian_scale
        self.ignore_negative_labels = ignore_negative_labels
        self.item_weight = item_weight
        self.n_threads = n_threads
        self.device = device
        self._check_params()

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A pickle may be older than a parameter.
        parameters = inspect.signature(type(self).__init__).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        super().__setstate__({**defaults, **state})

    def set_params(self: Self, **params: Any) -> Self:
        """Set parameters by name, all of them or none.

        Parameters
        ----------
        **params
            Names and values.

        Returns
        -------
        self : PairwiseObjective

        Raises
        ------
        ValueError
            If there is no parameter of a name, or one has a value that it cannot have.
        """
        before = self.get_params(deep=False)
        try:
            super().set_params(**params)
            self._check_params()
        except ValueError:
            super().set_params(**before)
            raise
        return self

    def seeded(self: Self, random_state: Any) -> Self:
        """This objective with the ranker's seed, where it draws something and has no seed of its own."""
        return self

    def on_threads(self: Self, n_threads: Any) -> Self:
        """This objective with the booster's number of threads, where it has none of its own and the booster has one."""
        if self.n_threads is not None or not isinstance(n_threads, Integral) or n_threads < 1:
            return self
        twin = copy(self)  # not a clone, which would copy arrays and callables every round
        twin.n_threads = int(n_threads)
        return twin

    def on_booster_device(self, training_device: Callable[[], int | None]) -> int | None:
        """The CUDA device to compute on because the booster does, and takes gradients from there; None: no matter."""
        known = self.device == "cuda" or (self.device == "auto" and unsupported_on_cuda(self._pairs()) is None)
        ordinal = training_device() if known and _device.may_have_device() else None
        return ordinal if ordinal is not None and _device.has_device() else None

    def boost(self, plan: Plan, scores: Any, watch: TrainingWatch | None) -> tuple[Any, ...]:
        """Gradient and Hessian of a checked plan as a booster takes them: float32, where the scores are, and watched.

        ``watch`` is None for a part of what is trained on, from which nothing follows for the whole.
        """
        self._check_shape(plan, scores)
        gradient, hessian = self._gradient_hessian(plan, scores, np.float32)
        if plan.has_weighted_pair and watch is not None:
            with beside(scores):
                watch.look(scores, gradient, hessian, self.pair_loss.smooth)
        return gradient, hessian

    def mean_pair_loss(self, plan: Plan, scores: Any) -> float:
        """``loss`` with ``reduction="pair_weights"`` on a plan; of drawn pairs, its expectation.

        Raises
        ------
        ValueError
            If there is no pair with a weight.
        """
        self._check_shape(plan, scores)
        if not plan.has_weighted_pair:
            raise ValueError(f"{self.name} is undefined: {self._reason(plan)}, or all weights are 0")
        loss, weight = self._winner_loss(plan, scores, replace(self._pairs(), negatives=None), np.float32)
        total, weight_total = sums_of(scores, loss, weight)
        return total / weight_total if weight_total > 0 else 0.0

    def prepare(self, data: RankingData, is_own: bool = True) -> RankingData:
        """A dataset with what the objective itself knows of its rows, which stand as its caller has them.

        ``is_own``: whether arrays among the objective's parameters belong to this dataset.
        """
        return data

    def check_plan(self, plan: Plan) -> None:
        """Raise a ValueError if this objective cannot train on a plan, or on a part of one."""

    def check_learnable(self, plan: Plan) -> None:
        """Raise a ValueError if nothing can be learned from a plan; warn if that may be what the data say."""
        check_weights_of_pairs(plan)
        warn_without_pairs(plan, self._reason(plan))

    def plan(self, data: RankingData) -> Plan:
        """The plan of checked and prepared data, as this objective sees its labels.

        Raises
        ------
        ValueError
            If explicit pairs meet what takes them apart or weighs them anew, or a label is negative and nothing is said
            of these.
        """
        if data.pairs is not None:
            if data.item_id is not None and self.reads_item_id:
                raise ValueError("item_id takes no row out of explicit pairs: leave one of them out")
            if self.pair_weight != "uniform":
                raise ValueError(
                    f"explicit pairs have weights of their own: pair_weight={self.pair_weight!r} does not apply to "
                    'them, leave it at "uniform"'
                )
            plan = build_plan(data, np.zeros(data.labels.shape), data.mask, self.item_weight)
            return ExplicitPlan.of(plan, data.pairs.checked(data.groups))
        labels = self._ranking_labels(data.labels)
        mask = self._candidates(data, self.rows_taking_part(data.labels, data.mask))
        plan = build_plan(data, labels, mask, self.item_weight, value_function(self.pair_weight, self.gain))
        if callable(self.pair_weight):
            return TablePlan.of(plan, self.pair_weight)
        return plan

    def rows_taking_part(self, labels: NDArray[Any], mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        return rows_taking_part(labels, mask, self.ignore_negative_labels)

    # Inside.

    def _ranking_labels(self, labels: NDArray[Any]) -> NDArray[Any]:
        """The labels whose order makes the pairs."""
        return labels

    def _candidates(self, data: RankingData, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """The mask without rows that cannot be in a pair for a reason of this objective's."""
        return mask

    def _nothing_to_learn(self) -> str:
        """Why no pair exists, in the words of this objective's labels."""
        return "no query has two rows with different labels"

    def _reason(self, plan: Plan) -> str:
        """Why a plan has no pair."""
        if isinstance(plan, ExplicitPlan):
            return "no explicit pair has two rows that take part"
        return self._nothing_to_learn()

    def plan_key(self) -> Hashable:
        """What a plan depends on: how the objective reads labels, and its parameters that matter to it."""
        return (
            type(self)._ranking_labels,
            type(self)._candidates,
            self.ignore_negative_labels,
            self.item_weight,
            self.pair_weight if self.pair_weight != "lambdarank" else "ndcg",
            self.pair_weight != "uniform" and self.gain,
        )

    def _gradient_hessian(self, plan: Plan, scores: Any, dtype: Any) -> tuple[Any, ...]:
        """Gradient and Hessian, where the scores are."""
        pairs = self._pairs()
        engine, given = self._engine(plan, pairs, scores)
        with np.errstate(over="ignore", invalid="ignore"):  # engines look at what comes out
            return like(scores, *engine.gradient_hessian(plan, given, pairs, dtype))

    def _winner_loss(self, plan: Plan, scores: Any, pairs: PairSum, dtype: Any) -> tuple[Any, ...]:
        """The loss of the pairs that each row wins, and their weights, where the scores are."""
        engine, given = self._engine(plan, pairs, scores)
        with np.errstate(over="ignore", invalid="ignore"):  # callers look at what comes out
            return like(scores, *engine.winner_loss(plan, given, pairs, dtype))

    def _pairs(self) -> PairSum:
        delta = None
        if self.pair_weight in DELTA_WEIGHTS:
            delta = DeltaNDCG(self.truncation, by_distance=self.pair_weight == "lambdarank")
        return PairSum(self.pair_loss, float(self.temperature), self.normalize, float(self.hessian_scale), delta)

    def _engine(self, plan: Plan, pairs: PairSum, scores: Any) -> tuple[Engine, Any]:
        """An engine, and the scores as it takes them."""
        engine = select_engine(self.device, self.n_threads, plan, pairs, scores)
        return engine, scores if engine.takes_device_arrays else to_host(scores)

    def _check_shape(self, plan: Plan, scores: Any) -> None:
        if scores.shape != (plan.n_rows,):
            raise ValueError(
                f"scores have shape {scores.shape}, but the dataset has {plan.n_rows} rows: a ranking objective "
                "takes one score per row"
            )

    def _check_params(self) -> None:
        check_positive(self.temperature, "temperature")
        check_positive(self.hessian_scale, "hessian_scale")
        if not callable(self.pair_weight):
            check_choice(self.pair_weight, "pair_weight", PAIR_WEIGHTS)
        elif not isinstance(self.pair_weight, Hashable):
            raise ValueError("a callable pair_weight must be hashable: plans are kept by it")
        check_choice(self.gain, "gain", ("exp2", "linear"))
        check_choice(self.normalize, "normalize", ("log", "query", "none"))
        if not isinstance(self.ignore_negative_labels, np.bool_):  # what a grid over an array gives
            check_choice(self.ignore_negative_labels, "ignore_negative_labels", (None, True, False))
        check_choice(self.item_weight, "item_weight", ("winner", "both"))
        check_choice(self.device, "device", ("auto", "cpu", "cuda"))
        for name in ("n_threads", "truncation"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, Integral) or value < 1):
                raise ValueError(f"{name} must be a whole number above 0 or None, got {value!r}")
        if self.truncation is not None and self.pair_weight not in DELTA_WEIGHTS:
            raise ValueError(
                'truncation belongs to pair_weight="ndcg" and "lambdarank": other pair weights know no ranks'
            )


def sums_of(scores: Any, *arrays: Any) -> tuple[float, ...]:
    """The sums of arrays that are where the scores are; a ValueError if one leaves the range of float64."""
    with beside(scores), np.errstate(over="ignore"):
        totals = tuple(float(array.sum()) for array in arrays)
    _check_finite(np.isfinite(totals).all())
    return totals


def check_range(scores: Any, losses: Any) -> None:
    """Raise a ValueError if a loss, where the scores are, leaves the range of float64."""
    with beside(scores):
        _check_finite(bool((losses < np.inf).all()))


def _check_finite(is_finite: Any) -> None:
    if not is_finite:
        raise ValueError(
            "the sum of the losses, or of their weights, leaves the range of float64: scale the weights down"
        )

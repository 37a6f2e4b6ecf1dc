"""Evaluation of an objective: plans, engine, threads and device.

An objective consists of parameters, a pair loss and a docstring. An :class:`ObjectiveEvaluator` computes with them. It
is used by the callables that boosters call, the rankers, their metrics, and the workers of a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from numbers import Integral
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import _device
from ..engine.cuda.support import unsupported
from ..engine.select import select_engine
from ..engine.spec import AddingEngine, PairSum
from ..ranking._data import RankingData
from ..ranking._explicit_plan import ExplicitPlan
from ..ranking._plan import Plan, build_plan
from ..ranking._reading import RankingInput, rows_taking_part
from ._diagnostics import TrainingWatch, check_weights_of_pairs, warn_without_pairs
from ._parameters import ObjectiveParameters

REDUCTIONS = ("sum", "mean", "sum_over_batch_size", "mean_with_sample_weight", "none", "pairs", "pair_weights")


class TrainingPlan(Protocol):
    """Interface of plans for the callers of evaluators: :class:`Plan`, or the plans of a sum's terms."""

    @property
    def n_rows(self) -> int: ...

    @property
    def n_pairs(self) -> NDArray[Any]: ...

    @property
    def has_weighted_pair(self) -> bool: ...


class Evaluator(Protocol):
    """Interface of the evaluators of an objective and of a sum; a plan is what the evaluator itself has built."""

    objective: Any

    @property
    def reads_item_id(self) -> bool:
        """True if item ids make a difference."""

    @property
    def row_parameter(self) -> str | None:
        """The parameter that is an array with one entry per row of the training set, if there is one."""

    @property
    def loss_names(self) -> list[str]:
        """The names of ``mean_pair_losses``."""

    def needs_labels(self, has_pairs: bool) -> bool:
        """Return whether labels are read; ``has_pairs`` says whether there are explicit pairs."""

    def plan_key(self) -> Hashable:
        """Return a key of the parameters that a plan depends on."""

    def prepare(self, data: RankingData, is_own: bool = True) -> RankingData:
        """Check a dataset in the caller's order of rows, and add the arrays among the parameters."""

    def plan(self, data: RankingData) -> Any:
        """Build the plan of checked and prepared data."""

    def decide(self, plan: Any) -> None:
        """Let the plan of the training set decide what depends on labels, for the plans of other sets."""

    def decided(self) -> Any:
        """Return the objective with what ``decide`` decided among its parameters."""

    def check_plan(self, plan: Any) -> None:
        """Raise a ValueError if the objective cannot train on a plan, or on a part of one."""

    def check_learnable(self, plan: Any) -> None:
        """Raise a ValueError or warn if nothing can be learned."""

    def placed(self, scores: Any, training_device: Callable[[], int | None]) -> Any:
        """Return a booster's scores, copied to its device if the objective computes there."""

    def boost(self, plan: Any, scores: Any, watch: TrainingWatch | None) -> tuple[Any, Any]:
        """Compute gradient and Hessian for a booster."""

    def mean_pair_losses(self, plan: Any, scores: Any) -> list[float]:
        """Compute the mean pair loss; of a sum: those of its terms, then their weighted sum."""

    def gradient_hessian(self, plan: Any, scores: Any, dtype: Any) -> tuple[Any, Any]:
        """Compute gradient and Hessian of each row."""

    def loss(self, plan: Any, scores: Any, given: RankingInput, reduction: str) -> Any:
        """Compute the loss with one of ``REDUCTIONS``."""


class ObjectiveEvaluator:
    """Evaluation of an objective on plans. The parameters of the objective are read at each call.

    Parameters
    ----------
    objective : SingleObjective
    n_threads : object, optional
        Number of threads that is set for the booster. It is used if it is a whole number above 0, and ``n_threads`` of
        the objective is None.
    random_state : object, optional
        Seed of the ranker. It is used if the objective draws at random, and its ``random_state`` is None.
    hessian_scale : float, default=1.0
        Factor on the Hessian of the booster's own ranking objectives. It is used if ``hessian_scale`` of the objective
        is None.
    has_grades : bool, optional
        Whether the labels of the training set are grades, for ``pair_weight="auto"``; None: the labels of each set
        decide.
    """

    def __init__(
        self,
        objective: ObjectiveParameters,
        *,
        n_threads: Any = None,
        random_state: Any = None,
        hessian_scale: float = 1.0,
        has_grades: bool | None = None,
    ) -> None:
        self.objective = objective
        self._has_grades = has_grades
        self._hessian_scale = hessian_scale
        is_number = isinstance(n_threads, Integral) and n_threads >= 1  # type: ignore[operator]
        self._booster_threads = int(n_threads) if is_number else None
        self._random_state = random_state

    @property
    def spec(self) -> PairSum:
        """Specification of the sum, as far as it does not depend on the labels."""
        return self.objective._spec(self._random_state, self._hessian_scale)

    def spec_of(self, plan: Plan) -> PairSum:
        """Return the specification of the sum over a plan.

        It is made for each sum, because a callback may change the objective's parameters.
        """
        return self.objective._spec(self._random_state, self._hessian_scale, plan)

    @property
    def n_threads(self) -> int | None:
        """Number of threads to compute with; None: as many as this process may use."""
        return self._booster_threads if self.objective.n_threads is None else self.objective.n_threads

    @property
    def reads_item_id(self) -> bool:
        """True if item ids make a difference to the objective."""
        return self.objective._reads_item_id

    @property
    def row_parameter(self) -> str | None:
        """The objective's parameter that is an array with one entry per row of the training set, if there is one."""
        return self.objective._row_parameter

    @property
    def loss_names(self) -> list[str]:
        """The name of the objective."""
        return [self.objective.name]

    # Data and plans

    def needs_labels(self, has_pairs: bool) -> bool:
        """Return whether labels are read; ``has_pairs`` says whether there are explicit pairs."""
        return not has_pairs

    def plan_key(self) -> Hashable:
        """Return a key of the parameters that a plan depends on."""
        return self.objective._plan_key()

    def prepare(self, data: RankingData, is_own: bool = True) -> RankingData:
        """Add the arrays among the objective's parameters to a dataset, such as ``negative_weight`` of BPR.

        Parameters
        ----------
        data : RankingData
            The dataset, with its rows in the caller's order.
        is_own : bool, default=True
            Whether these arrays belong to the rows of this dataset.
        """
        return self.objective._prepare(data, is_own)

    def plan(self, data: RankingData) -> Plan:
        """Build the plan of checked and prepared data.

        Raises
        ------
        ValueError
            If a parameter of the objective does not apply to explicit pairs, or a label is negative and
            ``ignore_negative_labels`` is None.
        """
        objective = self.objective
        if data.pairs is not None:
            objective._check_explicit_pairs(data)
            plan = build_plan(data, np.zeros(data.labels.shape), data.mask, objective.item_weight)
            return ExplicitPlan.of(plan, data.pairs.checked(data.groups))
        mask = rows_taking_part(data.labels, data.mask, objective.ignore_negative_labels)
        labels = objective._ranking_labels(data.labels)
        value_of = objective._value_function(labels if mask is None else labels[mask], self._has_grades)
        plan = build_plan(data, labels, objective._candidates(data, mask), objective.item_weight, value_of)
        return objective._kind_of_plan(plan, data)

    def decide(self, plan: Plan) -> None:
        """Let the plan of the training set decide what ``pair_weight="auto"`` is, for the plans of other sets."""
        self._has_grades = plan.values is not None

    def decided(self) -> Any:
        """Return the objective with the pair weight that "auto" is for the training set."""
        return self.objective if self._has_grades is None else self.objective._decided(self._has_grades)

    def check_plan(self, plan: Plan) -> None:
        """Raise a ValueError if the objective cannot train on a plan, or on a part of one."""
        self.objective._check_plan(plan)

    def check_learnable(self, plan: Plan) -> None:
        """Raise a ValueError if every pair of a plan has weight 0, and warn if there is no pair (BPR: an error)."""
        self.check_pairs(plan)
        warn_without_pairs(plan, self.reason(plan))

    def check_pairs(self, plan: Plan) -> None:
        """Raise a ValueError if every pair of a plan has weight 0, or if the objective must have pairs."""
        if self.objective._requires_pairs and not plan.n_pairs.any():
            raise ValueError(f"nothing can be learned: {self.reason(plan)}")
        check_weights_of_pairs(plan)

    def reason(self, plan: Plan) -> str:
        """Say why a plan has no pair."""
        if isinstance(plan, ExplicitPlan):
            return "no explicit pair has two rows that take part"
        return self.objective._nothing_to_learn()

    # Booster callbacks

    def placed(self, scores: Any, training_device: Callable[[], int | None]) -> Any:
        """Return a booster's scores, copied to the device that it trains on if the objective computes there.

        Parameters
        ----------
        scores : array
        training_device : callable
            A function that returns the number of the CUDA device that the booster trains on and takes gradients from,
            or None. It is called only if the result can matter.
        """
        if not _device.is_on_device(scores):
            scores = np.asarray(scores)
        device = self.objective.device
        if device == "cpu" or not _device.may_have_device():
            return scores
        if device == "auto" and unsupported(self.spec) is not None:
            return scores
        ordinal = training_device()
        if ordinal is None or not _device.has_device():
            return scores
        return _device.to_device(scores, ordinal)

    def boost(self, plan: Plan, scores: Any, watch: TrainingWatch | None) -> tuple[Any, Any]:
        """Compute gradient and Hessian for a booster, float32 on the device of the scores, checked by ``watch``.

        ``watch`` is None for a part of the training set, which does not show whether the whole can be learned.
        """
        check_shape(plan, scores)
        gradient, hessian = self.gradient_hessian(plan, scores, np.float32)
        if plan.has_weighted_pair and watch is not None:
            with _device.beside(scores):
                watch.look([plan], scores, gradient, hessian)
        return gradient, hessian

    def mean_pair_loss(self, plan: Plan, scores: Any) -> float:
        """Compute ``loss`` with ``reduction="pair_weights"``, without chance.

        For drawn pairs this is the expectation. For rank noise it is the loss at the ranking of the scores themselves.

        Raises
        ------
        ValueError
            If no pair has a weight above 0.
        """
        check_shape(plan, scores)
        if not plan.has_weighted_pair:
            raise ValueError(f"{self.objective.name} is undefined: {self.reason(plan)}, or all weights are 0")
        spec = replace(self.spec_of(plan), negatives=None)
        if spec.delta is not None:
            spec = replace(spec, delta=replace(spec.delta, noise=None))
        loss, weight = self._engine_results("winner_loss", plan, scores, spec, np.float32)
        total, weight_total = sums_of(scores, loss, weight)
        return total / weight_total if weight_total > 0 else 0.0

    def mean_pair_losses(self, plan: Plan, scores: Any) -> list[float]:
        """Return the result of ``mean_pair_loss``, as one of ``loss_names``."""
        return [self.mean_pair_loss(plan, scores)]

    # Sums

    def gradient_hessian(self, plan: Plan, scores: Any, dtype: Any) -> tuple[Any, Any]:
        """Compute gradient and Hessian of each row, on the device of the scores."""
        return self._engine_results("gradient_hessian", plan, scores, self.spec_of(plan), dtype)

    def add_gradient_hessian(self, plan: Plan, scores: Any, total: tuple[Any, Any]) -> None:
        """Add gradient and Hessian of each row to others, which are on the device of the scores.

        Raises
        ------
        ValueError
            If a sum leaves the range of its type.
        """
        spec = self.spec_of(plan)
        engine = select_engine(self.objective.device, self.n_threads, plan, spec, scores)
        if isinstance(engine, AddingEngine) and not _device.is_on_device(scores):
            engine.add_gradient_hessian(plan, scores, spec, total)
        else:
            _add(scores, total, self.gradient_hessian(plan, scores, total[0].dtype))

    def loss(self, plan: Plan, scores: Any, given: RankingInput, reduction: str) -> Any:
        """Compute the loss of scores with one of ``REDUCTIONS``.

        Parameters
        ----------
        plan : Plan
        scores : array of shape (n_rows,)
        given : RankingInput
            The arguments of the call, from which the divisor follows.
        reduction : str

        Returns
        -------
        loss : float, or float64 array of shape (n_rows,) for "none", on the device of the scores

        Raises
        ------
        ValueError
            If a sum leaves the range of float64.
        """
        loss, weight = self._engine_results("winner_loss", plan, scores, self.spec_of(plan), given.scores.dtype)
        if reduction == "none":
            check_losses(scores, loss)
            return loss
        total, weight_total = sums_of(scores, loss, weight)
        divisor = {
            "sum": 1.0,
            "mean": float(given.scores.size),
            "sum_over_batch_size": float(given.scores.size),
            "mean_with_sample_weight": given.sum_of_weights,
            "pairs": float(plan.n_pairs.sum()),
            "pair_weights": weight_total,
        }[reduction]
        if not np.isfinite(divisor):
            raise ValueError("the sum of sample_weight leaves the range of float64: scale the weights down")
        return total / divisor if divisor > 0 else 0.0

    def _engine_results(self, method: str, plan: Plan, scores: Any, spec: PairSum, dtype: Any) -> tuple[Any, Any]:
        engine = select_engine(self.objective.device, self.n_threads, plan, spec, scores)
        given = scores if engine.takes_device_arrays else _device.to_host(scores)
        with np.errstate(over="ignore", invalid="ignore"):  # engines or callers check the results
            first, second = _device.like(scores, *getattr(engine, method)(plan, given, spec, dtype))
        return first, second


def check_shape(plan: TrainingPlan, scores: Any) -> None:
    """Raise a ValueError if the number of scores is not that of the rows."""
    if scores.shape != (plan.n_rows,):
        raise ValueError(
            f"scores have shape {scores.shape}, but the dataset has {plan.n_rows} rows: a ranking objective "
            "takes one score per row"
        )


def sums_of(scores: Any, *arrays: Any) -> tuple[float, ...]:
    """Return the sums of arrays on the device of the scores; a ValueError if one leaves the range of float64."""
    with _device.beside(scores), np.errstate(over="ignore"):
        totals = tuple(float(array.sum()) for array in arrays)
    _check_finite(np.isfinite(totals).all())
    return totals


def check_losses(scores: Any, losses: Any) -> None:
    """Raise a ValueError if a loss leaves the range of float64; losses are on the device of the scores."""
    with _device.beside(scores):
        _check_finite(bool((losses < np.inf).all()))


def _check_finite(is_finite: Any) -> None:
    if not is_finite:
        raise ValueError(
            "the sum of the losses, or of their weights, leaves the range of float64: scale the weights down"
        )


def _add(scores: Any, total: tuple[Any, Any], result: tuple[Any, Any]) -> None:
    """Add a term's gradient and Hessian to those of the terms before it, in place.

    Raises
    ------
    ValueError
        If a sum leaves the range of its type.
    """
    with _device.beside(scores):
        for mine, theirs in zip(total, result, strict=True):
            with np.errstate(over="raise"):  # costs nothing, unlike another pass over the sum
                try:
                    mine += theirs
                    overflow = _device.is_on_device(mine) and not bool(abs(mine).max() < np.inf)
                except FloatingPointError:
                    overflow = True
            if overflow:
                raise ValueError(
                    f"the gradient or Hessian of the sum leaves the range of {mine.dtype.name}: scale its weights down"
                )

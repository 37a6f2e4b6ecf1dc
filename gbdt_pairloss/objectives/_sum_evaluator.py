"""Evaluation of a weighted sum: one evaluator, label and plan for each term."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _device
from ..ranking._data import RankingData
from ..ranking._plan import Plan
from ..ranking._reading import RankingInput, rows_taking_part
from ..ranking._validation import errors_of
from ._diagnostics import TrainingWatch, warn_without_pairs
from ._evaluator import ObjectiveEvaluator, check_shape

#: The entry of ``labels`` of a term that sums over the explicit pairs.
PAIRS = "pairs"


class Term(NamedTuple):
    """A term of a sum: its number, its weight, and the evaluator of its objective."""

    number: int
    weight: float
    evaluator: ObjectiveEvaluator

    @property
    def name(self) -> str:
        """Name of the term in messages."""
        return f"term {self.number} ({self.evaluator.objective.name})"


@dataclass(frozen=True, eq=False)
class SumPlan:
    """The plans of a sum's terms, except those of weight 0.

    Attributes
    ----------
    n_rows : int
        Number of the caller's rows.
    plans : dict of int to Plan
        Plans by the numbers of the terms.
    """

    n_rows: int
    plans: dict[int, Plan]
    _weighted: dict[int, tuple[float, Plan]] = field(default_factory=dict)

    def weighted(self, number: int, weight: float) -> Plan:
        """Return a term's plan with the term's weight in its query weights, so that gradients need only be added.

        The plan of the last weight is kept, because engines keep memory beside a plan.
        """
        last = self._weighted.get(number)
        if last is None or last[0] != weight:
            last = self._weighted[number] = weight, self.plans[number].times(weight)
        return last[1]

    @cached_property
    def n_pairs(self) -> NDArray[Any]:
        """Number of pairs of each query, in all terms."""
        return np.asarray(np.sum([plan.n_pairs for plan in self.plans.values()], axis=0))

    @cached_property
    def has_weighted_pair(self) -> bool:
        """True if any pair of any term has a weight above 0."""
        return any(plan.has_weighted_pair for plan in self.plans.values())


class SumEvaluator:
    """Evaluation of a :class:`WeightedSum`; the interface is that of :class:`ObjectiveEvaluator`.

    Parameters
    ----------
    objective : WeightedSum
    **settings
        ``n_threads``, ``random_state`` and ``hessian_scale`` of :class:`ObjectiveEvaluator`, for all terms.
    """

    def __init__(self, objective: Any, **settings: Any) -> None:
        self.objective = objective
        self._settings = settings
        self._has_grades: dict[int, bool] = {}  # by the numbers of the terms

    @property
    def _all_terms(self) -> list[Term]:
        """All terms, made and checked at each access, because a callback may change the parameters."""
        self.objective._check_params(sums=True)
        pairs = zip(self.objective.objectives, self.objective.weights, strict=True)
        return [
            Term(
                number,
                float(weight),
                objective._evaluator(**self._settings, has_grades=self._has_grades.get(number)),
            )
            for number, (objective, weight) in enumerate(pairs)
        ]

    @property
    def _terms(self) -> list[Term]:
        """The terms of weight above 0, which are computed."""
        return [term for term in self._all_terms if term.weight > 0]

    @property
    def _labels(self) -> list[Any] | None:
        return None if self.objective.labels is None else list(self.objective.labels)

    @property
    def reads_item_id(self) -> bool:
        """True if item ids make a difference to a term that reads labels."""
        return any(term.evaluator.reads_item_id and not self._reads_pairs(term) for term in self._all_terms)

    @property
    def row_parameter(self) -> str | None:
        """The first parameter that is an array with one entry per row of the training set, if there is one."""
        names = [f"{t.number}__{t.evaluator.row_parameter}" for t in self._terms if t.evaluator.row_parameter]
        return names[0] if names else None

    @property
    def loss_names(self) -> list[str]:
        """The names of the terms, followed by ``_`` and the term's number if several have the same, and of the sum."""
        names = [objective.name for objective in self.objective.objectives]
        numbers = [term.number for term in self._terms]
        unique = [names[k] if names.count(names[k]) == 1 else f"{names[k]}_{k}" for k in numbers]
        return [*unique, self.objective.name]

    # Data and plans

    def needs_labels(self, has_pairs: bool) -> bool:
        """Return whether a term reads a column of the labels."""
        return not all(self._reads_pairs(term) for term in self._terms)

    def plan_key(self) -> Hashable:
        """Return a key of the parameters that the plans depend on."""
        labels = None if self._labels is None else tuple(self._labels)
        return (SumEvaluator, labels, tuple((t.number, t.evaluator.plan_key()) for t in self._terms))

    def prepare(self, data: RankingData, is_own: bool = True) -> RankingData:
        """Check that a dataset has the labels and pairs that the terms read; rows are in the caller's order.

        Raises
        ------
        ValueError
            If the labels have the wrong number of columns, if a term and the dataset do not agree about pairs, if a
            parameter of a term is an array of rows, or if a label is negative and the term does not say what that
            means.
        """
        if self.row_parameter is not None:
            raise ValueError(
                f"{self.row_parameter} is an array with one entry per row, which a term of a sum does not support: "
                "give the weights of rows as losers as loser_weight="
            )
        for term, source in self._sources(data):
            if source != PAIRS:
                rule = term.evaluator.objective.ignore_negative_labels
                with errors_of(self._place(term, source, data)):
                    rows_taking_part(_column(data, source), data.mask, rule)
        return data

    def plan(self, data: RankingData) -> SumPlan:
        """Build the plans of checked and prepared data.

        Raises
        ------
        ValueError
            As ``prepare``, and as ``plan`` of :class:`ObjectiveEvaluator`; the message names the term.
        """
        shared: dict[Hashable, Plan] = {}  # terms that read the same label often have the same plan
        plans = {}
        for term, source in self._sources(data):
            key = source, term.evaluator.plan_key()
            if key not in shared:
                with errors_of(self._place(term, source, data)):
                    shared[key] = term.evaluator.plan(self._data_of(term, source, data))
            plans[term.number] = shared[key]
        return SumPlan(data.groups.n_rows, plans)

    def decide(self, plan: SumPlan) -> None:
        """Let the plans of the training set decide what ``pair_weight="auto"`` is, for the plans of other sets."""
        self._has_grades = {number: own.values is not None for number, own in plan.plans.items()}

    def decided(self) -> Any:
        """Return the sum of the terms with the pair weights that "auto" is for the training set."""
        decided = [term.evaluator.decided() for term in self._all_terms]
        if all(mine is theirs for mine, theirs in zip(decided, self.objective.objectives, strict=True)):
            return self.objective
        return type(self.objective)(decided, self.objective.weights, self.objective.labels)

    def check_plan(self, plan: SumPlan) -> None:
        """Raise a ValueError if a term cannot train on its plan, or on a part of one."""
        for term, own in self._planned(plan):
            with errors_of(term.name):
                term.evaluator.check_plan(own)

    def check_learnable(self, plan: SumPlan) -> None:
        """Raise a ValueError if every pair of a term has weight 0, and warn if a term has no pair (BPR: an error)."""
        for term, own in self._planned(plan):
            with errors_of(term.name):
                term.evaluator.check_pairs(own)
            warn_without_pairs(own, f"{term.name}: {term.evaluator.reason(own)}")

    def _reads_pairs(self, term: Term) -> bool:
        labels = self._labels
        return labels is not None and _is_pairs(labels[term.number])

    def _sources(self, data: RankingData) -> list[tuple[Term, Any]]:
        """Return the terms with what they read: a column of the labels, or "pairs"."""
        labels = self._labels
        n_columns = 1 if data.label_columns is None else data.label_columns.shape[1]
        n_terms = len(self.objective.objectives)
        source: Any
        if labels is None:
            if n_columns not in (1, n_terms):
                raise ValueError(
                    f"the labels have {n_columns} columns, but the sum has {n_terms} terms: give it labels=, the "
                    "column that each term reads"
                )
            labels = [0] * n_terms if n_columns == 1 else list(range(n_terms))
        sources: list[tuple[Term, Any]] = []
        for term in self._terms:
            source = PAIRS if _is_pairs(labels[term.number]) else int(labels[term.number])
            if source == PAIRS and data.pairs is None:
                raise ValueError(f'{term.name} reads "pairs", but there are none: give pairs=')
            if source != PAIRS and source >= n_columns:
                have = "there is one column" if n_columns == 1 else f"there are {n_columns} columns"
                raise ValueError(
                    f"{term.name} reads column {source} of the labels (from 0), but {have}: give labels of shape "
                    "(n_rows, n_columns), as y of fit, or as attach(dataset, labels=)"
                )
            sources.append((term, source))
        if data.pairs is not None and not any(map(_is_pairs, labels)):
            raise ValueError(
                'there are pairs, but no term of the sum reads them: labels= of the sum takes "pairs" for a term that '
                'does, such as labels=[0, "pairs"]'
            )
        return sources

    def _data_of(self, term: Term, source: Any, data: RankingData) -> RankingData:
        """Return the data of one term, with its labels or pairs only."""
        if source == PAIRS:
            # Ids that another term reads say nothing about pairs; without such a term they are an error.
            return replace(data, label_columns=None, item_id=None if self.reads_item_id else data.item_id)
        return replace(data, labels=_column(data, source), label_columns=None, pairs=None)

    def _place(self, term: Term, source: Any, data: RankingData) -> str:
        """Return the beginning of a message about a term's labels."""
        is_column = source != PAIRS and data.label_columns is not None
        return f"{term.name}, column {source} of the labels" if is_column else term.name

    def _planned(self, plan: SumPlan) -> Iterator[tuple[Term, Plan]]:
        """Return the terms with their plans; a weight that was above 0 may have become 0."""
        for term in self._all_terms:
            if term.number in plan.plans:
                yield term, plan.plans[term.number]
            elif term.weight > 0:
                raise ValueError(f"{term.name} had the weight 0 when the training began: begin with a small one")

    def _weighted(self, plan: SumPlan) -> Iterator[tuple[Term, Plan]]:
        """Return the terms of weight above 0 with their plans, which contain the weights of the terms."""
        return ((term, plan.weighted(term.number, term.weight)) for term, _ in self._planned(plan) if term.weight > 0)

    # Booster callbacks

    def placed(self, scores: Any, training_device: Callable[[], int | None]) -> Any:
        """Return a booster's scores, copied to the device that it trains on if a term computes there."""
        for term in self._terms:
            placed = term.evaluator.placed(scores, training_device)
            if _device.is_on_device(placed):
                return placed
        return placed

    def boost(self, plan: SumPlan, scores: Any, watch: TrainingWatch | None) -> tuple[Any, Any]:
        """Compute gradient and Hessian for a booster, float32 on the device of the scores, checked by ``watch``."""
        check_shape(plan, scores)
        gradient, hessian = self.gradient_hessian(plan, scores, np.float32)
        if plan.has_weighted_pair and watch is not None:
            with _device.beside(scores):
                watch.look(list(plan.plans.values()), scores, gradient, hessian)
        return gradient, hessian

    def mean_pair_losses(self, plan: SumPlan, scores: Any) -> list[float]:
        """Compute the mean pair loss of each term, without its weight, and their weighted sum."""
        losses, total = [], 0.0
        for term, own in self._planned(plan):
            with errors_of(term.name):
                losses.append(term.evaluator.mean_pair_loss(own, scores))
            total += term.weight * losses[-1]
        if not np.isfinite(total):
            raise ValueError("the weighted sum of the losses leaves the range of float64: scale the weights down")
        return [*losses, total]

    # Sums

    def gradient_hessian(self, plan: SumPlan, scores: Any, dtype: Any) -> tuple[Any, Any]:
        """Compute gradient and Hessian of each row, on the device of the scores."""
        total: tuple[Any, Any] | None = None
        for term, own in self._weighted(plan):
            with errors_of(term.name):
                if total is None:
                    total = term.evaluator.gradient_hessian(own, scores, dtype)
                else:
                    term.evaluator.add_gradient_hessian(own, scores, total)
        assert total is not None  # one weight is above 0
        return total

    def loss(self, plan: SumPlan, scores: Any, given: RankingInput, reduction: str) -> Any:
        """Compute the weighted sum of the terms' losses, each with the reduction."""
        total: Any = None
        for term, own in self._weighted(plan):
            with errors_of(term.name):
                loss = term.evaluator.loss(own, scores, given, reduction)
            if reduction == "pair_weights":  # whose divisor contains the weight of the term, too
                loss = term.weight * loss
            total = loss if total is None else total + loss
        return total


def _is_pairs(label: Any) -> bool:
    return isinstance(label, str)


def _column(data: RankingData, column: int) -> NDArray[Any]:
    return data.labels if data.label_columns is None else data.label_columns[:, column]

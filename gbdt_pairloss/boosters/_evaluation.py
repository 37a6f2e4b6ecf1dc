"""Evaluation during a training: metrics that this package computes, and metrics that the booster computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any, ClassVar, Protocol
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from .._device import to_host
from ..metrics import METRICS, Feval, Metric, get_metric
from ..metrics._names import similar_name
from ..objectives import RankingObjective, WeightedSum, get_objective, objective_names
from ..objectives._evaluator import Evaluator, TrainingPlan
from ..objectives._registry import AUTO, negative_label_rule
from ..ranking._adapter import NATIVE
from ..ranking._data import RankingData
from ..ranking._reading import rows_taking_part
from ._query_sets import QuerySet


class Evaluation(Protocol):
    """A metric or a loss of a set and its scores.

    ``maximize`` says whether larger values are better; None: unknown.
    """

    @property
    def name(self) -> str: ...

    @property
    def maximize(self) -> bool | None: ...

    def __call__(self, data: RankingData, scores: NDArray[Any]) -> float: ...


class Losses:
    """The mean pair losses of an objective: one, or those of a sum's terms and of the sum."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._plans: WeakKeyDictionary[RankingData, TrainingPlan] = WeakKeyDictionary()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Losses):
            return NotImplemented
        mine, theirs = self.evaluator.objective, other.evaluator.objective
        return type(mine) is type(theirs) and _have_same_losses(mine.get_params(), theirs.get_params())

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, data: RankingData, scores: NDArray[Any]) -> list[float]:
        if data not in self._plans:
            self._plans[data] = self.evaluator.plan(self.evaluator.prepare(data, is_own=False))
        return self.evaluator.mean_pair_losses(self._plans[data], scores)


@dataclass(frozen=True)
class LossMetric:
    """One of the mean pair losses of an objective, as an evaluation."""

    losses: Losses
    name: str
    index: int
    maximize: ClassVar[bool] = False

    @classmethod
    def of(cls, evaluator: Evaluator) -> list[LossMetric]:
        """Return all losses of an objective, as evaluations."""
        losses = Losses(evaluator)
        return [cls(losses, name, index) for index, name in enumerate(evaluator.loss_names)]

    def __call__(self, data: RankingData, scores: NDArray[Any]) -> float:
        return self.losses(data, scores)[self.index]


class OfFirstLabels:
    """A metric of the first labels of a sum, without the rows whose negative label is ignored there."""

    def __init__(self, evaluation: Evaluation, ignore_negative_labels: bool | None) -> None:
        self.evaluation = evaluation
        self.name, self.maximize = evaluation.name, evaluation.maximize
        self._rule = ignore_negative_labels
        self._seen: WeakKeyDictionary[RankingData, RankingData] = WeakKeyDictionary()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OfFirstLabels) and self.evaluation == other.evaluation

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, data: RankingData, scores: NDArray[Any]) -> float:
        if data not in self._seen:
            self._seen[data] = replace(data, mask=rows_taking_part(data.labels, data.mask, self._rule))
        return self.evaluation(self._seen[data], scores)


def evaluate_all(evaluations: Sequence[Evaluation], data: RankingData, scores: NDArray[Any]) -> list[float]:
    """Evaluate the scores of a set; the losses of one sum are computed once."""
    computed: dict[int, list[float]] = {}
    values = []
    for evaluation in evaluations:
        if isinstance(evaluation, LossMetric):
            key = id(evaluation.losses)
            if key not in computed:
                computed[key] = evaluation.losses(data, scores)
            values.append(computed[key][evaluation.index])
        else:
            values.append(evaluation(data, scores))
    return values


def _have_same_losses(mine: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Return whether objectives of one class with these parameters have the same losses."""
    if mine.keys() != theirs.keys():
        return False
    for name, value in mine.items():
        # The device, the number of threads and the seed do not change the value. The terms of a sum are compared by
        # their parameters.
        if name.rpartition("__")[2] in ("n_threads", "device", "random_state", "objectives"):
            continue
        if isinstance(value, RankingObjective):
            if type(value) is not type(theirs[name]):
                return False
        elif not np.array_equal(theirs[name], value):
            return False
    return True


class QueryFunction:
    """A user's function of one query, ``f(y_true, y_pred)``, as an evaluation: the weighted mean over queries.

    XGBoost's decorator of such functions weights queries by their size, and ignores their weights.
    """

    maximize = None

    def __init__(self, function: Callable[..., float]) -> None:
        self.function = function
        plain = function.func if isinstance(function, partial) else function
        self.name = getattr(plain, "__name__", type(plain).__name__)

    def __call__(self, data: RankingData, scores: NDArray[Any]) -> float:
        scores = to_host(scores)  # the user's function expects NumPy arrays
        ptr, order = data.groups.ptr, data.groups.order
        weight = data.evaluation_weight()
        values, weights = [], []
        for query in np.flatnonzero(data.groups.sizes > 1):
            rows = order[ptr[query] : ptr[query + 1]]
            if data.mask is not None:
                rows = rows[data.mask[rows]]
            if rows.size > 1:
                value = self.function(data.labels[rows], scores[rows])
                if np.ndim(value) != 0:
                    raise TypeError(f"{self.name} must return one number for a query, got {value!r}")
                values.append(float(value))
                weights.append(1.0 if weight is None else weight[query])
        if not values:
            raise ValueError(f"{self.name} is undefined: no query has two rows")
        return float(np.average(values, weights=weights))


def sort_metrics(
    asked: Sequence[Any],
    evaluator: Evaluator | None,
    is_native: Callable[[str], bool],
    wrap: Callable[[Callable[..., Any]], Evaluation] | None = None,
    sum_first: bool = False,
) -> tuple[list[Evaluation], list[Any]]:
    """Separate the metrics that this package computes from those that the booster computes: ``(evaluations, native)``.

    A name that both have means the metric of this package, whatever the objective; ``native:`` before it means the
    booster's.

    Parameters
    ----------
    asked : sequence
        Names, Metric objects, results of ``feval``, objectives or their ``metric``, and callables. If it is empty, and
        the ranker has an objective of this package, the loss of the objective is evaluated.
    evaluator : Evaluator or None
        Evaluator of the objective; None for a native objective.
    is_native : callable
        ``is_native(name)`` returns whether the booster has a metric of this name.
    wrap : callable, optional
        A function that makes an evaluation from a user's callable; None: callables are passed to the booster.
    sum_first : bool, default=False
        Whether the loss of a sum stands before those of its terms, and not after them.

    Raises
    ------
    ValueError
        If a name is unknown, or two different metrics have the same name.
    TypeError
        If an entry is none of the above, or is a metric function of this package, which is given by name.
    """
    rule: bool | None = False
    if evaluator is not None and evaluator.objective._reads_columns:  # otherwise the mask of the data has it
        rule = negative_label_rule(evaluator.objective, column=0)
    if not asked and evaluator is not None:
        # By the loss, which is smooth, early stopping ends in better rankings than by NDCG, in terms of NDCG, too:
        # benchmarks/results/stopping.md.
        asked = LossMetric.of(evaluator)[-1:]
    evaluations: dict[str, Evaluation] = {}
    native: list[Any] = []
    for entry in _unwrapped(asked, evaluator, sum_first):
        evaluation = _as_evaluation(entry, evaluator, is_native, wrap)
        if evaluation is None:
            native.append(entry.removeprefix(NATIVE) if isinstance(entry, str) else entry)
            continue
        if rule and not isinstance(evaluation, LossMetric):
            evaluation = OfFirstLabels(evaluation, rule)
        first = evaluations.setdefault(evaluation.name, evaluation)
        if first is not evaluation and first != evaluation:
            raise ValueError(f"eval_metric has two different metrics called {evaluation.name!r}")
    twice = [name for name in native if isinstance(name, str) and name in evaluations]
    if twice:
        raise ValueError(
            f"eval_metric has two different metrics called {twice[0]!r}, that of this package and the booster's"
        )
    return list(evaluations.values()), list(dict.fromkeys(native))


def check_evaluations(evaluations: Sequence[Evaluation], sets: Iterable[QuerySet]) -> None:
    """Evaluate once before the training, so that errors about labels name the rows by the caller's numbers.

    A user's functions are not called.

    Raises
    ------
    ValueError
        If a metric does not accept a set; the message begins with the name of the set.
    """
    own = [e for e in evaluations if not isinstance(getattr(e, "evaluation", e), QueryFunction)]
    for query_set in sets:
        forms = [query_set.given] if query_set.part is None else [query_set.given, query_set.data]
        for evaluation, data in product(own, forms):
            try:
                evaluation(data, np.zeros(data.groups.n_rows))
            except ValueError as error:
                where = query_set.name or "the training set as evaluation set"
                raise ValueError(f"{where}: {error}") from None


def _unwrapped(entries: Sequence[Any], evaluator: Evaluator | None, sum_first: bool) -> list[Any]:
    """Return the entries with results of ``feval`` replaced by their metrics, and objectives by their losses.

    The name of the ranker's objective, whose evaluator is given, is replaced like the objective.
    """
    functions = {definition.function: name for name, definition in METRICS.items()}
    result: list[Any] = []
    for entry in entries:
        owner = getattr(entry, "__self__", None)
        if isinstance(entry, Feval):
            result += entry.metrics
        elif isinstance(entry, RankingObjective):
            result += _losses_of(entry, evaluator, sum_first)
        elif isinstance(owner, RankingObjective):
            result += _losses_of(owner, evaluator, sum_first)
        elif evaluator is not None and isinstance(entry, str) and entry == evaluator.objective.name:
            result += LossMetric.of(evaluator)[-1:]  # of a sum: the sum itself
        elif any(entry is function for function in functions):
            raise TypeError(f"eval_metric takes this metric by its name, {functions[entry]!r}, with @k if needed")
        elif not (isinstance(entry, (str, Metric)) or callable(entry)):
            raise TypeError(f"eval_metric takes names such as 'ndcg@10', metrics and callables, got {entry!r}")
        else:
            result.append(entry)
    return result


def _losses_of(objective: RankingObjective, evaluator: Evaluator | None, sum_first: bool) -> list[LossMetric]:
    """Return the losses of an objective; by the ranker's evaluator if they are those of the ranker's objective."""
    losses = LossMetric.of(objective._evaluator())
    if evaluator is not None and losses[0].losses == Losses(evaluator):
        losses = LossMetric.of(evaluator)
    return [losses[-1], *losses[:-1]] if sum_first else losses


def _as_evaluation(
    entry: Any,
    evaluator: Evaluator | None,
    is_native: Callable[[str], bool],
    wrap: Callable[[Callable[..., Any]], Evaluation] | None,
) -> Evaluation | None:
    """Return the evaluation for an entry; None if the booster evaluates it."""
    if isinstance(entry, (Metric, LossMetric)):
        return entry
    if isinstance(entry, str):
        if entry.startswith(NATIVE):
            if not is_native(entry.removeprefix(NATIVE)):
                raise ValueError(f"{entry!r}: the booster has no metric {entry.removeprefix(NATIVE)!r}")
            return None
        return None if is_native(entry) and not _has_name(entry) else _named(entry, evaluator)
    return wrap(entry) if wrap is not None and callable(entry) else None


def _has_name(name: str) -> bool:
    """Return whether this package has a metric or an objective of this name."""
    return name.partition("@")[0] in METRICS or name in objective_names()


def _named(name: str, evaluator: Evaluator | None) -> Evaluation:
    """Return the evaluation of a name: a term of the ranker's objective, another objective, or a metric."""
    if evaluator is not None and name in evaluator.loss_names:
        return LossMetric.of(evaluator)[evaluator.loss_names.index(name)]
    if name in objective_names():
        terms = [] if evaluator is None else [t for t in evaluator.loss_names if t.rpartition("_")[0] == name]
        if terms:
            raise ValueError(f"eval_metric={name!r} could be several terms of the sum: name one of {', '.join(terms)}")
        rule = None if evaluator is None else negative_label_rule(evaluator.objective, column=0)
        (loss,) = LossMetric.of(get_objective(name, ignore_negative_labels=rule)._evaluator())
        return loss
    if name.partition("@")[0] not in METRICS:
        raise ValueError(_unknown(name, evaluator))
    return get_metric(name)


def _unknown(name: str, evaluator: Evaluator | None) -> str:
    """Say that a name is unknown, and what is known."""
    losses = objective_names()
    if name == AUTO:
        hint = " (the loss of objective='auto' is 'pairwise_logistic')"
    elif name == WeightedSum.name:
        hint = " (the ranker's objective is no sum)"
    else:
        close = similar_name(name, [*METRICS, *losses])
        hint = f" (did you mean {close!r}?)" if close else ""
    return (
        f"unknown metric {name!r}{hint}; the names are {', '.join(sorted(METRICS))}, some with @k, and those of the "
        f"losses, {', '.join(losses)}"
    )

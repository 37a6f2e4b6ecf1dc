"""What a ranker evaluates while it trains: which metrics are ours, which are the booster's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import product
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from .._device import to_host
from ..metrics import METRICS, Feval, Metric, get_metric
from ..objectives import PairwiseObjective, get_objective, objective_names
from ..objectives._evaluator import ObjectiveEvaluator
from ..ranking._data import RankingData
from ..ranking._plan import Plan
from ._query_sets import QuerySet

# What both boosters' own NDCG takes; larger grades want another metric by default.
_LARGEST_GRADE = 31


class Evaluation(Protocol):
    """A value of a set and its scores; ``maximize`` is None where nobody knows the direction."""

    @property
    def name(self) -> str: ...

    @property
    def maximize(self) -> bool | None: ...

    def __call__(self, data: RankingData, scores: NDArray[Any]) -> float: ...


class LossMetric:
    """An objective's mean pair loss as an evaluation."""

    maximize = False

    def __init__(self, evaluator: ObjectiveEvaluator) -> None:
        self.evaluator = evaluator
        self.name = evaluator.objective.name
        self._plans: WeakKeyDictionary[RankingData, Plan] = WeakKeyDictionary()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LossMetric):
            return NotImplemented
        mine, theirs = self.evaluator.objective, other.evaluator.objective
        if type(mine) is not type(theirs):
            return False
        # Where and in how many threads it is computed does not change the metric.
        values = theirs.get_params()
        differ = {name for name, value in mine.get_params().items() if not np.array_equal(values[name], value)}
        return differ <= {"n_threads", "device"}

    def __call__(self, data: RankingData, scores: NDArray[Any]) -> float:
        if data not in self._plans:
            self._plans[data] = self.evaluator.plan(self.evaluator.prepare(data, is_own=False))
        return self.evaluator.mean_pair_loss(self._plans[data], scores)


class QueryFunction:
    """A callable of one query, ``f(y_true, y_pred)``, as an evaluation: the weighted mean over queries.

    XGBoost's own decorator weighs queries by their size and ignores their weights.
    """

    maximize = None

    def __init__(self, function: Callable[..., float]) -> None:
        self.function = function
        plain = function.func if isinstance(function, partial) else function
        self.name = getattr(plain, "__name__", type(plain).__name__)

    def __call__(self, data: RankingData, scores: NDArray[Any]) -> float:
        scores = to_host(scores)  # which the caller's function will not expect elsewhere
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
    default: Sequence[str],
    evaluator: ObjectiveEvaluator | None,
    sets: Iterable[QuerySet],
    is_native: Callable[[str], bool],
    wrap: Callable[[Callable[..., Any]], Evaluation] | None = None,
) -> tuple[list[Evaluation], list[Any]]:
    """Tell the metrics that are ours from those for the booster: ``(ours, native)``.

    With an objective of ours, our metrics win over the booster's of the same name; with the booster's own objective,
    the booster's metrics do.

    Parameters
    ----------
    asked : sequence
        Names, Metric objects, what ``feval`` returns, objectives or their ``metric``, and callables.
    default : sequence of str
        For an objective of ours if nothing is asked for, where the labels of all sets suit NDCG; the objective's own
        loss where they do not.
    is_native : callable
        Whether the booster has a metric of a name.
    wrap : callable, optional
        Makes an evaluation of a user's callable; None: callables go to the booster.

    Raises
    ------
    ValueError
        If nobody knows a name, or two different metrics have the same.
    TypeError
        For a metric function of ours: it goes by its name here.
    """
    if not asked and evaluator is not None:
        asked = default if all(_suits_ndcg(s.data) for s in sets) else [LossMetric(evaluator)]
    ours: dict[str, Evaluation] = {}
    native: list[Any] = []
    for entry in _unwrapped(asked):
        evaluation = _as_evaluation(entry, evaluator, is_native, wrap)
        if evaluation is None:
            native.append(entry)
            continue
        known = ours.setdefault(evaluation.name, evaluation)
        if known is not evaluation and known != evaluation:
            raise ValueError(f"eval_metric has two different metrics called {evaluation.name!r}")
    return list(ours.values()), list(dict.fromkeys(native))


def check_evaluations(evaluations: Sequence[Evaluation], sets: Iterable[QuerySet]) -> None:
    """Evaluate once before training, so that labels which a metric refuses are named while rows are the caller's.

    Raises
    ------
    ValueError
        What the metric says, with the name of the set.
    """
    for query_set in sets:
        looked_at = [query_set.given] if query_set.part is None else [query_set.given, query_set.data]
        for evaluation, data in product(evaluations, looked_at):
            try:
                evaluation(data, np.zeros(data.groups.n_rows))
            except ValueError as error:
                where = query_set.name or "the training set as evaluation set"
                raise ValueError(f"{where}: {error}") from None


def _unwrapped(entries: Sequence[Any]) -> list[Any]:
    functions = {definition.function: name for name, definition in METRICS.items()}
    result: list[Any] = []
    for entry in entries:
        owner = getattr(entry, "__self__", None)
        if isinstance(entry, Feval):
            result += entry.metrics
        elif isinstance(entry, PairwiseObjective):
            result.append(LossMetric(ObjectiveEvaluator(entry)))
        elif isinstance(owner, PairwiseObjective):
            result.append(LossMetric(ObjectiveEvaluator(owner)))
        elif any(entry is function for function in functions):
            raise TypeError(f"eval_metric takes a metric of ours by name, {functions[entry]!r} with @k if wanted")
        elif not (isinstance(entry, (str, Metric)) or callable(entry)):
            raise TypeError(f"eval_metric takes names such as 'ndcg@10', metrics and callables, got {entry!r}")
        else:
            result.append(entry)
    return result


def _as_evaluation(
    entry: Any,
    evaluator: ObjectiveEvaluator | None,
    is_native: Callable[[str], bool],
    wrap: Callable[[Callable[..., Any]], Evaluation] | None,
) -> Evaluation | None:
    """What is asked for as an evaluation of ours; None if it is the booster's business."""
    if isinstance(entry, (Metric, LossMetric)):
        return entry
    if isinstance(entry, str):
        ours = evaluator is not None and _is_ours(entry)
        return None if is_native(entry) and not ours else _named(entry, evaluator)
    return wrap(entry) if wrap is not None and callable(entry) else None


def _is_ours(name: str) -> bool:
    """Return whether this package has a metric or an objective of a name."""
    return name.partition("@")[0] in METRICS or name in objective_names()


def _named(name: str, evaluator: ObjectiveEvaluator | None) -> Evaluation:
    if evaluator is not None and name == evaluator.objective.name:
        return LossMetric(evaluator)
    if name in objective_names():
        rule = None if evaluator is None else evaluator.objective.ignore_negative_labels
        return LossMetric(ObjectiveEvaluator(get_objective(name, ignore_negative_labels=rule)))
    return get_metric(name)


def _suits_ndcg(data: RankingData) -> bool:
    """Whether NDCG with exponential gains makes sense of these labels."""
    if data.pairs is not None:
        return False
    labels = data.labels if data.mask is None else data.labels[data.mask]
    return bool(labels.size == 0 or (labels.min() >= 0 and labels.max() <= _LARGEST_GRADE))

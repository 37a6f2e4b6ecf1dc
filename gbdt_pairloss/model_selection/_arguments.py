"""Arguments that ``cv`` and ``train`` share: the objective and the metrics, by name or as objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn.base import clone

from ..metrics import METRICS, Feval, Metric, feval, get_metric
from ..objectives import RankingObjective
from ..objectives._registry import NESTED, as_pairwise, get_objective, objective_names
from ..ranking._adapter import NATIVE, Adapter
from ..ranking._validation import as_list


def take_objective(adapter: Adapter, params: dict[str, Any], kwargs: dict[str, Any], default: Any) -> Any:
    """Remove the objective and its parameters from the arguments, and return it."""
    given = [params.pop(name) for name in adapter.OBJECTIVE_NAMES if params.get(name) is not None]
    function = [kwargs.pop(name) for name in ("obj", "fobj") if kwargs.get(name) is not None]
    if function and given and isinstance(given[0], str) and as_pairwise(given[0]) is None:
        params["objective"] = given.pop()  # XGBoost's name of the model that is trained with a callable
    if len(given) + len(function) > 1:
        raise ValueError(f"the objective is given twice: {given[0]!r} and {(*given[1:], *function)[0]!r}")
    chosen = next(iter((*given, *function)), default)
    objective = as_pairwise(chosen)
    nested = {name: params.pop(name) for name in list(params) if name.startswith(NESTED)}
    if not nested:
        return chosen if objective is None else objective
    if objective is None:
        raise ValueError(f"{next(iter(nested))}: the objective {chosen!r} is the booster's own")
    return clone(objective).set_params(**{name[len(NESTED) :]: value for name, value in nested.items()})


@dataclass(frozen=True)
class AskedMetrics:
    """Metrics that a caller asks for.

    Attributes
    ----------
    native : list of str
        Names of those that the booster evaluates, first.
    evaluations : list of callable
        Those that are evaluated after them: ``(predictions, dataset)``.
    last : callable, str or None
        The one that was asked for last; a name if it is the booster's.
    """

    native: list[str]
    evaluations: list[Any]
    last: Any

    @property
    def evaluate(self) -> Evaluations | None:
        """The evaluations as one callable; None if there are none."""
        return Evaluations(tuple(self.evaluations)) if self.evaluations else None


def take_arguments(
    adapter: Adapter, params: dict[str, Any], kwargs: dict[str, Any], default: Any = None
) -> tuple[Any, AskedMetrics]:
    """Remove the objective and the metrics from the arguments, and return them; check the other parameters.

    ``default`` is the objective if none is given.
    """
    objective = take_objective(adapter, params, kwargs, default)
    own = as_pairwise(objective)
    if own is not None:
        adapter.check_parameters(params)
    return objective, take_metrics(adapter, params, kwargs, own)


def take_metrics(
    adapter: Adapter, params: dict[str, Any], kwargs: dict[str, Any], objective: RankingObjective | None
) -> AskedMetrics:
    """Remove the metrics from the arguments, and return them."""
    named = [metric for name in adapter.METRIC_NAMES for metric in as_list(params.pop(name, None))]
    named += as_list(kwargs.pop("metrics", None))
    parts = [part.strip() for metric in named for part in (metric.split(",") if isinstance(metric, str) else [metric])]
    functions = [function for name in ("feval", "custom_metric") for function in as_list(kwargs.pop(name, None))]
    asked = [*adapter.at_ranks(params, parts), *functions]
    found = [_native_or_evaluation(adapter, metric, objective) for metric in asked]
    if objective is not None and not found:
        found = [objective.metric]
    native = [metric for metric in found if isinstance(metric, str)]
    return AskedMetrics(
        native, [metric for metric in found if not isinstance(metric, str)], found[-1] if found else None
    )


def _native_or_evaluation(adapter: Adapter, metric: Any, objective: RankingObjective | None) -> Any:
    """Return a metric of the booster as its name, and another one as a callable ``(predictions, dataset)``."""
    if not isinstance(metric, (str, Metric)):
        return _as_evaluation(metric)
    name = metric.partition("@")[0] if isinstance(metric, str) else metric.definition
    if objective is not None and metric == objective.name:
        return objective.metric
    if name in objective_names():
        return get_objective(name).metric
    if isinstance(metric, Metric) or name in METRICS:
        return feval(metric)
    if adapter.is_native_metric(name.removeprefix(NATIVE)):
        return metric.removeprefix(NATIVE)
    return get_metric(metric)  # says that there is no such metric


def _as_evaluation(function: Any) -> Any:
    """Return what is evaluated for a callable, or for an objective, its loss.

    Raises
    ------
    TypeError
        If it is a metric function of this package, or no callable.
    """
    if isinstance(function, RankingObjective):
        return function.metric
    for name, definition in METRICS.items():
        if function is definition.function:
            raise TypeError(f"feval takes this metric by its name, {name!r}, with @k if needed")
    if not callable(function):
        raise TypeError(f"feval takes names such as 'ndcg@10', metrics, objectives and callables, got {function!r}")
    return function


@dataclass(frozen=True)
class Evaluations:
    """Several metrics as one callable."""

    functions: tuple[Any, ...]

    def __call__(self, preds: Any, dataset: Any) -> list[Any]:
        results = [function(preds, dataset) for function in self.functions]
        return [one for result in results for one in (result if isinstance(result, list) else [result])]


def direction_of(evaluation: Any) -> bool | None:
    """Return whether larger values of an evaluation are better; None if that is unknown."""
    if isinstance(evaluation, Feval):
        return evaluation.metrics[-1].maximize
    return False if isinstance(getattr(evaluation, "__self__", None), RankingObjective) else None


def name_of(evaluation: Any) -> str | None:
    """Return the name under which an evaluation reports its value, the last one of several; None if it is unknown."""
    if isinstance(evaluation, str):
        return evaluation
    if isinstance(evaluation, Feval):
        return evaluation.metrics[-1].name
    owner = getattr(evaluation, "__self__", None)
    return str(owner.name) if isinstance(owner, RankingObjective) else None


def resolved_direction(evaluation: Any, maximize: bool | None) -> bool | None:
    """Return whether larger values of an evaluation are better, as the caller says or as is known; None: unknown.

    Raises
    ------
    ValueError
        If the caller contradicts what is known.
    """
    known = direction_of(evaluation)
    if None not in (known, maximize) and known != maximize:
        better = "larger" if known else "smaller"
        raise ValueError(f"maximize={maximize}, but {better} values of {name_of(evaluation)!r} are better")
    return known if maximize is None else maximize

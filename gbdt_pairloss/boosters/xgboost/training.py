"""Training of XGBoost's estimators with gradients and metrics of this package, which ``fit`` has no arguments for."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from ...objectives._diagnostics import TrainingWatch
from ...objectives._evaluator import Evaluator, TrainingPlan
from .._evaluation import Evaluation, evaluate_all
from .._query_sets import QuerySet
from .dataset import ordinal_of, xgb


def gradient_function(evaluator: Evaluator, plan: TrainingPlan, watch: TrainingWatch | None) -> Callable[..., Any]:
    """Return the objective on the training set's plan, in the form that :class:`Injection` takes."""

    def gradients(booster: Any, preds: Any, dtrain: Any) -> Any:
        return evaluator.boost(plan, placed_beside(booster, evaluator, preds), watch)

    return gradients


def fit_natively(fit: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """Call XGBoost's ``fit``; raise a ValueError that names the remedy if a feature is infinite."""
    try:
        fit(*arguments, **named)
    except xgb.core.XGBoostError as error:
        if "Input data contains `inf`" not in str(error):
            raise
        raise ValueError(
            "X, or that of an evaluation set, has a value that is infinite in float32, which XGBoost does not take: "
            "use NaN, or the value of the parameter missing, for a missing value"
        ) from error


def placed_beside(booster: Any, evaluator: Evaluator | None, scores: Any) -> Any:
    """Copy scores to the CUDA device that a Booster trains on, if the objective computes there."""
    return scores if evaluator is None else evaluator.placed(scores, lambda: ordinal_of(booster))


class Trainee(xgb.Booster):  # type: ignore[misc,name-defined]
    """A Booster that ``XGBRanker`` trains with gradients and metrics of this package; it pickles as a plain Booster.

    ``xgboost.XGBRanker.fit`` passes no custom objective on, and wraps callable metrics in a decorator. But it calls the
    public methods ``update`` and ``eval_set`` of the Booster, which are replaced here.
    """

    def update(self, dtrain: Any, iteration: int, fobj: Any = None) -> None:
        injection = _INJECTIONS.get(self)
        if injection is not None and injection.gradients is not None:
            fobj = partial(injection.gradients, self)
        super().update(dtrain, iteration, fobj=fobj)

    def eval_set(self, evals: Any, iteration: int = 0, feval: Any = None, output_margin: bool = True) -> str:
        message: str = super().eval_set(evals, iteration, feval, output_margin)
        injection = _INJECTIONS.get(self)
        if injection is None or not injection.is_of_fit([dmatrix for dmatrix, _ in evals]):
            return message  # a callback evaluates another set
        for (dmatrix, name), query_set in zip(evals, injection.sets, strict=True):
            scores = placed_beside(self, injection.evaluator, self.predict(dmatrix, output_margin=True))
            values = evaluate_all(injection.evaluations, query_set.data, scores)
            for evaluation, value in zip(injection.evaluations, values, strict=True):
                message += f"\t{name}-{evaluation.name}:{value!r}"
        return message

    def __reduce_ex__(self, protocol: Any) -> Any:
        return object.__new__, (xgb.Booster,), self.__getstate__()


class Injection(xgb.callback.TrainingCallback):  # type: ignore[misc,name-defined]
    """A callback that turns the Booster into a :class:`Trainee` while it trains.

    Parameters
    ----------
    gradients : callable or None
        ``gradients(booster, predictions, dmatrix)``; None for a native objective.
    evaluations : list of Evaluation
        Metrics. They are computed on the same device as the gradients.
    sets : list of QuerySet
        The evaluation sets of ``fit``, in order.
    evaluator : Evaluator or None
        Evaluator of the objective; None for a native objective.
    """

    def __init__(
        self,
        gradients: Callable[..., Any] | None,
        evaluations: list[Evaluation],
        sets: list[QuerySet],
        evaluator: Evaluator | None,
    ) -> None:
        super().__init__()
        self.gradients, self.evaluations, self.sets = gradients, evaluations, sets
        self.evaluator = evaluator
        self._dmatrices: list[Any] | None = None

    def before_training(self, model: Any) -> Any:
        model.__class__ = Trainee
        _INJECTIONS[model] = self
        return model

    def after_training(self, model: Any) -> Any:
        # XGBoost 2 sometimes calls early stopping before, whose slice of the model is a plain Booster.
        if isinstance(model, Trainee):
            model.__class__ = xgb.Booster
            del _INJECTIONS[model]
        return model

    def is_of_fit(self, dmatrices: list[Any]) -> bool:
        """Return whether these are the sets of ``fit``.

        The first sets that are evaluated are taken for those of ``fit`` if there are as many.
        """
        if self._dmatrices is None and len(dmatrices) == len(self.sets):
            self._dmatrices = dmatrices
        known = self._dmatrices or []
        return len(known) == len(dmatrices) and all(a is b for a, b in zip(known, dmatrices, strict=True))


# Not an attribute of the Booster, so that its copies are plain.
_INJECTIONS: weakref.WeakKeyDictionary[Any, Injection] = weakref.WeakKeyDictionary()

"""Training of LightGBM's estimators with the gradients of this package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...objectives._diagnostics import TrainingWatch
from ...objectives._evaluator import Evaluator, TrainingPlan
from ...objectives._registry import AUTO, as_pairwise, did_you_mean, objective_names
from .dataset import lgb


def gradient_function(evaluator: Evaluator, plan: TrainingPlan, watch: TrainingWatch | None) -> Callable[..., Any]:
    """Return the objective on the training set's plan, in the form that LightGBM's estimators call: four arguments.

    The result is a function, because LightGBM deep-copies a callable object several times, but never a function.
    """

    def gradients(y_true: Any, y_pred: Any, weight: Any, group: Any) -> Any:
        return evaluator.boost(plan, y_pred, watch)

    return gradients


def fit_natively(fit: Callable[..., Any], objective: Any, *arguments: Any, **named: Any) -> None:
    """Call LightGBM's ``fit``; raise a ValueError, not a LightGBMError, if it does not support ``objective``."""
    message = (
        f"objective {objective!r} is not known{did_you_mean(objective)}: LGBMRanker takes "
        f"{', '.join((AUTO, *objective_names()))}, an objective of gbdt_pairloss, or one of LightGBM's own"
    )
    if isinstance(objective, str) and as_pairwise(objective) is None and did_you_mean(objective):
        raise ValueError(message)  # before LightGBM prints that it is fatal
    try:
        fit(*arguments, **named)
    except lgb.basic.LightGBMError as error:
        if "Unknown objective type" not in str(error):
            raise
        raise ValueError(message) from error

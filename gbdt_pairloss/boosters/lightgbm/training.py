"""Training of LightGBM's estimators with the gradients of this package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...objectives._diagnostics import TrainingWatch
from ...objectives._evaluator import Evaluator, TrainingPlan
from ...objectives._registry import AUTO, objective_names
from .._parameters import refuse_ignored
from .dataset import MIN_CHILD_HESSIAN, OBJECTIVE_NAMES, lgb, refuse_bagging_by_query

_MIN_CHILD_HESSIAN_NAMES = (
    "min_child_weight",
    "min_sum_hessian_in_leaf",
    "min_sum_hessian_per_leaf",
    "min_sum_hessian",
    "min_hessian",
)

# Parameters of LightGBM's native ranking objectives, and what to write instead.
_INSTEAD = {
    "sigmoid": "write objective__temperature=1 / sigmoid",
    **dict.fromkeys(
        ("lambdarank_truncation_level", "max_position", "lambdamart_truncation_level"),
        'all pairs count; objective__truncation= cuts objective__pair_weight="ndcg" or "lambdarank"',
    ),
    "lambdarank_norm": 'write objective__normalize="log" or "none"',
    "label_gain": 'labels may be any numbers: objective__gain="linear", or a callable objective__pair_weight',
    "lambdarank_position_bias_regularization": "give sample_weight=propensity_weights(position)",
}


def check_parameters(params: dict[str, Any]) -> None:
    """Raise a ValueError for a parameter that objectives of this package would ignore, or cannot train with."""
    refuse_bagging_by_query(params)
    refuse_ignored(params, _INSTEAD)
    if params.get("use_quantized_grad") and tuple(map(int, lgb.__version__.split(".")[:2])) < (4, 2):
        raise ValueError(
            "use_quantized_grad with a custom objective ends the process in LightGBM before 4.2: leave it out, or "
            "upgrade LightGBM"
        )
    if params.get("class_weight") is not None:
        raise ValueError("class_weight does not apply to our objectives; use sample_weight")
    for alias in OBJECTIVE_NAMES[1:]:
        if alias in params:
            raise ValueError(f"{alias}={params[alias]!r} would take the place of objective; give it as objective=")


def min_child_hessian(params: dict[str, Any]) -> float:
    """Return the smallest sum of Hessians that a leaf may have."""
    given = [params[name] for name in _MIN_CHILD_HESSIAN_NAMES if name in params]
    return float(given[-1]) if given else MIN_CHILD_HESSIAN


def gradient_function(evaluator: Evaluator, plan: TrainingPlan, watch: TrainingWatch | None) -> Callable[..., Any]:
    """Return the objective on the training set's plan, in the form that LightGBM's estimators call: four arguments.

    The result is a function, because LightGBM deep-copies a callable object several times, but never a function.
    """

    def gradients(y_true: Any, y_pred: Any, weight: Any, group: Any) -> Any:
        return evaluator.boost(plan, y_pred, watch)

    return gradients


def fit_natively(fit: Callable[..., Any], objective: Any, *arguments: Any, **named: Any) -> None:
    """Call LightGBM's ``fit``; raise a ValueError, not a LightGBMError, if it does not support ``objective``."""
    try:
        fit(*arguments, **named)
    except lgb.basic.LightGBMError as error:
        if "Unknown objective type" not in str(error):
            raise
        raise ValueError(
            f"objective {objective!r} is not known: LGBMRanker takes {', '.join((AUTO, *objective_names()))}, "
            "an objective of gbdt_pairloss, or one of LightGBM's own"
        ) from error

"""LightGBM's parameters: their names, what objectives of this package refuse, and what they mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ranking._validation import as_list
from .._import import import_booster
from .._parameters import refuse_ignored

lgb = import_booster("lightgbm")

#: LightGBM's default of ``min_sum_hessian_in_leaf``.
MIN_CHILD_HESSIAN = 1e-3
OBJECTIVE_NAMES = ("objective", "objective_type", "app", "application", "loss")
METRIC_NAMES = ("metric", "metrics", "metric_types")
#: The ranks at which LightGBM evaluates its metrics if none are given.
DEFAULT_RANKS = [1, 2, 3, 4, 5]
#: LightGBM's metrics that have ranks.
RANKED = ("ndcg", "map")
_RANKS_NAMES = ("eval_at", "ndcg_eval_at", "ndcg_at", "map_eval_at", "map_at")
_THREAD_NAMES = ("num_threads", "num_thread", "nthread", "nthreads", "n_jobs")

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
    "objective_seed": "write objective__random_state",
    **dict.fromkeys(("scale_pos_weight", "is_unbalance", "unbalance", "unbalanced_sets"), "give sample_weight"),
    "alpha": "leave it out (reg_alpha is the L1 penalty)",
    **dict.fromkeys(
        ("reg_sqrt", "fair_c", "poisson_max_delta_step", "tweedie_variance_power", "tweedie_power"), "leave it out"
    ),
}
# Values of these that LightGBM has by default.
_DEFAULTS = {"scale_pos_weight": 1.0, "reg_sqrt": False} | dict.fromkeys(
    ("is_unbalance", "unbalance", "unbalanced_sets"), False
)


def check_parameters(params: dict[str, Any]) -> None:
    """Raise a ValueError for a parameter that objectives of this package would ignore, or cannot train with."""
    refuse_bagging_by_query(params)
    refuse_ignored(params, _INSTEAD, _DEFAULTS)
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


def refuse_bagging_by_query(params: dict[str, Any]) -> None:
    """Raise a ValueError if parameters ask for bags of queries."""
    if str(params.get("bagging_by_query", False)).lower() in ("true", "1", "+"):
        raise ValueError(
            "bagging_by_query does not work with a custom objective: LightGBM draws no bag and grows empty trees. "
            "Leave it out, and make a new Dataset without it; bagging_fraction with bagging_freq works (gradients are "
            "still computed from all rows)"
        )


def is_dart(params: dict[str, Any]) -> bool:
    """Return whether parameters ask for DART, by any of LightGBM's names."""
    return any(str(params.get(name)).lower() == "dart" for name in ("boosting", "boosting_type", "boost"))


def threads_of(params: dict[str, Any]) -> Any:
    """Return the number of threads in parameters, by any of LightGBM's names; None if it is not set."""
    return next((params[name] for name in _THREAD_NAMES if params.get(name) is not None), None)


def metric_names_of(params: dict[str, Any]) -> list[str]:
    """Return the metrics that the parameter ``metric``, or an alias of it, names."""
    names = [name for key in METRIC_NAMES for name in as_list(params.get(key))]
    return [part.strip() for name in names for part in str(name).split(",")]


def ranks_of(params: dict[str, Any]) -> list[int]:
    """Return the ranks that the parameter ``eval_at``, or an alias of it, names."""
    return next(filter(None, (read_ranks(params.get(name)) for name in _RANKS_NAMES)), [])


def at_ranks(params: dict[str, Any], metrics: list[Any]) -> list[Any]:
    """Return the metrics with the ranks that the parameters name."""
    return with_ranks(metrics, ranks_of(params))


def read_ranks(eval_at: Any) -> list[int]:
    """Return ``eval_at`` as a list of ranks; an empty list if it is None."""
    if isinstance(eval_at, str):  # as LightGBM's parameters may be written
        eval_at = [int(part) if part.strip().isdecimal() else part for part in eval_at.split(",")]
    ranks = np.atleast_1d([] if eval_at is None else eval_at)
    if ranks.size and (ranks.dtype.kind not in "iu" or ranks.min() < 1):
        raise ValueError(f"eval_at must be ranks, whole numbers from 1; got {eval_at!r}")
    return [int(rank) for rank in ranks]


def with_ranks(metrics: list[Any], ranks: list[int]) -> list[Any]:
    """Add the ranks of ``eval_at`` to names: "ndcg" and "map" without a rank are evaluated at each of the ranks."""
    lists = [[f"{m}@{k}" for k in ranks] if ranks and m in RANKED else [m] for m in metrics]
    return [metric for names in lists for metric in names]


def split_ranks(metrics: list[Any], ranks: list[int]) -> tuple[list[Any], list[int]]:
    """Split names such as "ndcg@10" into LightGBM's name of the metric and a rank, which ``eval_at`` takes."""
    names = [metric.partition("@")[0] if isinstance(metric, str) else metric for metric in metrics]
    own = [int(metric.partition("@")[2]) for metric in metrics if isinstance(metric, str) and "@" in metric]
    # LightGBM evaluates all its metrics at all ranks.
    common = [] if own and not any(metric in RANKED for metric in metrics) else ranks
    return list(dict.fromkeys(names)), sorted({*own, *common})

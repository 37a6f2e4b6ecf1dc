"""XGBoost's parameters: their names, and what objectives of this package refuse."""

from __future__ import annotations

from typing import Any

from .._parameters import refuse_ignored

#: XGBoost's default of ``min_child_weight``.
MIN_CHILD_HESSIAN = 1.0
OBJECTIVE_NAMES = ("objective",)
METRIC_NAMES = ("eval_metric", "metrics")

# Parameters of XGBoost's native ranking objectives, and what to write instead.
_INSTEAD = {
    "lambdarank_pair_method": "all pairs count (BPR(negatives=n) draws some)",
    "lambdarank_num_pair_per_sample": 'all pairs count; objective__truncation= cuts objective__pair_weight="ndcg"',
    "lambdarank_normalization": 'write objective__normalize="log" or "none"',
    "lambdarank_score_normalization": 'write objective__pair_weight="lambdarank", which divides by the difference',
    "lambdarank_unbiased": "give sample_weight=propensity_weights(position)",
    "lambdarank_bias_norm": "give sample_weight=propensity_weights(position)",
    "ndcg_exp_gain": 'write objective__gain="linear", and metrics.get_metric("ndcg", gain="linear") as metric',
    "scale_pos_weight": "give sample_weight",
    **dict.fromkeys(
        ("tweedie_variance_power", "huber_slope", "quantile_alpha", "expectile_alpha", "aft_loss_distribution"),
        "leave it out",
    ),
}
# Values of these that XGBoost has by default.
_DEFAULTS = {"ndcg_exp_gain": True, "scale_pos_weight": 1.0}


def check_parameters(params: dict[str, Any]) -> None:
    """Raise a ValueError for a parameter that objectives of this package would ignore."""
    refuse_ignored(params, _INSTEAD, _DEFAULTS)


def min_child_hessian(min_child_weight: float | None, booster: str | None) -> float:
    """Return the smallest sum of Hessians that a leaf may have; 0 for ``gblinear``, which has no leaves."""
    limit = MIN_CHILD_HESSIAN if min_child_weight is None else float(min_child_weight)
    return 0.0 if booster == "gblinear" else limit

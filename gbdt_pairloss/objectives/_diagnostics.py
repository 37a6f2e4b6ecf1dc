"""Diagnose trainings that would silently learn nothing.

Both boosters accept any gradient. If it is zero everywhere, or if the Hessians are too small for a leaf, every tree has
a single leaf and the model predicts a constant.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._device import to_host
from ..ranking._plan import Plan


def check_weights_of_pairs(plan: Plan) -> None:
    """Raise a ValueError if there are pairs, but all of them have weight 0."""
    if plan.n_pairs.any() and not plan.has_weighted_pair:
        raise ValueError("nothing can be learned: every pair has weight zero; check the weights")


def warn_without_pairs(plan: Plan, reason: str) -> None:
    """Warn if there is no pair, so that every gradient is zero; ``reason`` says why."""
    if not plan.n_pairs.any():
        warnings.warn(f"nothing can be learned: {reason}", UserWarning, stacklevel=5)


class TrainingWatch:
    """A check of the first two rounds of every training on a plan.

    A booster does not tell when a training begins. A training is assumed to begin whenever the scores are again those
    of the very first call.

    Parameters
    ----------
    min_child_hessian : float
        The smallest sum of Hessians that the booster allows in a leaf: its parameter if that is known, else the
        default.
    """

    def __init__(self, min_child_hessian: float) -> None:
        self.min_child_hessian = min_child_hessian
        self._begin: NDArray[Any] | None = None
        self._first_scores: NDArray[Any] | None = None  # of the training in progress, until its second round

    def look(self, plans: Sequence[Plan], scores: Any, gradient: Any, hessian: Any) -> None:
        """Warn in the first round if no split is possible, and in the second round if the first tree has no split.

        Parameters
        ----------
        plans : sequence of Plan
            The plan of each term of the objective.
        scores, gradient, hessian : arrays of shape (n_rows,)
            Arrays of one device, or of the host.
        """
        sample = np.array(to_host(scores[:: 1 + scores.shape[0] // 1024]))
        # DART returns to the first scores, except for rounding.
        if self._begin is None or np.abs(sample - self._begin).max(initial=0.0) <= 1e-12:
            self._begin = sample
            self._first_scores = np.array(to_host(scores))
            self._check_hessian(float(hessian.sum(dtype=np.float64)))
        elif self._first_scores is not None:
            first, self._first_scores = self._first_scores, None
            if gradient.any() and all(_moved_alike(plan, first, to_host(scores)) for plan in plans):
                warnings.warn(
                    "the first tree moved all scores of a query alike, although the gradient is not zero: it seems to "
                    "have no split. Check min_child_weight / min_sum_hessian_in_leaf, min_data_in_leaf, the features, "
                    "and (LightGBM) bagging_by_query, which does not work with a custom objective",
                    UserWarning,
                    stacklevel=4,
                )

    def _check_hessian(self, total: float) -> None:
        if total < 2 * self.min_child_hessian:
            warnings.warn(
                f"the Hessians of all rows sum to {total:.3g}: no tree can split if a leaf needs "
                f"{self.min_child_hessian:g} (XGBoost's min_child_weight, LightGBM's min_sum_hessian_in_leaf). Lower "
                "that limit, or raise hessian_scale or the weights",
                UserWarning,
                stacklevel=5,
            )


def _moved_alike(plan: Plan, before: NDArray[Any], after: NDArray[Any]) -> bool:
    """Return whether the scores of each query have moved by the same number, except for rounding."""
    moved = (after.astype(np.float64) - before)[plan.rows]
    starts = plan.ptr[:-1][np.diff(plan.ptr) > 0]
    spread = np.maximum.reduceat(moved, starts) - np.minimum.reduceat(moved, starts)
    rounding = 4 * np.finfo(after.dtype).eps * np.abs(after[plan.rows]).max(initial=0.0)
    return bool(spread.max(initial=0.0) <= 1e-6 * np.abs(moved).max(initial=0.0) + rounding)


def warn_without_split(n_splits: float) -> None:
    """Warn if no tree of a trained model has a split."""
    if n_splits == 0:
        warnings.warn(
            "no tree of the model has a split, so that all rows get the same score. Check min_child_weight, the least "
            "number of rows in a leaf, regularisation, and whether the features vary within the queries",
            UserWarning,
            stacklevel=4,
        )

"""Training that would learn nothing without a word: the ways into it, and what is said about each.

Both boosters take any gradient: one that is all zero, or too small for a leaf, gives trees of a single leaf, and the
model predicts a constant.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._device import to_host
from ..ranking._plan import Plan


def check_weights_of_pairs(plan: Plan) -> None:
    """Raise a ValueError if there are pairs, but every one has weight 0."""
    if plan.n_pairs.any() and not plan.has_weighted_pair:
        raise ValueError("nothing can be learned: every pair has weight zero; look at the weights")


def warn_without_pairs(plan: Plan, reason: str) -> None:
    """Warn if there is no pair, so that every gradient is zero; ``reason``: why, in the objective's words."""
    if not plan.n_pairs.any():
        warnings.warn(f"nothing can be learned: {reason}", UserWarning, stacklevel=5)


class TrainingWatch:
    """Looks at the first rounds of every training on a plan.

    Nobody tells an objective when a training begins: it is taken to begin where the scores are those of the very first
    call again.

    Parameters
    ----------
    min_child_hessian : float
        The smallest sum of Hessians that the booster allows in a leaf: as set if that is known, else its default.
    """

    def __init__(self, min_child_hessian: float) -> None:
        self.min_child_hessian = min_child_hessian
        self._begin: NDArray[Any] | None = None
        self._first_gradient: Any = None

    def look(self, scores: Any, gradient: Any, hessian: Any, smooth: bool = True) -> None:
        """Warn in the first round if no split will be possible, in the second if none was made.

        ``smooth``: whether a pair's slope changes wherever its scores do.
        """
        sample = np.array(to_host(scores[:: 1 + scores.shape[0] // 1024]))
        # DART comes back to the first scores but for rounding.
        if self._begin is None or np.abs(sample - self._begin).max(initial=0.0) <= 1e-12:
            self._begin = sample
            self._first_gradient = np.array(to_host(gradient), dtype=np.float32)
            self._check_hessian(float(hessian.sum(dtype=np.float64)))
        elif self._first_gradient is not None:
            first, self._first_gradient = self._first_gradient, None
            moved = sample - self._begin
            alike = np.ptp(moved) <= 1e-6 * np.abs(moved).max(initial=0.0)
            # The gradient sees differences of scores only: a tree of one leaf leaves it as it was.
            if (smooth or alike) and gradient.any() and np.allclose(to_host(gradient), first, rtol=1e-6, atol=0.0):
                warnings.warn(
                    "the first tree moved all scores of a query alike, although the gradient is not zero: it seems to "
                    "have no split. Look at min_child_weight / min_sum_hessian_in_leaf, min_data_in_leaf, the "
                    "features, and (LightGBM) bagging_by_query, which does not work with a custom objective",
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


def warn_without_split(n_splits: float) -> None:
    """Warn if the trees of a trained model have no split at all."""
    if n_splits == 0:
        warnings.warn(
            "no tree of the model has a split, so that all rows score alike. Look at min_child_weight, the smallest "
            "number of rows in a leaf, regularisation, and whether the features vary within the queries",
            UserWarning,
            stacklevel=4,
        )

"""Training that would learn nothing without a word: the ways into it, and what is said about each.

Both boosters take any gradient: one that is all zero, or too small for a leaf, gives trees of a single leaf, and the
model predicts a constant. These checks run in the first rounds of a training only.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .plan import Plan


class TrainingWatch:
    """Looks at the first two rounds of one training.

    Parameters
    ----------
    min_child_hessian : float
        The smallest sum of Hessians that the booster allows in a leaf: as set, or else its default.
    """

    def __init__(self, min_child_hessian: float) -> None:
        self.min_child_hessian = min_child_hessian
        self._rounds = 0
        self._first_gradient: NDArray[np.float32] | None = None

    def look(self, plan: Plan, reason: str, gradient: NDArray[Any], hessian: NDArray[Any]) -> None:
        """Warn in the first round if nothing can be learned, in the second if nothing was.

        Parameters
        ----------
        plan : Plan
        reason : str
            Why, in the objective's words, there would be no pair.
        gradient, hessian : arrays in plan order

        Raises
        ------
        ValueError
            If there are pairs, but every one has weight 0.
        """
        self._rounds += 1
        if self._rounds == 1:
            self._first_gradient = gradient.astype(np.float32)
            self._before_first_tree(plan, reason, float(hessian.sum()))
        elif self._rounds == 2:
            # The gradient sees differences of scores only: a tree of one leaf leaves it as it was.
            first = self._first_gradient
            if gradient.any() and first is not None and np.allclose(gradient, first, rtol=1e-6, atol=0.0):
                warnings.warn(
                    "the first tree changed no difference of scores although the gradient is not zero: no split was "
                    "allowed. Look at min_child_weight / min_sum_hessian_in_leaf, min_data_in_leaf, the features, "
                    "and (LightGBM) bagging_by_query, which does not work with a custom objective",
                    UserWarning,
                    stacklevel=4,
                )
            self._first_gradient = None

    def _before_first_tree(self, plan: Plan, reason: str, total_hessian: float) -> None:
        if not plan.n_pairs.any():
            warnings.warn(f"nothing can be learned: {reason}", UserWarning, stacklevel=5)
        elif not plan.has_weighted_pair():
            raise ValueError("nothing can be learned: the weight of every pair is 0; look at the weights")
        elif total_hessian < 2 * self.min_child_hessian:
            warnings.warn(
                f"nothing can be learned: the Hessians of all rows sum to {total_hessian:.3g}, and a leaf needs "
                f"{self.min_child_hessian:g} (XGBoost's min_child_weight, LightGBM's min_sum_hessian_in_leaf): lower "
                "that limit, or raise hessian_scale or the weights",
                UserWarning,
                stacklevel=5,
            )


def check_exact_in_float32(labels: NDArray[Any], name: str) -> None:
    """Raise a ValueError if whole-number labels would run together in float32, the boosters' type of a label."""
    if labels.dtype.kind not in "iu":
        return
    beyond = np.abs(labels.astype(np.float64)) > 2**24
    if beyond.any():
        row = int(np.flatnonzero(beyond)[0])
        raise ValueError(
            f"{name} is {labels[row]} at row {row}: beyond 2**24 whole numbers run together in float32, the boosters' "
            "type of a label. Only the order within a query matters: subtract its smallest label, or use ranks"
        )

"""Results that leave the range of floating-point numbers are refused."""

from __future__ import annotations

import numpy as np
import pytest

from gbdt_pairloss import PairwiseLogistic

Y, S = [2.0, 0.0, 1.0, 1.0], [0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize(
    ("objective", "weight", "dtype"),
    [
        (PairwiseLogistic(item_weight="both"), 1e200, np.float64),
        (PairwiseLogistic(), 1e39, np.float32),
        (PairwiseLogistic(temperature=1e-300, normalize="none"), 1.0, np.float64),
    ],
)
def test_a_gradient_outside_the_range_of_its_dtype_is_refused(objective, weight, dtype) -> None:
    scores = np.zeros(4, dtype=dtype)
    with pytest.raises(ValueError, match="the gradient or Hessian .or the loss. leaves the range of float"):
        objective.gradient_hessian(Y, scores, sample_weight=np.full(4, weight))


@pytest.mark.parametrize("reduction", ["sum", "pair_weights", "mean_with_sample_weight"])
def test_a_sum_of_losses_outside_the_range_of_float64_is_refused(reduction) -> None:
    objective = PairwiseLogistic(normalize="none")
    with pytest.raises(ValueError, match="leaves the range of float64: scale the weights down"):
        objective.loss(
            Y * 3, [3.0, 4.0, 0.0, 1.0] * 3, group=[4, 4, 4], sample_weight=[1e308] * 12, reduction=reduction
        )


def test_losses_of_rows_are_returned_if_only_their_sum_leaves_the_range() -> None:
    y, weight = [1.0, 0.0] * 3, np.full(6, 1e308)
    of_rows = PairwiseLogistic(normalize="none").loss(
        y, np.zeros(6), group=[2, 2, 2], sample_weight=weight, reduction="none"
    )
    np.testing.assert_allclose(of_rows[::2], 1e308 * np.log(2))
    with pytest.raises(ValueError, match="the sum of the losses, or of their weights, leaves the range"):
        PairwiseLogistic(normalize="none").loss(y, np.zeros(6), group=[2, 2, 2], sample_weight=weight)

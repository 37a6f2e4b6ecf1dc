"""The engine that is selected for a sum, where scores are on a device."""

from __future__ import annotations

import numpy as np
import pytest
from _support.devices import assert_close
from sklearn.base import clone

from gbdt_pairloss import BPR, PairwiseHinge, PairwiseLogistic, PairwiseMeanSquaredError
from gbdt_pairloss._device import is_on_device


def test_auto_sums_long_queries_with_ndcg_weights_on_the_host(device) -> None:
    y, scores = np.arange(20_000) % 3, np.linspace(0, 1, 20_000)
    objective = PairwiseLogistic(pair_weight="ndcg", truncation=5)
    assert is_on_device(objective.gradient_hessian(y, device.upload(scores))[0])
    assert device.launched == []


@pytest.mark.parametrize(
    ("objective", "missing"),
    [
        (PairwiseLogistic(pair_weight="label_diff"), None),
        (PairwiseMeanSquaredError(), None),
        (BPR(negatives=1, random_state=0), "drawn negatives"),
        (PairwiseHinge(), "the hinge loss"),
    ],
)
def test_auto_takes_the_host_for_sums_that_cuda_does_not_support(device, problem, objective, missing) -> None:
    y = (problem.y > 1).astype(float)
    expected = objective.gradient_hessian(y, problem.scores, group=problem.sizes)
    assert_close(objective.gradient_hessian(y, device.upload(problem.scores), group=problem.sizes), expected)
    assert bool(device.launched) == (missing is None)
    if missing is not None:
        with pytest.raises(ValueError, match=f'device="cuda" does not support {missing}'):
            clone(objective).set_params(device="cuda").gradient_hessian(y, problem.scores, group=problem.sizes)

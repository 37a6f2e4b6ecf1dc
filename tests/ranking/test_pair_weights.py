"""Weights of pairs by a callable of their labels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gbdt_pairloss import PairwiseLogistic
from gbdt_pairloss.ranking import _pair_weights

Y, S = (2.0, 1.0, 1.0, 0.0, 2.0), (0.1, 0.5, -0.3, 0.2, -1.0)


def test_a_callable_is_called_once_for_each_pair_of_distinct_labels() -> None:
    calls = []

    def weight(winner, loser):
        calls.append((winner, loser))
        return 1.0

    objective = PairwiseLogistic(pair_weight=weight)
    result = objective.gradient_hessian(Y * 4, S * 4, group=[5, 10, 5])
    assert sorted(calls) == [(1.0, 0.0), (2.0, 0.0), (2.0, 1.0)]
    np.testing.assert_allclose(result, PairwiseLogistic().gradient_hessian(Y * 4, S * 4, group=[5, 10, 5]), rtol=1e-9)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            -1.0,
            r"pair_weight of the labels 2 \(winner\) and 1 \(loser\) is -1.0; it must be finite and not negative",
        ),
        (math.nan, "is nan; it must be finite and not negative"),
        (math.inf, "is inf; it must be finite"),
        (None, "is None; it must be a number"),
        (np.ones(2), "it must be one number"),
    ],
)
def test_bad_values_are_refused_by_their_labels(value, message) -> None:
    with pytest.raises(ValueError, match=message):
        PairwiseLogistic(pair_weight=lambda a, b: value).gradient_hessian(Y, S)


@pytest.mark.parametrize("n_labels", [256, 257, 900])
def test_queries_of_many_distinct_labels(n_labels) -> None:
    rng = np.random.default_rng(0)
    y, s = rng.permutation(n_labels) / 8, rng.normal(size=n_labels)
    actual = PairwiseLogistic(pair_weight=lambda a, b: a - b).gradient_hessian(y, s)
    np.testing.assert_allclose(actual, PairwiseLogistic(pair_weight="label_diff").gradient_hessian(y, s), rtol=1e-9)


def test_the_number_of_weights_is_limited(monkeypatch) -> None:
    monkeypatch.setattr(_pair_weights, "MOST_WEIGHTS", 30**2 + 30)
    objective = PairwiseLogistic(pair_weight=lambda a, b: a - b)
    y, s = np.concatenate([np.arange(30), np.arange(30), np.arange(31)]).astype(float), np.zeros(91)
    qid = np.repeat(["a", "b", "c"], [30, 30, 31])
    with pytest.raises(ValueError, match="query c, of 31 labels, takes their number above 930; round the labels, or"):
        objective.gradient_hessian(y, s, qid=qid)
    objective.gradient_hessian(y[:60], s[:60], qid=qid[:60])  # equal labels share a table

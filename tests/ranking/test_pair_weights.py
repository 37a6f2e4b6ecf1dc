"""Weights of pairs by a callable of their labels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gbdt_pairloss import PairwiseLogistic

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


def test_a_query_has_at_most_256_distinct_labels() -> None:
    objective = PairwiseLogistic(pair_weight=lambda a, b: a - b)
    y = np.repeat([0.0, 1.0], [3, 257])
    y[3:] = np.arange(257)
    s = np.zeros(y.size)
    with pytest.raises(ValueError, match="query b has 257 distinct labels.* at most 256"):
        objective.gradient_hessian(y, s, qid=["a"] * 3 + ["b"] * 257)
    actual = objective.gradient_hessian(y[3:259], s[3:259])
    np.testing.assert_allclose(
        actual, PairwiseLogistic(pair_weight="label_diff").gradient_hessian(y[3:259], s[3:259]), rtol=1e-9
    )

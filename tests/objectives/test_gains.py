"""Gains of labels and truncated ranks: what they cannot be is refused."""

from __future__ import annotations

import pytest

from gbdt_pairloss import PairwiseLogistic


@pytest.mark.parametrize(
    ("parameters", "labels", "message"),
    [
        ({"pair_weight": "ndcg", "ignore_negative_labels": False}, [1, -1], "no gain for the negative label -1"),
        ({"pair_weight": "gain_diff"}, [5000, 0], 'gain="exp2" overflows for the label 5000'),
    ],
)
def test_labels_without_a_gain_are_refused(parameters, labels, message) -> None:
    with pytest.raises(ValueError, match=message):
        PairwiseLogistic(**parameters).gradient_hessian(labels, [0.1, 0.2])


def test_truncation_needs_a_pair_weight_with_ranks() -> None:
    with pytest.raises(ValueError, match='truncation belongs to pair_weight="ndcg"'):
        PairwiseLogistic(truncation=10)
    with pytest.raises(ValueError, match="truncation must be a whole number above 0"):
        PairwiseLogistic(pair_weight="ndcg", truncation=0)

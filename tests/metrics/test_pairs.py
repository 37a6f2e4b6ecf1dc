"""Pair accuracy of explicit pairs."""

from __future__ import annotations

import numpy as np
import pytest
from _support.explicit_pairs import cases
from hypothesis import assume, given, settings

from gbdt_pairloss import metrics


def test_pair_accuracy_by_hand() -> None:
    #         query a               query b        c
    scores = [3.0, 1.0, 2.0, 2.0, 5.0, 4.0, 4.5, 0.0]
    qid = ["a", "a", "a", "a", "b", "b", "b", "c"]
    winner = [0, 1, 2, 0, 5, 4]
    loser = [1, 2, 3, 3, 4, 6]
    zeros = np.zeros(8)
    given = {"qid": qid, "per_query": True}
    # In order, wrong, tied, in order; wrong, in order; and no pair.
    plain = metrics.pair_accuracy(zeros, scores, pairs=(winner, loser), **given)
    np.testing.assert_allclose(plain, [2.5 / 4, 1 / 2, np.nan], rtol=1e-15)
    wrong = metrics.pair_accuracy(zeros, scores, pairs=(winner, loser), ties="wrong", **given)
    np.testing.assert_allclose(wrong, [2 / 4, 1 / 2, np.nan], rtol=1e-15)
    pairs = winner, loser, [1, 2, 4, 0, 3, 1]
    weighted = metrics.pair_accuracy(zeros, scores, pairs=pairs, **given)
    np.testing.assert_allclose(weighted, [3 / 7, 1 / 4, np.nan], rtol=1e-15)
    assert metrics.pair_accuracy(zeros, scores, qid=qid, pairs=pairs) == pytest.approx((3 / 7 + 1 / 4) / 2)
    mean = metrics.pair_accuracy(zeros, scores, qid=qid, pairs=pairs, query_weight=[1, 3, 5])
    assert mean == pytest.approx((3 / 7 + 3 / 4) / 4)
    mask = [True, True, True, False, True, False, True, True]
    masked = metrics.pair_accuracy(zeros, [*scores[:3], np.nan, *scores[4:]], pairs=pairs, mask=mask, **given)
    np.testing.assert_allclose(masked, [1 / 3, 1, np.nan], rtol=1e-15)
    filled = metrics.pair_accuracy(zeros, scores, pairs=pairs, empty=1.0, **given)
    np.testing.assert_allclose(filled, [3 / 7, 1 / 4, 1], rtol=1e-15)
    # A query whose pairs all have weight 0 is like one without pairs.
    nothing = metrics.pair_accuracy(zeros, scores, pairs=(winner, loser, [1, 1, 1, 1, 0, 0]), **given)
    np.testing.assert_allclose(nothing, [2.5 / 4, np.nan, np.nan], rtol=1e-15)


@settings(max_examples=50, deadline=None)
@given(cases())
def test_pair_accuracy_of_the_pairs_of_the_labels_is_that_of_the_labels(case) -> None:
    pairs = case.pairs_of_labels()
    assume(pairs[0].size)
    case.s = np.round(case.s, 1)  # some are equal
    given = {"group": case.sizes, "mask": case.mask, "per_query": True}
    for ties in ("average", "wrong"):
        listed = metrics.pair_accuracy(np.zeros(case.y.size), case.s, pairs=pairs, ties=ties, **given)
        by_labels = metrics.pair_accuracy(case.y, case.s, ties=ties, **given)
        np.testing.assert_allclose(listed, by_labels, rtol=1e-12)

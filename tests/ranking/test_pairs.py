"""Explicit pairs as arrays: the forms they may have, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from _support.explicit_pairs import REFUSED, Case, Duels

from gbdt_pairloss import PairwiseLogistic, metrics


@pytest.mark.parametrize(
    "kind", [list, np.int32, np.uint64, np.float64, "column", "series", "array", "tuples", "frame"]
)
def test_pairs_in_every_form(kind) -> None:
    case = Case(2, "logistic", "log", [8, 6])
    winner, loser, weight = case.any_pairs(20)
    expected = case.objective.gradient_hessian(case.y, case.s, group=case.sizes, pairs=(winner, loser, weight))
    if kind is list:
        pairs = winner.tolist(), loser.tolist(), weight.tolist()
    elif kind == "column":
        pairs = winner[:, None], loser[:, None], weight[:, None]
    elif kind == "series":
        pd = pytest.importorskip("pandas")
        pairs = tuple(pd.Series(array, index=np.arange(20)[::-1]) for array in (winner, loser, weight))
    elif kind == "array":
        pairs = np.column_stack([winner, loser, weight])
    elif kind == "tuples":
        pairs = list(zip(winner.tolist(), loser.tolist(), weight.tolist(), strict=True))
    elif kind == "frame":
        pairs = pytest.importorskip("pandas").DataFrame({"winner": winner, "loser": loser, "weight": weight})
    else:
        pairs = winner.astype(kind), loser.astype(kind), weight
    actual = case.objective.gradient_hessian(case.y, case.s, group=case.sizes, pairs=pairs)
    np.testing.assert_array_equal(actual, expected)


def test_read_only_pairs_are_not_changed() -> None:
    data = Duels()
    pairs = tuple(array.copy() for array in data.pairs)
    for array in pairs:
        array.flags.writeable = False
    PairwiseLogistic().gradient_hessian(data.zeros, data.scores, pairs=pairs, qid=data.qid)
    for array, before in zip(pairs, data.pairs, strict=True):
        np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize(("pairs", "error", "message"), REFUSED)
def test_bad_pairs_are_refused_by_their_place(pairs, error, message) -> None:
    for call in (PairwiseLogistic().gradient_hessian, PairwiseLogistic().loss, metrics.pair_accuracy):
        with pytest.raises(error, match=message):
            call(np.zeros(8), np.arange(8.0), pairs=pairs)


def test_a_ragged_list_of_rows_is_refused() -> None:
    for call in (PairwiseLogistic().gradient_hessian, PairwiseLogistic().loss):
        with pytest.raises(ValueError, match="the winner of pairs is a ragged list of lists"):
            call(np.zeros(4), np.zeros(4), pairs=([[0], [1, 2]], [1, 2]))


@pytest.mark.parametrize("row", [np.inf, 1e300])
def test_a_row_larger_than_every_integer_is_out_of_range(row) -> None:
    with pytest.raises(ValueError, match="pairs.*winner"):
        PairwiseLogistic().loss(np.zeros(8), np.zeros(8), pairs=([0, row], [1, 2]))


def test_pairs_across_queries_are_refused_with_the_names_of_both() -> None:
    """As the caller names queries, or counted from 0."""
    scores, zeros = np.arange(6.0), np.zeros(6)
    pairs = [0, 2, 3], [2, 5, 1]
    qid = ["x", "y", "x", "y", "z", "z"]
    message = (
        r"pairs\[1\] crosses two queries: its winner, row 2, is in query x, its loser, row 5, in query z; "
        r"both rows of a pair must be in the same query .invalid: 1 of 3 pairs"
    )
    for call in (PairwiseLogistic().gradient_hessian, metrics.pair_accuracy):
        with pytest.raises(ValueError, match=message):
            call(zeros, scores, qid=qid, pairs=pairs)
    by_size = r"pairs\[0\] crosses .* row 0, is in query 0 .counted from 0., its loser, row 2, in query 1 .*3 of 3"
    with pytest.raises(ValueError, match=by_size):
        PairwiseLogistic().loss(zeros, scores, group=[2, 2, 2], pairs=pairs)
    with pytest.raises(ValueError, match=by_size):
        PairwiseLogistic().loss(zeros.reshape(3, 2), scores.reshape(3, 2), pairs=pairs)

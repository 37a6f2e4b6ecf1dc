"""Objectives over explicit pairs: they are summed as listed, and labels play no part.

The properties that they share with sums over the pairs of labels are in test_contract.py, the sums themselves in
test_definition.py.
"""

from __future__ import annotations

import numpy as np
import pytest
from _support.explicit_pairs import NOT_FOR_PAIRS, Case, Duels, cases
from _support.objectives import LOSSES, NORMALIZERS, assert_close
from hypothesis import assume, given, settings

from gbdt_pairloss import BPR, PairwiseLogistic, WeightedSum


def test_the_mean_over_pairs_is_catboosts_pair_logit() -> None:
    """The example of KerasRS, with and without weights of pairs."""
    labels, scores = np.array([1, 0, 1, 3, 0, 1, 2, 3]), np.array([1, 3, 2, 4, 1, 1.8, 2, 3])
    codes = np.repeat([0, 1], 4)
    winner, loser = np.nonzero((labels[:, None] > labels) & (codes[:, None] == codes))
    assert winner.size == 11
    objective = PairwiseLogistic(normalize="none")
    given = {"group": [4, 4], "reduction": "pair_weights"}
    plain = objective.loss(np.zeros(8), scores, pairs=(winner, loser), **given)
    assert plain == pytest.approx(0.5377218, abs=1e-6)  # CatBoost 1.2.10
    w = np.random.default_rng(0).uniform(0.1, 3, 11)
    weighted = objective.loss(np.zeros(8), scores, pairs=(winner, loser, w), **given)
    softplus = np.log1p(np.exp(scores[loser] - scores[winner]))
    assert weighted == pytest.approx((w * softplus).sum() / w.sum(), rel=1e-12)
    assert abs(weighted - plain) > 1e-3


@settings(max_examples=150, deadline=None)
@given(cases())
def test_listing_the_pairs_of_the_labels_gives_the_same_sums(case) -> None:
    """Gradient, Hessian, and the loss in every reduction."""
    pairs = case.pairs_of_labels()
    assume(pairs[0].size)
    n = case.y.size
    listed = case.objective.gradient_hessian(np.zeros(n), case.s, pairs=pairs, **case.arguments)
    assert_close(listed, case.objective.gradient_hessian(case.y, case.s, **case.arguments))
    for reduction in ("sum", "mean", "pairs", "pair_weights", "none"):
        arguments = {**case.arguments, "reduction": reduction}
        actual = case.objective.loss(np.zeros(n), case.s, pairs=pairs, **arguments)
        np.testing.assert_allclose(actual, case.objective.loss(case.y, case.s, **arguments), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("normalize", NORMALIZERS)
def test_labels_play_no_part(name, normalize) -> None:
    """Neither do negative labels, which are not an error with explicit pairs."""
    case = Case(4, name, normalize, [9, 1, 7], weights=("loser", "mask"))
    pairs = case.any_pairs(60)
    n = case.y.size
    results = []
    numbers = np.arange(n)
    constant = np.zeros(n), np.full(n, 7.5)
    for labels in (*constant, case.y, case.y - 1, case.rng.uniform(0, 9, n), numbers, numbers[::-1]):
        arrays = case.objective.gradient_hessian(labels, case.s, pairs=pairs, **case.arguments)
        loss = case.objective.loss(labels, case.s, pairs=pairs, reduction="none", **case.arguments)
        results.append((*arrays, loss))
    for other in results[1:]:
        assert_close(other, results[0], rtol=1e-12)


@pytest.mark.parametrize("normalize", NORMALIZERS)
def test_a_pair_of_weight_zero_contributes_nothing(normalize) -> None:
    """Normalisers count it, as they count pairs of labels before the weights of rows."""
    case = Case(2, "logistic", normalize, [8, 6])
    winner, loser, weight = case.any_pairs(40)
    weight[(winner == 3) | (loser == 3) | (case.codes[winner] == 1)] = 0  # row 3, and the second query
    counts = weight > 0
    gradient, hessian = case.objective.gradient_hessian(case.y, case.s, group=case.sizes, pairs=(winner, loser, weight))
    assert not gradient[3]
    assert not hessian[3]
    assert not gradient[8:].any()
    assert not hessian[8:].any()
    assert gradient.any()
    if normalize == "none":
        left_out = winner[counts], loser[counts], weight[counts]
        expected = case.objective.gradient_hessian(case.y, case.s, group=case.sizes, pairs=left_out)
        np.testing.assert_array_equal((gradient, hessian), expected)


def test_pairs_without_weights_have_weight_1() -> None:
    case = Case(2, "logistic", "log", [8, 6])
    winner, loser, _ = case.any_pairs(20)
    expected = case.objective.gradient_hessian(case.y, case.s, group=case.sizes, pairs=(winner, loser))
    for weight in (None, np.ones(20), np.ones(20, dtype=int), [1.0] * 20):
        actual = case.objective.gradient_hessian(case.y, case.s, group=case.sizes, pairs=(winner, loser, weight))
        np.testing.assert_array_equal(actual, expected)


def test_rows_of_two_dimensional_lists_are_counted_list_after_list() -> None:
    case = Case(2, "logistic", "query", [5, 5, 5])
    pairs = case.any_pairs(20)
    flat = case.objective.gradient_hessian(case.y, case.s, group=case.sizes, pairs=pairs)
    lists = case.objective.gradient_hessian(case.y.reshape(3, 5), case.s.reshape(3, 5), pairs=pairs)
    for one, other in zip(lists, flat, strict=True):
        assert one.shape == (3, 5)
        np.testing.assert_array_equal(one.ravel(), other)


@pytest.mark.parametrize("dtype", [float, "names"])
def test_rows_scattered_over_queries(dtype) -> None:
    """Pairs are numbers of rows as they are given, whatever the order of queries."""
    case = Case(5, "logistic", "log", [9, 2, 7, 4], weights=("item", "loser"))
    winner, loser, weight = case.any_pairs(50)
    n = case.y.size
    order = case.rng.permutation(n)  # row r of the scattered data is row order[r]
    place = np.argsort(order)
    names = np.array(["d", "a", "c", "b"]) if dtype == "names" else np.array([2.5, -1, 7, 0])
    expected = case.objective.gradient_hessian(case.y, case.s, pairs=(winner, loser, weight), **case.arguments)
    scattered = case.objective.gradient_hessian(
        np.zeros(n),
        case.s[order],
        qid=names[case.codes][order],
        sample_weight=case.item_weight[order],
        loser_weight=case.loser_weight[order],
        pairs=(place[winner], place[loser], weight),
    )
    assert_close([array[place] for array in scattered], expected, rtol=1e-12)


@pytest.mark.parametrize(("parameters", "message"), NOT_FOR_PAIRS)
def test_objectives_that_make_or_weigh_pairs_take_no_explicit_pairs(parameters, message) -> None:
    data = Duels()
    objective = BPR(**parameters) if "negatives" in parameters else PairwiseLogistic(**parameters)
    for call in (objective.loss, objective.gradient_hessian):
        with pytest.raises(ValueError, match=message):
            call(data.zeros, data.scores, group=data.sizes, pairs=data.pairs)


def test_item_ids_take_no_row_out_of_explicit_pairs() -> None:
    with pytest.raises(ValueError, match="item_id takes no row out of explicit pairs"):
        BPR().gradient_hessian([1.0, 0.0, 0.0], np.zeros(3), pairs=([0], [1]), item_id=[1, 2, 1])


def test_labels_may_be_none() -> None:
    data = Duels()
    for objective in (PairwiseLogistic(), WeightedSum([PairwiseLogistic()], [1], ["pairs"])):
        given = {"group": data.sizes, "pairs": data.pairs}
        expected = objective.gradient_hessian(data.zeros, data.scores, **given)
        np.testing.assert_array_equal(objective.gradient_hessian(None, data.scores, **given), expected)
    with pytest.raises(ValueError, match="y_true is None: give a label for each row, or pairs="):
        PairwiseLogistic().loss(None, data.scores)
    with pytest.raises(ValueError, match="y_true is None, but a term of the sum reads labels"):
        WeightedSum([BPR(), BPR()], [1, 1], ["pairs", 0]).loss(None, data.scores, pairs=data.pairs)


def test_explicit_pairs_that_all_weigh_nothing_have_no_loss() -> None:
    """It is 0, for arrays; a training would be refused."""
    data = Duels()
    pairs = *data.pairs[:2], np.zeros(data.pairs[0].size)
    assert PairwiseLogistic().loss(data.zeros, data.scores, pairs=pairs, reduction="pair_weights", qid=data.qid) == 0

"""Explicit pairs attached to a booster's dataset: they stay with it, its copies and its cuts, or the cut is refused."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from _support.datasets import BOOSTERS, constructed, dataset_of, train, xgb
from _support.explicit_pairs import REFUSED, Duels, assert_has_pairs_of_rows, pairs_within
from _support.objectives import NORMALIZERS, assert_same_in_float32

from gbdt_pairloss import PairwiseLogistic, attach


@pytest.fixture(scope="module")
def data() -> Duels:
    return Duels()


@BOOSTERS
def test_a_dataset_with_pairs_and_without_groups_is_one_query(booster, data) -> None:
    dataset = constructed(booster, data.X, y=data.zeros)
    with pytest.raises(ValueError, match="has no query groups"):
        PairwiseLogistic()(data.scores, dataset)
    rng = np.random.default_rng(0)
    pairs = rng.permutation(data.n), rng.permutation(data.n)
    pairs = tuple(rows[pairs[0] != pairs[1]] for rows in pairs)
    attach(dataset, pairs=pairs)
    for normalize in NORMALIZERS:
        objective = PairwiseLogistic(normalize=normalize, hessian_scale=1)
        actual = objective(data.scores, dataset)
        assert_same_in_float32(actual, objective.gradient_hessian(data.zeros, data.scores, pairs=pairs))


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda dataset: pickle.loads(pickle.dumps(dataset))])
def test_pairs_follow_copies_of_a_dataset(how, data) -> None:
    dataset = dataset_of("lightgbm", data.X, np.arange(data.n), data.sizes)
    attach(dataset, pairs=data.pairs)
    assert_has_pairs_of_rows(PairwiseLogistic(), data.scores, how(dataset).construct(), data, data.pairs)


@BOOSTERS
def test_pairs_follow_a_cut_of_whole_queries(booster, data) -> None:
    """And a cut of the cut, after the whole dataset is gone."""
    whole = constructed(booster, data.X, np.arange(data.n), data.sizes)
    attach(whole, pairs=data.pairs)
    rows = np.flatnonzero((data.qid % 3 == 1) & (data.qid > 2))
    if booster == "lightgbm":
        part = whole.subset(rows.tolist()).construct()
        again = part.subset(list(range(20, rows.size))).construct()
    else:
        rows = rows.reshape(-1, 20)[::-1, ::-1].ravel()  # the order of queries and of rows may change
        part = whole.slice(rows, allow_groups=True)
        part.set_group(np.full(rows.size // 20, 20))
        again = part.slice(np.arange(20, rows.size), allow_groups=True)
        again.set_group(np.full(rows.size // 20 - 1, 20))
    del whole
    assert_has_pairs_of_rows(PairwiseLogistic(), data.scores[rows], part, data, data.pairs)
    assert_has_pairs_of_rows(PairwiseLogistic(), data.scores[rows][20:], again, data, data.pairs)


@BOOSTERS
def test_a_cut_that_keeps_pairs_whole_needs_no_groups(booster, data) -> None:
    whole = constructed(booster, data.X, np.arange(data.n))
    attach(whole, pairs=data.pairs)
    rows = np.arange(40, 100)
    part = whole.subset(rows.tolist()).construct() if booster == "lightgbm" else whole.slice(rows)
    objective = PairwiseLogistic(hessian_scale=1)
    expected = objective.gradient_hessian(np.zeros(60), data.scores[rows], pairs=pairs_within(data.pairs, rows))
    assert_same_in_float32(objective(data.scores[rows], part), expected)


@BOOSTERS
def test_a_cut_through_a_pair_is_refused(booster, data) -> None:
    dataset = constructed(booster, data.X, data.zeros, data.sizes)
    attach(dataset, pairs=([0, 25], [1, 30]))
    rows = [*range(20), *range(20, 28)]
    message = r"contains only one row of pairs\[1\], rows 25 and 30 .pairs split like this: 1.: keep queries whole"
    with pytest.raises(ValueError, match=message):  # noqa: PT012  # at the cut, or at the first use of what was cut
        part = dataset.subset(rows).construct() if booster == "lightgbm" else dataset.slice(rows, allow_groups=True)
        PairwiseLogistic()(np.zeros(28), part)


def test_a_cut_that_repeats_the_rows_of_a_pair_is_refused(data) -> None:
    dataset = xgb.DMatrix(data.X, data.zeros, nthread=1)
    attach(dataset, pairs=([0, 25], [1, 30]))
    with pytest.raises(ValueError, match="contains a row of a pair more than once, so the pair is ambiguous"):
        dataset.slice([0, 1, 0])
    attach(dataset.slice([0, 1, 2, 2]), mask=np.ones(4, dtype=bool))  # row 2 is in no pair


def test_a_part_without_pairs_is_cut_again_like_any_other(data) -> None:
    dataset = xgb.DMatrix(data.X, data.zeros, nthread=1)
    attach(dataset, pairs=([0, 25], [1, 30]))
    assert dataset.slice(np.arange(40, 60)).slice(np.arange(10)).num_row() == 10


@BOOSTERS
def test_attaching_again_replaces_pairs_and_later_changes_of_the_arrays_do_not_matter(booster, data) -> None:
    objective = PairwiseLogistic(hessian_scale=1)
    dataset = constructed(booster, data.X, sizes=data.sizes)
    reverse = data.pairs[1], data.pairs[0], data.pairs[2]
    for pairs in (data.pairs, reverse, data.pairs[:2], tuple(rows[:100] for rows in data.pairs)):
        given = tuple(rows.copy() for rows in pairs)
        attach(dataset, pairs=given)
        for array in given:
            array[:] = 1
        actual = objective(data.scores, dataset)
        expected = objective.gradient_hessian(data.zeros, data.scores, group=data.sizes, pairs=pairs)
        assert_same_in_float32(actual, expected)
        for array in given:
            array[:] = 2
        assert_same_in_float32(objective(data.scores, dataset), expected)


def test_attaching_does_not_change_the_arrays(data) -> None:
    pairs = tuple(array.copy() for array in data.pairs)
    for array in pairs:
        array.flags.writeable = False
    attach(xgb.DMatrix(data.X, nthread=1), pairs=pairs)
    for array, before in zip(pairs, data.pairs, strict=True):
        np.testing.assert_array_equal(array, before)


@BOOSTERS
def test_bad_pairs_are_refused_and_leave_what_was_attached_before(booster) -> None:
    X = np.arange(16.0).reshape(8, 2)
    scores, good = np.arange(8.0), ([0], [1])
    dataset = constructed(booster, X)
    attach(dataset, pairs=good)
    objective = PairwiseLogistic(hessian_scale=100)
    expected = objective.gradient_hessian(np.zeros(8), scores, pairs=good)
    for pairs, error, message in REFUSED:
        with pytest.raises(error, match=message):
            attach(dataset, pairs=pairs, mask=np.zeros(8, dtype=bool))
        assert_same_in_float32(objective(scores, dataset), expected)


@BOOSTERS
def test_pairs_across_queries_are_found_at_the_first_use(booster, data) -> None:
    """Groups may be set after the pairs are attached."""
    dataset = dataset_of(booster, data.X, data.zeros, data.sizes)
    attach(dataset, pairs=([0, 25], [1, 41]))
    message = r"pairs\[1\] crosses .* row 25, is in query 1 .counted from 0., its loser, row 41, in query 2 .*1 of 2"
    with pytest.raises(ValueError, match=message):
        train(booster, PairwiseLogistic(), dataset)


def test_a_row_out_of_range_of_an_unconstructed_dataset_is_found_at_its_first_use(data) -> None:
    dataset = dataset_of("lightgbm", data.X, data.zeros, data.sizes)
    attach(dataset, pairs=([0, data.n], [1, 2]))
    with pytest.raises(ValueError, match=rf"pairs\[1\]: the winner is row {data.n}, but there are {data.n} rows"):
        train("lightgbm", PairwiseLogistic(), dataset)

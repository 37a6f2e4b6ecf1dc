"""Arrays that objectives take: queries in every form, masked rows, and bad input, refused by name and place."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gbdt_pairloss import PairwiseLogistic, metrics
from gbdt_pairloss.ranking._reading import read_rows

Y, S = [2.0, 0.0, 1.0, 1.0], [0.1, 0.2, 0.3, 0.4]
NORMALIZERS = ["none", "query", "log"]


@pytest.mark.parametrize("normalize", NORMALIZERS)
def test_queries_in_every_form_are_the_same(normalize) -> None:
    rng = np.random.default_rng(1)
    length = 6
    y, s = rng.integers(0, 3, (5, length)), rng.normal(size=(5, length))
    w = rng.uniform(0.5, 2, (5, length))
    objective = PairwiseLogistic(normalize=normalize)
    lists = objective.gradient_hessian(y, s, sample_weight=w)
    names = np.array(["d", "b", "a", "e", "c"])
    qid = np.repeat(names, length)
    order = rng.permutation(qid.size)
    flat = [a.ravel() for a in (y, s, w)]
    for k in range(2):
        expected = lists[k].ravel()
        grouped = objective.gradient_hessian(flat[0], flat[1], group=[length] * 5, sample_weight=flat[2])[k]
        np.testing.assert_allclose(grouped, expected, rtol=1e-12)
        for ids in (qid, qid.astype(object), np.repeat([3.5, -1, 0, 2**40, 7], length)):
            by_id = objective.gradient_hessian(
                flat[0][order], flat[1][order], qid=ids[order], sample_weight=flat[2][order]
            )[k]
            np.testing.assert_allclose(by_id, expected[order], rtol=1e-12)


def test_a_masked_row_may_hold_anything() -> None:
    y, s = [2.0, np.nan, 1.0, 0.0, -5.0], [0.1, 0.4, np.nan, 0.3, np.inf]
    mask, w = [True, False, False, True, False], [1.0, np.nan, -1.0, 2.0, np.inf]
    objective = PairwiseLogistic()
    gradient, hessian = objective.gradient_hessian(y, s, sample_weight=w, mask=mask)
    expected = objective.gradient_hessian([2.0, 0.0], [0.1, 0.3], sample_weight=[1.0, 2.0])
    np.testing.assert_array_equal(gradient[[0, 3]], expected[0])
    np.testing.assert_array_equal(hessian[[0, 3]], expected[1])
    assert (gradient[[1, 2, 4]] == 0).all()
    assert (hessian[[1, 2, 4]] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y_true": [1, 0]}, r"y_true has shape \(2,\), but y_pred has shape \(4,\)"),
        ({"y_true": [1, np.nan, 0, 0]}, "y_true is nan at row 1"),
        ({"y_true": [1, 0, np.inf, 0]}, "y_true is inf at row 2"),
        ({"y_true": ["a", "b", "c", "d"]}, "y_true has dtype <U1; it must be real numbers"),
        ({"y_true": ["1", "0", "2", "1"]}, "y_true has dtype <U1"),
        ({"y_true": np.array(["2024-01-01"] * 4, dtype="datetime64[D]")}, "y_true has dtype datetime64"),
        ({"y_true": ["1", 0, 2, None]}, "y_true has dtype object; it must be real numbers"),
        ({"y_true": np.array([1, 0, 2, "1"], dtype=object)}, "y_true has dtype object; it must be real numbers"),
        ({"y_true": np.array([1, 0, 2, np.complex128(1j)], dtype=object)}, "y_true has dtype object"),
        ({"y_true": [1, 0, 2, 10**400]}, "y_true has a number outside the range of float64"),
        ({"y_true": np.full(4, np.longdouble("1e4000"))}, "y_true is inf at row 0"),
        ({"y_true": np.zeros(4, dtype=[("label", float)])}, "y_true has dtype .*label.*; it must be real numbers"),
        ({"y_true": [1, -1, 0, 0]}, "the label is -1.0 at row 1.*ignore_negative_labels=True"),
        ({"y_true": [[1, 0], [0]], "y_pred": [[1, 0], [0]]}, "ragged list of lists"),
        ({"y_true": {"label": Y}}, 'keys "labels"'),
        ({"y_true": {"labels": Y, "mask": [True] * 4}, "mask": [True] * 4}, "mask is given twice"),
        ({"y_pred": [0.1, np.nan, 0.3, 0.4]}, "y_pred is nan at row 1"),
        ({"y_pred": [0.1, 0.2, 0.3, -np.inf]}, "y_pred is -inf at row 3"),
        ({"y_pred": [1j, 0, 0, 0]}, "y_pred has dtype complex128; it must be real numbers"),
        ({"y_pred": 3.0, "y_true": 3.0}, r"y_pred has shape \(\)"),
        ({"y_pred": np.zeros((2, 2)), "y_true": np.eye(2), "group": [2, 2]}, "2-D arrays have one list per row"),
        ({"y_pred": [[0, np.nan]], "y_true": [[1, 0]]}, "y_pred is nan at list 0, position 1"),
        ({"group": [2, 3]}, "group sums to 5, but there are 4 rows"),
        ({"group": [2**62] * 4 + [4]}, "group sums to 18446744073709551620, but there are 4 rows"),
        ({"group": [1e300]}, "group sums to 1e.300, but there are 4 rows"),
        ({"group": [[2], [1, 1]]}, "group is a ragged list of lists: give the number of rows of each query"),
        ({"qid": [[1], [1, 2], [3], [4]]}, "qid is a ragged list of lists: give one id per row"),
        ({"qid": ["a", {"b": 1}, "a", "a"]}, "qid is a dict at row 1: a query id must be hashable"),
        ({"qid": np.array([np.arange(2), np.arange(3)] * 2, dtype=object)}, "qid is a ndarray at row 0"),
        ({"qid": [1, 1, 2]}, "qid has 3 entries, but there are 4 rows"),
        ({"sample_weight": [1, -1, 1, 1]}, "sample_weight is -1.0 at row 1; weights must not be negative"),
        ({"sample_weight": [1, np.nan, 1, 1]}, "sample_weight is nan at row 1"),
        ({"sample_weight": [1, 1, 1]}, r"sample_weight has 3 entries; it takes one per row \(4\)"),
        ({"sample_weight": -2.0}, "weights must not be negative"),
        ({"sample_weight": [1, 2], "qid": [1, 2, 1, 2]}, "the rows of a query are scattered"),
        ({"sample_weight": [1, np.nan], "group": [2, 2]}, "sample_weight is nan at query 1"),
        ({"mask": [True, False]}, r"mask has shape \(2,\)"),
        ({"mask": [[True], [True, False]]}, "mask is a ragged list of lists"),
        ({"mask": [0.5, 1, 1, 1]}, "mask must be boolean"),
    ],
)
def test_bad_arrays_are_refused_by_name_and_place(arguments, message) -> None:
    given = {"y_true": Y, "y_pred": S, **arguments}
    y_true, y_pred = given.pop("y_true"), given.pop("y_pred")
    for method in (PairwiseLogistic().gradient_hessian, PairwiseLogistic().loss):
        with pytest.raises(ValueError, match=message):
            method(y_true, y_pred, **given)


@pytest.mark.parametrize("shape", [(2,), (2, 3), (1, 2)])
def test_the_meaning_of_weights_of_lists_is_never_guessed(shape) -> None:
    # KerasRS takes a (B,) weight on square (B, B) lists as weights of positions, silently.
    with pytest.raises(ValueError, match=r"sample_weight has shape .*; with lists of shape \(2, 2\)"):
        PairwiseLogistic().loss(np.eye(2), np.zeros((2, 2)), sample_weight=np.ones(shape))


def test_a_reduction_must_be_known() -> None:
    with pytest.raises(ValueError, match="reduction must be one of 'sum', 'mean'"):
        PairwiseLogistic().loss(Y, S, reduction="average")


def test_arrays_from_a_boosters_own_ranker_are_refused() -> None:
    with pytest.raises(TypeError, match=r"gbdt_pairloss\.LGBMRanker or gbdt_pairloss\.XGBRanker"):
        PairwiseLogistic()(np.array(Y), np.array(S))


def test_missing_values_of_a_table_are_named_by_row() -> None:
    y = pd.DataFrame({"clicks": pd.array([1, 0, 1], "Int64"), "price": pd.array([1.5, 2, pd.NA], "Float64")})
    with pytest.raises(ValueError, match=r"y\[:, 1\] is nan at row 2"):
        read_rows(np.zeros((3, 1)), y, [0, 0, 0], None, None, several_labels=True)


def test_columns_of_labels_follow_their_rows() -> None:
    y, qid = np.arange(12.0).reshape(6, 2), np.array([1, 0, 1, 0, 2, 1])
    data = read_rows(np.zeros((6, 1)), y, qid, None, None, several_labels=True)
    np.testing.assert_array_equal(data.labels, y[:, 0])
    grouped = data.grouped()
    np.testing.assert_array_equal(grouped.label_columns, y[data.groups.order])
    taken = grouped.take_queries(np.array([False, True, True]))
    np.testing.assert_array_equal(taken.label_columns, grouped.label_columns[3:])
    assert data.equals(data.copy())
    other = read_rows(np.zeros((6, 1)), np.add(y, [0, 1]), qid, None, None, several_labels=True)
    assert not data.equals(other)
    assert not data.equals(read_rows(np.zeros((6, 1)), y[:, 0], qid, None, None))
    with pytest.raises(ValueError, match="y has 6 entries, but there are 5 rows"):
        read_rows(np.zeros((5, 1)), y, qid[:5], None, None, several_labels=True)
    with pytest.raises(ValueError, match=r"y\[:, 1\] is 1e\+39 at row 2, outside the boosters' range"):
        read_rows(np.zeros((6, 1)), np.where(y == 5, 1e39, y), qid, None, None, several_labels=True)


def test_masked_entries_of_labels_and_scores_take_no_part() -> None:
    y, s = (np.ma.masked_array(values, [[0, 0, 1]]) for values in ([[1.0, 0, 5]], [[0.2, 0.1, 0]]))
    loss = PairwiseLogistic(normalize="none")
    for labels, scores in ((y, s), (y, s.data), (y.data, s)):
        assert metrics.pair_accuracy(labels, scores) == 1.0
        assert loss.loss(labels, scores) == pytest.approx(0.6444, abs=1e-4)
        gradient, hessian = loss.gradient_hessian(labels, scores)
        assert gradient[0, 2] == hessian[0, 2] == 0
        assert not np.ma.isMaskedArray(gradient)
    assert metrics.pair_accuracy({"labels": y, "mask": [[True, True, True]]}, s.data) == 1.0
    with pytest.raises(ValueError, match="sample_weight is a masked array: only labels and scores may"):
        loss.loss(y.data, s.data, sample_weight=y)

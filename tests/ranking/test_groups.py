"""Queries as sizes or as ids: every dtype and order, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from gbdt_pairloss.ranking._groups import Groups, make_groups


def test_ids_have_any_dtype_and_order() -> None:
    codes = np.array([0, 0, 1, 2, 0, 2])
    for ids in (
        np.array(["x", "y", "z"]),
        np.array([b"x", b"y", b"z"]),
        np.array([7, -2, 2**63 - 1]),
        np.array([0.2, 0.7, -1.5]),
        np.array([0, 2**32, 2**33]),  # XGBoost casts to uint32, where these are one
        np.array(["2024-01-02", "2024-01-01", "2024-01-03"], dtype="datetime64[D]"),
        np.array(["a", 1, ("t", 2)], dtype=object),
    ):
        groups = Groups.from_qid(ids[codes], 6)
        np.testing.assert_array_equal(groups.codes, codes)
        np.testing.assert_array_equal(groups.sizes, [3, 1, 2])
        np.testing.assert_array_equal(groups.order, [0, 1, 4, 2, 3, 5])
        assert not groups.contiguous


def test_lists_keep_apart_what_numpy_would_join() -> None:
    np.testing.assert_array_equal(Groups.from_qid([1, "1", 1, "1"], 4).codes, [0, 1, 0, 1])
    np.testing.assert_array_equal(Groups.from_qid([2**63, 2**63 + 1, -1], 3).codes, [0, 1, 2])


def test_contiguous_queries_keep_the_order_of_their_rows() -> None:
    groups = Groups.from_qid([5, 5, 1, 3, 3], 5)
    assert groups.contiguous
    np.testing.assert_array_equal(groups.order, range(5))
    np.testing.assert_array_equal(groups.sizes, [2, 1, 2])


def test_group_ptr_of_xgboost() -> None:
    groups = Groups.from_ptr(np.array([0, 2, 2, 5], dtype=np.uint32), 5)
    np.testing.assert_array_equal(groups.sizes, [2, 0, 3])


def test_ids_may_be_pandas() -> None:
    pd = pytest.importorskip("pandas")
    for ids in (pd.Series(["b", "a", "b"]), pd.Series(["b", "a", "b"], dtype="category"), pd.array([2, 1, 2])):
        np.testing.assert_array_equal(Groups.from_qid(ids, 3).codes, [0, 1, 0])


def test_sizes_in_small_floating_point_types_are_summed_without_loss() -> None:
    sizes = np.array([1e7, 1e7, 1], dtype=np.float32)
    assert make_groups(20_000_001, group=sizes).sizes.sum() == 20_000_001
    assert make_groups(100_000, group=np.full(100, 1000, dtype=np.float16)).n_queries == 100


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([2, 2], r"group sums to 4, but there are 5 rows.*pass them as qid="),
        ([6, -1], r"group\[1\] is -1; a query's size must not be negative"),
        ([2.5, 2.5], r"group\[0\] is 2.5; a query's size must be a whole number"),
        ([np.nan, 5], r"group\[0\] is nan"),
        (["a", "b"], r"group must be a one-dimensional array"),
        ([[5]], r"group must be a one-dimensional array"),
    ],
)
def test_bad_sizes(sizes, message) -> None:
    with pytest.raises(ValueError, match=message):
        make_groups(5, group=sizes)


@pytest.mark.parametrize(
    ("qid", "message"),
    [
        ([1, 1], r"qid has 2 entries, but there are 3 rows.*pass them as group="),
        ([1.0, np.nan, 2.0], r"qid is missing at row 1"),
        (np.array(["a", None, "b"], dtype=object), r"qid is missing at row 1"),
        (np.array(["NaT", "2024-01-01", "2024-01-01"], dtype="datetime64[D]"), r"qid is missing at row 0"),
        (np.zeros((3, 2)), r"qid has shape \(3, 2\)"),
    ],
)
def test_bad_ids(qid, message) -> None:
    with pytest.raises(ValueError, match=message):
        make_groups(3, qid=qid)


def test_missing_ids_of_pandas() -> None:
    pd = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="qid is missing at row 1"):
        make_groups(2, qid=pd.array(["a", pd.NA], dtype="string"))


def test_sizes_and_ids_are_not_given_at_once() -> None:
    with pytest.raises(ValueError, match="group and qid are both given"):
        make_groups(2, group=[2], qid=[1, 1])

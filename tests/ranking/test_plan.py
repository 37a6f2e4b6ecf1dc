"""Groups in every form, and labels to pairs."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdt_pairloss import PairwiseLogistic
from gbdt_pairloss.objectives._plan_cache import cached_plan
from gbdt_pairloss.ranking._data import RankingData
from gbdt_pairloss.ranking._groups import Groups, make_groups
from gbdt_pairloss.ranking._plan import build_plan


def plan_of(y, groups, mask=None, **weights):
    data = RankingData(np.asarray(y, dtype=float), groups, mask=mask, **weights)
    return build_plan(data, data.labels, mask, "winner")


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.integers(-3, 3), max_size=12), max_size=5),
    st.integers(0, 2**32 - 1),
)
def test_a_plan_has_every_ordered_pair_exactly_once(lists, seed) -> None:
    rng = np.random.default_rng(seed)
    y = np.array([label for labels in lists for label in labels], dtype=float)
    qid = np.repeat(np.arange(len(lists)), [len(labels) for labels in lists])
    order = rng.permutation(y.size)
    mask = rng.random(y.size) < 0.8
    plan = plan_of(y[order], make_groups(y.size, qid=qid[order]), mask)
    covered = []
    for start, stop in zip(plan.ptr[:-1], plan.ptr[1:], strict=True):
        for i in range(start, stop):
            covered += [(plan.rows[i], plan.rows[j]) for j in range(plan.run_end[i], stop)]
    expected = [
        (i, j)
        for i in range(y.size)
        for j in range(y.size)
        if mask[i] and mask[j] and qid[order][i] == qid[order][j] and y[order][i] > y[order][j]
    ]
    assert sorted(covered) == expected
    assert plan.n_pairs.sum() == len(expected)


def test_plan_order_goes_there_and_back(problem) -> None:
    plan = plan_of(problem.y, make_groups(problem.y.size, group=problem.sizes))
    np.testing.assert_array_equal(plan.scatter(plan.gather(problem.scores)), problem.scores)
    for start, stop in zip(plan.ptr[:-1], plan.ptr[1:], strict=True):
        assert (np.diff(plan.labels[start:stop]) <= 0).all()


class TestGroups:
    def test_qids_of_any_dtype_and_order(self) -> None:
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

    def test_lists_keep_apart_what_numpy_would_join(self) -> None:
        np.testing.assert_array_equal(Groups.from_qid([1, "1", 1, "1"], 4).codes, [0, 1, 0, 1])
        np.testing.assert_array_equal(Groups.from_qid([2**63, 2**63 + 1, -1], 3).codes, [0, 1, 2])

    def test_rows_that_stand_together_stay_where_they_are(self) -> None:
        groups = Groups.from_qid([5, 5, 1, 3, 3], 5)
        assert groups.contiguous
        np.testing.assert_array_equal(groups.order, range(5))
        np.testing.assert_array_equal(groups.sizes, [2, 1, 2])

    def test_group_ptr_of_xgboost(self) -> None:
        groups = Groups.from_ptr(np.array([0, 2, 2, 5], dtype=np.uint32), 5)
        np.testing.assert_array_equal(groups.sizes, [2, 0, 3])

    def test_pandas_ids(self) -> None:
        pd = pytest.importorskip("pandas")
        for ids in (pd.Series(["b", "a", "b"]), pd.Series(["b", "a", "b"], dtype="category"), pd.array([2, 1, 2])):
            np.testing.assert_array_equal(Groups.from_qid(ids, 3).codes, [0, 1, 0])

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
    def test_bad_sizes(self, sizes, message) -> None:
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
    def test_bad_ids(self, qid, message) -> None:
        with pytest.raises(ValueError, match=message):
            make_groups(3, qid=qid)

    def test_pandas_missing_id(self) -> None:
        pd = pytest.importorskip("pandas")
        with pytest.raises(ValueError, match="qid is missing at row 1"):
            make_groups(2, qid=pd.array(["a", pd.NA], dtype="string"))

    def test_both_forms_at_once(self) -> None:
        with pytest.raises(ValueError, match="group and qid are both given"):
            make_groups(2, group=[2], qid=[1, 1])


class Dataset:
    """Stands in for a booster's dataset: something to hold on to weakly."""


class TestCache:
    def data(self, **changes):
        values = {"labels": np.array([1.0, 0.0, 2.0]), "groups": Groups.from_sizes([3], 3), **changes}
        return RankingData(**values)

    def plan(self, dataset, data, key="key"):
        return cached_plan(dataset, lambda: data, key, PairwiseLogistic().plan)

    def test_one_plan_as_long_as_nothing_changes(self) -> None:
        dataset = Dataset()
        first = self.plan(dataset, self.data())
        assert self.plan(dataset, self.data()) is first
        assert self.plan(dataset, self.data(), key="another objective") is not first
        assert self.plan(Dataset(), self.data()) is not first

    @pytest.mark.parametrize(
        "changes",
        [
            {"labels": np.array([1.0, 0.0, 3.0])},
            {"groups": Groups.from_sizes([2, 1], 3)},
            {"groups": Groups.from_qid([0, 1, 0], 3)},
            {"item_weight": np.array([1.0, 2.0, 1.0])},
            {"loser_weight": np.array([1.0, 2.0, 1.0])},
            {"query_weight": np.array([2.0])},
            {"mask": np.array([True, True, False])},
        ],
    )
    def test_a_new_plan_when_something_does(self, changes) -> None:
        dataset = Dataset()
        first = self.plan(dataset, self.data())
        assert self.plan(dataset, self.data(**changes)) is not first

    def test_a_buffer_that_changes_in_place_is_noticed(self) -> None:
        dataset, labels = Dataset(), np.array([1.0, 0.0, 2.0])
        first = self.plan(dataset, self.data(labels=labels))
        labels[0] = 5.0
        again = self.plan(dataset, self.data(labels=labels))
        assert again is not first
        assert again.plan.labels[0] == 5.0

    def test_the_cache_keeps_no_dataset_alive(self) -> None:
        dataset = Dataset()
        plan = weakref.ref(self.plan(dataset, self.data()))
        del dataset
        gc.collect()
        assert plan() is None

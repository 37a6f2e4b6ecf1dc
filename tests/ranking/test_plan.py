"""Labels to pairs: a plan sorts the rows of a query by label, so that a row beats all from its ``run_end`` on."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gbdt_pairloss.ranking._data import RankingData
from gbdt_pairloss.ranking._groups import make_groups
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


def test_gather_and_scatter_are_inverse(problem) -> None:
    plan = plan_of(problem.y, make_groups(problem.y.size, group=problem.sizes))
    np.testing.assert_array_equal(plan.scatter(plan.gather(problem.scores)), problem.scores)
    for start, stop in zip(plan.ptr[:-1], plan.ptr[1:], strict=True):
        assert (np.diff(plan.labels[start:stop]) <= 0).all()

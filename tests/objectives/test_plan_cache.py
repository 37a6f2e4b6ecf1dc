"""Plans are kept as long as nothing that they depend on has changed."""

from __future__ import annotations

import numpy as np
import pytest

from gbdt_pairloss.objectives._plan_cache import PlanCache
from gbdt_pairloss.ranking._data import RankingData
from gbdt_pairloss.ranking._groups import Groups
from gbdt_pairloss.ranking._plan import build_plan


def data_of(**changes) -> RankingData:
    return RankingData(**{"labels": np.array([1.0, 0.0, 2.0]), "groups": Groups.from_sizes([3], 3), **changes})


def plan_of(cache, data, key="key", **version):
    return cache.plan(
        key, read=lambda: data, build=lambda data: build_plan(data, data.labels, data.mask, "winner"), **version
    )


def test_there_is_one_plan_as_long_as_nothing_changes() -> None:
    cache = PlanCache()
    first = plan_of(cache, data_of())
    assert plan_of(cache, data_of()) is first
    assert plan_of(cache, data_of(), key="another objective") is not first
    assert plan_of(cache, data_of()) is first
    assert plan_of(PlanCache(), data_of()) is not first


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
def test_a_change_makes_a_new_plan(changes) -> None:
    cache = PlanCache()
    first = plan_of(cache, data_of())
    assert plan_of(cache, data_of(**changes)) is not first


def test_a_buffer_that_changes_in_place_is_noticed() -> None:
    cache, labels = PlanCache(), np.array([1.0, 0.0, 2.0])
    first = plan_of(cache, data_of(labels=labels))
    labels[0] = 5.0
    again = plan_of(cache, data_of(labels=labels))
    assert again is not first
    assert again.labels[0] == 5.0


def test_a_dataset_is_not_read_again_while_its_version_is_the_same() -> None:
    cache, changed = PlanCache(), data_of(labels=np.array([1.0, 0.0, 3.0]))
    first = plan_of(cache, data_of(), version=1)
    assert plan_of(cache, changed, version=1) is first
    assert plan_of(cache, changed, version=2) is not first

"""Plans are kept beside a dataset as long as nothing that they depend on has changed."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from gbdt_pairloss.objectives._plan_cache import cached_plan
from gbdt_pairloss.ranking._data import RankingData
from gbdt_pairloss.ranking._groups import Groups
from gbdt_pairloss.ranking._plan import build_plan


class Dataset:
    """A booster's dataset as far as the cache is concerned: an object that can be referred to weakly."""


def data_of(**changes) -> RankingData:
    return RankingData(**{"labels": np.array([1.0, 0.0, 2.0]), "groups": Groups.from_sizes([3], 3), **changes})


def plan_of(dataset, data, key="key"):
    return cached_plan(dataset, lambda: data, key, lambda data: build_plan(data, data.labels, data.mask, "winner"))


def test_there_is_one_plan_as_long_as_nothing_changes() -> None:
    dataset = Dataset()
    first = plan_of(dataset, data_of())
    assert plan_of(dataset, data_of()) is first
    assert plan_of(dataset, data_of(), key="another objective") is not first
    assert plan_of(Dataset(), data_of()) is not first


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
    dataset = Dataset()
    first = plan_of(dataset, data_of())
    assert plan_of(dataset, data_of(**changes)) is not first


def test_a_buffer_that_changes_in_place_is_noticed() -> None:
    dataset, labels = Dataset(), np.array([1.0, 0.0, 2.0])
    first = plan_of(dataset, data_of(labels=labels))
    labels[0] = 5.0
    again = plan_of(dataset, data_of(labels=labels))
    assert again is not first
    assert again.plan.labels[0] == 5.0


def test_the_cache_keeps_no_dataset_alive() -> None:
    dataset = Dataset()
    plan = weakref.ref(plan_of(dataset, data_of()))
    del dataset
    gc.collect()
    assert plan() is None

"""The tests' own choice of combinations of parameters leaves none out that it promises."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from _support.covering import covering, grid


@pytest.mark.parametrize("sizes", [[2], [3, 2], [6, 3, 2], [3, 3, 3, 2], [2, 13, 2, 2]])
@pytest.mark.parametrize("strength", [1, 2, 3])
def test_any_values_of_so_many_axes_meet(sizes, strength) -> None:
    rows = covering([range(size) for size in sizes], strength)
    for axes in combinations(range(len(sizes)), min(strength, len(sizes))):
        met = {tuple(row[axis] for axis in axes) for row in rows}
        assert met == set(product(*(range(sizes[axis]) for axis in axes)))


def test_fewer_combinations_suffice_than_there_are() -> None:
    assert len(covering([range(6), range(3), range(2), range(2)])) == 18
    assert len(covering([range(13), range(2), range(2)], 1)) == 13


def test_all_combinations_that_the_default_run_leaves_out_are_slow() -> None:
    axes = {"dtype": [np.float32, np.float64], "scale": [1.0, 1e4], "delta": [{"truncation": 3}, {"truncation": None}]}
    found = grid(axes, {"dtype": [np.float32]}, strength=1)
    assert [one.values for one in found] == list(product(*axes.values()))
    usual = [one for one in found if not one.marks]
    assert {one.values[0] for one in usual} == {np.float32}
    assert {one.values[1] for one in usual} == {1.0, 1e4}
    assert found[0].id == "float32-1.0-truncation=3"
    assert len(found) == 8
    assert len(grid(axes, {}, strength=1, slow_strength=2)) < 8

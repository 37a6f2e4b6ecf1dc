"""Plans of all pairs of rows."""

from __future__ import annotations

import numpy as np
import pytest
from _support.engines import plan_of

from gbdt_pairloss import PairwiseMeanSquaredError

WEIGHTS = {
    "ones": np.ones(6),
    "some zero": np.array([0.0, 2.0, 0.0, 0.0, 3.0, 0.5]),
    "all zero in a query": np.array([0.0, 0.0, 0.0, 1.0, 2.0, 3.0]),
    "one large": np.array([1.0, 1e30, 1.0, 2.0, 2.0, 1e-30]),
    "one large query": np.array([1e-9, 1e-9, 1e-9, 1e12, 1e12, 1e12]),
}


@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
def test_weights_won_are_sums_over_the_other_rows_of_the_query(weight) -> None:
    sizes = [0, 3, 0, 2, 1]
    objective = PairwiseMeanSquaredError(item_weight="both")
    plan = plan_of(objective, np.arange(6.0), np.zeros(6), group=sizes, sample_weight=weight)
    query = np.repeat(np.arange(5), sizes)
    expected = [sum(weight[(query == query[i]) & (np.arange(6) != i)]) for i in range(6)]
    np.testing.assert_allclose(plan.scatter(plan.pair_weights_won), expected, rtol=1e-15)


def test_the_heaviest_row_of_each_query() -> None:
    plan = plan_of(PairwiseMeanSquaredError(), np.arange(6.0), np.zeros(6), group=[0, 3, 0, 2, 1])
    np.testing.assert_array_equal(plan.heaviest(np.array([1.0, 2.0, 2.0, 0.0, 0.0, 5.0])), [1, 3, 5])

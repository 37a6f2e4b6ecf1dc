"""The CPU engine's sums over explicit pairs, in as many parts as there are threads."""

from __future__ import annotations

import numpy as np
import pytest
from _support.objectives import assert_close, logistic

from gbdt_pairloss import PairwiseLogistic


@pytest.mark.parametrize("n_queries", [1, 300])
def test_results_do_not_depend_on_the_number_of_threads_and_are_the_definition(n_queries) -> None:
    rng = np.random.default_rng(0)
    size, n_pairs = 3000 // n_queries, 620_000  # enough for several parts
    query = rng.integers(0, n_queries, n_pairs)
    winner = rng.integers(0, size, n_pairs)
    loser = (winner + rng.integers(1, size, n_pairs)) % size + query * size
    winner += query * size
    pairs = winner, loser, rng.uniform(0, 2, n_pairs)
    s, labels = rng.normal(size=3000), np.zeros(3000)
    given = {"group": [size] * n_queries, "pairs": pairs}
    results = [PairwiseLogistic(n_threads=n).gradient_hessian(labels, s, **given) for n in (1, 2, 3)]
    losses = [PairwiseLogistic(n_threads=n).loss(labels, s, **given) for n in (1, 2, 3)]
    for k in range(2):
        np.testing.assert_array_equal(results[1][k], results[0][k])
        np.testing.assert_array_equal(results[2][k], results[0][k])
    assert losses[0] == losses[1] == losses[2]
    # By hand, with the factor of each query.
    _, first, second = logistic(s[winner] - s[loser])
    total = 2 * np.bincount(query, -first, n_queries)
    factor = np.log1p(total) / np.log(2) / total
    slope, curve = (pairs[2] * factor[query] * values for values in (first, second))
    gradient = np.bincount(winner, slope, 3000) - np.bincount(loser, slope, 3000)
    hessian = np.bincount(winner, curve, 3000) + np.bincount(loser, curve, 3000)
    assert_close(results[0], (gradient, hessian), rtol=1e-10)
    expected = float((pairs[2] * factor[query] * np.log1p(np.exp(s[loser] - s[winner]))).sum())
    assert losses[0] == pytest.approx(expected, rel=1e-12)

"""The ranking of rows that all metrics use, and the count of pairs, at sizes where the sort changes its method."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import somersd

from gbdt_pairloss import metrics
from gbdt_pairloss.metrics._ranking import rank_rows
from gbdt_pairloss.ranking._data import RankingData
from gbdt_pairloss.ranking._groups import make_groups

# Around the longest run that is sorted by insertion, one part that fits the cache, and several such parts.
SIZES = [0, 1, 2, 7, 8, 9, 16, 17, 64, 65, 1000, 16384, 16385, 50_001]


def keys(kind, n, rng):
    return {
        "distinct": lambda: rng.permutation(n).astype(float),
        "few": lambda: rng.integers(0, 5, n).astype(float),
        "equal": lambda: np.zeros(n),
        "zeros": lambda: rng.choice([-0.0, 0.0], n),
        "ascending": lambda: np.arange(n, dtype=float),
        "descending": lambda: -np.arange(n, dtype=float),
        "float32": lambda: rng.normal(size=n).astype(np.float32),
    }[kind]()


@pytest.mark.parametrize("rows", ["together", "scattered", "masked", "scattered and masked"])
@pytest.mark.parametrize("kind", ["distinct", "few", "equal", "zeros", "ascending", "descending", "float32"])
def test_rows_are_ranked_as_by_a_stable_sort(kind, rows):
    rng = np.random.default_rng(0)
    query = np.repeat(np.arange(len(SIZES)), SIZES)
    if "scattered" in rows:
        query = rng.permutation(query)
    key = keys(kind, query.size, rng)
    mask = rng.random(query.size) < 0.7 if "masked" in rows else None
    groups = make_groups(query.size, qid=query) if "scattered" in rows else make_groups(query.size, group=SIZES)
    data = RankingData(labels=np.zeros(query.size), groups=groups, mask=mask)

    kept = np.arange(query.size) if mask is None else np.flatnonzero(mask)
    expected = kept[np.lexsort((-key[kept], groups.codes[kept]))]
    codes, ranked = groups.codes[expected], key[expected]
    first = np.r_[True, (ranked[1:] != ranked[:-1]) | (codes[1:] != codes[:-1])]
    for ties, starts in (("average", np.flatnonzero(first)), ("order", np.arange(expected.size))):
        ranking = rank_rows(data, key, ties)
        np.testing.assert_array_equal(ranking.row, expected)
        np.testing.assert_array_equal(ranking.ptr, np.searchsorted(codes, np.arange(groups.n_queries + 1)))
        np.testing.assert_array_equal(ranking.run_ptr, np.r_[starts, expected.size])
        np.testing.assert_array_equal(ranking.first_run, np.searchsorted(ranking.run_ptr[:-1], ranking.ptr))


@pytest.mark.parametrize("n_labels", [2, 5, 50])
@pytest.mark.parametrize("n_scores", [2, 40])
def test_pair_accuracy_of_a_long_list_is_somers_d(n_labels, n_scores):
    rng = np.random.default_rng(n_labels + n_scores)
    labels, noise = rng.integers(0, n_labels, 40_000), rng.normal(size=40_000)
    scores = np.floor(n_scores * (labels / n_labels + noise - noise.min()) / (1 + np.ptp(noise)))
    expected = somersd(labels, scores).statistic  # (right - wrong) / pairs of different labels
    assert 2 * metrics.pair_accuracy(labels, scores) - 1 == pytest.approx(expected, abs=1e-12)


def test_pairs_of_a_million_rows_are_counted_exactly():
    n = 1_000_000
    ascending = np.arange(n, dtype=float)
    assert metrics.pair_accuracy(ascending, ascending) == 1.0
    assert metrics.pair_accuracy(ascending, -ascending) == 0.0
    # The rows 2i and 2i + 1 are exchanged, so that n / 2 pairs are wrong.
    swapped = ascending.reshape(-1, 2)[:, ::-1].ravel()
    assert metrics.pair_accuracy(ascending, swapped) == (n * (n - 1) // 2 - n // 2) / (n * (n - 1) // 2)

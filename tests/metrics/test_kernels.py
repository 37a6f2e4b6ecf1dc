"""The compiled kernels of the metrics compute what their definition in NumPy does."""

from __future__ import annotations

import numpy as np
import pytest

from gbdt_pairloss import metrics
from gbdt_pairloss.engine.cpu.native import native
from gbdt_pairloss.metrics import _definition, _ranking
from gbdt_pairloss.metrics._definition import Ranking

#: The numbers of rows of the queries.
SIZES = {
    "no query": [],
    "only an empty query": [0],
    "one row": [1],
    "empty queries, and lengths where the sort changes": [0, 3, 0, 0, 7, 8, 9, 16, 17, 33, 64, 65, 129, 0],
    "many queries": np.arange(1000) % 7,
    "a large query": [3, 40_001],
}

SCORES = {
    "distinct": lambda rng, n: rng.permutation(n).astype(float),
    "some equal": lambda rng, n: rng.integers(0, max(n // 3, 1), n).astype(float),
    "two values": lambda rng, n: rng.integers(0, 2, n).astype(float),
    "all equal": lambda rng, n: np.zeros(n),
    "ascending": lambda rng, n: np.arange(n, dtype=float),
    "zeros of both signs": lambda rng, n: rng.choice([-0.0, 0.0, 1.0], n),
    "extreme": lambda rng, n: rng.choice([-1.7e308, -5e-324, 5e-324, 1.7e308], n),
}

LABELS = {
    "graded": lambda rng, n: rng.integers(0, 5, n).astype(float),
    "all equal": lambda rng, n: np.ones(n),
    "distinct": lambda rng, n: rng.permutation(n) + 0.5,
    "few relevant": lambda rng, n: (rng.random(n) < 0.05).astype(float),
    "none relevant": lambda rng, n: np.zeros(n),
}

K = [1, 3, 10, 10**6]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def compiled():
    module = native()
    if module is None:
        pytest.skip("the package is installed without compiled kernels")
    return module.metrics


def ranked(kernels, sizes, key, average=True):
    """A Ranking of keys, which stay as they are."""
    ptr = np.append(0, np.cumsum(np.asarray(sizes, np.int64)))
    key, row = key.copy(), np.arange(key.size)
    return Ranking(row, ptr, *kernels.sort_queries(ptr, key, row, average)), key


def same(found, expected, exact=False):
    for one, other in zip(*(x if isinstance(x, tuple) else (x,) for x in (found, expected)), strict=True):
        assert one.dtype == other.dtype
        assert one.flags.writeable
        np.testing.assert_allclose(one, other, rtol=0 if exact else 1e-12, atol=0 if exact else 1e-13)


every_ranking = pytest.mark.parametrize("scores", SCORES.values(), ids=SCORES)
every_size = pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
every_label = pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)


@pytest.mark.parametrize("average", [False, True])
@every_ranking
@every_size
def test_rows_are_sorted(compiled, rng, sizes, scores, average) -> None:
    key = scores(rng, sum(sizes))
    (found, sorted_key), (expected, expected_key) = (ranked(k, sizes, key, average) for k in (compiled, _definition))
    same((*found, sorted_key), (*expected, expected_key), exact=True)
    np.testing.assert_array_equal(np.signbit(sorted_key), np.signbit(expected_key))


@every_size
def test_rows_are_gathered(compiled, rng, sizes) -> None:
    ptr = np.append(0, np.cumsum(np.asarray(sizes, np.int64)))
    codes = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    same(compiled.gather_queries(codes, ptr), _definition.gather_queries(codes, ptr), exact=True)


@every_label
@every_ranking
@every_size
def test_metrics_of_binary_relevance(compiled, rng, sizes, scores, labels) -> None:
    ranking, _ = ranked(_definition, sizes, scores(rng, sum(sizes)))
    hit = labels(rng, sum(sizes)) >= 1
    for name in ("average_precision", "reciprocal_rank", "expected_hits", "hit_rate"):
        for k in K:
            same(getattr(compiled, name)(ranking, hit, k), getattr(_definition, name)(ranking, hit, k))


@every_label
@every_ranking
@every_size
def test_metrics_of_graded_labels(compiled, rng, sizes, scores, labels) -> None:
    ranking, _ = ranked(_definition, sizes, scores(rng, sum(sizes)))
    label = labels(rng, sum(sizes))
    for k in K:
        discount = 1 / np.log2(np.arange(2, 2 + min(k, max(sizes, default=0))))
        # To the bit, for the ratio of two of them must be 1 for a right order.
        same(compiled.dcg(ranking, label, discount), _definition.dcg(ranking, label, discount), exact=True)
        stop = label / (1.0 + label.max(initial=0.0))
        same(compiled.err(ranking, stop, k), _definition.err(ranking, stop, k))


@every_label
@every_ranking
@every_size
def test_metrics_of_whole_orders(compiled, rng, sizes, scores, labels) -> None:
    ranking, _ = ranked(_definition, sizes, scores(rng, sum(sizes)))
    label = labels(rng, sum(sizes))
    found, expected = (k.compare_pairs(ranking, label[ranking.row]) for k in (compiled, _definition))
    same(found, expected, exact=True)
    by_label, _ = ranked(_definition, sizes, label)
    same(*(k.rank_correlation(by_label, ranking, label.size) for k in (compiled, _definition)))


def test_pairs_of_short_lists_are_counted_one_by_one(compiled, rng) -> None:
    for n in range(1, 30):
        label, score = rng.integers(0, 4, n).astype(float), rng.integers(0, 4, n).astype(float)
        ranking, _ = ranked(_definition, [n], score)
        wins = label[:, None] > label
        expected = [(wins & (score[:, None] > score)).sum(), (wins & (score[:, None] == score)).sum(), wins.sum()]
        for kernels in (compiled, _definition):
            assert [values.item() for values in kernels.compare_pairs(ranking, label[ranking.row])] == expected


@pytest.mark.parametrize("argument", ["float32", "strided", "int32 rows"])
def test_compiled_kernels_reject_what_they_would_have_to_copy(compiled, argument) -> None:
    ranking, _ = ranked(_definition, [3], np.array([2.0, 1.0, 0.0]))
    gain = np.ones(3)
    if argument == "float32":
        gain = gain.astype(np.float32)
    elif argument == "strided":
        gain = np.ones(6)[::2]
    else:
        ranking = Ranking(*(part.astype(np.int32) for part in ranking))
    with pytest.raises(TypeError, match="incompatible function arguments"):
        compiled.dcg(ranking, gain, np.ones(3))


@pytest.mark.parametrize("rows", ["together", "scattered", "masked"])
@pytest.mark.parametrize("k", [None, 3])
@pytest.mark.parametrize("name", metrics.METRICS)
def test_metrics_are_the_same_without_compiled_kernels(compiled, rng, monkeypatch, name, k, rows) -> None:
    n = 400
    labels, scores = rng.integers(0, 3, n), rng.integers(0, 50, n) / 50
    query = rng.integers(0, 30, n)
    definition = metrics.METRICS[name]
    arguments = {
        "qid": query if rows == "scattered" else np.sort(query),
        "mask": rng.random(n) < 0.7 if rows == "masked" else None,
        **({"k": k} if "k" in definition.defaults else {}),
    }
    found = definition.function(labels, scores, per_query=True, **arguments)
    monkeypatch.setattr(_ranking, "native", lambda: None)
    assert _ranking.kernels() is _definition
    expected = definition.function(labels, scores, per_query=True, **arguments)
    np.testing.assert_allclose(found, expected, rtol=1e-12)

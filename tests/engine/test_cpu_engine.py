"""The CPU engine against the definition: ordinary and hostile shapes, both precisions, any number of threads."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from _support import engines
from _support.engines import LABELS, SIZES, labels_of, plan_of, spec_of
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gbdt_pairloss import BPR, PairwiseLogistic
from gbdt_pairloss.engine.cpu.engine import CPUEngine


def assert_matches_reference(objective, y, scores, dtype=np.float32, loss=True, **kwargs) -> None:
    engines.assert_matches_reference(CPUEngine(1), objective, y, scores, dtype, loss, **kwargs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("normalize", ["log", "none"])
def test_every_size_of_query(labels, normalize, dtype) -> None:
    rng = np.random.default_rng(0)
    n = sum(SIZES)
    y = labels_of(labels, n, rng)
    scores = 1.5 * rng.standard_normal(n) + 0.3 * (y - y.mean())
    objective = PairwiseLogistic(normalize=normalize, ignore_negative_labels=False)
    assert_matches_reference(objective, y, scores, dtype, group=SIZES)


WEIGHTS = list(itertools.product(["winner", "both"], ["uniform", "label_diff", "gain_diff"], ["log", "query", "none"]))


@pytest.mark.parametrize(("item_weight", "pair_weight", "normalize"), WEIGHTS)
@pytest.mark.parametrize("weighted", [False, True])
def test_weights(item_weight, pair_weight, normalize, weighted) -> None:
    if item_weight == "both" and not weighted:
        pytest.skip("the same without weights")
    rng = np.random.default_rng(1)
    n = sum(SIZES)
    y = rng.uniform(0, 4, n)
    y[: n // 2] = np.round(y[: n // 2])
    scores = 2 * rng.standard_normal(n) + y
    weight = np.where(rng.random(n) < 0.2, 0.0, rng.uniform(0.1, 5, n)) if weighted else None
    objective = PairwiseLogistic(
        item_weight=item_weight, pair_weight=pair_weight, normalize=normalize, temperature=0.7, hessian_scale=2.0
    )
    assert_matches_reference(objective, y, scores, group=SIZES, sample_weight=weight)
    mask = rng.random(n) < 0.8
    assert_matches_reference(objective, y, scores, np.float64, group=SIZES, sample_weight=weight, mask=mask)


DELTAS = [
    {"pair_weight": "ndcg"},
    {"pair_weight": "ndcg", "gain": "linear"},
    {"pair_weight": "ndcg", "truncation": 10},
    {"pair_weight": "lambdarank"},
    {"pair_weight": "lambdarank", "truncation": 30, "temperature": 0.5},
]


@pytest.mark.parametrize("delta", DELTAS)
@pytest.mark.parametrize("normalize", ["log", "query", "none"])
@pytest.mark.parametrize("weighted", [False, True])
def test_delta_ndcg(delta, normalize, weighted) -> None:
    rng = np.random.default_rng(8)
    n = sum(SIZES)
    y = rng.uniform(0, 4, n)
    y[: n // 2] = np.round(y[: n // 2])
    y[:2] = 0  # an ideal DCG of 0
    scores = np.where(rng.random(n) < 0.5, np.round(2 * rng.standard_normal(n)), rng.standard_normal(n))
    weight = np.where(rng.random(n) < 0.2, 0.0, rng.uniform(0.1, 5, n)) if weighted else None
    objective = PairwiseLogistic(**delta, normalize=normalize)
    for dtype in (np.float32, np.float64):
        assert_matches_reference(objective, y, scores, dtype, group=SIZES, sample_weight=weight)


@pytest.mark.parametrize("delta", [{"pair_weight": "ndcg"}, {"pair_weight": "lambdarank", "truncation": 5}])
@pytest.mark.parametrize("spread", ["equal", "30 apart", "1000 apart", "outlier", "huge"])
def test_delta_ndcg_of_hostile_scores(delta, spread) -> None:
    rng = np.random.default_rng(9)
    sizes = [60, 1300]
    n = sum(sizes)
    noise, far = rng.standard_normal(n), rng.random(n) < 0.5
    scores = {
        "equal": np.zeros(n),
        "30 apart": np.where(far, 30.0, 0.0) + noise,
        "1000 apart": np.where(far, 1000.0, 0.0) + noise,
        "outlier": np.where(np.arange(n) == 1000, 1e30, noise),
        "huge": 1e30 * noise,
    }[spread]
    for y in (rng.integers(0, 5, n).astype(float), rng.uniform(0, 4, n)):
        assert_matches_reference(PairwiseLogistic(**delta, normalize="none"), y, scores, group=sizes)


def test_all_pairs_of_a_large_query_with_delta_ndcg() -> None:
    rng = np.random.default_rng(10)
    n = 200_000
    y, scores = rng.integers(0, 5, n), rng.standard_normal(n)
    for objective in (PairwiseLogistic(pair_weight="ndcg"), PairwiseLogistic(pair_weight="ndcg", truncation=10)):
        gradient, hessian = objective.gradient_hessian(y, scores.astype(np.float32))
        assert abs(gradient.sum(dtype=float)) < 1e-5 * np.abs(gradient).sum(dtype=float)
        assert hessian.min() >= 0
    # Of the row on top all pairs are easily summed.
    top = np.argmax(scores)
    y[top] = 0
    plain = PairwiseLogistic(pair_weight="ndcg", normalize="none")
    gradient, _ = plain.gradient_hessian(y, scores)
    discount = np.empty(n)
    discount[np.argsort(-scores, kind="stable")] = 1 / np.log2(np.arange(n) + 2)
    gain = 2.0**y - 1
    ideal = np.sort(gain)[::-1] @ (1 / np.log2(np.arange(n) + 2))
    expected = (gain * (1 - discount) / (1 + np.exp(scores - scores[top]))).sum() / ideal
    assert gradient[top] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize(
    "scores",
    [
        "equal",
        "ties",
        "20 apart, in order",
        "20 apart",
        "1000 apart",
        "1000 apart, in order",
        "outlier",
        "tiny",
        "huge",
        "widths",
        "far from zero",
    ],
)
def test_hostile_scores(scores, labels, dtype) -> None:
    rng = np.random.default_rng(2)
    sizes = [90, 1000]
    n = sum(sizes)
    y = labels_of(labels, n, rng)
    best = np.concatenate([y[:90] > np.median(y[:90]), y[90:] > np.median(y[90:])])
    if not best.any():
        best = y > y.min()
    noise = rng.standard_normal(n)
    s = {
        "equal": np.zeros(n),
        "ties": np.round(noise),
        "20 apart, in order": np.where(best, 20.0, 0.0) + 0.1 * noise,
        "20 apart": np.where(rng.random(n) < 0.5, 20.0, 0.0) + noise,
        "1000 apart": np.where(rng.random(n) < 0.5, 1000.0, 0.0) + noise,
        "1000 apart, in order": np.where(best, 1000.0, 0.0),
        "outlier": np.where(np.arange(n) == 1000, 1e30, noise),
        "tiny": 1e-30 * noise,
        "huge": 1e30 * noise,
        "widths": np.sign(noise) * 10.0 ** rng.uniform(-30, 30, n),
        "far from zero": 1e9 + np.round(noise, 2),
    }[scores]
    objective = PairwiseLogistic(normalize="none", ignore_negative_labels=False)
    assert_matches_reference(objective, y, s, dtype, group=sizes)


@pytest.mark.slow
@pytest.mark.parametrize("pair_weight", ["uniform", "label_diff", "ndcg"])
@pytest.mark.parametrize("labels", ["grades", "distinct"])
@pytest.mark.parametrize("scale", [1e4, 1e30])
def test_a_long_query_of_scores_spread_widely(pair_weight, labels, scale) -> None:
    rng = np.random.default_rng(8)
    y, scores = labels_of(labels, 3000, rng), scale * rng.standard_normal(3000)
    scores[:200] = rng.standard_normal(200)  # and some that lie together
    y -= y.min()
    weight = rng.random(3000) if labels == "grades" else None
    objective = PairwiseLogistic(pair_weight=pair_weight)
    for dtype in (np.float32, np.float64):
        assert_matches_reference(objective, y, scores, dtype, sample_weight=weight)


@pytest.mark.slow
def test_all_pairs_in_order_and_far_apart() -> None:
    # The largest gradient is about 1e-9, and is right to 1e-6 of itself.
    for n in (40, 5000):
        y = (np.arange(n) < n // 3).astype(float)
        scores = 28.0 * y + 0.2 * np.random.default_rng(0).standard_normal(n)
        gradient, hessian = PairwiseLogistic(normalize="none").gradient_hessian(y, scores)
        assert 0 < np.abs(gradient).max() < 1e-8
        assert 0 < hessian.max() < 1e-8
        for dtype in (np.float32, np.float64):
            assert_matches_reference(PairwiseLogistic(normalize="none"), y, scores, dtype)
            # And all in the wrong order: the Hessians are as small, the gradients are not.
            assert_matches_reference(PairwiseLogistic(normalize="none"), 1 - y, scores, dtype)


def test_scores_beyond_what_a_temperature_can_divide() -> None:
    scores = np.array([1e308, -1e308, 0.0, 1.0, 2.0])
    objective = PairwiseLogistic(temperature=1e-3, normalize="none")
    assert_matches_reference(objective, [0, 1, 2, 1, 0], scores, loss=False)


@pytest.mark.parametrize("temperature", [1e-3, 0.05, 1.0, 300.0])
def test_temperatures(temperature) -> None:
    rng = np.random.default_rng(3)
    y, scores = rng.integers(0, 50, 4000).astype(float), rng.standard_normal(4000)
    assert_matches_reference(PairwiseLogistic(temperature=temperature), y, scores, group=[100, 900, 3000])


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.floats(-60, 60), st.floats(0, 3)), min_size=1, max_size=40),
    st.sampled_from([np.float32, np.float64]),
)
# A loss of the order of 1 between scores that float32 knows to 1e-6 only.
@example([(0, 0.0, 0.0), (1, 32.43574356891868, 0.0), (1, -0.5, 0.0)], np.float32)
# A loss of 2e-40, below float32's normal numbers.
@example([(0, -32.65625, 0.0), (1, 58.984422233928285, 0.0)], np.float32)
def test_any_small_query(rows, dtype) -> None:
    y, scores, weight = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    assert_matches_reference(PairwiseLogistic(), y, scores, dtype)
    assert_matches_reference(PairwiseLogistic(pair_weight="label_diff"), y, scores, dtype, sample_weight=weight)


def test_scores_on_the_bounds_of_panels() -> None:
    rng = np.random.default_rng(9)
    n = 70_000
    y, scores = (rng.random(n) < 0.001).astype(float), rng.integers(-6, 7, n) / 10
    gradient, _ = PairwiseLogistic(temperature=0.1, normalize="none").gradient_hessian(y, scores)
    d = (scores[y > 0] - scores[:, None]) / 0.1
    wrong = (y[:, None] == 0) / (1 + np.exp(d)) / 0.1
    expected = wrong.sum(axis=1)
    expected[y > 0] -= wrong.sum(axis=0)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


def test_one_query_beyond_what_a_temperature_can_divide_among_others() -> None:
    y, scores = np.array([1.0, 0.0, 1.0, 0.0, 2.0]), np.array([0.0, 1e300, 0.3, 0.1, 0.2])
    for dtype in (np.float32, np.float64):
        assert_matches_reference(PairwiseLogistic(), y, scores, dtype, group=[2, 3])


def test_gains_beyond_float32() -> None:
    y, scores = np.array([130.0, 1.0, 0.0, 129.0]), np.array([0.1, 0.3, 0.2, 0.0])
    assert_matches_reference(PairwiseLogistic(pair_weight="ndcg"), y, scores)


def test_equal_scores_beyond_float32_and_a_truncation() -> None:
    objective = PairwiseLogistic(pair_weight="ndcg", truncation=2)
    assert_matches_reference(objective, [2.0, 0.0, 1.0], np.full(3, 1e39))


def test_weights_of_one_query_do_not_drown_those_of_another() -> None:
    y, weight = np.array([1.0, 0.0, 1.0, 0.0]), np.array([1e12, 1e12, 1e-6, 1e-6])
    objective = PairwiseLogistic(normalize="none", item_weight="both")
    plan = plan_of(objective, y, np.zeros(4), group=[2, 2], sample_weight=weight)
    _, won = CPUEngine().winner_loss(plan, np.zeros(4), spec_of(objective), np.float64)
    np.testing.assert_allclose(won, [1e24, 0, 1e-12, 0])


class TestThreads:
    def shapes(self):
        rng = np.random.default_rng(4)
        sizes = np.concatenate([rng.integers(1, 300, 700), [5000, 70_000, 1, 90_000]])
        n = int(sizes.sum())
        y = np.where(np.arange(n) < n - 90_000, rng.integers(0, 5, n), rng.random(n))
        return y, 2 * rng.standard_normal(n), sizes

    @pytest.mark.parametrize("pair_weight", ["uniform", "label_diff", "ndcg"])
    def test_the_same_bits_for_any_number(self, pair_weight) -> None:
        y, scores, sizes = self.shapes()
        results = []
        for n_threads in (1, 2, 3, 7, None):
            objective = PairwiseLogistic(n_threads=n_threads, pair_weight=pair_weight)
            plan = plan_of(objective, y, scores, group=sizes)
            gradient, hessian = CPUEngine(n_threads).gradient_hessian(plan, scores, spec_of(objective), np.float32)
            loss, _ = CPUEngine(n_threads).winner_loss(plan, scores, spec_of(objective), np.float32)
            results.append((gradient.tobytes(), hessian.tobytes(), loss.tobytes()))
        assert len(set(results)) == 1

    def test_a_large_query_is_the_definition(self) -> None:
        rng = np.random.default_rng(5)
        n = 70_000
        y, scores = (rng.random(n) < 0.002).astype(float), rng.standard_normal(n)
        for pair_weight in ("uniform", "gain_diff"):
            objective = PairwiseLogistic(pair_weight=pair_weight)
            y = y * rng.integers(1, 4, n)
            plan = plan_of(objective, y, scores)
            gradient, hessian = CPUEngine().gradient_hessian(plan, scores, spec_of(objective), np.float32)
            loss, _ = CPUEngine().winner_loss(plan, scores, spec_of(objective), np.float32)
            d = scores[:, None] - scores[y > 0]  # loser minus winner
            gain = 2.0**y
            phi = np.maximum(gain[y > 0] - gain[:, None], 0) if pair_weight == "gain_diff" else y[y > 0] > y[:, None]
            wrong = phi / (1 + np.exp(-d))
            strength = 2 * wrong.sum()
            factor = np.log1p(strength) / np.log(2) / strength
            expected = wrong.sum(axis=1)
            expected[y > 0] -= wrong.sum(axis=0)
            np.testing.assert_allclose(gradient, factor * expected, rtol=0, atol=1e-6 * factor * np.abs(expected).max())
            slope = wrong / (1 + np.exp(d))
            curvature = slope.sum(axis=1)
            curvature[y > 0] += slope.sum(axis=0)
            np.testing.assert_allclose(hessian, factor * curvature, rtol=0, atol=1e-5 * factor * curvature.max())
            losses = (phi * np.logaddexp(0, d)).sum(axis=0)
            np.testing.assert_allclose(loss[y > 0], factor * losses, rtol=0, atol=1e-6 * factor * losses.max())

    @pytest.mark.parametrize("normalize", ["log", "query"])
    def test_a_large_query_weighted_by_delta_ndcg_is_the_definition(self, normalize) -> None:
        rng = np.random.default_rng(7)
        n = 70_000
        y, scores = np.zeros(n), rng.standard_normal(n).round(3)  # with ties
        winners = rng.choice(n, 120, replace=False)
        y[winners] = rng.integers(1, 4, 120)
        weight = rng.random(n) + 0.5
        objective = PairwiseLogistic(pair_weight="ndcg", normalize=normalize)
        plan = plan_of(objective, y, scores, sample_weight=weight)
        gradient, hessian = CPUEngine(3).gradient_hessian(plan, scores, spec_of(objective), np.float32)
        loss, won = CPUEngine(3).winner_loss(plan, scores, spec_of(objective), np.float32)

        rank = np.empty(n)
        rank[np.lexsort((np.arange(n), -scores))] = np.arange(n)
        discount, gain = 1 / np.log2(rank + 2), 2.0**y - 1
        ideal = (np.sort(gain)[::-1] / np.log2(np.arange(n) + 2)).sum()
        d = scores[winners] - scores[:, None]
        phi = np.maximum(gain[winners] - gain[:, None], 0) * np.abs(discount[winners] - discount[:, None]) / ideal
        strength = 2 * (phi / (1 + np.exp(d))).sum()
        phi *= (np.log1p(strength) / np.log(2) / strength if normalize == "log" else n / phi.sum()) * weight[winners]
        wrong = phi / (1 + np.exp(d))
        for result, sums, bound in (
            (gradient, (wrong.sum(axis=1), -wrong.sum(axis=0)), 1e-6),
            (hessian, [(wrong / (1 + np.exp(-d))).sum(axis=axis) for axis in (1, 0)], 1e-5),
            (loss, (np.zeros(n), (phi * np.logaddexp(0, -d)).sum(axis=0)), 1e-6),
            (won, (np.zeros(n), phi.sum(axis=0)), 1e-6),
        ):
            expected = sums[0]
            expected[winners] += sums[1]
            np.testing.assert_allclose(result, expected, rtol=0, atol=bound * np.abs(expected).max())

    def test_one_winner_in_a_million(self) -> None:
        n = 1_000_000
        scores = np.random.default_rng(6).standard_normal(n)
        scores[777] = 3e30  # an outlier takes one panel
        y = np.zeros(n)
        y[5] = 1.0
        gradient, hessian = PairwiseLogistic(normalize="none").gradient_hessian(y, scores.astype(np.float32))
        d = scores.astype(np.float32).astype(float) - float(np.float32(scores[5]))
        with np.errstate(over="ignore"):
            wrong = 1 / (1 + np.exp(-d))
        wrong[5] = 0
        assert gradient[5] == pytest.approx(-wrong.sum(), rel=1e-6)
        assert hessian[5] == pytest.approx((wrong * (1 - wrong)).sum(), rel=1e-5)
        np.testing.assert_allclose(np.delete(gradient, 5), np.delete(wrong, 5), atol=1e-6)

    @pytest.mark.slow
    def test_after_a_fork_and_in_joblibs_processes(self) -> None:
        program = (
            "import multiprocessing, numpy as np\n"
            "from gbdt_pairloss import PairwiseLogistic\n"
            "rng = np.random.default_rng(0)\n"
            "y, s = rng.integers(0, 3, 300_000), rng.standard_normal(300_000)\n"
            "def work(_): return PairwiseLogistic(n_threads=2).gradient_hessian(y, s, group=[100] * 3000)[0].sum()\n"
            "here = work(0)\n"
            "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
            "    assert pool.map(work, range(4)) == [here] * 4\n"
            "print('same')\n"
        )
        if not hasattr(os, "fork"):
            pytest.skip("no fork here")
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
        assert done.stdout.strip() == "same", done.stderr


def test_bpr_of_many_users() -> None:
    rng = np.random.default_rng(7)
    y = np.tile(np.r_[np.ones(20), np.zeros(1980)], 5)
    assert_matches_reference(BPR(), y, rng.standard_normal(y.size), group=[2000] * 5)


@pytest.mark.parametrize(
    ("parameters", "labels", "message"),
    [
        ({"pair_weight": "ndcg", "ignore_negative_labels": False}, [1, -1], "no gain for the negative label -1"),
        ({"pair_weight": "gain_diff"}, [5000, 0], 'gain="exp2" overflows for the label 5000'),
    ],
)
def test_labels_without_a_gain(parameters, labels, message) -> None:
    with pytest.raises(ValueError, match=message):
        PairwiseLogistic(**parameters).gradient_hessian(labels, [0.1, 0.2])


def test_a_truncation_without_ranks() -> None:
    with pytest.raises(ValueError, match='truncation belongs to pair_weight="ndcg"'):
        PairwiseLogistic(truncation=10)
    with pytest.raises(ValueError, match="truncation must be a whole number above 0"):
        PairwiseLogistic(pair_weight="ndcg", truncation=0)


def test_kernels_are_cached_on_disk(tmp_path) -> None:
    program = (
        "import numpy as np\n"
        "from gbdt_pairloss.engine.cpu.query_sums import read_scores as kernel\n"  # a small one
        "kernel(0, 2, np.ones(2), np.arange(2), np.empty(2))\n"
        "print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    runs = [
        subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert [run.stdout.split() for run in runs] == [["0", "1"], ["1", "0"]]

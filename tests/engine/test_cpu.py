"""The CPU engine where it differs from others: large queries that threads share, processes, and compiled code."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from _support.engines import assert_matches_reference, cpu_engine, plan_of, spec_of

from gbdt_pairloss import BPR, PairwiseExponential, PairwiseHinge, PairwiseLogistic, PairwiseSoftZeroOne


def test_a_large_query_agrees_with_the_definition() -> None:
    rng = np.random.default_rng(5)
    n = 70_000
    y, scores = (rng.random(n) < 0.002).astype(float), rng.standard_normal(n)
    for pair_weight in ("uniform", "gain_diff"):
        objective = PairwiseLogistic(pair_weight=pair_weight)
        y = y * rng.integers(1, 4, n)
        plan, spec = plan_of(objective, y, scores), spec_of(objective)
        engine = cpu_engine(plan, spec, n_threads=None)
        gradient, hessian = engine.gradient_hessian(plan, scores, spec, np.float32)
        loss, _ = engine.winner_loss(plan, scores, spec, np.float32)
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
def test_a_large_query_weighted_by_delta_ndcg_is_the_definition(normalize) -> None:
    rng = np.random.default_rng(7)
    n = 70_000
    y, scores = np.zeros(n), rng.standard_normal(n).round(3)  # with ties
    winners = rng.choice(n, 120, replace=False)
    y[winners] = rng.integers(1, 4, 120)
    weight = rng.random(n) + 0.5
    objective = PairwiseLogistic(pair_weight="ndcg", normalize=normalize)
    plan, spec = plan_of(objective, y, scores, sample_weight=weight), spec_of(objective)
    engine = cpu_engine(plan, spec, n_threads=3)
    gradient, hessian = engine.gradient_hessian(plan, scores, spec, np.float32)
    loss, won = engine.winner_loss(plan, scores, spec, np.float32)

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


def test_all_pairs_of_a_large_query_with_delta_ndcg() -> None:
    rng = np.random.default_rng(10)
    n = 200_000
    y, scores = rng.integers(0, 5, n), rng.standard_normal(n)
    for objective in (PairwiseLogistic(pair_weight="ndcg"), PairwiseLogistic(pair_weight="ndcg", truncation=10)):
        gradient, hessian = objective.gradient_hessian(y, scores.astype(np.float32))
        assert abs(gradient.sum(dtype=float)) < 1e-5 * np.abs(gradient).sum(dtype=float)
        assert hessian.min() >= 0
    # The pairs of the row on top have a simple sum.
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


def test_one_winner_in_a_million() -> None:
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


CALLED_AT_ONCE = {
    "logistic": PairwiseLogistic(),
    "ndcg": PairwiseLogistic(pair_weight="ndcg"),
    "lambdarank": PairwiseLogistic(pair_weight="lambdarank", truncation=10),
    "hinge": PairwiseHinge(),
    "exponential": PairwiseExponential(pair_weight="gain_diff"),
    "soft zero-one": PairwiseSoftZeroOne(),
    "drawn": BPR(negatives=2, random_state=0),
}


@pytest.mark.parametrize("name", CALLED_AT_ONCE)
def test_calls_at_once_with_one_plan_change_no_bit(name) -> None:
    rng = np.random.default_rng(3)
    sizes = [*rng.integers(1, 60, 100), 66_000]
    n = sum(sizes)
    y = (rng.random(n) < 0.01).astype(float)
    objective = CALLED_AT_ONCE[name]
    plan, spec = plan_of(objective, y, y, group=sizes), spec_of(objective)
    all_scores = rng.standard_normal((3, n))

    def call(scores):
        engine = cpu_engine(plan, spec, n_threads=2)
        gradient, hessian = engine.gradient_hessian(plan, scores, spec, np.float32)
        loss, _ = engine.winner_loss(plan, scores, spec, np.float32)
        return [array.tobytes() for array in (gradient, hessian, loss)]

    with ThreadPoolExecutor(3) as pool:
        at_once = list(pool.map(call, all_scores))
    assert at_once == [call(scores) for scores in all_scores]


@pytest.mark.slow
def test_threads_after_a_fork() -> None:
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


@pytest.mark.parametrize("pair_weight", ["uniform", "ndcg"])
def test_the_first_gradient_of_a_process_needs_no_preparation(pair_weight, tmp_path) -> None:
    program = (
        "import time, numpy as np\n"
        "from gbdt_pairloss import PairwiseLogistic\n"
        f"objective = PairwiseLogistic(pair_weight={pair_weight!r})\n"
        "y, scores = np.arange(1000.0) % 5, np.linspace(0, 1, 1000)\n"
        "start = time.perf_counter()\n"
        "objective.gradient_hessian(y, scores, group=[100] * 10)\n"
        "print(time.perf_counter() - start)\n"
    )
    tmp_path.chmod(0o500)  # a home where nothing can be kept for the next process
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    # 0.05 s on an idle machine, most of it imports of scikit-learn; compiling anything would take seconds.
    assert float(done.stdout) < 2


@pytest.mark.parametrize("n", [4, 1_100, 70_000])
def test_scores_that_the_temperature_makes_equal_are_ranked_as_they_are(n) -> None:
    """Scores one unit in the last place apart are equal after the division by 3; scores 1e-9 apart are not."""
    y, equal, apart = np.zeros(n), np.full(n, 0.1), np.full(n, 0.1)
    y[1:3] = [1, 2]
    equal[:3] = 1.5, np.nextafter(1.5, 2), np.nextafter(np.nextafter(1.5, 2), 2)
    apart[:3] = 1.5 + 1e-9 * np.arange(3)
    objective = PairwiseLogistic(pair_weight="ndcg", temperature=3.0)
    for one, other in zip(
        *(objective.gradient_hessian(y, scores, group=[n]) for scores in (equal, apart)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5)


@pytest.mark.parametrize("factor", [1e-11, 1.0, 1e11])
@pytest.mark.parametrize("spread", [39.0, 41.0, 78.0])
def test_values_of_any_size_keep_their_digits_in_float32(factor, spread) -> None:
    y, scores = np.array([2.0, 1, 1, 0]) * factor, np.array([spread, spread, spread, 0])
    for normalize in ("none", "query", "log"):
        objective = PairwiseLogistic(pair_weight="label_diff", normalize=normalize)
        assert_matches_reference(cpu_engine, objective, y, scores, np.float32, group=[4])


def test_a_sum_that_only_its_factor_brings_into_float32_is_computed() -> None:
    y, scores = np.array([2.0, 1, 1, 0]), np.array([78.0, 78, 78, 0])
    objective = PairwiseLogistic(pair_weight="gain_diff")
    assert_matches_reference(cpu_engine, objective, 12 * y, scores, np.float32, group=[4])
    objective = PairwiseLogistic(pair_weight="label_diff", normalize="query")
    weights = np.full(4, 3e37)
    assert_matches_reference(cpu_engine, objective, y, scores, np.float32, loss=False, group=[4], sample_weight=weights)

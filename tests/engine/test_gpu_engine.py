"""The GPU engine against the definition: its kernels in a simulator and, where there is one, on a device.

The simulator (simulator.h) is a C++ compiler and the kernels as they stand. On a device the tests that are marked gpu
run too.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from _support.engines import (
    LABELS,
    SIZES,
    assert_matches,
    assert_matches_reference,
    gpu_engine,
    labels_of,
    on_host,
    plan_of,
    spec_of,
)
from _support.simulator import SimulatedDevice, compiler

from gbdt_pairloss import BPR, PairwiseLogistic
from gbdt_pairloss._device import cuda_device, has_device
from gbdt_pairloss.engine.cpu.pair_by_pair import PairByPairEngine

#: More rows than a query without a tree has: one tree of two leaves, and deeper ones.
LARGE = [4900, 40, 4200]

needs_compiler = pytest.mark.skipif(compiler is None, reason="no C++ compiler for the simulator")
needs_device = pytest.mark.skipif(not has_device(), reason="no CUDA device, or no CuPy")


@pytest.fixture(
    params=[
        pytest.param("simulator", marks=needs_compiler),
        pytest.param("cuda", marks=[pytest.mark.gpu, needs_device]),
    ]
)
def device(request):
    return SimulatedDevice() if request.param == "simulator" else cuda_device()


def slow(*values):
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]


#: Both precisions; the compiler takes its time for the second.
DTYPES = [np.float32, *slow(np.float64)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("labels", ["grades", "distinct", *slow(*LABELS[1:3], *LABELS[4:])])
def test_every_size_of_query(device, labels, dtype) -> None:
    rng = np.random.default_rng(0)
    y = labels_of(labels, sum(SIZES), rng)
    scores = 1.5 * rng.standard_normal(y.size) + 0.3 * (y - y.mean())
    objective = PairwiseLogistic(ignore_negative_labels=False)
    assert_matches_reference(gpu_engine(device), objective, y, scores, dtype, group=SIZES)


WEIGHTS: list = [("uniform", "log"), ("label_diff", "query")]
_ALL_WEIGHTS = itertools.product(["uniform", "label_diff", "gain_diff"], ["log", "query", "none"])
WEIGHTS += [pytest.param(*both, marks=pytest.mark.slow) for both in _ALL_WEIGHTS if both not in WEIGHTS]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("pair_weight", "normalize"), WEIGHTS)
@pytest.mark.parametrize("weighted", [False, True])
def test_weights(device, pair_weight, normalize, weighted, dtype) -> None:
    rng = np.random.default_rng(1)
    y = rng.uniform(0, 4, sum(SIZES))
    y[: y.size // 2] = np.round(y[: y.size // 2])
    scores = 2 * rng.standard_normal(y.size) + y
    weight = np.where(rng.random(y.size) < 0.2, 0.0, rng.uniform(0.1, 5, y.size)) if weighted else None
    objective = PairwiseLogistic(
        item_weight="both", pair_weight=pair_weight, normalize=normalize, temperature=0.7, hessian_scale=2.0
    )
    mask = rng.random(y.size) < 0.8
    for own_mask in (None, mask):
        given = {"group": SIZES, "sample_weight": weight, "mask": own_mask}
        assert_matches_reference(gpu_engine(device), objective, y, scores, dtype, **given)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("normalize", ["query", *slow("log", "none")])
@pytest.mark.parametrize(
    "delta",
    [
        {"pair_weight": "ndcg"},
        *slow({"pair_weight": "ndcg", "gain": "linear", "truncation": 10}),
        *slow({"pair_weight": "lambdarank"}),
        *slow({"pair_weight": "lambdarank", "truncation": 30, "temperature": 0.5}),
    ],
)
def test_delta_ndcg(device, delta, normalize, dtype) -> None:
    rng = np.random.default_rng(8)
    y = rng.uniform(0, 4, sum(SIZES))
    y[: y.size // 2] = np.round(y[: y.size // 2])
    y[:2] = 0  # an ideal DCG of 0
    scores = np.where(rng.random(y.size) < 0.5, np.round(2 * rng.standard_normal(y.size)), rng.standard_normal(y.size))
    scores[10:20] = 1.0  # a query of equal scores
    weight = np.where(rng.random(y.size) < 0.2, 0.0, rng.uniform(0.1, 5, y.size))
    objective = PairwiseLogistic(**delta, normalize=normalize)
    for own_weight in (None, weight):
        assert_matches_reference(gpu_engine(device), objective, y, scores, dtype, group=SIZES, sample_weight=own_weight)


def weight_of_labels(winner: float, loser: float) -> float:
    return 0.0 if winner == 2 else winner**2 - loser


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("normalize", ["log", *slow("query", "none")])
def test_weights_of_pairs_by_a_callable(device, normalize, dtype) -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(0, 5, sum(SIZES)).astype(float)
    objective = PairwiseLogistic(pair_weight=weight_of_labels, normalize=normalize)
    scores, weight = rng.standard_normal(y.size), rng.random(y.size)
    for own_weight in (None, weight):
        assert_matches_reference(gpu_engine(device), objective, y, scores, dtype, group=SIZES, sample_weight=own_weight)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("normalize", ["log", *slow("query", "none")])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_explicit_pairs(device, normalize, weighted, scale, dtype) -> None:
    rng = np.random.default_rng(4)
    sizes = [40, 3, 300, 900]
    n = sum(sizes)
    begin = np.repeat(np.cumsum([0, *sizes[:-1]]), sizes)
    size = np.repeat(sizes, sizes)
    winner = rng.choice(n, 5000)
    winner[:2000] = 50  # a row with many pairs
    loser = begin[winner] + rng.integers(0, size[winner])
    different = winner != loser
    pairs: tuple[np.ndarray, ...] = (winner[different], loser[different])
    weight = None
    if weighted:
        pairs, weight = (*pairs, rng.random(different.sum())), rng.random(n)
    scores = scale * rng.standard_normal(n)
    objective = PairwiseLogistic(normalize=normalize, temperature=2.0)
    mask = rng.random(n) < 0.9
    plan = plan_of(objective, np.zeros(n), scores, group=sizes, sample_weight=weight, mask=mask, pairs=pairs)
    assert_matches(PairByPairEngine(), gpu_engine(device), objective, plan, scores, dtype)


#: Those that the default run has, and the others.
USUAL = ["ties", "1000 apart", "far outlier"]
UNUSUAL = ["equal", "20 apart", "outlier", "tiny", "huge", "widths", "far from zero"]
SCORES = [*USUAL, *slow(*UNUSUAL)]


def scores_of(kind: str, n: int, rng) -> np.ndarray:
    noise = rng.standard_normal(n)
    return {
        "equal": np.zeros(n),
        "ties": np.round(noise),
        "20 apart": np.where(rng.random(n) < 0.5, 20.0, 0.0) + noise,
        "1000 apart": np.where(rng.random(n) < 0.5, 1000.0, 0.0) + noise,
        "outlier": np.where(np.arange(n) == 1000, 1e6, noise),
        "far outlier": np.where(np.arange(n) == 1000, 1e30, noise),
        "tiny": 1e-30 * noise,
        "huge": 1e30 * noise,
        "widths": np.sign(noise) * 10.0 ** rng.uniform(-30, 30, n),
        "far from zero": 1e9 + np.round(noise, 2),
    }[kind]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scores", SCORES)
@pytest.mark.parametrize("pair_weight", ["uniform", *slow("ndcg")])
def test_hostile_scores(device, scores, pair_weight, dtype) -> None:
    rng = np.random.default_rng(2)
    sizes = [90, 1000]
    s = scores_of(scores, sum(sizes), rng)
    objective = PairwiseLogistic(pair_weight=pair_weight, normalize="none", ignore_negative_labels=False)
    for labels in ("grades", "distinct"):
        y = labels_of(labels, s.size, rng)
        y = y - y.min() if pair_weight == "ndcg" else y
        assert_matches_reference(gpu_engine(device), objective, y, s, dtype, group=sizes)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("labels", ["grades", "distinct", *slow("binary", "near a million", "one winner")])
def test_large_queries(device, labels, dtype) -> None:
    rng = np.random.default_rng(5)
    y = labels_of(labels, sum(LARGE), rng)
    scores = 3 * rng.standard_normal(y.size) + 0.3 * (y - y.mean())
    objective = PairwiseLogistic(ignore_negative_labels=False)
    assert_matches_reference(gpu_engine(device), objective, y, scores, dtype, group=LARGE)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("normalize", ["log", *slow("query")])
@pytest.mark.parametrize("pair_weight", ["label_diff", *slow("uniform")])
def test_large_queries_with_weights(device, pair_weight, normalize, dtype) -> None:
    rng = np.random.default_rng(6)
    y = rng.uniform(0, 4, sum(LARGE))
    weight = np.where(rng.random(y.size) < 0.2, 0.0, rng.uniform(0.1, 5, y.size))
    objective = PairwiseLogistic(pair_weight=pair_weight, normalize=normalize, item_weight="both", temperature=0.3)
    scores = rng.standard_normal(y.size)
    assert_matches_reference(gpu_engine(device), objective, y, scores, dtype, group=LARGE, sample_weight=weight)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scores", SCORES)
@pytest.mark.parametrize("labels", ["grades", "distinct"])
def test_hostile_scores_of_large_queries(device, scores, labels, dtype) -> None:
    rng = np.random.default_rng(7)
    y = labels_of(labels, sum(LARGE), rng)
    s = scores_of(scores, y.size, rng)
    objective = PairwiseLogistic(ignore_negative_labels=False)
    assert_matches_reference(gpu_engine(device), objective, y, s, dtype, group=LARGE)


def test_large_queries_in_order_and_far_apart(device) -> None:
    # The largest gradient is about 1e-9, and is right to 1e-6 of itself.
    y = (np.arange(5000) < 1600).astype(float)
    scores = 28.0 * y + 0.2 * np.random.default_rng(0).standard_normal(y.size)
    for labels in (y, 1 - y):
        assert_matches_reference(gpu_engine(device), PairwiseLogistic(normalize="none"), labels, scores)


@pytest.mark.parametrize("distance", [81.0, 85.0])
def test_gradients_next_to_the_smallest_number(device, distance) -> None:
    scores = np.array([distance, 0.0])
    assert_matches_reference(gpu_engine(device), PairwiseLogistic(normalize="none"), [1, 0], scores)


def test_a_large_query_among_many(device) -> None:
    # Tiles of rows that belong to many queries, and to a tree's last leaf.
    rng = np.random.default_rng(11)
    sizes = [*rng.integers(0, 4, 300), 5001, *rng.integers(0, 40, 20), 0]
    y = rng.integers(0, 3, sum(sizes)).astype(float)
    assert_matches_reference(gpu_engine(device), PairwiseLogistic(), y, rng.standard_normal(y.size), group=sizes)


def test_bpr(device) -> None:
    rng = np.random.default_rng(12)
    y = (rng.random(sum(SIZES)) < 0.1).astype(float)
    scores, weight = rng.standard_normal(y.size), rng.random(y.size)
    assert_matches_reference(gpu_engine(device), BPR(), y, scores, group=SIZES, loser_weight=weight)


@needs_compiler
@pytest.mark.parametrize("pair_weight", ["uniform", "label_diff", "ndcg"])
def test_results_do_not_depend_on_the_order_of_threads(pair_weight) -> None:
    rng = np.random.default_rng(13)
    sizes = [50, 700] if pair_weight == "ndcg" else LARGE
    y = rng.uniform(0, 4, sum(sizes))
    scores, weight = 2 * rng.standard_normal(y.size), rng.random(y.size)
    objective = PairwiseLogistic(pair_weight=pair_weight)
    plan = plan_of(objective, y, scores, group=sizes, sample_weight=weight)
    forwards, backwards = (
        on_host(gpu_engine(SimulatedDevice(backwards=b)).gradient_hessian(plan, scores, spec_of(objective), np.float32))
        for b in (False, True)
    )
    for one, other in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.gpu
@needs_device
def test_results_are_the_same_every_time() -> None:
    rng = np.random.default_rng(14)
    y, scores = rng.uniform(0, 4, 300_000), rng.standard_normal(300_000).astype(np.float32)
    sizes = [*([120] * 1000), 3000, 3000, 174_000]
    for objective in (PairwiseLogistic(), PairwiseLogistic(pair_weight="label_diff")):
        plan = plan_of(objective, y, scores, group=sizes)
        engine = gpu_engine(cuda_device())
        first = on_host(engine.gradient_hessian(plan, scores, spec_of(objective), np.float32))
        for _ in range(5):
            again = on_host(engine.gradient_hessian(plan, scores, spec_of(objective), np.float32))
            for one, other in zip(first, again, strict=True):
                np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("sizes", [[20, 30], LARGE])
def test_bad_scores_are_named(device, sizes) -> None:
    rng = np.random.default_rng(15)
    y = rng.integers(0, 3, sum(sizes)).astype(float)
    for bad in (np.nan, np.inf):
        scores = rng.standard_normal(y.size)
        plan = plan_of(PairwiseLogistic(), y, scores, group=sizes)
        scores[[31, 44]] = bad
        with pytest.raises(ValueError, match="the score is (nan|inf) at row 31"):
            gpu_engine(device).gradient_hessian(plan, scores, spec_of(PairwiseLogistic()), np.float32)


def test_results_out_of_range_are_refused(device) -> None:
    y, weight = np.array([1.0, 0.0]), np.array([1e300, 1e300])
    objective = PairwiseLogistic(normalize="none")
    plan = plan_of(objective, y, y, sample_weight=weight)
    with pytest.raises(ValueError, match="leaves the range of float32"):
        gpu_engine(device).gradient_hessian(plan, y, spec_of(objective), np.float32)


def test_rows_that_take_no_part(device) -> None:
    y, scores = np.arange(6.0), np.array([0.0, 1, np.nan, 2, 3, 4])
    objective = PairwiseLogistic()
    mask = np.isfinite(scores)
    plan = plan_of(objective, y, np.zeros(6), mask=mask)
    gradient, hessian = on_host(gpu_engine(device).gradient_hessian(plan, scores, spec_of(objective), np.float32))
    assert gradient[2] == hessian[2] == 0
    assert (hessian[mask] > 0).all()
    empty = plan_of(objective, y, np.zeros(6), mask=np.zeros(6, dtype=bool))
    for array in on_host(gpu_engine(device).gradient_hessian(empty, scores, spec_of(objective), np.float32)):
        np.testing.assert_array_equal(array, np.zeros(6))


_SANITIZED = """
import numpy as np

from _support.engines import gpu_engine, plan_of, spec_of
from gbdt_pairloss import PairwiseLogistic
from gbdt_pairloss.engine.cpu.pair_by_pair import PairByPairEngine
from _support.simulator import SimulatedDevice

rng = np.random.default_rng(0)
device = SimulatedDevice(flags=("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-g"))
sizes = [1, 30, 0, 700, 4500, 129]
n = sum(sizes)
y, scores, weight = rng.integers(0, 4, n).astype(float), rng.standard_normal(n), rng.random(n)
for parameters in ({}, {"pair_weight": "label_diff"}, {"pair_weight": "ndcg"}):
    objective = PairwiseLogistic(**parameters)
    for own_weight in (None, weight):
        plan = plan_of(objective, y, scores, group=sizes, sample_weight=own_weight)
        engine = gpu_engine(device)
        engine.gradient_hessian(plan, scores, spec_of(objective), np.float32)
        engine.winner_loss(plan, scores, spec_of(objective), np.float32)
winner = rng.integers(40, 700, 3000)
pairs = (winner, np.where(winner == 50, 51, 50))
plan = plan_of(PairwiseLogistic(), y, scores, group=sizes, pairs=pairs)
gpu_engine(device).gradient_hessian(plan, scores, spec_of(PairwiseLogistic()), np.float32)
print("done")
"""


@pytest.mark.slow
@needs_compiler
def test_no_kernel_leaves_its_arrays() -> None:
    # Under the compiler's own sanitizers, in a process that begins with them.
    found = subprocess.run([str(compiler), "-print-file-name=libasan.so"], capture_output=True, text=True, check=True)
    environment = {
        **os.environ,
        "LD_PRELOAD": found.stdout.strip(),
        "ASAN_OPTIONS": "detect_leaks=0:detect_stack_use_after_return=0",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    result = subprocess.run(
        [sys.executable, "-c", _SANITIZED], env=environment, capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stderr[-4000:]
    assert result.stdout.strip() == "done"

"""The CUDA engine where it differs from others: trees over large queries, and memory that kernels must not leave.

The kernels run in a simulator (simulator.h), a C++ compiler with one thread after another, and on a device where there
is one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from _support.engines import (
    CUDA,
    DTYPES,
    ENGINES,
    LARGE,
    SCORES,
    assert_matches_reference,
    labels_of,
    needs_compiler,
    on_engines,
    on_every_engine,
    plan_of,
    scores_of,
    some_zero,
    spec_of,
)
from _support.simulator import SimulatedDevice, compiler

from gbdt_pairloss import PairwiseLogistic, PairwiseMeanSquaredError
from gbdt_pairloss._device import cuda_device
from gbdt_pairloss.engine.cuda.computation import Computation
from gbdt_pairloss.engine.cuda.plan import GPUPlan
from gbdt_pairloss.engine.draws import noised_scores


@on_every_engine(
    {"labels": ["grades", "distinct"]},
    CUDA,
    labels=["grades", "distinct", "binary", "near a million", "one winner"],
    dtype=DTYPES,
)
def test_large_queries(engine, labels, dtype) -> None:
    rng = np.random.default_rng(5)
    y = labels_of(labels, sum(LARGE), rng)
    scores = 3 * rng.standard_normal(y.size) + 0.3 * (y - y.mean())
    objective = PairwiseLogistic(ignore_negative_labels=False)
    assert_matches_reference(ENGINES[engine], objective, y, scores, dtype, group=LARGE)


@on_every_engine(
    {"pair_weight": ["label_diff"], "normalize": ["log"]},
    CUDA,
    pair_weight=["label_diff", "uniform"],
    normalize=["log", "query"],
    dtype=DTYPES,
)
def test_large_queries_with_weights(engine, pair_weight, normalize, dtype) -> None:
    rng = np.random.default_rng(6)
    y = rng.uniform(0, 4, sum(LARGE))
    weight = some_zero(y.size, rng)
    objective = PairwiseLogistic(pair_weight=pair_weight, normalize=normalize, item_weight="both", temperature=0.3)
    scores = rng.standard_normal(y.size)
    assert_matches_reference(ENGINES[engine], objective, y, scores, dtype, group=LARGE, sample_weight=weight)


@pytest.mark.slow
@on_every_engine(None, CUDA, scores=SCORES, labels=["grades", "distinct"], dtype=DTYPES)
def test_hostile_scores_of_large_queries(engine, scores, labels, dtype) -> None:
    rng = np.random.default_rng(7)
    y = labels_of(labels, sum(LARGE), rng)
    s = scores_of(scores, y, LARGE, rng)
    objective = PairwiseLogistic(ignore_negative_labels=False)
    assert_matches_reference(ENGINES[engine], objective, y, s, dtype, group=LARGE)


@on_engines(*CUDA)
def test_a_large_query_among_many(engine) -> None:
    # There are tiles of rows that belong to many queries, and to the last leaf of a tree.
    rng = np.random.default_rng(11)
    sizes = [*rng.integers(0, 4, 300), 5001, *rng.integers(0, 40, 20), 0]
    y = rng.integers(0, 3, sum(sizes)).astype(float)
    assert_matches_reference(ENGINES[engine], PairwiseLogistic(), y, rng.standard_normal(y.size), group=sizes)


@on_engines(*CUDA)
def test_bad_scores_of_large_queries_are_named(engine) -> None:
    rng = np.random.default_rng(15)
    objective, y = PairwiseLogistic(), rng.integers(0, 3, sum(LARGE)).astype(float)
    for bad in (np.nan, np.inf):
        scores = rng.standard_normal(y.size)
        plan, spec = plan_of(objective, y, scores, group=LARGE), spec_of(objective)
        scores[[31, 44]] = bad
        with pytest.raises(ValueError, match="the score is (nan|inf) at row 31"):
            ENGINES[engine](plan, spec).gradient_hessian(plan, scores, spec, np.float32)


@on_engines(*CUDA)
@pytest.mark.parametrize("dtype", DTYPES)
def test_ranks_with_noise_are_those_of_the_definition(engine, dtype) -> None:
    rng = np.random.default_rng(19)
    sizes = [0, 1, 2, 40, 1500]
    objective = PairwiseLogistic(pair_weight="ndcg", rank_noise=0.3, temperature=0.7, random_state=2**64 - 1)
    y, scores = rng.integers(0, 4, sum(sizes)).astype(float), np.round(rng.standard_normal(sum(sizes)), 1).astype(dtype)
    plan = plan_of(objective, y, scores, group=sizes, mask=rng.random(y.size) < 0.9)
    spec, x = spec_of(objective), plan.gather(scores)
    device = SimulatedDevice() if engine == "simulator" else cuda_device()
    call = Computation(device, plan, GPUPlan.of(plan, device), device.upload(scores), spec, np.dtype(np.float64))
    call.read()
    ranks = call.rank()
    z, rank = device.download(ranks["x"]), device.download(ranks["rank"])
    for rows in map(slice, plan.ptr[:-1], plan.ptr[1:]):
        expected = noised_scores(x[rows], plan.rows[rows], spec.delta.noise, spec.temperature)
        np.testing.assert_array_equal(z[rows], expected)
        np.testing.assert_array_equal(rank[rows], np.argsort(np.lexsort((plan.rows[rows], -expected))))


@on_engines(*CUDA)
def test_noised_scores_of_a_query_may_be_tied(engine) -> None:
    # Noise of less than the digits of the scores: they stay equal, and their distance does not count.
    objective = PairwiseLogistic(pair_weight="lambdarank", rank_noise=1e-12)
    y, scores = np.arange(6.0), np.array([1e6, 1e6, 1e6, 0.0, 0.0, 0.0])
    assert_matches_reference(ENGINES[engine], objective, y, scores, group=[3, 3])


@on_every_engine(None, CUDA, weighted=[False, True], dtype=DTYPES)
def test_squared_residuals_of_large_queries(engine, weighted, dtype) -> None:
    rng = np.random.default_rng(20)
    y, scores = rng.uniform(0, 4, sum(LARGE)), rng.standard_normal(sum(LARGE))
    objective = PairwiseMeanSquaredError(item_weight="both")
    weight = some_zero(y.size, rng) if weighted else None
    assert_matches_reference(ENGINES[engine], objective, y, scores, dtype, group=LARGE, sample_weight=weight)


@on_engines(*CUDA)
@pytest.mark.parametrize("dtype", DTYPES)
def test_an_outlier_of_little_weight_costs_no_digits(engine, dtype) -> None:
    rng = np.random.default_rng(21)
    y, scores, weight = rng.uniform(0, 4, 50), rng.standard_normal(50), rng.uniform(0.5, 1.5, 50)
    scores[0], weight[0] = 1e20, 1e-40
    objective = PairwiseMeanSquaredError(item_weight="both")
    assert_matches_reference(ENGINES[engine], objective, y, scores, dtype, sample_weight=weight)
    weight[0] = 0.0
    scores[0] = 1e308  # whose residual is infinite
    objective = PairwiseMeanSquaredError(item_weight="both", temperature=0.1)
    given = {"group": [50], "sample_weight": weight}
    assert_matches_reference(ENGINES[engine], objective, y, scores, dtype, **given)


_SANITIZED = """
import numpy as np

from _support.engines import gpu_engine, plan_of, spec_of
from gbdt_pairloss import PairwiseLogistic, PairwiseMeanSquaredError
from _support.simulator import SimulatedDevice

rng = np.random.default_rng(0)
device = SimulatedDevice(flags=("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-g"))
sizes = [1, 30, 0, 700, 4500, 129]
n = sum(sizes)
y, scores, weight = rng.integers(0, 4, n).astype(float), rng.standard_normal(n), rng.random(n)
for objective in (
    PairwiseLogistic(),
    PairwiseLogistic(pair_weight="label_diff"),
    PairwiseLogistic(pair_weight="ndcg"),
    PairwiseLogistic(pair_weight="lambdarank", rank_noise=1.0),
    PairwiseMeanSquaredError(),
):
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
    # The compiler's sanitizers have to be loaded before anything else.
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

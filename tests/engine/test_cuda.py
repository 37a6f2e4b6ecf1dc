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
from _support.simulator import compiler

from gbdt_pairloss import PairwiseLogistic


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


_SANITIZED = """
import numpy as np

from _support.engines import gpu_engine, plan_of, spec_of
from gbdt_pairloss import PairwiseLogistic
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

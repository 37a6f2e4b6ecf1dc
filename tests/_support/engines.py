"""Engines against the definition, for the tests of each."""

from __future__ import annotations

from functools import partial

import numpy as np

from gbdt_pairloss._device import CudaDevice, is_on_device
from gbdt_pairloss.engine.cuda.engine import GPUEngine
from gbdt_pairloss.engine.reference import ReferenceEngine
from gbdt_pairloss.engine.select import select_cpu_engine
from gbdt_pairloss.objectives._evaluator import ObjectiveEvaluator
from gbdt_pairloss.ranking._reading import read_arrays

#: Largest error of a gradient and a Hessian, and of a query's loss, as a share of the query's largest.
BOUNDS = {np.float32: (1e-6, 1e-5, 1e-6), np.float64: (1e-12, 1e-12, 1e-12)}


def spec_of(objective):
    """What an objective asks an engine for."""
    return ObjectiveEvaluator(objective).spec


def gpu_engine(device):
    """The CUDA engine, with the CPU's for what it does not take."""
    return GPUEngine(device, partial(select_cpu_engine, None))


def plan_of(objective, y, scores, **kwargs):
    arguments = {"group": None, "qid": None, "sample_weight": None, "mask": None, **kwargs}
    return ObjectiveEvaluator(objective).plan(read_arrays(y, scores, **arguments).data)


def share_of_largest(error, exact, query, smallest):
    largest = np.zeros(query.max() + 1)
    np.maximum.at(largest, query, np.abs(exact))
    worst = np.zeros(largest.size)
    np.maximum.at(worst, query, np.abs(error))
    # Below float32's normal numbers every operation rounds to a multiple of the smallest: loss, factor, sum.
    return np.max(worst / np.maximum(largest, smallest / 1e-6), initial=0.0)


def assert_matches_reference(engine, objective, y, scores, dtype=np.float32, loss=True, **kwargs) -> None:
    y = np.asarray(y, dtype=float)
    plan = plan_of(objective, y, scores, **kwargs)
    assert_matches(ReferenceEngine(), engine, objective, plan, scores, dtype, loss)


def assert_matches(exact, engine, objective, plan, scores, dtype, loss=True) -> None:
    query = np.zeros(plan.n_rows, dtype=int)
    query[plan.rows] = np.repeat(np.arange(plan.n_queries), np.diff(plan.ptr))
    flat = np.asarray(scores, dtype=float).ravel()
    pairs = spec_of(objective)
    bounds = BOUNDS[dtype]
    # On a CUDA device numbers that are not normal are 0: CuPy compiles so.
    flushes = isinstance(getattr(engine, "device", None), CudaDevice)
    smallest = np.finfo(np.float32).tiny if flushes else 3 * np.finfo(np.float32).smallest_subnormal
    for name, array, expected, bound in zip(
        ("gradient", "Hessian"),
        on_host(engine.gradient_hessian(plan, flat, pairs, dtype)),
        exact.gradient_hessian(plan, flat, pairs, np.float64),
        bounds[:2],
        strict=True,
    ):
        assert array.dtype == dtype
        assert np.isfinite(array).all()
        error = share_of_largest(array - expected, expected, query, smallest)
        assert error <= bound, f"{name}: {error:.1e} of the largest"
    if not loss:
        return
    for name, array, expected in zip(
        ("loss", "weight"),
        on_host(engine.winner_loss(plan, flat, pairs, dtype)),
        exact.winner_loss(plan, flat, pairs, np.float64),
        strict=True,
    ):
        error = share_of_largest(array - expected, expected, query, smallest)
        assert error <= bounds[2], f"{name}: {error:.1e} of the largest"


def labels_of(kind, n, rng):
    return {
        "grades": rng.choice(5, size=n, p=[0.52, 0.32, 0.134, 0.018, 0.008]).astype(float),
        "binary": (rng.random(n) < 0.01).astype(float),
        "mostly positive": (rng.random(n) < 0.97).astype(float),
        "distinct": rng.standard_normal(n),
        "near a million": 1e6 + rng.choice(7, size=n) / 8,
        "one winner": (np.arange(n) == n // 3).astype(float),
    }[kind]


LABELS = ["grades", "binary", "mostly positive", "distinct", "near a million", "one winner"]

#: Queries of one row to thousands: the direct sum, trees of both, and what lies between.
SIZES = [1, 2, 3, 5, 17, 64, 150, 400, 700, 1800]


def on_host(arrays):
    return [array.get() if is_on_device(array) else array for array in arrays]

"""Engines, what they are asked for, and their results against the definition.

The only place where tests reach into what lies between an objective and an engine.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from gbdt_pairloss._device import CudaDevice, cuda_device, has_device, is_on_device
from gbdt_pairloss.engine.cuda.engine import GPUEngine
from gbdt_pairloss.engine.reference import ReferenceEngine
from gbdt_pairloss.engine.select import select_cpu_engine
from gbdt_pairloss.objectives._evaluator import ObjectiveEvaluator
from gbdt_pairloss.ranking._reading import read_arrays

from .covering import grid
from .simulator import SimulatedDevice, compiler

needs_compiler = pytest.mark.skipif(compiler is None, reason="no C++ compiler for the simulator")
needs_device = pytest.mark.skipif(not has_device(), reason="no CUDA device, or no CuPy")

#: Largest error of a gradient and a Hessian, and of a query's loss, as a share of the query's largest.
BOUNDS = {np.float32: (1e-6, 1e-5, 1e-6), np.float64: (1e-12, 1e-12, 1e-12)}


def spec_of(objective):
    """Return what an objective asks an engine for."""
    return ObjectiveEvaluator(objective).spec


def data_of(y, scores, **kwargs):
    """Return the validated data of arrays."""
    arguments = {"group": None, "qid": None, "sample_weight": None, "mask": None, **kwargs}
    return read_arrays(y, scores, **arguments).data


def plan_of(objective, y, scores, **kwargs):
    """Return an objective's plan of arrays."""
    return ObjectiveEvaluator(objective).plan(data_of(y, scores, **kwargs))


def boost(objective, plan, scores):
    """Return gradient and Hessian as a booster gets them."""
    return ObjectiveEvaluator(objective).boost(plan, scores, None)


def reference_engine(plan=None, spec=None):
    """Return the definition."""
    return ReferenceEngine()


def cpu_engine(plan, spec, n_threads=1):
    """Return the engine on the CPU that is selected for a plan and a sum."""
    return select_cpu_engine(n_threads, plan, spec)


def gpu_engine(device):
    """Return the CUDA engine, with the CPU's for what it does not support."""
    return GPUEngine(device, partial(select_cpu_engine, None))


#: From a plan and a sum to an engine. The kernels for CUDA run in a simulator (simulator.h), and on a device.
ENGINES = {
    "reference": reference_engine,
    "cpu": cpu_engine,
    "simulator": lambda plan, spec: gpu_engine(SimulatedDevice()),
    "cuda": lambda plan, spec: gpu_engine(cuda_device()),
}

#: What the tests of an engine need.
MARKS = {"simulator": [needs_compiler], "cuda": [pytest.mark.gpu, needs_device]}


def share_of_largest(error, exact, query, smallest):
    """Return the largest error as a share of the largest number of its query."""
    largest = np.zeros(query.max() + 1)
    np.maximum.at(largest, query, np.abs(exact))
    worst = np.zeros(largest.size)
    np.maximum.at(worst, query, np.abs(error))
    # Below float32's normal numbers every operation rounds to a multiple of the smallest: loss, factor, sum.
    return np.max(worst / np.maximum(largest, smallest / 1e-6), initial=0.0)


def assert_matches_reference(engine, objective, y, scores, dtype=np.float32, loss=True, **kwargs) -> None:
    """Assert that an engine, given as in ``ENGINES``, agrees with the definition on arrays, within its bounds."""
    plan = plan_of(objective, np.asarray(y, dtype=float), scores, **kwargs)
    assert_matches(ReferenceEngine(), engine(plan, spec_of(objective)), objective, plan, scores, dtype, loss)


def assert_matches(exact, engine, objective, plan, scores, dtype, loss=True) -> None:
    """Assert that an engine agrees with an exact one on a plan, within its bounds."""
    query = np.zeros(plan.n_rows, dtype=int)
    query[plan.rows] = np.repeat(np.arange(plan.n_queries), np.diff(plan.ptr))
    flat = np.asarray(scores, dtype=float).ravel()
    spec = spec_of(objective)
    bounds = BOUNDS[dtype]
    # On a CUDA device numbers that are not normal are 0: CuPy compiles so.
    flushes = isinstance(getattr(engine, "device", None), CudaDevice)
    smallest = np.finfo(np.float32).tiny if flushes else 3 * np.finfo(np.float32).smallest_subnormal
    for name, array, expected, bound in zip(
        ("gradient", "Hessian"),
        on_host(engine.gradient_hessian(plan, flat, spec, dtype)),
        exact.gradient_hessian(plan, flat, spec, np.float64),
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
        on_host(engine.winner_loss(plan, flat, spec, dtype)),
        exact.winner_loss(plan, flat, spec, np.float64),
        strict=True,
    ):
        error = share_of_largest(array - expected, expected, query, smallest)
        assert error <= bounds[2], f"{name}: {error:.1e} of the largest"


def on_host(arrays):
    """Copy arrays to NumPy that may be a device's."""
    return [array.get() if is_on_device(array) else array for array in arrays]


# --- engines and combinations of parameters --------------------------------------------------------------------------

CUDA = ["simulator", "cuda"]
DTYPES = [np.float32, np.float64]
NORMALIZE = ["log", "query", "none"]


def on_engines(*names, slow=()):
    """Run a test on the named engines; on some of them as a slow test."""
    return pytest.mark.parametrize(
        "engine",
        [
            pytest.param(name, marks=[*MARKS.get(name, []), *([pytest.mark.slow] if name in slow else [])])
            for name in names
        ],
    )


def on_every_engine(usual_on_cuda=None, engines=("cpu", *CUDA), usual_on_cpu=None, slow_strength=3, **axes):
    """Run a test on engines and combinations of parameters.

    All values of any three parameters meet in the slow tests: loops and kernels are compiled for the kind of pair
    weight, for weights or none, and for the type. In the default run all usual values of any two parameters meet on the
    CPU, and each usual value occurs on CUDA.

    Parameters
    ----------
    usual_on_cuda : dict, optional
        The values that the default run takes on CUDA; float32 in any case, as every type is compiled for itself.
    engines : sequence of str
    usual_on_cpu : dict, optional
        The values that the default run takes on the CPU.
    slow_strength : int, default=3
        The number of parameters whose values all meet in the slow tests.
    **axes : sequences
        The values of each parameter.
    """
    usual_on_cuda = {**({"dtype": [np.float32]} if "dtype" in axes else {}), **(usual_on_cuda or {})}
    parameters = []
    for name in engines:
        chosen = (
            grid(axes, usual_on_cuda, 1, slow_strength)
            if name in CUDA
            else grid(axes, usual_on_cpu or {}, 2, slow_strength)
        )
        for one in chosen:
            marks = [*one.marks, *MARKS.get(name, [])]
            parameters.append(pytest.param(name, *one.values, id=f"{name}-{one.id}", marks=marks))
    return pytest.mark.parametrize(("engine", *axes), parameters)


# --- problems --------------------------------------------------------------------------------------------------------

#: Queries of one row to thousands: the direct sum, trees of both, and what lies between.
SIZES = [1, 2, 3, 5, 17, 64, 150, 400, 700, 1800]

#: Queries that have trees on CUDA, which needs more rows than a leaf has, and one that has none.
LARGE = [4900, 40, 4200]

LABELS = ["grades", "binary", "mostly positive", "distinct", "near a million", "one winner"]

#: Scores that the kernels have to be careful with.
SCORES = [
    "equal",
    "ties",
    "20 apart",
    "20 apart, in order",
    "30 apart",
    "1000 apart",
    "1000 apart, in order",
    "outlier",
    "far outlier",
    "tiny",
    "huge",
    "widths",
    "far from zero",
]


def labels_of(kind, n, rng):
    """Draw labels of a kind in ``LABELS``."""
    return {
        "grades": rng.choice(5, size=n, p=[0.52, 0.32, 0.134, 0.018, 0.008]).astype(float),
        "binary": (rng.random(n) < 0.01).astype(float),
        "mostly positive": (rng.random(n) < 0.97).astype(float),
        "distinct": rng.standard_normal(n),
        "near a million": 1e6 + rng.choice(7, size=n) / 8,
        "one winner": (np.arange(n) == n // 3).astype(float),
    }[kind]


def scores_of(kind, y, sizes, rng):
    """Draw scores of a kind in ``SCORES`` for the labels of queries."""
    n = y.size
    noise = rng.standard_normal(n)
    best = np.concatenate([own > np.median(own) for own in np.split(y, np.cumsum(sizes)[:-1])])
    if not best.any():
        best = y > y.min()
    far = rng.random(n) < 0.5
    return {
        "equal": np.zeros(n),
        "ties": np.round(noise),
        "20 apart": np.where(far, 20.0, 0.0) + noise,
        "20 apart, in order": np.where(best, 20.0, 0.0) + 0.1 * noise,
        "30 apart": np.where(far, 30.0, 0.0) + noise,
        "1000 apart": np.where(far, 1000.0, 0.0) + noise,
        "1000 apart, in order": np.where(best, 1000.0, 0.0),
        "outlier": np.where(np.arange(n) == 1000, 1e6, noise),
        "far outlier": np.where(np.arange(n) == 1000, 1e30, noise),
        "tiny": 1e-30 * noise,
        "huge": 1e30 * noise,
        "widths": np.sign(noise) * 10.0 ** rng.uniform(-30, 30, n),
        "far from zero": 1e9 + np.round(noise, 2),
    }[kind]


def some_zero(n, rng):
    """Draw weights, a fifth of which are 0."""
    return np.where(rng.random(n) < 0.2, 0.0, rng.uniform(0.1, 5, n))


def weight_of_labels(winner, loser):
    """A pair weight of both labels, which is 0 for some of them."""
    return 0.0 if winner == 2 else winner**2 - loser

"""What is measured besides the cost of a call: threads, memory, first calls, shares of training, large queries."""

from __future__ import annotations

import gc
import os
import re
import resource
import subprocess
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from baseline import variables_of
from natives import native_candidates
from ours import make_affordable_call, make_call, our_candidate
from shapes import SHAPES, Ranking, five_grades
from timing import RefusedError, fresh_process, in_process, round_robin, timed

# Seconds of calls in a row that make up one sample where processes run side by side.
_STRETCH = 0.2

# Seconds that a few calls may take there, since all is done many times over.
_LONGEST = 6.0

_CALLS: dict[int, Callable[[], Any]] = {}  # of a worker process, by threads


# Threads, against as many processes.


def thread_efficiency(
    shape: str, params: dict[str, Any], scale: float, threads: int, repeats: int
) -> tuple[float, float, float]:
    """Seconds of a call with one thread, with several, and with one in each of as many processes at a time.

    Raises
    ------
    RefusedError
        If the installed version does not know the parameters, or a call takes very long.
    """
    with ExitStack() as stack:
        workers = [stack.enter_context(fresh_process()) for _ in range(threads)]
        prepared = [worker.submit(_prepare, shape, params, scale, threads) for worker in workers]
        alone = max(future.result() for future in prepared)
        calls = max(1, round(_STRETCH / alone))
        samples = []
        for _ in range(repeats):
            one = workers[0].submit(_call, 1, calls).result()
            several = workers[0].submit(_call, threads, calls).result()
            together = [worker.submit(_call, 1, calls) for worker in workers]
            samples.append((one, several, float(np.mean([future.result() for future in together]))))
    one, several, each = np.median(samples, axis=0)
    return float(one), float(several), float(each)


def _prepare(shape: str, params: dict[str, Any], scale: float, threads: int) -> float:
    for n in {1, threads}:
        _CALLS[n] = make_affordable_call(lambda part: SHAPES[shape].make(scale * part), n, _LONGEST, **params)
    return timed(_CALLS[1])


def _call(threads: int, calls: int) -> float:
    return timed(lambda: [_CALLS[threads]() for _ in range(calls)]) / calls


# Memory.


def memory(shape: str, params: dict[str, Any], scale: float) -> dict[str, float]:
    """Bytes per document beyond labels and scores; by what numpy allocates, and by the pages of the process."""
    # Every larger array in pages of its own, which go back when it does.
    variables = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    return dict(in_process(_memory, shape, params, scale, variables=variables))


def _memory(shape: str, params: dict[str, Any], scale: float) -> dict[str, float]:
    # The same kernels as for the whole.
    make_call(SHAPES[shape].make(min(scale, 0.1)), 1, **params)()
    data = SHAPES[shape].make(scale)
    result = {}
    for way, (start, now, peak) in {
        "numpy": (
            _start_tracing,
            lambda: tracemalloc.get_traced_memory()[0],
            lambda: tracemalloc.get_traced_memory()[1],
        ),
        "process": (_reset_peak, _resident, _peak_resident),
    }.items():
        gc.collect()
        start()
        empty = now()
        call = make_call(data, 1, **params)
        gc.collect()
        result[f"plan, {way}"] = (now() - empty) / data.n_docs
        start()
        before = now()
        call()
        result[f"call, {way}"] = (peak() - before) / data.n_docs
        tracemalloc.stop()
        del call
    return result


def _start_tracing() -> None:
    if tracemalloc.is_tracing():
        tracemalloc.reset_peak()
    else:
        tracemalloc.start()


def _reset_peak() -> None:
    """Let the peak of the process be what it holds now; where the system cannot, it only grows."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def _peak_resident() -> int:
    peak = _status("VmHWM")
    return peak if peak is not None else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _resident() -> int:
    held = _status("VmRSS")
    return held if held is not None else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _status(name: str) -> int | None:
    status = Path("/proc/self/status")
    found = re.search(rf"{name}:\s+(\d+) kB", status.read_text()) if status.exists() else None
    return None if found is None else int(found[1]) * 1024


# First calls.

_FIRST_CALL = """
import time
start = time.perf_counter()
import numpy, sklearn.base, sklearn.utils.validation
imported = time.perf_counter()
from gbdt_pairloss import {name}
{name}(**{params}).gradient_hessian(numpy.arange(1000.0) % 5, numpy.linspace(0, 1, 1000), group=[100] * 10)
print(imported - start, time.perf_counter() - imported)
"""


def first_call(python: str, name: str, params: dict[str, Any], repeats: int) -> tuple[float, float]:
    """Return the seconds that a fresh process takes for its imports of NumPy and scikit-learn, and then for ours and a
    first gradient. The process has no home that it could keep anything in.

    Raises
    ------
    RefusedError
        If the version of that Python does not support the parameters.
    """
    samples = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as home:
            os.chmod(home, 0o500)
            variables = {**variables_of(python), "HOME": home, "XDG_CACHE_HOME": home, "NUMBA_CACHE_DIR": home}
            program = _FIRST_CALL.format(name=name, params=params)
            done = subprocess.run([python, "-c", program], env=variables, capture_output=True, text=True, cwd=home)
        if done.returncode:
            raise RefusedError(done.stderr.strip().splitlines()[-1])
        samples.append([float(seconds) for seconds in done.stdout.split()])
    imports, rest = np.median(samples, axis=0)
    return float(imports), float(rest)


# Training.


def training(scale: float, threads: int, repeats: int, rounds: int = 20) -> list[tuple[str, str, float, float | None]]:
    """Booster, objective, seconds of a training, and those inside the objective if it is ours."""
    return list(in_process(_training, scale, threads, repeats, rounds))


def _training(scale: float, threads: int, repeats: int, rounds: int) -> list[tuple[str, str, float, float | None]]:
    n_docs = round(400_000 * scale)
    sizes = np.full(n_docs // 100, 100)
    rng = np.random.default_rng(6)
    X = rng.standard_normal((n_docs, 60), dtype=np.float32)
    usefulness = X[:, :10] @ rng.standard_normal(10) + 3 * rng.standard_normal(n_docs)
    y = np.digitize(usefulness, np.quantile(usefulness, (0.52, 0.84, 0.974, 0.992))).astype(np.float64)
    trainings = {
        "LightGBM": (_lightgbm_training(X, y, sizes, threads, rounds), ("lambdarank", "rank_xendcg")),
        "XGBoost": (_xgboost_training(X, y, sizes, threads, rounds), ("rank:pairwise", "rank:ndcg")),
    }
    samples: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for _ in range(1 + repeats):  # the first compiles
        for booster, (train, natives) in trainings.items():
            clock = _Clock(threads)
            for objective in (clock, *natives):
                name = objective if isinstance(objective, str) else "gbdt_pairloss"
                total = timed(lambda: train(objective))  # noqa: B023
                samples.setdefault((booster, name), []).append((total, clock.seconds))
    medians = {key: np.median(taken[1:], axis=0) for key, taken in samples.items()}
    return [(*key, float(s), float(i) if key[1] == "gbdt_pairloss" else None) for key, (s, i) in medians.items()]


class _Clock:
    """Our objective, with the time spent in it."""

    def __init__(self, threads: int) -> None:
        from gbdt_pairloss import PairwiseLogistic

        self.objective, self.seconds = PairwiseLogistic(n_threads=threads, device="cpu"), 0.0

    def __call__(self, preds: Any, dataset: Any) -> Any:
        start = time.perf_counter()
        result = self.objective(preds, dataset)
        self.seconds += time.perf_counter() - start
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> _Clock:
        return self  # LightGBM trains with a copy, and its time is wanted here


def _lightgbm_training(X: Any, y: Any, sizes: Any, threads: int, rounds: int) -> Callable[[Any], Any]:
    import lightgbm as lgb

    params = {"num_leaves": 31, "num_threads": threads, "metric": "None", "verbosity": -1}
    dataset = lgb.Dataset(X, label=y, group=sizes, params=params).construct()
    return lambda objective: lgb.train({**params, "objective": objective}, dataset, num_boost_round=rounds)


def _xgboost_training(X: Any, y: Any, sizes: Any, threads: int, rounds: int) -> Callable[[Any], Any]:
    import xgboost as xgb

    # Binned beforehand, as LightGBM's data set is.
    matrix = xgb.QuantileDMatrix(X, label=y, nthread=threads)
    matrix.set_group(sizes)
    params = {"max_leaves": 31, "max_depth": 0, "grow_policy": "lossguide", "tree_method": "hist", "nthread": threads}

    def train(objective: Any) -> Any:
        if isinstance(objective, str):
            own = {**params, "objective": objective, "disable_default_eval_metric": True}
            return xgb.train(own, matrix, num_boost_round=rounds)
        own = {**params, "base_score": 0.0, "disable_default_eval_metric": True}
        return xgb.train(own, matrix, num_boost_round=rounds, obj=objective)

    return train


# Large queries.


def scaling(scale: float, threads: int, repeats: int) -> dict[int, float]:
    """Seconds of a call on one query of 100,000 documents, and on one of 10 million."""
    sizes = [round(n * scale) for n in (100_000, 10_000_000)]
    calls = {size: make_call(five_grades(size), threads) for size in sizes}
    samples: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(repeats):
        for size, call in calls.items():
            # As many documents for both, and both from memory that is cold.
            n = max(1, sizes[-1] // size // 10)
            samples[size].append(timed(lambda: [call() for _ in range(n)]) / n)  # noqa: B023
    return {size: float(np.median(taken)) for size, taken in samples.items()}


#: Parameters of ours in the figure.
FIGURE_WEIGHINGS: tuple[dict[str, Any], ...] = ({}, {"pair_weight": "ndcg"})


def sweep(n_docs: int, sizes: list[int], repeats: int, limit: float) -> dict[str, dict[int, float]]:
    """Seconds per document of objectives over all pairs, with one thread, by name and size of the queries."""
    lines: dict[str, dict[int, float]] = {}
    for size in sizes:
        make = _queries_of(size, max(1, n_docs // size))
        ours = [our_candidate(make, 1, limit, **params) for params in FIGURE_WEIGHINGS]
        data = make(1.0)
        candidates = ours + native_candidates(data, 1, all_pairs_only=True)
        round_robin(candidates, repeats, limit)
        for candidate in candidates:
            seconds = candidate.seconds
            if candidate.pairs == "all" and seconds is not None and seconds > 0:
                lines.setdefault(candidate.name, {})[size] = seconds / data.n_docs
    return lines


def _queries_of(size: int, n_queries: int) -> Callable[[float], Ranking]:
    def make(scale: float) -> Ranking:
        if n_queries * scale >= 1:
            return five_grades(round(n_queries * scale) * size, size)
        return five_grades(round(n_queries * size * scale))

    return make

"""What an iteration's gradient costs on a CUDA device: ours against XGBoost's own, and against our CPU engine.

    python benchmarks/gpu.py [--quick] [--repeats 20] [--only PART ...] [--out FOLDER]

Kernels are timed by the device's events, without copies. An iteration is a call of our objective as XGBoost makes it
(predictions of the host in, gradients of the device out), by the clock; XGBoost's own objectives are an iteration with
one split on two columns, less one of a plain regression. Prints Markdown; a whole run writes it to
benchmarks/results/gpu.md.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from gradients import cost
from natives import xgboost_candidates
from ours import our_candidate
from shapes import SHAPES, Ranking, five_grades
from tables import markdown
from timing import Candidate, round_robin, timed

from gbdt_pairloss import PairwiseLogistic
from gbdt_pairloss._device import NoDevice, cuda_device
from gbdt_pairloss.engine.cuda.engine import GPUEngine
from gbdt_pairloss.engine.select import select_cpu_engine
from gbdt_pairloss.objectives._evaluator import ObjectiveEvaluator
from gbdt_pairloss.ranking._reading import read_arrays

_RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("gbdt_pairloss", "numpy", "cupy-cuda12x", "cupy-cuda13x", "xgboost")

#: Rankings by name, and what is asked of their kernels in ms, where something is.
RANKINGS: dict[str, tuple[Callable[[float], Ranking], float | None]] = {
    "web, 1M": (SHAPES["web"].make, None),
    "web, 10M": (lambda scale: SHAPES["web"].make(10 * scale), 4.0),
    "one query of 1M, five grades": (SHAPES["one-query"].make, 4.0),
    "one query of 10M, five grades": (lambda scale: five_grades(int(1e7 * scale), spread=1.5), None),
    "one query of 1M, 1% positive": (SHAPES["binary"].make, None),
    "334 queries of 3,000, float labels": (SHAPES["stocks"].make, 4.0),
    "500 users, 20 + 1,980": (SHAPES["users"].make, None),
    "5,000 users, 20 + 1,980": (lambda scale: SHAPES["users"].make(10 * scale), None),
}
WEIGHINGS: list[dict[str, Any]] = [{}, {"pair_weight": "label_diff"}, {"pair_weight": "ndcg"}]

#: |delta NDCG| looks at all pairs: of longer queries it is left out.
_LONGEST_NDCG = 20_000

# Calls that compile, allocate and upload.
_WARM_UP = 3


class TimedDevice:
    """The device, with an event before and after every kernel."""

    def __init__(self, device: Any, cupy: Any) -> None:
        self._device, self._cupy = device, cupy
        self.events: list[tuple[str, Any, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)

    def run(self, kernel: Any, n_blocks: int, arguments: tuple[Any, ...]) -> None:
        before, after = self._cupy.cuda.Event(), self._cupy.cuda.Event()
        before.record()
        self._device.run(kernel, n_blocks, arguments)
        after.record()
        self.events.append((kernel.name, before, after))

    def milliseconds(self) -> dict[str, float]:
        """Of each kernel since the last look."""
        self._cupy.cuda.get_current_stream().synchronize()
        taken: dict[str, float] = defaultdict(float)
        for name, before, after in self.events:
            taken[name] += self._cupy.cuda.get_elapsed_time(before, after)
        self.events.clear()
        return taken


def kernel_times(
    cupy: Any, data: Ranking, objective: PairwiseLogistic, repeats: int
) -> tuple[list[dict[str, float]], Any]:
    """Milliseconds of each kernel, for each of some gradients; and the last of these."""
    evaluator = ObjectiveEvaluator(objective)
    plan = evaluator.plan(read_arrays(data.labels, data.scores, group=data.sizes).data)
    device = TimedDevice(cuda_device(), cupy)
    engine = GPUEngine(device, partial(select_cpu_engine, None))
    scores = cupy.asarray(data.scores, dtype=np.float32)
    samples = []
    for _ in range(_WARM_UP + repeats):
        gradient, _ = engine.gradient_hessian(plan, scores, evaluator.spec, np.float32)
        samples.append(device.milliseconds())
    return samples[_WARM_UP:], gradient


def kernels_table(cupy: Any, args: argparse.Namespace) -> list[str]:
    """Device time of a gradient: all kernels, and the longest of them; and how right the results are."""
    rows = []
    for name, (make, target) in RANKINGS.items():
        data = make(args.scale)
        for params in WEIGHINGS:
            if params.get("pair_weight") == "ndcg" and data.sizes.max() > _LONGEST_NDCG:
                continue
            samples, gradient = kernel_times(cupy, data, PairwiseLogistic(**params), args.repeats)
            totals = [sum(sample.values()) for sample in samples]
            own = {kernel: float(np.median([sample[kernel] for sample in samples])) for kernel in samples[0]}
            longest = sorted(own, key=own.__getitem__, reverse=True)[:3]
            low, high = np.quantile(totals, (0.25, 0.75))
            on_host = ObjectiveEvaluator(PairwiseLogistic(device="cpu", **params))
            plan = on_host.plan(read_arrays(data.labels, data.scores, group=data.sizes).data)
            exact, _ = on_host.boost(plan, data.scores.astype(np.float32), None)
            error = float(np.abs(cupy.asnumpy(gradient) - exact).max() / np.abs(exact).max())
            row = [
                name,
                params.get("pair_weight", "uniform"),
                f"{np.median(totals):.3f} ± {(high - low) / 2:.3f}",
                "" if target is None or params else f"{target:g}",
                ", ".join(f"{kernel} {own[kernel]:.3f}" for kernel in longest),
                f"{error:.1e}",
            ]
            rows.append(row)
            print("|", " | ".join(row), "|", flush=True)
    header = ["ranking", "pair weight", "ms, all kernels", "asked for", "of these", "largest difference from the CPU"]
    text = 'Device time of a gradient and Hessian in float32, scores on the device; normalize="log".'
    return ["## kernels", "", text, "", *markdown(header, rows)]


def iteration_table(cupy: Any, args: argparse.Namespace) -> list[str]:
    """A call as XGBoost makes it, against its unavoidable copy, and XGBoost's own objectives on the same device."""
    sections = ["## iterations", ""]
    for name, (make, _) in RANKINGS.items():
        data = make(args.scale)
        cpu = our_candidate(lambda scale, make=make: make(args.scale * scale), args.threads, args.limit)
        cpu.name = f"gbdt_pairloss on the CPU, {args.threads} threads"
        ours = calls(cupy, data)
        candidates = [*ours, cpu, *xgboost_candidates(data, args.threads, "cuda")]
        round_robin(candidates, args.repeats, args.limit)
        samples, _ = kernel_times(cupy, data, PairwiseLogistic(), args.repeats)
        kernels = float(np.median([sum(sample.values()) for sample in samples]))
        rows = [[c.name, c.pairs, *cost(c, candidates[0])] for c in candidates if c.pairs]
        text = f"{name}: {data.n_docs:,} docs, {data.sizes.size:,} queries, {float(data.n_pairs()):.2g} pairs."
        if ours[0].seconds is not None and ours[1].seconds is not None:
            ratio = 1e3 * ours[0].seconds / (1e3 * ours[1].seconds + kernels)
            text += f" The call takes {ratio:.2f} times its copy and its kernels ({kernels:.3f} ms); 1.5 was asked for."
        section = [text, "", *markdown(["what", "pairs", "ms", "times the call"], rows), ""]
        print("\n".join(section), flush=True)
        sections += section
    return sections[:-1]


def calls(cupy: Any, data: Ranking) -> list[Candidate]:
    """What our callable does where the Booster is on CUDA, and its unavoidable copy."""
    import xgboost as xgb

    matrix = xgb.DMatrix(np.zeros((data.n_docs, 1), dtype=np.float32), label=data.labels, group=data.sizes)
    preds, objective = data.scores.astype(np.float32), PairwiseLogistic()
    stream = cupy.cuda.get_current_stream()

    def call() -> None:
        objective(cupy.asarray(preds), matrix)
        stream.synchronize()

    def copy() -> None:
        cupy.asarray(preds)
        stream.synchronize()

    return [
        Candidate("gbdt_pairloss, a call of XGBoost's", "all", lambda: lambda: timed(call)),
        Candidate("copy of the predictions to the device", "none", lambda: lambda: timed(copy)),
    ]


def training_table(cupy: Any, args: argparse.Namespace) -> list[str]:
    """Whole trainings on the device."""
    import xgboost as xgb

    n = int(1_000_000 * args.scale)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 60), dtype=np.float32)
    y = np.clip(np.round(X[:, 0] + 0.5 * X[:, 1] * X[:, 2] + rng.standard_normal(n)), 0, 4)
    matrix = xgb.QuantileDMatrix(X, label=y, group=np.full(n // 100, 100))
    params = {"device": "cuda", "max_leaves": 31, "eta": 0.1, "disable_default_eval_metric": True}
    rows = []
    for title, native, objective in (
        ("gbdt_pairloss", "rank:pairwise", PairwiseLogistic()),
        ("gbdt_pairloss, ndcg", "rank:pairwise", PairwiseLogistic(pair_weight="ndcg")),
        ("gbdt_pairloss on the CPU", "rank:pairwise", PairwiseLogistic(device="cpu")),
        ("rank:pairwise", "rank:pairwise", None),
        ("rank:ndcg", "rank:ndcg", None),
        ("reg:squarederror", "reg:squarederror", None),
    ):
        given = {**params, "objective": native}
        taken = []
        for _ in range(3):
            start = time.perf_counter()
            xgb.train(given, matrix, 20, obj=objective)
            taken.append(time.perf_counter() - start)
        rows.append([title, f"{min(taken):.2f}"])
        print("|", " | ".join(rows[-1]), "|", flush=True)
    text = f"{n:,} docs of 60 features in queries of 100, 20 rounds, 31 leaves, binned beforehand; best of three."
    return ["## training", "", text, "", *markdown(["objective", "s, whole training"], rows)]


PARTS = {"kernels": kernels_table, "iterations": iteration_table, "training": training_table}


def machine(cupy: Any) -> str:
    """The device and the versions that the figures hold for."""
    properties = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.runtime.getDevice())
    driver, runtime = cupy.cuda.runtime.driverGetVersion(), cupy.cuda.runtime.runtimeGetVersion()
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except ImportError:
            continue
    name = properties["name"].decode()
    return f"{name}; CUDA {runtime} (driver {driver}); Python {platform.python_version()}, {', '.join(found)}."


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fiftieth of everything, to see that it runs")
    parser.add_argument("--threads", type=int, default=8, help="of the CPU's engine and of XGBoost")
    parser.add_argument("--repeats", type=int, default=None, help="default: 20, or 2 with --quick")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--out", type=Path, help="default: benchmarks/results, or nowhere with --quick or --only")
    args = parser.parse_args()
    args.scale, args.limit = (0.02, 1.0) if args.quick else (1.0, 20.0)
    args.repeats = args.repeats or (2 if args.quick else 20)
    if args.out is None and not args.quick and not args.only:
        args.out = _RESULTS
    return args


def main() -> None:
    args = read_arguments()
    try:
        cuda_device()
    except NoDevice as error:
        raise SystemExit(str(error)) from None
    import cupy

    sections = [["# What a gradient costs on a GPU", "", f"`python benchmarks/gpu.py`: {machine(cupy)}"]]
    print("\n".join(sections[0]), flush=True)
    for part in args.only or PARTS:
        sections.append(PARTS[part](cupy, args))
        if args.out is not None:  # after each part: a device may not be ours for long
            args.out.mkdir(parents=True, exist_ok=True)
            text = "\n\n".join("\n".join(section) for section in sections) + "\n"
            (args.out / "gpu.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

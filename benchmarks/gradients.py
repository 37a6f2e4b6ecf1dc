"""What an iteration's gradient costs: our objective against the boosters' own, on one machine in one run.

    python benchmarks/gradients.py [--quick] [--threads 1 2] [--repeats 7] [--only PART ...]
        [--baseline PYTHON] [--out FOLDER]

Ours: scores in, float32 gradient and Hessian out, on a plan built once. Theirs: an iteration with one split on two
columns, less one of a plain regression. Prints Markdown tables; a whole run writes them to benchmarks/results, with a
figure, and any run does where --out says. --only takes shapes of rankings and other parts by name.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import studies
from baseline import Baseline
from drawing import draw
from natives import native_candidates
from ours import our_candidate, our_name
from shapes import SHAPES
from tables import machine, markdown
from timing import Candidate, RefusedError, round_robin

_RESULTS = Path(__file__).parent / "results"
#: The weights of pairs that versions are compared on, besides none.
_NDCG = {"pair_weight": "ndcg"}
COMPARED = ({"pair_weight": "label_diff"}, _NDCG)

#: Objectives whose first calls are timed.
FIRST_CALLS: list[tuple[str, dict[str, Any]]] = [
    ("PairwiseLogistic", {}),
    *(("PairwiseLogistic", params) for params in COMPARED),
    ("PairwiseHinge", {}),
    ("PairwiseSoftZeroOne", {}),
    ("BPR", {}),
]

_FIGURE_SIZES = [10, 32, 100, 316, 1_000, 3_162, 10_000, 31_623, 100_000, 316_228, 1_000_000]


def shape_table(name: str, args: argparse.Namespace) -> list[str]:
    """Our objective and the natives on one kind of ranking, for each number of threads."""
    shape = SHAPES[name]
    data = shape.make(args.scale)
    runs: list[list[Candidate]] = []
    for threads in args.threads:
        ours = [
            our_candidate(lambda scale: shape.make(args.scale * scale), threads, args.limit, **params)
            for params in ({}, *shape.weighings)
        ]
        runs.append(ours + native_candidates(data, threads))
        round_robin(runs[-1], args.repeats, args.limit)
    header = ["objective", "pairs"]
    for threads in args.threads:
        header += [f"ms, {_threads(threads)}", "times ours"]
    rows = []
    for candidates in zip(*runs, strict=True):
        cells = [candidates[0].name, candidates[0].pairs]
        for candidate, run in zip(candidates, runs, strict=True):
            cells += cost(candidate, run[0])
        if candidates[0].pairs:  # not a regression
            rows.append(cells)
    text = f"{shape.title}: {data.n_docs:,} docs, {data.sizes.size:,} queries, {float(data.n_pairs()):.2g} pairs."
    return [f"## {name}", "", text, "", *markdown(header, rows)]


def cost(candidate: Candidate, ours: Candidate) -> list[str]:
    if candidate.seconds is None:
        return [candidate.remark, ""]
    taken = _digits(1e3 * candidate.seconds)
    if len(candidate.samples) > 1:
        taken += f" ± {_digits(1e3 * candidate.spread)}"
    if candidate.seconds <= 0 or ours.seconds is None:
        return [taken, ""]
    return [taken, _ratio(candidate.seconds / ours.seconds)]


def threads_table(args: argparse.Namespace) -> list[str]:
    """What a second thread brings, against what a second process does."""
    threads = max(2, *args.threads)
    header = ["shape", "objective", "ms, 1 thread", f"ms, {_threads(threads)}", "speed-up", f"of {threads} processes"]
    rows = []
    for name, shape in list(SHAPES.items())[: 2 if args.quick else None]:
        for params in [{}, *shape.weighings][: 1 if args.quick else None]:
            try:
                one, several, each = studies.thread_efficiency(name, params, args.scale, threads, args.repeats)
            except RefusedError as refusal:
                rows.append([name, our_name(params), str(refusal), *[""] * 4])
                continue
            ceiling = threads * one / each
            row = [_digits(1e3 * one), _digits(1e3 * several), f"{one / several:.2f}", f"{ceiling:.2f}"]
            rows.append([name, our_name(params), *row, f"{one / several / ceiling:.0%}"])
    text = (
        f"Speed-up of {threads} threads over one, against the throughput of {threads} processes of one thread doing "
        "the same work at the same time, which is what the machine has to give."
    )
    return ["## threads", "", text, "", *markdown([*header, "efficiency"], rows)]


def memory_table(args: argparse.Namespace) -> list[str]:
    columns = ("plan, numpy", "plan, process", "call, numpy", "call, process")
    rows = []
    shapes: list[tuple[str, dict[str, Any]]] = [("web", {}), ("one-query", {}), ("one-query", _NDCG), ("stocks", {})]
    for name, params in shapes:
        held = studies.memory(name, params, args.scale)
        rows.append([name, our_name(params), *(f"{held[column]:.1f}" for column in columns)])
    text = (
        "Bytes per document with one thread, beyond labels and scores: what the plan holds from call to call, and the "
        "peak of a call above that, its results (8 bytes) included; by numpy's allocations, and by the memory of the "
        "process, which the kernels' own arrays are part of."
    )
    return ["## memory", "", text, "", *markdown(["shape", "objective", *columns], rows)]


def first_call_table(args: argparse.Namespace) -> list[str]:
    """Seconds of a fresh process, of this version and of the baseline."""
    pythons = [sys.executable, *([args.baseline] if args.baseline else [])]
    rows = []
    for name, params in FIRST_CALLS[: 2 if args.quick else None]:
        for which, python in zip(("this version", "baseline"), pythons, strict=False):
            try:
                imports, rest = studies.first_call(python, name, params, 1 if python == args.baseline else args.repeats)
            except RefusedError as refusal:
                rows.append([name + our_name(params).removeprefix("gbdt_pairloss"), which, str(refusal), ""])
                continue
            rows.append([name + our_name(params).removeprefix("gbdt_pairloss"), which, f"{imports:.2f}", f"{rest:.3f}"])
    text = (
        "Seconds of a fresh process that can keep nothing on disk: to import NumPy and scikit-learn, and from there to "
        "the first gradient of 1,000 rows, the import of the package included."
    )
    header = ["objective", "version", "imports of NumPy and scikit-learn", "import and first gradient"]
    return ["## first-call", "", text, "", *markdown(header, rows)]


def baseline_table(args: argparse.Namespace) -> list[str]:
    """The calls of this version against those of another one, each in a process of its own, in turn."""
    if not args.baseline:
        return ["## baseline", "", "No --baseline was given."]
    rows, ratios = [], []
    processes = [Baseline(sys.executable), Baseline(args.baseline)]
    for name, shape in SHAPES.items():
        for params, threads in itertools.product(({}, *COMPARED), args.threads):
            if params == _NDCG and params not in shape.weighings:
                continue  # exponential gains of such labels are out of range, or it takes minutes
            try:
                steps = [process.start(name, args.scale, threads, params) for process in processes]
            except RefusedError as refusal:
                rows.append([name, our_name(params), str(threads), str(refusal), "", ""])
                continue
            samples = [[step() for step in steps] for _ in range(args.repeats)]
            now, before = np.median(samples, axis=0)
            ratios.append(now / before)
            row = [f"{1e9 * seconds / shape.make(args.scale).n_docs:.1f}" for seconds in (now, before)]
            rows.append([name, our_name(params), str(threads), *row, f"{ratios[-1]:.2f}"])
    for process in processes:
        process.close()
    mean, largest = float(np.exp(np.mean(np.log(ratios)))), max(ratios)
    text = (
        "Nanoseconds per document of a call, of this version and of another one (--baseline), in processes that have "
        f"their turns. The geometric mean of the ratios is {mean:.2f}, the largest {largest:.2f}."
    )
    header = ["shape", "objective", "threads", "this version", "baseline", "ratio"]
    return ["## baseline", "", text, "", *markdown(header, rows)]


def training_table(args: argparse.Namespace) -> list[str]:
    threads = max(args.threads)
    rows = []
    for booster, objective, total, inside in studies.training(args.scale, threads, min(args.repeats, 3)):
        share = [""] * 2 if inside is None else [f"{inside:.3f}", f"{inside / total:.1%}"]
        rows.append([booster, objective, f"{total:.2f}", *share])
    text = (
        f"{400_000 * args.scale:,.0f} docs of 60 features in queries of 100, 20 rounds, 31 leaves, "
        f"{_threads(threads)}; data binned beforehand, no metric."
    )
    header = ["booster", "objective", "s, whole training", "s in the objective", "share"]
    return ["## training", "", text, "", *markdown(header, rows)]


def scaling_table(args: argparse.Namespace) -> list[str]:
    rows = []
    for threads in args.threads:
        taken = studies.scaling(args.scale, threads, args.repeats)
        small, large = (seconds / size * 1e9 for size, seconds in taken.items())
        rows.append([str(threads), f"{small:.1f}", f"{large:.1f}", f"{large / small:.2f}"])
    sizes = [f"{n * args.scale:,.0f}" for n in (100_000, 10_000_000)]
    text = "One query of five grades: nanoseconds per document of a call."
    return ["## scaling", "", text, "", *markdown(["threads", *(f"{s} docs" for s in sizes), "ratio"], rows)]


def figure(args: argparse.Namespace) -> list[str]:
    """The sweep as a figure, and as a table."""
    sizes = [size for size in _FIGURE_SIZES if size <= 1_000_000 * args.scale]
    lines = studies.sweep(round(200_000 * args.scale), sizes, args.repeats, args.limit / 3)
    if args.out is not None:
        draw(lines, args.out / "gradients.png")
    rows = [
        [name, *(_digits(1e9 * line[size]) if size in line else "" for size in sizes)] for name, line in lines.items()
    ]
    text = "Nanoseconds per document against documents in a query, five grades, all pairs, one thread (gradients.png)."
    return ["## figure", "", text, "", *markdown(["objective", *(f"{size:,}" for size in sizes)], rows)]


PARTS: dict[str, Callable[[argparse.Namespace], list[str]]] = {
    "threads": threads_table,
    "memory": memory_table,
    "first-call": first_call_table,
    "baseline": baseline_table,
    "training": training_table,
    "scaling": scaling_table,
    "figure": figure,
}


def _threads(n: int) -> str:
    return f"{n} thread{'s' if n > 1 else ''}"


def _ratio(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _digits(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{1 if abs(value) >= 10 else 2}f}"


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [*SHAPES, *PARTS]
    parser.add_argument("--quick", action="store_true", help="a fiftieth of everything, to see that it runs")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=None, help="default: 7, or 2 with --quick")
    parser.add_argument("--only", nargs="+", choices=names, metavar="PART", help=", ".join(names))
    parser.add_argument("--baseline", metavar="PYTHON", help="the Python of an environment with another version")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results, or nowhere with --quick or --only")
    args = parser.parse_args()
    args.scale, args.limit = (0.02, 0.3) if args.quick else (1.0, 60.0)
    args.repeats = args.repeats or (2 if args.quick else 7)
    args.parts = args.only or names
    if args.out is None and not args.quick and not args.only:
        args.out = _RESULTS
    return args


def main() -> None:
    args = read_arguments()
    options = "".join(f" --{name}" for name in ("quick",) if getattr(args, name))
    options += f" --threads {' '.join(map(str, args.threads))} --repeats {args.repeats}"
    options += f" --only {' '.join(args.only)}" if args.only else ""
    sections: list[list[str]] = [introduction(options)]
    print("\n".join(sections[0]), flush=True)
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
    for part in args.parts:
        sections.append(shape_table(part, args) if part in SHAPES else PARTS[part](args))
        print("\n" + "\n".join(sections[-1]), flush=True)
        if args.out is not None:  # after each part, since a whole run takes long
            text = "\n\n".join("\n".join(section) for section in sections) + "\n"
            (args.out / "gradients.md").write_text(text, encoding="utf-8")


def introduction(options: str) -> list[str]:
    text = (
        "Ours: scores in, float32 gradient and Hessian out, on a plan built once, as in a later round of a training. "
        "Theirs: an iteration with one split on two columns and the same scores to start from, less one of a plain "
        "regression of the same booster. Medians of rounds in which each has its turn, ± half the distance of the "
        'quartiles. "Times ours" is against the first line. CatBoost takes each pair twice in an iteration, for the '
        'tree and for its leaves. "Refuses": the booster does not take such data; "not run": expected to take over '
        "a minute, or too much memory."
    )
    return ["# What a gradient costs", "", f"`python benchmarks/gradients.py{options}`", "", *machine(), "", text]


if __name__ == "__main__":
    main()

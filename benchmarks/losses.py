"""What the other losses, weights and pairs cost: our objectives against the boosters' own, in one run.

    python benchmarks/losses.py [--quick] [--only PART ...] [--threads 2] [--repeats 5] [--out FOLDER]

Measured as in gradients.py. Prints Markdown tables; a whole run writes them to benchmarks/results/losses.md.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from gradients import cost
from natives import native_candidates
from ours import boost_call
from shapes import SHAPES, Ranking, web
from tables import machine, markdown
from timing import Candidate, round_robin, timed

from gbdt_pairloss import (
    BPR,
    PairwiseCustom,
    PairwiseExponential,
    PairwiseHinge,
    PairwiseLogistic,
    PairwiseMeanSquaredError,
    PairwiseSoftZeroOne,
    PairwiseSquared,
)

_RESULTS = Path(__file__).parent / "results"

# Seconds that a step may take.
_LIMIT = 30.0


def squared_weight(winner: float, loser: float) -> float:
    return (winner - loser) ** 2


def squared_hinge(d: Any) -> Any:
    short = np.maximum(1 - d, 0)
    return short**2, -2 * short, 2.0 * (short > 0)


#: Our objectives by the name in the table; those that look at one pair after another, apart.
FAST: dict[str, Callable[..., Any]] = {
    "logistic": PairwiseLogistic,
    "hinge": PairwiseHinge,
    "squared": PairwiseSquared,
    "exponential": PairwiseExponential,
    "soft zero-one": PairwiseSoftZeroOne,
    "mean squared error": partial(PairwiseMeanSquaredError, ignore_negative_labels=False),
    "logistic, a callable's weights": lambda **params: PairwiseLogistic(pair_weight=squared_weight, **params),
}
BY_PAIRS: dict[str, Callable[..., Any]] = {
    "hinge, ndcg": lambda **params: PairwiseHinge(pair_weight="ndcg", **params),
    "a loss of one's own": lambda **params: PairwiseCustom(squared_hinge, **params),
}
#: Sums of two, which are compared with their terms.
SUMS: dict[str, tuple[dict[str, Any], dict[str, Any] | None]] = {
    "logistic + mean squared error": ({}, None),
    "ndcg, noise 3 + mean squared error": ({"pair_weight": "ndcg", "rank_noise": 3.0}, None),
    "logistic + label_diff": ({}, {"pair_weight": "label_diff"}),
}
DRAWN: dict[str, Callable[..., Any]] = {
    "BPR, 1 negative drawn": lambda **params: BPR(negatives=1, **params),
    "BPR, 5 negatives drawn": lambda **params: BPR(negatives=5, **params),
}


def shape_table(name: str, args: argparse.Namespace) -> list[str]:
    shape = SHAPES[name]
    data = shape.make(args.scale)
    makers = dict(FAST)
    if name == "stocks":  # has too many distinct labels
        del makers["logistic, a callable's weights"]
    if name in ("web", "users"):
        makers.update(BY_PAIRS)
    if name == "users":
        makers.update(DRAWN)
    ours = [_candidate(label, maker(n_threads=args.threads), data) for label, maker in makers.items()]
    candidates = ours + native_candidates(data, args.threads)
    round_robin(candidates, args.repeats, _LIMIT)
    rows = [[c.name, c.pairs, *cost(c, ours[0])] for c in candidates if c.pairs]
    text = f"{shape.title}: {data.n_docs:,} docs, {float(data.n_pairs()):.2g} pairs; {_threads(args.threads)}."
    return [f"## {name}", "", text, "", *markdown(["objective", "pairs", "ms", "times the first"], rows)]


def pairs_table(args: argparse.Namespace) -> list[str]:
    """Explicit pairs, drawn evenly: within queries, and over one query of all rows."""
    data = web(args.scale)
    rng = np.random.default_rng(6)
    n_pairs = round(10_000_000 * args.scale)
    first = np.repeat(np.cumsum(data.sizes) - data.sizes, data.sizes)
    size = np.repeat(data.sizes, data.sizes)
    winner = rng.integers(0, data.n_docs, n_pairs)
    within = first[winner] + (winner - first[winner] + rng.integers(1, np.maximum(size[winner], 2))) % size[winner]
    anywhere = (winner + rng.integers(1, data.n_docs, n_pairs)) % data.n_docs
    whole = Ranking(data.labels, np.array([data.n_docs]), data.scores)
    rows = []
    for text, ranking, loser in (("queries of 119", data, within), ("one query of all rows", whole, anywhere)):
        fits = winner != loser
        pairs = (winner[fits], loser[fits])
        for label, maker in {"logistic": PairwiseLogistic, "hinge": PairwiseHinge}.items():
            for threads in sorted({1, args.threads}):
                call = boost_call(maker(n_threads=threads, ignore_negative_labels=False), ranking, pairs)
                seconds = float(np.median([timed(call) for _ in range(args.repeats)]))
                rows.append([text, label, str(threads), f"{1e3 * seconds:.0f}", f"{1e9 * seconds / pairs[0].size:.1f}"])
    header = ["rows", "loss", "threads", "ms", "ns per pair"]
    return ["## explicit pairs", "", f"{n_pairs:,} pairs of {data.n_docs:,} docs.", "", *markdown(header, rows)]


def sums_table(args: argparse.Namespace) -> list[str]:
    """Sums of two objectives against the two apart, as a booster calls them: with a dataset that is read each time."""
    import lightgbm as lgb

    data = web(args.scale)
    params = {"num_threads": args.threads, "verbose": -1}
    dataset = lgb.Dataset(np.zeros((data.n_docs, 1)), data.labels, group=data.sizes, params=params).construct()
    rows = []
    for label, (first, second) in SUMS.items():
        one = PairwiseLogistic(n_threads=args.threads, **first)
        other = (
            PairwiseMeanSquaredError(n_threads=args.threads)
            if second is None
            else PairwiseLogistic(n_threads=args.threads, **second)
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="the first tree moved all scores")  # they stay as they are
            candidates = [_called(objective, data, dataset) for objective in (one, other, 0.9 * one + 0.1 * other)]
            round_robin(candidates, args.repeats, _LIMIT)
        apart, together = (sum(c.seconds or np.nan for c in some) for some in (candidates[:2], candidates[2:]))
        rows.append([label, f"{1e3 * apart:.1f}", f"{1e3 * together:.1f}", f"{together / apart:.2f}"])
    text = f"{data.n_docs:,} docs of the web shape in a LightGBM Dataset; {_threads(args.threads)}."
    return ["## sums", "", text, "", *markdown(["objective", "ms apart", "ms together", "ratio"], rows)]


def _threads(number: int) -> str:
    return "1 thread" if number == 1 else f"{number} threads"


def _called(objective: Any, data: Ranking, dataset: Any) -> Candidate:
    def start() -> Callable[[], float]:
        for scores in (data.scores, 0.5 * data.scores):  # the first rounds build plans and are checked
            objective(scores, dataset)
        return lambda: timed(lambda: objective(data.scores, dataset))

    return Candidate("", "all", start)


def _candidate(label: str, objective: Any, data: Ranking) -> Candidate:
    def start() -> Callable[[], float]:
        call = boost_call(objective, data)
        return lambda: timed(call)

    return Candidate(label, "drawn" if label in DRAWN else "all", start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fiftieth of everything, to see that it runs")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", nargs="+", metavar="PART", help="shapes of rankings, pairs, sums")
    parser.add_argument("--out", type=Path, help="default: benchmarks/results, or nowhere with --quick")
    args = parser.parse_args()
    args.scale = 0.02 if args.quick else 1.0
    out = args.out or (None if args.quick or args.only else _RESULTS)
    options = f"{' --quick' if args.quick else ''} --threads {args.threads} --repeats {args.repeats}"
    text = (
        "Ours: scores in, float32 gradient and Hessian out, on a plan built once. Theirs: an iteration with one split, "
        "less one of a plain regression of the same booster. Medians, ± half the distance of the quartiles."
    )
    sections = [["# What other losses, weights and pairs cost", "", f"`python benchmarks/losses.py{options}`", ""]]
    sections[0] += [*machine(), "", text]
    print("\n".join(sections[0]), flush=True)
    others = {"pairs": pairs_table, "sums": sums_table}
    for part in args.only or ("web", "one-query", "stocks", "users", *others):
        sections.append(others[part](args) if part in others else shape_table(part, args))
        print("\n" + "\n".join(sections[-1]), flush=True)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            whole = "\n\n".join("\n".join(section) for section in sections) + "\n"
            (out / "losses.md").write_text(whole, encoding="utf-8")


if __name__ == "__main__":
    main()

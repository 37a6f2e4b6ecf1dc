"""Which `normalize` should be the default? Cross-validation by query, equal trees for each, on ranking files.

    python benchmarks/normalize.py FILE [FILE ...] [--folds 5] [--rounds 100] [--seeds 3]

Every FILE is a LETOR / SVMlight file with qid (or LightGBM's form, with FILE.query beside it). Several files are one
data set, fold by fold, if --files-are-folds is given. Each seed samples 80% of the rows and columns for a tree anew;
a query's value is the mean over the seeds. Prints a Markdown table of the mean over all held-out queries,
and for each normaliser the paired bootstrap interval (95%, over queries) of its difference to "none".
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold

from gbdt_pairloss import LGBMRanker, PairwiseLogistic, XGBRanker, metrics
from gbdt_pairloss.datasets import load_letor_files

NORMALIZERS = ("none", "query", "log")
METRICS = {
    "NDCG@5": lambda *a, **k: metrics.ndcg(*a, k=5, **k),
    "NDCG@10": lambda *a, **k: metrics.ndcg(*a, k=10, **k),
    "MAP": metrics.average_precision,
    "pair accuracy": metrics.pair_accuracy,
}


def make_ranker(booster: str, normalize: str, rounds: int, seed: int) -> Any:
    common = {
        "objective": PairwiseLogistic(normalize=normalize),
        "n_estimators": rounds,
        "learning_rate": 0.1,
        "subsample": 0.8,
        "colsample_bytree": 0.8,
        "random_state": seed,
        "n_jobs": 1,
    }
    if booster == "lightgbm":
        return LGBMRanker(num_leaves=31, subsample_freq=1, verbose=-1, **common)
    return XGBRanker(max_depth=6, **common)


def evaluate(
    X: Any, y: Any, qid: Any, splits: Any, booster: str, normalize: str, rounds: int, seeds: int
) -> dict[str, Any]:
    """One value per held-out query and metric."""
    values: dict[str, list[Any]] = {name: [] for name in METRICS}
    for train, test in splits:
        scores = [
            make_ranker(booster, normalize, rounds, seed).fit(X[train], y[train], qid=qid[train]).predict(X[test])
            for seed in range(seeds)
        ]
        for name, metric in METRICS.items():
            values[name].append(np.mean([metric(y[test], s, qid=qid[test], per_query=True) for s in scores], axis=0))
    return {name: np.concatenate(parts) for name, parts in values.items()}


def interval(difference: Any, n_draws: int = 10_000) -> tuple[float, float]:
    """95% interval of the mean of per-query differences by the bootstrap."""
    difference = difference[~np.isnan(difference)]
    rng = np.random.default_rng(0)
    means = rng.choice(difference, size=(n_draws, difference.size)).mean(axis=1)
    return tuple(np.quantile(means, (0.025, 0.975)))  # type: ignore[return-value]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--files-are-folds", action="store_true")
    args = parser.parse_args()

    parts = load_letor_files(args.files)
    X = np.concatenate([p.X if isinstance(p.X, np.ndarray) else p.X.toarray() for p in parts])
    y = np.concatenate([p.y for p in parts])
    # Files may number their queries alike; whether a query is in one file or in two, its name says.
    qid = np.concatenate([p.qid for p in parts])
    if args.files_are_folds:
        fold = np.repeat(np.arange(len(parts)), [p.y.size for p in parts])
        splits = [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(len(parts))]
    else:
        qid = np.array([f"{i}:{q}" for i, p in enumerate(parts) for q in p.qid])
        splits = list(GroupKFold(args.folds).split(X, y, qid))
    print(f"{y.size} rows, {np.unique(qid).size} queries", end=", ")
    print(f"{len(splits)} folds, {args.rounds} rounds, {args.seeds} seeds\n")
    print("| booster | normalize | " + " | ".join(METRICS) + " |\n|---|---|" + "---|" * len(METRICS))
    for booster in ("lightgbm", "xgboost"):
        baseline: dict[str, Any] = {}
        for normalize in NORMALIZERS:
            values = evaluate(X, y, qid, splits, booster, normalize, args.rounds, args.seeds)
            baseline = baseline or values
            cells = []
            for name, value in values.items():
                low, high = interval(value - baseline[name])
                against = "" if values is baseline else f" ({low:+.4f} to {high:+.4f})"
                cells.append(f"{np.nanmean(value):.4f}{against}")
            print(f"| {booster} | {normalize} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()

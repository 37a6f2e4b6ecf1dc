"""Which metric early stopping should follow: what the stopped rankers reach on held-out queries.

    python benchmarks/stopping.py [--seeds 12] [--out FOLDER]

For each of several synthetic data sets, a ranker is trained with its default objective on 150 queries until the metric
has not improved for 20 rounds on 50 others, and judged on 100 more. Prints a Markdown table of means over the data sets
with the differences to the first metric and their 95% intervals (Student's t over the data sets); --out writes it.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student
from tables import machine, markdown

from gbdt_pairloss import LGBMRanker, XGBRanker, metrics
from gbdt_pairloss.datasets import make_ranking

FOLLOWED = ["ndcg", "ndcg@5", "ndcg@10", "pair_accuracy", "pairwise_logistic"]
KINDS: dict[str, dict[str, Any]] = {"five grades": {}, "binary": {"labels": "binary", "noise": 1.5}}
RANKERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "LGBMRanker": (LGBMRanker, {"verbose": -1}),
    "XGBRanker": (XGBRanker, {"max_depth": 5}),
}


def reached(ranker: str, kind: str, followed: str, seed: int) -> tuple[float, float, float]:
    """Return the number of trees, NDCG@10 and pair accuracy of a ranker that was stopped by a metric."""
    data = make_ranking(n_queries=300, query_size=40, random_state=seed, **KINDS[kind])
    queries = np.random.default_rng(seed).permutation(np.unique(data.qid))
    train, valid, test = (np.isin(data.qid, some) for some in (queries[:150], queries[150:200], queries[200:]))
    Ranker, params = RANKERS[ranker]
    model = Ranker(n_estimators=400, learning_rate=0.05, early_stopping_rounds=20, n_jobs=1, **params)
    model.fit(
        data.X[train],
        data.y[train],
        qid=data.qid[train],
        eval_set=[(data.X[valid], data.y[valid])],
        eval_qid=[data.qid[valid]],
        eval_metric=followed,
    )
    y, scores, of_test = data.y[test], model.predict(data.X[test]), {"qid": data.qid[test]}
    n_trees = model.best_iteration_ + (ranker == "XGBRanker")  # which counts from 0
    return n_trees, float(metrics.ndcg(y, scores, k=10, **of_test)), float(metrics.pair_accuracy(y, scores, **of_test))


def table(ranker: str, kind: str, n_seeds: int) -> list[str]:
    values = {name: np.array([reached(ranker, kind, name, seed) for seed in range(n_seeds)]) for name in FOLLOWED}
    rows = []
    for name, own in values.items():
        difference = own[:, 1] - values[FOLLOWED[0]][:, 1]
        half = student.ppf(0.975, n_seeds - 1) * difference.std(ddof=1) / np.sqrt(n_seeds)
        mean = difference.mean()
        text = "" if name == FOLLOWED[0] else f"{mean:+.4f} ({mean - half:+.4f} to {mean + half:+.4f})"
        rows.append([name, f"{own[:, 0].mean():.0f}", f"{own[:, 1].mean():.4f}", text, f"{own[:, 2].mean():.4f}"])
    header = ["stopped by", "trees", "NDCG@10", f"difference to {FOLLOWED[0]}", "pair accuracy"]
    return [f"## {ranker}, {kind}", "", *markdown(header, rows), ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=12, help="number of data sets")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    warnings.simplefilter("error")
    lines = [
        "# Which metric early stopping should follow",
        "",
        f"`python benchmarks/stopping.py --seeds {args.seeds}`",
        "",
        *machine(),
        "",
        f"Means over {args.seeds} synthetic data sets of 300 queries of 40 rows: 150 to train on with the default "
        "objective and a learning rate of 0.05, 50 to stop by after 20 rounds without an improvement, 100 to judge by. "
        '"pairwise_logistic" is the loss of the objective, which the rankers follow by default.',
        "",
    ]
    for ranker in RANKERS:
        for kind in KINDS:
            lines += table(ranker, kind, args.seeds)
    text = "\n".join(lines).rstrip() + "\n"
    print(text)
    if args.out is not None:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "stopping.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""What the objectives reach on held-out queries, ours and the boosters' own, all trained alike.

    python benchmarks/quality.py [--files NAME FILE [FILE ...]] ... [--jobs 2] [--keep FOLDER] [--write FOLDER]

Five-fold cross-validation by query on three synthetic shapes and on every data set given by ``--files``: LETOR files
with ``qid:`` (or LightGBM's form, with FILE.query beside it), taken together. In each fold every competitor of
`competitors.py` chooses its strength of regularisation by cross-validation within the training queries, and is then
trained on all of them with several seeds; the value of a held-out query is the mean over the seeds. Writes a Markdown
report with paired bootstrap intervals over the queries, and a figure. ``--keep`` keeps what was trained, and goes on
from there.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from competitors import LEARNING_RATE, N_LEAVES, SETTINGS, STRENGTHS, Array, Competitor, Rows, competitors
from drawing import draw_differences
from joblib import Parallel, delayed
from quality_report import NATIVE, Values, figure_lines, report
from sklearn.model_selection import GroupKFold
from tables import versions

from gbdt_pairloss import metrics
from gbdt_pairloss.datasets import RankingSplit, load_letor_files, make_ranking

FOLDS, INNER_FOLDS = 5, 2


@dataclass(frozen=True)
class Data:
    """A ranking data set.

    Attributes
    ----------
    name, title : str
    split : RankingSplit
        Its labels are what objectives get that take any real numbers.
    grades : ndarray
        What the others get, and what NDCG and MAP are computed from.
    relevant : float
        The least grade that counts for MAP.
    chosen_by : str
        The metric that chooses the strength of regularisation.
    """

    name: str
    title: str
    split: RankingSplit
    grades: Array
    relevant: float = 1.0
    chosen_by: str = "NDCG@10"

    def rows(self, index: Array) -> Rows:
        qid = self.split.qid[index]
        sizes = np.diff(np.flatnonzero(np.concatenate(([True], qid[1:] != qid[:-1], [True]))))
        return Rows(self.split.X[index], self.split.y[index], self.grades[index], sizes)

    def evaluate(self, scores: Array, index: Array) -> dict[str, Array]:
        """One value per query and metric; nan where a metric cannot judge a query."""
        grades, labels, common = self.grades[index], self.split.y[index], {"qid": self.split.qid[index]}
        of_query: dict[str, Callable[[], Any]] = {
            "NDCG@5": lambda: metrics.ndcg(grades, scores, k=5, per_query=True, **common),
            "NDCG@10": lambda: metrics.ndcg(grades, scores, k=10, per_query=True, **common),
            "MAP": lambda: metrics.average_precision(grades, scores, relevant=self.relevant, per_query=True, **common),
            "pair accuracy": lambda: metrics.pair_accuracy(labels, scores, per_query=True, **common),
        }
        return {name: np.asarray(metric()) for name, metric in of_query.items()}


def synthetic() -> list[Data]:
    """Search results with grades, users with a few positives, and days of float labels."""
    web = make_ranking(n_queries=250, query_size=60, max_query_size=400, random_state=1)
    users = make_ranking(n_queries=250, query_size=60, labels="binary", noise=1.5, random_state=2)
    days = make_ranking(n_queries=60, query_size=250, labels="float", noise=3.0, random_state=3)
    return [
        Data("web", "synthetic, five grades, queries of 60 on average", web, web.y),
        Data("users", "synthetic, binary, 10% positive, queries of 60", users, users.y),
        Data(
            "days",
            "synthetic, float labels, queries of 250; grades: fifths of each query; strengths by pair accuracy",
            days,
            _fifths(days),
            relevant=4.0,
            chosen_by="pair accuracy",
        ),
    ]


def _fifths(split: RankingSplit) -> Array:
    """Which fifth of its query a row's label is in, from 0."""
    grades = np.empty(split.y.size)
    for query in np.unique(split.qid):
        rows = np.flatnonzero(split.qid == query)
        grades[rows[np.argsort(split.y[rows])]] = np.arange(rows.size) * 5 // rows.size
    return grades


def from_files(name: str, files: list[str]) -> Data:
    parts = load_letor_files(files, dense=True)
    # Files may number their queries alike.
    query = [f"{i}:{q}" for i, part in enumerate(parts) for q in part.qid]
    _, qid = np.unique(query, return_inverse=True)
    order = np.argsort(qid, kind="stable")
    X, y = (np.concatenate([getattr(part, what) for part in parts])[order] for what in ("X", "y"))
    return Data(name, f"{len(files)} files", RankingSplit(X, y, qid[order], name), y)


def cross_validate(data: Data, competitor: Competitor, rounds: int, seeds: int) -> Values:
    """The held-out queries' values, by metric, and the strengths that were chosen."""
    qid = data.split.qid
    values: dict[str, Array] = {}
    chosen = []
    for train, test in GroupKFold(FOLDS).split(qid, groups=qid):
        strength = _choose(data, competitor, train, rounds)
        chosen.append(strength)
        models = [competitor.fit(data.rows(train), strength, rounds, seed) for seed in range(seeds)]
        evaluated = [data.evaluate(model(data.split.X[test]), test) for model in models]
        queries = np.unique(qid[test])  # metrics return queries in the order of their rows, which is this one
        for name in evaluated[0]:
            held_out = values.setdefault(name, np.full(int(qid.max()) + 1, np.nan))
            held_out[queries] = np.mean([one[name] for one in evaluated], axis=0)
    return Values(values, chosen)


def _choose(data: Data, competitor: Competitor, train: Array, rounds: int) -> float:
    """The strength that is best on queries held out of the training queries, the mean over all of those."""
    qid = data.split.qid[train]
    totals = np.zeros(len(STRENGTHS))
    for fit, held_out in GroupKFold(INNER_FOLDS).split(qid, groups=qid):
        for i, strength in enumerate(STRENGTHS):
            model = competitor.fit(data.rows(train[fit]), strength, rounds, seed=0)
            rows = train[held_out]
            totals[i] += np.nansum(data.evaluate(model(data.split.X[rows]), rows)[data.chosen_by])
    return STRENGTHS[int(np.argmax(totals))]


def _kept(folder: Path | None, data: Data, competitor: Competitor, rounds: int, seeds: int) -> Values:
    if folder is None:
        return cross_validate(data, competitor, rounds, seeds)
    arrays = (data.split.X, data.split.y, data.split.qid, data.grades)
    settings = (data.relevant, data.chosen_by, competitor, rounds, seeds, SETTINGS, FOLDS, INNER_FOLDS, versions())
    digest = hashlib.sha256(repr(settings).encode())
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    path = folder / f"{data.name}-{digest.hexdigest()[:12]}.npz"
    if not path.exists():
        values = cross_validate(data, competitor, rounds, seeds)
        np.savez(path, chosen=values.chosen, **values.of_query)
        print(f"{data.name}: {competitor.name}: {np.nanmean(values.of_query['NDCG@10']):.4f}", flush=True)
    with np.load(path) as saved:
        return Values({name: saved[name] for name in saved.files if name != "chosen"}, list(saved["chosen"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    files = "a name, then its files, with different queries: ids count by file"
    add("--files", nargs="+", action="append", default=[], metavar="NAME|FILE", help=files)
    add("--rounds", type=int, default=100)
    add("--seeds", type=int, default=2)
    add("--jobs", type=int, default=1, help="trainings at a time, each with one thread")
    add("--keep", type=Path, help="a folder for what was trained")
    add("--write", type=Path, default=Path(__file__).parent / "results", help="the folder of the report and its figure")
    args = parser.parse_args()
    if args.keep is not None:
        args.keep.mkdir(parents=True, exist_ok=True)

    every = [*(from_files(name, files) for name, *files in args.files), *synthetic()]
    tasks = [(data, competitor) for data in every for competitor in competitors()]
    results = Parallel(n_jobs=args.jobs, batch_size=1)(
        delayed(_kept)(args.keep, data, competitor, args.rounds, args.seeds) for data, competitor in tasks
    )
    by_set: dict[str, dict[str, Values]] = {data.name: {} for data in every}
    for (data, competitor), values in zip(tasks, results, strict=True):
        by_set[data.name][competitor.name] = values
    settings = (
        f"{FOLDS} folds by query, {args.rounds} trees of {N_LEAVES} leaves, learning rate {LEARNING_RATE}, "
        f"{args.seeds} seeds"
    )
    titles = {data.name: _describe(data) for data in every}
    files = "".join(f" --files {name} ..." for name, *_ in args.files)
    command = f"python benchmarks/quality.py{files} --rounds {args.rounds} --seeds {args.seeds}"
    (args.write / "quality.md").write_text(report(by_set, titles, settings, command), encoding="utf-8")
    panels = figure_lines(by_set, ("NDCG@10", "pair accuracy"))
    draw_differences(panels, NATIVE["LightGBM"], args.write / "quality.png")


def _describe(data: Data) -> str:
    rows, columns = data.split.X.shape
    return f"{data.title}: {rows:,} rows, {np.unique(data.split.qid).size:,} queries, {columns:,} features"


if __name__ == "__main__":
    main()

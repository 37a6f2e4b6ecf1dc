"""What the objectives reach on held-out queries, ours and the boosters' own, all trained alike.

    python benchmarks/quality.py [--yandex FOLDER] [--files NAME FILE [FILE ...]] ... [--setting tuned] [--seeds 2]
        [--jobs 1] [--keep FOLDER] [--only PATTERN ...] [--report-kept] [--write FOLDER]

Five-fold cross-validation by query on three synthetic shapes, on Yandex's set of 2009 if its folder is given, and on
every data set given by ``--files``: LETOR files with ``qid:`` (or LightGBM's form, with FILE.query beside it), taken
together. `competitors.py` lists what is compared, and the settings. In the setting "tuned", every competitor chooses in
each fold its strength of regularisation by cross-validation within the training queries. It is then trained on all of
them, with several seeds if it depends on the seed; the value of a held-out query is the mean over the seeds.

Writes a Markdown report with paired bootstrap intervals over the queries, and a figure. ``--keep`` keeps the scores of
the held-out rows: what is there is not trained again, also not for another metric or more seeds.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from competitors import SETTINGS, Array, Competitor, Rows, Setting, competitors
from drawing import draw_differences
from joblib import Parallel, delayed
from quality_report import Results, Values, report
from sklearn.model_selection import GroupKFold

import gbdt_pairloss
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

    @cached_property
    def digest(self) -> str:
        digest = hashlib.sha256()
        for array in (self.split.X, self.split.y, self.split.qid, self.grades):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def rows(self, index: Array) -> Rows:
        qid = self.split.qid[index]
        sizes = np.diff(np.flatnonzero(np.concatenate(([True], qid[1:] != qid[:-1], [True]))))
        return Rows(self.split.X[index], self.split.y[index], self.grades[index], sizes)

    def evaluate(self, scores: Array, index: Array) -> dict[str, Array]:
        """Return one value per query and metric; nan where a metric cannot judge a query."""
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
    """Return the fifth of its query that a row's label is in, from 0."""
    grades = np.empty(split.y.size)
    for query in np.unique(split.qid):
        rows = np.flatnonzero(split.qid == query)
        grades[rows[np.argsort(split.y[rows])]] = np.arange(rows.size) * 5 // rows.size
    return grades


def from_files(name: str, files: list[str]) -> Data:
    return _together(name, f"{len(files)} files", load_letor_files(files, dense=True))


def from_yandex(folder: Path) -> Data:
    """Read "Internet Mathematics 2009" as features.txt.gz and featuresTest.txt.gz: qid, relevance, address, group, X.

    All objectives get the grades, also those that take floats.
    """
    parts = []
    for name in ("features.txt.gz", "featuresTest.txt.gz"):
        with gzip.open(folder / name, "rt", encoding="utf-8") as file:
            cells = [line.rstrip("\n").split("\t") for line in file]
        relevance = np.array([float(row[1]) for row in cells])
        grades = np.digitize(relevance, [1e-9, 0.0701, 0.1401, 0.4101]).astype(float)
        X, qid = np.array([row[4:] for row in cells], dtype=float), np.array([int(row[0]) for row in cells])
        parts.append(RankingSplit(X, grades, qid, name))
    return _together("yandex", "Internet Mathematics 2009, five grades", parts)


def _together(name: str, title: str, parts: list[RankingSplit]) -> Data:
    # Files may number their queries alike.
    query = [f"{i}:{q}" for i, part in enumerate(parts) for q in part.qid]
    _, qid = np.unique(query, return_inverse=True)
    order = np.argsort(qid, kind="stable")
    X, y = (np.concatenate([getattr(part, what) for part in parts])[order] for what in ("X", "y"))
    return Data(name, title, RankingSplit(X, y, qid[order], name), y)


class NotKeptError(LookupError):
    """Something is not kept, and must not be trained."""


@dataclass(frozen=True)
class Store:
    """Arrays in a folder, each under a readable name and a digest of all that it depends on.

    Attributes
    ----------
    folder : Path or None
        None: nothing is kept.
    computes : bool
        Whether what is not kept is computed; otherwise it is an error.
    """

    folder: Path | None
    computes: bool = True

    def get(self, name: str, depends_on: Any, compute: Callable[[], Array]) -> Array:
        if self.folder is None:
            return compute()
        digest = hashlib.sha256(repr(depends_on).encode()).hexdigest()[:12]
        path = self.folder / f"{re.sub('[^a-zA-Z0-9.]+', '-', name)}-{digest}.npy"
        if not path.exists():
            if not self.computes:
                raise NotKeptError(name)
            array, unfinished = compute(), path.with_suffix(".unfinished.npy")
            np.save(unfinished, array)
            unfinished.rename(path)
        return np.asarray(np.load(path))


@dataclass(frozen=True)
class Training:
    """Cross-validated training of a competitor on a data set in a setting."""

    data: Data
    competitor: Competitor
    setting: Setting
    rounds: int

    def cross_validate(self, seeds: int, store: Store, prefix: str) -> Values:
        """Return the held-out queries' values, and the strengths that were chosen."""
        data, start = self.data, time.perf_counter()
        name = f"{data.name} {prefix} {self.competitor.name}"
        key = self._depends_on()
        strengths: list[Any] = [None] * FOLDS
        if self.setting.strengths:
            kept = store.get(f"{name} strengths", (key, INNER_FOLDS, data.chosen_by), self._choose)
            strengths = kept.tolist()
        if not (self.setting.samples or self.competitor.is_random):
            seeds = 1
        of_seeds = []
        for seed in range(seeds):
            compute = partial(self._held_out_scores, strengths, seed)
            scores = store.get(f"{name} {seed}", (key, strengths, seed), compute)
            of_seeds.append(data.evaluate(scores, np.arange(scores.size)))
        values = Values({m: np.mean([one[m] for one in of_seeds], axis=0) for m in of_seeds[0]}, strengths)
        seconds = time.perf_counter() - start
        if store.computes:
            print(f"{name}: NDCG@10 {values.mean('NDCG@10'):.4f}, {seconds:.0f} s", flush=True)
        return values

    def _depends_on(self) -> tuple[Any, ...]:
        """Return what decides the result of a training, except for the strengths and the seed."""
        competitor, setting = self.competitor, self.setting
        packages = [f"{package} {version(package)}" for package in ("numpy", competitor.booster.lower())]
        if competitor.is_ours:
            packages.append(f"gbdt_pairloss {gbdt_pairloss.__version__}")
        params = (setting.params[competitor.booster], setting.strengths)
        return (self.data.digest, competitor, params, self.rounds, FOLDS, packages)

    def _held_out_scores(self, strengths: list[Any], seed: int) -> Array:
        qid = self.data.split.qid
        scores = np.empty(qid.size)
        for (train, test), strength in zip(GroupKFold(FOLDS).split(qid, groups=qid), strengths, strict=True):
            scores[test] = self._fit(train, strength, seed)(self.data.split.X[test])
        return scores

    def _choose(self) -> Array:
        """Choose each fold's strength: the best on queries held out of the training queries, over all of those."""
        qid, chosen = self.data.split.qid, []
        for train, _ in GroupKFold(FOLDS).split(qid, groups=qid):
            totals = np.zeros(len(self.setting.strengths))
            for fit, held_out in GroupKFold(INNER_FOLDS).split(qid[train], groups=qid[train]):
                rows = train[held_out]
                for i, strength in enumerate(self.setting.strengths):
                    scores = self._fit(train[fit], strength, seed=0)(self.data.split.X[rows])
                    totals[i] += np.nansum(self.data.evaluate(scores, rows)[self.data.chosen_by])
            chosen.append(self.setting.strengths[int(np.argmax(totals))])
        return np.array(chosen)

    def _fit(self, index: Array, strength: float | None, seed: int) -> Callable[[Array], Array]:
        params = self.setting.params_of(self.competitor.booster, strength)
        return self.competitor.fit(self.data.rows(index), params, self.rounds, seed)


def _values(training: Training, seeds: int, store: Store, prefix: str) -> Values | None:
    try:
        return training.cross_validate(seeds, store, prefix)
    except NotKeptError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    only = "train the competitors whose name has a match of one of these regular expressions; no report"
    files = "a name, then its files, with different queries: ids count by file"
    add("--yandex", type=Path, help="the folder of features.txt.gz and featuresTest.txt.gz")
    add("--files", nargs="+", action="append", default=[], metavar="NAME|FILE", help=files)
    add("--setting", choices=list(SETTINGS), default="tuned")
    add("--rounds", type=int, default=100)
    add("--seeds", type=int, default=2, help="for the trainings that depend on the seed")
    add("--jobs", type=int, default=1, help="trainings at a time, each with one thread")
    add("--keep", type=Path, help="a folder for the scores of what was trained")
    add("--only", nargs="+", metavar="PATTERN", help=only)
    add("--report-kept", action="store_true", help="train nothing; report the competitors that are kept for all sets")
    add("--write", type=Path, default=Path(__file__).parent / "results", help="the folder of the report and its figure")
    args = parser.parse_args()
    if args.report_kept and args.keep is None:
        parser.error("--report-kept needs --keep")
    if args.keep is not None:
        args.keep.mkdir(parents=True, exist_ok=True)

    every = [from_yandex(args.yandex)] if args.yandex else []
    every += [*(from_files(name, files) for name, *files in args.files), *synthetic()]
    compared = competitors(args.setting)
    if args.only:
        compared = [one for one in compared if any(re.search(pattern, one.name) for pattern in args.only)]
    store, setting = Store(args.keep, computes=not args.report_kept), SETTINGS[args.setting]
    tasks = [Training(data, competitor, setting, args.rounds) for data in every for competitor in compared]
    found = Parallel(n_jobs=args.jobs, batch_size=1)(
        delayed(_values)(task, args.seeds, store, args.setting) for task in tasks
    )
    if args.only:
        return
    missing = {task.competitor.name for task, values in zip(tasks, found, strict=True) if values is None}
    by_set: dict[str, dict[str, Values]] = {data.name: {} for data in every}
    for task, values in zip(tasks, found, strict=True):
        if task.competitor.name not in missing:
            by_set[task.data.name][task.competitor.name] = values
    for name in sorted(missing):
        print(f"not kept for all sets, so not reported: {name}")
    results = Results(by_set)
    titles = {data.name: _describe(data) for data in every}
    settings = f"{FOLDS} folds by query, {args.rounds} trees, {args.seeds} seeds where a training depends on them"
    given = " --yandex ..." if args.yandex else ""
    given += "".join(f" --files {name} ..." for name, *_ in args.files)
    command = (
        f"python benchmarks/quality.py{given} --setting {args.setting} --rounds {args.rounds} --seeds {args.seeds}"
    )
    stem = "quality" if args.setting == "tuned" else "quality_" + re.sub("[-.]", "_", args.setting)
    text = report(results, titles, f"{settings}, {setting.text}", command)
    (args.write / f"{stem}.md").write_text(text, encoding="utf-8")
    panels, baseline = results.figure_lines(("NDCG@10", "pair accuracy"))
    draw_differences(panels, baseline, args.write / f"{stem}.png")


def _describe(data: Data) -> str:
    rows, columns = data.split.X.shape
    return f"{data.title}: {rows:,} rows, {np.unique(data.split.qid).size:,} queries, {columns:,} features"


if __name__ == "__main__":
    main()

"""The comparison of ranking objectives: trainings with the same settings, evaluated on held-out queries.

To add a booster, add its entries to ``NATIVE_OBJECTIVES``, ``SETTINGS``, ``_QUIET`` and ``_RANKERS``, and its callback
to ``_round_callback``. If it raises another error than ValueError for unsuitable data, add the error to ``_refusals``.
The objectives of this package come from the registry.
"""

from __future__ import annotations

import os
import textwrap
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from .. import datasets, metrics
from ..boosters._import import import_booster
from ..datasets import RankingSplit
from ..objectives import get_objective, objective_names
from ..objectives._registry import AUTO
from ._report import Progress, Result, draw, note_lines, table

NATIVE_OBJECTIVES = {"lightgbm": ("lambdarank", "rank_xendcg"), "xgboost": ("rank:pairwise", "rank:ndcg")}
LEARNING_RATE = 0.1
SETTINGS = {"lightgbm": {"num_leaves": 31}, "xgboost": {"max_depth": 6}}
_QUIET = {"lightgbm": -1, "xgboost": 0}  # values of ``verbosity``
_RANKERS = {"lightgbm": "LGBMRanker", "xgboost": "XGBRanker"}

#: Objectives of this package that are compared by default.
DEFAULT_OBJECTIVES = (AUTO, "pairwise_logistic", "bpr")

METRICS: dict[str, Callable[..., Any]] = {
    "NDCG@5": partial(metrics.ndcg, k=5),
    "NDCG@10": partial(metrics.ndcg, k=10),
    "MAP": metrics.average_precision,
    "pair accuracy": metrics.pair_accuracy,
}

# Native objectives that accept only whole numbers from 0 to this one as labels.
_LARGEST_GRADE = {"lambdarank": 30, "rank_xendcg": 30, "rank:ndcg": 31}
_LIGHTGBM_QUERY_ROWS = 10_000
_WARM_UP_ROUNDS, _WARM_UP_QUERIES = 2, 20


class UsageError(Exception):
    """An error in the arguments or files that the user has to correct; the message is one line."""


@dataclass(frozen=True)
class Options:
    """The options of a comparison, as on the command line.

    Attributes
    ----------
    train, test : str or None
        Paths of LETOR files; None: the data are scikit-learn's handwritten digits.
    objective : list of str or None
        Names of objectives, each entry one or several separated by commas; None: the default objectives.
    booster : str or None
        The only booster to use; None: all installed boosters.
    rounds, seed : int
        Number of trees of each training, and the seed of boosters and digits.
    threads : int or None
        Threads of each training; None: 1 for the digits, all cores for files.
    plot : str or None
        Path of the PNG file to write; None: no file is written.
    """

    train: str | None
    test: str | None
    objective: list[str] | None
    booster: str | None
    rounds: int
    seed: int
    threads: int | None
    plot: str | None


def compare(options: Options) -> None:
    """Run the trainings, print the table of their metrics, and draw the plot.

    Raises
    ------
    UsageError
        If an option or a file is invalid, or no training succeeded.
    OSError
        If a file cannot be read or written.
    """
    results = _trainings(options.booster, options.objective)
    if options.plot is not None:
        _check_plot(options.plot)
    train, test, description = _read_data(options)
    if options.threads is None:
        options = replace(options, threads=1 if options.train is None else _cores())
    print(*description, _settings_line(results, options), "", sep="\n", flush=True)
    _run(results, train, test, options)
    notes = note_lines(results)
    if (train.y < 0).any() and not all(result.is_native for result in results):
        notes.append("- negative labels are treated like any other label")
    print(*table(results), "", *notes, *([""] if notes else []), _legend(options, train, test), sep="\n")
    if all(np.isnan(result.seconds) for result in results):
        raise UsageError("no training succeeded; the notes above give the reasons")
    path = options.plot
    if path is not None and not (draw(results, "NDCG@10", path) or draw(results, "pair accuracy", path)):
        raise UsageError(f"{path} is not written: there is neither NDCG@10 nor pair accuracy to draw")


# Before the trainings: what to train, and whether it can succeed.


def _trainings(booster: str | None, asked: list[str] | None) -> list[Result]:
    """Return the requested trainings, without results.

    Raises
    ------
    UsageError
        If the name of an objective is unknown, or a booster is not installed.
    """
    booster_of = {objective: name for name, natives in NATIVE_OBJECTIVES.items() for objective in natives}
    known = [*booster_of, AUTO, *objective_names()]
    default = [*booster_of, *DEFAULT_OBJECTIVES]
    names = default if asked is None else list(dict.fromkeys(n.strip() for part in asked for n in part.split(",")))
    for name in names:
        if name not in known:
            raise UsageError(f"there is no objective {name!r}; known: {', '.join(known)}")
    boosters = _installed(booster)
    for name in names if asked is not None else ():
        if booster_of.get(name, boosters[0]) not in boosters:
            _import(booster_of[name])
            raise UsageError(f"{name} is an objective of {booster_of[name]}, but --booster is {booster}")
    missing = dict.fromkeys(METRICS, float("nan"))
    return [Result(b, n, n in booster_of, missing.copy()) for b in boosters for n in names if booster_of.get(n, b) == b]


def _installed(asked: str | None) -> list[str]:
    """Return the requested booster, or all installed boosters; raise a UsageError if there is none."""
    if asked is not None:
        _import(asked)
        return [asked]
    found = []
    for name in NATIVE_OBJECTIVES:
        with suppress(UsageError):
            _import(name)
            found.append(name)
    if not found:
        extras = " or ".join(f"'gbdt_pairloss[{name}]'" for name in NATIVE_OBJECTIVES)
        raise UsageError(f"no booster is installed: pip install {extras}")
    return found


def _import(booster: str) -> Any:
    try:
        return import_booster(booster)
    except ImportError as error:
        raise UsageError(str(error)) from None


def _check_plot(path: str) -> None:
    """Raise a UsageError if the plot cannot be written, before time is spent on trainings."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UsageError("--plot needs matplotlib: pip install 'gbdt_pairloss[notebooks]'") from None
    if not path.lower().endswith(".png"):
        raise UsageError(f"--plot writes a PNG file, but {path!r} does not end in .png")
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise UsageError(f"--plot: there is no folder {os.path.dirname(path)!r}")


def _cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _read_data(options: Options) -> tuple[RankingSplit, RankingSplit, list[str]]:
    """Return the training data, the test data, and lines that describe them."""
    if (options.train is None) != (options.test is None):
        raise UsageError("--train and --test must be given together: a file to train on, and a file with other queries")
    if options.train is None or options.test is None:
        train, test = datasets.make_digits_ranking(random_state=options.seed)
        data = "Data: scikit-learn's handwritten digits. A query is an image; its rows are other images to rank,"
        labels = "labelled 2 if they show the same digit, 1 for another digit of a similar shape, 0 otherwise."
    else:
        try:
            train, test = datasets.load_letor_files([options.train, options.test], dtype=np.float32)
        except ValueError as error:
            raise UsageError(str(error)) from None
        low, high = min(train.y.min(), test.y.min()), max(train.y.max(), test.y.max())
        data = f"Data: {options.train} to train, {options.test} to test."
        labels = f"Labels: relevance, as in the files, from {low:g} to {high:g}."
    sizes = [f"{s.y.size:,} rows of {np.unique(s.qid).size:,} queries" for s in (train, test)]
    return train, test, [data, labels, f"Train: {sizes[0]}. Test: {sizes[1]}. Features: {train.X.shape[1]:,}."]


def _settings_line(results: list[Result], options: Options) -> str:
    """Describe the settings that the trainings share."""
    boosters = dict.fromkeys(result.booster for result in results)
    of_boosters = [f"{name} {key} {value}" for name in boosters for key, value in SETTINGS[name].items()]
    shared = [f"{options.rounds} rounds", f"learning rate {LEARNING_RATE}"]
    return f"Settings: {', '.join([*shared, *of_boosters])}, threads {options.threads}, seed {options.seed}."


# The trainings and their evaluation.


def _run(results: list[Result], train: RankingSplit, test: RankingSplit, options: Options) -> None:
    """Run the trainings one after another, with a progress bar, and fill in their results."""
    progress = Progress(len(results) * options.rounds)
    try:
        for number, result in enumerate(results):
            progress.start(number * options.rounds, result.name)
            _train_and_test(result, train, test, options, progress.tick)
    finally:
        progress.clear()


def _train_and_test(
    result: Result, train: RankingSplit, test: RankingSplit, options: Options, tick: Callable[[], None]
) -> None:
    """Fill in one result; an error of the objective or the booster about the data becomes a note."""
    unsuitable = _unsuitable(result, train)
    if unsuitable:
        result.notes.append((result.name, unsuitable))
        return
    _warm_up(result, train, options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        model = _ranker(result, options, options.rounds)
        callback = _round_callback(result.booster, tick)
        try:
            start = time.perf_counter()
            model.fit(train.X, train.y, qid=train.qid, callbacks=[callback])
            result.seconds = time.perf_counter() - start
            scores = np.asarray(model.predict(test.X))
        except _refusals(result) as error:
            result.notes.append((result.name, str(error)))
        else:
            _evaluate(result, test, scores)
    result.notes += [(result.name, str(warning.message)) for warning in caught]


def _unsuitable(result: Result, train: RankingSplit) -> str:
    """Return the reason why a native objective rejects the data, or an empty string.

    LightGBM would also write the reason to stderr, into the progress bar.
    """
    largest = _LARGEST_GRADE.get(result.objective)
    if largest is not None:
        bad = train.y[(train.y < 0) | (train.y > largest) | (train.y != np.floor(train.y))]
        if bad.size:
            return f"takes whole-number labels from 0 to {largest} only, but there is a label {bad[0]:g}"
    rows = int(np.unique(train.qid, return_counts=True)[1].max())
    if result.objective in NATIVE_OBJECTIVES["lightgbm"] and rows > _LIGHTGBM_QUERY_ROWS:
        return f"takes at most {_LIGHTGBM_QUERY_ROWS:,} rows per query, but there is a query of {rows:,}"
    return ""


def _refusals(result: Result) -> tuple[type[Exception], ...]:
    """Return the exceptions that the objective and the booster raise for unsuitable data."""
    lightgbm = (import_booster("lightgbm").basic.LightGBMError,) if result.booster == "lightgbm" else ()
    return (ValueError, *lightgbm)  # XGBoost's error is a ValueError


def _warm_up(result: Result, train: RankingSplit, options: Options) -> None:
    """Run a short training, so that the measured time does not include compilation and the start of threads."""
    rows = np.flatnonzero(np.isin(train.qid, np.unique(train.qid)[:_WARM_UP_QUERIES]))
    with warnings.catch_warnings(), suppress(*_refusals(result)):  # the training itself reports the error
        warnings.simplefilter("ignore")
        _ranker(result, options, _WARM_UP_ROUNDS).fit(train.X[rows], train.y[rows], qid=train.qid[rows])


def _ranker(result: Result, options: Options, rounds: int) -> Any:
    """Return the ranker of a training; rankers are imported on first use, since a booster may not be installed."""
    module = import_module(f"..boosters.{result.booster}.ranker", __package__)
    objective: Any = result.objective
    if not result.is_native:  # negative labels are labels like any other, as for rank:pairwise
        objective = get_objective(objective, ignore_negative_labels=False, n_threads=options.threads)
    ranker: Any = getattr(module, _RANKERS[result.booster])(
        objective=objective,
        n_estimators=rounds,
        learning_rate=LEARNING_RATE,
        random_state=options.seed,
        n_jobs=options.threads,
        verbosity=_QUIET[result.booster],
        **SETTINGS[result.booster],
    )
    return ranker


def _round_callback(booster: str, tick: Callable[[], None]) -> Any:
    """Return a callback in the booster's form that calls ``tick`` after each round."""
    if booster == "lightgbm":
        return lambda env: tick()
    xgb = import_booster("xgboost")

    class Rounds(xgb.callback.TrainingCallback):  # type: ignore[misc,name-defined]
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            tick()
            return False  # do not stop

    return Rounds()


def _evaluate(result: Result, test: RankingSplit, scores: Any) -> None:
    """Fill in the metrics; a metric that is not defined for the labels becomes a note."""
    for name, metric in METRICS.items():
        if name == "MAP" and not (test.y >= 1).any():  # the metric would warn and return 0
            result.notes.append((name, "no test label reaches 1, which is what counts as relevant"))
            continue
        try:
            result.metrics[name] = metric(test.y, scores, qid=test.qid)
        except ValueError as error:
            result.notes.append((name, str(error).partition(" (")[0]))  # without the advice on arguments


def _legend(options: Options, train: RankingSplit, test: RankingSplit) -> str:
    """Return the explanation below the table, with a warning if both files contain the same query ids."""
    held_out = "None of the test queries is in the training data."
    # If the sizes of queries are in a .query file, queries have no ids but numbers, which files may share.
    numbered = any(path is None or os.path.exists(f"{path}.query") for path in (options.train, options.test))
    shared = 0 if numbered else np.intersect1d(train.qid, test.qid).size
    if shared:
        held_out = f"CAUTION: query ids in both files: {shared:,}; if they mean the same queries, nothing is held out."
    return textwrap.fill(
        "auto, the default of the rankers, bpr and pairwise_... are objectives of gbdt_pairloss, the others are native "
        "objectives of the boosters. NDCG, "
        "MAP (relevant: label 1 or more) and pair accuracy (share of pairs in the right order) are means over the test "
        f"queries; * marks the best value. Seconds are the time of the training alone. {held_out}",
        width=100,
    )

"""The main job, ``python -m gbdt_pairloss``: the boosters' own ranking objectives and ours, on held-out queries.

To add a booster: its entries in ``NATIVE_OBJECTIVES`` and ``SETTINGS``, its ranker and its callback. Our objectives
come from the registry.
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

import numpy as np

from . import datasets, metrics
from ._demo._report import Progress, Result, draw, note_lines, table
from .boosters._import import import_booster
from .datasets import RankingSplit
from .objectives import get_objective, objective_names

NATIVE_OBJECTIVES = {"lightgbm": ("lambdarank", "rank_xendcg"), "xgboost": ("rank:pairwise", "rank:ndcg")}
LEARNING_RATE = 0.1
SETTINGS = {"lightgbm": {"num_leaves": 31}, "xgboost": {"max_depth": 6}}
QUIET = {"lightgbm": -1, "xgboost": 0}

#: Our objectives that are compared if none is asked for.
DEFAULT_OBJECTIVES = ("pairwise_logistic", "bpr")

METRICS: dict[str, Callable[..., Any]] = {
    "NDCG@5": partial(metrics.ndcg, k=5),
    "NDCG@10": partial(metrics.ndcg, k=10),
    "MAP": metrics.average_precision,
    "pair accuracy": metrics.pair_accuracy,
}

_LARGEST_GRADE = {"lambdarank": 30, "rank_xendcg": 30, "rank:ndcg": 31}  # and whole numbers from 0 only
_LIGHTGBM_QUERY_ROWS = 10_000
_WARM_UP_ROUNDS, _WARM_UP_QUERIES = 2, 20

_EXAMPLES = """\
examples:
  python -m gbdt_pairloss
  python -m gbdt_pairloss --booster xgboost --objective rank:ndcg,pairwise_logistic --plot ndcg.png
  python -m gbdt_pairloss --train Fold1/train.txt.gz --test Fold1/test.txt.gz --rounds 300
"""


class UsageError(Exception):
    """What the caller has to change, in one line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Train, print the table, return the exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; by default those of the command line.

    Returns
    -------
    int
        0; 2 for bad arguments or files, with one line on stderr; 130 if interrupted.
    """
    try:
        _compare(_parser().parse_args(argv))
    except UsageError as error:
        message = str(error)
    except OSError as error:
        message = str(error) if error.filename is None else f"{error.filename}: {error.strerror}"
    except KeyboardInterrupt:
        return 130
    else:
        return 0
    print(f"gbdt-pairloss: {message}", file=sys.stderr)
    return 2


def _compare(args: argparse.Namespace) -> None:
    results = _trainings(args.booster, args.objective)
    if args.plot is not None:
        _check_plot(args.plot)
    train, test, description = _read_data(args)
    if args.threads is None:
        args.threads = 1 if args.train is None else _cores()
    grown = [f"{name} {k} {v}" for name in dict.fromkeys(r.booster for r in results) for k, v in SETTINGS[name].items()]
    settings = [f"{args.rounds} rounds", f"learning rate {LEARNING_RATE}", *grown, f"threads {args.threads}"]
    print(*description, f"Settings: {', '.join(settings)}, seed {args.seed}.", "", sep="\n", flush=True)
    progress = Progress(len(results) * args.rounds)
    try:
        for number, result in enumerate(results):
            progress.start(number * args.rounds, result.name)
            _train_and_test(result, train, test, args, progress.tick)
    finally:
        progress.clear()
    notes = note_lines(results)
    if (train.y < 0).any() and any(result.is_ours for result in results):
        notes.append("- negative labels are taken as labels like any other")
    print(*table(results), "", *notes, *([""] if notes else []), _legend(args, train, test), sep="\n")
    if all(np.isnan(result.seconds) for result in results):
        raise UsageError("no training succeeded; the reasons stand above")
    if args.plot is not None and not (draw(results, "NDCG@10", args.plot) or draw(results, "pair accuracy", args.plot)):
        raise UsageError(f"{args.plot} is not written: there is neither NDCG@10 nor pair accuracy to draw")


# The arguments.


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (--help lists the options)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="gbdt-pairloss",
        description="Train the boosters' own ranking objectives and gbdt_pairloss's with the same\n"
        "settings, and print their metrics on held-out queries in one table. Without\n"
        "--train and --test the data are scikit-learn's handwritten digits.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    natives = "; ".join(f"{booster}'s {', '.join(names)}" for booster, names in NATIVE_OBJECTIVES.items())
    whole, natural = partial(_whole_number, low=0), partial(_whole_number, low=1)
    add = parser.add_argument
    add("--train", metavar="FILE", help="LETOR (SVMlight) file with qid:, may end in .gz or .bz2; needs --test")
    add("--test", metavar="FILE", help="the same with the queries to test on; needs --train")
    names = f"one or several, also by repeating the option: our {', '.join(objective_names())}; {natives}"
    default = f"the boosters' own, {' and '.join(DEFAULT_OBJECTIVES)}"
    add("--objective", metavar="NAME[,NAME]", action="append", help=f"{names} (default: {default})")
    add("--booster", choices=tuple(NATIVE_OBJECTIVES), help="train with this one only (default: every installed one)")
    add("--rounds", metavar="N", type=natural, default=100, help="trees of each training (default: 100)")
    add("--seed", metavar="N", type=whole, default=0, help="of the boosters and of the draw of digits (default: 0)")
    threads = "of each training (default: 1 for the digits, which are too few to share out; all cores for files)"
    add("--threads", metavar="N", type=natural, help=threads)
    add("--plot", metavar="FILE.png", help="draw NDCG@10 (or else pair accuracy) as a bar chart; needs matplotlib")
    return parser


def _whole_number(text: str, low: int) -> int:
    if not (text.isascii() and text.isdecimal() and low <= int(text) < 2**31):
        raise argparse.ArgumentTypeError(f"must be a whole number from {low} to {2**31 - 1}, not {text!r}")
    return int(text)


def _trainings(booster: str | None, asked: list[str] | None) -> list[Result]:
    """The trainings asked for, with their figures missing; UsageError for unknown names and missing boosters."""
    owner = {objective: name for name, natives in NATIVE_OBJECTIVES.items() for objective in natives}
    known = [*owner, *objective_names()]
    default = [*owner, *DEFAULT_OBJECTIVES]
    names = default if asked is None else list(dict.fromkeys(n.strip() for part in asked for n in part.split(",")))
    for name in names:
        if name not in known:
            raise UsageError(f"there is no objective {name!r}; known: {', '.join(known)}")
    boosters = _installed(booster)
    for name in names if asked is not None else ():
        if owner.get(name, boosters[0]) not in boosters:
            _import(owner[name])
            raise UsageError(f"{name} is an objective of {owner[name]}, and --booster is {booster}")
    missing = dict.fromkeys(METRICS, float("nan"))
    return [Result(b, n, n not in owner, missing.copy()) for b in boosters for n in names if owner.get(n, b) == b]


def _installed(asked: str | None) -> list[str]:
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
    """What can be known to fail before the training does not wait until after it."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UsageError("--plot needs matplotlib: pip install 'gbdt_pairloss[notebooks]'") from None
    if not path.lower().endswith(".png"):
        raise UsageError(f"--plot writes a PNG file, and {path!r} does not end in .png")
    if not os.path.isdir(os.path.dirname(path) or "."):
        raise UsageError(f"--plot: there is no folder {os.path.dirname(path)!r}")


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


# The data.


def _read_data(args: argparse.Namespace) -> tuple[RankingSplit, RankingSplit, list[str]]:
    """Both parts, and lines that say what they are."""
    if (args.train is None) != (args.test is None):
        raise UsageError("--train and --test go together: a file to train on, and one with other queries to test on")
    if args.train is None:
        train, test = datasets.make_digits_ranking(random_state=args.seed)
        data = "Data: scikit-learn's handwritten digits. A query is an image; its rows are other images to rank,"
        labels = "labelled 2 if they show the same digit, 1 for another digit of a similar shape, 0 otherwise."
    else:
        try:
            train, test = datasets.load_letor_files([args.train, args.test], dtype=np.float32)
        except ValueError as error:
            raise UsageError(str(error)) from None
        low, high = min(train.y.min(), test.y.min()), max(train.y.max(), test.y.max())
        data = f"Data: {args.train} to train, {args.test} to test."
        labels = f"Labels: relevance, as in the files, from {low:g} to {high:g}."
    sizes = [f"{s.y.size:,} rows of {np.unique(s.qid).size:,} queries" for s in (train, test)]
    return train, test, [data, labels, f"Train: {sizes[0]}. Test: {sizes[1]}. Features: {train.X.shape[1]:,}."]


# The trainings.


def _train_and_test(
    result: Result, train: RankingSplit, test: RankingSplit, args: argparse.Namespace, tick: Callable[[], None]
) -> None:
    """Fill in the result; data that the objective or the booster refuses become a note."""
    unsuitable = _unsuitable(result, train)
    if unsuitable:
        result.notes.append((result.name, unsuitable))
        return
    _warm_up(result, train, args)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        model = _ranker(result, args, args.rounds)
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
    """Why the booster's own objective refuses the data; LightGBM would also write it to stderr, into the bar."""
    largest = _LARGEST_GRADE.get(result.objective)
    if largest is not None:
        bad = train.y[(train.y < 0) | (train.y > largest) | (train.y != np.floor(train.y))]
        if bad.size:
            return f"takes whole-number labels from 0 to {largest} only, and there is a label {bad[0]:g}"
    rows = int(np.unique(train.qid, return_counts=True)[1].max())
    if result.objective in NATIVE_OBJECTIVES["lightgbm"] and rows > _LIGHTGBM_QUERY_ROWS:
        return f"takes at most {_LIGHTGBM_QUERY_ROWS:,} rows a query, and there is one of {rows:,}"
    return ""


def _refusals(result: Result) -> tuple[type[Exception], ...]:
    """How the booster and we refuse data; XGBoost's error is a ValueError."""
    lightgbm = (import_booster("lightgbm").basic.LightGBMError,) if result.booster == "lightgbm" else ()
    return (ValueError, *lightgbm)


def _warm_up(result: Result, train: RankingSplit, args: argparse.Namespace) -> None:
    """A short training first, so that the start of threads and compilation are charged to no row."""
    rows = np.flatnonzero(np.isin(train.qid, np.unique(train.qid)[:_WARM_UP_QUERIES]))
    with warnings.catch_warnings(), suppress(*_refusals(result)):  # what is refused here, the training reports
        warnings.simplefilter("ignore")
        _ranker(result, args, _WARM_UP_ROUNDS).fit(train.X[rows], train.y[rows], qid=train.qid[rows])


def _ranker(result: Result, args: argparse.Namespace, rounds: int) -> Any:
    import gbdt_pairloss

    ranker: Any = gbdt_pairloss.LGBMRanker if result.booster == "lightgbm" else gbdt_pairloss.XGBRanker
    objective: Any = result.objective
    if result.is_ours:  # rank:pairwise takes a negative label like any other, too
        objective = get_objective(objective, ignore_negative_labels=False, n_threads=args.threads)
    return ranker(
        objective=objective,
        n_estimators=rounds,
        learning_rate=LEARNING_RATE,
        random_state=args.seed,
        n_jobs=args.threads,
        verbosity=QUIET[result.booster],
        **SETTINGS[result.booster],
    )


def _round_callback(booster: str, tick: Callable[[], None]) -> Any:
    """A callback of the booster's kind that calls ``tick`` after each round."""
    if booster == "lightgbm":
        return lambda env: tick()
    xgb = import_booster("xgboost")

    class Rounds(xgb.callback.TrainingCallback):  # type: ignore[misc,name-defined]
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            tick()
            return False  # do not stop

    return Rounds()


def _evaluate(result: Result, test: RankingSplit, scores: Any) -> None:
    for name, metric in METRICS.items():
        if name == "MAP" and not (test.y >= 1).any():  # the metric would warn and give 0
            result.notes.append((name, "no test label reaches 1, which is what counts as relevant"))
            continue
        try:
            result.metrics[name] = metric(test.y, scores, qid=test.qid)
        except ValueError as error:
            result.notes.append((name, str(error).partition(" (")[0]))  # without the advice on arguments


def _legend(args: argparse.Namespace, train: RankingSplit, test: RankingSplit) -> str:
    held_out = "None of the test queries is in the training data."
    # Sizes in a .query file are no ids: such queries are merely numbered.
    numbered = args.train is None or any(os.path.exists(f"{path}.query") for path in (args.train, args.test))
    shared = 0 if numbered else np.intersect1d(train.qid, test.qid).size
    if shared:
        held_out = f"CAUTION: query ids in both files: {shared:,}; if they mean the same queries, nothing is held out."
    return textwrap.fill(
        "bpr and pairwise_... are gbdt_pairloss's objectives, the others the boosters' own. NDCG, MAP "
        "(relevant: label 1 or more) and pair accuracy (share of pairs in the right order) are means over the test "
        f"queries, * marks the best; seconds are those of training alone. {held_out}",
        width=100,
    )


if __name__ == "__main__":
    sys.exit(main())

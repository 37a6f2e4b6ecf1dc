"""The boosters' own objectives: what an iteration with one of them takes beyond one of a plain regression.

Each trains trees of one split on two columns, so that little else is left, and learns so slowly that the scores stay
those of the ranking.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapes import Ranking
from timing import Candidate, RefusedError, timed

# Seconds of a pair on one core, to know what not to start. YetiRank looks at every pair of rows, but takes few.
_PAIR = {"lightgbm": 10e-9, "xgboost": 17e-9, "catboost": 50e-9, "yetirank": 24e-9}

# CatBoost lists the pairs, at some 50 bytes each.
_MOST_LISTED_PAIRS = 1e8

# Of a query for whose pairs XGBoost is started on a device.
_MOST_ROWS_ON_DEVICE = 20_000

_LEARNING_RATE = 1e-6
_MAX_BIN = 15
# Of one fit of CatBoost's.
_ITERATIONS = 6


def native_candidates(data: Ranking, threads: int, all_pairs_only: bool = False) -> list[Candidate]:
    """Those of the boosters that are installed."""
    makers = {"lightgbm": _lightgbm, "xgboost": xgboost_candidates, "catboost": _catboost}
    candidates: list[Candidate] = []
    for booster, maker in makers.items():
        if find_spec(booster) is not None:
            candidates += maker(data, threads)
    baselines = {id(c.minus) for c in candidates}
    if all_pairs_only:
        candidates = [c for c in candidates if c.pairs == "all" or id(c) in baselines]
    return candidates


def _columns(data: Ranking) -> NDArray[np.float64]:
    rng = np.random.default_rng(0)
    return np.column_stack([rng.standard_normal(data.n_docs) + 0.1 * data.labels, rng.standard_normal(data.n_docs)])


def _seconds(data: Ranking, booster: str, top: int | None = None) -> float:
    """A guess at the seconds of an iteration."""
    sizes = data.sizes.astype(np.float64)
    taken = sizes if top is None else np.minimum(sizes, top)
    return float((taken * (sizes - taken / 2)).sum()) * _PAIR[booster]


def _lightgbm(data: Ranking, threads: int) -> list[Candidate]:
    import lightgbm as lgb

    common = {
        "num_leaves": 2,
        "learning_rate": _LEARNING_RATE,
        "max_bin": _MAX_BIN,
        "min_data_in_leaf": 1,
        "min_sum_hessian_in_leaf": 0.0,
        "num_threads": threads,
        "force_col_wise": True,
        "metric": "None",
        "verbosity": -1,
    }
    dataset = lgb.Dataset(
        _columns(data), label=data.labels, group=data.sizes, init_score=data.scores, params=common
    ).construct()

    def starter(**params: Any) -> Callable[[], Callable[[], float]]:
        def start() -> Callable[[], float]:
            try:
                with _quiet():
                    booster = lgb.Booster({**common, **params}, dataset)
                    booster.update()
            except lgb.basic.LightGBMError:
                raise RefusedError("refuses") from None
            return lambda: timed(booster.update)

        return start

    plain = Candidate("LightGBM regression", "", starter(objective="regression"))
    largest = int(data.sizes.max())
    return [
        plain,
        Candidate(
            "LightGBM lambdarank",
            "top 30",
            starter(objective="lambdarank"),
            _seconds(data, "lightgbm", 30),
            plain,
        ),
        Candidate(
            "LightGBM lambdarank, all pairs",
            "all",
            starter(objective="lambdarank", lambdarank_truncation_level=largest),
            # It refuses larger queries, which takes no time.
            _seconds(data, "lightgbm") if largest <= 10_000 else 0.0,
            plain,
        ),
        Candidate("LightGBM rank_xendcg", "none", starter(objective="rank_xendcg"), minus=plain),
    ]


@contextmanager
def _quiet() -> Iterator[None]:
    """No messages from compiled code, which writes past ``sys.stderr``."""
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def xgboost_candidates(data: Ranking, threads: int, device: str = "cpu") -> list[Candidate]:
    """XGBoost's own, on a device as XGBoost names it."""
    import xgboost as xgb

    matrix = xgb.DMatrix(_columns(data), label=data.labels, base_margin=data.scores, nthread=threads)
    matrix.set_group(data.sizes)

    def starter(objective: str, **params: Any) -> Callable[[], Callable[[], float]]:
        def start() -> Callable[[], float]:
            common = {
                "objective": objective,
                "max_depth": 1,
                "eta": _LEARNING_RATE,
                "max_bin": _MAX_BIN,
                "tree_method": "hist",
                "min_child_weight": 0.0,
                "base_score": 0.0,
                "nthread": threads,
                "device": device,
                "disable_default_eval_metric": True,
                "verbosity": 0,
            }
            rounds = iter(range(10**9))
            try:
                booster = xgb.Booster({**common, **params}, [matrix])
                booster.update(matrix, next(rounds))
            except xgb.core.XGBoostError:
                raise RefusedError("refuses") from None
            return lambda: timed(lambda: booster.update(matrix, next(rounds)))

        return start

    plain = Candidate("XGBoost regression", "", starter("reg:squarederror"))
    everything = {"lambdarank_pair_method": "topk", "lambdarank_num_pair_per_sample": int(data.sizes.max())}
    # A guess for one core; a device takes so little time that it is not to be guessed.
    guess = 0.0 if device != "cpu" else 1.0
    top_32, all_pairs = guess * _seconds(data, "xgboost", 32), guess * _seconds(data, "xgboost")
    if device != "cpu" and data.sizes.max() > _MOST_ROWS_ON_DEVICE:
        all_pairs = np.inf
    return [
        plain,
        Candidate("XGBoost rank:pairwise", "top 32", starter("rank:pairwise"), top_32, plain),
        Candidate("XGBoost rank:pairwise, all pairs", "all", starter("rank:pairwise", **everything), all_pairs, plain),
        Candidate("XGBoost rank:ndcg", "top 32", starter("rank:ndcg"), top_32, plain),
    ]


def _catboost(data: Ranking, threads: int) -> list[Candidate]:
    import catboost

    query = np.repeat(np.arange(data.sizes.size), data.sizes)
    pool = catboost.Pool(
        _columns(data),
        label=data.labels / data.labels.max(),
        group_id=query,
        baseline=data.scores,
        thread_count=threads,
    )

    common = {
        "iterations": _ITERATIONS,
        "depth": 1,
        "learning_rate": _LEARNING_RATE,
        "border_count": _MAX_BIN,
        "bootstrap_type": "No",
        "boosting_type": "Plain",
        "leaf_estimation_iterations": 1,
        "metric_period": 10**6,
        "thread_count": threads,
        "allow_writing_files": False,
        "logging_level": "Silent",
    }

    def iteration(loss: str) -> float:
        stamps = _Stamps()
        try:
            catboost.CatBoost({**common, "loss_function": loss}).fit(pool, callbacks=[stamps])
        except catboost.CatBoostError:
            raise RefusedError("refuses") from None
        # Its metric is evaluated in the first iteration and in the last.
        return float(np.median(np.diff(stamps.times)[:-1]))

    def starter(loss: str) -> Callable[[], Callable[[], float]]:
        return lambda: lambda: iteration(loss)

    plain = Candidate("CatBoost RMSE", "", starter("RMSE"), warm=False)
    pairs = data.n_pairs()
    yetirank = _seconds(data, "yetirank") + data.n_docs * 4e-6
    return [
        plain,
        Candidate(
            "CatBoost PairLogit",
            "all",
            starter("PairLogit"),
            pairs * _PAIR["catboost"] * _ITERATIONS if pairs < _MOST_LISTED_PAIRS else np.inf,
            plain,
            warm=False,
        ),
        Candidate("CatBoost YetiRank", "sampled", starter("YetiRank"), yetirank * _ITERATIONS, plain, warm=False),
    ]


class _Stamps:
    """A callback that notes when each iteration ends."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def after_iteration(self, info: Any) -> bool:
        self.times.append(time.perf_counter())
        return True

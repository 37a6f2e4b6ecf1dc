"""What is compared in `quality.py`: the boosters' own ranking objectives and ours, trained alike.

Every competitor grows as many trees of as many leaves at the same learning rate, from the same share of the rows and
columns. One number, its strength of regularisation, is searched for each: the least sum of Hessians in a leaf and the
L2 penalty of a leaf's value. Both are on the scale of an objective's Hessians, which differ a thousandfold, so that
searching both together over decades lets each objective find its own. CatBoost has the penalty alone. It takes one
Newton step for the values of leaves, as the others do: ten, its default for PairLogit, take seven times as long.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

STRENGTHS = (0.01, 0.3, 10.0, 300.0, 10_000.0)
N_LEAVES = 31
LEARNING_RATE = 0.1
SHARE = 0.8  # of rows and columns for a tree
_ALL = 10_000  # as a truncation; no query has more rows
LEAST_ROWS = 20  # in a leaf, where a booster has such a limit: LightGBM's default

#: What all of them depend on.
SETTINGS = (STRENGTHS, N_LEAVES, LEARNING_RATE, SHARE, LEAST_ROWS)

Array = NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """Rows to train on, those of a query together.

    Attributes
    ----------
    labels : ndarray
        Real numbers, for the objectives that take them.
    grades : ndarray
        Whole numbers from 0, for those that do not; often the same.
    sizes : ndarray
        Of the queries.
    """

    X: Array
    labels: Array
    grades: Array
    sizes: Array


@dataclass(frozen=True)
class Competitor:
    """An objective in a booster.

    Attributes
    ----------
    booster : str
    objective : str
        A name of the booster's own, or "ours".
    params : dict
        Of the objective.
    takes_floats : bool
        Whether labels may be any real numbers; otherwise it gets grades.
    """

    booster: str
    objective: str
    params: dict[str, Any] = field(default_factory=dict)
    takes_floats: bool = True

    @property
    def is_ours(self) -> bool:
        return self.objective == "ours"

    @property
    def name(self) -> str:
        if not self.is_ours:
            return f"{self.booster} {self.objective}" + (", all pairs" if self.params else "")
        names = [value for value in self.params.values() if isinstance(value, str)]
        return f"{self.booster}, ours: " + ", ".join(names)

    def fit(self, rows: Rows, strength: float, rounds: int, seed: int) -> Callable[[Array], Array]:
        """Train, and return the function that scores rows."""
        labels = rows.labels if self.takes_floats else rows.grades
        objective = self.objective
        if self.is_ours:
            from gbdt_pairloss import PairwiseLogistic

            objective = PairwiseLogistic(**self.params, ignore_negative_labels=False, n_threads=1, device="cpu")
        with warnings.catch_warnings():
            # The greatest strengths may leave no split at all, of which our objectives warn.
            warnings.filterwarnings("ignore", message="the first tree moved all scores")
            native = {} if self.is_ours else self.params
            return _TRAIN[self.booster](objective, native, rows, labels, strength, rounds, seed)


def competitors() -> list[Competitor]:
    """Ours in both boosters, and the boosters' own; CatBoost's if it is installed."""
    found = []
    for booster in ("LightGBM", "XGBoost"):
        for pair_weight, normalize in (
            ("uniform", "none"),
            ("uniform", "query"),
            ("uniform", "log"),
            ("label_diff", "log"),
            ("ndcg", "log"),
        ):
            params: dict[str, Any] = {"pair_weight": pair_weight, "normalize": normalize}
            if booster == "XGBoost":
                params["hessian_scale"] = 2  # as its own objectives have it: else our steps would be twice as long
            # The differences of labels that "ndcg" weighs by are those of gains, which floats hardly make sense of.
            found.append(Competitor(booster, "ours", params, takes_floats=pair_weight != "ndcg"))
    found += [
        Competitor("LightGBM", "lambdarank", takes_floats=False),
        Competitor("LightGBM", "lambdarank", {"lambdarank_truncation_level": _ALL}, takes_floats=False),
        Competitor("LightGBM", "rank_xendcg", takes_floats=False),
        Competitor("XGBoost", "rank:pairwise"),
        Competitor("XGBoost", "rank:ndcg", takes_floats=False),
        Competitor("XGBoost", "rank:ndcg", {"lambdarank_num_pair_per_sample": _ALL}, takes_floats=False),
    ]
    if find_spec("catboost") is not None:
        found += [Competitor("CatBoost", "YetiRank", takes_floats=False), Competitor("CatBoost", "PairLogit")]
    return found


def _train_lightgbm(
    objective: Any, native: dict[str, Any], rows: Rows, labels: Array, strength: float, rounds: int, seed: int
) -> Callable[[Array], Array]:
    import lightgbm as lgb

    params = {
        "objective": objective,
        "num_leaves": N_LEAVES,
        "learning_rate": LEARNING_RATE,
        "bagging_fraction": SHARE,
        "bagging_freq": 1,
        "feature_fraction": SHARE,
        "min_data_in_leaf": LEAST_ROWS,
        "min_sum_hessian_in_leaf": strength,
        "lambda_l2": strength,
        "seed": seed,
        "num_threads": 1,
        "metric": "None",
        "verbosity": -1,
        **native,
    }
    booster = lgb.train(params, lgb.Dataset(rows.X, labels, group=rows.sizes), rounds)
    return lambda X: np.asarray(booster.predict(X, num_threads=1))


def _train_xgboost(
    objective: Any, native: dict[str, Any], rows: Rows, labels: Array, strength: float, rounds: int, seed: int
) -> Callable[[Array], Array]:
    import xgboost as xgb

    own = isinstance(objective, str)
    params = {
        "objective": objective if own else "rank:pairwise",
        "tree_method": "hist",
        "grow_policy": "lossguide",
        "max_leaves": N_LEAVES,
        "max_depth": 0,
        "eta": LEARNING_RATE,
        "subsample": SHARE,
        "colsample_bytree": SHARE,
        "min_child_weight": strength,
        "lambda": strength,
        "base_score": 0.0,
        "seed": seed,
        "nthread": 1,
        "disable_default_eval_metric": True,
        **native,
    }
    data = xgb.DMatrix(rows.X, labels, group=rows.sizes, nthread=1)
    booster = xgb.train(params, data, rounds, obj=None if own else objective)
    return lambda X: np.asarray(booster.predict(xgb.DMatrix(X, nthread=1)))


def _train_catboost(
    objective: str, native: dict[str, Any], rows: Rows, labels: Array, strength: float, rounds: int, seed: int
) -> Callable[[Array], Array]:
    import catboost

    model = catboost.CatBoost(
        {
            "loss_function": objective,
            "iterations": rounds,
            "grow_policy": "Lossguide",
            "max_leaves": N_LEAVES,
            "depth": 16,
            "learning_rate": LEARNING_RATE,
            "bootstrap_type": "Bernoulli",
            "subsample": SHARE,
            "rsm": SHARE,
            "min_data_in_leaf": LEAST_ROWS,
            "l2_leaf_reg": strength,
            "leaf_estimation_iterations": 1,
            "random_seed": seed,
            "thread_count": 1,
            "metric_period": rounds,
            "allow_writing_files": False,
            "logging_level": "Silent",
            **native,
        }
    )
    query = np.repeat(np.arange(rows.sizes.size), rows.sizes)
    # YetiRank takes labels from 0 to 1; only their order and ratios matter to it.
    labels = labels / max(1.0, float(np.abs(labels).max()))
    model.fit(catboost.Pool(rows.X, label=labels, group_id=query, thread_count=1))
    return lambda X: np.asarray(model.predict(X, thread_count=1))


_TRAIN: dict[str, Callable[..., Callable[[Array], Array]]] = {
    "LightGBM": _train_lightgbm,
    "XGBoost": _train_xgboost,
    "CatBoost": _train_catboost,
}

"""The competitors of `quality.py`: the boosters' own ranking objectives and ours, and the settings to train them in.

``tuned``: every competitor grows as many trees of as many leaves at the same learning rate, from the same share of the
rows and columns. One number, its strength of regularisation, is searched for each: the least sum of Hessians in a leaf
and the L2 penalty of a leaf's value. Both are on the scale of an objective's Hessians, which differ a thousandfold, so
that searching both together over decades lets each objective find its own. CatBoost has the penalty alone. It takes one
Newton step for the values of leaves, as the others do: ten, its default for PairLogit, take seven times as long.

``stock``: the parameters that the boosters' rankers have when none is given, with two exceptions for CatBoost, which
would grow 1,000 trees at a learning rate of 0.03. ``stock-eta-0.1``: XGBoost at the learning rate of the others.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ALL = 10_000  # as a truncation; no query has more rows

Array = NDArray[Any]
Params = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """Parameters that all competitors are trained with.

    Attributes
    ----------
    text : str
        For the report.
    params : dict
        By booster, in the booster's names. Boosters that it does not name take no part.
    strengths : tuple of float
        Strengths of regularisation to choose from; if empty, `params` are complete.
    samples : bool
        Whether trees are grown on samples of the rows and columns, so that every training depends on the seed.
    """

    text: str
    params: dict[str, Params]
    strengths: tuple[float, ...] = ()
    samples: bool = False

    def params_of(self, booster: str, strength: float | None) -> Params:
        params = self.params[booster]
        return params if strength is None else params | dict.fromkeys(_STRENGTH[booster], strength)


#: Parameters that a strength of regularisation sets.
_STRENGTH = {
    "LightGBM": ("min_sum_hessian_in_leaf", "lambda_l2"),
    "XGBoost": ("min_child_weight", "lambda"),
    "CatBoost": ("l2_leaf_reg",),
}

SETTINGS = {
    "tuned": Setting(
        "trees of 31 leaves, learning rate 0.1, 80% of rows and columns for a tree, and a search over five strengths "
        "of regularisation within the training queries of each fold (CatBoost takes one Newton step for a leaf)",
        {
            "LightGBM": {
                "num_leaves": 31,
                "learning_rate": 0.1,
                "bagging_fraction": 0.8,
                "bagging_freq": 1,
                "feature_fraction": 0.8,
                "min_data_in_leaf": 20,
            },
            "XGBoost": {
                "grow_policy": "lossguide",
                "max_leaves": 31,
                "max_depth": 0,
                "eta": 0.1,
                "subsample": 0.8,
                "colsample_bytree": 0.8,
            },
            "CatBoost": {
                "grow_policy": "Lossguide",
                "max_leaves": 31,
                "depth": 16,
                "learning_rate": 0.1,
                "bootstrap_type": "Bernoulli",
                "subsample": 0.8,
                "rsm": 0.8,
                "min_data_in_leaf": 20,
                "leaf_estimation_iterations": 1,
            },
        },
        strengths=(0.01, 0.3, 10.0, 300.0, 10_000.0),
        samples=True,
    ),
    "stock": Setting(
        "the parameters that each booster's ranker has when none is given: LightGBM 31 leaves, learning rate 0.1; "
        "XGBoost depth 6, learning rate 0.3; CatBoost depth 6, and 0.1 for its learning rate",
        {"LightGBM": {}, "XGBoost": {}, "CatBoost": {"learning_rate": 0.1}},
    ),
    "stock-eta-0.1": Setting(
        "XGBoost's parameters when none is given, except for a learning rate of 0.1",
        {"XGBoost": {"eta": 0.1}},
    ),
}


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
    squared : float
        Ours: share of the squared error. It adds ``squared`` times the error, less its mean over the query, to the
        gradient.
    takes_floats : bool
        Whether it gets the labels, which may be any real numbers; otherwise it gets grades.
    """

    booster: str
    objective: str
    params: Params = field(default_factory=dict)
    squared: float = 0.0
    takes_floats: bool = False

    @property
    def is_ours(self) -> bool:
        return self.objective == "ours"

    @property
    def name(self) -> str:
        if not self.is_ours:
            return f"{self.booster} {self.objective}" + (", all pairs" if self.params else "")
        params = dict(self.params)
        name = f"{self.booster}, ours: {params.pop('pair_weight')}"
        if params.get("normalize", "log") != "log":
            name += f", normalize {params['normalize']}"
        if "rank_noise" in params:
            name += f", noise {params['rank_noise']:g}"
        if self.squared:
            name += f" + {self.squared:g} squared"
        if params.get("hessian_scale", 2) != 2:
            name += f", Hessian x {params['hessian_scale']:g}"
        return name

    @property
    def is_random(self) -> bool:
        """Whether a training depends on the seed even if it uses all rows and columns."""
        has_noise = "rank_noise" in self.params or self.params.get("pair_weight") == "auto"
        return self.booster == "CatBoost" or self.objective == "rank_xendcg" or has_noise

    def fit(self, rows: Rows, params: Params, rounds: int, seed: int) -> Callable[[Array], Array]:
        """Train, and return the function that scores rows."""
        labels = rows.labels if self.takes_floats else rows.grades
        objective = self._our_objective(seed) if self.is_ours else self.objective
        with warnings.catch_warnings():
            # The greatest strengths may leave no split at all, of which our objectives warn.
            warnings.filterwarnings("ignore", message="the first tree moved all scores")
            params = params if self.is_ours else params | self.params
            return _TRAIN[self.booster](objective, params, rows, labels, rounds, seed)

    def _our_objective(self, seed: int) -> Any:
        import gbdt_pairloss as gp

        common: Params = {"ignore_negative_labels": False, "n_threads": 1, "device": "cpu"}
        objective = gp.PairwiseLogistic(**self.params, random_state=seed, **common)
        if not self.squared:
            return objective
        if "hessian_scale" in self.params:
            common["hessian_scale"] = self.params["hessian_scale"]
        # Over ordered pairs, divided by the rows of the query: four times the squared error about the query's mean.
        return objective + self.squared / 4 * gp.PairwiseMeanSquaredError(normalize="query", **common)


def competitors(setting: str) -> list[Competitor]:
    """Return the boosters' own objectives and ours in both; CatBoost's if it is installed."""
    found = [
        Competitor("LightGBM", "lambdarank"),
        Competitor("LightGBM", "lambdarank", {"lambdarank_truncation_level": _ALL}),
        Competitor("LightGBM", "rank_xendcg"),
        *_ours("LightGBM", {}, setting),
        Competitor("XGBoost", "rank:pairwise", takes_floats=True),
        Competitor("XGBoost", "rank:pairwise", {"lambdarank_num_pair_per_sample": _ALL}, takes_floats=True),
        Competitor("XGBoost", "rank:ndcg"),
        Competitor("XGBoost", "rank:ndcg", {"lambdarank_num_pair_per_sample": _ALL}),
    ]
    # The default in XGBoost, said explicitly: its own objectives have this factor, too.
    found += _ours("XGBoost", {"hessian_scale": 2}, setting)
    if setting != "tuned":  # where a factor of the Hessian is not searched for as the strength of regularisation is
        found += [
            Competitor("XGBoost", "ours", {"pair_weight": "uniform", "hessian_scale": 1}, takes_floats=True),
            Competitor("XGBoost", "ours", {"pair_weight": "ndcg", "rank_noise": 1, "hessian_scale": 1}),
        ]
    if find_spec("catboost") is not None:
        found += [
            Competitor("CatBoost", "YetiRank"),
            Competitor("CatBoost", "PairLogit", takes_floats=True),
            Competitor("CatBoost", "QueryRMSE"),
        ]
    return [one for one in found if one.booster in SETTINGS[setting].params]


def _ours(booster: str, params: Params, setting: str) -> list[Competitor]:
    def ours(pair_weight: str, squared: float = 0.0, **more: Any) -> Competitor:
        # Gains of floats hardly make sense, nor does their squared error beside a loss that has no unit.
        takes_floats = pair_weight in ("auto", "uniform", "label_diff") and not squared
        return Competitor(booster, "ours", {"pair_weight": pair_weight, **more, **params}, squared, takes_floats)

    normalizers = [ours("uniform", normalize=name) for name in ("none", "query")] if setting == "tuned" else []
    return [
        ours("auto"),
        ours("uniform"),
        *normalizers,
        ours("label_diff"),
        ours("gain_diff"),
        ours("ndcg"),
        ours("ndcg", rank_noise=1),
        ours("ndcg", rank_noise=3),
        ours("lambdarank", rank_noise=1),
        ours("lambdarank", rank_noise=3),
        ours("uniform", squared=1.0),
        ours("label_diff", squared=0.3),
        ours("label_diff", squared=1.0),
        ours("ndcg", squared=0.1, rank_noise=3),
        ours("lambdarank", squared=0.1, rank_noise=3),
    ]


def _train_lightgbm(
    objective: Any, params: Params, rows: Rows, labels: Array, rounds: int, seed: int
) -> Callable[[Array], Array]:
    import lightgbm as lgb

    params = {
        "objective": objective,
        "seed": seed,
        "num_threads": 1,
        "force_col_wise": True,  # otherwise it times both ways of summing, which round differently
        "metric": "None",
        "verbosity": -1,
        **params,
    }
    booster = lgb.train(params, lgb.Dataset(rows.X, labels, group=rows.sizes), rounds)
    return lambda X: np.asarray(booster.predict(X, num_threads=1))


def _train_xgboost(
    objective: Any, params: Params, rows: Rows, labels: Array, rounds: int, seed: int
) -> Callable[[Array], Array]:
    import xgboost as xgb

    own = isinstance(objective, str)
    params = {
        "objective": objective if own else "rank:pairwise",
        "tree_method": "hist",
        "base_score": 0.0,
        "seed": seed,
        "nthread": 1,
        "disable_default_eval_metric": True,
        **params,
    }
    data = xgb.DMatrix(rows.X, labels, group=rows.sizes, nthread=1)
    booster = xgb.train(params, data, rounds, obj=None if own else objective)
    return lambda X: np.asarray(booster.predict(xgb.DMatrix(X, nthread=1)))


def _train_catboost(
    objective: str, params: Params, rows: Rows, labels: Array, rounds: int, seed: int
) -> Callable[[Array], Array]:
    import catboost

    model = catboost.CatBoost(
        {
            "loss_function": objective,
            "iterations": rounds,
            "random_seed": seed,
            "thread_count": 1,
            "metric_period": rounds,
            "allow_writing_files": False,
            "logging_level": "Silent",
            **params,
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

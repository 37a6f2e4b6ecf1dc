"""XGBoost: reading a DMatrix, and the ranker."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..attachments import Attachment, get_attachment, set_attachment
from ..data import RankingData
from ..groups import Groups
from ..objectives import PairwiseObjective
from ..training import TrainingWatch
from ..validation import as_vector
from . import import_booster
from .ranker import (
    NESTED,
    Evaluation,
    QuerySet,
    RankerMixin,
    as_list,
    paired,
    read_evaluation_sets,
    read_query_set,
    swapped,
    take_qid_column,
)

xgb = import_booster("xgboost")

#: XGBoost's default of ``min_child_weight``.
MIN_CHILD_HESSIAN = 1.0

_NATIVE_METRICS = frozenset({"ndcg", "map", "pre", "auc", "aucpr", "rmse", "rmsle", "mae", "mape", "logloss", "error"})


def read_dataset(dataset: Any) -> RankingData:
    """Labels, groups and weights of a DMatrix; its weights are query weights.

    Raises
    ------
    ValueError
        If it has no groups, or has weights that are not one per query.
    """
    labels = as_vector(dataset.get_label(), "the DMatrix's label")
    ptr = dataset.get_uint_info("group_ptr")
    if ptr.size == 0:
        raise ValueError(
            "the DMatrix has no query groups, and a ranking objective needs them: xgboost.DMatrix(X, label=y, "
            "group=sizes) or (..., qid=ids) with the rows of each query together"
        )
    if labels.size == 0 and dataset.num_row() > 0:
        raise ValueError("the DMatrix has no labels: xgboost.DMatrix(X, label=...)")
    weight = dataset.get_weight()
    attached = get_attachment(dataset) or Attachment()
    return RankingData(
        labels,
        Groups.from_ptr(ptr, labels.shape[0]),
        item_weight=attached.item_weight,
        loser_weight=attached.loser_weight,
        query_weight=as_vector(weight, "the DMatrix's weight") if weight.size else None,
        mask=attached.mask,
    )


def metric_result(name: str, value: float, maximize: bool) -> tuple[str, float]:
    """What ``custom_metric`` returns."""
    return name, value


def check_trainable(dataset: Any) -> None:
    """XGBoost has no parameter that silently breaks a custom objective."""


def number_of_rows(dataset: Any) -> int | None:
    """Rows of a DMatrix."""
    return int(dataset.num_row())


def follow_cuts(dataset: Any) -> None:
    """Let the attachment go along when the DMatrix is sliced (``xgboost.cv`` slices): a slice knows no parent."""
    parent = weakref.ref(dataset)  # strong, it would keep the dataset alive in a cycle
    cut = type(dataset).slice

    def slice(rindex: Any, allow_groups: bool = False) -> Any:
        source = parent()
        result = cut(source, rindex, allow_groups)
        attached = get_attachment(source)
        if attached is not None:
            set_attachment(result, attached.take(rindex))
        return result

    dataset.slice = slice


class XGBRanker(RankerMixin, xgb.XGBRanker):  # type: ignore[misc,name-defined]
    """XGBoost's ranker with exact pairwise objectives.

    Every parameter, attribute and native objective of ``xgboost.XGBRanker`` is kept, with these differences:

    - ``objective`` also takes our names and objects; the default is "pairwise_logistic". Nested parameters such as
      ``objective__temperature`` reach the objective.
    - ``qid`` may be of any dtype and in any order; rows are regrouped inside.
    - ``sample_weight`` is per row (item weights, our objectives only) or per query.
    - ``eval_metric`` takes our metrics by name, several callables too, and early stopping knows their direction. A
      callable ``f(y_true, y_pred)`` sees one query at a time; the mean over queries (of two rows or more) counts
      each by its weight, not by its size.
    - With our objectives scores start at 0 (``base_score``), not at 0.5.
    - ``score`` takes ``qid`` and ``metric``.

    A saved model says ``rank:pairwise``, loads into plain XGBoost and predicts the same.

    Parameters
    ----------
    objective : str or PairwiseObjective, default="pairwise_logistic"
        "pairwise_logistic", "bpr", an object of ours, or "rank:ndcg", "rank:pairwise", "rank:map".
    **kwargs
        The parameters of ``xgboost.XGBRanker``.
    """

    _native_ranker = xgb.XGBRanker

    def __init__(self, *, objective: Any = "pairwise_logistic", **kwargs: Any) -> None:
        nested = {name: kwargs.pop(name) for name in list(kwargs) if name.startswith(NESTED)}
        # The base class takes strings that start with "rank:" only.
        super().__init__(objective="rank:pairwise", **kwargs)
        self.objective = objective
        self.set_params(**nested)

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        qid: Any = None,
        group: Any = None,
        sample_weight: Any = None,
        base_margin: Any = None,
        eval_set: Any = None,
        eval_qid: Any = None,
        eval_group: Any = None,
        eval_metric: Any = None,
        callbacks: Sequence[Any] | None = None,
        verbose: bool | int | None = False,
        xgb_model: Any = None,
        sample_weight_eval_set: Any = None,
        base_margin_eval_set: Any = None,
        feature_weights: Any = None,
    ) -> XGBRanker:
        """Train the ranker.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_rows, n_features)
            A column ``qid`` of a DataFrame holds the query ids.
        y : array of shape (n_rows,)
            Labels: larger is better. Any finite numbers for our objectives.
        qid : array of shape (n_rows,), optional
            Query id of each row: any dtype, any order; rows are regrouped inside.
        group : array of shape (n_queries,), optional
            Rows of each query, instead of ``qid``. Without either all rows are one query, with a warning.
        sample_weight : array, optional
            One per row (item weights; our objectives only) or one per query.
        base_margin : array of shape (n_rows,), optional
        eval_set : list of (X, y), optional
        eval_qid, eval_group, sample_weight_eval_set, base_margin_eval_set : lists, optional
            One entry for each evaluation set.
        eval_metric, callbacks : optional
            In place of the constructor's. Names such as "ndcg@10", "map", "pair_accuracy", "pairwise_logistic".
            Default, with our objectives: "ndcg", or the objective's own loss where labels do not suit NDCG.
        verbose, xgb_model, feature_weights
            As in ``xgboost.XGBRanker.fit``.

        Returns
        -------
        self : XGBRanker

        Raises
        ------
        ValueError
            If groups, labels or weights are malformed.
        """
        objective = self.pairwise_objective()
        if objective is None and not (isinstance(self.objective, str) and self.objective.startswith("rank:")):
            raise ValueError(
                f"objective {self.objective!r} is not known: XGBRanker takes 'pairwise_logistic', 'bpr', an objective "
                "of gbdt_pairloss, or one of XGBoost's 'rank:...'"
            )
        train = read_query_set(X, y, qid=qid, group=group, sample_weight=sample_weight, objective=objective)
        sets = read_evaluation_sets(
            eval_set,
            (X, y, train),
            eval_qid=eval_qid,
            eval_group=eval_group,
            eval_weight=sample_weight_eval_set,
            weight_name="sample_weight_eval_set",
            objective=objective,
        )
        if objective is None and any(s.data.item_weight is not None for s in [train, *sets]):
            raise ValueError(f"{self.objective} takes one weight per query: XGBoost knows no item weights")
        asked = self.eval_metric if eval_metric is None else eval_metric
        ours, native = self._evaluations(
            [_per_query(m) for m in as_list(asked)],
            default=["ndcg"],
            sets=sets,
            is_native=lambda name: name.partition("@")[0].rstrip("-") in _NATIVE_METRICS,
        )
        given_callbacks = as_list(self.callbacks if callbacks is None else callbacks)
        margins = paired(base_margin_eval_set, "base_margin_eval_set", len(sets))
        extra = {} if feature_weights is None else {"feature_weights": feature_weights}
        if sets:
            extra["eval_set"] = [(s.X, s.data.labels) for s in sets]
            extra["eval_group"] = [s.data.groups.sizes for s in sets]
            extra["sample_weight_eval_set"] = [s.data.query_weight for s in sets]
            extra["base_margin_eval_set"] = [
                s.take_scores(margin, f"base_margin_eval_set[{i}]")
                for i, (s, margin) in enumerate(zip(sets, margins, strict=True))
            ]
        with swapped(
            self,
            objective=self.objective,  # the base class replaces it by the native name
            eval_metric=native or None,
            early_stopping_rounds=None,
            callbacks=[
                _Injection(_gradients(self, objective, train), ours, sets),
                *_directed(given_callbacks, asked, ours, self.early_stopping_rounds),
            ],
            # A custom objective starts at 0.5 otherwise; a model to go on from has its own start.
            base_score=0.0 if self.base_score is None and objective and xgb_model is None else self.base_score,
        ):
            super().fit(
                train.X,
                train.data.labels,
                group=train.data.groups.sizes,
                sample_weight=train.data.query_weight,
                base_margin=train.take_scores(base_margin, "base_margin"),
                verbose=verbose,
                xgb_model=xgb_model,
                **extra,
            )
        self.n_queries_ = train.data.groups.n_queries
        return self

    def get_xgb_params(self) -> dict[str, Any]:
        """The native parameters. With an objective of ours the model calls itself ``rank:pairwise``."""
        params = {name: value for name, value in super().get_xgb_params().items() if not name.startswith(NESTED)}
        if self.pairwise_objective() is not None:
            params["objective"] = "rank:pairwise"
            params["disable_default_eval_metric"] = True
        return params

    def predict(
        self,
        X: Any,
        *,
        output_margin: bool = False,
        validate_features: bool = True,
        base_margin: Any = None,
        iteration_range: Any = None,
    ) -> Any:
        """Scores of rows, as ``xgboost.XGBRanker.predict``; a DataFrame column ``qid`` is left out."""
        return super().predict(
            take_qid_column(X)[0],
            output_margin=output_margin,
            validate_features=validate_features,
            base_margin=base_margin,
            iteration_range=iteration_range,
        )

    @property
    def best_iteration_(self) -> int:
        """XGBoost's ``best_iteration`` (counted from 0), under scikit-learn's and LightGBM's name."""
        return int(self.best_iteration)


class _QueryFunction:
    """A callable of one query, ``f(y_true, y_pred)``, as an evaluation: the weighted mean over queries.

    XGBoost's own decorator weighs queries by their size and ignores their weights.
    """

    maximize: bool | None = None  # unknown: XGBoost guesses by the name

    def __init__(self, function: Callable[..., float]) -> None:
        self.function = function
        self.name = function.__name__

    def __call__(self, data: RankingData, scores: NDArray[Any]) -> float:
        ptr, order = data.groups.ptr, data.groups.order
        weight = data.evaluation_weight()
        values, weights = [], []
        for query in np.flatnonzero(data.groups.sizes > 1):
            rows = order[ptr[query] : ptr[query + 1]]
            if data.mask is not None:
                rows = rows[data.mask[rows]]
            if rows.size > 1:
                values.append(self.function(data.labels[rows], scores[rows]))
                weights.append(1.0 if weight is None else weight[query])
        if not values:
            raise ValueError(f"{self.name} is undefined: no query has two rows")
        return float(np.average(values, weights=weights))


class _Injection(xgb.callback.TrainingCallback):  # type: ignore[misc,name-defined]
    """Gives a Booster our gradients and metrics while ``xgboost.XGBRanker.fit`` trains it.

    ``XGBRanker.fit`` passes no objective on, and its callable metrics through a decorator of its own; but it asks the
    Booster to ``update`` and to ``eval_set``, and those are public.
    """

    def __init__(
        self, gradients: Callable[..., Any] | None, evaluations: list[Evaluation], sets: list[QuerySet]
    ) -> None:
        super().__init__()
        self.gradients, self.evaluations, self.sets = gradients, evaluations, sets

    def before_training(self, model: Any) -> Any:
        booster = type(model)

        def update(dtrain: Any, iteration: int, fobj: Any = None) -> None:
            booster.update(model, dtrain, iteration, fobj=self.gradients)

        def eval_set(evals: Any, iteration: int = 0, feval: Any = None, output_margin: bool = True) -> str:
            message: str = booster.eval_set(model, evals, iteration, feval, output_margin)
            for (dmatrix, name), query_set in zip(evals, self.sets, strict=True):
                scores = model.predict(dmatrix, output_margin=True)
                for evaluation in self.evaluations:
                    message += f"\t{name}-{evaluation.name}:{evaluation(query_set.data, scores)!r}"
            return message

        if self.gradients is not None:
            model.update = update
        if self.evaluations:
            model.eval_set = eval_set
        return model

    def after_training(self, model: Any) -> Any:
        model.__dict__.pop("update", None)
        model.__dict__.pop("eval_set", None)
        return model


def _gradients(ranker: XGBRanker, objective: PairwiseObjective | None, train: QuerySet) -> Callable[..., Any] | None:
    """The objective on the training set's plan, as ``Booster.update`` calls it; None for a native objective."""
    if objective is None:
        return None
    plan = objective.plan(train.data)
    limit = ranker.min_child_weight
    watch = TrainingWatch(MIN_CHILD_HESSIAN if limit is None else float(limit))

    def gradients(preds: Any, dtrain: Any) -> Any:
        return objective.boost(plan, preds, watch)

    return gradients


def _per_query(metric: Any) -> Any:
    return _QueryFunction(metric) if callable(metric) and not hasattr(metric, "maximize") else metric


def _directed(callbacks: list[Any], asked: Any, ours: list[Evaluation], rounds: int | None) -> list[Any]:
    """Callbacks whose early stopping knows which way our metrics go; XGBoost guesses by the name.

    It follows the last metric that was asked for, as XGBoost does.
    """
    directions = {evaluation.name: evaluation.maximize for evaluation in ours}
    names = [name if isinstance(name, str) else getattr(name, "name", None) for name in as_list(asked)]
    last = names[-1] if names and names[-1] in directions else (ours[-1].name if ours else None)
    result = []
    for callback in callbacks:
        if isinstance(callback, xgb.callback.EarlyStopping) and callback.maximize is None:
            callback = copy.copy(callback)
            callback.maximize = directions.get(callback.metric_name or last)
        result.append(callback)
    if rounds is not None:
        result.append(xgb.callback.EarlyStopping(rounds=rounds, metric_name=last, maximize=directions.get(last)))
    return result

"""XGBoost's scikit-learn ranker with the objectives and metrics of this package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..._docstrings import documented_with
from ...objectives._registry import AUTO, NESTED, did_you_mean, objective_names
from ...ranking._features import check_column_types, take_qid_column
from ...ranking._reading import Extras
from ...ranking._validation import as_list
from .._docs import RANKER_TEXT
from .._evaluation import QueryFunction, check_evaluations, sort_metrics
from .._parameters import (
    OWN_PARAMETERS,
    keyword_signature,
    native_parameters,
    refuse_unprefixed,
    seed_of,
    swapped,
)
from .._query_sets import QuerySet, as_eval_set, initial_scores_of
from .._ranker import RankerMixin
from .dataset import HESSIAN_SCALE, is_native_metric, xgb
from .evaluation import evaluation_arguments, native_weight, with_directions
from .parameters import check_parameters, min_child_hessian
from .training import Injection, fit_natively, gradient_function

#: The attribute of a Booster that says which objective of this package it was trained with.
OBJECTIVE_ATTRIBUTE = "gbdt_pairloss_objective"


@documented_with(RANKER_TEXT)
class XGBRanker(RankerMixin, xgb.XGBRanker):  # type: ignore[misc,name-defined]
    """XGBoost's ranker with exact pairwise objectives.

    Every parameter, attribute and native objective of ``xgboost.XGBRanker`` is kept, with these differences:

    - ``objective`` also takes the names and objects of this package; the default, "auto", suits the labels. Nested
      parameters such as ``objective__temperature`` are passed to the objective.
    - ``qid`` may be of any dtype and in any order; rows are regrouped internally.
    - ``sample_weight`` is per row (item weights, only with an objective of this package) or per query. Weights per
      query also weigh the rows in XGBoost's quantile sketch, weights per row do not.
    - ``eval_metric`` takes the metrics of this package by name, and also several callables. Early stopping uses the
      direction of each metric of this package. A callable ``f(y_true, y_pred)`` gets one query at a time. The result is
      the mean over queries of two rows or more, weighted by the weights of the queries, not by their sizes.
    - With ``device="cuda"`` the objectives and metrics of this package are also computed on the GPU, if CuPy is
      installed (``objective__device="cpu"``: on the host).
    - With an objective of this package scores start at 0 (``base_score``) instead of 0.5.
    - ``score`` takes ``qid`` and ``metric``. ``load_model`` does not replace an objective of this package.

    A model that was trained with an objective of this package is saved with the objective ``rank:pairwise``. It can be
    loaded by plain XGBoost and predicts the same.

    Parameters
    ----------
    objective : str or RankingObjective, default="auto"
        "auto": the pairwise logistic loss, weighted by |delta NDCG| with rank noise if the labels are grades (whole
        numbers from 0 to 31), and not weighted otherwise. Or "pairwise_logistic", "bpr", another name that
        ``get_objective`` takes, an objective of this package, or a native objective: "rank:ndcg", "rank:pairwise",
        "rank:map".
    %(eval_fraction)s
    **kwargs
        The parameters of ``xgboost.XGBRanker``.

    Attributes
    ----------
    %(fitted)s

    Raises
    ------
    %(init_raises)s

    See Also
    --------
    LGBMRanker : The same for LightGBM.
    gbdt_pairloss.dask.DaskXGBRanker : This ranker on Dask clusters.
    PairwiseLogistic : The default objective, with the parameters of all objectives.
    make_ranking_scorer : Make a scorer for scikit-learn's searches and cross-validation.

    Examples
    --------
    >>> import numpy as np
    >>> from gbdt_pairloss import XGBRanker
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> y = np.exp(X[:, 0])
    >>> qid = np.repeat(np.arange(20), 10)
    >>> ranker = XGBRanker(n_estimators=10, random_state=0).fit(X, y, qid=qid)
    >>> ranker.score(X, y, qid=qid, metric="pair_accuracy") > 0.9
    True
    """

    _native_ranker = xgb.XGBRanker
    _hessian_scale = HESSIAN_SCALE
    #: Whether this package computes all metrics of a training, also with a native objective.
    _evaluates_alone = False

    def __init__(self, *, objective: Any = "auto", eval_fraction: float | None = None, **kwargs: Any) -> None:
        nested = {name: kwargs.pop(name) for name in list(kwargs) if name.startswith(NESTED)}
        refuse_unprefixed(kwargs)
        # The base class accepts only strings that start with "rank:".
        super().__init__(objective="rank:pairwise", **kwargs)
        self.objective = objective
        self.eval_fraction = eval_fraction
        self.set_params(**nested)

    __init__.__signature__ = keyword_signature(xgb.XGBModel.__init__, **OWN_PARAMETERS)  # type: ignore[attr-defined]

    @documented_with(RANKER_TEXT)
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        qid: Any = None,
        group: Any = None,
        sample_weight: Any = None,
        loser_weight: Any = None,
        item_id: Any = None,
        pairs: Any = None,
        mask: Any = None,
        base_margin: Any = None,
        eval_set: Any = None,
        eval_qid: Any = None,
        eval_group: Any = None,
        eval_loser_weight: Any = None,
        eval_item_id: Any = None,
        eval_pairs: Any = None,
        eval_mask: Any = None,
        eval_metric: Any = None,
        callbacks: Sequence[Any] | None = None,
        verbose: bool | int | None = False,
        xgb_model: Any = None,
        sample_weight_eval_set: Any = None,
        base_margin_eval_set: Any = None,
        feature_weights: Any = None,
        eval_X: Any = None,
        eval_y: Any = None,
    ) -> XGBRanker:
        """Train the ranker.

        Parameters
        ----------
        %(rows)s
        base_margin : array of shape (n_rows,), optional
            Scores from which the training starts.
        %(eval_set)s
        sample_weight_eval_set : list of arrays of shape (n_rows,) or (n_queries,), optional
            %(eval_weight)s
        base_margin_eval_set : list of arrays of shape (n_rows,), optional
            Scores from which the evaluation sets start.
        eval_metric : str, Metric, callable or list of these, optional
            Names such as "ndcg@10", "map", "pair_accuracy", "pairwise_logistic"; callables ``f(y_true, y_pred)`` of one
            query. Names mean the metrics of this package, whatever the objective; "native:ndcg" is XGBoost's. A
            ``WeightedSum`` is the losses of its terms, and then of the sum; "weighted_sum", if it is the objective, is
            the sum. Default: ``eval_metric`` of the constructor; else, with an objective of this package, its loss,
            by which early stopping ends in better rankings than by NDCG. Early stopping follows the last metric.
        callbacks : list of xgboost.callback.TrainingCallback, optional
            Default: ``callbacks`` of the constructor.
        verbose, xgb_model, feature_weights
            As in ``xgboost.XGBRanker.fit``.
        %(eval_X)s

        Returns
        -------
        self : XGBRanker
            The fitted ranker.

        Raises
        ------
        %(fit_raises)s

        Warns
        -----
        %(fit_warns)s
        """
        evaluator = self._evaluator(self.n_jobs)
        if evaluator is None and not (isinstance(self.objective, str) and self.objective.startswith("rank:")):
            raise ValueError(
                f"objective {self.objective!r} is not known{did_you_mean(self.objective)}: XGBRanker takes "
                f"{', '.join((AUTO, *objective_names()))}, an objective of gbdt_pairloss, or one of XGBoost's "
                "'rank:...'"
            )
        if evaluator is not None:
            check_parameters(self.get_params(deep=False))
        train, sets, n_queries = self._read_sets(
            evaluator,
            {"X": X, "y": y, "qid": qid, "group": group, "sample_weight": sample_weight},
            Extras(loser_weight=loser_weight, item_id=item_id, pairs=pairs, mask=mask),
            as_eval_set(eval_set, eval_X, eval_y),
            "sample_weight_eval_set",
            eval_qid=eval_qid,
            eval_group=eval_group,
            eval_weight=sample_weight_eval_set,
            eval_loser_weight=eval_loser_weight,
            eval_item_id=eval_item_id,
            eval_pairs=eval_pairs,
            eval_mask=eval_mask,
        )
        asked = as_list(self.eval_metric if eval_metric is None else eval_metric)
        evaluations, native = sort_metrics(asked, evaluator, is_native_metric, wrap=QueryFunction)
        plan = self._plan(evaluator, train)
        check_evaluations(evaluations, sets)
        self._check_learnable(evaluator, plan)
        gradients = None
        if evaluator is not None and plan is not None:
            limit = min_child_hessian(self.min_child_weight, self.booster)
            gradients = gradient_function(evaluator, plan, self._watch(limit))
        callbacks = as_list(self.callbacks if callbacks is None else callbacks)
        arguments = {
            "group": train.data.groups.sizes,
            "sample_weight": native_weight(train, evaluator is not None),
            "base_margin": train.take_scores(base_margin, "base_margin"),
            "verbose": verbose,
            "xgb_model": xgb_model,
            **evaluation_arguments(
                sets, initial_scores_of(sets, base_margin, base_margin_eval_set), evaluator is not None
            ),
            **({} if feature_weights is None else {"feature_weights": feature_weights}),
        }
        with self._unfitted_unless_trained():
            with swapped(
                self,
                objective=self.objective,  # the base class sets it to the native name
                eval_metric=native or None,
                _evaluates_alone=bool(evaluations) and not native,
                early_stopping_rounds=None,
                callbacks=[
                    Injection(gradients, evaluations, sets, evaluator),
                    *with_directions(
                        callbacks, asked, evaluations, self.early_stopping_rounds, self.booster != "gblinear"
                    ),
                ],
                # Otherwise XGBoost starts at 0.5 with a custom objective. A model to continue has its base score.
                base_score=(
                    0.0 if self.base_score is None and evaluator is not None and xgb_model is None else self.base_score
                ),
            ):
                fit_natively(super().fit, train.X, train.labels, **arguments)
            if plan is not None and plan.has_weighted_pair and not self._has_part_of_queries:
                self._warn_without_split(xgb_model is not None)
            self.objective_ = self.objective if evaluator is None else evaluator.decided()
            if evaluator is not None:  # a saved model says what it was trained with
                self.get_booster().set_attr(**{OBJECTIVE_ATTRIBUTE: " ".join(repr(self.objective_).split())})
            self.n_queries_ = n_queries
        return self

    def _forget(self) -> None:
        for name in ("_Booster", "evals_result_", "objective_", "n_queries_"):
            self.__dict__.pop(name, None)

    def check_native_data(self, train: QuerySet) -> None:
        """Raise a ValueError if the objective is a native one and weights differ within a query."""
        native_weight(train, self.pairwise_objective() is not None)

    def _n_splits(self) -> float | None:
        if self.booster == "gblinear" or self.get_booster().num_boosted_rounds() == 0:
            return None
        return len(self.get_booster().get_score(importance_type="weight"))

    def load_model(self, fname: Any) -> None:
        """Load a saved model; if the ranker's objective is one of this package, it is kept for the next ``fit``.

        Parameters
        ----------
        fname : str, path-like or bytearray
            A file that ``save_model`` wrote, or its contents.

        Raises
        ------
        ValueError
            If the file cannot be read, or is not a model of XGBoost (``xgboost.core.XGBoostError``).
        """
        if self.pairwise_objective() is None:
            super().load_model(fname)
            return
        with swapped(self, objective=self.objective, base_score=self.base_score):
            super().load_model(fname)

    def get_xgb_params(self) -> dict[str, Any]:
        """Get the parameters for XGBoost, in which an objective of this package is replaced by ``rank:pairwise``.

        Returns
        -------
        params : dict
            Values by XGBoost's names.
        """
        params = native_parameters(super().get_xgb_params())
        params["random_state"] = seed_of(params.get("random_state"))
        if self.pairwise_objective() is not None:
            params["objective"] = "rank:pairwise"
        if self.pairwise_objective() is not None or self._evaluates_alone:
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
        """Predict the scores of rows, like ``xgboost.XGBRanker.predict``; a DataFrame column ``qid`` is ignored.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_rows, n_features)
            Features, with the same columns as in ``fit``.
        output_margin, validate_features, base_margin, iteration_range
            As in ``xgboost.XGBRanker.predict``.

        Returns
        -------
        scores : float32 array of shape (n_rows,)
            Larger is better; scores are comparable only within a query.

        Raises
        ------
        ValueError
            If X has other columns than in ``fit``, or the ranker is not fitted.
        """
        features = take_qid_column(X)[0]
        check_column_types(features)
        return super().predict(
            features,
            output_margin=output_margin,
            validate_features=validate_features,
            base_margin=base_margin,
            iteration_range=iteration_range,
        )

    @property
    def n_trees_(self) -> int:
        """Number of trees that the fitted ranker predicts with; 0 for ``gblinear``.

        Raises
        ------
        ValueError
            If the ranker is not fitted (``sklearn.exceptions.NotFittedError``).
        """
        booster = self.get_booster()
        if self.booster == "gblinear":
            return 0
        best = booster.attr("best_iteration")
        rounds = booster.num_boosted_rounds() if best is None else int(best) + 1
        return rounds * int(self.num_parallel_tree or 1)

    @property
    def best_iteration_(self) -> int:
        """XGBoost's ``best_iteration`` (counted from 0), under the name that scikit-learn and LightGBM use.

        Raises
        ------
        AttributeError
            If the training had no early stopping.
        """
        return int(self.best_iteration)

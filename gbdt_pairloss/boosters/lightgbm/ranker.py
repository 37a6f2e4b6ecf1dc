"""LightGBM's scikit-learn ranker with the objectives and metrics of this package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..._docstrings import documented_with
from ...ranking._features import check_column_types, column_names, take_qid_column
from ...ranking._reading import Extras
from .._docs import RANKER_TEXT
from .._evaluation import check_evaluations
from .._parameters import OWN_PARAMETERS, keyword_signature, native_parameters, seed_of, swapped
from .._query_sets import as_eval_set, initial_scores_of
from .._ranker import RankerMixin
from .columns import check_arrow_columns, check_column_names, without_qid_column
from .dataset import HESSIAN_SCALE, lgb
from .evaluation import by_rows, choose_metrics, evaluation_arguments, find_set, metric_function
from .parameters import check_parameters, is_dart, min_child_hessian, threads_of
from .training import fit_natively, gradient_function


@documented_with(RANKER_TEXT)
class LGBMRanker(RankerMixin, lgb.LGBMRanker):  # type: ignore[misc,name-defined]
    """LightGBM's ranker with exact pairwise objectives.

    Every parameter, attribute and native objective of ``lightgbm.LGBMRanker`` is kept, with these differences:

    - ``objective`` also takes the names and objects of this package; the default, "auto", suits the labels. Nested
      parameters such as ``objective__temperature`` are passed to the objective.
    - ``fit`` takes ``qid`` (one id per row, any dtype, any order) or a DataFrame column ``qid`` instead of ``group``.
      ``sample_weight`` is per row (item weights) or per query.
    - With an objective of this package, native metrics are evaluated only if they are asked for, so that their limits
      (10,000 rows per query, whole-number labels below 31) do not apply.
    - There is a method ``score``: the mean of NDCG, or of another metric, over the queries.
    - All arguments of ``fit`` except X and y are keyword-only.

    A saved booster can be loaded by plain LightGBM and predicts the same.

    Parameters
    ----------
    objective : str, RankingObjective or callable, default="auto"
        "auto": the pairwise logistic loss, weighted by |delta NDCG| with rank noise if the labels are grades (whole
        numbers from 0 to 31), and not weighted otherwise. Or "pairwise_logistic", "bpr", another name that
        ``get_objective`` takes, an objective of this package, or anything that ``lightgbm.LGBMRanker`` takes, such as
        "lambdarank"; None is LightGBM's default.
    %(eval_fraction)s
    **kwargs
        The parameters of ``lightgbm.LGBMRanker``. ``metric`` also takes the names of the metrics of this package.

    Attributes
    ----------
    %(fitted)s

    Raises
    ------
    %(init_raises)s

    See Also
    --------
    XGBRanker : The same for XGBoost.
    gbdt_pairloss.dask.DaskLGBMRanker : This ranker on Dask clusters.
    PairwiseLogistic : The default objective, with the parameters of all objectives.
    make_ranking_scorer : Make a scorer for scikit-learn's searches and cross-validation.

    Notes
    -----
    LightGBM takes gradients from the host only, wherever it trains. With ``objective__device="cuda"`` they are computed
    on the CUDA device and copied to the host.

    Examples
    --------
    >>> import numpy as np
    >>> from gbdt_pairloss import LGBMRanker
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> y = np.exp(X[:, 0])
    >>> qid = np.repeat(np.arange(20), 10)
    >>> ranker = LGBMRanker(n_estimators=10, random_state=0, verbose=-1).fit(X, y, qid=qid)
    >>> ranker.score(X, y, qid=qid, metric="pair_accuracy") > 0.9
    True
    """

    _native_ranker = lgb.LGBMRanker
    _hessian_scale = HESSIAN_SCALE
    #: LightGBM's parameter "metric" while it trains; None: as it is.
    _metric_parameter: Any = None
    _objective: Any

    def __init__(self, *, objective: Any = "auto", eval_fraction: float | None = None, **kwargs: Any) -> None:
        super().__init__(objective=objective, **kwargs)
        self.eval_fraction = eval_fraction

    __init__.__signature__ = keyword_signature(lgb.LGBMRanker.__init__, **OWN_PARAMETERS)  # type: ignore[attr-defined]

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
        init_score: Any = None,
        eval_set: Any = None,
        eval_names: list[str] | None = None,
        eval_sample_weight: Any = None,
        eval_init_score: Any = None,
        eval_qid: Any = None,
        eval_group: Any = None,
        eval_loser_weight: Any = None,
        eval_item_id: Any = None,
        eval_pairs: Any = None,
        eval_mask: Any = None,
        eval_metric: Any = None,
        eval_at: Any = None,
        feature_name: Any = "auto",
        categorical_feature: Any = "auto",
        callbacks: list[Callable[..., Any]] | None = None,
        init_model: Any = None,
        eval_X: Any = None,
        eval_y: Any = None,
    ) -> LGBMRanker:
        """Train the ranker.

        Parameters
        ----------
        %(rows)s
        init_score : array of shape (n_rows,), optional
            Scores from which the training starts.
        %(eval_set)s
        eval_names : list of str, optional
            Names of the evaluation sets in ``evals_result_``; default: "valid_0" and so on.
        eval_sample_weight : list of arrays of shape (n_rows,) or (n_queries,), optional
            %(eval_weight)s
        eval_init_score : list of arrays of shape (n_rows,), optional
            Scores from which the evaluation sets start.
        eval_metric : str, Metric, callable or list of these, optional
            Names such as "ndcg@10", "map", "pair_accuracy", "pairwise_logistic"; callables in LightGBM's form. They
            mean the metrics of this package, whatever the objective; "native:ndcg" is LightGBM's. A
            ``WeightedSum`` is the losses of its terms and of the sum; "weighted_sum", if it is the
            objective, is the sum. Default with an objective of this package: the parameter ``metric``, else NDCG at
            ``eval_at`` if that is given, else the loss of the objective, by which early stopping ends in better
            rankings than by NDCG. LightGBM evaluates native metrics first, which matters only to
            ``first_metric_only``.
        eval_at : int or sequence of int, optional
            Ranks at which "ndcg" and "map" are evaluated if their names have no ``@k``. Default for the default metric:
            1 to 5.
        feature_name, categorical_feature, callbacks, init_model
            As in ``lightgbm.LGBMRanker.fit``. For early stopping use ``callbacks=[lightgbm.early_stopping(20)]``.
        %(eval_X)s

        Returns
        -------
        self : LGBMRanker
            The fitted ranker.

        Raises
        ------
        %(fit_raises)s
            If an evaluation set has other columns than X, or if ``bagging_by_query`` or ``class_weight`` is set, which
            do not work with the objectives of this package.

        Warns
        -----
        %(fit_warns)s
        """
        params = self.get_params(deep=False)
        evaluator = self._evaluator(threads_of(params))
        if evaluator is not None:
            check_parameters(params)
        train, sets, n_queries = self._read_sets(
            evaluator,
            {"X": X, "y": y, "qid": qid, "group": group, "sample_weight": sample_weight},
            Extras(loser_weight=loser_weight, item_id=item_id, pairs=pairs, mask=mask),
            as_eval_set(eval_set, eval_X, eval_y),
            "eval_sample_weight",
            by_data_alone=evaluator is None,  # like LightGBM
            eval_qid=eval_qid,
            eval_group=eval_group,
            eval_weight=eval_sample_weight,
            eval_loser_weight=eval_loser_weight,
            eval_item_id=eval_item_id,
            eval_pairs=eval_pairs,
            eval_mask=eval_mask,
        )
        if (evaluator is not None or callable(self.objective)) and is_dart(params):
            # With DART the training set must not be evaluated. LightGBM recognises it by the identity of its labels: a
            # copy is another set.
            eval_names = eval_names or ["training" if s is train else f"valid_{i}" for i, s in enumerate(sets)]
            sets = [replace(s, data=s.data.copy()) if s is train else s for s in sets]
        evaluations, native, ranks = choose_metrics(params, eval_metric, eval_at, evaluator)
        plan = self._plan(evaluator, train)
        check_evaluations(evaluations, sets)
        find = find_set(train, sets)
        native = [by_rows(metric, find) if callable(metric) else metric for metric in native]
        if evaluations:
            native.append(metric_function(evaluations, find))
        self._check_learnable(evaluator, plan)
        names = column_names(train.X)
        for query_set in sets:
            check_column_names(query_set.X, names, query_set.name)
        for query_set in (train, *sets):
            check_arrow_columns(query_set.X)
        # With a native objective, LightGBM takes an empty list for its default metric.
        has_names = any(isinstance(metric, str) for metric in native)
        metric_parameter = None if evaluator is None and not native else [] if evaluator or has_names else "None"
        in_use = self.objective
        is_function = evaluator is None and callable(self.objective)
        if is_function:
            in_use = by_rows(self.objective, lambda *_: train, is_objective=True)
        if evaluator is not None and plan is not None:
            in_use = gradient_function(evaluator, plan, self._watch(min_child_hessian(params)))
        arguments = {
            "sample_weight": train.row_weight,
            "init_score": train.take_scores(init_score, "init_score"),
            "group": train.data.groups.sizes,
            **evaluation_arguments(sets, initial_scores_of(sets, init_score, eval_init_score)),
            "eval_names": eval_names,
            "eval_metric": native or None,
            "eval_at": ranks,
            "feature_name": feature_name,
            "categorical_feature": without_qid_column(categorical_feature, X),
            "callbacks": callbacks,
            "init_model": init_model,
        }
        with self._unfitted_unless_trained():
            # LightGBM trains with the attribute _objective; the attribute objective is the parameter.
            with swapped(self, _objective=in_use, _metric_parameter=metric_parameter):
                fit_natively(super().fit, self.objective, train.X, train.labels, **arguments)
                trained_with = self.objective if is_function else self._objective
                if evaluator is not None:
                    trained_with = evaluator.decided()
            self._objective = trained_with
            if plan is not None and plan.has_weighted_pair and not self._has_part_of_queries:
                self._warn_without_split(init_model is not None)
            named = names is not None and all(isinstance(name, str) for name in names)
            self._feature_names = names if named else None  # scikit-learn's rule
            self.n_queries_ = n_queries
        return self

    def _forget(self) -> None:
        for name, value in vars(lgb.LGBMRanker()).items():
            if name.startswith("_") and name != "_other_params":
                setattr(self, name, value)
        self._objective = self.objective
        for name in ("fitted_", "n_queries_", "_feature_names"):
            self.__dict__.pop(name, None)

    @property
    def feature_names_in_(self) -> Any:
        """Names of the features, an array of shape (n_features,), if X had names that are all strings.

        Raises
        ------
        AttributeError
            If the ranker was fitted without names, or is not fitted.

        Notes
        -----
        LightGBM 4.6 invents names for an X without names, and then warns if ``predict`` is given an array.
        """
        if getattr(self, "_feature_names", None) is None:
            raise AttributeError(f"{type(self).__name__} has no feature_names_in_: it was fitted without names")
        return np.array(self._feature_names)

    @feature_names_in_.setter
    def feature_names_in_(self, names: Any) -> None:
        """Ignore names that scikit-learn sets while LightGBM checks X; ``fit`` keeps those of the caller's X."""

    @feature_names_in_.deleter
    def feature_names_in_(self) -> None:
        """Do nothing when scikit-learn deletes the names while LightGBM checks an X without names."""

    def predict(
        self,
        X: Any,
        raw_score: bool = False,
        start_iteration: int = 0,
        num_iteration: int | None = None,
        pred_leaf: bool = False,
        pred_contrib: bool = False,
        validate_features: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Predict the scores of rows, like ``lightgbm.LGBMRanker.predict``; a DataFrame column ``qid`` is ignored.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_rows, n_features)
            Features, with the same columns as in ``fit``.
        raw_score, start_iteration, num_iteration, pred_leaf, pred_contrib, validate_features
            As in ``lightgbm.LGBMRanker.predict``.
        **kwargs
            Other parameters of LightGBM's predictions.

        Returns
        -------
        scores : float64 array of shape (n_rows,)
            Larger is better; scores are comparable only within a query. With ``pred_leaf``, the leaves of each row,
            int32 of shape (n_rows, n_trees). With ``pred_contrib``, the contributions of the features, float64 of shape
            (n_rows, n_features + 1).

        Raises
        ------
        ValueError
            If X has other columns than in ``fit``, or the ranker is not fitted.
        """
        features = take_qid_column(X)[0]
        check_column_types(features)
        check_arrow_columns(features)
        check_column_names(features, getattr(self, "_feature_names", None), "X")
        return super().predict(
            features,
            raw_score=raw_score,
            start_iteration=start_iteration,
            num_iteration=num_iteration,
            pred_leaf=pred_leaf,
            pred_contrib=pred_contrib,
            validate_features=validate_features,
            **kwargs,
        )

    @property
    def n_trees_(self) -> int:
        """Number of trees that the fitted ranker predicts with.

        Raises
        ------
        ValueError
            If the ranker is not fitted (``lightgbm.sklearn.LGBMNotFittedError``).
        """
        booster = self.booster_
        return int(booster.best_iteration if booster.best_iteration > 0 else booster.current_iteration())

    def _n_splits(self) -> float | None:
        return float(self.booster_.feature_importance("split").sum()) if self.booster_.num_trees() else None

    def _process_params(self, stage: str) -> dict[str, Any]:
        # LightGBM passes on all parameters, also nested ones.
        params = native_parameters(super()._process_params(stage))
        if "random_state" in params:  # LightGBM 4.0 does not support a Generator
            params["random_state"] = seed_of(params["random_state"])
        # LightGBM's default metric "ndcg" raises for queries of more than 10,000 rows and for labels that are not small
        # whole numbers. Metrics that the caller asks for are passed as eval_metric.
        if stage == "predict" and self.pairwise_objective() is not None:
            params["metric"] = "None"
        elif stage == "fit" and self._metric_parameter is not None:
            params["metric"] = self._metric_parameter
        return params

"""The shared part of both rankers: parameters, the objective, reading of sets, and ``score``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone

from .._docstrings import TEXT, documented_with
from ..metrics import Metric
from ..metrics._names import as_metric
from ..objectives import RankingObjective
from ..objectives._diagnostics import TrainingWatch, warn_without_split
from ..objectives._evaluator import Evaluator, TrainingPlan
from ..objectives._interface import evaluator_of
from ..objectives._registry import NESTED, as_pairwise, negative_label_rule, objective_names
from ..ranking._features import take_qid_column
from ..ranking._reading import Extras, first_labels, read_rows
from ._parameters import OWN_PARAMETERS, refuse_unprefixed, seed_of
from ._query_sets import QuerySet, check_extras, read_evaluation_sets, read_query_set


class RankerMixin:
    """A mixin with the parameters, the objective and ``score``; it precedes the native ranker in the bases."""

    # The default of scikit-learn's metadata routing.
    __metadata_request__fit = {"qid": True, "sample_weight": True}  # noqa: RUF012
    __metadata_request__score = {"qid": True, "sample_weight": True}  # noqa: RUF012

    #: The class of the booster's ranker.
    _native_ranker: Any
    #: The factor on the Hessian that the booster's own ranking objectives have.
    _hessian_scale: float
    objective: Any
    eval_fraction: float | None
    random_state: Any
    n_queries_: int
    #: Whether ``fit`` is given only a part of the queries, as on a worker of a cluster. If so, it does not check
    #: whether anything can be learned.
    _has_part_of_queries = False

    def __setstate__(self, state: dict[str, Any]) -> None:
        # The pickle of an older version may lack one of these parameters.
        super().__setstate__({**OWN_PARAMETERS, **state})  # type: ignore[misc]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters of the ranker, including those of the booster.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of the objective, as ``objective__NAME``, if ``objective`` is an object of
            this package.

        Returns
        -------
        params : dict
            Values by name.
        """
        # Both boosters collect parameters by a walk from a class to its bases, which differs between versions. For an
        # object of the native class the result is right in all of them.
        native = self._native_ranker.__new__(self._native_ranker)
        native.__dict__.update(self.__dict__)
        own = {name: getattr(self, name) for name in OWN_PARAMETERS}  # a subclass need not name them
        return {**native.get_params(deep=False), **own, **BaseEstimator.get_params(self, deep)}

    def set_params(self, **params: Any) -> Any:
        """Set parameters of the ranker, and parameters of the objective as ``objective__NAME``.

        Parameters
        ----------
        **params
            Names and values. The native ranker passes names that it does not have on to the booster.

        Returns
        -------
        self : LGBMRanker or XGBRanker
            The ranker.

        Raises
        ------
        ValueError
            If the objective does not have such a parameter, does not allow the value, or is a native one; or if a
            parameter of the objective is given without ``objective__``. Nothing is set then.
        """
        nested = {name[len(NESTED) :]: value for name, value in params.items() if name.startswith(NESTED)}
        own = {name: value for name, value in params.items() if not name.startswith(NESTED)}
        refuse_unprefixed(own)
        if nested:
            chosen = own.get("objective", self.objective)
            objective = as_pairwise(chosen)
            if objective is None:
                raise ValueError(
                    f"objective {chosen!r} is the booster's own and has no parameters "
                    f"{', '.join(nested)}: its parameters are the ranker's"
                )
            # A copy, because the caller may use the object elsewhere.
            own["objective"] = clone(objective).set_params(**nested)
        if own:
            super().set_params(**own)  # type: ignore[misc]
        return self

    def pairwise_objective(self) -> RankingObjective | None:
        """Return the ranker's objective if it is one of this package; None if it is a native one.

        Returns
        -------
        objective : RankingObjective or None
            The object itself, or a new one if ``objective`` is a name.

        Raises
        ------
        ValueError
            If ``objective`` is a class of this package instead of an object.
        """
        return as_pairwise(self.objective)

    def _read_sets(
        self,
        evaluator: Evaluator | None,
        given: dict[str, Any],
        extras: Extras,
        eval_set: Any,
        weight_name: str,
        by_data_alone: bool = False,
        **evaluation: Any,
    ) -> tuple[QuerySet, list[QuerySet], int]:
        """Return the training set, the evaluation sets, and the number of queries before any were held out.

        Parameters
        ----------
        evaluator : Evaluator or None
            Evaluator of the objective; None for a native objective.
        given : dict
            X, y, qid, group and sample_weight as ``fit`` got them.
        extras : Extras
            Row data of the training set beside labels and weights.
        eval_set, weight_name, by_data_alone, **evaluation
            Arguments of ``read_evaluation_sets``.
        """
        check_extras(extras, evaluator)
        train = read_query_set(**given, evaluator=evaluator, extras=extras)
        sets = read_evaluation_sets(
            eval_set,
            train,
            given={**given, "extras": extras},
            weight_name=weight_name,
            evaluator=evaluator,
            by_data_alone=by_data_alone,
            **evaluation,
        )
        n_queries = train.data.groups.n_queries
        if self.eval_fraction is not None and not sets:
            train, held_out = train.split(self.eval_fraction, seed_of(self.random_state))
            sets = [held_out]
        return train, sets, n_queries

    def _evaluator(self, n_threads: Any) -> Evaluator | None:
        """Return the evaluator of the objective, with the ranker's threads and seed; None for a native objective."""
        return evaluator_of(
            self.pairwise_objective(),
            n_threads=n_threads,
            random_state=self.random_state,
            hessian_scale=self._hessian_scale,
        )

    def _plan(self, evaluator: Evaluator | None, train: QuerySet) -> TrainingPlan | None:
        """Return the checked plan that the objective trains on; None for a native objective.

        Evaluation sets have to be evaluated after it, because the training set decides what depends on labels.
        """
        if evaluator is None:
            return None
        plan: TrainingPlan = evaluator.plan(train.data)
        evaluator.decide(plan)
        evaluator.check_plan(plan)
        return plan

    def _check_learnable(self, evaluator: Evaluator | None, plan: TrainingPlan | None) -> None:
        """Raise a ValueError or warn if nothing can be learned, unless ``fit`` has only a part of the queries."""
        if evaluator is not None and not self._has_part_of_queries:
            evaluator.check_learnable(plan)

    def _watch(self, min_child_hessian: float) -> TrainingWatch | None:
        """Return the watch over a training; None if ``fit`` has only a part of the queries."""
        return None if self._has_part_of_queries else TrainingWatch(min_child_hessian)

    @contextmanager
    def _unfitted_unless_trained(self) -> Iterator[None]:
        """Leave the ranker unfitted if the training ends by an exception, including Ctrl-C.

        Otherwise it would have attributes of the new and of the previous model.
        """
        try:
            yield
        except BaseException:
            self._forget()
            raise

    def _forget(self) -> None:
        """Remove all attributes of a fitted ranker."""
        raise NotImplementedError

    def check_native_data(self, train: QuerySet) -> None:
        """Raise a ValueError if the objective is a native one and does not support the data."""

    def _n_splits(self) -> float | None:
        """Return the number of splits in all trees of the fitted model; None if it has no tree."""
        raise NotImplementedError

    def _warn_without_split(self, continued: bool) -> None:
        """Warn if no tree has a split, unless the training continues a model, whose trees have splits already."""
        n_splits = None if continued else self._n_splits()
        if n_splits is not None:
            warn_without_split(n_splits)

    @documented_with(TEXT)
    def score(
        self,
        X: Any,
        y: Any,
        *,
        qid: Any = None,
        group: Any = None,
        sample_weight: Any = None,
        pairs: Any = None,
        mask: Any = None,
        metric: str | Metric | None = None,
    ) -> float:
        """Return the mean of a metric over the queries of a test set.

        Parameters
        ----------
        %(test_rows)s
        group : array of shape (n_queries,), optional
            Number of rows of each query, in order, instead of ``qid``.
        %(test_weight)s
        pairs : (winner, loser) or (winner, loser, weight), optional
            Arrays of shape (n_pairs,): the pairs of which "pair_accuracy" is computed, instead of the pairs that follow
            from the labels. No other metric supports pairs. ``y`` may then be None.
        mask : bool array of shape (n_rows,), optional
            Rows with False take no part, and neither do rows whose label is masked (``numpy.ma``).
        metric : str or Metric, optional
            A name such as ``"ndcg@10"``, ``"map"`` or ``"spearman"``, or ``metrics.get_metric(name, ...)`` with options
            such as ``gain="linear"``. NDCG does not accept negative labels. Default: "ndcg", or "pair_accuracy" with
            ``pairs``.

        Returns
        -------
        score : float
            Larger is better.

        Raises
        ------
        ValueError
            If neither ``qid`` nor ``group`` is given although the ranker was fitted on several queries, the data are
            malformed, the metric does not accept them or is unknown, or the ranker is not fitted.
        TypeError
            If ``pairs`` has another form, or ``metric`` is neither a name nor a Metric.

        See Also
        --------
        gbdt_pairloss.make_ranking_scorer : Make a scorer for scikit-learn's searches and cross-validation.
        gbdt_pairloss.metrics.get_metric : Make a metric with options.
        """
        evaluation = as_metric(metric or ("ndcg" if pairs is None else "pair_accuracy"), losses=objective_names())
        if pairs is not None and evaluation.definition != "pair_accuracy":
            raise ValueError(f"{evaluation.name} does not support pairs: with pairs= the metric is 'pair_accuracy'")
        X, qid = take_qid_column(X, qid)
        if qid is None and group is None and pairs is None and getattr(self, "n_queries_", 0) != 1:
            raise ValueError(
                "score ranks within queries: it needs qid= or group=, or a DataFrame column qid (a scikit-learn "
                "pipeline passes the column on; it passes qid= on with metadata routing and "
                "set_score_request(qid=True))"
            )
        extras = Extras(pairs=pairs, mask=mask)
        objective = self.pairwise_objective()
        if objective is not None and objective._reads_columns:
            y = first_labels(y)
        rule = negative_label_rule(objective, column=0)
        data = read_rows(X, y, qid, group, sample_weight, extras, ignore_negative_labels=rule)
        scores = np.asarray(self.predict(X))  # type: ignore[attr-defined]
        try:
            return float(evaluation(data, scores))
        except ValueError as error:
            if metric is not None or pairs is not None:
                raise
            raise ValueError(f"{error}. NDCG is the default: name another metric, such as metric='spearman'") from None

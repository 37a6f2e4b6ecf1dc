"""What both rankers share: parameters, the objective among them, and score."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone

from .._docstrings import TEXT, documented_with
from ..metrics import Metric
from ..metrics._names import as_metric
from ..objectives import (
    NESTED,
    PairwiseObjective,
    as_pairwise,
    negative_label_rule,
    objective_names,
)
from ..objectives._diagnostics import TrainingWatch, warn_without_split
from ..objectives._evaluator import ObjectiveEvaluator, evaluator_of
from ..ranking._features import take_qid_column
from ..ranking._plan import Plan
from ..ranking._reading import Extras, read_rows
from ._parameters import OWN_PARAMETERS, refuse_unprefixed, seed_of
from ._query_sets import QuerySet, check_extras, read_evaluation_sets, read_query_set


class RankerMixin:
    """Parameters, objective and score of our rankers; put before the booster's own ranker."""

    # What scikit-learn's metadata routing passes on unless told otherwise.
    __metadata_request__fit = {"qid": True, "sample_weight": True}  # noqa: RUF012
    __metadata_request__score = {"qid": True, "sample_weight": True}  # noqa: RUF012

    #: The booster's own ranker.
    _native_ranker: Any
    objective: Any
    eval_fraction: float | None
    random_state: Any
    n_queries_: int
    #: Whether ``fit`` is given only a part of the queries, as on a worker of a cluster: nothing follows for the whole.
    _has_part_of_queries = False

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A pickle may be older than a parameter of ours.
        super().__setstate__({**OWN_PARAMETERS, **state})  # type: ignore[misc]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All parameters: the booster's, and the objective's as ``objective__NAME`` if it is one of our objects.

        Parameters
        ----------
        deep : bool, default=True
            False: without those of the objective.

        Returns
        -------
        params : dict
            Values by name.
        """
        # Both boosters collect parameters by walking from a class to its bases, each version in another way: ask
        # theirs for a ranker of theirs.
        native = self._native_ranker.__new__(self._native_ranker)
        native.__dict__.update(self.__dict__)
        own = {name: getattr(self, name) for name in OWN_PARAMETERS}  # which a subclass may not name
        return {**native.get_params(deep=False), **own, **BaseEstimator.get_params(self, deep)}

    def set_params(self, **params: Any) -> Any:
        """Set parameters; ``objective__NAME`` reaches the objective, which both boosters would swallow silently.

        Parameters
        ----------
        **params
            Names and values. What the booster's ranker does not know it passes on to the booster.

        Returns
        -------
        self : LGBMRanker or XGBRanker

        Raises
        ------
        ValueError
            If the objective has no such parameter, or not with such a value, or is the booster's own, or if its
            parameter is given without ``objective__``; then nothing is set.
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
            # A copy: the caller's object may serve elsewhere.
            own["objective"] = clone(objective).set_params(**nested)
        if own:
            super().set_params(**own)  # type: ignore[misc]
        return self

    def pairwise_objective(self) -> PairwiseObjective | None:
        """The objective if it is one of ours, by name or object; None if it is the booster's own.

        Returns
        -------
        objective : PairwiseObjective or None

        Raises
        ------
        ValueError
            If ``objective`` is a class of ours, and not an object.
        """
        return as_pairwise(self.objective)

    def _read_sets(
        self,
        evaluator: ObjectiveEvaluator | None,
        given: dict[str, Any],
        extras: Extras,
        eval_set: Any,
        weight_name: str,
        by_data_alone: bool = False,
        **evaluation: Any,
    ) -> tuple[QuerySet, list[QuerySet], int]:
        """The training set, the evaluation sets, and the number of queries before any were held out.

        Parameters
        ----------
        given : dict
            X, y, qid, group and sample_weight as ``fit`` got them.
        eval_set, weight_name, by_data_alone, **evaluation
            As ``read_evaluation_sets`` takes them.
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

    def _evaluator(self, n_threads: Any) -> ObjectiveEvaluator | None:
        """Return the evaluator of our objective, with the ranker's threads and seed; None for a native objective."""
        return evaluator_of(self.pairwise_objective(), n_threads=n_threads, random_state=self.random_state)

    def _plan(self, evaluator: ObjectiveEvaluator | None, train: QuerySet) -> Plan | None:
        """Return the checked plan that our objective trains on; None for a native objective."""
        if evaluator is None:
            return None
        plan = evaluator.plan(train.data)
        evaluator.check_plan(plan)
        if not self._has_part_of_queries:
            evaluator.check_learnable(plan)
        return plan

    def _watch(self, min_child_hessian: float) -> TrainingWatch | None:
        """Return the watch over a training with our objective; None if only a part of the queries is known."""
        return None if self._has_part_of_queries else TrainingWatch(min_child_hessian)

    @contextmanager
    def _unfitted_unless_trained(self) -> Iterator[None]:
        """Leave the ranker unfitted if training ends by an exception, Ctrl-C among them: no half of two models."""
        try:
            yield
        except BaseException:
            self._forget()
            raise

    def _forget(self) -> None:
        """Become as if never fitted."""
        raise NotImplementedError

    def check_native_data(self, train: QuerySet) -> None:
        """Raise a ValueError if the booster's own objective, where it is chosen, does not take a training set."""

    def _n_splits(self) -> float | None:
        """Splits in all trees of the fitted model; None if it has no tree."""
        raise NotImplementedError

    def _warn_without_split(self, continued: bool) -> None:
        """Warn if no tree has a split; a model that training goes on from has splits of its own."""
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
        metric: str | Metric | None = None,
    ) -> float:
        """Mean of a metric over the queries of a test set.

        Parameters
        ----------
        %(test_rows)s
        group : array of shape (n_queries,), optional
            Rows of each query, in order, instead of ``qid``.
        %(test_weight)s
        pairs : (winner, loser) or (winner, loser, weight), optional
            Arrays of shape (n_pairs,): the pairs that "pair_accuracy", the only metric of them, counts in the place of
            those that the labels make; ``y`` may then be None.
        metric : str or Metric, optional
            Default: "ndcg"; "pair_accuracy" with ``pairs``. A name such as ``"ndcg@10"``, ``"map"`` or ``"spearman"``,
            or ``metrics.get_metric(name, ...)`` with options such as ``gain="linear"``; NDCG refuses negative labels.

        Returns
        -------
        score : float
            Larger is better.

        Raises
        ------
        ValueError
            If neither qid nor group is given although the ranker was fitted on several queries, the data are malformed
            or do not suit the metric, there is no such metric, or the ranker is not fitted.
        TypeError
            If ``pairs`` are not a tuple, or ``metric`` is neither a name nor a Metric.
        """
        evaluation = as_metric(metric or ("ndcg" if pairs is None else "pair_accuracy"), losses=objective_names())
        if pairs is not None and evaluation.definition != "pair_accuracy":
            raise ValueError(f"{evaluation.name} knows nothing of pairs: with pairs= the metric is 'pair_accuracy'")
        X, qid = take_qid_column(X, qid)
        if qid is None and group is None and pairs is None and getattr(self, "n_queries_", 0) != 1:
            raise ValueError(
                "score ranks within queries: it needs qid= or group=, or a DataFrame column qid (in a scikit-learn "
                "pipeline the column arrives; qid= does with metadata routing and set_score_request(qid=True))"
            )
        extras = Extras(pairs=pairs)
        rule = negative_label_rule(self.pairwise_objective())
        data = read_rows(X, y, qid, group, sample_weight, extras, ignore_negative_labels=rule)
        return float(evaluation(data, np.asarray(self.predict(X))))  # type: ignore[attr-defined]

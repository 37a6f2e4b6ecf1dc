"""What both rankers share: parameters, the objective among them, and score."""

from __future__ import annotations

import inspect
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
    get_objective,
    negative_label_rule,
    objective_names,
)
from ..objectives._diagnostics import warn_without_split
from ..objectives._evaluator import ObjectiveEvaluator, evaluator_of
from ..ranking._features import take_qid_column
from ..ranking._plan import Plan
from ..ranking._reading import Extras, read_rows
from ._query_sets import QuerySet, check_extras, read_evaluation_sets, read_query_set

#: The parameters of our rankers that the boosters' do not have, or have with another default.
OWN_PARAMETERS: dict[str, Any] = {"objective": "pairwise_logistic", "eval_fraction": None}


@contextmanager
def swapped(estimator: Any, **attributes: Any) -> Iterator[None]:
    """Set attributes of an estimator for a while; they are put back whatever happens."""
    before = {name: getattr(estimator, name) for name in attributes}
    try:
        for name, value in attributes.items():
            setattr(estimator, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(estimator, name, value)


def keyword_signature(native_init: Any, **own: Any) -> inspect.Signature:
    """The signature of a native ranker's ``__init__``, by keyword, with parameters of our own and their defaults.

    For help, completion, and scikit-learn, which reads parameters and their defaults from it.
    """
    native = inspect.signature(native_init).parameters
    first = [p for p in native.values() if p.name == "self"]
    rest = [p for p in native.values() if p.kind is p.VAR_KEYWORD]
    defaults = {p.name: p.default for p in native.values() if p not in (*first, *rest)}
    keywords = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in {**defaults, **own}.items()
    ]
    return inspect.Signature([*first, *keywords, *rest])


#: What both rankers say of what both have, in their own docstrings and in that of ``fit``.
RANKER_TEXT = {
    "eval_fraction": """\
eval_fraction : float between 0 and 1, optional
    Share of the queries, drawn by ``random_state`` (None: 0), that ``fit`` holds out as evaluation set, whole,
    where it is given none: for early stopping (``early_stopping_rounds=20``) inside pipelines and searches. The
    model learns from the others alone.""",
    "init_raises": """\
ValueError
    If a parameter of the objective is given without ``objective__``, does not exist, or has a value that it cannot
    have. ``fit`` looks at the others.""",
    "rows": """\
X : array-like, sparse matrix or DataFrame of shape (n_rows, n_features)
    Features. A column ``qid`` of a DataFrame (pandas, polars) or an Arrow table holds the query ids.
y : array of shape (n_rows,)
    Labels, larger is better. Any finite numbers for our objectives. None with ``pairs``.
qid : array of shape (n_rows,), optional
    Query id of each row: any dtype, any order; rows are regrouped inside.
group : array of shape (n_queries,), optional
    Rows of each query, in order, instead of ``qid``. Without either all rows are one query, with a warning.
sample_weight : array of shape (n_rows,) or (n_queries,), optional
    One per row: how much it counts as the winner of its pairs. One per query: how much the query counts.
loser_weight : array of shape (n_rows,), optional
    Weight of each row as the loser of its pairs; for BPR, as a negative.
item_id : array of shape (n_rows,), optional
    The item that each row is, of any dtype: BPR takes no row for a negative whose item is a positive of its
    query in another row.
pairs : (winner, loser) or (winner, loser, weight), optional
    Arrays of shape (n_pairs,): learn from these pairs of rows, counted from 0, in the place of those that the
    labels make. Without qid and group all rows are then one query; ``normalize="none"`` or ``"query"`` of
    the objective suits it. Nobody cuts pairs along with X: they do not go through scikit-learn's searches.""",
    "eval_set": """\
eval_set : list of (X, y), optional
    Sets to evaluate after every round, of the shapes of X and y; a tuple (X, y) alone is one set. The lists below have
    one entry for each set, in the form of the argument without ``eval``; None: none.
eval_qid : list of arrays of shape (n_rows,), optional
    Query id of each row.
eval_group : list of arrays of shape (n_queries,), optional
    Rows of each query, instead of ``eval_qid``.
eval_loser_weight : list of arrays of shape (n_rows,), optional
    Weights of rows as losers, for the objectives' own loss.
eval_item_id : list of arrays of shape (n_rows,), optional
    The item that each row is, for the loss of BPR.
eval_pairs : list of (winner, loser) or (winner, loser, weight), optional
    Arrays of shape (n_pairs,), for the objectives' own loss and "pair_accuracy".""",
    "eval_weight": """\
Weights of rows, or of queries: a query counts in the mean with its weight, or the mean of its rows' weights.""",
    "eval_X": """\
eval_X, eval_y : array-likes of the shapes of X and y, or tuples of these, optional
    ``eval_set`` in the form of LightGBM 4.7, which a pipeline can transform (``transform_input=["eval_X"]``).""",
    "fit_raises": """\
RuntimeError
    For ``objective__device="cuda"``, if there is no device.
TypeError
    If ``pairs`` are not a tuple, a metric function of ours is given in the place of its name, or (LightGBM) categorical
    columns are polars' or Arrow's.
ValueError
    If X, groups, labels, weights, pairs or a parameter are malformed; if a metric is not known, or the labels of an
    evaluation set do not suit it; if nothing can be learned, for every pair has weight 0; if a parameter of the
    booster's own objectives is set that ours would ignore.""",
    "fit_warns": """\
UserWarning
    If neither qid nor group is given; if nothing can be learned, for there is no pair or Hessians are too small for a
    split; if no tree has a split.""",
}


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
    #: Whether ``fit`` sees a part of the queries only: nothing follows from it for the whole.
    _sees_a_part = False

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
        if not self._sees_a_part:
            evaluator.check_learnable(plan)
        return plan

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


def refuse_unprefixed(params: dict[str, Any]) -> None:
    """Refuse a parameter of the objective among the ranker's, where a booster would swallow it.

    Raises
    ------
    ValueError
        Naming the parameter as it should be written.
    """
    shared = {"device", "n_threads", "random_state"}  # names that a booster has, too
    known = {name for objective in objective_names() for name in get_objective(objective).get_params()} - shared
    for name in params:
        if name in known:
            raise ValueError(f"{name} is a parameter of the objective: write {NESTED}{name}")


def refuse_ignored(params: dict[str, Any], ours: dict[str, str]) -> None:
    """Refuse parameters of the booster's own ranking objectives, which ours would ignore.

    Parameters
    ----------
    params : dict
    ours : dict of str to str
        What takes the place of each of them.

    Raises
    ------
    ValueError
        Naming what takes its place.
    """
    for name, instead in ours.items():
        if params.get(name) is not None:
            raise ValueError(f"{name} belongs to the booster's own objectives; with ours {instead}")


def seed_of(random_state: Any) -> Any:
    """A random state that is a generator as a seed drawn from it; anything else as it is."""
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(np.iinfo(np.int32).max))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(np.iinfo(np.int32).max))
    return random_state


def native_parameters(params: dict[str, Any]) -> dict[str, Any]:
    """A ranker's parameters without those that the booster does not know."""
    ours = ("eval_fraction", "client")
    return {name: value for name, value in params.items() if name not in ours and not name.startswith(NESTED)}

"""What both rankers share: regrouping the rows, the objective and its nested parameters, metrics, score."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import _safe_indexing, column_or_1d
from sklearn.utils.validation import _num_samples

from ..data import RankingData, split_weights
from ..groups import make_groups
from ..metrics import METRICS, Metric, get_metric
from ..objectives import PairwiseObjective, get_objective, objective_names
from ..plan import cached_plan
from ..training import check_exact_in_float32
from ..validation import as_vector, check_finite

#: How the objective's parameters begin among a ranker's.
NESTED = "objective__"

#: A value of the evaluation: ``(data, scores) -> float``, with a name and a direction.
Evaluation = Any


class LossMetric:
    """An objective's mean pair loss as an evaluation."""

    maximize = False

    def __init__(self, objective: PairwiseObjective) -> None:
        self.objective = objective
        self.name = objective.name

    def __call__(self, data: RankingData, scores: NDArray[Any]) -> float:
        plan = cached_plan(data, data, self.objective.plan_key(), self.objective.plan).plan
        return self.objective.mean_pair_loss(plan, scores)


@dataclass(frozen=True, eq=False)
class QuerySet:
    """A training or evaluation set with each query's rows together."""

    X: Any
    data: RankingData
    order: NDArray[np.int64] | None  # the caller's row of each row here; None: as given

    def take_scores(self, values: Any, name: str) -> NDArray[Any] | None:
        """Initial scores of the caller's, one per row, checked and in the order of the rows here."""
        if values is None:
            return None
        scores = as_vector(values, name, self.data.groups.n_rows)
        check_finite(scores, name)
        return scores if self.order is None else scores[self.order]

    def row_weight(self) -> NDArray[Any] | None:
        """All weights as one per row, for a booster that knows no others."""
        data = self.data
        if data.query_weight is None:
            return data.item_weight
        return data.query_weight[data.groups.codes]


def read_query_set(
    X: Any,
    y: Any,
    *,
    qid: Any,
    group: Any,
    sample_weight: Any,
    objective: PairwiseObjective | None,
    name: str = "",
) -> QuerySet:
    """Check a set as ``fit`` takes it and put each query's rows together.

    Parameters
    ----------
    name : str
        What the set is called in messages, such as ``"eval_set[0]"``; empty for the training set.
    """
    where = f"{name}: " if name else ""
    X, qid = take_qid_column(X, qid)
    n_rows = _num_samples(X)
    if y is None:
        raise ValueError(f"{where}y is None; a ranker needs a label for each row")
    labels = column_or_1d(y, warn=True)
    try:
        check_exact_in_float32(labels, "y")
        groups = make_groups(n_rows, group=group, qid=qid)
        item_weight, query_weight = split_weights(sample_weight, groups)
        with np.errstate(over="ignore"):  # a label beyond float32 becomes infinite, and is then named
            labels = as_vector(labels, "y", n_rows).astype(np.float32)
        check_finite(labels, "y")
        mask = None if objective is None else objective.rows_taking_part(labels, None)
        data = RankingData(labels, groups, item_weight=item_weight, query_weight=query_weight, mask=mask)
    except ValueError as error:
        raise ValueError(f"{where}{error}") from None
    if group is None and qid is None:
        warnings.warn(
            f"{where}neither qid nor group is given: all {n_rows} rows are taken as one query",
            UserWarning,
            stacklevel=4,
        )
    if groups.contiguous:
        return QuerySet(X, data.grouped(), None)
    rows = X.tocsr() if hasattr(X, "tocsr") else X  # not every sparse format can be indexed
    return QuerySet(_safe_indexing(rows, groups.order), data.grouped(), groups.order)


def take_qid_column(X: Any, qid: Any = None) -> tuple[Any, Any]:
    """Split a DataFrame's column ``qid`` off: the query ids, as in XGBoost's own ranker."""
    if not hasattr(X, "columns") or "qid" not in list(X.columns):
        return X, qid
    if qid is not None:
        raise ValueError("qid is given twice: as a column of X and as qid=")
    column = np.asarray(X["qid"])
    return (X.drop(columns="qid") if hasattr(X, "iloc") else X.drop("qid")), column


def as_list(values: Any) -> list[Any]:
    """One thing or several, as a list; None is no thing."""
    if values is None:
        return []
    return list(values) if isinstance(values, (list, tuple)) else [values]


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


class RankerMixin:
    """Parameters, objective, evaluation and score of our rankers; put before the booster's own ranker."""

    #: The booster's own ranker.
    _native_ranker: Any
    objective: Any
    n_queries_: int

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All parameters: the booster's, and the objective's as ``objective__NAME`` if it is one of our objects."""
        # Both boosters collect parameters by walking from a class to its bases, each version in another way: ask
        # theirs for a ranker of theirs.
        native = self._native_ranker.__new__(self._native_ranker)
        native.__dict__.update(self.__dict__)
        return {**native.get_params(deep=False), **BaseEstimator.get_params(self, deep)}

    def pairwise_objective(self) -> PairwiseObjective | None:
        """The objective if it is one of ours, by name or object; None if it is the booster's own."""
        if isinstance(self.objective, PairwiseObjective):
            return self.objective
        if isinstance(self.objective, str) and self.objective in objective_names():
            return get_objective(self.objective)
        return None

    def set_params(self, **params: Any) -> Any:
        """Set parameters; ``objective__NAME`` reaches the objective, which both boosters would swallow silently.

        Raises
        ------
        ValueError
            If the objective has no such parameter, or is the booster's own.
        """
        nested = {name[len(NESTED) :]: value for name, value in params.items() if name.startswith(NESTED)}
        own = {name: value for name, value in params.items() if not name.startswith(NESTED)}
        if own:
            super().set_params(**own)  # type: ignore[misc]
        if nested:
            objective = self.pairwise_objective()
            if objective is None:
                raise ValueError(
                    f"objective {self.objective!r} is the booster's own and has no parameters "
                    f"{', '.join(nested)}: its parameters are the ranker's"
                )
            super().set_params(objective=objective.set_params(**nested))  # type: ignore[misc]
        return self

    def score(
        self,
        X: Any,
        y: Any,
        *,
        qid: Any = None,
        group: Any = None,
        sample_weight: Any = None,
        metric: str | Metric = "ndcg",
    ) -> float:
        """Mean of a metric over the queries of a test set.

        Parameters
        ----------
        X : array-like, sparse matrix or DataFrame of shape (n_rows, n_features)
            A column ``qid`` of a DataFrame holds the query ids.
        y : array of shape (n_rows,)
        qid : array of shape (n_rows,), optional
            Query id of each row: any dtype, any order.
        group : array of shape (n_queries,), optional
            Rows of each query, instead of ``qid``.
        sample_weight : array, optional
            One per row or per query; a query counts with its weight, or the mean of its rows' weights.
        metric : str or Metric, default="ndcg"
            A name such as ``"ndcg@10"``, ``"map"`` or ``"spearman"``; NDCG refuses negative labels.

        Returns
        -------
        score : float
            Larger is better.

        Raises
        ------
        ValueError
            If neither qid nor group is given although the ranker was fitted on several queries, or the data do not
            suit the metric.
        """
        evaluation = get_metric(metric) if isinstance(metric, str) else metric
        X, qid = take_qid_column(X, qid)
        if qid is None and group is None and getattr(self, "n_queries_", 0) != 1:
            raise ValueError("score needs qid= or group= (or a DataFrame column qid): it ranks within queries")
        n_rows = _num_samples(X)
        groups = make_groups(n_rows, group=group, qid=qid)
        item_weight, query_weight = split_weights(sample_weight, groups)
        labels = as_vector(column_or_1d(y, warn=True), "y", n_rows)
        objective = self.pairwise_objective()
        data = RankingData(
            labels,
            groups,
            item_weight=item_weight,
            query_weight=query_weight,
            mask=None if objective is None else objective.rows_taking_part(labels, None),
        )
        return float(evaluation(data, np.asarray(self.predict(X))))  # type: ignore[attr-defined]

    def _evaluations(
        self, eval_metric: Any, default: Sequence[str], sets: Iterable[QuerySet], is_native: Callable[[str], bool]
    ) -> tuple[list[Evaluation], list[Any]]:
        """Tell the metrics that are ours from those for the booster: ``(ours, native)``.

        With an objective of ours, our metrics win over the booster's of the same name; with the booster's own
        objective, the booster's metrics do.
        """
        objective = self.pairwise_objective()
        names = as_list(eval_metric)
        if not names:
            if objective is None:
                return [], []
            suits_ndcg = all(_suits_ndcg(s.data) for s in sets)
            names = list(default) if suits_ndcg else [objective.name]
        ours: list[Evaluation] = []
        native: list[Any] = []
        for name in names:
            if hasattr(name, "maximize"):  # a Metric, or what a ranker made of a callable
                ours.append(name)
            elif not isinstance(name, str) or (objective is None and is_native(name)):
                native.append(name)
            elif name in objective_names():
                same = objective is not None and objective.name == name
                ours.append(LossMetric(objective if same and objective is not None else get_objective(name)))
            elif is_native(name) and name.partition("@")[0] not in METRICS:
                native.append(name)
            else:
                ours.append(get_metric(name))  # an unknown name is refused here
        return ours, native


def _suits_ndcg(data: RankingData) -> bool:
    """Whether NDCG with exponential gains takes these labels."""
    labels = data.labels if data.mask is None else data.labels[data.mask]
    return bool(labels.size == 0 or (labels.min() >= 0 and labels.max() <= 31))


def paired(values: Any, name: str, n_sets: int) -> list[Any]:
    """One entry per evaluation set; None stands for none.

    Raises
    ------
    ValueError
        If there are not as many as evaluation sets.
    """
    if values is None:
        return [None] * n_sets
    entries = list(values)
    if len(entries) != n_sets:
        raise ValueError(f"{name} has {len(entries)} entries, but eval_set has {n_sets}")
    return entries


def read_evaluation_sets(
    eval_set: Any,
    train: tuple[Any, Any, QuerySet],
    *,
    eval_qid: Any,
    eval_group: Any,
    eval_weight: Any,
    weight_name: str,
    objective: PairwiseObjective | None,
) -> list[QuerySet]:
    """The evaluation sets with each query's rows together; the training set itself is recognised."""
    pairs = as_list(eval_set) if not isinstance(eval_set, tuple) else [eval_set]
    qids = paired(eval_qid, "eval_qid", len(pairs))
    groups = paired(eval_group, "eval_group", len(pairs))
    weights = paired(eval_weight, weight_name, len(pairs))
    sets = []
    for i, pair in enumerate(pairs):
        if len(pair) != 2:
            raise ValueError(f"eval_set[{i}] must be a pair (X, y)")
        X, y = pair
        if X is train[0] and y is train[1] and weights[i] is None:
            sets.append(train[2])
            continue
        sets.append(
            read_query_set(
                X,
                y,
                qid=qids[i],
                group=groups[i],
                sample_weight=weights[i],
                objective=objective,
                name=f"eval_set[{i}]",
            )
        )
    return sets

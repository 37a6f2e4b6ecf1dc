"""Training and evaluation sets of a ranker's ``fit``: checked, and with the rows of each query together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import check_random_state
from sklearn.utils.validation import _num_features

from ..objectives._evaluator import Evaluator
from ..objectives._registry import negative_label_rule
from ..ranking._data import RankingData
from ..ranking._features import check_features, rows_of, take_qid_column, widened
from ..ranking._reading import Extras, check_largest, read_rows
from ..ranking._validation import as_vector, check_finite, errors_of


@dataclass(frozen=True, eq=False)
class QuerySet:
    """A training or evaluation set.

    Attributes
    ----------
    name : str
        Name in messages, such as ``"eval_set[0]"``; empty for the training set.
    X : array-like, sparse matrix or DataFrame
        Features, with the rows of each query together.
    given : RankingData
        All data in the caller's order, for messages.
    data : RankingData
        Data in the order of X.
    part : int64 array of shape (n_rows,) or None
        If the set is a part of the given data: its rows, counted after the rows of each query were put together. None:
        all rows.
    """

    name: str
    X: Any
    given: RankingData
    data: RankingData
    part: NDArray[np.int64] | None = None

    @cached_property
    def labels(self) -> NDArray[np.float32]:
        """Labels in float32, as boosters store them; the objectives of this package use the unrounded ones."""
        return self.data.labels.astype(np.float32)

    @property
    def row_weight(self) -> NDArray[Any] | None:
        """All weights as one per row, for a booster that supports no others."""
        data = self.data
        if data.query_weight is None:
            return data.item_weight
        return data.query_weight[data.groups.codes]

    @property
    def query_weight(self) -> NDArray[Any] | None:
        """All weights as one per query, for a booster that supports no others.

        Raises
        ------
        ValueError
            If the item weights of a query differ.
        """
        data = self.data
        if data.item_weight is None:
            return data.query_weight
        first = data.item_weight[data.groups.ptr[:-1]]
        if not np.array_equal(first[data.groups.codes], data.item_weight):
            raise ValueError(
                "the booster's own objective takes one weight per query, and sample_weight differs within a query"
            )
        return first

    @cached_property
    def places_by_row(self) -> NDArray[np.int64] | None:
        """The places in X of the rows in the caller's order; None if X has this order."""
        rows = self.given.groups.order if self.part is None else self.given.groups.order[self.part]
        return None if (np.diff(rows) > 0).all() else np.argsort(rows)

    def take_scores(self, values: Any, name: str) -> NDArray[Any] | None:
        """Return the caller's initial scores, one per row, checked and in the order of X.

        Raises
        ------
        ValueError
            If their number is wrong, or one is not finite or too large; the message begins with ``name``.
        """
        if values is None:
            return None
        scores = as_vector(values, name, self.given.groups.n_rows)
        check_finite(scores, name)
        check_largest(scores, name, "row")
        scores = scores[self.given.groups.order]
        return scores if self.part is None else scores[self.part]

    def split(self, fraction: Any, random_state: Any) -> tuple[QuerySet, QuerySet]:
        """Split the set by queries: return the rest, and the fraction that is drawn.

        Raises
        ------
        ValueError
            If the fraction is not between 0 and 1, or there is only one query.
        """
        if isinstance(fraction, bool) or not isinstance(fraction, (float, np.floating)) or not 0 < fraction < 1:
            raise ValueError(f"eval_fraction must be a number between 0 and 1, the share of queries; got {fraction!r}")
        groups = self.data.groups
        if groups.n_queries < 2:
            raise ValueError("eval_fraction holds out whole queries, but there is only one query")
        n_drawn = min(max(1, round(fraction * groups.n_queries)), groups.n_queries - 1)
        random = check_random_state(0 if random_state is None else random_state)
        drawn = np.zeros(groups.n_queries, dtype=bool)
        drawn[random.permutation(groups.n_queries)[:n_drawn]] = True
        return self._take(~drawn), self._take(drawn, "eval_fraction")

    def _take(self, queries: NDArray[np.bool_], name: str = "") -> QuerySet:
        rows = np.flatnonzero(queries[self.data.groups.codes])
        return QuerySet(name, rows_of(self.X, rows), self.given, self.data.take_queries(queries), rows)


def check_extras(extras: Extras, evaluator: Evaluator | None, prefix: str = "") -> None:
    """Raise a ValueError for row data that the objective does not use.

    ``prefix`` is the beginning of the argument's name, ``"eval_"`` for an evaluation set.
    """
    if evaluator is None and extras.given:
        raise ValueError(
            f"{prefix}{extras.given[0]} needs an objective of gbdt_pairloss: the booster's own does not support it"
        )
    if evaluator is not None and extras.item_id is not None and not evaluator.reads_item_id:
        name = evaluator.objective.name
        raise ValueError(f"{prefix}item_id makes a difference to BPR only, and the objective is {name}")


def read_query_set(
    X: Any,
    y: Any,
    *,
    qid: Any,
    group: Any,
    sample_weight: Any,
    evaluator: Evaluator | None,
    extras: Extras,
    name: str = "",
    is_own: bool = True,
) -> QuerySet:
    """Check a set and put the rows of each query together.

    Parameters
    ----------
    X, y, qid, group, sample_weight
        The arguments of ``fit``.
    evaluator : Evaluator or None
        Evaluator of the objective, whose rule for negative labels applies; None for a native objective.
    extras : Extras
        Row data beside labels and weights.
    name : str, default=""
        Name of the set in messages; empty for the training set.
    is_own : bool, default=True
        Whether arrays among the objective's parameters belong to these rows, as they do for the training set.

    Raises
    ------
    ValueError
        If an argument is malformed, or there are neither queries nor pairs; the message begins with the name of the
        set.
    """
    with errors_of(name):
        X, qid = take_qid_column(X, qid)
        check_features(X)
        objective = None if evaluator is None else evaluator.objective
        if evaluator is not None and y is None and extras.pairs is not None and evaluator.needs_labels(True):
            raise ValueError("y is None, but a term of the sum reads labels")
        given = read_rows(
            X,
            y,
            qid,
            group,
            sample_weight,
            extras,
            ignore_negative_labels=negative_label_rule(objective),
            several_labels=objective is not None and objective._reads_columns,
        )
        if group is None and qid is None and given.pairs is None:
            all_rows = [given.groups.n_rows]
            prefix, one_query = ("eval_", [all_rows]) if name else ("", all_rows)
            raise ValueError(
                f"the queries of the rows are not given: give {prefix}qid=, one id per row, a column qid of X, or "
                f"{prefix}group=, such as {prefix}group={one_query} if all rows are one query"
            )
        if evaluator is None and given.mask is not None:
            raise ValueError("y is a masked array: the booster's own objective cannot leave rows out")
        if evaluator is not None and is_own:
            given = evaluator.prepare(given)
    groups = given.groups
    if not groups.contiguous:
        X = rows_of(X, groups.order)
    return QuerySet(name, X, given, given.grouped())


def read_evaluation_sets(
    eval_set: Any,
    train: QuerySet,
    *,
    given: dict[str, Any],
    eval_qid: Any,
    eval_group: Any,
    eval_weight: Any,
    weight_name: str,
    evaluator: Evaluator | None,
    eval_loser_weight: Any = None,
    eval_item_id: Any = None,
    eval_pairs: Any = None,
    eval_mask: Any = None,
    by_data_alone: bool = False,
) -> list[QuerySet]:
    """Check the evaluation sets and put the rows of each query together.

    Parameters
    ----------
    eval_set, eval_qid, eval_group, eval_weight, eval_loser_weight, eval_item_id, eval_pairs, eval_mask
        The arguments of ``fit``.
    train : QuerySet
        The training set. For an evaluation set that is equal to it, this object is returned.
    given : dict
        X, y, qid, group, sample_weight and extras of the training set, as ``fit`` got them. An evaluation set of the
        same two objects X and y takes its queries and extras from here if it is given none.
    weight_name : str
        Name of ``eval_weight`` in messages.
    evaluator : Evaluator or None
        Evaluator of the objective; None for a native objective.
    by_data_alone : bool, default=False
        Treat a set of the same two objects X and y as the training set, whatever its queries and weights are.

    Raises
    ------
    TypeError
        If one of the lists is not a list.
    ValueError
        If a set is malformed, or has another number of features than the training set; the message begins with its
        name.
    """
    given_sets = [eval_set] if isinstance(eval_set, tuple) else _as_list(eval_set, "eval_set")
    n = len(given_sets)
    qids, groups = one_per_set(eval_qid, "eval_qid", n), one_per_set(eval_group, "eval_group", n)
    weights = one_per_set(eval_weight, weight_name, n)
    extras_of_sets = {
        "loser_weight": one_per_set(eval_loser_weight, "eval_loser_weight", n),
        "item_id": one_per_set(eval_item_id, "eval_item_id", n),
        "pairs": one_per_set(eval_pairs, "eval_pairs", n),
        "mask": one_per_set(eval_mask, "eval_mask", n),
    }
    sets = []
    for i, X_and_y in enumerate(given_sets):
        if not isinstance(X_and_y, (tuple, list)) or len(X_and_y) != 2:
            raise ValueError(f"eval_set[{i}] must be a pair (X, y)")
        X, y = X_and_y
        qid, group = qids[i], groups[i]
        extras = Extras(**{name: values[i] for name, values in extras_of_sets.items()})
        check_extras(extras, evaluator, "eval_")
        same = X is given["X"] and y is given["y"]
        if same and qid is None and group is None:
            qid, group = given["qid"], given["group"]
        is_own = same and extras.loser_weight is None
        if same:
            extras = extras.completed(given["extras"])
        query_set = read_query_set(
            X,
            y,
            qid=qid,
            group=group,
            sample_weight=weights[i],
            evaluator=evaluator,
            extras=extras,
            name=f"eval_set[{i}]",
            is_own=is_own,
        )
        if given["extras"].pairs is not None and query_set.data.pairs is None and np.ptp(query_set.data.labels) == 0:
            raise ValueError(f"eval_set[{i}]: its labels are all equal, and it has no pairs: give them as eval_pairs=")
        columns, trained_on_columns = (_number_of_columns(one.data) for one in (query_set, train))
        if columns != trained_on_columns:
            raise ValueError(
                f"eval_set[{i}]: its labels have {columns} column(s), but those of the training set have "
                f"{trained_on_columns}"
            )
        width, trained_on = _num_features(query_set.X), _num_features(train.X)
        if width < trained_on and sparse.issparse(query_set.X):  # as in LETOR files that are read separately
            query_set, width = replace(query_set, X=widened(query_set.X, trained_on)), trained_on
        if width != trained_on:
            raise ValueError(f"eval_set[{i}]: X has {width} features, but the training set has {trained_on}")
        is_train = same and (by_data_alone or query_set.given.equals(train.given))
        sets.append(train if is_train else query_set)
    return sets


def _number_of_columns(data: RankingData) -> int:
    return 1 if data.label_columns is None else data.label_columns.shape[1]


def initial_scores_of(sets: list[QuerySet], start: Any, starts: Any) -> Any:
    """Return the initial scores of the evaluation sets.

    For queries that were held out of the training set, these are the scores of the training set.

    Parameters
    ----------
    sets : list of QuerySet
        Evaluation sets.
    start, starts
        Initial scores of the training set, and of the evaluation sets, as ``fit`` got them.
    """
    return [start] if sets and sets[0].part is not None else starts


def as_eval_set(eval_set: Any, eval_X: Any, eval_y: Any) -> Any:
    """Return the evaluation sets in the form of ``eval_set``, also if they are given as ``eval_X`` and ``eval_y``."""
    if eval_X is None and eval_y is None:
        return eval_set
    if eval_set is not None:
        raise ValueError("evaluation sets are given twice: as eval_set and as eval_X, eval_y")
    pairs = [values if isinstance(values, tuple) else (values,) for values in (eval_X, eval_y)]
    if len(pairs[0]) != len(pairs[1]):
        raise ValueError(f"eval_X has {len(pairs[0])} sets, but eval_y has {len(pairs[1])}")
    return list(zip(*pairs, strict=True))


def one_per_set(values: Any, name: str, n_sets: int) -> list[Any]:
    """Return one entry per evaluation set, None where there is none.

    If there is only one set, ``values`` may be its entry instead of a list.

    Raises
    ------
    TypeError
        If ``values`` is not a list.
    ValueError
        If the number of entries is not the number of evaluation sets.
    """
    if values is None:
        return [None] * n_sets
    entries = _as_list(values, name) if n_sets != 1 or isinstance(values, (list, tuple)) else [values]
    if len(entries) != n_sets:
        raise ValueError(f"{name} has {len(entries)} entries for {n_sets} evaluation set(s)")
    return entries


def _as_list(values: Any, name: str) -> list[Any]:
    """Return an argument with one entry per evaluation set as a list; None gives an empty list."""
    try:
        return [] if values is None else list(values)
    except TypeError:
        raise TypeError(f"{name} takes a list, with one entry per evaluation set; got {values!r}") from None

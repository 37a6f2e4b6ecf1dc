"""Metrics of pairs and of whole orders: pair accuracy, area under the curve, rank correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ranking._data import RankingData
from ..ranking._pairs import Pairs
from ..ranking._validation import Float64Array
from ._device import pairs_on_device
from ._ranking import compiled, rank_rows, ratio
from ._registry import evaluate, register
from ._relevance import relevant_rows

_TIES = ("average", "wrong")


def _share_of_pairs(data: RankingData, labels: NDArray[Any], scores: Any, ties: str) -> Float64Array:
    """Per query, the share of the pairs of different labels whose winner has the larger score."""
    ranking = rank_rows(data, scores)
    right, tied, pairs = compiled().compare_pairs(ranking, labels[ranking.row].astype(np.float64, copy=False))
    return ratio(right + (0.5 * tied if ties == "average" else 0.0), pairs)


def _pair_accuracy(data: RankingData, scores: Any, *, ties: str) -> Float64Array:
    if data.pairs is not None:
        return _share_of_given_pairs(data, data.pairs.checked(data.groups), scores, ties)
    return _share_of_pairs(data, data.labels, scores, ties)


def _pair_accuracy_on_device(data: RankingData, scores: Any, *, ties: str) -> Float64Array | None:
    found = None if data.pairs is not None else pairs_on_device(data, scores, 0.5 if ties == "average" else 0.0)
    return None if found is None else ratio(*found)


def _share_of_given_pairs(data: RankingData, pairs: Pairs, scores: Any, ties: str) -> Float64Array:
    """Per query, the weighted share of the given pairs that are in order, of those whose rows both take part."""
    inside = slice(None) if data.mask is None else data.mask[pairs.winner] & data.mask[pairs.loser]
    winner, loser = pairs.winner[inside], pairs.loser[inside]
    weight = np.ones(winner.shape[0]) if pairs.weight is None else pairs.weight[inside]
    above, below = scores[winner], scores[loser]
    right = (above > below) + (0.5 if ties == "average" else 0.0) * (above == below)
    query = data.groups.codes[winner]
    n = data.groups.n_queries
    return ratio(np.bincount(query, weight * right, minlength=n), np.bincount(query, weight, minlength=n))


def _auc(data: RankingData, scores: Any, *, relevant: float, ties: str) -> Float64Array:
    return _share_of_pairs(data, relevant_rows(data, relevant), scores, ties)


def _spearman(data: RankingData, scores: Any) -> Float64Array:
    by_label, by_score = rank_rows(data, data.labels), rank_rows(data, scores)
    values: Float64Array = compiled().rank_correlation(by_label, by_score, data.groups.n_rows)
    return values


@register(
    kernel=_pair_accuracy,
    device_kernel=_pair_accuracy_on_device,
    needs="two different labels",
    choices={"ties": _TIES},
)
def pair_accuracy(
    y_true: Any,
    y_pred: Any,
    *,
    group: Any = None,
    qid: Any = None,
    mask: Any = None,
    query_weight: Any = None,
    per_query: bool = False,
    pairs: Any = None,
    ties: str = "average",
    empty: float | str = "skip",
) -> float | Float64Array:
    """Share of the pairs of a query, y_i > y_j, that the scores put in the right order, s_i > s_j.

    ::

        pair accuracy = (pairs with s_i > s_j  +  1/2 pairs with s_i = s_j) / (pairs with y_i > y_j)

    Labels are any real numbers. Undefined for a query whose labels are all equal. Every pair counts; the cost is
    O(n log n). Kendall's tau-a without label ties is ``2 pair_accuracy - 1``.

    Parameters
    ----------
    %(input)s
    pairs : (winner, loser) or (winner, loser, weight), optional
        Arrays of shape (n_pairs,): count these pairs of rows, each by its weight, in the place of those that the labels
        make. Rows of 2-D arrays count list by list.
    ties : {"average", "wrong"}, default="average"
        What a pair of equal scores counts: 1/2, or 0.
    %(empty_skip)s

    Returns
    -------
    %(returns)s

    Raises
    ------
    %(raises)s
    TypeError
        If ``pairs`` are not a tuple.

    References
    ----------
    Kendall, "A new measure of rank correlation", Biometrika 30 (1938). With ``pairs``: CatBoost's ``PairAccuracy``.

    Examples
    --------
    >>> pair_accuracy([3, 2, 1, 0], [0.9, 0.1, 0.5, 0.1])  # 4.5 of 6 pairs
    0.75
    """
    return evaluate("pair_accuracy", **locals())


@register(kernel=_auc, needs="a relevant row and another", choices={"ties": _TIES})
def auc(
    y_true: Any,
    y_pred: Any,
    *,
    group: Any = None,
    qid: Any = None,
    mask: Any = None,
    query_weight: Any = None,
    per_query: bool = False,
    relevant: float = 1.0,
    ties: str = "average",
    empty: float | str = "skip",
) -> float | Float64Array:
    """Area under the receiver operating characteristic, per query: the pair accuracy of relevant against other rows.

    ::

        AUC = (pairs with s_i > s_j  +  1/2 pairs with s_i = s_j) / (pairs of a relevant row i and another row j)

    Undefined for a query whose rows are all relevant, or none.

    Parameters
    ----------
    %(input)s
    %(relevant)s
    ties : {"average", "wrong"}, default="average"
        What a pair of equal scores counts: 1/2, or 0.
    %(empty_skip)s

    Returns
    -------
    %(returns)s

    Raises
    ------
    %(raises)s

    Warns
    -----
    %(warns)s

    References
    ----------
    Hanley and McNeil, "The meaning and use of the area under a ROC curve", Radiology 143 (1982).

    Examples
    --------
    >>> auc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.6])
    0.75
    """
    return evaluate("auc", **locals())


@register(kernel=_spearman, needs="two different labels")
def spearman(
    y_true: Any,
    y_pred: Any,
    *,
    group: Any = None,
    qid: Any = None,
    mask: Any = None,
    query_weight: Any = None,
    per_query: bool = False,
    empty: float | str = "skip",
) -> float | Float64Array:
    """Spearman's rank correlation of labels and scores within a query; on stocks within a date, the rank IC.

    ::

        rho = cov(rank of y, rank of s) / (std(rank of y) std(rank of s))

    Pearson's correlation of the ranks, equal values at the mean of their ranks. Labels are any real numbers.
    Undefined for a query whose labels are all equal; constant scores count 0, the expectation over random orders.

    Parameters
    ----------
    %(input)s
    %(empty_skip)s

    Returns
    -------
    %(returns)s

    Raises
    ------
    %(raises)s

    References
    ----------
    Spearman, "The proof and measurement of association between two things", Am. J. Psychol. 15 (1904).

    Examples
    --------
    >>> spearman([-0.02, 0.01, 0.05], [1.0, 3.0, 2.0])
    0.5
    """
    return evaluate("spearman", **locals())

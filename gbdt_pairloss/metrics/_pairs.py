"""Metrics of pairs and of whole orders: pair accuracy, area under the ROC curve, rank correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..ranking._data import RankingData
from ..ranking._pairs import Pairs
from ..ranking._validation import Float64Array
from ._device import pairs_on_device
from ._ranking import kernels, rank_rows, ratio
from ._registry import evaluate, register
from ._relevance import relevant_rows

_TIES = ("average", "wrong")


def _share_of_label_pairs(data: RankingData, labels: NDArray[Any], scores: Any, ties: str) -> Float64Array:
    """Return, for each query, the share of the pairs of different labels whose winner has the larger score."""
    ranking = rank_rows(data, scores)
    right, tied, pairs = kernels().compare_pairs(ranking, labels[ranking.row].astype(np.float64, copy=False))
    return ratio(right + (0.5 * tied if ties == "average" else 0.0), pairs)


def _pair_accuracy(data: RankingData, scores: Any, *, ties: str) -> Float64Array:
    if data.pairs is not None:
        return _share_of_explicit_pairs(data, data.pairs.checked(data.groups), scores, ties)
    return _share_of_label_pairs(data, data.labels, scores, ties)


def _pair_accuracy_on_device(data: RankingData, scores: Any, *, ties: str) -> Float64Array | None:
    found = None if data.pairs is not None else pairs_on_device(data, scores, 0.5 if ties == "average" else 0.0)
    return None if found is None else ratio(*found)


def _share_of_explicit_pairs(data: RankingData, pairs: Pairs, scores: Any, ties: str) -> Float64Array:
    """Return, for each query, the weighted share of explicit pairs in the right order; both rows must take part."""
    inside = slice(None) if data.mask is None else data.mask[pairs.winner] & data.mask[pairs.loser]
    winner, loser = pairs.winner[inside], pairs.loser[inside]
    weight = np.ones(winner.shape[0]) if pairs.weight is None else pairs.weight[inside]
    above, below = scores[winner], scores[loser]
    right = (above > below) + (0.5 if ties == "average" else 0.0) * (above == below)
    query = data.groups.codes[winner]
    n = data.groups.n_queries
    return ratio(np.bincount(query, weight * right, minlength=n), np.bincount(query, weight, minlength=n))


def _auc(data: RankingData, scores: Any, *, relevant: float, ties: str) -> Float64Array:
    return _share_of_label_pairs(data, relevant_rows(data, relevant), scores, ties)


def _spearman(data: RankingData, scores: Any) -> Float64Array:
    by_label, by_score = rank_rows(data, data.labels), rank_rows(data, scores)
    values: Float64Array = kernels().rank_correlation(by_label, by_score, data.groups.n_rows)
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
    """Compute the share of a query's pairs that the scores put in the right order.

    ::

        pair accuracy = (pairs with s_i > s_j  +  1/2 pairs with s_i = s_j) / (pairs with y_i > y_j)

    Parameters
    ----------
    %(input)s
    pairs : (winner, loser) or (winner, loser, weight), optional
        Arrays of shape (n_pairs,): explicit pairs of row numbers, counted by weight instead of the pairs that follow
        from the labels. Rows of 2-D arrays are numbered list by list.
    ties : {"average", "wrong"}, default="average"
        Value of a pair of equal scores: 1/2, or 0.
    %(empty_skip)s

    Returns
    -------
    %(returns)s

    Raises
    ------
    %(raises)s
    TypeError
        If ``pairs`` is not a tuple.

    See Also
    --------
    auc : Pair accuracy of relevant rows against the other rows.
    spearman : Rank correlation, the other metric that accepts any real labels.
    ndcg : A metric in which the top of the list counts most.

    Notes
    -----
    Labels may be any real numbers. All pairs of a query count alike, unless ``pairs`` have weights. The cost is
    O(n log n) without explicit pairs. Pair accuracy is undefined for a query whose labels are all equal. If a query has
    no equal labels, its Kendall tau-a is ``2 * pair_accuracy - 1``.

    References
    ----------
    Kendall, "A new measure of rank correlation", Biometrika 30 (1938). With ``pairs``: CatBoost's ``PairAccuracy``.

    Examples
    --------
    >>> pair_accuracy([3, 2, 1, 0], [0.9, 0.1, 0.5, 0.1])  # 4.5 of 6 pairs
    0.75
    """
    return evaluate("pair_accuracy", **locals())


@register(kernel=_auc, needs="a relevant row and a row that is not relevant", choices={"ties": _TIES})
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
    """Compute the area under the receiver operating characteristic curve of each query.

    The area is the pair accuracy of relevant rows against the other rows::

        AUC = (pairs with s_i > s_j  +  1/2 pairs with s_i = s_j) / (pairs of a relevant row i and another row j)

    Parameters
    ----------
    %(input)s
    %(relevant)s
    ties : {"average", "wrong"}, default="average"
        Value of a pair of equal scores: 1/2, or 0.
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

    See Also
    --------
    pair_accuracy : Share of the pairs of different labels in the right order.
    average_precision : A metric of binary relevance in which the top of the list counts most.

    Notes
    -----
    The area is undefined for a query with only relevant rows or without a relevant row.

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
    """Compute Spearman's rank correlation of labels and scores within each query.

    It is Pearson's correlation of the ranks, where equal values get the mean of their ranks::

        rho = cov(rank of y, rank of s) / (std(rank of y) std(rank of s))

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

    See Also
    --------
    pair_accuracy : Share of pairs in the right order, the other metric that accepts any real labels.

    Notes
    -----
    Labels may be any real numbers. The correlation is undefined for a query whose labels are all equal. It is 0 if the
    scores are all equal, the expectation over random orders. For stocks whose query is a date, it is the rank
    information coefficient (rank IC).

    References
    ----------
    Spearman, "The proof and measurement of association between two things", Am. J. Psychol. 15 (1904).

    Examples
    --------
    >>> spearman([-0.02, 0.01, 0.05], [1.0, 3.0, 2.0])
    0.5
    """
    return evaluate("spearman", **locals())

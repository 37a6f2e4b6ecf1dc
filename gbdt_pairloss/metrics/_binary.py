"""Metrics of binary relevance: average precision, reciprocal rank, precision, recall and hit rate."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ranking._data import RankingData
from ..ranking._validation import Float64Array
from ._ranking import kernels, rank_rows, ranks_within, ratio, rows_per_query
from ._registry import evaluate, register
from ._relevance import relevant_rows

_NEEDS = "a relevant row"
_CHOICES = {"ties": ("average", "order")}


def _kernel_arguments(data: RankingData, scores: Any, k: int | None, relevant: float, ties: str) -> tuple[Any, ...]:
    """Return the arguments of this file's kernels: ranking, relevance of each position, number of ranks that count."""
    ranking = rank_rows(data, scores, ties)
    return ranking, relevant_rows(data, relevant)[ranking.row], ranks_within(k, ranking)


def _average_precision(data: RankingData, scores: Any, *, k: int | None, relevant: float, ties: str) -> Float64Array:
    return ratio(*kernels().average_precision(*_kernel_arguments(data, scores, k, relevant, ties)))


def _reciprocal_rank(data: RankingData, scores: Any, *, k: int | None, relevant: float, ties: str) -> Float64Array:
    values: Float64Array = kernels().reciprocal_rank(*_kernel_arguments(data, scores, k, relevant, ties))
    return values


def _precision(data: RankingData, scores: Any, *, k: int | None, relevant: float, ties: str) -> Float64Array:
    hits, in_query = kernels().expected_hits(*_kernel_arguments(data, scores, k, relevant, ties))
    length = rows_per_query(data) if k is None else k
    return ratio(hits, np.where(in_query > 0, length, 0))


def _recall(data: RankingData, scores: Any, *, k: int | None, relevant: float, ties: str) -> Float64Array:
    return ratio(*kernels().expected_hits(*_kernel_arguments(data, scores, k, relevant, ties)))


def _hit_rate(data: RankingData, scores: Any, *, k: int | None, relevant: float, ties: str) -> Float64Array:
    values: Float64Array = kernels().hit_rate(*_kernel_arguments(data, scores, k, relevant, ties))
    return values


@register("map", kernel=_average_precision, needs=_NEEDS, choices=_CHOICES)
def average_precision(
    y_true: Any,
    y_pred: Any,
    *,
    group: Any = None,
    qid: Any = None,
    mask: Any = None,
    query_weight: Any = None,
    per_query: bool = False,
    k: int | None = None,
    relevant: float = 1.0,
    ties: str = "average",
    empty: float | str = 0.0,
) -> float | Float64Array:
    """Compute average precision (AP), whose mean over queries is MAP.

    ::

        AP@k = (sum over ranks r <= k that hold a relevant row of precision@r) / (relevant rows of the whole query)

    Parameters
    ----------
    %(input)s
    %(k)s
    %(relevant)s
    %(ties)s
    %(empty)s

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
    precision : Share of relevant rows in the first ``k`` ranks.
    reciprocal_rank : Reciprocal rank of the first relevant row.
    ndcg : A metric of graded labels.

    Notes
    -----
    AP is undefined for a query without a relevant row. It agrees with trec_eval's ``map`` and ``map_cut``.

    References
    ----------
    McSherry and Najork, "Computing information retrieval performance measures efficiently in the presence of tied
    scores", ECIR 2008.

    Examples
    --------
    >>> average_precision([1, 0, 0, 1], [0.9, 0.8, 0.7, 0.6])  # (1/1 + 2/4) / 2
    0.75
    """
    return evaluate("average_precision", **locals())


@register("mrr", kernel=_reciprocal_rank, needs=_NEEDS, choices=_CHOICES)
def reciprocal_rank(
    y_true: Any,
    y_pred: Any,
    *,
    group: Any = None,
    qid: Any = None,
    mask: Any = None,
    query_weight: Any = None,
    per_query: bool = False,
    k: int | None = None,
    relevant: float = 1.0,
    ties: str = "average",
    empty: float | str = 0.0,
) -> float | Float64Array:
    """Compute the reciprocal rank (RR) of the first relevant row, whose mean over queries is MRR.

    ::

        RR@k = 1 / (rank of the first relevant row), or 0 if that rank is larger than k

    Parameters
    ----------
    %(input)s
    %(k)s
    %(relevant)s
    %(ties)s
    %(empty)s

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
    average_precision : A metric of the ranks of all relevant rows.
    hit_rate : 1 if the first ``k`` ranks hold a relevant row, else 0.
    err : Expected reciprocal rank, for graded labels.

    Notes
    -----
    RR is undefined for a query without a relevant row.

    References
    ----------
    Voorhees, "The TREC-8 question answering track report", TREC 1999.

    Examples
    --------
    >>> reciprocal_rank([0, 1, 0, 1], [0.9, 0.8, 0.7, 0.6])
    0.5
    """
    return evaluate("reciprocal_rank", **locals())


@register("pre", kernel=_precision, needs=_NEEDS, choices=_CHOICES)
def precision(
    y_true: Any,
    y_pred: Any,
    *,
    group: Any = None,
    qid: Any = None,
    mask: Any = None,
    query_weight: Any = None,
    per_query: bool = False,
    k: int | None = None,
    relevant: float = 1.0,
    ties: str = "average",
    empty: float | str = 0.0,
) -> float | Float64Array:
    """Compute the share of relevant rows in the first ``k`` ranks.

    ::

        precision@k = (relevant rows in the first k ranks) / k

    Parameters
    ----------
    %(input)s
    %(k)s
    %(relevant)s
    %(ties)s
    %(empty)s

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
    recall : Share of a query's relevant rows that are in the first ``k`` ranks.
    average_precision : Mean of the precisions at the ranks of the relevant rows.

    Notes
    -----
    The divisor is ``k`` even if a query has fewer rows, as in trec_eval. With k=None it is the query's number of rows.
    Precision is undefined for a query without a relevant row.

    References
    ----------
    trec_eval, ``m_P.c``. Manning, Raghavan and Schütze, "Introduction to information retrieval", 2008, chapter 8.

    Examples
    --------
    >>> precision([1, 0, 0, 1], [0.9, 0.8, 0.7, 0.6], k=2)
    0.5
    """
    return evaluate("precision", **locals())


@register(kernel=_recall, needs=_NEEDS, choices=_CHOICES)
def recall(
    y_true: Any,
    y_pred: Any,
    *,
    group: Any = None,
    qid: Any = None,
    mask: Any = None,
    query_weight: Any = None,
    per_query: bool = False,
    k: int | None = None,
    relevant: float = 1.0,
    ties: str = "average",
    empty: float | str = 0.0,
) -> float | Float64Array:
    """Compute the share of a query's relevant rows that are in the first ``k`` ranks.

    ::

        recall@k = (relevant rows in the first k ranks) / (relevant rows)

    Parameters
    ----------
    %(input)s
    %(k)s
    %(relevant)s
    %(ties)s
    %(empty)s

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
    precision : Share of relevant rows in the first ``k`` ranks.
    hit_rate : 1 if the first ``k`` ranks hold a relevant row, else 0.

    Notes
    -----
    Recall is undefined for a query without a relevant row.

    References
    ----------
    trec_eval, ``m_recall.c``. Manning, Raghavan and Schütze, "Introduction to information retrieval", 2008, chapter 8.

    Examples
    --------
    >>> recall([1, 1, 0, 1], [0.9, 0.8, 0.7, 0.6], k=1, ties="order")
    0.3333333333333333
    """
    return evaluate("recall", **locals())


@register(kernel=_hit_rate, needs=_NEEDS, choices=_CHOICES)
def hit_rate(
    y_true: Any,
    y_pred: Any,
    *,
    group: Any = None,
    qid: Any = None,
    mask: Any = None,
    query_weight: Any = None,
    per_query: bool = False,
    k: int | None = None,
    relevant: float = 1.0,
    ties: str = "average",
    empty: float | str = 0.0,
) -> float | Float64Array:
    """Compute the share of queries with a relevant row in the first ``k`` ranks (success@k).

    ::

        hit rate@k = 1 if (relevant rows in the first k ranks) > 0 else 0

    Parameters
    ----------
    %(input)s
    %(k)s
    %(relevant)s
    %(ties)s
    %(empty)s

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
    recall : Share of a query's relevant rows that are in the first ``k`` ranks.
    reciprocal_rank : Reciprocal rank of the first relevant row.

    Notes
    -----
    If equally scored rows leave it open whether a relevant row is in the first ``k`` ranks, ties="average" counts the
    probability that one is. The hit rate is undefined for a query without a relevant row.

    References
    ----------
    trec_eval, ``m_success.c``.

    Examples
    --------
    >>> hit_rate([0, 1], [0.5, 0.5], k=1)
    0.5
    """
    return evaluate("hit_rate", **locals())

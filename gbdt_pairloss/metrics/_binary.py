"""Metrics of relevant and other rows: average precision, reciprocal rank, precision, recall and hit rate."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data import RankingData
from ..validation import Float64Array
from ._ranking import ratio, running_product, spread
from ._registry import evaluate, register
from ._relevance import relevant_runs

_NEEDS = "a relevant row"
_CHOICES = {"ties": ("average", "order")}


def _average_precision(data: RankingData, scores: Any, *, k: int | None, relevant: float, ties: str) -> Float64Array:
    runs = relevant_runs(data, scores, relevant, ties)
    ranking = runs.ranking
    some = np.flatnonzero((runs.in_run > 0) & (ranking.in_top(k) > 0))
    m, r = ranking.size[some], runs.in_run[some]
    run, offset = spread(ranking.in_top(k)[some])
    # At the rank above + 1 + offset of a run a relevant row stands with probability r/m, and above it in the run
    # offset (r - 1)/(m - 1) more are expected (McSherry and Najork 2008, their equation for average precision).
    slope = (r - 1) / np.maximum(m - 1, 1)
    precision_here = (runs.before[some][run] + 1 + offset * slope[run]) / (ranking.above[some][run] + 1 + offset)
    expected = (r / m)[run] * precision_here
    total = np.bincount(ranking.run_query[some][run], weights=expected, minlength=ranking.n_queries)
    return ratio(total, runs.in_query)


def _reciprocal_rank(data: RankingData, scores: Any, *, k: int | None, relevant: float, ties: str) -> Float64Array:
    runs = relevant_runs(data, scores, relevant, ties)
    ranking = runs.ranking
    first = np.flatnonzero((runs.in_run > 0) & (runs.before == 0))  # one run per query
    m, r = ranking.size[first], runs.in_run[first]
    run, offset = spread(np.minimum(ranking.in_top(k)[first], m - r + 1))
    # P(the first relevant of m rows is number o + 1) = C(m - o - 1, r - 1) / C(m, r), by the ratio of one to the next.
    step = np.where(offset == 0, (r / m)[run], (m - r + 1)[run] - offset)
    step[offset > 0] /= (m[run] - offset)[offset > 0]
    probability = running_product(step, offset)
    expected = probability / (ranking.above[first][run] + 1 + offset)
    total = np.bincount(ranking.run_query[first][run], weights=expected, minlength=ranking.n_queries)
    return np.where(runs.in_query > 0, total, np.nan)


def _precision(data: RankingData, scores: Any, *, k: int | None, relevant: float, ties: str) -> Float64Array:
    runs = relevant_runs(data, scores, relevant, ties)
    length = runs.ranking.sizes if k is None else k
    return ratio(runs.expected_hits(k), np.where(runs.in_query > 0, length, 0))


def _recall(data: RankingData, scores: Any, *, k: int | None, relevant: float, ties: str) -> Float64Array:
    runs = relevant_runs(data, scores, relevant, ties)
    return ratio(runs.expected_hits(k), runs.in_query)


def _hit_rate(data: RankingData, scores: Any, *, k: int | None, relevant: float, ties: str) -> Float64Array:
    runs = relevant_runs(data, scores, relevant, ties)
    ranking, top = runs.ranking, runs.ranking.in_top(k)
    whole = (top == ranking.size) & (runs.in_run > 0)
    hit = np.minimum(ranking.query_sum(whole), 1.0)
    # The run that rank k cuts, one per query: the chance that none of its first rows is relevant is hypergeometric.
    cut = np.flatnonzero((top > 0) & (top < ranking.size))
    m, r = ranking.size[cut], runs.in_run[cut]
    run, offset = spread(top[cut])
    none_relevant = np.ones(cut.size)
    if cut.size:
        step = np.maximum((m - r)[run] - offset, 0) / (m[run] - offset)
        none_relevant = np.multiply.reduceat(step, np.flatnonzero(offset == 0))
    query = ranking.run_query[cut]
    hit[query] = np.maximum(hit[query], 1.0 - none_relevant)
    return np.where(runs.in_query > 0, hit, np.nan)


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
    """Average precision; its mean over queries is MAP.

    ::

        AP@k = (sum over ranks r <= k that hold a relevant row of precision@r) / (relevant rows of the whole query)

    as trec_eval's map and map_cut. Undefined for a query without a relevant row.

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
    """Reciprocal rank of the first relevant row; its mean over queries is MRR.

    0 if that row stands beyond rank ``k``. Undefined for a query without a relevant row.

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
    """Share of relevant rows in the first ``k`` ranks.

    ::

        precision@k = (relevant rows in the first k ranks) / k

    The divisor is ``k`` also where a query has fewer rows, as in trec_eval; with k=None it is the query's length.
    Undefined for a query without a relevant row.

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
    """Share of a query's relevant rows that stand in the first ``k`` ranks.

    ::

        recall@k = (relevant rows in the first k ranks) / (relevant rows)

    Undefined for a query without a relevant row.

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
    """Whether any of the first ``k`` ranks holds a relevant row (success@k); under ties, its probability.

    Undefined for a query without a relevant row.

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

    Examples
    --------
    >>> hit_rate([0, 1], [0.5, 0.5], k=1)
    0.5
    """
    return evaluate("hit_rate", **locals())

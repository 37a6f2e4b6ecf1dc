"""Metrics of graded labels: normalised discounted cumulative gain and expected reciprocal rank."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ranking._data import RankingData
from ..ranking._gains import GAINS, gains_of
from ..ranking._validation import Float64Array
from ._device import dcg_on_device
from ._ranking import kernels, rank_rows, ranks_within, ratio, rows_per_query
from ._registry import evaluate, register

# Adding a gain of 1 to a number above 2**53 is lost in float64.
_LARGEST_EXPONENT = 53


def _checked_labels(data: RankingData, metric: str, largest: float, remedy: str) -> Float64Array:
    """Return the labels of all rows, 0 for rows that take no part.

    Raises
    ------
    ValueError
        If a label is outside [0, largest]; the message names the first such row.
    """
    labels = data.labels.astype(np.float64)
    if data.mask is not None:
        labels[~data.mask] = 0.0
    bad = np.flatnonzero((labels < 0) | (labels > largest))
    if bad.size:
        row = int(bad[0])
        found = f"the label is {data.labels[row]} at row {row}, {data.groups.name(data.groups.codes[row])}"
        if labels[row] < 0:
            raise ValueError(
                f"{found}; {metric} needs labels of 0 or more (mask= leaves rows out; spearman and pair_accuracy "
                "accept negative labels)"
            )
        raise ValueError(
            f"{found}; gains of 2**label - 1 need labels of at most {_LARGEST_EXPONENT} in float64: {remedy}"
        )
    return labels


def _gains(data: RankingData, gain: str) -> Float64Array:
    """Return the gain of each row; check the labels first."""
    largest = _LARGEST_EXPONENT if gain == "exp2" else np.inf
    return gains_of(_checked_labels(data, "ndcg", largest, 'use gain="linear", or smaller labels'), gain)


def _ndcg(data: RankingData, scores: Any, *, k: int | None, gain: str, ties: str) -> Float64Array:
    gains = _gains(data, gain)
    by_score, by_gain = rank_rows(data, scores, ties), rank_rows(data, gains, "order")
    longest = int(rows_per_query(data).max(initial=0))
    discount = 1.0 / np.log2(np.arange(2, 2 + (longest if k is None else min(k, longest))))
    achieved, ideal = (kernels().dcg(ranking, gains[ranking.row], discount) for ranking in (by_score, by_gain))
    return np.minimum(ratio(achieved, ideal), 1.0)  # rounding may give one ulp more than 1


def _ndcg_on_device(data: RankingData, scores: Any, *, k: int | None, gain: str, ties: str) -> Float64Array | None:
    found = dcg_on_device(data, gain, lambda: _gains(data, gain), scores, k, ties == "order")
    return None if found is None else np.minimum(ratio(*found), 1.0)


def _err(data: RankingData, scores: Any, *, k: int | None, max_label: float | None) -> Float64Array:
    labels = _checked_labels(data, "err", _LARGEST_EXPONENT, "use smaller labels")
    largest = labels.max(initial=0.0)
    if max_label is None:
        max_label = largest
    elif max_label < largest:
        raise ValueError(f"max_label is {max_label}, but there is a label of {largest}")
    elif max_label > _LARGEST_EXPONENT:
        raise ValueError(f"max_label is {max_label}; it must be at most {_LARGEST_EXPONENT}")
    ranking = rank_rows(data, scores, "order")
    stop = gains_of(labels[ranking.row], "exp2") * np.exp2(-max_label)
    values: Float64Array = kernels().err(ranking, stop, ranks_within(k, ranking))
    return values


@register(
    kernel=_ndcg,
    device_kernel=_ndcg_on_device,
    needs="a label above 0",
    choices={"gain": GAINS, "ties": ("average", "order")},
)
def ndcg(
    y_true: Any,
    y_pred: Any,
    *,
    group: Any = None,
    qid: Any = None,
    mask: Any = None,
    query_weight: Any = None,
    per_query: bool = False,
    k: int | None = None,
    gain: str = "exp2",
    ties: str = "average",
    empty: float | str = 0.0,
) -> float | Float64Array:
    """Compute normalised discounted cumulative gain (NDCG).

    ::

        DCG@k = sum over ranks r <= k of gain(y_r) / log2(1 + r)        NDCG@k = DCG@k / (DCG@k of the ideal order)

    Parameters
    ----------
    %(input)s
    %(k)s
    gain : {"exp2", "linear"}, default="exp2"
        Gain of a label y: ``2**y - 1``, or ``y``.
    %(ties)s
    %(empty)s

    Returns
    -------
    %(returns)s

    Raises
    ------
    %(raises)s
        If a label is negative, or above 53 with gain="exp2".

    See Also
    --------
    err : Expected reciprocal rank, which models a user who stops at a good row.
    average_precision : A metric of binary relevance.
    pair_accuracy : Share of pairs in the right order, for any real labels.

    Notes
    -----
    Labels may be any numbers of 0 or more, at most 53 with gain="exp2". NDCG is undefined for a query whose labels are
    all 0.

    References
    ----------
    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 20 (2002).
    Burges et al., "Learning to rank using gradient descent", ICML 2005 (the gain ``2**y - 1``).
    McSherry and Najork, "Computing information retrieval performance measures efficiently in the presence of tied
    scores", ECIR 2008.

    Examples
    --------
    >>> round(ndcg([2, 0, 1], [0.3, 0.2, 0.1]), 6)
    0.96394
    >>> ndcg([1, 0, 0, 1], [0.9, 0.1, 0.1, 0.9], group=[2, 2], k=1, per_query=True)
    array([1., 1.])
    """
    return evaluate("ndcg", **locals())


@register(kernel=_err, needs="a label above 0")
def err(
    y_true: Any,
    y_pred: Any,
    *,
    group: Any = None,
    qid: Any = None,
    mask: Any = None,
    query_weight: Any = None,
    per_query: bool = False,
    k: int | None = None,
    max_label: float | None = None,
    empty: float | str = 0.0,
) -> float | Float64Array:
    """Compute expected reciprocal rank (ERR).

    ERR is the expectation of 1 / r, where r is the rank at which a user, who reads the list from the top, stops::

        R_i = (2**y_i - 1) / 2**max_label        ERR@k = sum over ranks r <= k of R_r / r prod over i < r of (1 - R_i)

    Parameters
    ----------
    %(input)s
    %(k)s
    max_label : float, optional
        The largest label that is possible. None: the largest label of ``y_true``. Set it to compare values of
        different datasets.
    %(empty)s

    Returns
    -------
    %(returns)s

    Raises
    ------
    %(raises)s
        If a label is negative, above 53 or above ``max_label``.

    See Also
    --------
    reciprocal_rank : Reciprocal rank of the first relevant row, for binary relevance.
    ndcg : Normalised discounted cumulative gain, in which every row counts independently of the rows above it.

    Notes
    -----
    Labels may be any numbers from 0 to 53. Equally scored rows stay in the order in which they are given. ERR is
    undefined for a query whose labels are all 0.

    References
    ----------
    Chapelle, Metzler, Zhang and Grinspan, "Expected reciprocal rank for graded relevance", CIKM 2009.

    Examples
    --------
    >>> err([0, 1], [0.2, 0.1])
    0.25
    """
    return evaluate("err", **locals())

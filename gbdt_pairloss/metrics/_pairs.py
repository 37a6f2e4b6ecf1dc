"""Metrics of pairs and of whole orders: pair accuracy, area under the curve, rank correlation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import RankingData
from ..plan import label_runs, split_blocks
from ..validation import Float64Array
from ._ranking import Ranking, rank_rows, ratio
from ._registry import evaluate, register
from ._relevance import relevant_rows

_TIES = ("average", "wrong")


def _share_of_pairs(data: RankingData, labels: NDArray[Any], scores: Any, ties: str) -> Float64Array:
    """Per query, the share of the pairs of different labels whose winner has the larger score.

    Positions are those of ``by_label``: a block (a, b, c) of ``split_blocks`` says that [a, b) beats [b, c). The slots
    [a, c) of ``position`` hold the same positions, best score first. From one level of blocks to the next the winners
    go to the slots [a, b) and the losers to [b, c), each in the order they had, so no level needs to sort.
    """
    by_label, by_score = rank_rows(data, labels), rank_rows(data, scores)
    n_queries, n_rows = by_score.n_queries, by_score.row.size
    dtype = np.int32 if n_rows < 2**29 else np.int64  # memory traffic is what this costs
    position_of_row = np.empty(data.groups.n_rows, dtype=dtype)
    position_of_row[by_label.row] = np.arange(n_rows)
    position = position_of_row[by_score.row]
    score_run = np.repeat(np.arange(by_score.size.size, dtype=dtype), by_score.size)
    right, pairs = np.zeros(n_queries), np.zeros(n_queries)
    for a, b, c in split_blocks(*label_runs(labels[by_label.row], by_label.ptr), by_label.ptr):
        size = c - a
        first = np.cumsum(size) - size  # of each block, where all are laid end to end
        slot = np.arange(size.sum(), dtype=dtype) + np.repeat((a - first).astype(dtype), size)
        row, run = position[slot], score_run[slot]
        wins = row < np.repeat(b.astype(dtype), size)
        winners = np.zeros(row.size + 1, dtype=dtype)
        np.cumsum(wins, out=winners[1:])
        winners_above = winners[:-1] - np.repeat(winners[first], size)

        new_run = np.ones(row.size, dtype=np.bool_)
        np.not_equal(run[1:], run[:-1], out=new_run[1:])
        new_run[first] = True
        start = np.flatnonzero(new_run)
        tied = np.diff(winners[start], append=winners[-1])
        losers = np.diff(start, append=row.size) - tied
        beaten = losers * (winners_above[start] + (0.5 * tied if ties == "average" else 0.0))
        runs = np.add.reduceat(new_run, first, dtype=np.int64)
        query = by_label.query[a]
        right += np.bincount(np.repeat(query, runs), weights=beaten, minlength=n_queries)
        pairs += np.bincount(query, weights=(b - a) * (c - b).astype(np.float64), minlength=n_queries)

        target = np.where(
            wins,
            np.repeat(a.astype(dtype), size) + winners_above,
            slot + np.repeat((b - a).astype(dtype), size) - winners_above,
        )
        position[target], score_run[target] = row, run
    return ratio(right, pairs)


def _pair_accuracy(data: RankingData, scores: Any, *, ties: str) -> Float64Array:
    return _share_of_pairs(data, data.labels, scores, ties)


def _auc(data: RankingData, scores: Any, *, relevant: float, ties: str) -> Float64Array:
    return _share_of_pairs(data, relevant_rows(data, relevant).astype(np.float64), scores, ties)


def _centred_ranks(data: RankingData, ranking: Ranking) -> Float64Array:
    """Average rank minus the query's mean rank, (n + 1) / 2, of each of the caller's rows; 0 for rows left out."""
    average = ranking.above + (ranking.size + 1) / 2
    centred = np.zeros(data.groups.n_rows)
    centred[ranking.row] = np.repeat(average - (ranking.sizes[ranking.run_query] + 1) / 2, ranking.size)
    return centred


def _spearman(data: RankingData, scores: Any) -> Float64Array:
    codes, n_queries = data.groups.codes, data.groups.n_queries
    x = _centred_ranks(data, rank_rows(data, data.labels))
    y = _centred_ranks(data, rank_rows(data, scores))
    xy, xx, yy = (np.bincount(codes, weights=w, minlength=n_queries) for w in (x * y, x * x, y * y))
    # Constant scores: 0, the expectation over random orders. Constant labels: undefined.
    values = ratio(xy, np.where(yy > 0, np.sqrt(xx * yy), 1.0))
    return np.where(xx > 0, np.clip(values, -1.0, 1.0), np.nan)


@register(kernel=_pair_accuracy, needs="two different labels", choices={"ties": _TIES})
def pair_accuracy(
    y_true: Any,
    y_pred: Any,
    *,
    group: Any = None,
    qid: Any = None,
    mask: Any = None,
    query_weight: Any = None,
    per_query: bool = False,
    ties: str = "average",
    empty: float | str = "skip",
) -> float | Float64Array:
    """Share of the pairs of a query, y_i > y_j, that the scores put in the right order, s_i > s_j.

    Labels are any real numbers. Undefined for a query whose labels are all equal. Every pair counts; the cost is
    O(n log n + n log(number of distinct labels)). Kendall's tau-a without label ties is ``2 pair_accuracy - 1``.

    Parameters
    ----------
    %(input)s
    ties : {"average", "wrong"}, default="average"
        What a pair of equal scores counts: 1/2, or 0.
    %(empty_skip)s

    Returns
    -------
    %(returns)s

    Raises
    ------
    %(raises)s

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

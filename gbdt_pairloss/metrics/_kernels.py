"""Compiled kernels of the metrics: for every query one loop over the runs of its ranking, best first.

Expectations are over all orders of a run's rows: each row has each of the run's ranks with the same probability.
``ranking`` is a Ranking (see ``_ranking.py``). ``hit`` tells for each position whether it holds a relevant row. ``k``
is the number of ranks that count. Every kernel returns one value per query, or a tuple of such arrays.
"""

from __future__ import annotations

import numpy as np

from ..engine.cpu.compile import exact_helper, exact_kernel
from ..engine.cpu.sorting import sort
from ._sort import gather_queries, sort_queries

__all__ = [
    "average_precision",
    "compare_pairs",
    "dcg",
    "err",
    "expected_hits",
    "gather_queries",
    "hit_rate",
    "rank_correlation",
    "reciprocal_rank",
    "sort_queries",
]


@exact_kernel
def dcg(ranking, gain, discount):
    """Compute the expected DCG from the ``gain`` of each position and the ``discount`` of each rank that counts."""
    _, ptr, run_ptr, first_run = ranking
    total = np.zeros(ptr.shape[0] - 1)
    for q in range(total.shape[0]):
        for run in range(first_run[q], first_run[q + 1]):
            begin, end = run_ptr[run], run_ptr[run + 1]
            run_gain = 0.0
            for p in range(begin, end):
                run_gain += gain[p]
            # Summed row by row, like the ideal DCG, so that NDCG of a right order of whole-number labels is exactly 1.
            expected = run_gain / (end - begin)
            for rank in range(begin - ptr[q], min(end - ptr[q], discount.shape[0])):
                total[q] += expected * discount[rank]
    return total


@exact_kernel
def err(ranking, stop, k):
    """Compute expected reciprocal rank; ``stop[p]``: the probability that a user who reaches position p stops there."""
    ptr = ranking.ptr
    values = np.full(ptr.shape[0] - 1, np.nan)
    for q in range(values.shape[0]):
        total, reach, defined = 0.0, 1.0, False
        for p in range(ptr[q], ptr[q + 1]):
            defined = defined or stop[p] > 0
            rank = p - ptr[q] + 1
            if rank <= k:
                total += reach * stop[p] / rank
                reach *= 1.0 - stop[p]
        if defined:
            values[q] = total
    return values


@exact_helper
def _count(hit, begin, end):
    """Count the relevant rows of [begin, end)."""
    total = 0
    for p in range(begin, end):
        total += hit[p]
    return total


@exact_kernel
def average_precision(ranking, hit, k):
    """Compute the expected sum of the precisions at the relevant rows' ranks, and the number of relevant rows."""
    _, ptr, run_ptr, first_run = ranking
    total, relevant = np.zeros(ptr.shape[0] - 1), np.zeros(ptr.shape[0] - 1, np.int64)
    for q in range(total.shape[0]):
        for run in range(first_run[q], first_run[q + 1]):
            begin, end = run_ptr[run], run_ptr[run + 1]
            m, r = end - begin, _count(hit, begin, end)
            if r == 0:
                continue
            # The row at rank above + 1 + offset is relevant with probability r/m. If it is, then
            # offset (r - 1)/(m - 1) relevant rows are expected above it within the run (McSherry and Najork 2008,
            # their equation for average precision).
            above = begin - ptr[q]
            more = (r - 1) / max(m - 1, 1)
            for offset in range(min(m, k - above)):
                total[q] += r / m * ((relevant[q] + 1 + offset * more) / (above + 1 + offset))
            relevant[q] += r
    return total, relevant


@exact_kernel
def reciprocal_rank(ranking, hit, k):
    """Compute the expected reciprocal rank of the first relevant row, 0 for ranks above ``k``; NaN without one."""
    _, ptr, run_ptr, first_run = ranking
    values = np.full(ptr.shape[0] - 1, np.nan)
    for q in range(values.shape[0]):
        for run in range(first_run[q], first_run[q + 1]):
            begin, end = run_ptr[run], run_ptr[run + 1]
            m, r = end - begin, _count(hit, begin, end)
            if r == 0:
                continue
            # P(the first relevant row of the run is at offset o) = C(m - o - 1, r - 1) / C(m, r). Each probability is
            # computed from the one before by their ratio.
            above, total, probability = begin - ptr[q], 0.0, r / m
            for offset in range(min(m - r + 1, k - above)):
                total += probability / (above + 1 + offset)
                probability *= (m - r - offset) / (m - offset - 1)
            values[q] = total
            break
    return values


@exact_kernel
def expected_hits(ranking, hit, k):
    """Compute the expected number of relevant rows in the first ``k`` ranks, and the number of relevant rows."""
    _, ptr, run_ptr, first_run = ranking
    total, relevant = np.zeros(ptr.shape[0] - 1), np.zeros(ptr.shape[0] - 1, np.int64)
    for q in range(total.shape[0]):
        for run in range(first_run[q], first_run[q + 1]):
            begin, end = run_ptr[run], run_ptr[run + 1]
            r = _count(hit, begin, end)
            top = max(min(end, ptr[q] + k) - begin, 0)
            total[q] += r * top / (end - begin)  # r * top first: exact where the run lies within the first k
            relevant[q] += r
    return total, relevant


@exact_kernel
def hit_rate(ranking, hit, k):
    """Compute the probability that the first ``k`` ranks hold a relevant row; NaN without a relevant row."""
    _, ptr, run_ptr, first_run = ranking
    values = np.full(ptr.shape[0] - 1, np.nan)
    for q in range(values.shape[0]):
        for run in range(first_run[q], first_run[q + 1]):
            begin, end = run_ptr[run], run_ptr[run + 1]
            m, r = end - begin, _count(hit, begin, end)
            if r == 0:
                continue
            # The probability that none of the run's ranks up to k holds one of its r relevant rows: hypergeometric.
            none = 1.0
            for offset in range(min(m, ptr[q] + k - begin)):
                none *= max(m - r - offset, 0) / (m - offset)
            values[q] = 1.0 - none
            break
    return values


@exact_helper
def _n_pairs(n):
    return n * (n - 1) // 2


@exact_helper
def _equal_pairs(key):
    """Count the pairs of equal keys; equal keys are adjacent."""
    total, begin = 0, 0
    for p in range(1, key.shape[0] + 1):
        if p == key.shape[0] or key[p] != key[begin]:
            total += _n_pairs(p - begin)
            begin = p
    return total


@exact_kernel
def compare_pairs(ranking, label):
    """Count the pairs of different labels: those with the winner in a higher run, those within one run, and all.

    ``label`` has an entry for each position, and is sorted in place. The method is Knight's ("A computer method for
    calculating Kendall's tau with ungrouped data", JASA 61, 1966): first each run is sorted by label, then the query.
    The pairs in the wrong order are the pairs that the second sort exchanges.
    """
    _, ptr, run_ptr, first_run = ranking
    n_queries, longest = ptr.shape[0] - 1, 0
    for q in range(n_queries):
        longest = max(longest, ptr[q + 1] - ptr[q])
    spare = np.empty(longest)
    idle, spare_idle = np.zeros(longest, np.int64), np.empty(longest, np.int64)  # row numbers, not used here
    right, tied, total = np.zeros(n_queries), np.zeros(n_queries), np.zeros(n_queries)
    for q in range(n_queries):
        in_runs = 0
        for run in range(first_run[q], first_run[q + 1]):
            run_label = label[run_ptr[run] : run_ptr[run + 1]]
            m = run_label.shape[0]
            if m > 1:
                sort(run_label, idle, spare, spare_idle)
                in_runs += _n_pairs(m) - _equal_pairs(run_label)
        query_label = label[ptr[q] : ptr[q + 1]]
        wrong = sort(query_label, idle, spare, spare_idle)
        pairs = _n_pairs(query_label.shape[0]) - _equal_pairs(query_label)
        right[q], tied[q], total[q] = pairs - in_runs - wrong, in_runs, pairs
    return right, tied, total


@exact_helper
def _centred_ranks(ranking, n_rows):
    """Compute each row's average rank minus (n + 1) / 2, its query's mean rank; other entries are not set."""
    row, ptr, run_ptr, first_run = ranking
    centred = np.empty(n_rows)
    for q in range(ptr.shape[0] - 1):
        middle = (ptr[q] + ptr[q + 1]) / 2
        for run in range(first_run[q], first_run[q + 1]):
            begin, end = run_ptr[run], run_ptr[run + 1]
            for p in range(begin, end):
                centred[row[p]] = (begin + end) / 2 - middle
    return centred


@exact_kernel
def rank_correlation(by_label, by_score, n_rows):
    """Compute Spearman's correlation; 0 if the scores are all equal, NaN if the labels are all equal."""
    ptr = by_label.ptr
    of_label, of_score = _centred_ranks(by_label, n_rows), _centred_ranks(by_score, n_rows)
    values = np.full(ptr.shape[0] - 1, np.nan)
    for q in range(values.shape[0]):
        xy, xx, yy = 0.0, 0.0, 0.0
        for p in range(ptr[q], ptr[q + 1]):
            x, y = of_label[by_label.row[p]], of_score[by_label.row[p]]
            xy += x * y
            xx += x * x
            yy += y * y
        if xx > 0:
            values[q] = min(max(xy / np.sqrt(xx * yy), -1.0), 1.0) if yy > 0 else 0.0
    return values

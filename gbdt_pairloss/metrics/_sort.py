"""Compiled sorting of each query's rows: largest key first, equal keys in row order."""

from __future__ import annotations

import numpy as np

from ..engine.cpu.compile import exact_kernel
from ..engine.cpu.sorting import sort


@exact_kernel
def sort_queries(ptr, longest, key, row, average):
    """Sort ``key`` and ``row`` within each query, in place; return ``run_ptr`` and ``first_run`` of the Ranking.

    ``longest`` is the number of rows of the largest query. With ``average`` a run is a stretch of equal keys, without
    it a single row.
    """
    n_queries = ptr.shape[0] - 1
    spare_key, spare_row = np.empty(longest), np.empty(longest, np.int64)
    run_ptr, first_run = np.empty(key.shape[0] + 1, np.int64), np.zeros(n_queries + 1, np.int64)
    n_runs = 0
    for q in range(n_queries):
        begin, end = ptr[q], ptr[q + 1]
        sort(key[begin:end], row[begin:end], spare_key, spare_row)
        for p in range(begin, end):
            if p == begin or not average or key[p] != key[p - 1]:
                run_ptr[n_runs] = p
                n_runs += 1
        first_run[q + 1] = n_runs
    run_ptr[n_runs] = key.shape[0]
    return run_ptr[: n_runs + 1], first_run


@exact_kernel
def gather_queries(codes, ptr):
    """Return the positions of ``codes``, query by query; within a query they stay in order."""
    position = np.empty(codes.shape[0], np.int64)
    to = ptr[:-1].copy()
    for p in range(codes.shape[0]):
        position[to[codes[p]]] = p
        to[codes[p]] += 1
    return position

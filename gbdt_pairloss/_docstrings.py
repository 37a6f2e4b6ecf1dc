"""Texts shared by several public docstrings, which refer to them by placeholders such as ``%(qid)s``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

#: Descriptions of arguments that have the same meaning in every function.
TEXT = {
    "arrays": """\
y_true : array-like of shape (n_rows,) or (n_lists, list_size), or a dict
    Labels, larger is better; or ``{"labels": ..., "mask": ...}``. A 1-D array is divided into queries by ``group`` or
    ``qid``; without them it is one query. Each row of a 2-D array is the list of a query.
y_pred : array-like of the same shape as y_true
    Scores, larger is better.
group : array-like of shape (n_queries,), optional
    Number of rows of each query, in order.
qid : array-like of shape (n_rows,), optional
    Query id of each row, of any dtype and in any order.""",
    "mask": """\
mask : bool array-like of the same shape as y_true, optional
    Rows with False take no part. Their values are not read and may be NaN.""",
    "query_weight": """\
query_weight : array-like of shape (n_queries,), optional
    Weight of each query in the mean. With ``qid``, queries are in order of first appearance.""",
    "test_rows": """\
X : array-like, sparse matrix or DataFrame of shape (n_rows, n_features)
    Features. A DataFrame (pandas, polars) or an Arrow table may have the query ids as a column ``qid``.
y : array of shape (n_rows,)
    Labels, larger is better. If the objective is a ``WeightedSum``, they may have several columns, of which the first
    is used.
qid : array of shape (n_rows,), optional
    Query id of each row, of any dtype and in any order. Not needed if X has a column ``qid``.""",
    "test_weight": """\
sample_weight : array of shape (n_rows,) or (n_queries,), optional
    Weight of each query, or of each row. The weight of a query is then the mean of the weights of its rows.""",
    "estimator": """\
estimator : estimator
    Any fitted object with a method ``predict``, such as a ranker, a regressor or a pipeline. X is passed to it
    unchanged.""",
}


def documented_with(texts: Mapping[str, str]) -> Callable[[Function], Function]:
    """Return a decorator that replaces the placeholders in a docstring with shared texts.

    A placeholder must be a line of its own. A percent sign must be written twice.
    """

    def fill(function: Function) -> Function:
        if function.__doc__:  # python -OO drops docstrings
            function.__doc__ = inspect.cleandoc(function.__doc__) % texts
        return function

    return fill

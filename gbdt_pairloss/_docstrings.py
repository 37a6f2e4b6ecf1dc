"""What several public docstrings say alike, written once: ``%(qid)s`` and the like stand for it in each of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

#: Arguments that are the same wherever they occur.
TEXT = {
    "arrays": """\
y_true : array-like of shape (n_rows,) or (n_lists, list_size), or a dict
    Labels, larger is better; or ``{"labels": ..., "mask": ...}``. 1-D with ``group`` or ``qid``, else one query;
    2-D: each row is the list of a query.
y_pred : array-like of the same shape
    Scores, larger is better.
group : array-like of shape (n_queries,), optional
    Rows of each query, in order.
qid : array-like of shape (n_rows,), optional
    Query id of each row: any dtype, any order.""",
    "mask": """\
mask : bool array-like of the shape of y_true, optional
    False: the row takes no part; whatever it holds, NaN included, is not looked at.""",
    "query_weight": """\
query_weight : array-like of shape (n_queries,), optional
    Weight of each query in the mean; with ``qid``, in order of first appearance.""",
    "test_rows": """\
X : array-like, sparse matrix or DataFrame of shape (n_rows, n_features)
    Features. A column ``qid`` of a DataFrame (pandas, polars) or an Arrow table holds the query ids.
y : array of shape (n_rows,)
    Labels, larger is better.
qid : array of shape (n_rows,), optional
    Query id of each row: any dtype, any order. Not needed where X has them as a column.""",
    "test_weight": """\
sample_weight : array of shape (n_rows,) or (n_queries,), optional
    A query counts with its weight, or the mean of its rows' weights.""",
    "estimator": """\
estimator : estimator
    Anything fitted with ``predict``: a ranker, a regressor, a pipeline. It is given X as it is.""",
}


def documented_with(texts: Mapping[str, str]) -> Callable[[Function], Function]:
    """Fill shared texts in: in a docstring each stands in a line of its own, and a plain % is written twice."""

    def fill(function: Function) -> Function:
        if function.__doc__:  # python -OO drops docstrings
            function.__doc__ = inspect.cleandoc(function.__doc__) % texts
        return function

    return fill

"""Checks of the arrays, sparse matrices and tables that ``fit`` and ``predict`` accept; the column of query ids."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import _safe_indexing

from .._device import is_on_device, like
from ._validation import as_array

#: Names of the polars and Arrow column types that a booster reads: numbers, booleans and categories.
_ARROW_TYPE = re.compile(r"(u?int\d+|float\d*|double|halffloat|bool(ean)?)$|dictionary|categorical|enum", re.IGNORECASE)


def check_features(X: Any) -> None:
    """Raise an error if X is not a matrix of real numbers.

    Only the column types of tables are checked. For other errors, the messages of the boosters name the column.

    Raises
    ------
    ValueError
        If X is not two-dimensional, has no columns, or contains values that are not real numbers.
    TypeError
        If X is not an array, or contains objects that ``float`` does not accept.
    """
    check_column_types(X)
    if is_on_device(X) or sparse.issparse(X) or column_names(X) is not None:
        return
    if X is None or isinstance(X, (str, bytes)) or not (hasattr(X, "__len__") or hasattr(X, "__array__")):
        raise TypeError(f"X must be an array, a sparse matrix or a table, got a {type(X).__name__}")
    array = as_array(X, "X", "every row needs the same number of features")
    if array.ndim != 2:
        raise ValueError(f"X has shape {array.shape}; it must be two-dimensional, one row per label")
    if array.shape[1] == 0 and array.shape[0]:
        # scikit-learn's estimator checks require this exact message.
        raise ValueError(f"X has 0 feature(s) (shape={array.shape}) while a minimum of 1 is required.")
    if array.dtype.kind not in "biufO":
        more = ". Complex data not supported" if array.dtype.kind == "c" else ""  # also required by scikit-learn
        raise ValueError(f"X has dtype {array.dtype}; it must be real numbers{more}")
    if array.dtype.kind == "O":
        try:
            array.astype(np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"X has dtype object and values that are not real numbers: {error}") from None


def check_column_types(X: Any) -> None:
    """Raise a ValueError if X is masked, two columns of a table have the same name, or the boosters misread a type.

    These types are dates and complex numbers, and in polars or Arrow tables also text: the boosters raise an obscure
    error or end the process. Text in a pandas column is left to the boosters, whose message names the column.
    """
    if np.ma.is_masked(X):
        raise ValueError("X is a masked array, whose mask the boosters do not read: fill it, X.filled(np.nan)")
    counts = Counter(column_names(X) or ())
    if counts and counts.most_common(1)[0][1] > 1:
        name, number = counts.most_common(1)[0]
        raise ValueError(f"{number} columns of X are called {name!r}: give each a name of its own")
    if hasattr(X, "iloc"):
        columns = list(dict(getattr(X, "dtypes", {})).items()) if hasattr(X, "columns") else []
        bad = [(name, kind) for name, kind in columns if getattr(kind, "kind", "") in "cmM"]
    else:
        bad = [(name, kind) for name, kind in arrow_columns(X) if not _ARROW_TYPE.match(str(kind))]
    if bad:
        raise ValueError(f"column {bad[0][0]!r} of X has dtype {bad[0][1]}; it must be real numbers")


def column_names(X: Any) -> list[Any] | None:
    """Return the names of the columns of a DataFrame or an Arrow table; None for an array."""
    names = getattr(X, "column_names", getattr(X, "columns", None))  # an Arrow table's ``columns`` are its values
    return None if names is None else list(names)


def arrow_columns(X: Any) -> list[tuple[str, Any]]:
    """Return the names and types of the columns of a polars or Arrow table; an empty list for other data."""
    schema = getattr(X, "schema", None)
    if schema is None or hasattr(X, "iloc"):
        return []
    if hasattr(schema, "types"):  # Arrow
        return list(zip(schema.names, schema.types, strict=True))
    return list(zip(schema.names(), schema.dtypes(), strict=True))


def qid_column(X: Any) -> Any:
    """Return the name of the column of query ids; None if there is none.

    The name is "qid", or ends in "__qid", as after a ColumnTransformer ("remainder__qid").

    Raises
    ------
    ValueError
        If several columns have such a name.
    """
    names = column_names(X) or []
    found = [name for name in names if name == "qid"] or [
        name for name in names if isinstance(name, str) and name.endswith("__qid")
    ]
    if len(found) > 1:
        raise ValueError(f"X has several columns of query ids: {', '.join(map(repr, found))}")
    return found[0] if found else None


def take_qid_column(X: Any, qid: Any = None) -> tuple[Any, Any]:
    """Split the column of query ids off a DataFrame or an Arrow table, as XGBoost's ranker does.

    X is returned in a form that both boosters read.

    Returns
    -------
    X : array, sparse matrix or table
        The features.
    qid : array or None
        The column of query ids, or the argument ``qid``.

    Raises
    ------
    ValueError
        If query ids are given twice, X has several columns of query ids, or X has no other column.
    """
    if sparse.issparse(X):
        return readable(X), qid
    name = qid_column(X)
    if name is None:
        return X, qid
    if qid is not None:
        raise ValueError(f"qid is given twice: as the column {name!r} of X and as qid=")
    if len(column_names(X) or ()) == 1:
        raise ValueError(f"X has no features, only the column {name!r}")
    column = np.asarray(X[name])
    if hasattr(X, "iloc"):
        return X.drop(columns=name), column
    return X.drop([name]), column


def rows_of(X: Any, rows: NDArray[np.int64]) -> Any:
    """Return some rows of an array, a sparse matrix or a DataFrame."""
    if is_on_device(X):
        return X[like(X, rows)[0]]
    taken = _safe_indexing(X, rows)
    return readable(taken) if sparse.issparse(taken) else taken


def readable(matrix: Any) -> Any:
    """Convert a sparse matrix for LightGBM, which does not support sparse arrays and misreads unsorted indices."""
    if not isinstance(matrix, (sparse.csr_matrix, sparse.csc_matrix)):
        matrix = sparse.csr_matrix(matrix)
    return matrix if matrix.has_sorted_indices else matrix.sorted_indices()


def widened(matrix: Any, n_features: int) -> Any:
    """Append empty columns to a sparse matrix, up to ``n_features`` columns."""
    rows = matrix.tocsr()
    return sparse.csr_matrix((rows.data, rows.indices, rows.indptr), shape=(rows.shape[0], n_features))

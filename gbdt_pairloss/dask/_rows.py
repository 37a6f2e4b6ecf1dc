"""The shuffle of Dask collections by query: all rows of a query go to one worker."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import column_or_1d

from ..boosters._query_sets import check_extras
from ..objectives import RankingObjective
from ..objectives._interface import evaluator_of
from ..objectives._registry import negative_label_rule
from ..ranking._features import check_column_types, qid_column, take_qid_column
from ..ranking._reading import Extras, read_rows
from ..ranking._validation import as_array, errors_of


def _import(module: str) -> Any:
    """Import a module that the extra "dask" installs."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"gbdt_pairloss.dask needs {error.name}: pip install 'gbdt_pairloss[dask]'", name=error.name
        ) from None


dask, da, dd, distributed, pd = map(_import, ("dask", "dask.array", "dask.dataframe", "dask.distributed", "pandas"))

# Columns of the shuffled frame besides the features, whose names are x0, x1 and so on.
QUERY, LABEL, ROW_ORDER = "qid", "y", "row order"
# Columns of labels after the first one have this name and their number.
_MORE_LABELS = "y of column "
_ID_COLUMNS = (QUERY, "item_id")


@dataclass(frozen=True)
class Features:
    """The form in which features were given.

    Attributes
    ----------
    columns : list or None
        The column names of a DataFrame, without the query ids; None for an array.
    """

    columns: list[Any] | None

    @classmethod
    def of(cls, X: Any) -> Features:
        """Return the form of the features of a Dask collection."""
        return cls([name for name in X.columns if name != qid_column(X)] if isinstance(X, dd.DataFrame) else None)

    def pack(self, X: Any) -> Any:
        """Return features as a frame, with column names that no other column has."""
        frame = X.copy(deep=False) if self.columns is not None else pd.DataFrame(np.asarray(X))
        return frame.set_axis([f"x{i}" for i in range(frame.shape[1])], axis=1).reset_index(drop=True)

    def unpack(self, frame: Any) -> Any:
        """Return the features of a packed frame in their original form."""
        features = frame[[name for name in frame.columns if name.startswith("x")]]
        return features.to_numpy() if self.columns is None else features.set_axis(self.columns, axis=1)


def _check_columns(X: Any) -> None:
    """Raise a ValueError if two columns have a name, or the codes of a categorical column may differ by worker."""
    check_column_types(getattr(X, "_meta", None))
    for name in getattr(X, "columns", ()):
        if isinstance(X._meta[name].dtype, pd.CategoricalDtype) and not X[name].cat.known:
            raise ValueError(f"the categories of column {name!r} differ between partitions: call X.categorize() first")


def _uniform_ids(values: NDArray[Any], name: str, meta: NDArray[Any] | None) -> NDArray[Any]:
    """Return ids with the dtype of all partitions, ``meta``'s, so that equal ids of different partitions are equal.

    Raises
    ------
    TypeError
        If ids are not all numbers, dates or strings, or ``meta``'s dtype cannot hold them.
    """
    if values.dtype.kind in "US":
        values = values.astype(object)
    if values.dtype.kind == "O" and not all(isinstance(value, str) for value in values):
        kinds = sorted({type(value).__name__ for value in values})
        raise TypeError(f"{name} must be numbers, dates or strings on a cluster, got {', '.join(kinds)}")
    if meta is None or values.dtype == meta.dtype:
        return values
    if "O" in (values.dtype.kind, meta.dtype.kind) or (values != values.astype(meta.dtype)).any():
        raise TypeError(f"{name} has dtype {values.dtype} in this partition and {meta.dtype} in others")
    return values.astype(meta.dtype)


def _pack_partition(
    number: int,
    features: Features,
    X: Any,
    columns: dict[str, Any],
    objective: RankingObjective | None,
    meta: Any = None,
) -> Any:
    """Check one partition and return it as a frame; ``meta`` is such a frame without rows."""
    X, ids = take_qid_column(X, columns.get(QUERY))
    if features.columns is None and not isinstance(X, np.ndarray):
        raise TypeError(f"X must consist of NumPy arrays, but partition {number} is a {type(X).__name__}")
    frame = features.pack(X)
    others: dict[str, Any] = {}
    for name, values in {**columns, QUERY: ids}.items():
        if len(values) != len(frame):
            raise ValueError(
                f"partition {number} of X has {len(frame)} rows, but partition {number} of {name} has {len(values)}"
            )
        others[name] = as_array(values, name)
        if others[name].ndim < 2 or name != LABEL or not _has_columns(objective):
            others[name] = column_or_1d(others[name])
    if len(frame):
        extras = extras_of(others)
        check_extras(extras, evaluator_of(objective))
        with errors_of(f"partition {number}"):
            read_rows(
                frame,
                others[LABEL],
                others[QUERY],
                None,
                others.get("sample_weight"),
                extras,
                ignore_negative_labels=negative_label_rule(objective),
                several_labels=_has_columns(objective),
            )
            for name in _ID_COLUMNS:
                if name in others:
                    others[name] = _uniform_ids(others[name], name, None if meta is None else meta[name].to_numpy())
    if others[LABEL].ndim == 2:
        labels = others.pop(LABEL)
        others |= {f"{_MORE_LABELS}{i}" if i else LABEL: labels[:, i] for i in range(labels.shape[1])}
    others[ROW_ORDER] = (np.int64(number) << np.int64(40)) + np.arange(len(frame), dtype=np.int64)
    return pd.concat([frame, pd.DataFrame(others)], axis=1)


def extras_of(columns: dict[str, Any]) -> Extras:
    """Return the row data among packed columns that only objectives of this package read."""
    return Extras(**{name: columns.get(name) for name in ("loser_weight", "item_id", "mask")})


def unpack_rows(features: Features, frame: Any) -> tuple[Any, dict[str, NDArray[Any]]]:
    """Return X and the other columns of a packed frame, with the rows in the caller's order."""
    frame = frame.sort_values(ROW_ORDER, ignore_index=True)
    others = [name for name in frame.columns if not name.startswith("x") and name != ROW_ORDER]
    columns = {name: frame[name].to_numpy() for name in others}
    more = [columns.pop(name) for name in others if name.startswith(_MORE_LABELS)]
    if more:
        columns[LABEL] = np.column_stack([columns[LABEL], *more])
    return features.unpack(frame), columns


def _has_columns(objective: RankingObjective | None) -> bool:
    """Return whether labels may have several columns."""
    return objective is not None and objective._reads_columns


def _partitions(values: Any, name: str, chunks: Any = None, has_columns: bool = False) -> list[Any]:
    """Return the partitions of a Dask collection.

    An array is rechunked so that all columns of a row are in one chunk, and the rows are divided as ``chunks`` (X's).
    """
    if isinstance(values, da.Array):
        if values.ndim == 2 and values.shape[1] != 1 and not has_columns:
            raise ValueError(f"{name} must have one value per row, got the shape {values.shape}")
        values = values.rechunk({1: -1}) if values.ndim == 2 else values
        if chunks is not None and not np.isnan([*chunks, *values.chunks[0]]).any():
            if sum(chunks) != values.shape[0]:
                raise ValueError(f"X has {sum(chunks)} rows, but {name} has {values.shape[0]}")
            values = values.rechunk({0: chunks})
        return list(values.to_delayed().ravel())
    if isinstance(values, (dd.DataFrame, dd.Series)):
        return list(values.to_delayed())
    raise TypeError(f"{name} must be a Dask array, DataFrame or Series, got a {type(values).__name__}")


def shuffle_by_query(
    client: Any, X: Any, columns: dict[str, Any], objective: RankingObjective | None, n: int
) -> tuple[Features, list[Any]]:
    """Shuffle rows by query on the cluster.

    Parameters
    ----------
    client : dask.distributed.Client
    X : Dask DataFrame or Dask array of shape (n_rows, n_features)
    columns : dict of str to Dask Series or array of shape (n_rows,)
        Labels, query ids and weights, by the names of their columns. Labels may have several columns if the objective
        reads them.
    objective : RankingObjective or None
        Used to check the rows.
    n : int
        Largest number of partitions.

    Returns
    -------
    features : Features
        The form of X.
    parts : list of Future
        Packed frames, each with at least one row. All rows of a query are in one of them.

    Raises
    ------
    TypeError, ValueError
        If a collection, a partition or an id is invalid.
    """
    features = Features.of(X)
    parts = _partitions(X, "X", has_columns=True)
    chunks = X.chunks[0] if isinstance(X, da.Array) else None
    others = {
        name: _partitions(values, name, chunks, has_columns=name == LABEL and _has_columns(objective))
        for name, values in columns.items()
    }
    for name, values in others.items():
        if len(values) != len(parts):
            raise ValueError(
                f"X has {len(parts)} partitions, but {name} has {len(values)}: give both the same partitions"
            )
    _check_columns(X)
    empty = {name: _without_rows(values) for name, values in columns.items()}
    meta = _pack_partition(0, features, _without_rows(X), empty, objective)
    pack = dask.delayed(_pack_partition, pure=False)
    others_of = [{name: values[i] for name, values in others.items()} for i in range(len(parts))]
    packed = client.compute([pack(i, features, parts[i], others_of[i], objective, meta) for i in range(len(parts))])
    distributed.wait(packed)
    client.gather([future for future in packed if future.status == "error"])  # raises the error
    with dask.config.set({"dataframe.convert-string": False}):  # keeps ids as Python strings
        frame = dd.from_delayed(packed, meta=meta, verify_meta=False).shuffle(on=QUERY, npartitions=n)
        shuffled = client.compute(frame.to_delayed())
    del packed
    sizes = client.gather(client.map(len, shuffled))
    return features, [part for part, size in zip(shuffled, sizes, strict=True) if size]


def _without_rows(values: Any) -> Any:
    """Return an array, DataFrame or Series of a Dask collection's kind, without rows."""
    if isinstance(values, da.Array):
        return np.empty((0, *values.shape[1:]), dtype=values.dtype)
    return values._meta

"""Rows of Dask collections on their way to the workers: every query to one of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import column_or_1d

from ..boosters._query_sets import check_extras
from ..objectives import PairwiseObjective, negative_label_rule
from ..objectives._evaluator import evaluator_of
from ..ranking._features import qid_column, take_qid_column
from ..ranking._reading import Extras, read_rows
from ..ranking._validation import errors_of


def _import(module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"gbdt_pairloss.dask needs {error.name}: pip install 'gbdt_pairloss[dask]'", name=error.name
        ) from None


dask, da, dd, distributed, pd = map(_import, ("dask", "dask.array", "dask.dataframe", "dask.distributed", "pandas"))

# What every row has beside its features, in the frame that is shuffled; the features are x0, x1 and so on.
QUERY, LABEL, PLACE = "qid", "y", "place among the rows"
_IDS = (QUERY, "item_id")


@dataclass(frozen=True)
class Features:
    """How features were given: as a DataFrame with these columns, or (None) as an array."""

    columns: list[Any] | None

    @classmethod
    def of(cls, X: Any) -> Features:
        return cls([name for name in X.columns if name != qid_column(X)] if isinstance(X, dd.DataFrame) else None)

    def pack(self, X: Any) -> Any:
        """Features as a frame, by names that no other column has."""
        frame = X.copy(deep=False) if self.columns is not None else pd.DataFrame(np.asarray(X))
        return frame.set_axis([f"x{i}" for i in range(frame.shape[1])], axis=1).reset_index(drop=True)

    def unpack(self, frame: Any) -> Any:
        """The features of packed rows as they were given."""
        features = frame[[name for name in frame.columns if name.startswith("x")]]
        return features.to_numpy() if self.columns is None else features.set_axis(self.columns, axis=1)


def _check_columns(X: Any) -> None:
    """Refuse categorical columns whose codes would differ from worker to worker."""
    for name in getattr(X, "columns", ()):
        if isinstance(X._meta[name].dtype, pd.CategoricalDtype) and not X[name].cat.known:
            raise ValueError(f"the categories of column {name!r} differ between partitions: call X.categorize() first")


def _ids(values: NDArray[Any], name: str, meta: NDArray[Any] | None) -> NDArray[Any]:
    """Ids of one kind in all partitions, so that equal ones are equal wherever they lie."""
    if values.dtype.kind in "US":
        values = values.astype(object)
    if values.dtype.kind == "O" and not all(isinstance(value, str) for value in values):
        kinds = sorted({type(value).__name__ for value in values})
        raise TypeError(f"{name} must be numbers, dates or strings on a cluster, got {', '.join(kinds)}")
    if meta is None or values.dtype == meta.dtype:
        return values
    if "O" in (values.dtype.kind, meta.dtype.kind) or (values != values.astype(meta.dtype)).any():
        raise TypeError(f"{name} is {values.dtype} here and {meta.dtype} in other partitions")
    return values.astype(meta.dtype)


def _pack(
    number: int,
    features: Features,
    X: Any,
    columns: dict[str, Any],
    objective: PairwiseObjective | None,
    meta: Any = None,
) -> Any:
    """One partition as a frame, checked; ``meta`` is that of no rows."""
    X, ids = take_qid_column(X, columns.get(QUERY))
    if features.columns is None and not isinstance(X, np.ndarray):
        raise TypeError(f"X must be made of NumPy arrays, and partition {number} is a {type(X).__name__}")
    frame = features.pack(X)
    others: dict[str, Any] = {}
    for name, values in {**columns, QUERY: ids}.items():
        if len(values) != len(frame):
            raise ValueError(f"partition {number} of X has {len(frame)} rows, but that of {name} {len(values)}")
        others[name] = column_or_1d(np.asarray(values))
    if len(frame):
        extras = Extras(others.get("loser_weight"), others.get("item_id"))
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
            )
            for name in _IDS:
                if name in others:
                    others[name] = _ids(others[name], name, None if meta is None else meta[name].to_numpy())
    others[PLACE] = (np.int64(number) << np.int64(40)) + np.arange(len(frame), dtype=np.int64)
    return pd.concat([frame, pd.DataFrame(others)], axis=1)


def unpack_rows(features: Features, frame: Any) -> tuple[Any, dict[str, NDArray[Any]]]:
    """Rows in the caller's order: X, and the other columns of :func:`_pack`."""
    frame = frame.sort_values(PLACE, ignore_index=True)
    others = [name for name in frame.columns if not name.startswith("x") and name != PLACE]
    return features.unpack(frame), {name: frame[name].to_numpy() for name in others}


def _partitions(values: Any, name: str, chunks: Any = None) -> list[Any]:
    """The partitions of a Dask collection, whose rows are together; those of an array cut like X."""
    if isinstance(values, da.Array):
        if values.ndim == 2 and values.shape[1] != 1 and name != "X":
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


def shuffled(
    client: Any, X: Any, columns: dict[str, Any], objective: PairwiseObjective | None, n: int
) -> tuple[Features, list[Any]]:
    """All rows on the cluster in ``n`` partitions at most, each query in one of them; partitions without rows are left
    out."""
    features = Features.of(X)
    parts = _partitions(X, "X")
    chunks = X.chunks[0] if isinstance(X, da.Array) else None
    others = {name: _partitions(values, name, chunks) for name, values in columns.items()}
    for name, values in others.items():
        if len(values) != len(parts):
            raise ValueError(f"X has {len(parts)} partitions, but {name} has {len(values)}: cut both alike")
    _check_columns(X)
    empty = {name: _empty(values) for name, values in columns.items()}
    meta = _pack(0, features, _empty(X), empty, objective)
    pack = dask.delayed(_pack, pure=False)
    cut = [{name: values[i] for name, values in others.items()} for i in range(len(parts))]
    packed = client.compute([pack(i, features, parts[i], cut[i], objective, meta) for i in range(len(parts))])
    distributed.wait(packed)
    client.gather([future for future in packed if future.status == "error"])  # raises
    with dask.config.set({"dataframe.convert-string": False}):  # ids stay what they are
        frame = dd.from_delayed(packed, meta=meta, verify_meta=False).shuffle(on=QUERY, npartitions=n)
        whole = client.compute(frame.to_delayed())
    del packed
    sizes = client.gather(client.map(len, whole))
    return features, [part for part, size in zip(whole, sizes, strict=True) if size]


def _empty(values: Any) -> Any:
    """No rows of the kind of a Dask collection's."""
    if isinstance(values, da.Array):
        return np.empty((0, *values.shape[1:]), dtype=values.dtype)
    return values._meta

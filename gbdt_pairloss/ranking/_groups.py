"""Query groups in one validated form, from sizes, from one query id per row, or from XGBoost's ``group_ptr``."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._validation import as_array

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Groups:
    """The assignment of rows to queries.

    Attributes
    ----------
    sizes : int64 array of shape (n_queries,)
        Number of rows of each query; may be 0.
    n_rows : int
        Number of rows of all queries.
    scattered_codes : int64 array of shape (n_rows,) or None
        Number of the query of each row, if the queries are not contiguous; None if they are.
    ids : array of shape (n_queries,) or None
        The caller's query ids, for messages; None if queries have no ids.
    """

    sizes: IntArray
    n_rows: int
    scattered_codes: IntArray | None = None
    ids: NDArray[Any] | None = None

    @property
    def n_queries(self) -> int:
        """Number of queries, including empty ones."""
        return int(self.sizes.shape[0])

    @property
    def contiguous(self) -> bool:
        """True if the rows of each query are contiguous, in the order of the queries."""
        return self.scattered_codes is None

    @cached_property
    def codes(self) -> IntArray:
        """Number of the query of each row in the caller's order: 0 to n_queries - 1, by first appearance."""
        if self.scattered_codes is not None:
            return self.scattered_codes
        return np.repeat(np.arange(self.n_queries, dtype=np.int64), self.sizes)

    @cached_property
    def ptr(self) -> IntArray:
        """Start of each query in grouped order, and the end of the last query: shape (n_queries + 1,)."""
        return np.concatenate(([0], np.cumsum(self.sizes)))

    @cached_property
    def order(self) -> IntArray:
        """The caller's rows in grouped order: query by query, each query's rows in the caller's order."""
        if self.contiguous:
            return np.arange(self.n_rows, dtype=np.int64)
        return np.argsort(self.codes, kind="stable")

    def name(self, query: int) -> str:
        """Return the name of a query in messages."""
        return query_name(query, self.ids)

    def mean(self, values: NDArray[Any], mask: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Return each query's mean of one value per row, over the rows that the mask selects; 0 without such rows."""
        rows = slice(None) if mask is None else np.flatnonzero(mask)
        codes = self.codes[rows]
        total = np.bincount(codes, weights=values[rows], minlength=self.n_queries)
        return np.asarray(total / np.maximum(np.bincount(codes, minlength=self.n_queries), 1))

    @classmethod
    def from_sizes(cls, sizes: Any, n_rows: int, name: str = "group") -> Groups:
        """Make groups from the number of rows of each query.

        Raises
        ------
        ValueError
            If sizes are not integers, are negative, or do not sum to ``n_rows``.
        """
        array = np.atleast_1d(as_array(sizes, name, "give the number of rows of each query"))
        if array.ndim != 1 or array.dtype.kind not in "iuf":
            raise ValueError(f"{name} must be a one-dimensional array with the number of rows of each query")
        if array.dtype.kind == "f":
            broken = np.flatnonzero(~(np.isfinite(array) & (array == np.floor(array))))
            if broken.size:
                query = int(broken[0])
                raise ValueError(f"{name}[{query}] is {array[query]}; a query's size must be a whole number of rows")
            array = array.astype(np.float64)
        if (array < 0).any():
            query = int(np.flatnonzero(array < 0)[0])
            raise ValueError(f"{name}[{query}] is {array[query]}; a query's size must not be negative")
        # Sizes larger than n_rows may not fit an integer. If there are none, sizes and their sum are exact.
        within = bool((array <= n_rows).all())
        sizes = array.astype(np.int64) if within else array
        total = int(sizes.sum()) if within else sum(array.tolist())
        if total != n_rows:
            raise ValueError(
                f"{name} sums to {total}, but there are {n_rows} rows: it takes the number of rows of each "
                "query, in order; if these are query ids, one per row, pass them as qid="
            )
        return cls(sizes=sizes, n_rows=n_rows)

    @classmethod
    def from_ptr(cls, ptr: Any, n_rows: int, name: str = "group_ptr") -> Groups:
        """Make groups from XGBoost's ``group_ptr``: the first row of each query, then the number of rows.

        Raises
        ------
        ValueError
            If it does not start with 0, decreases, or does not end with ``n_rows``.
        """
        # uint32 differences wrap around: widen first.
        array = np.asarray(ptr).astype(np.int64)
        if array.size == 0 or array[0] != 0:
            raise ValueError(f"{name} must start with 0")
        return cls.from_sizes(np.diff(array), n_rows, name)

    @classmethod
    def from_qid(cls, qid: Any, n_rows: int, name: str = "qid") -> Groups:
        """Make groups from one query id per row, of any dtype and in any order.

        Raises
        ------
        ValueError
            If an id is missing, or the ids are not a one-dimensional array of length ``n_rows``.
        """
        array = _read_ids(qid, n_rows, name, "query id", "; if these are the sizes of the queries, pass them as group=")
        if n_rows == 0:
            return cls(sizes=np.empty(0, dtype=np.int64), n_rows=0, ids=array)
        # Only the first id of each run of equal ids is read: one id per query if queries are contiguous.
        starts = np.flatnonzero(np.concatenate(([True], array[1:] != array[:-1])))
        ids, run_codes = _factorize(array[starts])
        codes = np.repeat(run_codes, np.diff(np.append(starts, n_rows)))
        sizes = np.bincount(codes, minlength=ids.size).astype(np.int64)
        return cls(sizes=sizes, n_rows=n_rows, scattered_codes=None if ids.size == starts.size else codes, ids=ids)


def query_name(query: int, ids: NDArray[Any] | None) -> str:
    """Return the name of a query in messages: the caller's id, or its position if there are no ids."""
    return f"query {query} (counted from 0)" if ids is None else f"query {ids[query]}"


def make_groups(n_rows: int, *, group: Any = None, qid: Any = None) -> Groups:
    """Make groups from sizes or ids; without either, all rows are one query.

    Raises
    ------
    ValueError
        If both are given, or either is malformed.
    """
    if group is not None and qid is not None:
        raise ValueError("group and qid are both given: give the sizes of the queries or one id per row, not both")
    if group is not None:
        return Groups.from_sizes(group, n_rows)
    if qid is not None:
        return Groups.from_qid(qid, n_rows)
    return Groups.from_sizes([n_rows], n_rows)


def item_codes(item_id: Any, n_rows: int | None, name: str = "item_id") -> IntArray:
    """Convert item ids of any dtype to whole numbers from 0, equal for rows of the same item.

    Raises
    ------
    ValueError
        If an id is missing, or the ids are not a one-dimensional array of length ``n_rows``.
    """
    return _factorize(_read_ids(item_id, n_rows, name, "item id"))[1]


def item_counts(item_id: Any, interactions: Any) -> IntArray:
    """Count the interactions with the item of each row.

    Raises
    ------
    ValueError
        If an id is missing, or ids are not one-dimensional.
    """
    own = _read_ids(item_id, None, "item_id", "item id")
    other = _read_ids(interactions, None, "interactions", "item id")
    if own.dtype != other.dtype:  # a common dtype could round large numbers, or make "1" equal to 1
        own, other = (np.fromiter(ids.tolist(), dtype=object, count=ids.size) for ids in (own, other))
    codes = _factorize(np.concatenate([own, other]))[1]
    return np.bincount(codes[own.size :], minlength=codes.max(initial=-1) + 1)[codes[: own.size]]


def _read_ids(ids: Any, n_rows: int | None, name: str, id_kind: str, hint: str = "") -> NDArray[Any]:
    """Return one id per row as a checked array."""
    if isinstance(ids, str):
        raise ValueError(f"{name} is the text {ids!r}: give the {id_kind}s themselves, such as X[{ids!r}]")
    array = _as_ids(ids, name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}; it must have one {id_kind} per row")
    if n_rows is not None and array.shape[0] != n_rows:
        raise ValueError(
            f"{name} has {array.shape[0]} entries, but there are {n_rows} rows: it takes one {id_kind} per row{hint}"
        )
    if array.dtype.kind == "O":
        _check_hashable(array, name, id_kind)
    _check_no_missing(array, name, id_kind)
    return array


def _as_ids(ids: Any, name: str) -> NDArray[Any]:
    """Return ids as an array in which different ids stay different.

    In a list with strings, NumPy would convert the number 1 to "1", and it would round whole numbers that do not fit
    an integer type. Such ids are kept as objects.
    """
    types = {type(value) for value in ids} if isinstance(ids, (list, tuple)) else set()
    array = None if len(types) > 1 or tuple in types else as_array(ids, name, "give one id per row")
    if array is None or (types == {int} and array.ndim == 1 and array.dtype.kind == "f"):
        return np.fromiter(ids, dtype=object, count=len(ids))
    return array


def _factorize(values: NDArray[Any]) -> tuple[NDArray[Any], IntArray]:
    """Return the distinct values in order of first appearance, and the index of each entry's value in them."""
    if values.dtype.kind == "O":  # strings, mixed types, tuples: anything hashable
        numbers: dict[Any, int] = {}
        object_codes = np.fromiter((numbers.setdefault(v, len(numbers)) for v in values), np.int64, values.size)
        distinct = np.empty(len(numbers), dtype=object)
        distinct[:] = list(numbers)
        return distinct, object_codes
    sorted_ids, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    by_appearance = np.argsort(first, kind="stable")
    rank = np.empty(by_appearance.size, dtype=np.int64)
    rank[by_appearance] = np.arange(by_appearance.size)
    return sorted_ids[by_appearance], rank[inverse.reshape(-1)]


def _check_no_missing(array: NDArray[Any], name: str, id_kind: str) -> None:
    if array.dtype.kind == "f":
        missing = np.isnan(array)
    elif array.dtype.kind in "mM":
        missing = np.isnat(array)
    elif array.dtype.kind == "O":
        missing = np.fromiter((_is_missing(value) for value in array), np.bool_, array.size)
    else:
        return
    if missing.any():
        raise ValueError(f"{name} is missing at row {int(np.flatnonzero(missing)[0])}: every row needs one {id_kind}")


def _is_missing(value: Any) -> bool:
    if value is None:
        return True
    try:
        return bool(value != value)  # NaN and NaT differ from themselves
    except TypeError:  # pandas.NA has no truth value
        return True


def _check_hashable(array: NDArray[Any], name: str, id_kind: str) -> None:
    try:
        deque(map(hash, array), maxlen=0)
    except TypeError:
        row, value = next((i, value) for i, value in enumerate(array) if not _is_hashable(value))
        raise ValueError(
            f"{name} is a {type(value).__name__} at row {row}: a {id_kind} must be hashable, such as a number, a "
            "string or a tuple of these"
        ) from None


def _is_hashable(value: Any) -> bool:
    try:  # isinstance(value, Hashable) would accept a tuple of lists
        hash(value)
    except TypeError:
        return False
    return True

"""Query groups: sizes, a query id per row, XGBoost's group_ptr or 2-D lists, all to one validated form."""

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
    """Which rows belong to which query.

    Attributes
    ----------
    sizes : int64 array of shape (n_queries,)
        Rows of each query; zero is allowed.
    n_rows : int
    scattered_codes : int64 array of shape (n_rows,) or None
        The query's number of each row, where the rows of a query do not all stand together.
    ids : array of shape (n_queries,) or None
        The caller's own ids, for messages; None if queries are known by position only.
    """

    sizes: IntArray
    n_rows: int
    scattered_codes: IntArray | None = None
    ids: NDArray[Any] | None = None

    @property
    def n_queries(self) -> int:
        return int(self.sizes.shape[0])

    @property
    def contiguous(self) -> bool:
        """Whether the rows of every query stand together, in the order of the queries."""
        return self.scattered_codes is None

    @cached_property
    def codes(self) -> IntArray:
        """The query's number (0 to n_queries - 1, by first appearance) of each row, in the caller's order."""
        if self.scattered_codes is not None:
            return self.scattered_codes
        return np.repeat(np.arange(self.n_queries, dtype=np.int64), self.sizes)

    @cached_property
    def ptr(self) -> IntArray:
        """Where each query starts in grouped order, and the end: shape (n_queries + 1,)."""
        return np.concatenate(([0], np.cumsum(self.sizes)))

    @cached_property
    def order(self) -> IntArray:
        """The caller's rows in grouped order: query by query, each query's rows in the caller's order."""
        if self.contiguous:
            return np.arange(self.n_rows, dtype=np.int64)
        return np.argsort(self.codes, kind="stable")

    def name(self, query: int) -> str:
        """How to name a query in a message."""
        return query_name(query, self.ids)

    def mean(self, values: NDArray[Any], mask: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """The mean per query of one value per row, of the rows that the mask selects; 0 for a query without any."""
        rows = slice(None) if mask is None else np.flatnonzero(mask)
        codes = self.codes[rows]
        total = np.bincount(codes, weights=values[rows], minlength=self.n_queries)
        return np.asarray(total / np.maximum(np.bincount(codes, minlength=self.n_queries), 1))

    @classmethod
    def from_sizes(cls, sizes: Any, n_rows: int, name: str = "group") -> Groups:
        """Groups from the number of rows of each query.

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
        # Sizes beyond all rows may not fit an integer; below that neither they nor their sum lose digits.
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
        """Groups from XGBoost's ``group_ptr``: the first row of each query, then the number of rows."""
        # uint32 differences wrap around: widen first.
        array = np.asarray(ptr).astype(np.int64)
        if array.size == 0 or array[0] != 0:
            raise ValueError(f"{name} must start with 0")
        return cls.from_sizes(np.diff(array), n_rows, name)

    @classmethod
    def from_qid(cls, qid: Any, n_rows: int, name: str = "qid") -> Groups:
        """Groups from one query id per row, of any dtype and in any order.

        Raises
        ------
        ValueError
            If ids are missing, not one-dimensional, or not ``n_rows`` many.
        """
        array = _read_ids(qid, n_rows, name, "query id", "; if these are the sizes of the queries, pass them as group=")
        if n_rows == 0:
            return cls(sizes=np.empty(0, dtype=np.int64), n_rows=0, ids=array)
        # Runs of equal ids first: on rows that already stand together, only one id per query is looked at.
        starts = np.flatnonzero(np.concatenate(([True], array[1:] != array[:-1])))
        ids, run_codes = _factorize(array[starts])
        codes = np.repeat(run_codes, np.diff(np.append(starts, n_rows)))
        sizes = np.bincount(codes, minlength=ids.size).astype(np.int64)
        return cls(sizes=sizes, n_rows=n_rows, scattered_codes=None if ids.size == starts.size else codes, ids=ids)


def query_name(query: int, ids: NDArray[Any] | None) -> str:
    """How to name a query in a message: by the caller's own id, if there are ids."""
    return f"query {query} (counted from 0)" if ids is None else f"query {ids[query]}"


def make_groups(n_rows: int, *, group: Any = None, qid: Any = None) -> Groups:
    """Groups from sizes or ids; without either, all rows are one query.

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
    """Item ids of any dtype as whole numbers from 0, equal for rows of the same item.

    Raises
    ------
    ValueError
        If ids are missing, not one-dimensional, or not ``n_rows`` many.
    """
    return _factorize(_read_ids(item_id, n_rows, name, "item id"))[1]


def item_counts(item_id: Any, interactions: Any) -> IntArray:
    """For each row, how many of the interactions are with its item.

    Raises
    ------
    ValueError
        As ``item_codes``.
    """
    own = _read_ids(item_id, None, "item_id", "item id")
    other = _read_ids(interactions, None, "interactions", "item id")
    if own.dtype != other.dtype:  # one type for both might round large numbers, or take "1" for 1
        own, other = (np.fromiter(ids.tolist(), dtype=object, count=ids.size) for ids in (own, other))
    codes = _factorize(np.concatenate([own, other]))[1]
    return np.bincount(codes[own.size :], minlength=codes.max(initial=-1) + 1)[codes[: own.size]]


def _read_ids(ids: Any, n_rows: int | None, name: str, what: str, hint: str = "") -> NDArray[Any]:
    """One id per row as an array."""
    array = _as_ids(ids, name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}; it must have one {what} per row")
    if n_rows is not None and array.shape[0] != n_rows:
        raise ValueError(
            f"{name} has {array.shape[0]} entries, but there are {n_rows} rows: it takes one {what} per row{hint}"
        )
    if array.dtype.kind == "O":
        _check_hashable(array, name, what)
    _check_no_missing(array, name, what)
    return array


def _as_ids(qid: Any, name: str) -> NDArray[Any]:
    """Ids as an array that keeps apart what is different: numpy makes "1" of a 1 that stands beside strings, and
    rounds whole numbers that fit no integer type."""
    types = {type(value) for value in qid} if isinstance(qid, (list, tuple)) else set()
    array = None if len(types) > 1 or tuple in types else as_array(qid, name, "give one id per row")
    if array is None or (types == {int} and array.ndim == 1 and array.dtype.kind == "f"):
        return np.fromiter(qid, dtype=object, count=len(qid))
    return array


def _factorize(values: NDArray[Any]) -> tuple[NDArray[Any], IntArray]:
    """Distinct values in order of first appearance, and the number of each entry's value among them."""
    if values.dtype.kind == "O":  # strings, mixed types, tuples: whatever can be hashed
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


def _check_no_missing(array: NDArray[Any], name: str, what: str) -> None:
    if array.dtype.kind == "f":
        missing = np.isnan(array)
    elif array.dtype.kind in "mM":
        missing = np.isnat(array)
    elif array.dtype.kind == "O":
        missing = np.fromiter((_is_missing(value) for value in array), np.bool_, array.size)
    else:
        return
    if missing.any():
        raise ValueError(f"{name} is missing at row {int(np.flatnonzero(missing)[0])}: every row needs one {what}")


def _is_missing(value: Any) -> bool:
    if value is None:
        return True
    try:
        return bool(value != value)  # NaN and NaT differ from themselves
    except TypeError:  # pandas.NA refuses to be a truth value
        return True


def _check_hashable(array: NDArray[Any], name: str, what: str) -> None:
    try:
        deque(map(hash, array), maxlen=0)
    except TypeError:
        row, value = next((i, value) for i, value in enumerate(array) if not _is_hashable(value))
        raise ValueError(
            f"{name} is a {type(value).__name__} at row {row}: a {what} must be hashable, such as a number, a "
            "string or a tuple of these"
        ) from None


def _is_hashable(value: Any) -> bool:
    try:  # a tuple of lists only says so
        hash(value)
    except TypeError:
        return False
    return True

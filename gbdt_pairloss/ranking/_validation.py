"""Checks of arrays and parameters. Messages name the argument, the row and, if possible, the remedy."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._device import to_host

FloatArray = NDArray[np.floating[Any]]
Float64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

#: Types of objects that are not real numbers, although ``float`` accepts some of them.
_NOT_REAL_NUMBERS = (str, bytes, complex, np.complexfloating, np.datetime64, np.timedelta64)


def as_array(values: Any, name: str, remedy: str = "give one flat array") -> NDArray[Any]:
    """Return ``values`` as a NumPy array of any dtype and shape; device arrays are copied to the host.

    Raises
    ------
    ValueError
        If the values cannot be an array. For lists of unequal lengths, the message ends with ``remedy``.
        Neither may an entry be masked (``numpy.ma``).
    """
    if hasattr(values, "__next__"):
        raise ValueError(
            f"{name} is a {type(values).__name__}, whose values can be read only once: give a list of them"
        )
    if np.ma.is_masked(values):
        raise ValueError(f"{name} is a masked array: only labels and scores may have masked entries")
    try:
        return np.asarray(to_host(values))
    except ValueError as error:
        if "inhomogeneous" in str(error):
            raise ValueError(f"{name} is a ragged list of lists: {remedy}") from None
        raise ValueError(f"{name} is not an array: {error}") from error


def without_mask(values: Any) -> tuple[Any, BoolArray | None]:
    """Return an array of ``numpy.ma`` with 0 where it is masked, and where it is not; others unchanged, and None."""
    if not np.ma.is_masked(values):
        return values, None
    return values.filled(0), ~np.ma.getmaskarray(values)


def as_numeric(values: Any, name: str) -> FloatArray:
    """Return ``values`` as a float array of any shape; float32 and float64 keep their dtype.

    Raises
    ------
    ValueError
        If the values are not real numbers, or are lists of unequal lengths.
    """
    array = as_array(
        values, name, "give one flat array and the length of each list as group=, or pad the lists and give mask="
    )
    if array.dtype in (np.float32, np.float64):
        return array
    # NumPy would parse text in object arrays as numbers, and drop imaginary parts.
    types = set(map(type, array.ravel().tolist())) if array.dtype.kind == "O" else ()
    if array.dtype.kind not in "biufO" or any(issubclass(kind, _NOT_REAL_NUMBERS) for kind in types):
        raise ValueError(f"{name} has dtype {array.dtype}; it must be real numbers")
    if any(kind.__name__ == "NAType" for kind in types):  # of a pandas table with several dtypes
        array = np.where(sys.modules["pandas"].isna(array), np.nan, array)
    try:
        with np.errstate(over="ignore"):  # numbers that are too large become infinite, which callers check
            return array.astype(np.float64)
    except OverflowError:
        raise ValueError(f"{name} has a number outside the range of float64") from None
    except (TypeError, ValueError):
        raise ValueError(f"{name} has dtype {array.dtype}; it must be real numbers") from None


def as_vector(values: Any, name: str, n_rows: int | None = None) -> FloatArray:
    """Return ``values`` as a 1-D float array of ``n_rows`` entries; a single column is flattened.

    Raises
    ------
    ValueError
        If the values are not real numbers, not one-dimensional, or not of length ``n_rows``.
    """
    array = as_numeric(values, name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}; it must be one-dimensional, one entry per row")
    if n_rows is not None and array.shape[0] != n_rows:
        raise ValueError(f"{name} has {array.shape[0]} entries, but there are {n_rows} rows")
    return array


def nearest_name(name: str, known: Collection[str]) -> str | None:
    """Return the name that begins as a misspelt one, or else the most similar one; None if there is none."""
    name = name.lower()
    beginning = [one for one in known if name and one.startswith(name)]
    return next(iter(beginning or get_close_matches(name, known, n=1)), None)


def refuse_unknown(owner: str, params: Iterable[str], known: Sequence[str]) -> None:
    """Raise a TypeError that names the nearest parameter if one of ``params`` is not known."""
    for name in params:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f" (did you mean {close[0]!r}?)" if close else ""
            raise TypeError(f"{owner} has no parameter {name!r}{hint}; it has {', '.join(known)}")


def as_mask(values: Any, name: str, shape: tuple[int, ...]) -> BoolArray:
    """Return ``values`` as a boolean array of the given shape (True: the row takes part).

    Raises
    ------
    ValueError
        If the shape differs, or the values are not booleans, zeros and ones.
    """
    array = as_array(values, name)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}, but the labels have shape {shape}")
    if array.dtype != np.bool_:
        if array.dtype.kind not in "iuf" or not np.isin(array, (0, 1)).all():
            raise ValueError(f"{name} must be boolean (True: the row takes part)")
        array = array.astype(np.bool_)
    return array


def check_finite(
    array: FloatArray, name: str, mask: BoolArray | None = None, unit: str = "row", remedy: str = ""
) -> None:
    """Raise a ValueError that names the first entry that is NaN or infinite, among those that the mask selects."""
    # The extremes show NaN and infinity without a temporary array.
    if mask is None and np.isfinite(array.min(initial=0.0)) and np.isfinite(array.max(initial=0.0)):
        return
    _raise_first(~np.isfinite(array), array, name, mask, unit, f"it must be finite{remedy}")


def check_weights(array: FloatArray, name: str, mask: BoolArray | None = None, unit: str = "row") -> None:
    """Raise a ValueError that names the first weight that is NaN, infinite or negative."""
    check_finite(array, name, mask, unit)
    _raise_first(array < 0, array, name, mask, unit, "weights must not be negative")


def _raise_first(
    bad: BoolArray, array: FloatArray, name: str, mask: BoolArray | None, unit: str, requirement: str
) -> None:
    """Raise a ValueError that names the first bad entry, among those that the mask selects."""
    if mask is not None:
        bad = bad & mask
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        where = _position(first, array.shape, unit)
        raise ValueError(
            f"{name} is {array.ravel()[first]} at {where}; {requirement} "
            f"(invalid: {int(bad.sum())} of {bad.size} entries)"
        )


def check_positive(value: Any, name: str) -> float:
    """Return ``value`` as a float; raise a ValueError if it is not a finite number above 0."""
    number = _as_float(value)
    if number is None:
        raise ValueError(f"{name} must be a number above 0, got {value!r}")
    if not 0 < number < np.inf:
        raise ValueError(f"{name} must be a finite number above 0, got {value!r}")
    return number


def check_finite_number(value: Any, name: str) -> None:
    """Raise a ValueError if ``value`` is not a finite number."""
    number = _as_float(value)
    if number is None or not np.isfinite(number):
        raise ValueError(f"{name} must be a finite number, got {value!r}")


def _as_float(value: Any) -> float | None:
    """Return a real number as a float, infinite if it is too large; None if ``value`` is not a real number."""
    if not isinstance(value, (int, float, np.integer, np.floating)) or isinstance(value, (bool, np.timedelta64)):
        return None
    try:
        return float(value)
    except OverflowError:
        return np.inf


def check_choice(value: Any, name: str, choices: tuple[Any, ...]) -> None:
    """Raise a ValueError that lists the choices if ``value`` is not one of them."""
    if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
        listed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {listed}; got {value!r}")


def _position(flat_index: int, shape: tuple[int, ...], unit: str) -> str:
    if len(shape) == 1:
        return f"{unit} {flat_index}"
    row, column = np.unravel_index(flat_index, shape)
    return f"list {row}, position {column}"


@contextmanager
def errors_of(name: str) -> Iterator[None]:
    """Prefix the messages of TypeErrors and ValueErrors with a name, unless it is empty."""
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name}: {error}" if name else str(error)) from None


def as_list(values: Any) -> list[Any]:
    """Return a list of the elements of a list or tuple, or of a single value; an empty list for None."""
    if values is None:
        return []
    return list(values) if isinstance(values, (list, tuple)) else [values]

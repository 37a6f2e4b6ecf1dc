"""Explicit pairs: preference judgements between two rows, independent of the labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._groups import Groups, IntArray
from ._validation import as_array, as_vector, check_weights


@dataclass(frozen=True, eq=False)
class Pairs:
    """Explicit pairs of rows.

    Attributes
    ----------
    winner, loser : int64 arrays of shape (n_pairs,)
        Rows of the winner and of the loser of each pair, counted from 0.
    weight : float64 array of shape (n_pairs,) or None
        Weight of each pair; None: 1.
    """

    winner: IntArray
    loser: IntArray
    weight: NDArray[np.float64] | None = None

    @property
    def size(self) -> int:
        """Number of pairs."""
        return int(self.winner.shape[0])

    def __eq__(self, other: object) -> bool:
        """Compare by content; an object equals itself without a comparison."""
        if not isinstance(other, Pairs):
            return NotImplemented
        if self is other:
            return True
        if (self.weight is None) != (other.weight is None):
            return False
        return (
            np.array_equal(self.winner, other.winner)
            and np.array_equal(self.loser, other.loser)
            and (self.weight is None or np.array_equal(self.weight, other.weight))  # type: ignore[arg-type]
        )

    __hash__ = None  # type: ignore[assignment]

    def checked(self, groups: Groups) -> Pairs:
        """Return the pairs after checking them against the groups.

        Raises
        ------
        ValueError
            If a row is out of range, or the two rows of a pair are in different queries.
        """
        self.check_rows(groups.n_rows)
        winner_query, loser_query = groups.codes[self.winner], groups.codes[self.loser]
        crossing = winner_query != loser_query
        if crossing.any():
            pair = int(np.flatnonzero(crossing)[0])
            raise ValueError(
                f"pairs[{pair}] crosses two queries: its winner, row {self.winner[pair]}, is in "
                f"{groups.name(int(winner_query[pair]))}, its loser, row {self.loser[pair]}, in "
                f"{groups.name(int(loser_query[pair]))}; both rows of a pair must be in the same query "
                f"(invalid: {int(crossing.sum())} of {self.size} pairs)"
            )
        return self

    def check_rows(self, n_rows: int) -> None:
        """Raise a ValueError that names the first pair with a row out of range."""
        for rows, end in ((self.winner, "winner"), (self.loser, "loser")):
            if rows.max(initial=-1) >= n_rows:
                pair = int(np.flatnonzero(rows >= n_rows)[0])
                raise ValueError(f"pairs[{pair}]: the {end} is row {rows[pair]}, but there are {n_rows} rows (from 0)")

    def moved(self, new_row: IntArray) -> Pairs:
        """Return the pairs with each row r replaced by ``new_row[r]``."""
        return Pairs(new_row[self.winner], new_row[self.loser], self.weight)

    def take(self, rows: IntArray, n_rows: int | None = None) -> Pairs:
        """Return the pairs of a subset of the dataset, with their rows counted in the subset.

        Parameters
        ----------
        rows : int64 array of shape (n_subset_rows,)
            Rows of the subset, counted from 0 in the whole dataset.
        n_rows : int, optional
            Number of rows of the whole dataset; None if it is not known yet.

        Raises
        ------
        ValueError
            If the subset contains only one row of a pair, or a row of a pair more than once, or a row is out of range.
        """
        if n_rows is not None:
            self.check_rows(n_rows)
        n_rows = 1 + max(array.max(initial=-1) for array in (rows, self.winner, self.loser))
        count = np.bincount(rows, minlength=n_rows)
        winner_count, loser_count = count[self.winner], count[self.loser]
        split = (winner_count == 0) != (loser_count == 0)
        if split.any():
            pair = int(np.flatnonzero(split)[0])
            raise ValueError(
                f"the subset contains only one row of pairs[{pair}], rows {self.winner[pair]} and {self.loser[pair]} "
                f"(pairs split like this: {int(split.sum())}): keep queries whole, or make folds that keep pairs whole"
            )
        inside = winner_count > 0
        if (winner_count[inside] > 1).any() or (loser_count[inside] > 1).any():
            raise ValueError("the subset contains a row of a pair more than once, so the pair is ambiguous")
        new_row = np.zeros(n_rows, dtype=np.int64)
        new_row[rows] = np.arange(rows.shape[0])
        kept = Pairs(self.winner[inside], self.loser[inside], None if self.weight is None else self.weight[inside])
        return kept.moved(new_row)


def as_pairs(values: Any, n_rows: int | None) -> Pairs:
    """Return explicit pairs as checked copies.

    Parameters
    ----------
    values : (winner, loser) or (winner, loser, weight)
        Arrays of shape (n_pairs,): the rows of winners and losers, and the weights of the pairs. Or an array or a table
        of shape (n_pairs, 2) or (n_pairs, 3), or a list with a tuple or a list for each pair.
    n_rows : int or None
        Number of rows of the dataset; None if it is not known yet.

    Raises
    ------
    TypeError
        If ``values`` has none of these forms.
    ValueError
        If there is no pair, lengths differ, a row is out of range or not a whole number, the winner and the loser of a
        pair are the same row, or a weight is NaN, infinite or negative.
    """
    values = _columns_of(values)
    winner, loser = _as_rows(values[0], "winner"), _as_rows(values[1], "loser")
    if winner.shape != loser.shape:
        raise ValueError(f"pairs has {winner.shape[0]} winners, but {loser.shape[0]} losers")
    weight = None
    if len(values) == 3 and values[2] is not None:
        weight = np.array(as_vector(values[2], "the weight of pairs"), dtype=np.float64)
        if weight.shape != winner.shape:
            raise ValueError(f"pairs has {winner.shape[0]} pairs, but {weight.shape[0]} weights")
        check_weights(weight, "the weight of pairs", unit="pair")
    pairs = Pairs(winner, loser, weight)
    if pairs.size == 0:
        raise ValueError("pairs is empty: there is nothing to compare")
    same = winner == loser
    if same.any():
        pair = int(np.flatnonzero(same)[0])
        raise ValueError(f"pairs[{pair}]: row {winner[pair]} is both winner and loser")
    if n_rows is not None:
        pairs.check_rows(n_rows)
    return pairs


def _columns_of(values: Any) -> tuple[Any, ...]:
    """Return pairs in any form as (winner, loser) or (winner, loser, weight)."""
    if isinstance(values, tuple) and len(values) in (2, 3):
        return values
    table = None
    if isinstance(values, list) and all(isinstance(pair, (tuple, list)) for pair in values):
        table = as_array(values, "pairs", "each pair takes two or three entries") if values else np.empty((0, 2))
    elif hasattr(values, "shape") or hasattr(values, "columns"):
        table = as_array(values, "pairs")
    if table is None or table.ndim != 2 or table.shape[1] not in (2, 3):
        shape = "" if table is None else f", got the shape {table.shape}"
        raise TypeError(
            "pairs must be a tuple (winner, loser) or (winner, loser, weight) of arrays with one entry per pair, an "
            f"array or a table of two or three such columns, or a list of pairs{shape}"
        )
    return tuple(table.T)


def _as_rows(values: ArrayLike, end: str) -> IntArray:
    """Return row numbers as a checked copy; ``end`` is "winner" or "loser"."""
    if as_array(values, f"the {end} of pairs").dtype.kind == "b":
        raise ValueError(f"the {end} of pairs has dtype bool; it takes the numbers of rows")
    array = as_vector(values, f"the {end} of pairs")
    if array.size == 0:
        return np.empty(0, dtype=np.int64)
    bad = ~((array >= 0) & (array < 2.0**53) & (array == np.floor(array)))  # comparisons with NaN are False
    if bad.any():
        pair = int(np.flatnonzero(bad)[0])
        raise ValueError(f"pairs[{pair}]: the {end} is {array[pair]:g}; rows are whole numbers, counted from 0")
    return array.astype(np.int64)

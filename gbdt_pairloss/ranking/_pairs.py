"""Explicit pairs: who won against whom, whatever the labels say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._groups import Groups, IntArray
from ._validation import as_array, as_vector, check_weights


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of rows.

    Attributes
    ----------
    winner, loser : int64 arrays of shape (n_pairs,)
        Rows, counted from 0.
    weight : float64 array of shape (n_pairs,) or None
        None: 1.
    """

    winner: IntArray
    loser: IntArray
    weight: NDArray[np.float64] | None = None

    @property
    def size(self) -> int:
        return int(self.winner.shape[0])

    def __eq__(self, other: object) -> bool:
        """By content; of one object with itself at once."""
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
        """These pairs; a ValueError if a row is out of range, or one that names both queries of a pair that crosses."""
        self.check_rows(groups.n_rows)
        winner, loser = groups.codes[self.winner], groups.codes[self.loser]
        crossing = winner != loser
        if crossing.any():
            pair = int(np.flatnonzero(crossing)[0])
            raise ValueError(
                f"pairs[{pair}] crosses two queries: its winner, row {self.winner[pair]}, is in "
                f"{groups.name(int(winner[pair]))}, its loser, row {self.loser[pair]}, in "
                f"{groups.name(int(loser[pair]))}; rows are compared within a query only "
                f"({int(crossing.sum())} such of {self.size})"
            )
        return self

    def check_rows(self, n_rows: int) -> None:
        """Raise a ValueError that names the first pair with a row out of range."""
        for rows, end in ((self.winner, "winner"), (self.loser, "loser")):
            if rows.max(initial=-1) >= n_rows:
                pair = int(np.flatnonzero(rows >= n_rows)[0])
                raise ValueError(f"pairs[{pair}]: the {end} is row {rows[pair]}, but there are {n_rows} rows (from 0)")

    def moved(self, to: IntArray) -> Pairs:
        """The same pairs where row r has become row ``to[r]``."""
        return Pairs(to[self.winner], to[self.loser], self.weight)

    def take(self, rows: IntArray, n_rows: int | None = None) -> Pairs:
        """The pairs of a dataset made of some rows of this one's, which has ``n_rows`` where that is known.

        Raises
        ------
        ValueError
            If only one row of a pair is among them, or a row of a pair more than once, or a row is out of range.
        """
        if n_rows is not None:
            self.check_rows(n_rows)
        n_rows = 1 + max(array.max(initial=-1) for array in (rows, self.winner, self.loser))
        count = np.bincount(rows, minlength=n_rows)
        ends = count[self.winner], count[self.loser]
        cut = (ends[0] == 0) != (ends[1] == 0)
        if cut.any():
            pair = int(np.flatnonzero(cut)[0])
            raise ValueError(
                f"the cut takes one row of pairs[{pair}], rows {self.winner[pair]} and {self.loser[pair]}, and leaves "
                f"the other ({int(cut.sum())} such pairs): cut between queries, or make folds that keep pairs whole"
            )
        inside = ends[0] > 0
        if (ends[0][inside] > 1).any() or (ends[1][inside] > 1).any():
            raise ValueError("the cut takes rows more than once, and there is no telling which of them its pairs mean")
        to = np.zeros(n_rows, dtype=np.int64)
        to[rows] = np.arange(rows.shape[0])
        return Pairs(
            to[self.winner[inside]], to[self.loser[inside]], None if self.weight is None else self.weight[inside]
        )


def as_pairs(values: Any, n_rows: int | None) -> Pairs:
    """Check explicit pairs.

    Parameters
    ----------
    values : (winner, loser) or (winner, loser, weight)
        Arrays of shape (n_pairs,): rows, and weights.
    n_rows : int or None
        Rows of the dataset, where that is known.

    Raises
    ------
    TypeError
        If ``values`` are not a tuple of two or three arrays.
    ValueError
        If there is no pair, lengths differ, a row is out of range or no whole number, a winner is its own loser, or a
        weight is NaN, infinite or negative.
    """
    if not isinstance(values, tuple) or len(values) not in (2, 3):
        raise TypeError(
            "pairs must be a tuple (winner, loser) or (winner, loser, weight) of arrays with one entry per pair: an "
            "array of two columns p goes as (p[:, 0], p[:, 1]), a list of pairs as tuple(zip(*pairs))"
        )
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


def _as_rows(values: ArrayLike, end: str) -> IntArray:
    """Row numbers as a copy that no later change of the caller's reaches."""
    if as_array(values, f"the {end} of pairs").dtype.kind == "b":
        raise ValueError(f"the {end} of pairs has dtype bool; it takes the numbers of rows")
    array = as_vector(values, f"the {end} of pairs")
    if array.size == 0:
        return np.empty(0, dtype=np.int64)
    bad = ~((array >= 0) & (array < 2.0**53) & (array == np.floor(array)))  # NaN is none of these
    if bad.any():
        pair = int(np.flatnonzero(bad)[0])
        raise ValueError(f"pairs[{pair}]: the {end} is {array[pair]:g}; rows are whole numbers that count from 0")
    return array.astype(np.int64)

"""One part of a ranking dataset."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..ranking._groups import IntArray, make_groups
from ..ranking._validation import FloatArray


class RankingSplit(NamedTuple):
    """One part (train, validation, test) of a ranking dataset; the rows of a query need not be contiguous.

    Attributes
    ----------
    X : float32 or float64 array, or scipy.sparse.csr_matrix, of shape (n_rows, n_features)
        Features.
    y : float64 array of shape (n_rows,)
        Relevance labels, larger is better.
    qid : int64 array of shape (n_rows,)
        Query id of each row.
    name : str
        Name of the part, for messages.

    See Also
    --------
    load_letor : Read one LETOR file.
    load_letor_files : Read several LETOR files.
    make_digits_ranking : Make an image retrieval task.
    make_ranking : Make synthetic queries.
    """

    X: Any
    y: FloatArray
    qid: IntArray
    name: str

    @property
    def group(self) -> IntArray:
        """Number of rows of each query, in order, as the boosters' datasets accept it: int64, shape (n_queries,).

        Raises
        ------
        ValueError
            If the rows of a query are not contiguous.
        """
        groups = make_groups(len(self.y), qid=self.qid)
        if not groups.contiguous:
            raise ValueError(f"{self.name}: the rows of a query are not contiguous; sort them by qid, or use qid")
        return groups.sizes


def check_count(value: Any, name: str, low: int, high: int = 2**32 - 1) -> None:
    """Raise a ValueError if a number is not a whole number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, got {value!r}")

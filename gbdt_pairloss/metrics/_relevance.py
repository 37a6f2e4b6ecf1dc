"""Labels cut into relevant and other rows, and how the relevant ones lie in a ranking."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import RankingData
from ..groups import IntArray
from ..validation import Float64Array
from ._ranking import Ranking, rank_rows


@dataclass(frozen=True, eq=False)
class RelevantRuns:
    """How many relevant rows each run of a ranking holds.

    Attributes
    ----------
    ranking : Ranking
    in_run, before : int64 arrays of shape (n_runs,)
        Relevant rows of the run, and of its query's runs above it.
    in_query : int64 array of shape (n_queries,)
    """

    ranking: Ranking
    in_run: IntArray
    before: IntArray
    in_query: IntArray

    def expected_hits(self, k: int | None) -> Float64Array:
        """The expected number of relevant rows in the first ``k`` ranks of each query."""
        # r * top first: exact where the run lies within the first k.
        return self.ranking.query_sum(self.in_run * self.ranking.in_top(k) / self.ranking.size)


def relevant_rows(data: RankingData, relevant: float) -> NDArray[np.bool_]:
    """Which of the caller's rows are relevant; those left out are not. Warns if there is none at all."""
    rows = data.labels >= relevant
    if data.mask is not None:
        rows &= data.mask
    takes_part = rows.size > 0 if data.mask is None else bool(data.mask.any())
    if takes_part and not rows.any():
        warnings.warn(
            f"no label reaches relevant={relevant}, so no row counts: set relevant= to the smallest relevant label",
            UserWarning,
            stacklevel=2,
        )
    return rows


def relevant_runs(data: RankingData, scores: Any, relevant: float, ties: str) -> RelevantRuns:
    """Rank the rows by score and count the relevant ones."""
    ranking = rank_rows(data, scores, ties)
    total = np.concatenate(([0], np.cumsum(relevant_rows(data, relevant)[ranking.row])))
    first = total[ranking.start]
    return RelevantRuns(
        ranking=ranking,
        in_run=np.diff(first, append=total[-1]),
        before=first - total[ranking.ptr[ranking.run_query]],
        in_query=np.diff(total[ranking.ptr]),
    )

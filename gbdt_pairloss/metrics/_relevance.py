"""The division of rows into relevant and other rows."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from ..ranking._data import RankingData


def relevant_rows(data: RankingData, relevant: float) -> NDArray[np.bool_]:
    """Return whether each of the caller's rows is relevant; rows that take no part are not.

    Warns
    -----
    UserWarning
        If rows take part, but none of them is relevant.
    """
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

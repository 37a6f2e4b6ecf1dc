"""Pairwise objectives: each is a name, the loss of one pair, and its parameters.

For every pair (i, j) of rows of one query that take part, with y_i > y_j, and d_ij = (s_i - s_j) / T::

    loss      = sum_pairs  omega_ij  l(d_ij)
    gradient  : winner += omega_ij l'(d_ij) / T     loser -= omega_ij l'(d_ij) / T
    Hessian   : both   += omega_ij l''(d_ij) / T^2                     (its diagonal)

To add an objective, write the loss of a pair in ``engine/pair_losses.py`` and a class in ``_pairwise.py``, and add its
name here. CONTRIBUTING.md has the complete list.
"""

from __future__ import annotations

from ._base import PairwiseObjective
from ._bpr import BPR
from ._interface import RankingObjective
from ._pairwise import (
    PairwiseCustom,
    PairwiseExponential,
    PairwiseHinge,
    PairwiseLogistic,
    PairwiseSoftZeroOne,
    PairwiseSquared,
)
from ._registry import as_pairwise, get_objective, objective_names
from ._sums import WeightedSum

# isort: split
from ._mean_squared import PairwiseMeanSquaredError  # the last name: names are listed in the order of imports

__all__ = [
    "BPR",
    "PairwiseCustom",
    "PairwiseExponential",
    "PairwiseHinge",
    "PairwiseLogistic",
    "PairwiseMeanSquaredError",
    "PairwiseObjective",
    "PairwiseSoftZeroOne",
    "PairwiseSquared",
    "RankingObjective",
    "WeightedSum",
    "as_pairwise",
    "get_objective",
    "objective_names",
]

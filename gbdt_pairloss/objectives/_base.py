"""The base class of the pairwise objectives."""

from __future__ import annotations

from typing import Any

from .._docstrings import documented_with
from ._docs import OBJECTIVE_TEXT
from ._evaluator import ObjectiveEvaluator
from ._parameters import ObjectiveParameters
from ._sums import Summand


@documented_with(OBJECTIVE_TEXT)
class PairwiseObjective(Summand, ObjectiveParameters):
    """Base class of the pairwise objectives.

    A subclass has a ``name`` and a ``pair_loss``, the loss of one pair.

    Parameters
    ----------
    %(shared)s

    Raises
    ------
    %(invalid)s
    """

    def _evaluator(self, *, n_threads: Any = None, random_state: Any = None) -> ObjectiveEvaluator:
        return ObjectiveEvaluator(self, n_threads=n_threads, random_state=random_state)

    def _negative_label_rule(self, column: int | None = None) -> bool | None:
        return self.ignore_negative_labels

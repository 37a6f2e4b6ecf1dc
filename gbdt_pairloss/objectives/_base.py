"""The base class of the pairwise objectives."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from .._docstrings import documented_with
from ._docs import OBJECTIVE_TEXT
from ._evaluator import ObjectiveEvaluator
from ._interface import RankingObjective
from ._parameters import AUTO_RANK_NOISE, ObjectiveParameters, PairWeightParameters
from ._sums import Summand


class SingleObjective(Summand, ObjectiveParameters):
    """Base class of the objectives that are not sums. A subclass has a ``name`` and a ``pair_loss``."""

    def _evaluator(self, **settings: Any) -> ObjectiveEvaluator:
        return ObjectiveEvaluator(self, **settings)

    def _negative_label_rule(self, column: int | None = None) -> bool | None:
        return self.ignore_negative_labels


@documented_with(OBJECTIVE_TEXT)
class PairwiseObjective(SingleObjective, PairWeightParameters):
    """Base class of the objectives whose pairs follow from the order of labels.

    A subclass has a ``name`` and a ``pair_loss``, the loss of one pair.

    Parameters
    ----------
    %(shared)s

    Raises
    ------
    %(invalid)s
    """

    def _decided(self, has_grades: bool) -> RankingObjective:
        if self.pair_weight != "auto":
            return self
        decided: PairwiseObjective = clone(self)
        if has_grades:
            noise = AUTO_RANK_NOISE if self.rank_noise is None else self.rank_noise
            return decided.set_params(pair_weight="ndcg", rank_noise=noise)
        return decided.set_params(pair_weight="uniform", rank_noise=None, truncation=None)

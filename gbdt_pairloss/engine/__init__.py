"""Engines: sums over the ordered pairs of a plan.

An engine knows arrays and plans, no booster and no parameters of an objective beyond a :class:`PairSum`. All engines
compute the same two functions; ``reference`` is their definition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..plan import Plan

Float64Array = NDArray[np.float64]

#: A pair's loss as a function of d = (s_winner - s_loser) / T: an array of d to its value, first and second derivative.
PairLoss = Callable[[Float64Array], tuple[Float64Array, Float64Array, Float64Array]]

__all__ = ["Engine", "PairLoss", "PairSum", "get_engine"]


@dataclass(frozen=True)
class PairSum:
    """What is summed: the loss of one pair, its temperature and the normaliser of the queries.

    Attributes
    ----------
    pair_loss : PairLoss
    temperature : float
    normalize : {"none", "query", "log"}
    """

    pair_loss: PairLoss
    temperature: float
    normalize: str


class Engine(Protocol):
    """The interface of every engine; arrays are float64 and in plan order."""

    def gradient_hessian(self, plan: Plan, scores: Float64Array, pairs: PairSum) -> tuple[Float64Array, Float64Array]:
        """Gradient and diagonal Hessian of the weighted sum of pair losses with respect to the scores."""

    def winner_loss(self, plan: Plan, scores: Float64Array, pairs: PairSum) -> tuple[Float64Array, Float64Array]:
        """For each position, the weighted loss of the pairs that it wins, and the sum of these pairs' weights."""


def get_engine(device: Any) -> Engine:
    """The engine for a device.

    Raises
    ------
    ValueError
        For ``device="cuda"``: there is no engine for it yet.
    """
    if device == "cuda":
        raise ValueError('device="cuda" has no engine in this version; use device="auto" or "cpu"')
    from .reference import ReferenceEngine

    return ReferenceEngine()

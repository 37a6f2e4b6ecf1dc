"""What an engine is asked for, and what it offers.

An engine sums over the ordered pairs of a plan what a :class:`PairSum` says. It knows arrays and plans, no booster and
no parameter of an objective beyond that. All engines compute the same two functions; ``reference`` is their definition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ..ranking._plan import Plan
from ..ranking._validation import Float64Array


@dataclass(frozen=True)
class PairLoss:
    """The loss of one pair as a function of d = (s_winner - s_loser) / T.

    Attributes
    ----------
    name : str
        By which a compiled engine knows the losses that it has a kernel for.
    derivatives : callable
        An array of d to new arrays of l(d), l'(d) and l''(d).
    parameters : tuple of float
        What ``derivatives`` depends on beside d.
    smooth : bool
        Whether l' is nowhere constant.
    """

    name: str
    derivatives: Callable[[Float64Array], tuple[Float64Array, Float64Array, Float64Array]]
    parameters: tuple[float, ...] = ()
    smooth: bool = True


@dataclass(frozen=True)
class DeltaNDCG:
    """phi of a pair is |delta NDCG|, the change if its rows changed places in the current ranking.

    Attributes
    ----------
    truncation : int or None
        Only pairs with a row among the first so many count, and NDCG is cut there; None: all pairs.
    by_distance : bool
        Whether phi is divided by 0.01 + |s_i - s_j|, where the scores of a query are not all equal.
    """

    truncation: int | None
    by_distance: bool


@dataclass(frozen=True)
class Negatives:
    """Losers are drawn: for each winner so many of its query's, as an unbiased estimate of the sum over all.

    Attributes
    ----------
    n : int
        Draws per winner.
    seed : int
        Draws are a function of it, the bits of the scores, and the row: there is no state.
    """

    n: int
    seed: int


#: What ``by_distance`` adds to a distance, LightGBM's constant.
SMALLEST_DISTANCE = 0.01


@dataclass(frozen=True)
class PairSum:
    """What is summed over the pairs.

    Attributes
    ----------
    pair_loss : PairLoss
    temperature : float
    normalize : {"none", "query", "log"}
        The factor on each query.
    hessian_scale : float
    delta : DeltaNDCG or None
        None: phi is 1, or the difference of the plan's values; else these are gains.
    negatives : Negatives or None
        None: all pairs.
    """

    pair_loss: PairLoss
    temperature: float
    normalize: str
    hessian_scale: float
    delta: DeltaNDCG | None = None
    negatives: Negatives | None = None


def check_range(gradient: NDArray[Any], hessian: NDArray[Any]) -> None:
    """Raise a ValueError if a gradient or Hessian is beyond the range of its type."""
    if not (np.isfinite(gradient).all() and np.isfinite(hessian).all()):
        raise ValueError(
            f"the gradient or Hessian (or the loss) leaves the range of {gradient.dtype.name}: scale the weights down, "
            "or the temperature up"
        )


class Engine(Protocol):
    """The interface of every engine. Arrays have one entry for each of the caller's rows, in the caller's order.

    Attributes
    ----------
    takes_device_arrays : bool
        Whether scores may be on a CUDA device; then results are.
    """

    takes_device_arrays: ClassVar[bool]

    def gradient_hessian(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Gradient and scaled diagonal Hessian of the weighted sum of pair losses with respect to the scores.

        Rows that take no part get 0. ``dtype`` is float32 or float64.

        Raises
        ------
        ValueError
            If a score is not finite, or a result leaves the range of ``dtype``.
        """

    def winner_loss(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[Float64Array, Float64Array]:
        """For each row, the weighted loss of the pairs that it wins, and the sum of these pairs' weights."""

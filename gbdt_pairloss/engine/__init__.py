"""Engines: sums over the ordered pairs of a plan.

An engine knows arrays and plans, no booster and no parameters of an objective beyond a :class:`PairSum`. All engines
compute the same two functions; ``reference`` is their definition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import is_on_device
from ..listed_plan import ListedPlan
from ..plan import Plan
from ..table_plan import TablePlan
from ..validation import Float64Array

__all__ = ["SMALLEST_DISTANCE", "DeltaNDCG", "Engine", "Negatives", "PairLoss", "PairSum", "check_range", "get_engine"]


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
        self, plan: Plan, scores: NDArray[Any], pairs: PairSum, dtype: Any
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Gradient and scaled diagonal Hessian of the weighted sum of pair losses with respect to the scores.

        Rows that take no part get 0. ``dtype`` is float32 or float64.

        Raises
        ------
        ValueError
            If a score is not finite, or a result leaves the range of ``dtype``.
        """

    def winner_loss(
        self, plan: Plan, scores: NDArray[Any], pairs: PairSum, dtype: Any
    ) -> tuple[Float64Array, Float64Array]:
        """For each row, the weighted loss of the pairs that it wins, and the sum of these pairs' weights."""


def unknown_to_gpu(pairs: PairSum) -> str | None:
    """What of a sum the GPU engine does not know; None if it knows it."""
    if pairs.pair_loss.name != "logistic":
        return f"the {pairs.pair_loss.name} loss"
    return None if pairs.negatives is None else "drawn negatives"


def get_engine(device: str, n_threads: int | None, plan: Plan, pairs: PairSum, scores: Any = None) -> Engine:
    """The fastest engine for a plan and a sum.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
    scores : array, optional
        Where they are on a CUDA device, "auto" computes there, if that has an engine for the sum that pays.

    Raises
    ------
    ValueError
        For ``device="cuda"``, if the engine there does not know the sum.
    RuntimeError
        For ``device="cuda"``, if there is no device.
    """
    on_device = is_on_device(scores)
    if device == "cuda" or (device == "auto" and on_device):
        from .cuda.device import cuda_device, device_of
        from .gpu import GPUEngine, pays

        missing = unknown_to_gpu(pairs)
        if missing is None and (device == "cuda" or pays(plan, pairs)):
            return GPUEngine(device_of(scores) if on_device else cuda_device(), n_threads)
        if device == "cuda":
            raise ValueError(f'device="cuda" does not know {missing}: use device="auto" or "cpu"')
    # Not before they are needed: these import Numba.
    from .blocks import BlocksEngine
    from .cpu import PAIR_LOSSES, CPUEngine
    from .listed import ListedEngine
    from .parts import PartsEngine
    from .separable import SEPARABLE_LOSSES, SeparableEngine

    name = pairs.pair_loss.name
    if isinstance(plan, ListedPlan) or pairs.negatives is not None:
        return ListedEngine(n_threads)
    if name in PAIR_LOSSES:
        engine: CPUEngine | SeparableEngine = CPUEngine(n_threads)
    elif pairs.delta is not None:
        return ListedEngine(n_threads)
    elif name == "soft_zero_one":
        return BlocksEngine(n_threads)
    elif name in SEPARABLE_LOSSES:
        engine = SeparableEngine(n_threads)
    else:
        return ListedEngine(n_threads)
    return PartsEngine(engine) if isinstance(plan, TablePlan) else engine

"""The contract between objectives and engines.

An objective describes a sum over pairs as a :class:`PairSum`. An :class:`Engine` computes that sum for a plan and its
scores. Engines take arrays and plans. They depend neither on boosters nor on objectives.

To add an engine, write a subclass of ``base.SummingEngine`` with the methods ``supports`` and ``sums``. It sums over
the pairs. Its base class normalises, applies the query weights, and hands over the queries that the engine cannot sum.
An engine that does all of this itself is a class with the methods of :class:`Engine`. ``reference.ReferenceEngine`` is
the definition that results must agree with. Then add the engine to ``select``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..ranking._plan import Plan
from ..ranking._validation import Float64Array


@dataclass(frozen=True)
class PairLoss:
    """The loss l of one pair, as a function of d = (s_winner - s_loser) / T.

    ``pair_losses`` defines the losses of this package.

    Attributes
    ----------
    name : str
        The name by which an engine recognises a loss that it has a kernel for.
    derivatives : callable
        A function of a float64 array d of any shape. It returns three new arrays of that shape: l(d), l'(d) and l''(d).
        The caller may overwrite them. l'' must not be negative; see ``pair_losses``.
    parameters : tuple of float
        The parameters of ``derivatives``, such as a margin, for the kernels.
    """

    name: str
    derivatives: Callable[[Float64Array], tuple[Float64Array, Float64Array, Float64Array]]
    parameters: tuple[float, ...] = ()


#: The constant that ``DeltaNDCG.by_distance`` adds to the distance of two scores. It is LightGBM's.
SMALLEST_DISTANCE = 0.01


@dataclass(frozen=True)
class RankNoise:
    """The choice to rank the rows by noised scores, z = s + a T log(u / (1 - u)).

    u is drawn anew in each call for each row. It has the uniform distribution on (0, 1); see ``draws.noised_scores``.

    Attributes
    ----------
    scale : float
        a > 0.
    seed : int
        Draws are a function of the seed, the bits of the query's scores, and the row. There is no state.
    """

    scale: float
    seed: int


@dataclass(frozen=True)
class DeltaNDCG:
    """The choice of |delta NDCG| as the weight phi of a pair.

    |delta NDCG| is the magnitude of the change of NDCG if the two rows exchanged their places in the current ranking.

    Attributes
    ----------
    truncation : int or None
        Only pairs with at least one row among this many first ranks count, and the ideal DCG is cut at this rank.
        None: all pairs count.
    by_distance : bool
        True: phi is divided by 0.01 + |s_i - s_j|, except in queries whose scores are all equal.
    noise : RankNoise or None
        Not None: the ranking, and the distance of ``by_distance``, are those of the noised scores.
    """

    truncation: int | None
    by_distance: bool
    noise: RankNoise | None = None


@dataclass(frozen=True)
class Negatives:
    """The choice to draw losers at random instead of summing over all of them.

    For each winner, ``n`` losers of its query are drawn. The sum over them is an unbiased estimate of the sum over all.

    Attributes
    ----------
    n : int
        Number of draws per winner.
    seed : int
        Draws are a function of the seed, the bits of the scores, and the row. There is no state.
    """

    n: int
    seed: int


@dataclass(frozen=True)
class PairSum:
    """The specification of a sum over the pairs of a plan.

    It is an argument of an engine, beside the plan and the scores. ``reference`` gives the formula.

    Attributes
    ----------
    pair_loss : PairLoss
    temperature : float
        T, which score differences are divided by.
    normalize : {"none", "query", "log"}
        The normaliser of each query; see ``normalizers.query_factors``.
    hessian_scale : float
        A factor on the Hessian.
    delta : DeltaNDCG or None
        Not None: phi is |delta NDCG|, and the plan's values are the gains. None: phi is the plan's, which is 1, a
        difference of its values, or an entry of its table.
    negatives : Negatives or None
        Not None: losers are drawn. None: the sum is over all pairs.
    """

    pair_loss: PairLoss
    temperature: float
    normalize: str
    hessian_scale: float
    delta: DeltaNDCG | None = None
    negatives: Negatives | None = None


#: The entries of ``Sums.status``: the query is summed; this engine cannot sum scores of this range.
SUMMED, OUT_OF_RANGE = 0, 1


class Sums(NamedTuple):
    """The sums of an engine before the factors of the queries, that is, without normalisers and query weights.

    omega is the product of all weights of a pair except those of its query. Arrays of rows are in the caller's order,
    and rows that take no part get 0.

    Attributes
    ----------
    first, second : arrays of shape (n_rows,)
        The sums over the pairs of a row of omega l' / T (negative for losers) and of omega l'' / T^2, the latter times
        ``hessian_scale``. With ``loss=True``, the sums over the pairs that the row wins of omega l and of omega.
    lambda_sum : float64 array of shape (n_queries,)
        The sum of phi |l'| / T over the pairs, before all other weights. It has a meaning only for the normaliser
        "log", and only without ``loss=True``.
    phi_sum : float64 array of shape (n_queries,)
        The sum of phi over the pairs. It has a meaning only for the normaliser "query".
    status : uint8 array of shape (n_queries,)
        SUMMED or OUT_OF_RANGE. For a query that is not summed, the entries of the other arrays have no meaning.
    """

    first: NDArray[Any]
    second: NDArray[Any]
    lambda_sum: Float64Array
    phi_sum: Float64Array
    status: NDArray[np.uint8]


class Engine(Protocol):
    """The interface of every engine.

    An engine computes two functions. Both take and return arrays with one entry for each of the caller's rows, in the
    caller's order, ``plan.n_rows`` in all. Rows that take no part get 0. ``dtype`` is float32 or float64: the precision
    of the gradient and Hessian, and the precision in which pairs may be summed. Errors must stay within the bounds of
    ``CPUEngine``. Results must not depend on the number of threads.

    Attributes
    ----------
    takes_device_arrays : bool
        True if the scores may be on a CUDA device. The results are then on the device too.
    """

    takes_device_arrays: ClassVar[bool]

    def supports(self, plan: Plan, spec: PairSum) -> bool:
        """Return True if the engine can compute this sum over the pairs of this plan."""

    def gradient_hessian(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Compute the gradient and the diagonal Hessian of the loss with respect to the scores.

        The loss is the weighted sum of the pair losses. The Hessian is multiplied by ``spec.hessian_scale``.

        Returns
        -------
        gradient, hessian : arrays of ``dtype`` of shape (n_rows,)

        Raises
        ------
        ValueError
            If a score is not finite, or a result leaves the range of ``dtype``.
        """

    def winner_loss(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, dtype: Any
    ) -> tuple[Float64Array, Float64Array]:
        """Compute the loss of each row: that of the pairs that it wins.

        Returns
        -------
        loss, weight : float64 arrays of shape (n_rows,)
            The weighted sum of the losses of these pairs, and the sum of their weights.

        Raises
        ------
        ValueError
            If a score is not finite. An engine may also raise it if a result leaves its range; objectives check the
            results of the others.
        """


@runtime_checkable
class AddingEngine(Protocol):
    """The interface of an engine that can add its results to others, which saves a pass over the rows."""

    def add_gradient_hessian(
        self, plan: Plan, scores: NDArray[Any], spec: PairSum, total: tuple[NDArray[Any], NDArray[Any]]
    ) -> None:
        """Add the results of ``gradient_hessian`` to a gradient and a Hessian, in place.

        Raises
        ------
        ValueError
            If a score is not finite, or a sum leaves the range of its type.
        """

"""The objectives. Each has a name, the loss of one pair (``engine/pair_losses.py``) and parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._docstrings import documented_with
from ..engine.pair_losses import EXPONENTIAL, LOGISTIC, SOFT_ZERO_ONE, custom_loss, hinge_loss, squared_loss
from ..engine.spec import PairLoss
from ..ranking._validation import Float64Array, check_finite_number
from ._base import PairwiseObjective
from ._docs import OBJECTIVE_TEXT
from ._parameters import with_shared_parameters
from ._registry import register


@register
@documented_with(OBJECTIVE_TEXT)
class PairwiseLogistic(PairwiseObjective):
    """Pairwise logistic loss (RankNet): every pair of every query, exactly.

    For every pair (i, j) of one query with y_i > y_j and d = (s_i - s_j) / T::

        loss      = sum omega_ij log(1 + exp(-d))
        gradient  : winner -= omega_ij sigma(-d) / T       loser += omega_ij sigma(-d) / T
        Hessian   : both   += omega_ij sigma(d) sigma(-d) / T^2

    omega_ij is the product of phi_ij (``pair_weight``), the weights of the rows and of the query, and the query's
    normaliser (``normalize``).

    Domain: any finite scores and labels; negative labels are an error unless ``ignore_negative_labels`` is set. Only
    the order of labels matters, except for ``pair_weight``. Equal labels form no pair.

    Parameters
    ----------
    %(shared)s

    Raises
    ------
    %(invalid)s

    See Also
    --------
    BPR : The same loss between the positives and the negatives of each user.
    LGBMRanker, XGBRanker : Rankers that take an objective by its name or as an object.
    gbdt_pairloss.attach : Item weights, masks and explicit pairs beside a booster's dataset.

    Notes
    -----
    The cost per row does not grow with the size of the query. With ``pair_weight="ndcg"`` it grows with the logarithm
    of the size. With "ndcg" and a truncation, with "ndcg" on a CUDA device, and with "lambdarank", the time is
    proportional to the number of pairs that count.

    Large sums are interpolated by Chebyshev polynomials: the error is less than 1e-6 of the query's largest gradient
    and 1e-5 of its largest Hessian in float32, which boosters take, and 1e-12 in float64.

    One object is the objective of both boosters::

        lgb.train({"objective": obj, ...}, dataset, feval=obj.metric)      # LightGBM 4
        lgb.train(params, dataset, fobj=obj, feval=obj.metric)             # LightGBM 3.3
        xgb.train({"objective": "rank:pairwise", "disable_default_eval_metric": True, ...}, dmatrix, obj=obj,
                  custom_metric=obj.metric)

    References
    ----------
    Burges et al., "Learning to rank using gradient descent", ICML 2005. Burges, "From RankNet to LambdaRank to
    LambdaMART: an overview", MSR-TR-2010-82. Normaliser "log" and the distance of scores: LightGBM,
    ``rank_objective.hpp``. Pair weights: Rax, ``lambdaweights.py``; TF-Ranking, ``losses_impl.py``.

    Examples
    --------
    >>> from gbdt_pairloss import PairwiseLogistic
    >>> obj = PairwiseLogistic(normalize="none")
    >>> round(obj.loss([1, 0, 1, 3, 2], [1, 3, 2, 4, 0.8], reduction="mean"), 5)
    1.70708
    """

    name = "pairwise_logistic"
    pair_loss = LOGISTIC


class _MarginObjective(PairwiseObjective):
    """An objective with a margin."""

    @with_shared_parameters
    def __init__(self, *, margin: float = 1.0, **params: Any) -> None:
        self.margin = margin
        super().__init__(**params)

    def _check_params(self) -> None:
        super()._check_params()
        check_finite_number(self.margin, "margin")


@register
@documented_with(OBJECTIVE_TEXT)
class PairwiseHinge(_MarginObjective):
    """Pairwise hinge loss (RankSVM): max(margin - d, 0) for every pair, with d = (s_i - s_j) / T.

    ::

        loss      = sum omega_ij max(margin - d, 0)
        gradient  : winner -= omega_ij / T  and  loser += omega_ij / T     where d < margin
        Hessian   : both   += omega_ij / T^2                               where d < margin

    Domain: any finite scores and labels.

    Parameters
    ----------
    margin : float, default=1.0
        In units of the temperature. KerasRS, Rax, TF-Ranking and Merlin use 1.
    %(shared)s

    Raises
    ------
    %(invalid)s

    See Also
    --------
    PairwiseLogistic : The smooth loss, which the CUDA engine supports.
    PairwiseSquared : A loss that also penalises pairs that are further apart than the margin.

    Notes
    -----
    The second derivative is 0 wherever it is defined. The Hessian uses |l'| instead, 1 inside the margin and 0 outside,
    like XGBoost's ``binary:hinge``.

    All pairs take O(n log n) time: rows are merged in the order of their scores. %(cost_of_ndcg)s

    References
    ----------
    Herbrich, Graepel and Obermayer, "Large margin rank boundaries for ordinal regression", 2000. Joachims, "Optimizing
    search engines using clickthrough data", KDD 2002. Lee and Lin, "Large-scale linear RankSVM", Neural Computation 26,
    2014.
    """

    name = "pairwise_hinge"

    @property
    def pair_loss(self) -> PairLoss:
        """The loss of one pair, with the margin."""
        return hinge_loss(float(self.margin))


@register
@documented_with(OBJECTIVE_TEXT)
class PairwiseSquared(_MarginObjective):
    """Pairwise squared loss, (margin - d)^2 for every ordered pair, with d = (s_i - s_j) / T.

    ::

        loss      = sum omega_ij (margin - d)^2
        gradient  : winner -= 2 omega_ij (margin - d) / T     loser += 2 omega_ij (margin - d) / T
        Hessian   : both   += 2 omega_ij / T^2

    The loss is smallest if every winner is ``margin`` above its loser. It also penalises winners further above.

    Domain: finite scores and labels; the gradient grows with the differences of the scores.

    Parameters
    ----------
    margin : float, default=1.0
        In units of the temperature.
    %(shared)s

    Raises
    ------
    %(invalid)s

    See Also
    --------
    PairwiseHinge : A loss that does not penalise pairs that are further apart than the margin.

    Notes
    -----
    All pairs take O(n) time: three moments of the scores are enough. %(cost_of_ndcg)s

    The pairwise mean squared error of KerasRS and Rax is another loss: ((y_i - y_j) - (s_i - s_j))^2 over all pairs,
    including those of equal labels, in both directions.

    References
    ----------
    Sculley, "Large scale learning to rank", NIPS workshop on advances in ranking, 2009.
    """

    name = "pairwise_squared"

    @property
    def pair_loss(self) -> PairLoss:
        """The loss of one pair, with the margin."""
        return squared_loss(float(self.margin))


@register
@documented_with(OBJECTIVE_TEXT)
class PairwiseExponential(PairwiseObjective):
    """Pairwise exponential loss (RankBoost): exp(-d) for every pair, with d = (s_i - s_j) / T.

    ::

        loss      = sum omega_ij exp(-d)
        gradient  : winner -= omega_ij exp(-d) / T     loser += omega_ij exp(-d) / T
        Hessian   : both   += omega_ij exp(-d) / T^2

    Domain: scores of which no winner is more than about 80 temperatures below its loser (float32 gradients, which
    boosters take) or 700 (float64); any finite labels.

    Parameters
    ----------
    %(shared)s

    Raises
    ------
    %(invalid)s
        In training, if scores are too far apart in the wrong order.

    See Also
    --------
    PairwiseLogistic : A loss whose gradient is bounded.

    Notes
    -----
    All pairs take O(n) time: one moment of exp(score / T) is enough. %(cost_of_ndcg)s

    The gradient of a misordered pair grows exponentially with its difference of scores. Outliers may dominate the sums,
    and scores that are too far apart in the wrong order are an error.

    References
    ----------
    Freund, Iyer, Schapire and Singer, "An efficient boosting algorithm for combining preferences", JMLR 4, 2003.
    """

    name = "pairwise_exponential"
    pair_loss = EXPONENTIAL


@register
@documented_with(OBJECTIVE_TEXT)
class PairwiseSoftZeroOne(PairwiseObjective):
    """Pairwise soft zero-one loss: sigma(-d) for every pair, with d = (s_i - s_j) / T.

    ::

        loss      = sum omega_ij sigma(-d)
        gradient  : winner -= omega_ij sigma(d) sigma(-d) / T     loser += omega_ij sigma(d) sigma(-d) / T
        Hessian   : both   += omega_ij sigma(d) sigma(-d) / T^2

    The loss is a smooth version of the share of misordered pairs. Badly misordered pairs hardly contribute to the
    gradient, which helps against wrong labels. The smaller the temperature is, the closer the loss is to a step.

    Domain: any finite scores and labels.

    Parameters
    ----------
    %(shared)s

    Raises
    ------
    %(invalid)s

    See Also
    --------
    PairwiseLogistic : The convex loss.

    Notes
    -----
    The loss is not convex: the second derivative of a misordered pair is negative. The Hessian uses
    |l'| = sigma(d) sigma(-d) instead, which bounds it.

    All pairs take O(n log(labels)) time. They are divided into blocks, in which all rows of one part beat all rows of
    the other. A block is summed by the sums of the logistic loss, whose second derivative is the slope of this loss.
    %(cost_of_ndcg)s

    References
    ----------
    The loss: TF-Ranking, ``PairwiseSoftZeroOneLoss`` in ``losses_impl.py``; KerasRS has it, too. Labels that may be
    wrong: Charoenphakdee, Lee and Sugiyama, "On symmetric losses for learning from corrupted labels", ICML 2019.
    """

    name = "pairwise_soft_zero_one"
    pair_loss = SOFT_ZERO_ONE


@documented_with(OBJECTIVE_TEXT)
class PairwiseCustom(PairwiseObjective):
    """A user-defined pairwise loss, from a function of d = (s_i - s_j) / T.

    ::

        loss      = sum omega_ij l(d)
        gradient  : winner += omega_ij l'(d) / T     loser -= omega_ij l'(d) / T
        Hessian   : both   += omega_ij l''(d) / T^2

    Parameters
    ----------
    function : callable
        ``function(d) -> (l(d), l'(d), l''(d))``, all float64 arrays of the shape of d, for any shape. The second
        derivative must not be negative: where a loss is not convex, return a surrogate such as the magnitude of the
        first derivative. A named function can be pickled, a lambda cannot.
    name : str, default="pairwise_custom"
        Name under which :meth:`metric` reports the loss.
    %(shared)s

    Raises
    ------
    %(invalid)s
        In training, if a result of the function has another shape or is not finite, or if a second derivative is
        negative.
    TypeError
        In training, if the function does not return three arrays.

    See Also
    --------
    PairwiseLogistic, PairwiseHinge, PairwiseSquared, PairwiseExponential, PairwiseSoftZeroOne : Built-in losses, which
        take less than O(pairs) time.

    Notes
    -----
    The sums take O(pairs) time and O(rows) memory. Several threads may call the function at once.

    Examples
    --------
    >>> import numpy as np
    >>> from gbdt_pairloss import PairwiseCustom
    >>> def squared_hinge(d):
    ...     short = np.maximum(1 - d, 0)
    ...     return short**2, -2 * short, 2.0 * (short > 0)
    >>> round(PairwiseCustom(squared_hinge, normalize="none").loss([1, 0], [0.5, 1.0]), 2)
    2.25
    """

    @with_shared_parameters
    def __init__(
        self, function: Callable[[Float64Array], Any], *, name: str = "pairwise_custom", **params: Any
    ) -> None:
        self.function = function
        self.name = name
        super().__init__(**params)

    @property
    def pair_loss(self) -> PairLoss:
        """The loss of one pair: the function, with checked results."""
        return custom_loss(self.function, self.name)

    def _check_params(self) -> None:
        super()._check_params()
        if not callable(self.function):
            raise ValueError(f"function must be a callable of d, got {self.function!r}")
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name must be a string that is not empty, got {self.name!r}")

"""What is optimised: the objectives, each a name, the loss of one pair (losses.py), and its parameters.

For every pair (i, j) of one query with y_i > y_j, both taking part, and d_ij = (s_i - s_j) / T::

    loss      = sum_pairs  omega_ij  l(d_ij)
    gradient  : winner += omega_ij l'(d_ij) / T     loser -= omega_ij l'(d_ij) / T
    Hessian   : both   += omega_ij l''(d_ij) / T^2                     (its diagonal)

The rest is shared: :class:`gbdt_pairloss.objective_base.PairwiseObjective`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..engine.pair_losses import EXPONENTIAL, LOGISTIC, SOFT_ZERO_ONE, custom_loss, hinge_loss, squared_loss
from ..engine.spec import PairLoss
from ..ranking._validation import Float64Array, check_finite_number
from ._base import PairwiseObjective, with_shared_parameters
from ._registry import register


@register
class PairwiseLogistic(PairwiseObjective):
    """Pairwise logistic loss (RankNet): every pair of every query, exactly.

    For every pair (i, j) of one query with y_i > y_j and d = (s_i - s_j) / T::

        loss      = sum omega_ij log(1 + exp(-d))
        gradient  : winner -= omega_ij sigma(-d) / T       loser += omega_ij sigma(-d) / T
        Hessian   : both   += omega_ij sigma(d) sigma(-d) / T^2

    omega_ij is the product of phi_ij (``pair_weight``), the weights of the rows and of the query, and the query's
    normaliser (``normalize``).

    Domain: any finite real scores and labels; labels matter by their order only, but for ``pair_weight``. Equal labels
    form no pair. The cost per row does not grow with the query: large sums are interpolated (Chebyshev), to less than
    1e-6 of the query's largest gradient and 1e-5 of its largest Hessian for float32, which is what boosters take, and
    1e-12 for float64.

    The one object is the objective of both boosters::

        lgb.train({"objective": obj, ...}, dataset, feval=obj.metric)      # LightGBM 4
        lgb.train(params, dataset, fobj=obj, feval=obj.metric)             # LightGBM 3.3
        xgb.train({"objective": "rank:pairwise", "disable_default_eval_metric": True, ...}, dmatrix, obj=obj,
                  custom_metric=obj.metric)

    Parameters
    ----------
    temperature : float, default=1.0
        T > 0. Newton boosting is scale-free: T alone rescales the scores (leaf values are proportional to T) and
        ranks the same, so a grid over it that shows no effect is no bug. It matters with initial scores,
        regularisation and the minimal Hessian of a leaf.
    pair_weight : {"uniform", "label_diff", "gain_diff", "ndcg", "lambdarank"} or callable, default="uniform"
        phi_ij of a pair of winner i and loser j:

        - ``"uniform"``: 1;
        - ``"label_diff"``: y_i - y_j (Rax's ``labeldiff_lambdaweight``, TF-Ranking's ``LabelDiffLambdaWeight``);
        - ``"gain_diff"``: gain(y_i) - gain(y_j);
        - ``"ndcg"``: by how much NDCG would change if the two changed places in the current ranking (LambdaRank;
          LambdaMART in a booster), (gain(y_i) - gain(y_j)) |1 / log2(1 + rank_i) - 1 / log2(1 + rank_j)| / ideal DCG;
          equal scores rank in row order;
        - ``"lambdarank"``: the same over 0.01 + |s_i - s_j|, which LightGBM's lambdarank divides by
          (``lambdarank_norm``). With ``truncation=30`` and ``normalize="log"`` the gradients are LightGBM's. It does
          not separate: without a truncation its cost grows with the number of pairs;
        - a callable ``(label_winner, label_loser) -> weight`` of two floats: its value, a finite number from 0,
          evaluated once for every pair of distinct labels that a query has; at most 256 of these in a query. The cost
          per row grows with their number. Lambdas and local functions work, but do not pickle.

        Rax's ``dcg_lambdaweight(normalize=True)`` and TF-Ranking's ``DCGLambdaWeight`` (``smooth_fraction=1``, gain
        2^y - 1, discount 1 / log2(1 + rank)) are "ndcg" times the length of the list.
    gain : {"exp2", "linear"}, default="exp2"
        Gain of a label: 2^y - 1, or y.
    truncation : int or None, default=None
        With "ndcg" and "lambdarank": a pair counts if either row is among the first so many, and the ideal DCG is cut
        there (LightGBM's ``lambdarank_truncation_level``). None: all pairs. With "ndcg", rows far from the top are left
        with few pairs and small Hessians, so that their scores may run away at high learning rates, which
        "lambdarank" prevents, dividing by the distance of scores.
    normalize : {"log", "query", "none"}, default="log"
        Factor on each query, so that big queries do not drown small ones. "log": log2(1 + S) / S with
        S = 2 sum |lambda| before weights, as LightGBM's lambdarank and XGBoost's ``rank:*`` do by default; a query's
        Hessians then sum to about 0.5 log2(pairs) at the start. "query": n_q / sum of phi, with n_q the rows that take
        part; without pair weights the Hessians sum to n_q / 2, as for a regression, whatever the size of the query: for
        few, huge queries under XGBoost's ``min_child_weight=1``. "none": the plain sum.

        The default is measured (``benchmarks/results/quality.md``): cross-validated on five sets with both boosters,
        "log" has the best means; clearly so against both others in MAP with XGBoost.
    hessian_scale : float, default=1.0
        Multiplies the Hessian; 2 is what XGBoost's own ``rank:*`` use: steps are half as long.
    ignore_negative_labels : bool or None, default=None
        True: rows with a label below 0 take no part (KerasRS). False: they are labels like any other (returns,
        XGBoost's -1). None: a negative label is an error.
    item_weight : {"winner", "both"}, default="winner"
        A pair weighs its winner's item weight (KerasRS, Rax, TF-Ranking), or the product of both rows' weights.
    n_threads : int or None, default=None
        Threads to compute with; the results do not depend on it. None: as many as the booster is told to use, where
        that is known (a ranker's ``n_jobs``, LightGBM's ``num_threads``, a DMatrix's ``nthread``), else all cores.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Where the gradient is computed. "auto": on the CUDA device (by CuPy) if scores come from there or the booster
        trains there and takes gradients from there (XGBoost's ``device="cuda"``), and the GPU knows the sum: the
        logistic loss over all or explicit pairs, with any weights; else on the CPU. "cuda": on the device in any case,
        or a RuntimeError if there is none, a ValueError if it does not know the sum. Results are where the scores are:
        CuPy in, CuPy out.

    Raises
    ------
    ValueError
        If a parameter has a value that it cannot have.

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
class PairwiseHinge(_MarginObjective):
    """Pairwise hinge loss (RankSVM): max(margin - d, 0) for every pair, with d = (s_i - s_j) / T.

    ::

        loss      = sum omega_ij max(margin - d, 0)
        gradient  : winner -= omega_ij / T  and  loser += omega_ij / T     where d < margin
        Hessian   : both   += omega_ij / T^2                               where d < margin

    Its second derivative is 0 everywhere; the Hessian takes |l'| in its place, 1 inside the margin and 0 outside, as
    XGBoost's ``binary:hinge`` does. All pairs in O(n log n): rows are merged in the order of their scores.

    Domain: any finite real scores and labels.

    Parameters
    ----------
    margin : float, default=1.0
        In units of the temperature. KerasRS, Rax, TF-Ranking and Merlin have 1.
    temperature, pair_weight, gain, truncation, normalize, hessian_scale, ignore_negative_labels, item_weight
        As in :class:`PairwiseLogistic`; "ndcg" and "lambdarank" take time in proportion to the pairs.
    n_threads, device
        As in :class:`PairwiseLogistic`.

    Raises
    ------
    ValueError
        If a parameter has a value that it cannot have.

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
class PairwiseSquared(_MarginObjective):
    """Pairwise squared loss, (margin - d)^2 for every ordered pair, with d = (s_i - s_j) / T.

    ::

        loss      = sum omega_ij (margin - d)^2
        gradient  : winner -= 2 omega_ij (margin - d) / T     loser += 2 omega_ij (margin - d) / T
        Hessian   : both   += 2 omega_ij / T^2

    It pulls every winner ``margin`` above its loser, and back if it is further up. All pairs in O(n): three moments of
    the scores. What KerasRS and Rax call a pairwise mean squared error is another loss: ((y_i - y_j) - (s_i - s_j))^2
    over all pairs, those of equal labels among them, both ways round.

    Domain: finite real scores and labels; the gradient grows with the differences of the scores.

    Parameters
    ----------
    margin : float, default=1.0
        In units of the temperature.
    temperature, pair_weight, gain, truncation, normalize, hessian_scale, ignore_negative_labels, item_weight
        As in :class:`PairwiseLogistic`; "ndcg" and "lambdarank" take time in proportion to the pairs.
    n_threads, device
        As in :class:`PairwiseLogistic`.

    Raises
    ------
    ValueError
        If a parameter has a value that it cannot have.

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
class PairwiseExponential(PairwiseObjective):
    """Pairwise exponential loss (RankBoost): exp(-d) for every pair, with d = (s_i - s_j) / T.

    ::

        loss      = sum omega_ij exp(-d)
        gradient  : winner -= omega_ij exp(-d) / T     loser += omega_ij exp(-d) / T
        Hessian   : both   += omega_ij exp(-d) / T^2

    All pairs in O(n): one moment of exp(score / T). A wrong pair's gradient grows exponentially with its difference:
    outliers take over, and scores that are too far apart in the wrong order are an error.

    Domain: real scores, of which no winner is some 80 temperatures below its loser (float32 gradients, which boosters
    take) or 700 (float64); any finite labels.

    Parameters
    ----------
    temperature, pair_weight, gain, truncation, normalize, hessian_scale, ignore_negative_labels, item_weight
        As in :class:`PairwiseLogistic`; "ndcg" and "lambdarank" take time in proportion to the pairs.
    n_threads, device
        As in :class:`PairwiseLogistic`.

    Raises
    ------
    ValueError
        If a parameter has a value that it cannot have; in training, if scores are too far apart in the wrong order.

    References
    ----------
    Freund, Iyer, Schapire and Singer, "An efficient boosting algorithm for combining preferences", JMLR 4, 2003.
    """

    name = "pairwise_exponential"
    pair_loss = EXPONENTIAL


@register
class PairwiseSoftZeroOne(PairwiseObjective):
    """Pairwise soft zero-one loss: sigma(-d) for every pair, with d = (s_i - s_j) / T.

    ::

        loss      = sum omega_ij sigma(-d)
        gradient  : winner -= omega_ij sigma(d) sigma(-d) / T     loser += omega_ij sigma(d) sigma(-d) / T
        Hessian   : both   += omega_ij sigma(d) sigma(-d) / T^2

    A smooth share of wrong pairs: those that are hopelessly wrong lose their pull, which helps against wrong labels.
    It is not convex: where a pair is in the wrong order its second derivative is below 0. The Hessian takes
    |l'| = sigma(d) sigma(-d), which bounds it.

    Domain: any finite real scores and labels.

    Parameters
    ----------
    temperature, pair_weight, gain, truncation, normalize, hessian_scale, ignore_negative_labels, item_weight
        As in :class:`PairwiseLogistic`. The temperature matters here: the smaller, the more of a step is the loss.
    n_threads, device
        As in :class:`PairwiseLogistic`.

    Raises
    ------
    ValueError
        If a parameter has a value that it cannot have.

    Notes
    -----
    All pairs in O(n log(labels)): they are summed in blocks of rows that all beat each other, by the sums of the
    logistic loss, whose curve is this one's slope.

    References
    ----------
    The loss: TF-Ranking, ``PairwiseSoftZeroOneLoss`` in ``losses_impl.py``; KerasRS has it, too. Labels that may be
    wrong: Charoenphakdee, Lee and Sugiyama, "On symmetric losses for learning from corrupted labels", ICML 2019.
    """

    name = "pairwise_soft_zero_one"
    pair_loss = SOFT_ZERO_ONE


class PairwiseCustom(PairwiseObjective):
    """A pairwise loss of one's own, from a function of d = (s_i - s_j) / T.

    ::

        loss      = sum omega_ij l(d)
        gradient  : winner += omega_ij l'(d) / T     loser -= omega_ij l'(d) / T
        Hessian   : both   += omega_ij l''(d) / T^2

    Parameters
    ----------
    function : callable
        ``function(d) -> (l(d), l'(d), l''(d))``, all float64 arrays of the shape of d, for any shape. The second
        derivative must not be negative: where a loss is not convex return a surrogate, such as the magnitude of the
        first. A named function pickles, a lambda does not.
    name : str, default="pairwise_custom"
        What :meth:`metric` reports the loss as.
    temperature, pair_weight, gain, truncation, normalize, hessian_scale, ignore_negative_labels, item_weight
        As in :class:`PairwiseLogistic`.
    n_threads, device
        As in :class:`PairwiseLogistic`.

    Raises
    ------
    ValueError
        If a parameter has a value that it cannot have; in training, if the function's results have another shape, are
        not finite, or a second derivative is negative.
    TypeError
        In training, if the function does not return three arrays.

    Notes
    -----
    O(pairs) time, O(rows) memory. The function may be called by several threads at once.

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
        """The loss of one pair: the function, its results checked."""
        return custom_loss(self.function, self.name)

    def _check_params(self) -> None:
        super()._check_params()
        if not callable(self.function):
            raise ValueError(f"function must be a callable of d, got {self.function!r}")
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name must be a string that is not empty, got {self.name!r}")

"""What is optimised: the objectives, each a name, the loss of one pair, and, if need be, how it reads the labels.

For every pair (i, j) of one query with y_i > y_j, both taking part, and d_ij = (s_i - s_j) / T::

    loss      = sum_pairs  omega_ij  l(d_ij)
    gradient  : winner += omega_ij l'(d_ij) / T     loser -= omega_ij l'(d_ij) / T
    Hessian   : both   += omega_ij l''(d_ij) / T^2                     (its diagonal)

The rest is shared: :class:`gbdt_pairloss.objective_base.PairwiseObjective`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .engine import PairLoss
from .objective_base import PairwiseObjective, get_objective, objective_names, register
from .validation import Float64Array, as_numeric, check_choice

__all__ = ["BPR", "PairwiseLogistic", "PairwiseObjective", "get_objective", "logistic", "objective_names"]


def logistic(d: Float64Array) -> tuple[Float64Array, Float64Array, Float64Array]:
    """softplus(-d) = log(1 + exp(-d)) with its first and second derivative, exact for any d."""
    e = np.exp(-np.abs(d))
    value = np.maximum(-d, 0.0) + np.log1p(e)
    wrong = np.where(d >= 0, e, 1.0) / (1.0 + e)  # sigma(-d): how wrongly the pair is ordered
    return value, -wrong, e / (1.0 + e) ** 2


LOGISTIC = PairLoss("logistic", logistic)


@register
class PairwiseLogistic(PairwiseObjective):
    """Pairwise logistic loss (RankNet): every pair of every query, exactly.

    For every pair (i, j) of one query with y_i > y_j and d = (s_i - s_j) / T::

        loss      = sum omega_ij log(1 + exp(-d))
        gradient  : winner -= omega_ij sigma(-d) / T       loser += omega_ij sigma(-d) / T
        Hessian   : both   += omega_ij sigma(d) sigma(-d) / T^2

    Domain: any finite real scores and labels; labels matter by their order only, but for ``pair_weight``. Equal labels
    form no pair. The cost per row does not grow with the query: large sums are interpolated (Chebyshev), to less than
    1e-6 of the query's largest gradient and 1e-5 of its largest Hessian for float32, which is what boosters take, and
    1e-12 for float64.

    The one object is the objective of both boosters::

        lgb.train({"objective": obj, ...}, dataset, feval=obj.metric)      # LightGBM 4
        lgb.train(params, dataset, fobj=obj, feval=obj.metric)             # LightGBM 3.3
        xgb.train(params, dmatrix, obj=obj, custom_metric=obj.metric)

    Parameters
    ----------
    temperature : float, default=1.0
        T > 0. Newton boosting is scale-free: T alone rescales the scores (leaf values are proportional to T) and
        ranks the same, so a grid over it that shows no effect is no bug. It matters with initial scores,
        regularisation and the minimal Hessian of a leaf.
    pair_weight : {"uniform", "label_diff", "gain_diff", "ndcg", "lambdarank"}, default="uniform"
        phi_ij of a pair of winner i and loser j:

        - ``"uniform"``: 1;
        - ``"label_diff"``: y_i - y_j;
        - ``"gain_diff"``: gain(y_i) - gain(y_j);
        - ``"ndcg"``: by how much NDCG would change if the two changed places in the current ranking (LambdaRank;
          LambdaMART in a booster), (gain(y_i) - gain(y_j)) |1 / log2(1 + rank_i) - 1 / log2(1 + rank_j)| / ideal DCG;
          equal scores rank in row order;
        - ``"lambdarank"``: the same over 0.01 + |s_i - s_j|, which LightGBM's lambdarank divides by
          (``lambdarank_norm``). With ``truncation=30`` and ``normalize="log"`` the gradients are LightGBM's. It does
          not separate: without a truncation its cost grows with the number of pairs.
    gain : {"exp2", "linear"}, default="exp2"
        Gain of a label: 2^y - 1, or y.
    truncation : int or None, default=None
        With "ndcg" and "lambdarank": a pair counts if either row is among the first so many, and the ideal DCG is cut
        there (LightGBM's ``lambdarank_truncation_level``). None: all pairs.
    normalize : {"log", "query", "none"}, default="log"
        Factor on each query, so that big queries do not drown small ones. "log": log2(1 + S) / S with
        S = 2 sum |lambda| before weights, as LightGBM's lambdarank and XGBoost's ``rank:*`` do by default; a query's
        Hessians then sum to about 0.5 log2(pairs) at the start. "query": n_q / sum of phi, with n_q the rows that take
        part; without pair weights the Hessians sum to n_q / 2, as for a regression, whatever the size of the query: for
        few, huge queries under XGBoost's ``min_child_weight=1``. "none": the plain sum.

        The default is measured, and provisional (``benchmarks/results/normalize.md``): cross-validated on two real
        sets with both boosters, "log" is nowhere clearly worse, and clearly better than "none" with XGBoost
        (NDCG@10 0.769 against 0.760 on one set, pair accuracy 0.690 against 0.667 on the other).
    hessian_scale : float, default=1.0
        Multiplies the Hessian; 2 is what XGBoost's native ``rank:pairwise`` uses.
    ignore_negative_labels : bool or None, default=None
        True: rows with a label below 0 take no part (KerasRS). False: they are labels like any other (returns,
        XGBoost's -1). None: a negative label is an error.
    item_weight : {"winner", "both"}, default="winner"
        A pair weighs its winner's item weight (KerasRS, Rax, TF-Ranking), or the product of both rows' weights.
    n_threads : int or None, default=None
        Threads to compute with; the results do not depend on it. None: as many as the booster is told to use, where
        that is known (a ranker's ``n_jobs``, LightGBM's ``num_threads``, a DMatrix's ``nthread``), else all cores.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Where the gradient is computed; there is no engine for "cuda" yet, and "auto" is the CPU.

    References
    ----------
    Burges et al., "Learning to rank using gradient descent", ICML 2005. Burges, "From RankNet to LambdaRank to
    LambdaMART: an overview", MSR-TR-2010-82. Normaliser "log" and the distance of scores: LightGBM,
    ``rank_objective.hpp``.

    Examples
    --------
    >>> from gbdt_pairloss import PairwiseLogistic
    >>> obj = PairwiseLogistic(normalize="none")
    >>> round(obj.loss([1, 0, 1, 3, 2], [1, 3, 2, 4, 0.8], reduction="mean"), 5)
    1.70708
    """

    name = "pairwise_logistic"
    pair_loss = LOGISTIC


@register
class BPR(PairwiseObjective):
    """Bayesian personalised ranking: every positive of a user against every negative, exactly.

    Labels above ``threshold`` are positives, the others negatives; the loss of a pair is the pairwise logistic one,
    computed as a stable softplus for any scores. Summing over all negatives is the exact expectation of BPR with
    uniformly sampled negatives (times their number), without the noise.

    Parameters
    ----------
    threshold : float, default=0.0
        A row is a positive if its label is above it.
    negatives : {"all"}, default="all"
        The negatives that each positive is compared with.
    temperature, pair_weight, gain, truncation, normalize, hessian_scale, ignore_negative_labels, item_weight
        As in :class:`PairwiseLogistic`; pair weights see a positive as label 1, a negative as 0.
    n_threads, device
        As in :class:`PairwiseLogistic`.

    References
    ----------
    Rendle et al., "BPR: Bayesian personalized ranking from implicit feedback", UAI 2009.
    """

    name = "bpr"
    pair_loss = LOGISTIC

    def __init__(
        self,
        *,
        threshold: float = 0.0,
        negatives: str = "all",
        temperature: float = 1.0,
        pair_weight: str = "uniform",
        gain: str = "exp2",
        truncation: int | None = None,
        normalize: str = "log",
        hessian_scale: float = 1.0,
        ignore_negative_labels: bool | None = None,
        item_weight: str = "winner",
        n_threads: int | None = None,
        device: str = "auto",
    ) -> None:
        self.threshold = threshold
        self.negatives = negatives
        super().__init__(
            temperature=temperature,
            pair_weight=pair_weight,
            gain=gain,
            truncation=truncation,
            normalize=normalize,
            hessian_scale=hessian_scale,
            ignore_negative_labels=ignore_negative_labels,
            item_weight=item_weight,
            n_threads=n_threads,
            device=device,
        )

    def compute(self, positives_scores: ArrayLike, negatives_scores: ArrayLike) -> NDArray[np.float64]:
        """The loss of each negative against its row's positive (Merlin's ``BPRLoss.compute``).

        Parameters
        ----------
        positives_scores : array of shape (n_rows, 1)
        negatives_scores : array of shape (n_rows, n_negatives)

        Returns
        -------
        loss : float64 array of shape (n_rows, n_negatives)
            softplus(-(positive - negative) / T).

        Raises
        ------
        ValueError
            If the shapes do not fit or the scores are not numbers.
        """
        positives = as_numeric(positives_scores, "positives_scores").astype(np.float64)
        negatives = as_numeric(negatives_scores, "negatives_scores").astype(np.float64)
        if positives.ndim != 2 or negatives.ndim != 2 or positives.shape != (negatives.shape[0], 1):
            raise ValueError(
                f"positives_scores has shape {positives.shape} and negatives_scores {negatives.shape}; "
                "they must be (n_rows, 1) and (n_rows, n_negatives)"
            )
        return self.pair_loss.derivatives((positives - negatives) / self.temperature)[0]

    def _ranking_labels(self, labels: NDArray[Any]) -> NDArray[Any]:
        return (labels > self.threshold).astype(np.float64)

    def _nothing_to_learn(self) -> str:
        return f"no query has both a positive (label above threshold={self.threshold}) and a negative"

    def plan_key(self) -> Hashable:
        return (*super().plan_key(), self.threshold)  # type: ignore[misc]

    def _check_params(self) -> None:
        super()._check_params()
        check_choice(self.negatives, "negatives", ("all",))
        if not isinstance(self.threshold, (int, float, np.number)) or not np.isfinite(self.threshold):
            raise ValueError(f"threshold must be a finite number, got {self.threshold!r}")

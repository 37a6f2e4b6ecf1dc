"""Bayesian personalised ranking."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._docstrings import documented_with
from ..engine.pair_losses import LOGISTIC
from ..engine.spec import Negatives, PairSum
from ..ranking._data import RankingData
from ..ranking._negatives import check_draws
from ..ranking._plan import Plan
from ..ranking._validation import as_numeric, as_vector, check_choice, check_finite_number, check_weights
from ._base import PairwiseObjective
from ._docs import OBJECTIVE_TEXT
from ._interface import RankingObjective
from ._parameters import is_whole, with_shared_parameters
from ._registry import register


@register
@documented_with(OBJECTIVE_TEXT)
class BPR(PairwiseObjective):
    """Bayesian personalised ranking: every positive of a user against every negative, exactly, or against a sample.

    A query is a user. Rows with a label above ``threshold`` are positives, the others negatives. The loss of a pair is
    the pairwise logistic one, -log sigma(s_positive - s_negative), computed as a softplus that is stable for any
    scores. With weights w_i of the positives and v_j of the negatives, and ``normalize="none"``::

        loss      = sum over positives i, negatives j of  w_i v_j log(1 + exp(-(s_i - s_j) / T))
        gradient  : positive -= w_i v_j sigma(-d) / T       negative += w_i v_j sigma(-d) / T,   d = (s_i - s_j) / T

    This is the exact expectation of BPR with negatives sampled in proportion to v (times the sum of v), without the
    noise of sampling, at a cost per row that does not grow with the user's rows.

    Parameters
    ----------
    threshold : float, default=0.0
        A row is a positive if its label is above it.
    negatives : "all" or int, default="all"
        Negatives that each positive is compared with. A number n: n negatives are drawn for each positive, anew in
        every iteration and in proportion to their weight. The user's total weight is cut into n equal parts, and one
        negative is drawn from each part, which adds less noise than independent draws. If n is the number of the user's
        negatives, and their weights are equal, each is drawn once. A drawn pair represents all pairs that it was drawn
        from. Therefore gradient and loss have the expectation of those of "all" (except for ``normalize="log"``, whose
        factor is computed from the drawn pairs). :meth:`metric` reports the expectation.
    negative_weight : "uniform" or array of shape (n_rows,), default="uniform"
        Weights of the rows as negatives, in the caller's order, for the one dataset that has these rows. For several
        datasets, give the weights of each as ``attach(loser_weight=)`` or ``fit(loser_weight=, eval_loser_weight=)``,
        which have the same effect. :meth:`metric` uses ``negative_weight`` for a dataset that was trained on.
        :func:`gbdt_pairloss.popularity_weights` computes such weights from item ids.
    %(shared)s

    Raises
    ------
    %(invalid)s
        In training, if no user has both a positive and a negative, if a user has some negatives of weight above 0 but
        fewer than are to be drawn, or if ``negative_weight`` does not have one entry per row.

    See Also
    --------
    PairwiseLogistic : The same loss for graded labels.
    gbdt_pairloss.popularity_weights : Weights of negatives by the popularity of their items.
    gbdt_pairloss.attach : Item ids and weights of negatives beside a booster's dataset.

    Notes
    -----
    Negatives must be rows of the user: none are taken from a catalogue. For ``pair_weight``, the label of a positive is
    1, and that of a negative is 0.

    A false negative is never in a pair: a row that is not a positive, but whose item (``attach(item_id=)``,
    ``fit(item_id=)``) is a positive of the same user in another row, takes no part.

    References
    ----------
    Rendle et al., "BPR: Bayesian personalized ranking from implicit feedback", UAI 2009. Rendle and Freudenthaler,
    "Improving pairwise learning for item recommendation from implicit feedback", WSDM 2014.

    Examples
    --------
    >>> from gbdt_pairloss import BPR
    >>> round(BPR().loss([5, 0, 0], [0.5, 0.0, 1.0], reduction="pair_weights"), 4)
    0.7241
    """

    name = "bpr"
    pair_loss = LOGISTIC
    _reads_item_id = True
    _requires_pairs = True

    @with_shared_parameters
    def __init__(
        self,
        *,
        threshold: float = 0.0,
        negatives: str | int = "all",
        negative_weight: str | ArrayLike = "uniform",
        **params: Any,
    ) -> None:
        self.threshold = threshold
        self.negatives = negatives
        self.negative_weight = negative_weight
        super().__init__(**params)

    def compute(self, positives_scores: ArrayLike, negatives_scores: ArrayLike) -> NDArray[np.float64]:
        """Compute the loss of each negative against its row's positive (Merlin's ``BPRLoss.compute``).

        Parameters
        ----------
        positives_scores : array of shape (n_rows, 1)
            The score of each row's positive.
        negatives_scores : array of shape (n_rows, n_negatives)
            The scores of its negatives.

        Returns
        -------
        loss : float64 array of shape (n_rows, n_negatives)
            log(1 + exp(-(positive - negative) / T)); NaN where a score is NaN.

        Raises
        ------
        ValueError
            If the shapes are not as above, or the scores are not real numbers.
        """
        positives = as_numeric(positives_scores, "positives_scores").astype(np.float64)
        negatives = as_numeric(negatives_scores, "negatives_scores").astype(np.float64)
        if positives.ndim != 2 or negatives.ndim != 2 or positives.shape != (negatives.shape[0], 1):
            raise ValueError(
                f"positives_scores has shape {positives.shape} and negatives_scores {negatives.shape}; "
                "they must be (n_rows, 1) and (n_rows, n_negatives)"
            )
        return self.pair_loss.derivatives((positives - negatives) / self.temperature)[0]

    @property
    def _row_parameter(self) -> str | None:
        return None if isinstance(self.negative_weight, str) else "negative_weight"

    def _prepare(self, data: RankingData, is_own: bool) -> RankingData:
        """Add ``negative_weight`` as loser weights.

        Raise a ValueError if there are loser weights already, or if the parameter belongs to other rows.
        """
        if isinstance(self.negative_weight, str) or (not is_own and data.loser_weight is not None):
            return data
        if data.loser_weight is not None:
            raise ValueError("the negatives are weighed twice: by negative_weight and by the dataset's loser_weight")
        if not is_own:
            raise ValueError(
                "negative_weight belongs to the rows of the training set: give other sets their own, as "
                "attach(loser_weight=) or fit(eval_loser_weight=)"
            )
        weight = as_vector(self.negative_weight, "negative_weight")
        if weight.shape[0] != data.groups.n_rows:
            raise ValueError(
                f"negative_weight has {weight.shape[0]} entries, but the dataset has {data.groups.n_rows} rows: with "
                "several datasets give each its own, as attach(loser_weight=) or fit(loser_weight=, eval_loser_weight=)"
            )
        check_weights(weight, "negative_weight", data.mask)
        return replace(data, loser_weight=weight)

    def _check_explicit_pairs(self, data: RankingData) -> None:
        if self.negatives != "all":
            raise ValueError('explicit pairs are not drawn: give BPR negatives="all" with them')
        super()._check_explicit_pairs(data)

    def _check_plan(self, plan: Plan) -> None:
        if self.negatives != "all" and plan.n_pairs.any():
            check_draws(plan, int(self.negatives))

    def _plan_key(self) -> Hashable:
        weight = self.negative_weight
        digest = weight if isinstance(weight, str) else hash(np.asarray(weight).tobytes())
        return (*super()._plan_key(), self.threshold, digest)  # type: ignore[misc]

    def _ranking_labels(self, labels: NDArray[Any]) -> NDArray[Any]:
        return (labels > self.threshold).astype(np.float64)

    def _candidates(self, data: RankingData, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """Return the mask without negatives whose item is a positive of the same user."""
        if data.item_id is None or data.item_id.size == 0:
            return mask
        item = data.groups.codes * (data.item_id.max() + 1) + data.item_id  # of a user
        positive = data.labels > self.threshold
        if mask is not None:
            positive = positive & mask
        is_false = ~positive & np.isin(item, item[positive])
        return ~is_false if mask is None else mask & ~is_false

    def _decided(self, has_grades: bool) -> RankingObjective:
        return super()._decided(has_grades=True)  # the labels that are ranked are 0 and 1

    def _nothing_to_learn(self) -> str:
        return (
            f"no query has both a positive (label above threshold={self.threshold}) and a negative: the items that a "
            "user passed over must be rows of this user, and threshold= must lie between the labels of the two"
        )

    def _spec(self, random_state: Any, hessian_scale: float, plan: Plan | None = None) -> PairSum:
        spec = super()._spec(random_state, hessian_scale, plan)
        if self.negatives == "all":
            return spec
        return replace(spec, negatives=Negatives(int(self.negatives), self._seed(random_state)))

    def _check_params(self) -> None:
        super()._check_params()
        check_finite_number(self.threshold, "threshold")
        if isinstance(self.negative_weight, str):
            check_choice(self.negative_weight, "negative_weight", ("uniform",))
        elif np.ndim(self.negative_weight) == 0:
            raise ValueError(
                f'negative_weight must be "uniform" or an array with one weight per row, got {self.negative_weight!r}'
            )
        if isinstance(self.negatives, str) and self.negatives == "all":
            return
        if not is_whole(self.negatives, 1):
            raise ValueError(f'negatives must be "all" or a whole number above 0, got {self.negatives!r}')
        if self.pair_weight != "uniform":
            raise ValueError(
                f"pair_weight={self.pair_weight!r} does not apply to drawn negatives, which negative_weight weighs: "
                'use negatives="all"'
            )

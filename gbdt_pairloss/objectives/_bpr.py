"""Bayesian personalised ranking."""

from __future__ import annotations

from collections.abc import Hashable
from copy import copy
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..engine.pair_losses import LOGISTIC
from ..engine.spec import Negatives, PairSum
from ..ranking._data import RankingData
from ..ranking._negatives import check_draws
from ..ranking._plan import Plan
from ..ranking._validation import as_numeric, as_vector, check_choice, check_finite_number, check_weights
from ._base import PairwiseObjective, with_shared_parameters
from ._registry import register


@register
class BPR(PairwiseObjective):
    """Bayesian personalised ranking: every positive of a user against every negative, exactly, or against some drawn.

    A query is a user. Labels above ``threshold`` are positives, the others negatives, which must be rows of the user's
    as well: nothing is taken from a catalogue. The loss of a pair is the pairwise logistic one, -log sigma(s_positive -
    s_negative), computed as a stable softplus for any scores. With weights w_i of the positives and v_j of the
    negatives, and ``normalize="none"``::

        loss = sum over positives i, negatives j of  w_i v_j log(1 + exp(-(s_i - s_j) / T))

    which is the exact expectation of BPR with negatives sampled in proportion to v (times the sum of v), without the
    noise of sampling, at a cost per row that does not grow with the user's rows.

    A false negative is never in a pair: a row that is no positive, but whose item (``attach(item_id=)``,
    ``fit(item_id=)``) is a positive of the same user in another row, takes no part.

    Parameters
    ----------
    threshold : float, default=0.0
        A row is a positive if its label is above it.
    negatives : "all" or int, default="all"
        The negatives that each positive is compared with. A number n: so many are drawn for each positive, anew in
        every iteration, in proportion to their weight, one from each n-th of the user's total weight (which adds less
        noise than independent draws); with as many as the user has, and equal weights, each comes up once. A drawn
        pair stands for all that it was drawn from, so that gradient and loss have the size, and the expectation, of
        those of "all" (but for ``normalize="log"``, whose factor is made of the pairs that are drawn). :meth:`metric`
        reports the expectation.
    negative_weight : "uniform" or array of shape (n_rows,), default="uniform"
        Weights of the rows as negatives, for the one dataset that has these rows, in its caller's order: for several
        datasets give each its own as ``attach(loser_weight=)`` or ``fit(loser_weight=, eval_loser_weight=)``, which are
        the same thing. :meth:`metric` takes it for a dataset that was trained on.
        :func:`gbdt_pairloss.popularity_weights` makes them from item ids.
    random_state : int or None, default=None
        Draws are a function of it, the bits of all scores, and the row: they are the same for any number of threads
        and on every run, other ones as soon as a score has changed, and continued training does not repeat them. None
        is the ranker's ``random_state``, where there is one, or 0.
    temperature, pair_weight, gain, truncation, normalize, hessian_scale, ignore_negative_labels, item_weight
        As in :class:`PairwiseLogistic`; pair weights see a positive as label 1, a negative as 0.
    n_threads, device
        As in :class:`PairwiseLogistic`.

    Raises
    ------
    ValueError
        If a parameter has a value that it cannot have; in training, if no user has both a positive and a negative, a
        user has fewer negatives of weight above 0 than are to be drawn (but some), or ``negative_weight`` does not have
        one entry per row.

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
    reads_item_id = True

    @with_shared_parameters
    def __init__(
        self,
        *,
        threshold: float = 0.0,
        negatives: str | int = "all",
        negative_weight: str | ArrayLike = "uniform",
        random_state: int | None = None,
        **params: Any,
    ) -> None:
        self.threshold = threshold
        self.negatives = negatives
        self.negative_weight = negative_weight
        self.random_state = random_state
        super().__init__(**params)

    def compute(self, positives_scores: ArrayLike, negatives_scores: ArrayLike) -> NDArray[np.float64]:
        """The loss of each negative against its row's positive (Merlin's ``BPRLoss.compute``).

        Parameters
        ----------
        positives_scores : array of shape (n_rows, 1)
            The score of each row's positive.
        negatives_scores : array of shape (n_rows, n_negatives)
            The scores of its negatives.

        Returns
        -------
        loss : float64 array of shape (n_rows, n_negatives)
            log(1 + exp(-(positive - negative) / T)); NaN where a score is.

        Raises
        ------
        ValueError
            If the shapes do not fit, or the scores are not real numbers.
        """
        positives = as_numeric(positives_scores, "positives_scores").astype(np.float64)
        negatives = as_numeric(negatives_scores, "negatives_scores").astype(np.float64)
        if positives.ndim != 2 or negatives.ndim != 2 or positives.shape != (negatives.shape[0], 1):
            raise ValueError(
                f"positives_scores has shape {positives.shape} and negatives_scores {negatives.shape}; "
                "they must be (n_rows, 1) and (n_rows, n_negatives)"
            )
        return self.pair_loss.derivatives((positives - negatives) / self.temperature)[0]

    def prepare(self, data: RankingData, is_own: bool = True) -> RankingData:
        """The data with ``negative_weight`` as loser weights; a ValueError if it has some, or is of other rows."""
        if isinstance(self.negative_weight, str) or (not is_own and data.loser_weight is not None):
            return data
        if data.loser_weight is not None:
            raise ValueError("the negatives are weighed twice: by negative_weight and by the dataset's loser_weight")
        if not is_own:
            raise ValueError(
                "negative_weight is that of the training set's rows: give other sets their own, as "
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

    def seeded(self, random_state: Any) -> PairwiseObjective:
        if self.negatives == "all" or self.random_state is not None or not _is_whole(random_state, 0):
            return self
        twin = copy(self)
        twin.random_state = int(random_state)
        return twin

    def plan(self, data: RankingData) -> Plan:
        """As of any objective; a ValueError if pairs are given that would have to be drawn."""
        if data.pairs is not None and self.negatives != "all":
            raise ValueError('explicit pairs are not drawn: give BPR negatives="all" with them')
        return super().plan(data)

    def check_plan(self, plan: Plan) -> None:
        draws = self._draws()
        if draws is not None and plan.n_pairs.any():
            check_draws(plan, draws.n)

    def check_learnable(self, plan: Plan) -> None:
        if not plan.n_pairs.any():
            raise ValueError(f"nothing can be learned: {self._reason(plan)}")
        super().check_learnable(plan)

    @property
    def row_parameter(self) -> str | None:  # type: ignore[override]
        """Its parameter that is an array with one entry per row of the training set; None if it has none."""
        return None if isinstance(self.negative_weight, str) else "negative_weight"

    def plan_key(self) -> Hashable:
        weight = self.negative_weight
        digest = weight if isinstance(weight, str) else hash(np.asarray(weight).tobytes())
        return (*super().plan_key(), self.threshold, digest)  # type: ignore[misc]

    def _ranking_labels(self, labels: NDArray[Any]) -> NDArray[Any]:
        return (labels > self.threshold).astype(np.float64)

    def _candidates(self, data: RankingData, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """Without the negatives whose item is a positive of their user's."""
        if data.item_id is None or data.item_id.size == 0:
            return mask
        item = data.groups.codes * (data.item_id.max() + 1) + data.item_id  # of a user
        positive = data.labels > self.threshold
        if mask is not None:
            positive = positive & mask
        is_false = ~positive & np.isin(item, item[positive])
        return ~is_false if mask is None else mask & ~is_false

    def _nothing_to_learn(self) -> str:
        return (
            f"no query has both a positive (label above threshold={self.threshold}) and a negative: the items that a "
            "user passed over must be rows of theirs, and threshold= must lie between the labels of the two"
        )

    def _draws(self) -> Negatives | None:
        if self.negatives == "all":
            return None
        return Negatives(int(self.negatives), 0 if self.random_state is None else int(self.random_state))

    def _pairs(self) -> PairSum:
        return replace(super()._pairs(), negatives=self._draws())

    def _check_params(self) -> None:
        super()._check_params()
        check_finite_number(self.threshold, "threshold")
        if isinstance(self.negative_weight, str):
            check_choice(self.negative_weight, "negative_weight", ("uniform",))
        elif np.ndim(self.negative_weight) == 0:
            raise ValueError(
                f'negative_weight must be "uniform" or an array with one weight per row, got {self.negative_weight!r}'
            )
        if self.random_state is not None and not (_is_whole(self.random_state, 0) and int(self.random_state) < 2**64):
            raise ValueError(
                f"random_state must be None or a whole number from 0, below 2^64, got {self.random_state!r}: draws are "
                "a function of it, and a generator would have a state"
            )
        if isinstance(self.negatives, str) and self.negatives == "all":
            return
        if not _is_whole(self.negatives, 1):
            raise ValueError(f'negatives must be "all" or a whole number above 0, got {self.negatives!r}')
        if self.pair_weight != "uniform":
            raise ValueError(
                f"pair_weight={self.pair_weight!r} does not go with drawn negatives, which negative_weight weighs: "
                'take negatives="all"'
            )


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least

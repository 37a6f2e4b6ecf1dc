"""The machinery that all pairwise objectives share: parameters, plans, weights, reductions, what boosters call."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone

from .adapters import Adapter, adapter_of
from .data import RankingData, read_arrays
from .engine import DeltaNDCG, Engine, PairLoss, PairSum, get_engine
from .plan import Plan, build_plan
from .plan_cache import cached_plan
from .training import TrainingWatch, check_learnable
from .validation import Float64Array, check_choice, check_positive

REDUCTIONS = ("sum", "mean", "sum_over_batch_size", "mean_with_sample_weight", "none", "pairs", "pair_weights")

PAIR_WEIGHTS = ("uniform", "label_diff", "gain_diff", "ndcg", "lambdarank")

_REGISTRY: dict[str, type[PairwiseObjective]] = {}


def register(objective: type[PairwiseObjective]) -> type[PairwiseObjective]:
    """Make an objective known to :func:`get_objective` and to the rankers by its ``name``."""
    _REGISTRY[objective.name] = objective
    return objective


def objective_names() -> tuple[str, ...]:
    """The names that :func:`get_objective` and the rankers' ``objective=`` take."""
    return tuple(_REGISTRY)


def get_objective(name: str | PairwiseObjective, **params: Any) -> PairwiseObjective:
    """Make an objective from its name.

    Parameters
    ----------
    name : {"pairwise_logistic", "bpr"} or PairwiseObjective
        An objective is returned as it is (and then takes no parameters).
    **params
        The objective's parameters.

    Raises
    ------
    ValueError
        If there is no objective of that name.
    """
    if isinstance(name, PairwiseObjective):
        if params:
            raise ValueError("parameters go with an objective's name; use set_params on an objective")
        return name
    if name not in _REGISTRY:
        raise ValueError(f"there is no objective {name!r}; known: {', '.join(_REGISTRY)}")
    return _REGISTRY[name](**params)


def gains(labels: Float64Array, gain: str, at_least_0: bool) -> Float64Array:
    """The gain of each label: "exp2", 2^y - 1, or "linear", y.

    Raises
    ------
    ValueError
        If a gain is not finite, or below 0 where NDCG is made of them.
    """
    if at_least_0 and labels.min(initial=0.0) < 0:
        raise ValueError(
            f"NDCG has no gain for the negative label {labels.min()}: shift the labels, let the objective ignore such "
            'rows (ignore_negative_labels=True), or use pair_weight="label_diff"'
        )
    if gain == "linear":
        return labels
    with np.errstate(over="ignore"):
        # Near 0 the difference of 2^y and 1 would lose digits.
        values = np.where(np.abs(labels) < 0.5, np.expm1(labels * np.log(2.0)), np.exp2(labels) - 1.0)
    if not np.isfinite(values).all():
        raise ValueError(f'gain="exp2" overflows for the label {labels.max()}; use gain="linear"')
    return values


class PairwiseObjective(BaseEstimator):  # type: ignore[misc]
    """Shared machinery of the pairwise objectives; see :class:`PairwiseLogistic` for the parameters.

    A subclass sets ``name``, ``pair_loss`` and, if labels are not taken as they are, ``_ranking_labels``.
    """

    name: ClassVar[str]
    pair_loss: ClassVar[PairLoss]

    def __init__(
        self,
        *,
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
        self.temperature = temperature
        self.pair_weight = pair_weight
        self.gain = gain
        self.truncation = truncation
        self.normalize = normalize
        self.hessian_scale = hessian_scale
        self.ignore_negative_labels = ignore_negative_labels
        self.item_weight = item_weight
        self.n_threads = n_threads
        self.device = device
        self._check_params()

    def set_params(self, **params: Any) -> PairwiseObjective:
        """Set parameters by name; a ValueError if one does not exist or its value is not allowed."""
        before = self.get_params(deep=False)
        try:
            super().set_params(**params)
            self._check_params()
        except ValueError:
            super().set_params(**before)
            raise
        return self

    # What the boosters call.

    def __call__(self, preds: NDArray[Any], dataset: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Gradient and Hessian for ``lgb.train`` and ``xgb.train``.

        Parameters
        ----------
        preds : array of shape (n_rows,)
            Raw scores.
        dataset : lightgbm.Dataset or xgboost.DMatrix (or its kin)
            With groups. LightGBM's row weights are item weights, XGBoost's weights are query weights;
            :func:`gbdt_pairloss.attach` adds what the dataset cannot hold.

        Returns
        -------
        gradient, hessian : float32 arrays of shape (n_rows,), C-contiguous
            Weights are applied (neither booster applies them to a custom objective).

        Raises
        ------
        TypeError
            If ``dataset`` is not a booster's dataset.
        ValueError
            If the dataset has no groups, or labels, weights or scores are bad, or every pair has weight 0.

        Warns
        -----
        UserWarning
            If nothing can be learned: no pair, or Hessians too small for a split; or if the first tree has no split.
        """
        adapter = self._adapter(dataset)
        adapter.check_trainable(dataset)
        cached = cached_plan(dataset, adapter.read_dataset(dataset), self.plan_key(), self.plan)
        if cached.watch is None:
            cached.watch = TrainingWatch(adapter.MIN_CHILD_HESSIAN)
        return self.on_threads(adapter.number_of_threads(dataset)).boost(cached.plan, np.asarray(preds), cached.watch)

    def metric(self, preds: NDArray[Any], dataset: Any) -> Any:
        """The mean loss of a pair, sum of omega l / sum of omega, for ``feval=`` and ``custom_metric=``.

        Returns
        -------
        result : tuple
            ``(name, value, False)`` for LightGBM, ``(name, value)`` for XGBoost; smaller is better.
        """
        adapter = self._adapter(dataset)
        plan = cached_plan(dataset, adapter.read_dataset(dataset), self.plan_key(), self.plan).plan
        value = self.on_threads(adapter.number_of_threads(dataset)).mean_pair_loss(plan, np.asarray(preds))
        return adapter.metric_result(self.name, value, False)

    # What anybody calls.

    def gradient_hessian(
        self,
        y_true: ArrayLike | dict[str, Any],
        y_pred: ArrayLike,
        *,
        group: ArrayLike | None = None,
        qid: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Gradient and diagonal Hessian of ``loss(..., reduction="sum")`` with respect to the scores.

        Parameters
        ----------
        y_true, y_pred : arrays of shape (n_rows,) or (n_lists, list_length)
            Labels and scores. 1-D with ``group`` or ``qid``, else one list; 2-D: each row is a list.
            ``y_true`` may be ``{"labels": ..., "mask": ...}``.
        group : array of shape (n_queries,), optional
            Rows of each query, in order.
        qid : array of shape (n_rows,), optional
            Query id of each row: any dtype, any order.
        sample_weight : array, optional
            One per row: item weights. One per query, with ``group`` (or 2-D, of shape (n_lists, 1)): query weights.
        mask : bool array of the shape of ``y_pred``, optional
            False: the row takes no part; its label, score and weight may be anything, NaN included.

        Returns
        -------
        gradient, hessian : arrays of the shape of ``y_pred``
            float32 if ``y_pred`` is, else float64. The Hessian is multiplied by ``hessian_scale``.

        Raises
        ------
        ValueError
            If shapes or groups do not fit, or a label, score or weight is NaN, infinite or negative where it
            must not be.
        """
        given = read_arrays(y_true, y_pred, group=group, qid=qid, sample_weight=sample_weight, mask=mask)
        plan = self.plan(given.data)
        dtype = given.scores.dtype
        gradient, hessian = self._gradient_hessian(plan, given.scores, dtype)
        return gradient.reshape(given.shape), hessian.reshape(given.shape)

    def loss(
        self,
        y_true: ArrayLike | dict[str, Any],
        y_pred: ArrayLike,
        *,
        group: ArrayLike | None = None,
        qid: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        reduction: str = "sum",
    ) -> Any:
        """The loss of given scores.

        Parameters
        ----------
        y_true, y_pred, group, qid, sample_weight, mask
            As in :meth:`gradient_hessian`.
        reduction : str
            What the weighted losses of the pairs (normaliser included) become:

            - ``"sum"``: their sum, which :meth:`gradient_hessian` differentiates;
            - ``"mean"`` or ``"sum_over_batch_size"``: sum / number of array cells, ignored ones too (KerasRS);
            - ``"mean_with_sample_weight"``: sum / sum of ``sample_weight`` as given, over all cells; over the
              lists if there is one weight per list; without weights the number of cells (KerasRS);
            - ``"none"``: an array of the shape of ``y_pred``, each row's sum over the pairs that it wins (KerasRS);
            - ``"pairs"``: sum / number of pairs (Rax);
            - ``"pair_weights"``: sum / sum of omega (CatBoost's PairLogit); this is what :meth:`metric` reports.

            A divisor of zero gives 0.

        Returns
        -------
        loss : float, or float64 array for ``reduction="none"``

        Raises
        ------
        ValueError
            As :meth:`gradient_hessian`, and for an unknown reduction.

        Notes
        -----
        ``normalize="log"`` rescales a gradient and has no potential: its factor is taken at ``y_pred`` and held fixed.
        """
        check_choice(reduction, "reduction", REDUCTIONS)
        given = read_arrays(y_true, y_pred, group=group, qid=qid, sample_weight=sample_weight, mask=mask)
        plan = self.plan(given.data)
        loss, weight = self._engine().winner_loss(plan, given.scores, self._pairs(), given.scores.dtype)
        if reduction == "none":
            return loss.reshape(given.shape)
        divisor = {
            "sum": 1.0,
            "mean": float(given.scores.size),
            "sum_over_batch_size": float(given.scores.size),
            "mean_with_sample_weight": given.sum_of_weights,
            "pairs": float(plan.n_pairs.sum()),
            "pair_weights": float(weight.sum()),
        }[reduction]
        return float(loss.sum()) / divisor if divisor > 0 else 0.0

    # What the rankers call, with plans of their own making.

    def on_threads(self, n_threads: Any) -> PairwiseObjective:
        """This objective with the booster's number of threads, where it has none of its own and the booster has one."""
        if self.n_threads is not None or not isinstance(n_threads, Integral) or n_threads < 1:
            return self
        return clone(self).set_params(n_threads=int(n_threads))  # type: ignore[no-any-return]

    def boost(
        self, plan: Plan, scores: NDArray[Any], watch: TrainingWatch
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Gradient and Hessian of a plan as a booster takes them: float32, checked and watched."""
        check_learnable(plan, self._nothing_to_learn())
        self._check_shape(plan, scores)
        gradient, hessian = self._gradient_hessian(plan, scores, np.float32)
        if plan.has_weighted_pair:
            watch.look(scores, gradient, hessian)
        return gradient, hessian

    def mean_pair_loss(self, plan: Plan, scores: NDArray[Any]) -> float:
        """``loss`` with ``reduction="pair_weights"`` on a plan.

        Raises
        ------
        ValueError
            If there is no pair with a weight.
        """
        self._check_shape(plan, scores)
        if not plan.has_weighted_pair:
            raise ValueError(f"{self.name} is undefined: {self._nothing_to_learn()}, or all weights are 0")
        loss, weight = self._engine().winner_loss(plan, scores, self._pairs(), np.float32)
        total = float(weight.sum())
        return float(loss.sum()) / total if total > 0 else 0.0

    def plan(self, data: RankingData) -> Plan:
        """The plan of checked data, as this objective sees its labels."""
        mask = self.rows_taking_part(data.labels, data.mask)
        return build_plan(data, self._ranking_labels(data.labels), mask, self.item_weight, self._value_of())

    def rows_taking_part(self, labels: NDArray[Any], mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """The mask with the rows of ignored (negative) labels taken out; None if all rows take part.

        Raises
        ------
        ValueError
            If a label is negative and ``ignore_negative_labels`` is None.
        """
        if self.ignore_negative_labels is not None and not self.ignore_negative_labels:
            return mask
        negative = labels < 0 if mask is None else (labels < 0) & mask
        if not negative.any():
            return mask
        if self.ignore_negative_labels is None:
            row = int(np.flatnonzero(negative)[0])
            raise ValueError(
                f"the label is {labels[row]} at row {row}, and what a negative label means is not said: "
                "give the objective ignore_negative_labels=True (such rows take no part, as in KerasRS) or "
                "ignore_negative_labels=False (a label like any other, as in XGBoost)"
            )
        return ~negative if mask is None else mask & ~negative

    # Inside.

    def _ranking_labels(self, labels: NDArray[Any]) -> NDArray[Any]:
        """The labels whose order makes the pairs."""
        return labels

    def _value_of(self) -> Callable[[Float64Array], Float64Array] | None:
        """Labels to the values whose differences weigh the pairs."""
        if self.pair_weight == "label_diff":
            return lambda labels: labels
        if self.pair_weight == "uniform":
            return None
        return partial(gains, gain=self.gain, at_least_0=self.pair_weight != "gain_diff")

    def _nothing_to_learn(self) -> str:
        """Why no pair exists, in the words of this objective's labels."""
        return "no query has two rows with different labels"

    def plan_key(self) -> Hashable:
        """What a plan depends on: how the objective reads labels, and its parameters that matter to it."""
        return (
            type(self)._ranking_labels,
            self.ignore_negative_labels,
            self.item_weight,
            self.pair_weight if self.pair_weight != "lambdarank" else "ndcg",
            self.pair_weight != "uniform" and self.gain,
        )

    def _gradient_hessian(self, plan: Plan, scores: NDArray[Any], dtype: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        return self._engine().gradient_hessian(plan, scores, self._pairs(), dtype)

    def _pairs(self) -> PairSum:
        delta = None
        if self.pair_weight in ("ndcg", "lambdarank"):
            delta = DeltaNDCG(self.truncation, by_distance=self.pair_weight == "lambdarank")
        return PairSum(self.pair_loss, float(self.temperature), self.normalize, float(self.hessian_scale), delta)

    def _engine(self) -> Engine:
        return get_engine(self.device, self.n_threads, self.pair_loss)

    def _adapter(self, dataset: Any) -> Adapter:
        adapter = adapter_of(dataset)
        if adapter is None:
            raise TypeError(
                f"{type(self).__name__} takes (preds, dataset) with a lightgbm.Dataset or an xgboost.DMatrix, got a "
                f"{type(dataset).__name__}. In an estimator, use gbdt_pairloss.LGBMRanker or "
                "gbdt_pairloss.XGBRanker: the boosters' own hand over arrays without the query groups. "
                "For arrays, call gradient_hessian(y_true, y_pred, ...)."
            )
        return adapter

    def _check_shape(self, plan: Plan, scores: NDArray[Any]) -> None:
        if scores.shape != (plan.n_rows,):
            raise ValueError(
                f"scores have shape {scores.shape}, but the dataset has {plan.n_rows} rows: a ranking objective "
                "takes one score per row"
            )

    def _check_params(self) -> None:
        check_positive(self.temperature, "temperature")
        check_positive(self.hessian_scale, "hessian_scale")
        check_choice(self.pair_weight, "pair_weight", PAIR_WEIGHTS)
        check_choice(self.gain, "gain", ("exp2", "linear"))
        check_choice(self.normalize, "normalize", ("log", "query", "none"))
        if not isinstance(self.ignore_negative_labels, np.bool_):  # what a grid over an array gives
            check_choice(self.ignore_negative_labels, "ignore_negative_labels", (None, True, False))
        check_choice(self.item_weight, "item_weight", ("winner", "both"))
        check_choice(self.device, "device", ("auto", "cpu", "cuda"))
        for name in ("n_threads", "truncation"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, Integral) or value < 1):
                raise ValueError(f"{name} must be a whole number above 0 or None, got {value!r}")
        if self.truncation is not None and self.pair_weight not in ("ndcg", "lambdarank"):
            raise ValueError(
                'truncation belongs to pair_weight="ndcg" and "lambdarank": other pair weights know no ranks'
            )

"""The machinery that all pairwise objectives share: parameters, plans, weights, reductions, what boosters call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable
from copy import copy
from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from .adapters import Adapter, adapter_of
from .arrays import beside, has_device, is_on_device, like, may_have_device, to_device, to_host
from .data import RankingData, RankingInput, read_arrays
from .documentation import TEXT, documented_with
from .engine import DeltaNDCG, Engine, PairSum, get_engine, unknown_to_gpu
from .listed_plan import ListedPlan
from .pair_weights import DELTA_WEIGHTS, PAIR_WEIGHTS, value_function
from .plan import Plan, build_plan
from .plan_cache import CachedPlan, cached_plan
from .table_plan import TablePlan
from .training import TrainingWatch, check_weights_of_pairs, warn_without_pairs
from .validation import check_choice, check_positive

REDUCTIONS = ("sum", "mean", "sum_over_batch_size", "mean_with_sample_weight", "none", "pairs", "pair_weights")


def with_shared_parameters(init: Any) -> Any:
    """Let ``__init__(self, *, own, **params)`` name the parameters that all objectives share.

    For help, completion, and scikit-learn, which reads parameters and their defaults from the signature.
    """
    own = [p for p in inspect.signature(init).parameters.values() if p.kind is not p.VAR_KEYWORD]
    shared = list(inspect.signature(PairwiseObjective.__init__).parameters.values())[1:]
    init.__signature__ = inspect.Signature([*own, *shared])
    return init


class PairwiseObjective(BaseEstimator):  # type: ignore[misc]
    """Shared machinery of the pairwise objectives; see :class:`PairwiseLogistic` for the parameters.

    A subclass has a ``name`` and a ``pair_loss`` and, if labels are not taken as they are, ``_ranking_labels``.

    Parameters
    ----------
    temperature, pair_weight, gain, truncation, normalize, hessian_scale, ignore_negative_labels, item_weight
        As in :class:`PairwiseLogistic`.
    n_threads, device
        As in :class:`PairwiseLogistic`.

    Raises
    ------
    ValueError
        If a parameter has a value that it cannot have.
    """

    name: Any
    pair_loss: Any  # a PairLoss, maybe a property
    #: Whether ``item_id`` makes a difference.
    reads_item_id: ClassVar[bool] = False
    #: A parameter that is an array with one entry per row of the training set.
    row_parameter: str | None = None

    def __init__(
        self,
        *,
        temperature: float = 1.0,
        pair_weight: str | Callable[[float, float], float] = "uniform",
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

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A pickle may be older than a parameter.
        parameters = inspect.signature(type(self).__init__).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        super().__setstate__({**defaults, **state})

    def set_params(self, **params: Any) -> PairwiseObjective:
        """Set parameters by name, all of them or none.

        Parameters
        ----------
        **params
            Names and values.

        Returns
        -------
        self : PairwiseObjective

        Raises
        ------
        ValueError
            If there is no parameter of a name, or one has a value that it cannot have.
        """
        before = self.get_params(deep=False)
        try:
            super().set_params(**params)
            self._check_params()
        except ValueError:
            super().set_params(**before)
            raise
        return self

    # What the boosters call.

    def __call__(self, preds: Any, dataset: Any) -> tuple[Any, ...]:
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
            Weights are applied (neither booster applies them to a custom objective). CuPy's where ``preds`` are, or
            where the booster takes gradients from a GPU.

        Raises
        ------
        TypeError
            If ``dataset`` is not a booster's dataset.
        ValueError
            If the dataset has no groups, labels, weights or scores are bad, every pair has weight 0, or a gradient
            leaves the range of float32.
        RuntimeError
            For ``device="cuda"``, if there is no device.

        Warns
        -----
        UserWarning
            If nothing can be learned: no pair, or Hessians too small for a split; or if the first tree has no split.
        """
        adapter = self._adapter(dataset)
        adapter.check_trainable(dataset)
        scores = self._scores(adapter, preds)
        cached = self._cached_plan(adapter, dataset, scores, is_own=True)
        self.check_plan(cached.plan)
        self.check_learnable(cached.plan)
        if cached.watch is None:
            cached.watch = TrainingWatch(adapter.MIN_CHILD_HESSIAN)
        return self.on_threads(adapter.number_of_threads(dataset)).boost(cached.plan, scores, cached.watch)

    def metric(self, preds: NDArray[Any], dataset: Any) -> Any:
        """The mean loss of a pair, sum of omega l / sum of omega, for ``feval=`` and ``custom_metric=``.

        Parameters
        ----------
        preds, dataset
            As in :meth:`__call__`.

        Returns
        -------
        result : tuple
            ``(name, value, False)`` for LightGBM, ``(name, value)`` for XGBoost; smaller is better.

        Raises
        ------
        TypeError
            If ``dataset`` is not a booster's dataset.
        ValueError
            If the dataset has no groups, labels, weights or scores are bad, no pair has a weight above 0, or
            LightGBM's DART trains on the dataset.
        RuntimeError
            For ``device="cuda"``, if there is no device.
        """
        adapter = self._adapter(dataset)
        adapter.check_evaluable(dataset)
        scores = self._scores(adapter, preds)
        plan = self._cached_plan(adapter, dataset, scores, is_own=False).plan
        value = self.on_threads(adapter.number_of_threads(dataset)).mean_pair_loss(plan, scores)
        return adapter.metric_result(self.name, value, False)

    # What anybody calls.

    @documented_with(TEXT)
    def gradient_hessian(
        self,
        y_true: ArrayLike | dict[str, Any],
        y_pred: ArrayLike,
        *,
        group: ArrayLike | None = None,
        qid: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        loser_weight: ArrayLike | None = None,
        item_id: ArrayLike | None = None,
        pairs: tuple[ArrayLike, ...] | None = None,
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Gradient and diagonal Hessian of ``loss(..., reduction="sum")`` with respect to the scores.

        Parameters
        ----------
        %(arrays)s
        sample_weight : array of the shape of ``y_pred``, or of shape (n_queries,) or (n_lists, 1), optional
            One per row: item weights. One per query, with ``group`` (or 2-D, as a column): query weights.
        %(mask)s
        loser_weight : array of the shape of ``y_pred``, optional
            Weight of a row as the loser of its pairs.
        item_id : array of the shape of ``y_pred``, optional
            The item that each row is, of any dtype; for :class:`gbdt_pairloss.BPR` alone.
        pairs : (winner, loser) or (winner, loser, weight), optional
            Arrays of shape (n_pairs,): sum over these pairs of rows in the place of those that the labels make; see
            :func:`gbdt_pairloss.attach`. Rows of 2-D arrays count list by list.

        Returns
        -------
        gradient, hessian : arrays of the shape of ``y_pred``
            float32 if ``y_pred`` is, else float64; CuPy's if ``y_pred`` is. The Hessian is multiplied by
            ``hessian_scale``. Rows that take no part get 0.

        Raises
        ------
        ValueError
            If shapes, groups or pairs do not fit, a label, score or weight is NaN, infinite or negative where it must
            not be, a gradient leaves the range of its type, or ``device="cuda"`` does not know the sum.
        TypeError
            If ``pairs`` are not a tuple.
        RuntimeError
            For ``device="cuda"``, if there is no device.
        """
        rows = {"mask": mask, "sample_weight": sample_weight, "loser_weight": loser_weight, "item_id": item_id}
        given, plan = self._read(y_true, y_pred, group=group, qid=qid, pairs=pairs, **rows)
        (scores,) = like(y_pred, given.scores)
        gradient, hessian = self._gradient_hessian(plan, scores, given.scores.dtype)
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
        loser_weight: ArrayLike | None = None,
        item_id: ArrayLike | None = None,
        pairs: tuple[ArrayLike, ...] | None = None,
        reduction: str = "sum",
    ) -> Any:
        """The loss of given scores.

        Parameters
        ----------
        y_true, y_pred, group, qid, sample_weight, mask, loser_weight, item_id, pairs
            As in :meth:`gradient_hessian`.
        reduction : str, default="sum"
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
        loss : float, or float64 array of the shape of ``y_pred`` for ``reduction="none"``

        Raises
        ------
        ValueError
            As :meth:`gradient_hessian`, and for an unknown reduction.
        TypeError, RuntimeError
            As :meth:`gradient_hessian`.

        Notes
        -----
        ``normalize="log"`` rescales a gradient and has no potential: its factor is taken at ``y_pred`` and held fixed.
        """
        check_choice(reduction, "reduction", REDUCTIONS)
        rows = {"mask": mask, "sample_weight": sample_weight, "loser_weight": loser_weight, "item_id": item_id}
        given, plan = self._read(y_true, y_pred, group=group, qid=qid, pairs=pairs, **rows)
        (scores,) = like(y_pred, given.scores)
        loss, weight = self._winner_loss(plan, scores, self._pairs(), given.scores.dtype)
        total, weight_total = _sums(scores, loss, weight)
        if reduction == "none":
            return loss.reshape(given.shape)
        divisor = {
            "sum": 1.0,
            "mean": float(given.scores.size),
            "sum_over_batch_size": float(given.scores.size),
            "mean_with_sample_weight": given.sum_of_weights,
            "pairs": float(plan.n_pairs.sum()),
            "pair_weights": weight_total,
        }[reduction]
        if not np.isfinite(divisor):
            raise ValueError("the sum of sample_weight leaves the range of float64: scale the weights down")
        return total / divisor if divisor > 0 else 0.0

    # What the rankers call, with plans of their own making.

    def seeded(self, random_state: Any) -> PairwiseObjective:
        """This objective with the ranker's seed, where it draws something and has no seed of its own."""
        return self

    def on_threads(self, n_threads: Any) -> PairwiseObjective:
        """This objective with the booster's number of threads, where it has none of its own and the booster has one."""
        if self.n_threads is not None or not isinstance(n_threads, Integral) or n_threads < 1:
            return self
        twin = copy(self)  # not a clone, which would copy arrays and callables every round
        twin.n_threads = int(n_threads)
        return twin

    def on_booster_device(self, training_device: Callable[[], int | None]) -> int | None:
        """The CUDA device to compute on because the booster does, and takes gradients from there; None: no matter."""
        known = self.device == "cuda" or (self.device == "auto" and unknown_to_gpu(self._pairs()) is None)
        ordinal = training_device() if known and may_have_device() else None
        return ordinal if ordinal is not None and has_device() else None

    def boost(self, plan: Plan, scores: Any, watch: TrainingWatch | None) -> tuple[Any, ...]:
        """Gradient and Hessian of a checked plan as a booster takes them: float32, where the scores are, and watched.

        ``watch`` is None for a part of what is trained on, from which nothing follows for the whole.
        """
        self._check_shape(plan, scores)
        gradient, hessian = self._gradient_hessian(plan, scores, np.float32)
        if plan.has_weighted_pair and watch is not None:
            with beside(scores):
                watch.look(scores, gradient, hessian, self.pair_loss.smooth)
        return gradient, hessian

    def mean_pair_loss(self, plan: Plan, scores: Any) -> float:
        """``loss`` with ``reduction="pair_weights"`` on a plan; of drawn pairs, its expectation.

        Raises
        ------
        ValueError
            If there is no pair with a weight.
        """
        self._check_shape(plan, scores)
        if not plan.has_weighted_pair:
            raise ValueError(f"{self.name} is undefined: {self._reason(plan)}, or all weights are 0")
        loss, weight = self._winner_loss(plan, scores, replace(self._pairs(), negatives=None), np.float32)
        total, weight_total = _sums(scores, loss, weight)
        return total / weight_total if weight_total > 0 else 0.0

    def prepare(self, data: RankingData, is_own: bool = True) -> RankingData:
        """A dataset with what the objective itself knows of its rows, which stand as its caller has them.

        ``is_own``: whether arrays among the objective's parameters belong to this dataset.
        """
        return data

    def check_plan(self, plan: Plan) -> None:
        """Raise a ValueError if this objective cannot train on a plan, or on a part of one."""

    def check_learnable(self, plan: Plan) -> None:
        """Raise a ValueError if nothing can be learned from a plan; warn if that may be what the data say."""
        check_weights_of_pairs(plan)
        warn_without_pairs(plan, self._reason(plan))

    def plan(self, data: RankingData) -> Plan:
        """The plan of checked and prepared data, as this objective sees its labels.

        Raises
        ------
        ValueError
            If explicit pairs meet what takes them apart or weighs them anew, or a label is negative and nothing is said
            of these.
        """
        if data.pairs is not None:
            if data.item_id is not None and self.reads_item_id:
                raise ValueError("item_id takes no row out of explicit pairs: leave one of them out")
            if self.pair_weight != "uniform":
                raise ValueError(
                    f"explicit pairs have weights of their own: pair_weight={self.pair_weight!r} does not apply to "
                    'them, leave it at "uniform"'
                )
            plan = build_plan(data, np.zeros(data.labels.shape), data.mask, self.item_weight)
            return ListedPlan.of(plan, data.pairs.checked(data.groups))
        labels = self._ranking_labels(data.labels)
        mask = self._candidates(data, self.rows_taking_part(data.labels, data.mask))
        plan = build_plan(data, labels, mask, self.item_weight, value_function(self.pair_weight, self.gain))
        if callable(self.pair_weight):
            return TablePlan.of(plan, self.pair_weight)
        return plan

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

    def _read(self, y_true: Any, y_pred: Any, **arguments: Any) -> tuple[RankingInput, Plan]:
        """Arrays, checked, and their plan."""
        if arguments["item_id"] is not None and not self.reads_item_id:
            raise ValueError(f"item_id makes a difference to BPR only, and the objective is {self.name}")
        given = read_arrays(y_true, y_pred, **arguments)
        return given, self.plan(self.prepare(given.data))

    def _ranking_labels(self, labels: NDArray[Any]) -> NDArray[Any]:
        """The labels whose order makes the pairs."""
        return labels

    def _candidates(self, data: RankingData, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """The mask without rows that cannot be in a pair for a reason of this objective's."""
        return mask

    def _nothing_to_learn(self) -> str:
        """Why no pair exists, in the words of this objective's labels."""
        return "no query has two rows with different labels"

    def _reason(self, plan: Plan) -> str:
        """Why a plan has no pair."""
        if isinstance(plan, ListedPlan):
            return "no explicit pair has two rows that take part"
        return self._nothing_to_learn()

    def plan_key(self) -> Hashable:
        """What a plan depends on: how the objective reads labels, and its parameters that matter to it."""
        return (
            type(self)._ranking_labels,
            type(self)._candidates,
            self.ignore_negative_labels,
            self.item_weight,
            self.pair_weight if self.pair_weight != "lambdarank" else "ndcg",
            self.pair_weight != "uniform" and self.gain,
        )

    def _cached_plan(self, adapter: Adapter, dataset: Any, scores: Any, is_own: bool) -> CachedPlan:
        """The plan of a booster's dataset, which the host can afford to read anew every time."""
        return cached_plan(
            dataset,
            lambda: adapter.read_dataset(dataset),
            self.plan_key(),
            lambda data: self.plan(self.prepare(data, is_own)),
            adapter.version(dataset) if is_on_device(scores) else None,
        )

    def _scores(self, adapter: Adapter, preds: Any) -> Any:
        """What a booster hands over, and on the device where that takes gradients from there."""
        scores = preds if is_on_device(preds) else np.asarray(preds)
        ordinal = self.on_booster_device(adapter.training_device)
        return scores if ordinal is None else to_device(scores, ordinal)

    def _gradient_hessian(self, plan: Plan, scores: Any, dtype: Any) -> tuple[Any, ...]:
        """Gradient and Hessian, where the scores are."""
        pairs = self._pairs()
        engine, given = self._engine(plan, pairs, scores)
        with np.errstate(over="ignore", invalid="ignore"):  # engines look at what comes out
            return like(scores, *engine.gradient_hessian(plan, given, pairs, dtype))

    def _winner_loss(self, plan: Plan, scores: Any, pairs: PairSum, dtype: Any) -> tuple[Any, ...]:
        """The loss of the pairs that each row wins, and their weights, where the scores are."""
        engine, given = self._engine(plan, pairs, scores)
        with np.errstate(over="ignore", invalid="ignore"):  # callers look at what comes out
            return like(scores, *engine.winner_loss(plan, given, pairs, dtype))

    def _pairs(self) -> PairSum:
        delta = None
        if self.pair_weight in DELTA_WEIGHTS:
            delta = DeltaNDCG(self.truncation, by_distance=self.pair_weight == "lambdarank")
        return PairSum(self.pair_loss, float(self.temperature), self.normalize, float(self.hessian_scale), delta)

    def _engine(self, plan: Plan, pairs: PairSum, scores: Any) -> tuple[Engine, Any]:
        """An engine, and the scores as it takes them."""
        engine = get_engine(self.device, self.n_threads, plan, pairs, scores)
        return engine, scores if engine.takes_device_arrays else to_host(scores)

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

    def _check_shape(self, plan: Plan, scores: Any) -> None:
        if scores.shape != (plan.n_rows,):
            raise ValueError(
                f"scores have shape {scores.shape}, but the dataset has {plan.n_rows} rows: a ranking objective "
                "takes one score per row"
            )

    def _check_params(self) -> None:
        check_positive(self.temperature, "temperature")
        check_positive(self.hessian_scale, "hessian_scale")
        if not callable(self.pair_weight):
            check_choice(self.pair_weight, "pair_weight", PAIR_WEIGHTS)
        elif not isinstance(self.pair_weight, Hashable):
            raise ValueError("a callable pair_weight must be hashable: plans are kept by it")
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
        if self.truncation is not None and self.pair_weight not in DELTA_WEIGHTS:
            raise ValueError(
                'truncation belongs to pair_weight="ndcg" and "lambdarank": other pair weights know no ranks'
            )


def _sums(scores: Any, *arrays: Any) -> tuple[float, ...]:
    """The sums of arrays that are where the scores are; a ValueError if one leaves the range of float64."""
    with beside(scores), np.errstate(over="ignore"):
        totals = tuple(float(array.sum()) for array in arrays)
    if not np.isfinite(totals).all():
        raise ValueError(
            "the sum of the losses, or of their weights, leaves the range of float64: scale the weights down"
        )
    return totals

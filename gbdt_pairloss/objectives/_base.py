"""What boosters and users call on any pairwise objective: gradients, losses, and the metric."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._device import is_on_device, like, to_device
from .._docstrings import TEXT, documented_with
from ..ranking._adapter import Adapter, adapter_of
from ..ranking._plan import Plan
from ..ranking._reading import RankingInput, read_arrays
from ..ranking._validation import check_choice
from ._diagnostics import TrainingWatch
from ._evaluator import PlannedObjective, check_range, sums_of
from ._plan_cache import CachedPlan, cached_plan

REDUCTIONS = ("sum", "mean", "sum_over_batch_size", "mean_with_sample_weight", "none", "pairs", "pair_weights")


def with_shared_parameters(init: Any) -> Any:
    """Let ``__init__(self, *, own, **params)`` name the parameters that all objectives share.

    For help, completion, and scikit-learn, which reads parameters and their defaults from the signature.
    """
    own = [p for p in inspect.signature(init).parameters.values() if p.kind is not p.VAR_KEYWORD]
    shared = list(inspect.signature(PairwiseObjective.__init__).parameters.values())[1:]
    init.__signature__ = inspect.Signature([*own, *shared])
    return init


class PairwiseObjective(PlannedObjective):
    """Base of the pairwise objectives; see :class:`PairwiseLogistic` for the parameters.

    A subclass has a ``name`` and a ``pair_loss``, and may have the hooks of :class:`PlannedObjective`.

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
        if reduction == "none":
            check_range(scores, loss)
            return loss.reshape(given.shape)
        total, weight_total = sums_of(scores, loss, weight)
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

    # Inside.

    def _read(self, y_true: Any, y_pred: Any, **arguments: Any) -> tuple[RankingInput, Plan]:
        """Arrays, checked, and their plan."""
        if arguments["item_id"] is not None and not self.reads_item_id:
            raise ValueError(f"item_id makes a difference to BPR only, and the objective is {self.name}")
        given = read_arrays(y_true, y_pred, **arguments)
        return given, self.plan(self.prepare(given.data))

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

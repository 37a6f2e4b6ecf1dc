"""The base class of all pairwise objectives: callbacks of the boosters, gradients and losses of arrays, the metric."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._device import is_on_device, like
from .._docstrings import documented_with
from ..ranking._plan import Plan
from ..ranking._reading import RankingInput, read_arrays
from ..ranking._validation import check_choice
from ._dataset_state import DatasetState, state_of
from ._docs import OBJECTIVE_TEXT
from ._evaluator import ObjectiveEvaluator, check_losses, sums_of
from ._parameters import ObjectiveParameters

REDUCTIONS = ("sum", "mean", "sum_over_batch_size", "mean_with_sample_weight", "none", "pairs", "pair_weights")


@documented_with(OBJECTIVE_TEXT)
class PairwiseObjective(ObjectiveParameters):
    """Base class of the pairwise objectives.

    A subclass has a ``name`` and a ``pair_loss``, the loss of one pair.

    Parameters
    ----------
    %(shared)s

    Raises
    ------
    %(invalid)s
    """

    # Booster callbacks

    def __call__(self, preds: Any, dataset: Any) -> tuple[Any, ...]:
        """Compute gradient and Hessian for ``lgb.train`` and ``xgb.train``.

        Parameters
        ----------
        preds : array of shape (n_rows,)
            Raw scores.
        dataset : lightgbm.Dataset or xgboost.DMatrix (or a subclass)
            A dataset with groups. LightGBM's row weights are item weights, XGBoost's weights are query weights;
            :func:`gbdt_pairloss.attach` adds what the dataset cannot hold.

        Returns
        -------
        gradient, hessian : float32 arrays of shape (n_rows,), C-contiguous
            Weights are applied (neither booster applies them to a custom objective). CuPy arrays if ``preds`` is one,
            or if the booster takes gradients from a GPU.

        Raises
        ------
        TypeError
            If ``dataset`` is not a booster's dataset.
        ValueError
            If the dataset has no groups, if a label, weight or score is not valid, if every pair has weight 0, or if a
            gradient leaves the range of float32.
        RuntimeError
            For ``device="cuda"``, if there is no device.

        Warns
        -----
        UserWarning
            If nothing can be learned, because there is no pair or the Hessians are too small for a split; if the first
            tree has no split.
        """
        state = self._state(dataset)
        state.adapter.check_trainable(dataset)
        evaluator, scores, plan = self._read_dataset(state, preds, dataset, is_own=True)
        evaluator.check_plan(plan)
        evaluator.check_learnable(plan)
        return evaluator.boost(plan, scores, state.watch(plan))

    def metric(self, preds: NDArray[Any], dataset: Any) -> Any:
        """Compute the mean loss of a pair, sum of omega l / sum of omega, for ``feval=`` and ``custom_metric=``.

        Parameters
        ----------
        preds : array of shape (n_rows,)
            Raw scores.
        dataset : lightgbm.Dataset or xgboost.DMatrix (or a subclass)
            A dataset with groups.

        Returns
        -------
        result : tuple
            ``(name, value, False)`` for LightGBM, ``(name, value)`` for XGBoost; smaller is better.

        Raises
        ------
        TypeError
            If ``dataset`` is not a booster's dataset.
        ValueError
            If the dataset has no groups, if a label, weight or score is not valid, if no pair has a weight above 0, or
            if LightGBM's DART trains on the dataset.
        RuntimeError
            For ``device="cuda"``, if there is no device.
        """
        state = self._state(dataset)
        state.adapter.check_evaluable(dataset)
        evaluator, scores, plan = self._read_dataset(state, preds, dataset, is_own=False)
        return state.adapter.metric_result(self.name, evaluator.mean_pair_loss(plan, scores), False)

    # Array API

    @documented_with(OBJECTIVE_TEXT)
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
        """Compute gradient and diagonal Hessian of ``loss(..., reduction="sum")`` with respect to the scores.

        Parameters
        ----------
        %(data)s

        Returns
        -------
        gradient, hessian : arrays of the shape of ``y_pred``
            float32 if ``y_pred`` is float32, else float64; CuPy arrays if ``y_pred`` is one. The Hessian is multiplied
            by ``hessian_scale``. Rows that take no part get 0.

        Raises
        ------
        %(data_raises)s
        """
        rows = {"mask": mask, "sample_weight": sample_weight, "loser_weight": loser_weight, "item_id": item_id}
        evaluator, given, plan = self._read_arrays(y_true, y_pred, group=group, qid=qid, pairs=pairs, **rows)
        (scores,) = like(y_pred, given.scores)
        gradient, hessian = evaluator.gradient_hessian(plan, scores, given.scores.dtype)
        return gradient.reshape(given.shape), hessian.reshape(given.shape)

    @documented_with(OBJECTIVE_TEXT)
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
        """Compute the loss of given scores.

        Parameters
        ----------
        %(data)s
        reduction : str, default="sum"
            Reduction of the losses of the pairs, which are weighted and multiplied by the normaliser:

            - ``"sum"``: their sum, which :meth:`gradient_hessian` differentiates;
            - ``"mean"`` or ``"sum_over_batch_size"``: sum / number of array cells, including ignored ones (KerasRS);
            - ``"mean_with_sample_weight"``: sum / sum of ``sample_weight`` as given, over all cells, or over the lists
              if there is one weight per list; without weights, sum / number of cells (KerasRS);
            - ``"none"``: an array of the shape of ``y_pred``, each row's sum over the pairs that it wins (KerasRS);
            - ``"pairs"``: sum / number of pairs (Rax);
            - ``"pair_weights"``: sum / sum of omega (CatBoost's PairLogit), which :meth:`metric` reports.

            A divisor of zero gives 0.

        Returns
        -------
        loss : float, or float64 array of the shape of ``y_pred`` for ``reduction="none"``

        Raises
        ------
        %(data_raises)s

        Notes
        -----
        The factor of ``normalize="log"`` depends on the scores, but is not differentiated: it rescales a gradient. The
        loss uses its value at ``y_pred``.
        """
        check_choice(reduction, "reduction", REDUCTIONS)
        rows = {"mask": mask, "sample_weight": sample_weight, "loser_weight": loser_weight, "item_id": item_id}
        evaluator, given, plan = self._read_arrays(y_true, y_pred, group=group, qid=qid, pairs=pairs, **rows)
        (scores,) = like(y_pred, given.scores)
        loss, weight = evaluator.winner_loss(plan, scores, given.scores.dtype)
        if reduction == "none":
            check_losses(scores, loss)
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

    # Private helpers

    def _state(self, dataset: Any) -> DatasetState:
        """Return the state beside a booster's dataset; a TypeError if it is not a booster's dataset."""
        state = state_of(dataset)
        if state is None:
            raise TypeError(
                f"{type(self).__name__} takes (preds, dataset) with a lightgbm.Dataset or an xgboost.DMatrix, got a "
                f"{type(dataset).__name__}. In an estimator, use gbdt_pairloss.LGBMRanker or "
                "gbdt_pairloss.XGBRanker: the boosters' own rankers pass arrays without the query groups. "
                "For arrays, call gradient_hessian(y_true, y_pred, ...)."
            )
        return state

    def _read_dataset(
        self, state: DatasetState, preds: Any, dataset: Any, is_own: bool
    ) -> tuple[ObjectiveEvaluator, Any, Plan]:
        """Return an evaluator, the scores on the device that it computes on, and the dataset's plan."""
        adapter = state.adapter
        evaluator = ObjectiveEvaluator(self, n_threads=adapter.number_of_threads(dataset))
        scores = evaluator.placed(preds, adapter.training_device)
        plan = state.plans.plan(
            self._plan_key(),
            read=lambda: adapter.read_dataset(dataset),
            build=lambda data: evaluator.plan(evaluator.prepare(data, is_own)),
            # On the host, reading the dataset takes little time compared with the sums.
            version=adapter.version(dataset) if is_on_device(scores) else None,
        )
        return evaluator, scores, plan

    def _read_arrays(self, y_true: Any, y_pred: Any, **arguments: Any) -> tuple[ObjectiveEvaluator, RankingInput, Plan]:
        """Return an evaluator, the checked arrays, and their plan."""
        if arguments["item_id"] is not None and not self._reads_item_id:
            raise ValueError(f"item_id makes a difference to BPR only, and the objective is {self.name}")
        evaluator = ObjectiveEvaluator(self)
        given = read_arrays(y_true, y_pred, **arguments)
        return evaluator, given, evaluator.plan(evaluator.prepare(given.data))

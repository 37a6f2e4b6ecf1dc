"""The interface of objectives and of their sums: callbacks of the boosters, gradients and losses of arrays."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, TypeVar

from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator

from .._device import is_on_device, like
from .._docstrings import documented_with
from ..ranking._adapter import adapter_of
from ..ranking._reading import RankingInput, read_arrays
from ..ranking._validation import check_choice, refuse_unknown
from ._dataset_state import DatasetState, state_of
from ._docs import OBJECTIVE_TEXT
from ._evaluator import REDUCTIONS, Evaluator, TrainingPlan

Objective = TypeVar("Objective", bound="RankingObjective")


class _SignatureOfInit:
    """The signature of a class, which is that of its ``__init__``; its objects have that of their ``__call__``."""

    def __get__(self, instance: Any, owner: Any) -> inspect.Signature:
        if instance is not None:
            raise AttributeError("__signature__")
        if owner.__init__ is object.__init__:
            return inspect.Signature()
        own = inspect.signature(owner.__init__)
        return own.replace(parameters=list(own.parameters.values())[1:])


class RankingObjective(BaseEstimator):  # type: ignore[misc]
    """Interface of the objectives: what boosters call, what is called with arrays, and the metric.

    The objectives of pairs that the order of labels makes derive from :class:`PairwiseObjective`; others are
    :class:`PairwiseMeanSquaredError`, and :class:`WeightedSum`, a sum of several.
    """

    name: Any
    # Python would take that of __new__.
    __signature__ = _SignatureOfInit()

    def __new__(cls: type[Objective], *args: Any, **params: Any) -> Objective:
        """Refuse a call of the class in place of an object, and parameters that do not exist."""
        if len(args) == 2 and adapter_of(args[1]) is not None:
            raise TypeError(f"the objective is the class {cls.__name__}: give an object, {cls.__name__}()")
        known = inspect.signature(cls.__init__).parameters.values()
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in known):
            refuse_unknown(cls.__name__, params, [parameter.name for parameter in known][1:])
        return object.__new__(cls)

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
        result : tuple, or list of tuples
            ``(name, value, False)`` for LightGBM, ``(name, value)`` for XGBoost; smaller is better. A list for a
            :class:`WeightedSum`: the losses of its terms and the weighted sum of these, "weighted_sum", which stands
            where the booster's early stopping looks: first in LightGBM, last in XGBoost.

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
        losses = evaluator.mean_pair_losses(plan, scores)
        results = [
            state.adapter.metric_result(name, loss, False)
            for name, loss in zip(evaluator.loss_names, losses, strict=True)
        ]
        if state.adapter.STOPS_BY_FIRST_METRIC:
            results = [results[-1], *results[:-1]]
        return results if len(results) > 1 else results[0]

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
        loss = evaluator.loss(plan, scores, given, reduction)
        return loss.reshape(given.shape) if reduction == "none" else loss

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
    ) -> tuple[Evaluator, Any, TrainingPlan]:
        """Return an evaluator, the scores on the device that it computes on, and the dataset's plan."""
        adapter = state.adapter
        evaluator = self._evaluator(n_threads=adapter.number_of_threads(dataset), hessian_scale=adapter.HESSIAN_SCALE)
        scores = evaluator.placed(preds, adapter.training_device)
        plan = state.plans.plan(
            evaluator.plan_key(),
            read=lambda: adapter.read_dataset(dataset),
            build=lambda data: evaluator.plan(evaluator.prepare(data, is_own)),
            # On the host, reading the dataset takes little time compared with the sums.
            version=adapter.version(dataset) if is_on_device(scores) else None,
        )
        return evaluator, scores, plan

    def _read_arrays(self, y_true: Any, y_pred: Any, **arguments: Any) -> tuple[Evaluator, RankingInput, TrainingPlan]:
        """Return an evaluator, the checked arrays, and their plan."""
        evaluator = self._evaluator()
        if arguments["item_id"] is not None and not evaluator.reads_item_id:
            raise ValueError(f"item_id makes a difference to BPR only, and the objective is {self.name}")
        if y_true is None and arguments["pairs"] is not None and evaluator.needs_labels(True):
            raise ValueError("y_true is None, but a term of the sum reads labels")
        given = read_arrays(y_true, y_pred, several_labels=self._reads_columns, **arguments)
        return evaluator, given, evaluator.plan(evaluator.prepare(given.data))

    # Hooks

    #: Whether labels may have several columns.
    _reads_columns: ClassVar[bool] = False

    def _evaluator(self, **settings: Any) -> Evaluator:
        """Return an evaluator of this objective, with the booster's number of threads and the ranker's seed."""
        raise NotImplementedError

    def _decided(self, has_grades: bool) -> RankingObjective:
        """Return the objective with what depends on the labels decided, for a part of a dataset.

        ``has_grades`` says whether all labels of the dataset are grades.

        Raises
        ------
        ValueError
            If that depends on more than this.
        """
        return self

    def _negative_label_rule(self, column: int | None = None) -> bool | None:
        """Return ``ignore_negative_labels`` for the rows of a dataset, or only for a column of its labels."""
        raise NotImplementedError


def evaluator_of(objective: RankingObjective | None, **settings: Any) -> Evaluator | None:
    """Return the evaluator of an objective; None for None, which is a native objective."""
    return None if objective is None else objective._evaluator(**settings)

"""How our gradients and metrics get into the training of ``xgboost.XGBRanker``, which takes neither."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from ...objectives._evaluator import ObjectiveEvaluator
from .._evaluation import Evaluation
from .._query_sets import QuerySet
from .dataset import ordinal_of, xgb


def placed_beside(booster: Any, evaluator: ObjectiveEvaluator | None, scores: Any) -> Any:
    """Return scores on the CUDA device that a Booster trains on, if the objective computes there."""
    return scores if evaluator is None else evaluator.placed(scores, lambda: ordinal_of(booster))


class Trainee(xgb.Booster):  # type: ignore[misc,name-defined]
    """A Booster in training by :class:`XGBRanker`, with our gradients and metrics; a plain one to pickle.

    ``XGBRanker.fit`` passes no objective on, and its callable metrics through a decorator of its own; but it asks the
    Booster to ``update`` and to ``eval_set``, and those are public.
    """

    def update(self, dtrain: Any, iteration: int, fobj: Any = None) -> None:
        injection = _INJECTIONS.get(self)
        if injection is not None and injection.gradients is not None:
            fobj = partial(injection.gradients, self)
        super().update(dtrain, iteration, fobj=fobj)

    def eval_set(self, evals: Any, iteration: int = 0, feval: Any = None, output_margin: bool = True) -> str:
        message: str = super().eval_set(evals, iteration, feval, output_margin)
        injection = _INJECTIONS.get(self)
        if injection is None or not injection.is_of_fit([dmatrix for dmatrix, _ in evals]):
            return message  # a callback asks for another set
        for (dmatrix, name), query_set in zip(evals, injection.sets, strict=True):
            scores = placed_beside(self, injection.evaluator, self.predict(dmatrix, output_margin=True))
            for evaluation in injection.evaluations:
                message += f"\t{name}-{evaluation.name}:{evaluation(query_set.data, scores)!r}"
        return message

    def __reduce_ex__(self, protocol: Any) -> Any:
        return object.__new__, (xgb.Booster,), self.__getstate__()


class Injection(xgb.callback.TrainingCallback):  # type: ignore[misc,name-defined]
    """Makes a :class:`Trainee` of the Booster while it trains.

    Gradients are a function of Booster, predictions and DMatrix. Metrics are computed where the gradients are.
    """

    def __init__(
        self,
        gradients: Callable[..., Any] | None,
        evaluations: list[Evaluation],
        sets: list[QuerySet],
        evaluator: ObjectiveEvaluator | None,
    ) -> None:
        super().__init__()
        self.gradients, self.evaluations, self.sets = gradients, evaluations, sets
        self.evaluator = evaluator
        self._dmatrices: list[Any] | None = None

    def before_training(self, model: Any) -> Any:
        model.__class__ = Trainee
        _INJECTIONS[model] = self
        return model

    def after_training(self, model: Any) -> Any:
        if isinstance(model, Trainee):  # XGBoost 2 calls early stopping first at times: it cuts a plain Booster out
            model.__class__ = xgb.Booster
            del _INJECTIONS[model]
        return model

    def is_of_fit(self, dmatrices: list[Any]) -> bool:
        """Whether these are the sets of ``fit``: those that are evaluated first, and as many as there are."""
        if self._dmatrices is None and len(dmatrices) == len(self.sets):
            self._dmatrices = dmatrices
        mine = self._dmatrices or []
        return len(mine) == len(dmatrices) and all(a is b for a, b in zip(mine, dmatrices, strict=True))


# Beside the Booster, not on it: its copies are plain.
_INJECTIONS: weakref.WeakKeyDictionary[Any, Injection] = weakref.WeakKeyDictionary()

"""Weighted sums of objectives, and the operators that make them."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ._interface import RankingObjective
from ._parameters import ObjectiveParameters, is_whole
from ._sum_evaluator import PAIRS, SumEvaluator


class Summand(RankingObjective):
    """An objective, or a sum of objectives, that can be multiplied by a number and added to others."""

    # A NumPy number on the left leaves the product to __rmul__.
    __array_ufunc__ = None

    def __mul__(self, factor: Any) -> WeightedSum:
        """Return the objective times a number, as a :class:`WeightedSum`."""
        if not isinstance(factor, Real) or isinstance(factor, bool):
            return NotImplemented
        objectives, weights, labels = self._as_terms()
        return WeightedSum(objectives, [factor * weight for weight in weights], labels)

    __rmul__ = __mul__

    def __truediv__(self, divisor: Any) -> WeightedSum:
        """Return the objective divided by a number, as a :class:`WeightedSum`."""
        if not isinstance(divisor, Real) or isinstance(divisor, bool):
            return NotImplemented
        if divisor == 0:
            raise ValueError("an objective cannot be divided by 0")
        return self * (1 / divisor)

    def __add__(self, other: Any) -> WeightedSum:
        """Return the sum of two objectives; the terms of sums become terms of the result."""
        if not isinstance(other, Summand):
            return NotImplemented
        objectives, weights, labels = self._as_terms()
        more_objectives, more_weights, more_labels = other._as_terms()
        if (labels is None) != (more_labels is None):
            raise ValueError(
                "labels= is set in one summand only, so that the column of the others is not known: write "
                "WeightedSum(objectives, weights, labels)"
            )
        both = None if labels is None or more_labels is None else [*labels, *more_labels]
        return WeightedSum([*objectives, *more_objectives], [*weights, *more_weights], both)

    def __radd__(self, other: Any) -> Any:
        """Return the objective itself for ``0 + objective``, with which the function ``sum`` begins."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def _as_terms(self) -> tuple[list[Any], list[Any], list[Any] | None]:
        """Return the objectives, weights and labels of the sum that the object is."""
        return [self], [1], None


class WeightedSum(Summand):
    """Weighted sum of objectives, of one label or of several.

    ::

        loss = sum_k  weights[k] * objectives[k].loss

    Gradients and Hessians are summed with the same weights. The operators ``*`` and ``+`` make a sum, too. It is used
    like any other objective: by both boosters, in the rankers, on clusters and with arrays. The weights of rows and
    queries, the mask and the item ids are those of all terms.

    Parameters
    ----------
    objectives : list of objectives
        The terms: objects of this package. To add sums, use ``+``, which makes one sum of all terms. A term that is
        the same object as another one has the same parameters; in a clone each has its own.
    weights : list of float
        One weight for each term, of at least 0, and not all 0. A term of weight 0 is not computed. A callback may
        change the weights during a training, except in ``lgb.train``, which trains with a copy of its parameters: give
        it ``{"objective": lambda preds, data: objective(preds, data)}``.
    labels : list of int or "pairs", default=None
        What each term reads: the number of a column of the labels, from 0; or "pairs", the explicit pairs (``pairs=``
        of ``fit``, :func:`gbdt_pairloss.attach` and :meth:`loss`) instead of labels. None: all terms read the same
        label if a dataset has one column; if it has several, term k reads column k. With a list, a dataset that lacks a
        column is an error, such as a validation set to which none is attached.

    Raises
    ------
    ValueError
        If the value of a parameter is not allowed. When data are read: if labels have the wrong number of columns, if
        there are pairs that no term reads, or if a term reads "pairs" and there are none, if a parameter of a term is
        an array of rows (``negative_weight`` of BPR: give ``loser_weight`` instead).
    TypeError
        If ``objectives``, ``weights`` or ``labels`` is not a list, or an objective is not an object of this package.

    See Also
    --------
    PairwiseMeanSquaredError : A regression within the queries, for sums.
    gbdt_pairloss.attach : Several labels and explicit pairs beside a booster's dataset.
    LGBMRanker, XGBRanker : Rankers, whose ``y`` may have several columns with a sum.

    Notes
    -----
    Several labels are columns: ``y`` of the rankers has the shape (n_rows, n_columns), ``y_true`` of :meth:`loss` and
    :meth:`gradient_hessian` the shape of ``y_pred`` and, as the last dimension, n_columns. The first column is also the
    label that the booster and metrics such as NDCG read. A booster's dataset keeps its own label, which they read, and
    has the columns by ``attach(dataset, labels=)``.

    ``ignore_negative_labels`` of a term applies to the column that the term reads.

    The parameters of term k are ``k__NAME``: ``set_params(**{"0__temperature": 2.0})``, and
    ``objective__0__temperature`` in a ranker or in a grid, where the weights are ``objective__weights``.

    With ``reduction=``, :meth:`loss` is the weighted sum of the terms' losses with that reduction. :meth:`metric`
    returns the mean pair loss of each term, without its weight, by its name (followed by ``_k`` if several terms have
    the same name), and their weighted sum as "weighted_sum": as the first entry in LightGBM, and as the last one in
    XGBoost, whose early stopping follows that. LightGBM stops as soon as one metric gets worse, unless it is told
    ``first_metric_only``. In the rankers ``eval_metric="weighted_sum"`` is the sum alone.

    References
    ----------
    Sums of objectives: KerasRS and TF-Ranking, ``loss_weights`` of Keras; CatBoost, issue 841; several labels:
    LightGBM, issue 5364.

    Examples
    --------
    >>> from gbdt_pairloss import PairwiseHinge, PairwiseLogistic, PairwiseMeanSquaredError, WeightedSum
    >>> 0.7 * PairwiseLogistic() + 0.3 * PairwiseMeanSquaredError()
    WeightedSum(objectives=[PairwiseLogistic(), PairwiseMeanSquaredError()],
                weights=[0.7, 0.3])

    Clicks (column 0) and purchases (column 1) of three rows:

    >>> both = WeightedSum([PairwiseLogistic(normalize="none"), PairwiseHinge(normalize="none")], [1.0, 2.0])
    >>> round(both.loss([[1, 0], [1, 1], [0, 0]], [0.0, 0.5, 1.0], reduction="pairs"), 4)
    3.1437
    """

    name = "weighted_sum"
    _reads_columns: ClassVar[bool] = True

    def __init__(
        self,
        objectives: Sequence[Any],
        weights: Sequence[float] | NDArray[Any],
        labels: Sequence[int | str] | NDArray[Any] | None = None,
    ) -> None:
        self.objectives = objectives
        self.weights = weights
        self.labels = labels
        self._check_params()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters of the sum.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the terms, as "0", "1" and so on, and their parameters, as ``0__NAME``.

        Returns
        -------
        params : dict
            Values by name.
        """
        params: dict[str, Any] = super().get_params(deep=False)
        if deep:
            for number, objective in enumerate(self.objectives):
                params[str(number)] = objective
                params |= {f"{number}__{name}": value for name, value in objective.get_params().items()}
        return params

    def set_params(self, **params: Any) -> WeightedSum:
        """Set parameters of the sum, terms, and parameters of the terms by name, all of them or none.

        Parameters
        ----------
        **params
            "objectives", "weights" and "labels"; a term by its number, such as "0"; a parameter of a term, such as
            "0__temperature". The latter are set in the objects that are terms.

        Returns
        -------
        self : WeightedSum

        Raises
        ------
        ValueError
            If there is no parameter or term of a name, or a value is not allowed.
        TypeError
            If a value is not of a type that the constructor takes.
        """
        before = super().get_params(deep=False)
        changed: list[tuple[Any, dict[str, Any]]] = []
        try:
            for name in before.keys() & params.keys():
                setattr(self, name, params[name])
            self._check_params()
            objectives = list(self.objectives)
            nested: dict[int, dict[str, Any]] = {}
            for name, value in params.items():
                if name in before:
                    continue
                number, _, parameter = name.partition("__")
                if not number.isdecimal() or int(number) >= len(objectives):
                    raise ValueError(
                        f"there is no parameter {name!r}; a sum of {len(objectives)} terms has objectives, weights, "
                        f'labels, its terms "0" to "{len(objectives) - 1}", and their parameters, such as '
                        '"0__temperature"'
                    )
                if parameter:
                    nested.setdefault(int(number), {})[parameter] = value
                else:
                    objectives[int(number)] = value
            if any(mine is not theirs for mine, theirs in zip(objectives, self.objectives, strict=True)):
                self.objectives = objectives
                self._check_params()
            for term, values in nested.items():
                changed.append((objectives[term], objectives[term].get_params(deep=False)))
                objectives[term].set_params(**values)
        except (ValueError, TypeError):
            for objective, values in reversed(changed):
                objective.set_params(**values)
            for name, value in before.items():
                setattr(self, name, value)
            raise
        return self

    def _check_params(self, sums: bool = False) -> None:
        """Raise a ValueError or TypeError that names a parameter whose value is not allowed.

        The weight of a single term may be 0, as in ``0.0 * a + 1.0 * b``, unless ``sums`` says that it is summed.
        """
        for name in ("objectives", "weights", "labels"):
            value = getattr(self, name)
            is_list = isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str)
            if not is_list and not (name == "labels" and value is None):
                raise TypeError(f"{name} must be a list with one entry for each term, got {value!r}")
        n_terms = len(self.objectives)
        if n_terms == 0:
            raise ValueError("objectives is empty: a sum has at least one term")
        for number, objective in enumerate(self.objectives):
            _check_objective(objective, f"objectives[{number}]")
        for name in ("weights", "labels"):
            value = getattr(self, name)
            if value is not None and len(value) != n_terms:
                raise ValueError(f"{name} has {len(value)} entries, but there are {n_terms} objectives")
        for number, weight in enumerate(self.weights):
            if not isinstance(weight, Real) or isinstance(weight, bool) or not 0 <= float(weight) < np.inf:
                raise ValueError(f"weights[{number}] must be a finite number of at least 0, got {weight!r}")
        if (n_terms > 1 or sums) and not any(weight > 0 for weight in self.weights):
            raise ValueError("all weights are 0: at least one term must have a weight above 0")
        for number, label in enumerate([] if self.labels is None else self.labels):
            if not (is_whole(label, 0) or (isinstance(label, str) and label == PAIRS)):
                raise ValueError(f'labels[{number}] must be the number of a column, from 0, or "pairs"; got {label!r}')

    def _as_terms(self) -> tuple[list[Any], list[Any], list[Any] | None]:
        return list(self.objectives), list(self.weights), None if self.labels is None else list(self.labels)

    def _evaluator(self, **settings: Any) -> SumEvaluator:
        return SumEvaluator(self, **settings)

    def _decided(self, has_grades: bool) -> WeightedSum:
        for number, objective in enumerate(self.objectives):
            if objective.get_params().get("pair_weight") == "auto":
                raise ValueError(
                    f'{number}__pair_weight="auto" depends on all labels of a column, of which a worker of a cluster '
                    "has a part: name the weight"
                )
        return self

    def _negative_label_rule(self, column: int | None = None) -> bool | None:
        labels = [0] * len(self.objectives) if self.labels is None else self.labels
        rules: list[bool | None] = [
            objective.ignore_negative_labels
            for objective, weight, label in zip(self.objectives, self.weights, labels, strict=True)
            if weight > 0 and not isinstance(label, str) and column in (None, label)
        ]
        if not rules or (column is None and any(rule != rules[0] for rule in rules)):
            return False
        return rules[0]


def _check_objective(objective: Any, name: str) -> None:
    """Raise a TypeError that names the remedy if an entry of ``objectives`` is not an objective."""
    if isinstance(objective, ObjectiveParameters):
        return
    if isinstance(objective, WeightedSum):
        raise TypeError(f"{name} is a sum: add sums by +, or give its terms")
    if isinstance(objective, type) and issubclass(objective, RankingObjective):
        raise TypeError(f"{name} is the class {objective.__name__}: give an object, {objective.__name__}()")
    if isinstance(objective, str):
        raise TypeError(f"{name} is the name {objective!r}: give an object, get_objective({objective!r})")
    raise TypeError(f"{name} must be an objective of gbdt_pairloss, got {objective!r}")

"""Objectives by name."""

from __future__ import annotations

from typing import Any, TypeVar

from ..ranking._validation import nearest_name
from ._base import SingleObjective
from ._interface import RankingObjective

#: Prefix of the objective's parameters among the parameters of a ranker or a booster.
NESTED = "objective__"

#: The default of the rankers: another name for the pairwise logistic loss with ``pair_weight="auto"``.
AUTO = "auto"

_REGISTRY: dict[str, type[SingleObjective]] = {}


Objective = TypeVar("Objective", bound=type[SingleObjective])


def register(objective: Objective) -> Objective:
    """Register an objective class under its ``name``, for :func:`get_objective` and the rankers."""
    _REGISTRY[objective.name] = objective
    return objective


def objective_names() -> tuple[str, ...]:
    """Return the names that :func:`get_objective` and the rankers' ``objective=`` accept.

    Returns
    -------
    names : tuple of str
    """
    return tuple(_REGISTRY)


def get_objective(name: str | RankingObjective, **params: Any) -> RankingObjective:
    """Return an objective by its name.

    Parameters
    ----------
    name : str or RankingObjective
        "pairwise_logistic", "bpr", "pairwise_hinge", "pairwise_squared", "pairwise_exponential",
        "pairwise_soft_zero_one", "pairwise_mean_squared_error", or "auto", the default of the rankers: the pairwise
        logistic loss with ``pair_weight="auto"``. An object is returned unchanged; parameters cannot be given with it.
    **params
        The objective's parameters.

    Returns
    -------
    objective : RankingObjective

    Raises
    ------
    ValueError
        If there is no objective of that name, if the value of a parameter is not allowed, or if parameters are given
        with an objective instead of a name.
    TypeError
        If the objective has no such parameter.

    Examples
    --------
    >>> get_objective("bpr", threshold=3)
    BPR(threshold=3)
    """
    if isinstance(name, RankingObjective):
        if params:
            raise ValueError("parameters are given with an objective's name; use set_params on an objective")
        return name
    if name == AUTO:
        return _REGISTRY["pairwise_logistic"](**{"pair_weight": "auto", **params})
    if name not in _REGISTRY:
        raise ValueError(f"there is no objective {name!r}{did_you_mean(name)}; known: {', '.join(_REGISTRY)}, {AUTO}")
    return _REGISTRY[name](**params)


def did_you_mean(name: Any) -> str:
    """Return the part of a message that suggests an objective for a misspelt name; it may be empty."""
    close = nearest_name(str(name), objective_names())
    return f" (did you mean {close!r}?)" if close else ""


def negative_label_rule(objective: RankingObjective | None, column: int | None = None) -> bool | None:
    """Return the objective's ``ignore_negative_labels``; False for None, which is a native objective.

    The terms of a sum may differ in it. The rule is then that of the term that reads a column of the labels; without
    ``column``, it is the rule of all terms, or False if they differ, because each then applies its own.
    """
    return False if objective is None else objective._negative_label_rule(column)


def as_pairwise(objective: Any) -> RankingObjective | None:
    """Return the objective of this package that a parameter names or is; None for a native objective.

    Parameters
    ----------
    objective : object
        Value of a booster's or a ranker's parameter ``objective``.

    Returns
    -------
    objective : RankingObjective or None

    Raises
    ------
    ValueError
        If ``objective`` is a class of an objective instead of an object.
    """
    if isinstance(objective, type) and issubclass(objective, RankingObjective):
        raise ValueError(f"objective is the class {objective.__name__}; give an object, {objective.__name__}()")
    if isinstance(objective, RankingObjective):
        return objective
    if isinstance(objective, str) and (objective in _REGISTRY or objective == AUTO):
        return get_objective(objective)
    return None

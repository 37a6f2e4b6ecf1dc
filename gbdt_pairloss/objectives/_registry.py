"""The objectives by name."""

from __future__ import annotations

from typing import Any, TypeVar

from ._base import PairwiseObjective

#: How an objective's parameters begin among those of a ranker or a booster.
NESTED = "objective__"

_REGISTRY: dict[str, type[PairwiseObjective]] = {}


Objective = TypeVar("Objective", bound=type[PairwiseObjective])


def register(objective: Objective) -> Objective:
    """Make an objective known to :func:`get_objective` and to the rankers by its ``name``."""
    _REGISTRY[objective.name] = objective
    return objective


def objective_names() -> tuple[str, ...]:
    """The names that :func:`get_objective` and the rankers' ``objective=`` take.

    Returns
    -------
    names : tuple of str
    """
    return tuple(_REGISTRY)


def get_objective(name: str | PairwiseObjective, **params: Any) -> PairwiseObjective:
    """Make an objective from its name.

    Parameters
    ----------
    name : str or PairwiseObjective
        "pairwise_logistic", "bpr", "pairwise_hinge", "pairwise_squared", "pairwise_exponential" or
        "pairwise_soft_zero_one"; an objective is returned as it is (and then takes no parameters).
    **params
        The objective's parameters.

    Returns
    -------
    objective : PairwiseObjective

    Raises
    ------
    ValueError
        If there is no objective of that name, a parameter has a value that it cannot have, or an objective that is
        made already comes with parameters.
    TypeError
        If the objective has no such parameter.

    Examples
    --------
    >>> get_objective("bpr", threshold=3)
    BPR(threshold=3)
    """
    if isinstance(name, PairwiseObjective):
        if params:
            raise ValueError("parameters go with an objective's name; use set_params on an objective")
        return name
    if name not in _REGISTRY:
        raise ValueError(f"there is no objective {name!r}; known: {', '.join(_REGISTRY)}")
    return _REGISTRY[name](**params)


def negative_label_rule(objective: PairwiseObjective | None) -> bool | None:
    """Return the objective's ``ignore_negative_labels``; an objective of the booster's own takes any label as it is."""
    return False if objective is None else objective.ignore_negative_labels


def as_pairwise(objective: Any) -> PairwiseObjective | None:
    """An objective parameter, if it is one of ours, by name or object; None if it is the booster's own.

    Parameters
    ----------
    objective : object
        What a booster or a ranker takes as its objective.

    Returns
    -------
    objective : PairwiseObjective or None

    Raises
    ------
    ValueError
        If it is a class of ours, and not an object.
    """
    if isinstance(objective, type) and issubclass(objective, PairwiseObjective):
        raise ValueError(f"objective is the class {objective.__name__}; give an object, {objective.__name__}()")
    if isinstance(objective, PairwiseObjective):
        return objective
    if isinstance(objective, str) and objective in _REGISTRY:
        return get_objective(objective)
    return None

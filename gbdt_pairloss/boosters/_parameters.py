"""Parameters of rankers: our own, and the booster's."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..objectives import NESTED, get_objective, objective_names

#: The parameters of our rankers that the boosters' do not have, or have with another default.
OWN_PARAMETERS: dict[str, Any] = {"objective": "pairwise_logistic", "eval_fraction": None}


@contextmanager
def swapped(estimator: Any, **attributes: Any) -> Iterator[None]:
    """Set attributes of an estimator for a while; they are put back whatever happens."""
    before = {name: getattr(estimator, name) for name in attributes}
    try:
        for name, value in attributes.items():
            setattr(estimator, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(estimator, name, value)


def keyword_signature(native_init: Any, **own: Any) -> inspect.Signature:
    """The signature of a native ranker's ``__init__``, by keyword, with parameters of our own and their defaults.

    For help, completion, and scikit-learn, which reads parameters and their defaults from it.
    """
    native = inspect.signature(native_init).parameters
    first = [p for p in native.values() if p.name == "self"]
    rest = [p for p in native.values() if p.kind is p.VAR_KEYWORD]
    defaults = {p.name: p.default for p in native.values() if p not in (*first, *rest)}
    keywords = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in {**defaults, **own}.items()
    ]
    return inspect.Signature([*first, *keywords, *rest])


def refuse_unprefixed(params: dict[str, Any]) -> None:
    """Refuse a parameter of the objective among the ranker's, where a booster would swallow it.

    Raises
    ------
    ValueError
        Naming the parameter as it should be written.
    """
    shared = {"device", "n_threads", "random_state"}  # names that a booster has, too
    known = {name for objective in objective_names() for name in get_objective(objective).get_params()} - shared
    for name in params:
        if name in known:
            raise ValueError(f"{name} is a parameter of the objective: write {NESTED}{name}")


def refuse_ignored(params: dict[str, Any], ours: dict[str, str]) -> None:
    """Refuse parameters of the booster's own ranking objectives, which ours would ignore.

    Parameters
    ----------
    params : dict
    ours : dict of str to str
        What takes the place of each of them.

    Raises
    ------
    ValueError
        Naming what takes its place.
    """
    for name, instead in ours.items():
        if params.get(name) is not None:
            raise ValueError(f"{name} belongs to the booster's own objectives; with ours {instead}")


def seed_of(random_state: Any) -> Any:
    """A random state that is a generator as a seed drawn from it; anything else as it is."""
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(np.iinfo(np.int32).max))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(np.iinfo(np.int32).max))
    return random_state


def native_parameters(params: dict[str, Any]) -> dict[str, Any]:
    """A ranker's parameters without those that the booster does not know."""
    ours = ("eval_fraction", "client")
    return {name: value for name, value in params.items() if name not in ours and not name.startswith(NESTED)}

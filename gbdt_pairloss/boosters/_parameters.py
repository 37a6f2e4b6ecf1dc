"""Parameters of the rankers: those that this package adds to the native ranker's."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..objectives._registry import AUTO, NESTED, get_objective, objective_names

#: Parameters of the rankers of this package that native rankers do not have, or have with another default.
OWN_PARAMETERS: dict[str, Any] = {"objective": AUTO, "eval_fraction": None}


def keyword_signature(native_init: Any, **own: Any) -> inspect.Signature:
    """Return the signature of a native ranker's ``__init__`` with further parameters, all of them keyword-only.

    Help and completion show the signature, and scikit-learn reads parameters and their defaults from it.

    Parameters
    ----------
    native_init : callable
        ``__init__`` of the native ranker.
    **own
        The further parameters with their defaults. They replace native ones of the same name.
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
    """Raise a ValueError for a parameter of the objective without its prefix, which the booster would ignore silently.

    The message says how to write the parameter.
    """
    shared = {"device", "n_threads", "random_state"}  # boosters also have parameters of these names
    known = {name for objective in objective_names() for name in get_objective(objective).get_params()} - shared
    for name in params:
        if name in known:
            raise ValueError(f"{name} is a parameter of the objective: write {NESTED}{name}")


def refuse_ignored(params: dict[str, Any], instead: dict[str, str], defaults: dict[str, Any]) -> None:
    """Raise a ValueError if a parameter is set that only native objectives read.

    Parameters
    ----------
    params : dict
        The ranker's parameters.
    instead : dict of str to str
        For each parameter of native objectives, what to write instead. The message contains it.
    defaults : dict
        Values that make no difference.
    """
    for name, remedy in instead.items():
        if params.get(name) is not None and params[name] != defaults.get(name):
            raise ValueError(
                f"{name} belongs to the booster's own objectives; with an objective of gbdt_pairloss {remedy}"
            )


def seed_of(random_state: Any) -> Any:
    """Return a seed that is drawn from a random generator; anything else is returned unchanged."""
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(np.iinfo(np.int32).max))
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(np.iinfo(np.int32).max))
    return random_state


def native_parameters(params: dict[str, Any]) -> dict[str, Any]:
    """Return a ranker's parameters without those that the booster does not have."""
    own = ("eval_fraction", "client")
    return {name: value for name, value in params.items() if name not in own and not name.startswith(NESTED)}


@contextmanager
def swapped(estimator: Any, **attributes: Any) -> Iterator[None]:
    """Set attributes of an estimator within a ``with`` block, and restore them at its end, also after an exception."""
    before = {name: getattr(estimator, name) for name in attributes}
    try:
        for name, value in attributes.items():
            setattr(estimator, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(estimator, name, value)

"""Subsets of all combinations of parameters, for tests whose parameters do not act on each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, product
from typing import Any

import pytest


def covering(axes: Sequence[Sequence[Any]], strength: int = 2) -> list[tuple[int, ...]]:
    """Choose combinations so that any values of any ``strength`` axes meet in one of them.

    With a strength of 1 every value occurs, with 2 every pair of values of two axes does (a covering array). The choice
    is greedy: the combination that adds most comes first; of several, the one whose values have been chosen least.

    Parameters
    ----------
    axes : sequence of sequences
        The values of each parameter.
    strength : int, default=2
        At most the number of axes counts.

    Returns
    -------
    rows : list of tuples
        The place of each value in its axis.
    """
    rows = list(product(*(range(len(values)) for values in axes)))
    together = list(combinations(range(len(axes)), min(strength, len(axes))))
    met = {row: {(chosen, tuple(row[axis] for axis in chosen)) for chosen in together} for row in rows}
    missing = set().union(*met.values())
    found: list[tuple[int, ...]] = []
    chosen_before: Counter[tuple[int, int]] = Counter()
    while missing:
        best = max(rows, key=lambda row: (len(met[row] & missing), -sum(chosen_before[own] for own in enumerate(row))))
        missing -= met[best]
        found.append(best)
        chosen_before.update(enumerate(best))
    return found


def label_of(value: Any) -> str:
    """Name a parameter in a test's id."""
    if isinstance(value, dict):
        return " ".join(f"{name}={label_of(own)}" for name, own in value.items())
    return getattr(value, "__name__", str(value))


def grid(
    axes: dict[str, Sequence[Any]],
    usual: dict[str, Sequence[Any]],
    strength: int = 2,
    slow_strength: int | None = None,
) -> list[Any]:
    """Return combinations of parameters; all are slow except a covering subset of the usual values.

    Parameters
    ----------
    axes : dict
        The values of each parameter by its name.
    usual : dict
        Those of the values that the default run takes, for the parameters whose other values cost too much there.
    strength : int, default=2
        Of the default run, see :func:`covering`.
    slow_strength : int, optional
        Of the slow tests; None: all combinations.

    Returns
    -------
    parameters : list of pytest.param
        For ``pytest.mark.parametrize(tuple(axes), ...)``.
    """
    names, values = list(axes), list(axes.values())
    usual_places = [[list(own).index(value) for value in usual.get(name, own)] for name, own in axes.items()]
    default = {
        tuple(places[k] for places, k in zip(usual_places, row, strict=True))
        for row in covering(usual_places, strength)
    }
    rows = default.union(covering(values, len(names) if slow_strength is None else slow_strength))
    found = []
    for row in sorted(rows):
        own = [axis[k] for axis, k in zip(values, row, strict=True)]
        marks = [] if row in default else [pytest.mark.slow]
        found.append(pytest.param(*own, id="-".join(map(label_of, own)), marks=marks))
    return found

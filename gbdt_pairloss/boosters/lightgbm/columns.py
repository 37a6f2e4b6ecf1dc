"""Checks of table columns that LightGBM would confuse with others, or that end the process."""

from __future__ import annotations

from typing import Any

from ...ranking._features import arrow_columns, column_names, qid_column


def check_column_names(X: Any, expected: list[Any] | None, name: str) -> None:
    """Raise a ValueError if a table does not have the columns of the training set in their order.

    LightGBM identifies columns by their position.
    """
    names = column_names(X)
    if names is None or expected is None or names == expected:
        return
    unknown, missing = sorted(set(names) - set(expected)), sorted(set(expected) - set(names))
    if unknown or missing:
        what = f"unknown: {unknown}, missing: {missing}"
    else:
        at = next(i for i, (here, there) in enumerate(zip(names, expected, strict=True)) if here != there)
        what = f"{names[at]!r} is in the position of {expected[at]!r}"
    raise ValueError(f"the columns of {name} are not those that the ranker was fitted on ({what})")


def check_arrow_columns(X: Any) -> None:
    """Raise a TypeError for a categorical column of polars or Arrow, on which LightGBM ends the process."""
    for name, kind in arrow_columns(X):
        if str(kind).startswith(("dictionary", "Categorical", "Enum")):
            raise TypeError(
                f"LightGBM does not support categories of polars or Arrow (column {name!r}): use X.to_pandas()"
            )


def without_qid_column(categorical_feature: Any, X: Any) -> Any:
    """Return ``categorical_feature`` with positions that do not count the column of query ids of X."""
    name = qid_column(X)
    if name is None or not isinstance(categorical_feature, (list, tuple)):
        return categorical_feature
    at = (column_names(X) or []).index(name)
    positions = []
    for feature in categorical_feature:
        if isinstance(feature, int):
            if feature == at:
                raise ValueError(f"categorical_feature: column {feature} of X holds the query ids")
            feature -= feature > at
        positions.append(feature)
    return positions

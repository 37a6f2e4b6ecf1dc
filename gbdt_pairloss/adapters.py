"""What objectives and metrics have to know of a booster's dataset, and which booster a dataset comes from.

Each booster's module in ``boosters`` is an :class:`Adapter`; it is imported when the first dataset of its kind is seen.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Protocol, cast

from .data import RankingData

#: The packages, each with a module of its name in ``boosters``.
BOOSTERS = ("lightgbm", "xgboost")


class Adapter(Protocol):
    """What a booster's module offers, beside its ranker."""

    #: The class of the booster's datasets.
    DATASET: type
    #: The booster's default for the smallest sum of Hessians in a leaf.
    MIN_CHILD_HESSIAN: float

    def read_dataset(self, dataset: Any) -> RankingData:
        """Labels, groups and weights that a dataset holds, attachments included."""

    def metric_result(self, name: str, value: float, maximize: bool) -> Any:
        """A metric's value in the form that the booster takes."""

    def check_trainable(self, dataset: Any) -> None:
        """Raise where training with a custom objective would silently fail."""

    def number_of_rows(self, dataset: Any) -> int | None:
        """Rows of a dataset; None where it does not know yet."""

    def number_of_threads(self, dataset: Any) -> Any:
        """The threads that a dataset says its booster is to use; None or below 1: it does not say."""

    def follow_cuts(self, dataset: Any) -> None:
        """See to it that what is attached goes along when the dataset is cut."""


def adapter_of(dataset: Any) -> Adapter | None:
    """The adapter of the booster that a dataset comes from; None if it is no booster's dataset."""
    for cls in type(dataset).__mro__:
        package = cls.__module__.partition(".")[0]
        if package in BOOSTERS:
            adapter = cast(Adapter, import_module(f".boosters.{package}", __package__))
            return adapter if isinstance(dataset, adapter.DATASET) else None
    return None

"""The interface to a booster's datasets, and the register of the boosters that have one.

A booster registers the name of the module that is its :class:`Adapter`; the module is imported when the first dataset
of its kind is seen.
"""

from __future__ import annotations

from collections.abc import Hashable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:  # importing the package imports this module, and should not take long
    from numpy.typing import NDArray

    from ._data import RankingData
    from ._groups import Groups

# The module of each booster's adapter, by the name of the booster's package.
_MODULES: dict[str, str] = {}


def register_adapter(package: str, module: str) -> None:
    """Name the module that reads the datasets of a booster's package; it is imported on first use."""
    _MODULES[package] = module


class Adapter(Protocol):
    """What a booster's module offers, beside its ranker."""

    #: The class of the booster's datasets.
    DATASET: type
    #: What the booster's parameters call the objective and the metrics.
    OBJECTIVE_NAMES: tuple[str, ...]
    METRIC_NAMES: tuple[str, ...]
    #: The booster's default for the smallest sum of Hessians in a leaf.
    MIN_CHILD_HESSIAN: float

    def read_dataset(self, dataset: Any) -> RankingData:
        """Labels, groups and weights that a dataset holds, attachments included."""

    def version(self, dataset: Any) -> Hashable:
        """Something that is the same as long as what ``read_dataset`` reads is; None: only reading tells."""

    def read_groups(self, dataset: Any) -> tuple[NDArray[Any], Groups]:
        """Labels and groups alone, of a dataset that need not be constructed."""

    def metric_result(self, name: str, value: float, maximize: bool) -> Any:
        """A metric's value in the form that the booster takes."""

    def check_trainable(self, dataset: Any) -> None:
        """Raise where training with a custom objective would silently fail."""

    def check_evaluable(self, dataset: Any) -> None:
        """Raise where evaluating a metric on a dataset would silently harm the training."""

    def number_of_rows(self, dataset: Any) -> int | None:
        """Rows of a dataset; None where it does not know yet."""

    def training_device(self) -> int | None:
        """The CUDA device that the Booster which calls trains on, if it takes gradients from there."""

    def number_of_threads(self, dataset: Any) -> Any:
        """The threads that a dataset says its booster is to use; None or below 1: it does not say."""

    def follow_cuts(self, dataset: Any) -> None:
        """See to it that what is attached goes along when the dataset is cut."""

    def is_native_metric(self, name: str) -> bool:
        """Whether the booster has a metric of this name."""

    def cross_validate(
        self,
        params: dict[str, Any],
        dataset: Any,
        num_boost_round: int,
        folds: list[Any],
        objective: Any,
        native: list[Any],
        evaluate: Any,
        maximize: bool | None,
        **kwargs: Any,
    ) -> Any:
        """The booster's ``cv``.

        Parameters
        ----------
        params : dict
            Without objective and metrics; may be changed.
        folds : list of (train rows, test rows)
            Of whole queries.
        objective : PairwiseObjective, callable, str or None
        native : list
            The booster's own metrics.
        evaluate : callable or None
            All others, ``(preds, dataset) -> list`` of what the booster takes as results.
        maximize : bool or None
            The direction of the last of these, where it is known.
        """


def adapter_of(dataset: Any) -> Adapter | None:
    """The adapter of the booster that a dataset comes from; None if it is no booster's dataset."""
    for cls in type(dataset).__mro__:
        package = cls.__module__.partition(".")[0]
        if package in _MODULES:
            adapter = cast(Adapter, import_module(_MODULES[package]))
            return adapter if isinstance(dataset, adapter.DATASET) else None
    return None

"""The interface between the package and a booster's datasets, and the registry of supported boosters.

A booster registers the name of the module that implements its :class:`Adapter`. The module is imported when the first
dataset of that booster is used.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:  # importing the package imports this module, and must be fast
    from numpy.typing import NDArray

    from ._data import RankingData
    from ._groups import Groups

# The module of each booster's adapter, by the name of the booster's package.
_MODULES: dict[str, str] = {}


def register_adapter(package: str, module: str) -> None:
    """Register the module that reads the datasets of a booster's package; it is imported on first use."""
    _MODULES[package] = module


#: What precedes the name of a metric of the booster, as a name that this package has, too, means its own.
NATIVE = "native:"


@dataclass(frozen=True)
class Stopping:
    """The metric that early stopping follows.

    Attributes
    ----------
    rounds : int
        How many rounds without an improvement end the training.
    set_name : str
        Name of the evaluation set.
    metric : str or None
        Name of the metric; None: the last one.
    maximize : bool or None
        Whether larger values are better; None: the booster decides, as for its own metrics.
    """

    rounds: int
    set_name: str
    metric: str | None
    maximize: bool | None


class Adapter(Protocol):
    """Interface that a booster's module implements."""

    #: The class of the booster's datasets.
    DATASET: type
    #: Names of the booster's parameters for the objective and for the metrics.
    OBJECTIVE_NAMES: tuple[str, ...]
    METRIC_NAMES: tuple[str, ...]
    #: The booster's default for the smallest sum of Hessians in a leaf.
    MIN_CHILD_HESSIAN: float
    #: The factor on the Hessian that the booster's own ranking objectives have.
    HESSIAN_SCALE: float
    #: Whether early stopping can follow the first metric of several; otherwise it follows the last one.
    STOPS_BY_FIRST_METRIC: bool

    def read_dataset(self, dataset: Any) -> RankingData:
        """Return the labels, groups and weights of a dataset, including its attachment."""

    def version(self, dataset: Any) -> Hashable:
        """Return a value that changes if the result of ``read_dataset`` changes; None if the booster has none."""

    def read_groups(self, dataset: Any) -> tuple[NDArray[Any], Groups]:
        """Return only the labels and groups of a dataset, which need not be constructed."""

    def metric_result(self, name: str, value: float, maximize: bool) -> Any:
        """Return a metric's value in the form that the booster expects."""

    def check_names(self, dataset: Any, names: list[str]) -> None:
        """Raise a ValueError if the booster evaluates a metric of one of the names, too: it would mix their values."""

    def check_direction(self, name: str, maximize: bool) -> None:
        """Warn if the booster's early stopping is about to guess the direction of a metric wrongly."""

    def check_trainable(self, dataset: Any) -> None:
        """Raise an error if training with a custom objective would silently fail."""

    def check_evaluable(self, dataset: Any) -> None:
        """Raise an error if evaluating a metric on a dataset would silently harm the training."""

    def number_of_rows(self, dataset: Any) -> int | None:
        """Return the number of rows of a dataset; None if it is not known yet."""

    def training_device(self) -> int | None:
        """Return the CUDA device of the calling Booster, if it accepts gradients on that device; otherwise None."""

    def number_of_threads(self, dataset: Any) -> Any:
        """Return the number of threads set in the dataset's parameters; None or below 1 if it is not set."""

    def follow_cuts(self, dataset: Any) -> None:
        """Make the subsets of a dataset carry the matching part of its attachment."""

    def is_native_metric(self, name: str) -> bool:
        """Return whether the booster has a metric of this name."""

    def check_parameters(self, params: dict[str, Any]) -> None:
        """Raise a ValueError for a parameter that objectives of this package would ignore."""

    def at_ranks(self, params: dict[str, Any], metrics: list[Any]) -> list[Any]:
        """Return the metrics with the ranks that the parameters name, ``ndcg`` as ``ndcg@3``."""

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
        """Run the booster's ``cv``.

        Parameters
        ----------
        params : dict
            Parameters without objective and metrics; the method may change them.
        folds : list of (train rows, test rows)
            Folds that keep queries whole.
        objective : RankingObjective, callable, str or None
        native : list
            Names of native metrics.
        evaluate : callable or None
            A function that evaluates all other metrics: ``(preds, dataset) -> list`` of results in the booster's form.
        maximize : bool or None
            Direction of the last of these metrics; None if it is not known.
        """

    def train(
        self,
        params: dict[str, Any],
        dataset: Any,
        num_boost_round: int,
        evals: list[tuple[Any, str]],
        objective: Any,
        native: list[Any],
        evaluate: Any,
        stopping: Stopping | None,
        **kwargs: Any,
    ) -> Any:
        """Run the booster's ``train``, with the arguments of ``cross_validate``, named sets, and early stopping."""


def adapter_of(dataset: Any) -> Adapter | None:
    """Return the adapter of the booster that a dataset belongs to; None if it is not a booster's dataset."""
    for cls in type(dataset).__mro__:
        package = cls.__module__.partition(".")[0]
        if package in _MODULES:
            adapter = cast(Adapter, import_module(_MODULES[package]))
            return adapter if isinstance(dataset, adapter.DATASET) else None
    return None

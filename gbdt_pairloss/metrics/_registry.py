"""The definition of a metric (kernel, options, public function), and the evaluation that all metrics share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from .._device import is_on_device, like, to_host
from .._docstrings import TEXT, documented_with
from ..ranking._adapter import adapter_of
from ..ranking._data import RankingData
from ..ranking._reading import read_arrays
from ..ranking._validation import Float64Array, as_vector, check_choice, check_finite, check_positive
from ._ranking import rows_per_query

METRICS: dict[str, MetricDefinition] = {}
"""The definition of every metric, by each of its names; ``register`` fills it."""

_DATA_ARGUMENTS = ("y_true", "y_pred", "group", "qid", "mask", "query_weight", "per_query", "pairs")


@dataclass(frozen=True, eq=False)
class MetricDefinition:
    """A metric: its kernel, its options and its public function.

    Attributes
    ----------
    name : str
        Name of the function, used in messages.
    function : callable
        The public function, ``f(y_true, y_pred, *, group=None, ...)``.
    kernel : callable
        ``(data, scores, **options) -> float64 array of shape (n_queries,)``, NaN where the metric is undefined. It
        gets checked data, finite scores, and every option except ``empty``.
    needs : str
        The condition on a query for the metric to be defined, as messages state it.
    defaults : mapping
        The options and their defaults, from the function's signature.
    choices : mapping
        The valid values of each option that has a list of them.
    device_kernel : callable or None
        Like ``kernel``, with the scores on a CUDA device. It returns None if ``kernel`` has to be used.
    """

    name: str
    function: Callable[..., Any]
    kernel: Callable[..., Float64Array]
    needs: str
    defaults: Mapping[str, Any]
    choices: Mapping[str, tuple[str, ...]]
    device_kernel: Callable[..., Float64Array | None] | None = None

    def complete(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return all options, checked; those that are not given have their defaults."""
        for option in options:
            if option not in self.defaults:
                raise TypeError(f"{self.name} has no option {option!r}; it takes {', '.join(self.defaults)}")
        full = {**self.defaults, **options}
        for option, value in full.items():
            if option in self.choices:
                check_choice(value, option, self.choices[option])
            else:
                _OPTION_CHECKS[option](value, option)
        return full

    def per_query(self, data: RankingData, scores: Any, options: Mapping[str, Any]) -> Float64Array:
        """Compute one value per query, NaN for queries that are left out; ``options`` come from ``complete``."""
        kernel_options = {option: value for option, value in options.items() if option != "empty"}
        values = None
        if is_on_device(scores) and self.device_kernel is not None:
            values = self.device_kernel(data, scores, **kernel_options)
        if values is None:
            values = self.kernel(data, check_scores(data, to_host(scores)), **kernel_options)
        if options["empty"] != "skip":
            values[np.isnan(values) & (rows_per_query(data) > 0)] = options["empty"]
        return values

    def mean(self, values: Float64Array, data: RankingData) -> float:
        """Return the mean over the queries that are not left out, weighted by ``data.evaluation_weight()``."""
        counted = ~np.isnan(values)
        if not counted.any():
            if not rows_per_query(data).any():
                raise ValueError(f"{self.name} has nothing to average: no row takes part")
            needs = (
                self.needs if data.pairs is None else "an explicit pair with a positive weight, whose rows take part,"
            )
            raise ValueError(
                f"{self.name} is undefined for every query: it needs {needs} in at least one query "
                "(empty=0.0 or empty=1.0 counts such queries instead of leaving them out)"
            )
        weight = data.evaluation_weight()
        if weight is None:
            return float(values[counted].mean())
        total = weight[counted].sum()
        if total == 0:
            raise ValueError(
                f"the query weights are all 0 for the queries that count: the mean of {self.name} is undefined"
            )
        return float(weight[counted] @ values[counted] / total)


Function = TypeVar("Function", bound=Callable[..., Any])


def register(
    *names: str,
    kernel: Callable[..., Float64Array],
    needs: str,
    choices: Mapping[str, tuple[str, ...]] | None = None,
    device_kernel: Callable[..., Float64Array | None] | None = None,
) -> Callable[[Function], Function]:
    """Decorate a public function to register it in ``METRICS``, by the function's name and by ``names``.

    The keyword arguments that do not hold data become the metric's options. The other parameters are those of
    :class:`MetricDefinition`. Placeholders such as ``%(input)s`` in the docstring are replaced by the texts that all
    metrics share.
    """

    def decorate(function: Function) -> Function:
        parameters = inspect.signature(function).parameters
        definition = MetricDefinition(
            name=function.__name__,
            function=function,
            kernel=kernel,
            needs=needs,
            defaults=MappingProxyType(
                {p.name: p.default for p in parameters.values() if p.name not in _DATA_ARGUMENTS}
            ),
            choices=MappingProxyType(dict(choices or {})),
            device_kernel=device_kernel,
        )
        METRICS.update(dict.fromkeys((function.__name__, *names), definition))
        return documented_with(_SHARED_TEXT)(function)

    return decorate


def evaluate(
    name: str,
    y_true: Any,
    y_pred: Any,
    *,
    group: Any,
    qid: Any,
    mask: Any,
    query_weight: Any,
    per_query: bool,
    pairs: Any = None,
    **options: Any,
) -> float | Float64Array:
    """Evaluate a metric with the arguments of its public function: check the arrays, run the kernel, take the mean."""
    definition = METRICS[name]
    options = definition.complete(options)
    if adapter_of(y_pred) is not None:
        raise TypeError(f"{definition.function.__name__} takes arrays: give the booster metrics.feval({name!r})")
    given = read_arrays(y_true, y_pred, group=group, qid=qid, mask=mask, pairs=pairs)
    data = given.data
    if query_weight is not None:
        data = replace(data, query_weight=as_vector(query_weight, "query_weight"))
    (scores,) = like(y_pred, given.scores)
    values = definition.per_query(data, scores, options)
    return like(y_pred, values)[0] if per_query else definition.mean(values, data)


def check_scores(data: RankingData, scores: Any) -> Any:
    """Return scores as a float vector.

    Scores on a CUDA device stay there unchecked: the code that reads them there, or copies them to the host, checks
    them.

    Raises
    ------
    ValueError
        If there is not one score per row, or a score is NaN or infinite; the message names the row.
    """
    if is_on_device(scores) and scores.shape == (data.groups.n_rows,):
        return scores
    vector = as_vector(scores, "the score", data.groups.n_rows)
    check_finite(vector, "the score", data.mask)
    return vector


def _check_k(value: Any, name: str) -> None:
    if value is None:
        return
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be a positive integer, or None for the whole list; got {value!r}")


def _check_empty(value: Any, name: str) -> None:
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not (is_number and value in (0.0, 1.0)):
        check_choice(value, name, (0.0, 1.0, "skip"))


def _check_relevant(value: Any, name: str) -> None:
    is_number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not (is_number and np.isfinite(value)):
        raise ValueError(f"{name} must be a finite number, the smallest label that is relevant; got {value!r}")


def _check_max_label(value: Any, name: str) -> None:
    if value is not None:
        check_positive(value, name)


_OPTION_CHECKS: dict[str, Callable[[Any, str], None]] = {
    "k": _check_k,
    "empty": _check_empty,
    "relevant": _check_relevant,
    "max_label": _check_max_label,
}

_PER_QUERY = """\
per_query : bool, default=False
    Return one value per query instead of the mean."""

_EMPTY = """\
    Value of a query for which the metric is undefined (see Notes). "skip": leave the query out of the mean; with
    ``per_query`` it is NaN. Queries without rows are always left out."""

_SHARED_TEXT = {
    "input": "\n".join((TEXT["arrays"], TEXT["mask"], TEXT["query_weight"], _PER_QUERY)),
    "k": """\
k : int, optional
    Only the first ``k`` ranks count. None: the whole list.""",
    "relevant": """\
relevant : float, default=1.0
    A row is relevant if its label is at least this value.""",
    "ties": """\
ties : {"average", "order"}, default="average"
    "average": the exact expectation over all orders of equally scored rows. "order": equally scored rows stay in
    the order in which they are given.""",
    "empty": 'empty : {0.0, 1.0, "skip"}, default=0.0\n' + _EMPTY,
    "empty_skip": 'empty : {0.0, 1.0, "skip"}, default="skip"\n' + _EMPTY,
    "returns": """\
float, or float64 array of shape (n_queries,) if ``per_query``
    The mean over queries, or the value of each query. The array is a CuPy array if ``y_pred`` is one.""",
    "raises": """\
ValueError
    If shapes, groups, weights or an option are invalid, a label or score of a row that takes part is not finite,
    every query is left out, or all queries that count have weight 0.""",
    "warns": """\
UserWarning
    If no row is relevant: no label reaches ``relevant``.""",
}

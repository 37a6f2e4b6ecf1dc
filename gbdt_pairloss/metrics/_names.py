"""Metrics by name, such as ``"ndcg@10"``, and in the form that the boosters call."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._device import is_on_device
from ..ranking._adapter import adapter_of
from ..ranking._data import RankingData
from ..ranking._validation import Float64Array, nearest_name
from ._registry import METRICS, check_scores


@dataclass(frozen=True)
class Metric:
    """A metric with its options, made by :func:`get_metric`.

    It can be pickled and copied. Two of these objects are equal if all their attributes are.

    Attributes
    ----------
    name : str
        The name that :func:`get_metric` was given, such as "ndcg@10".
    definition : str
        Name of the metric in ``METRICS``, without ``@k``.
    options : tuple of (str, value)
        All options, those at their defaults included.
    maximize : bool
        Whether larger is better: True for all metrics of this package.

    See Also
    --------
    get_metric : Make a metric from its name.
    feval : Make a callable for the boosters from one or more metrics.
    """

    name: str
    definition: str
    options: tuple[tuple[str, Any], ...]
    maximize: bool = True

    def __call__(self, data: RankingData, scores: Any) -> float:
        """Compute the mean over queries, weighted by the query weights.

        Parameters
        ----------
        data : RankingData
            Labels, groups and weights, as read from a booster's dataset or a ranker's evaluation set.
        scores : array of shape (n_rows,)
            Larger is better.

        Returns
        -------
        value : float

        Raises
        ------
        ValueError
            If the metric does not accept the labels, a score is not finite, or no query counts.
        """
        return METRICS[self.definition].mean(self.per_query(data, scores), data)

    def per_query(self, data: RankingData, scores: Any) -> Float64Array:
        """Compute one value per query.

        Parameters
        ----------
        data : RankingData
            Labels, groups and weights, as read from a booster's dataset or a ranker's evaluation set.
        scores : array of shape (n_rows,)
            Larger is better.

        Returns
        -------
        values : float64 array of shape (n_queries,)
            NaN for the queries that are left out.

        Raises
        ------
        ValueError
            If the metric does not accept the labels, or a score is not finite.
        """
        return METRICS[self.definition].per_query(data, check_scores(data, scores), dict(self.options))


def get_metric(name: str, **options: Any) -> Metric:
    """Make a metric from its name, such as "ndcg@10", "map", "mrr", "precision@5" or "spearman".

    Parameters
    ----------
    name : str
        A name of ``METRICS``. ``@k`` after it counts the first ``k`` ranks only, if the metric has an option ``k``.
    **options
        Options of the metric's function: ``gain``, ``ties``, ``relevant``, ``max_label``, ``empty``.

    Returns
    -------
    metric : Metric
        A callable ``(data, scores) -> float``, where ``data`` is a RankingData.

    Raises
    ------
    ValueError
        If the name is unknown, ``k`` is not a positive integer, the metric does not support ``@k``, or an option has an
        invalid value.
    TypeError
        If the name is not a string, the metric does not have such an option, or ``k`` is not given in the name.

    See Also
    --------
    feval : Make a callable for the boosters from one or more metrics.
    ndcg : An example of a metric's function, to be called with arrays.

    Examples
    --------
    >>> get_metric("ndcg@10", gain="linear").name
    'ndcg@10'
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a metric must be a string such as 'ndcg@10', got {name!r}")
    key, at, k = name.partition("@")
    if key not in METRICS:
        close = similar_name(name, METRICS)
        hint = f" (did you mean {close!r}?)" if close else ""
        raise ValueError(f"unknown metric {name!r}{hint}; the names are {', '.join(sorted(METRICS))}, some with @k")
    definition = METRICS[key]
    if "k" in options and "k" in definition.defaults:
        raise TypeError(f"the k of {key!r} goes into its name: {key + '@' + str(options['k'])!r}, not k=")
    if at:
        if "k" not in definition.defaults:
            raise ValueError(f"{name!r}: {key} takes no @k, since it is a metric of the whole list")
        if not (k.isascii() and k.isdecimal() and int(k) >= 1):
            raise ValueError(f"{name!r}: the part after @ must be a positive integer")
        options = {**options, "k": int(k)}
    return Metric(name, definition.name, tuple(definition.complete(options).items()))


def similar_name(name: str, known: Collection[str]) -> str | None:
    """Return the name that a misspelt one may mean, with its ``@k``; None if there is none."""
    matched = re.fullmatch(r"(.*?)[@_ ]?(\d*)", name.lower(), re.DOTALL)
    assert matched is not None
    words, rank = matched.groups()
    close = nearest_name(words, known)
    return f"{close}@{rank}" if close and rank else close


@dataclass(frozen=True)
class Feval:
    """A callable that evaluates metrics for a booster, made by :func:`feval`.

    Attributes
    ----------
    metrics : tuple of Metric
        The metrics, in the order in which they were given.

    See Also
    --------
    feval : Make such a callable.
    """

    metrics: tuple[Metric, ...]

    def __call__(self, preds: Any, dataset: Any) -> list[Any]:
        """Compute every metric on a booster's dataset, in the form that the booster takes.

        Parameters
        ----------
        preds : array of shape (n_rows,)
            Raw scores.
        dataset : lightgbm.Dataset, xgboost.DMatrix or a subclass of it
            A dataset with groups.

        Returns
        -------
        results : list
            ``(name, value, True)`` for LightGBM, ``(name, value)`` for XGBoost; larger is better.

        Raises
        ------
        TypeError
            If ``dataset`` is not a booster's dataset.
        ValueError
            If the dataset has no groups, a metric does not accept the labels, a score is not finite (the message
            names the row), the booster evaluates a metric of the same name, or LightGBM trains on the dataset with
            DART.

        Warns
        -----
        UserWarning
            If XGBoost's early stopping is about to minimise the last metric, because it was not told ``maximize=True``.
        """
        adapter = adapter_of(dataset)
        if adapter is None:
            raise TypeError(
                f"the result of feval must be called with predictions and a LightGBM Dataset or an XGBoost DMatrix, "
                f"not a {type(dataset).__name__}; for arrays use the functions of gbdt_pairloss.metrics"
            )
        adapter.check_evaluable(dataset)
        data = adapter.read_dataset(dataset)
        scores = preds if is_on_device(preds) else np.asarray(preds)
        adapter.check_names(dataset, [metric.name for metric in self.metrics])
        adapter.check_direction(self.metrics[-1].name, self.metrics[-1].maximize)
        return [adapter.metric_result(m.name, m(data, scores), m.maximize) for m in self.metrics]


def as_metric(metric: Any, losses: Collection[str] = ()) -> Metric:
    """Return the Metric for the ``metric`` argument of a ``score`` method.

    Parameters
    ----------
    metric : str, Metric or Feval
        A name, or an object that is or holds one metric. Anything else is an error.
    losses : collection of str, default=()
        Names of losses, which get a separate error message: a loss is not a score, since smaller is better.

    Returns
    -------
    metric : Metric

    Raises
    ------
    ValueError
        If the name is the name of a loss, or not the name of a metric.
    TypeError
        If ``metric`` is neither a name nor a metric, or is a Feval of several metrics.
    """
    if isinstance(metric, Feval) and len(metric.metrics) == 1:
        return metric.metrics[0]
    if isinstance(metric, str) and metric in losses:
        raise ValueError(
            f"{metric} is a loss, for which smaller is better; score needs a metric such as 'pair_accuracy'"
        )
    if isinstance(metric, str):
        return get_metric(metric)
    if not isinstance(metric, Metric):
        raise TypeError(f"metric must be a name such as 'ndcg@10', or metrics.get_metric(...), got {metric!r}")
    return metric


def feval(*names: str | Metric, **options: Any) -> Feval:
    """Make a callable for ``lightgbm.train(feval=...)`` and ``xgboost.train(custom_metric=...)``.

    ::

        lightgbm.train(params, train, valid_sets=[valid], feval=feval("ndcg@10", "map"))
        xgboost.train(params, train, evals=[(valid, "valid")], custom_metric=feval("ndcg@10"), maximize=True)

    Parameters
    ----------
    *names : str or Metric
        One or more metrics. A str is a name that :func:`get_metric` takes, such as "ndcg@10".
    **options
        Options of :func:`get_metric`. Each option is used for the names whose metrics have it.

    Returns
    -------
    evaluate : Feval
        A callable ``(preds, dataset) -> list`` of results in the form that the booster takes. It can be pickled.

    Raises
    ------
    ValueError
        If no metric is given, two have the same name, a name is unknown, ``k`` is not a positive integer, a metric does
        not support ``@k``, or an option has an invalid value.
    TypeError
        If a name is not a string, ``k`` is not given in the name, or none of the metrics has an option that is given.

    See Also
    --------
    get_metric : Make one metric from its name.

    Notes
    -----
    The weight of a query in the mean is its query weight times the mean of its item weights.

    XGBoost guesses from the name of a custom metric whether larger is better. For early stopping, pass
    ``maximize=True`` to ``xgboost.train`` or to its ``EarlyStopping`` callback.

    Examples
    --------
    >>> evaluate = feval("ndcg@10", "map", relevant=2)
    >>> [metric.name for metric in evaluate.metrics]
    ['ndcg@10', 'map']
    """
    if not names:
        raise ValueError("feval needs at least one metric name, such as 'ndcg@10'")
    metrics = []
    used: set[str] = set()
    for name in names:
        if isinstance(name, Metric):
            metrics.append(name)
            continue
        supported = dict(get_metric(name).options)
        chosen = {option: value for option, value in options.items() if option in supported}
        used |= set(chosen)
        metrics.append(get_metric(name, **chosen))
    counts = Counter(metric.name for metric in metrics)
    if counts.most_common(1)[0][1] > 1:
        raise ValueError(f"feval has two metrics called {counts.most_common(1)[0][0]!r}: boosters mix their values")
    unused = sorted(set(options) - used)
    if unused:
        raise TypeError(f"no metric of {', '.join(repr(m.name) for m in metrics)} has the option {unused[0]!r}")
    return Feval(tuple(metrics))

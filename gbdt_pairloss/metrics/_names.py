"""Metrics by name, ``"ndcg@10"``, and in the form that the boosters call."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._device import is_on_device
from ..ranking._adapter import adapter_of
from ..ranking._data import RankingData
from ..ranking._validation import Float64Array
from ._registry import METRICS, check_scores


@dataclass(frozen=True)
class Metric:
    """A metric with its options; made by :func:`get_metric`. Pickles, copies, compares by value.

    Attributes
    ----------
    name : str
        As asked for, such as "ndcg@10".
    definition : str
        The metric's name in ``METRICS``.
    options : tuple of (str, value)
        All options, defaults included.
    maximize : bool
        Larger is better: True for all metrics of this package.
    """

    name: str
    definition: str
    options: tuple[tuple[str, Any], ...]
    maximize: bool = True

    def __call__(self, data: RankingData, scores: Any) -> float:
        """The mean over the queries, by their weights.

        Parameters
        ----------
        data : RankingData
            Labels, groups and weights, as a booster's dataset or a ranker's evaluation set is read.
        scores : array of shape (n_rows,)
            Larger is better.

        Returns
        -------
        value : float

        Raises
        ------
        ValueError
            If the labels do not suit the metric, a score is not finite, or no query counts.
        """
        return METRICS[self.definition].mean(self.per_query(data, scores), data)

    def per_query(self, data: RankingData, scores: Any) -> Float64Array:
        """One value per query.

        Parameters
        ----------
        data, scores
            As in :meth:`__call__`.

        Returns
        -------
        values : float64 array of shape (n_queries,)
            NaN for the queries that are left out.

        Raises
        ------
        ValueError
            If the labels do not suit the metric, or a score is not finite.
        """
        return METRICS[self.definition].per_query(data, check_scores(data, scores), dict(self.options))


def get_metric(name: str, **options: Any) -> Metric:
    """The metric of a name, with ``@k`` where it has a cut: "ndcg@10", "map", "mrr", "precision@5", "spearman".

    Parameters
    ----------
    name : str
        A name of ``METRICS``, with or without ``@k``.
    **options
        The function's own options: ``gain``, ``ties``, ``relevant``, ``max_label``, ``empty``.

    Returns
    -------
    Metric
        Called with ``(RankingData, scores)``.

    Raises
    ------
    ValueError
        If the name is unknown, ``@k`` is no positive integer or the metric has no cut, or an option's value is wrong.
    TypeError
        If the name is no string, the metric has no such option, or ``k`` is given apart from the name.

    Examples
    --------
    >>> get_metric("ndcg@10", gain="linear").name
    'ndcg@10'
    """
    if not isinstance(name, str):
        raise TypeError(f"a metric's name must be a string such as 'ndcg@10', got {name!r}")
    key, at, cut = name.partition("@")
    if key not in METRICS:
        close = difflib.get_close_matches(key, METRICS, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise ValueError(f"unknown metric {name!r}{hint}; the names are {', '.join(sorted(METRICS))}, some with @k")
    definition = METRICS[key]
    if "k" in options and "k" in definition.defaults:
        raise TypeError(f"the cut of {key!r} goes into its name: {key + '@' + str(options['k'])!r}, not k=")
    if at:
        if "k" not in definition.defaults:
            raise ValueError(f"{name!r}: {key} takes no @k, it looks at the whole list")
        if not (cut.isascii() and cut.isdecimal() and int(cut) >= 1):
            raise ValueError(f"{name!r}: what follows the @ must be a positive integer")
        options = {**options, "k": int(cut)}
    return Metric(name, definition.name, tuple(definition.complete(options).items()))


@dataclass(frozen=True)
class Feval:
    """What :func:`feval` returns: a callable of predictions and a booster's dataset.

    Attributes
    ----------
    metrics : tuple of Metric
    """

    metrics: tuple[Metric, ...]

    def __call__(self, preds: Any, dataset: Any) -> list[Any]:
        """Every metric on the dataset, in the form that its booster takes.

        Parameters
        ----------
        preds : array of shape (n_rows,)
            Raw scores.
        dataset : lightgbm.Dataset or xgboost.DMatrix (or its kin)
            With groups.

        Returns
        -------
        results : list
            ``(name, value, True)`` for LightGBM, ``(name, value)`` for XGBoost; larger is better.

        Raises
        ------
        TypeError
            If ``dataset`` is not a booster's dataset.
        ValueError
            If the dataset has no groups, the labels do not suit a metric, a prediction is not finite (the row is
            named), or LightGBM's DART trains on the dataset.
        """
        adapter = adapter_of(dataset)
        if adapter is None:
            raise TypeError(
                f"the metrics of feval are called with predictions and a LightGBM Dataset or an XGBoost DMatrix, "
                f"not a {type(dataset).__name__}; for arrays use the functions of gbdt_pairloss.metrics"
            )
        adapter.check_evaluable(dataset)
        data = adapter.read_dataset(dataset)
        scores = preds if is_on_device(preds) else np.asarray(preds)
        return [adapter.metric_result(m.name, m(data, scores), m.maximize) for m in self.metrics]


def as_metric(metric: Any, losses: Collection[str] = ()) -> Metric:
    """Return the metric that a score is asked for by, a name or an object.

    Parameters
    ----------
    metric : str, Metric or Feval of one metric
    losses : collection of str
        Names of losses, of which smaller is better: they are refused as such.

    Raises
    ------
    ValueError
        If the name is that of a loss, or of no metric.
    TypeError
        If it is neither a name nor a metric.
    """
    if isinstance(metric, Feval) and len(metric.metrics) == 1:
        return metric.metrics[0]
    if isinstance(metric, str) and metric in losses:
        raise ValueError(f"{metric} is a loss, of which less is better; score takes a metric such as 'pair_accuracy'")
    if isinstance(metric, str):
        return get_metric(metric)
    if not isinstance(metric, Metric):
        raise TypeError(f"metric must be a name such as 'ndcg@10', or metrics.get_metric(...), got {metric!r}")
    return metric


def feval(*names: str | Metric, **options: Any) -> Feval:
    """Metrics for ``lightgbm.train(feval=...)`` and ``xgboost.train(custom_metric=...)``.

    ::

        lightgbm.train(params, train, valid_sets=[valid], feval=feval("ndcg@10", "map"))
        xgboost.train(params, train, evals=[(valid, "valid")], custom_metric=feval("ndcg@10"), maximize=True)

    XGBoost guesses from a custom metric's name whether larger is better: for early stopping pass ``maximize=True`` to
    ``xgboost.train`` or to its ``EarlyStopping`` callback.

    Parameters
    ----------
    *names : str or Metric
        As for :func:`get_metric`.
    **options
        Options of :func:`get_metric`; with several names each goes to the metrics that have it.

    Returns
    -------
    evaluate : Feval
        ``(preds, dataset) -> list`` of what the booster takes as results; it pickles. Queries count by their weight
        times the mean of their item weights.

    Raises
    ------
    ValueError
        As for :func:`get_metric`; if no metric is given.
    TypeError
        As for :func:`get_metric`; if none of the metrics has an option.

    Examples
    --------
    >>> evaluate = feval("ndcg@10", "map", relevant=2)
    >>> [metric.name for metric in evaluate.metrics]
    ['ndcg@10', 'map']
    """
    if not names:
        raise ValueError("feval needs at least one metric name, such as 'ndcg@10'")
    made = []
    used: set[str] = set()
    for name in names:
        if isinstance(name, Metric):
            made.append(name)
            continue
        plain = get_metric(name)
        own = {option: value for option, value in options.items() if option in dict(plain.options)}
        used |= set(own)
        made.append(get_metric(name, **own))
    unused = sorted(set(options) - used)
    if unused:
        raise TypeError(f"no metric of {', '.join(repr(m.name) for m in made)} has the option {unused[0]!r}")
    return Feval(tuple(made))

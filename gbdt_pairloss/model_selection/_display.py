"""Plots of metrics of rankings, in the form of scikit-learn's Display objects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .._docstrings import TEXT, documented_with
from ..metrics import Metric
from ..metrics._names import as_metric
from ..objectives import objective_names
from ..ranking._data import RankingData
from ..ranking._reading import read_arrays
from ..ranking._validation import Float64Array, as_vector, check_choice
from ._scorer import predictions

_ABBREVIATIONS = ("ndcg", "map", "mrr", "err", "auc")

_TEXT = {
    **TEXT,
    "metric": """\
metric : str or Metric, default="ndcg@20"
    A name, or the result of ``metrics.get_metric``. A curve needs a rank ``@k``, and is drawn over the ranks up to k.
kind, ax, **kwargs
    As in :meth:`plot`.""",
    "raises": """\
ImportError
    If matplotlib is not installed.
TypeError
    If ``metric`` is neither a name nor a Metric.
ValueError
    If the data are malformed, the metric does not accept them, a curve of a metric without ``@k`` is asked for, or the
    metric or kind is unknown.""",
}


class RankingDisplay:
    """Plot of a metric over the queries of a test set: its mean at each rank, or the distribution of its values.

    Use :meth:`from_estimator` or :meth:`from_predictions` to create a display. ``ax=`` draws several rankers into the
    same axes::

        display = RankingDisplay.from_estimator(first, X, y, qid=qid)
        RankingDisplay.from_estimator(second, X, y, qid=qid, ax=display.ax_)

    Parameters
    ----------
    k : int array of shape (n_ranks,)
        The ranks at which the metric is cut off; empty for a metric of the whole list.
    mean : float array of shape (n_ranks,)
        Mean of the metric over the queries, at each rank.
    per_query : float array of shape (n_queries,)
        Value of each query at the last rank (or of the whole list); NaN for queries that the metric leaves out.
    metric_name : str
        Name of the metric, such as "ndcg@20".
    score : float
        Mean of ``per_query``, weighted by the weights of the queries.
    estimator_name : str, optional
        Name in the legend.

    Attributes
    ----------
    line_ : matplotlib Line2D
        Line of the last :meth:`plot`.
    ax_ : matplotlib Axes
        Axes of the last :meth:`plot`.
    figure_ : matplotlib Figure
        Figure of the last :meth:`plot`.

    See Also
    --------
    RankingDisplay.from_estimator : Plot a metric of a fitted ranker on a test set.
    RankingDisplay.from_predictions : Plot a metric of given scores.
    make_ranking_scorer : Make a scorer for scikit-learn's searches and cross-validation.
    """

    def __init__(
        self,
        *,
        k: Any,
        mean: Float64Array,
        per_query: Float64Array,
        metric_name: str,
        score: float,
        estimator_name: str | None = None,
    ) -> None:
        self.k = k
        self.mean = mean
        self.per_query = per_query
        self.metric_name = metric_name
        self.score = score
        self.estimator_name = estimator_name

    def plot(self, ax: Any = None, *, kind: str = "curve", name: str | None = None, **kwargs: Any) -> RankingDisplay:
        """Draw the curve or the distribution.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to draw into; None: those of a new figure.
        kind : {"curve", "distribution"}, default="curve"
            "curve": the mean at each rank. "distribution": the share of queries whose value is at most x.
        name : str, optional
            Name in the legend; default: ``estimator_name``.
        **kwargs
            Arguments of ``Axes.plot`` or ``Axes.step``, such as ``color=``.

        Returns
        -------
        self : RankingDisplay
            The display, with the attributes of the plot.

        Raises
        ------
        ValueError
            If the metric has no ranks and a curve is asked for, or the kind is unknown.
        ImportError
            If matplotlib is not installed.
        """
        check_choice(kind, "kind", ("curve", "distribution"))
        base, _, cut = self.metric_name.partition("@")
        base = base.upper() if base in _ABBREVIATIONS else base
        if kind == "curve" and len(self.k) == 0:
            raise _no_curve(self.metric_name)
        try:
            import matplotlib.pyplot as plt
            from matplotlib.ticker import MaxNLocator
        except ModuleNotFoundError:
            raise ImportError("RankingDisplay needs matplotlib: pip install 'gbdt_pairloss[notebooks]'") from None

        axes = plt.subplots()[1] if ax is None else ax
        shown = f"{base}@{cut}" if cut else base
        name = self.estimator_name if name is None else name
        score = f"{shown} = {self.score:.3f}"
        style = {"label": score if name is None else f"{name} ({score})", **kwargs}
        if kind == "curve":
            lines = axes.plot(self.k, self.mean, **style)
            axes.set(xlabel="rank k", ylabel=f"{base}@k, mean over queries")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        else:
            values = np.sort(self.per_query[~np.isnan(self.per_query)])
            share = np.arange(1, values.size + 1) / values.size
            # The first value occurs twice, so that the line starts at 0.
            lines = axes.step(np.append(values[:1], values), np.append(0.0, share), where="post", **style)
            axes.set(xlabel=f"{shown} of a query", ylabel="share of queries at or below")
        axes.legend(loc="best")
        self.line_: Any = lines[0]
        self.ax_, self.figure_ = axes, axes.figure
        return self

    @classmethod
    @documented_with(_TEXT)
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        qid: Any = None,
        sample_weight: Any = None,
        metric: str | Metric = "ndcg@20",
        kind: str = "curve",
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> RankingDisplay:
        """Create a display of an estimator's scores of a test set, and draw it.

        Parameters
        ----------
        %(estimator)s
        %(test_rows)s
        %(test_weight)s
        %(metric)s
        name : str, optional
            Name in the legend; default: the name of the estimator's class.

        Returns
        -------
        display : RankingDisplay
            The display, drawn.

        Raises
        ------
        %(raises)s
            If there are no query ids, or the estimator is not fitted.

        See Also
        --------
        RankingDisplay.from_predictions : The same for given scores.
        """
        metric = _drawable(metric, kind)
        data, scores = predictions(
            estimator, X, y, qid, sample_weight, "a display of rankings needs qid=, or a DataFrame column qid"
        )
        last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
        display = cls._from_data(data, scores, metric, type(last).__name__ if name is None else name)
        return display.plot(ax, kind=kind, **kwargs)

    @classmethod
    @documented_with(_TEXT)
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        *,
        group: Any = None,
        qid: Any = None,
        query_weight: Any = None,
        metric: str | Metric = "ndcg@20",
        kind: str = "curve",
        name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> RankingDisplay:
        """Create a display of given scores, and draw it.

        Parameters
        ----------
        %(arrays)s
        %(query_weight)s
        %(metric)s
        name : str, optional
            Name in the legend.

        Returns
        -------
        display : RankingDisplay
            The display, drawn.

        Raises
        ------
        %(raises)s

        See Also
        --------
        RankingDisplay.from_estimator : The same for a fitted estimator.
        """
        metric = _drawable(metric, kind)
        given = read_arrays(y_true, y_pred, group=group, qid=qid)
        data = given.data
        if query_weight is not None:
            data = replace(data, query_weight=as_vector(query_weight, "query_weight"))
        return cls._from_data(data, given.scores, metric, name).plot(ax, kind=kind, **kwargs)

    @classmethod
    def _from_data(cls, data: RankingData, scores: Any, metric: Metric, name: str | None) -> RankingDisplay:
        options = dict(metric.options)
        ranks = np.arange(1, 1 + (options.get("k") or 0))
        cuts = [replace(metric, options=tuple({**options, "k": int(k)}.items())) for k in ranks]
        return cls(
            k=ranks,
            mean=np.array([cut(data, scores) for cut in cuts]),
            per_query=metric.per_query(data, scores),
            metric_name=metric.name,
            score=metric(data, scores),
            estimator_name=name,
        )


def _no_curve(metric: str) -> ValueError:
    """Return the error for a curve of a metric without ranks."""
    return ValueError(
        f"{metric} has no ranks to draw a curve over: use a metric with @k, such as 'ndcg@20', or kind='distribution'"
    )


def _drawable(metric: str | Metric, kind: str) -> Metric:
    """Return the Metric for a name; a ValueError, before anything is predicted, if this kind cannot be drawn."""
    check_choice(kind, "kind", ("curve", "distribution"))
    metric = as_metric(metric, losses=objective_names())
    if kind == "curve" and not dict(metric.options).get("k"):
        raise _no_curve(metric.name)
    return metric

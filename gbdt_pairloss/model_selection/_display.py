"""Pictures of how well rankings do, in the manner of scikit-learn's Display objects."""

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
    With a cut ``@k`` a curve is drawn over the ranks up to k.
kind, ax, **kwargs
    As in :meth:`plot`.""",
    "raises": """\
ImportError
    If there is no matplotlib.
TypeError
    If ``metric`` is neither a name nor a Metric.
ValueError
    If the data are malformed or do not suit the metric, a curve is asked of a metric without ``@k``, or there is no
    such metric or kind.""",
}


class RankingDisplay:
    """A metric over the queries of a test set: its mean at each rank, or the distribution of its values.

    Make it by :meth:`from_estimator` or :meth:`from_predictions`. Several rankers go into one axes by ``ax=``::

        display = RankingDisplay.from_estimator(first, X, y, qid=qid)
        RankingDisplay.from_estimator(second, X, y, qid=qid, ax=display.ax_)

    Parameters
    ----------
    k : int array of shape (n_ranks,)
        The ranks at which the metric is cut; empty for a metric that looks at the whole list.
    mean : float array of shape (n_ranks,)
        The metric's mean over the queries at each of them.
    per_query : float array of shape (n_queries,)
        Its values at the last rank (or of the whole list); NaN for queries that it leaves out.
    metric_name : str
        Such as "ndcg@20".
    score : float
        The mean of ``per_query``, by the weights of the queries.
    estimator_name : str, optional
        For the legend.

    Attributes
    ----------
    line_ : matplotlib Line2D
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
        Of the last :meth:`plot`.
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
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where; None: a new figure.
        kind : {"curve", "distribution"}, default="curve"
            "curve": the mean at each rank. "distribution": the share of queries whose value is at most x.
        name : str, optional
            For the legend; default: ``estimator_name``.
        **kwargs
            Passed on to ``Axes.plot`` or ``Axes.step``, such as ``color=``.

        Returns
        -------
        self : RankingDisplay

        Raises
        ------
        ValueError
            If the metric has no ranks and a curve is asked for, or there is no such kind.
        ImportError
            If there is no matplotlib.
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
            # From below the first value on, so that the line starts at 0.
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
        """Score a test set and draw the result.

        Parameters
        ----------
        %(estimator)s
        %(test_rows)s
        %(test_weight)s
        %(metric)s
        name : str, optional
            For the legend; default: the estimator's class.

        Returns
        -------
        display : RankingDisplay

        Raises
        ------
        %(raises)s
            If there are no query ids, or the estimator is not fitted.
        """
        metric = _drawable(metric, kind)
        data, scores = predictions(
            estimator, X, y, qid, sample_weight, "a display of rankings needs qid=, or a DataFrame column qid"
        )
        last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
        display = cls._of(data, scores, metric, type(last).__name__ if name is None else name)
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
        """Draw how well given scores rank.

        Parameters
        ----------
        %(arrays)s
        %(query_weight)s
        %(metric)s
        name : str, optional
            For the legend.

        Returns
        -------
        display : RankingDisplay

        Raises
        ------
        %(raises)s
        """
        metric = _drawable(metric, kind)
        given = read_arrays(y_true, y_pred, group=group, qid=qid)
        data = given.data
        if query_weight is not None:
            data = replace(data, query_weight=as_vector(query_weight, "query_weight"))
        return cls._of(data, given.scores, metric, name).plot(ax, kind=kind, **kwargs)

    @classmethod
    def _of(cls, data: RankingData, scores: Any, metric: Metric, name: str | None) -> RankingDisplay:
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
    return ValueError(
        f"{metric} has no ranks to draw a curve over: ask for one that has, such as 'ndcg@20', or draw "
        "kind='distribution'"
    )


def _drawable(metric: str | Metric, kind: str) -> Metric:
    """The metric, before anything is predicted; a ValueError if it cannot be drawn so."""
    check_choice(kind, "kind", ("curve", "distribution"))
    metric = as_metric(metric, losses=objective_names())
    if kind == "curve" and not dict(metric.options).get("k"):
        raise _no_curve(metric.name)
    return metric

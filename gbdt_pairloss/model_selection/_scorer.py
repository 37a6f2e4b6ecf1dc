"""Metrics of rankings as scikit-learn's searches and cross-validations score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metadata_routing import MetadataRequest

from .._docstrings import TEXT, documented_with
from ..metrics import Metric, get_metric
from ..objectives import PairwiseObjective, negative_label_rule
from ..ranking._data import RankingData
from ..ranking._features import take_qid_column
from ..ranking._reading import read_rows


@dataclass(frozen=True)
class RankingScorer:
    """What :func:`make_ranking_scorer` makes: ``scorer(estimator, X, y, *, qid=None, sample_weight=None)``.

    Attributes
    ----------
    metric : Metric
    """

    metric: Metric

    @documented_with(TEXT)
    def __call__(self, estimator: Any, X: Any, y: Any, *, qid: Any = None, sample_weight: Any = None) -> float:
        """Mean of the metric over the queries of a test set.

        Parameters
        ----------
        %(estimator)s
        %(test_rows)s
        %(test_weight)s

        Returns
        -------
        score : float
            Larger is better.

        Raises
        ------
        ValueError
            If there are no query ids, the data are malformed or do not suit the metric, or the estimator is not fitted.
        """
        data, scores = predictions(
            estimator,
            X,
            y,
            qid,
            sample_weight,
            f"{self.metric.name} ranks within queries: the scorer needs qid=, which scikit-learn passes on with "
            "set_config(enable_metadata_routing=True), or a DataFrame column qid",
        )
        return float(self.metric(data, scores))

    def get_metadata_routing(self) -> Any:
        """What scikit-learn's metadata routing passes on: ``qid`` and ``sample_weight``.

        Returns
        -------
        request : sklearn.utils.metadata_routing.MetadataRequest
        """
        request = MetadataRequest(owner=self)
        for name in ("qid", "sample_weight"):
            request.score.add_request(param=name, alias=True)
        return request

    def _accept_sample_weight(self) -> bool:  # which scikit-learn asks its own scorers, and ours where there are many
        return True


def make_ranking_scorer(metric: str | Metric = "ndcg", **options: Any) -> RankingScorer:
    """A scorer of rankings, for ``scoring=`` of scikit-learn's searches and cross-validations.

    It asks for ``qid`` and ``sample_weight`` itself, so that with metadata routing nothing else is needed::

        sklearn.set_config(enable_metadata_routing=True)
        search = GridSearchCV(pipeline, grid, scoring=make_ranking_scorer("ndcg@10"), cv=GroupKFold(5))
        search.fit(X, y, qid=qid, groups=qid)

    Parameters
    ----------
    metric : str or Metric, default="ndcg"
        A name such as ``"ndcg@10"``, ``"map"`` or ``"spearman"``, or ``metrics.get_metric(name, ...)``.
    **options
        The metric's options, such as ``gain="linear"``.

    Returns
    -------
    scorer : RankingScorer
        Scores any estimator that has ``predict``; larger is better.

    Raises
    ------
    ValueError
        If there is no such metric, or an option has a value that it cannot have.
    TypeError
        If the metric has no such option, or options come with a Metric, which is complete.
    """
    if isinstance(metric, Metric):
        if options:
            raise TypeError(f"{metric.name} is complete: give options to metrics.get_metric, or the metric by name")
        return RankingScorer(metric)
    return RankingScorer(get_metric(metric, **options))


def predictions(
    estimator: Any, X: Any, y: Any, qid: Any, sample_weight: Any, without_qid: str
) -> tuple[RankingData, NDArray[Any]]:
    """A checked test set and an estimator's scores of it; a ValueError, ``without_qid``, if there are no query ids."""
    _, ids = take_qid_column(X, qid)
    if ids is None:
        raise ValueError(without_qid)
    rule = negative_label_rule(_objective_of(estimator))
    data = read_rows(X, y, ids, None, sample_weight, ignore_negative_labels=rule)
    return data, np.asarray(estimator.predict(X))


def _objective_of(estimator: Any) -> PairwiseObjective | None:
    """The objective of the ranker at the end of pipelines and searches, whose rule for negative labels holds."""
    while not hasattr(estimator, "pairwise_objective"):
        if hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return None
    objective: PairwiseObjective | None = estimator.pairwise_objective()
    return objective

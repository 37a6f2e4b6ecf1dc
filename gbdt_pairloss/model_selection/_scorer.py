"""Scorers of rankings for scikit-learn's searches and cross-validation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.metadata_routing import MetadataRequest

from .._docstrings import TEXT, documented_with
from ..metrics import Metric, get_metric
from ..objectives import RankingObjective
from ..objectives._registry import negative_label_rule
from ..ranking._data import RankingData
from ..ranking._features import take_qid_column
from ..ranking._reading import first_labels, read_rows


@dataclass(frozen=True)
class RankingScorer:
    """A scorer, ``scorer(estimator, X, y, *, qid=None, sample_weight=None)``, made by :func:`make_ranking_scorer`.

    Attributes
    ----------
    metric : Metric
        The metric that is computed.

    See Also
    --------
    make_ranking_scorer : Make such a scorer.
    """

    metric: Metric

    @documented_with(TEXT)
    def __call__(self, estimator: Any, X: Any, y: Any, *, qid: Any = None, sample_weight: Any = None) -> float:
        """Return the mean of the metric over the queries of a test set.

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
            If there are no query ids, the data are malformed, the metric does not accept them, or the estimator is not
            fitted.
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
        """Request ``qid`` and ``sample_weight`` from scikit-learn's metadata routing.

        Returns
        -------
        request : sklearn.utils.metadata_routing.MetadataRequest
            The request for ``score``.
        """
        request = MetadataRequest(owner=self)
        for name in ("qid", "sample_weight"):
            request.score.add_request(param=name, alias=True)
        return request

    def _accept_sample_weight(self) -> bool:  # scikit-learn calls it if there are several scorers
        return True


def make_ranking_scorer(metric: str | Metric = "ndcg", **options: Any) -> RankingScorer:
    """Make a scorer of rankings, for ``scoring=`` of scikit-learn's searches and cross-validation.

    The scorer requests ``qid`` and ``sample_weight`` itself. Only metadata routing has to be enabled::

        sklearn.set_config(enable_metadata_routing=True)
        search = GridSearchCV(pipeline, grid, scoring=make_ranking_scorer("ndcg@10"), cv=GroupKFold(5))
        search.fit(X, y, qid=qid, groups=qid)

    Parameters
    ----------
    metric : str or Metric, default="ndcg"
        A name such as ``"ndcg@10"``, ``"map"`` or ``"spearman"``, or ``metrics.get_metric(name, ...)``.
    **options
        Options of the metric, such as ``gain="linear"``.

    Returns
    -------
    scorer : RankingScorer
        A scorer of any estimator that has ``predict``; larger is better.

    Raises
    ------
    ValueError
        If the metric is unknown, or the value of an option is not allowed.
    TypeError
        If the metric does not have such an option, or options are given with a Metric, which already has options.

    See Also
    --------
    LGBMRanker.score, XGBRanker.score : The score of a ranker, without a scorer.
    RankingDisplay : Plot a metric of a test set.
    cv : Run the booster's cross-validation on folds of whole queries.
    gbdt_pairloss.metrics.get_metric : Make a metric by name.

    Notes
    -----
    Splitters must keep queries whole: GroupKFold, GroupShuffleSplit, StratifiedGroupKFold and LeaveOneGroupOut do, with
    the query ids as groups. KFold, ShuffleSplit and TimeSeriesSplit do not, which a scorer cannot see.

    Without metadata routing, the query ids must be a DataFrame column ``qid``. Labels below 0 are treated as the
    objective of the ranker treats them, also if the ranker is at the end of a pipeline or inside a search.
    """
    if isinstance(metric, Metric):
        if options:
            raise TypeError(
                f"{metric.name} is complete: give options to metrics.get_metric, or give the metric by name"
            )
        return RankingScorer(metric)
    return RankingScorer(get_metric(metric, **options))


def predictions(
    estimator: Any, X: Any, y: Any, qid: Any, sample_weight: Any, without_qid: str
) -> tuple[RankingData, NDArray[Any]]:
    """Return a checked test set and an estimator's scores of its rows.

    Raises
    ------
    ValueError
        If there are no query ids, with the message ``without_qid``; or if the data are malformed.
    """
    _, ids = take_qid_column(X, qid)
    if ids is None:
        raise ValueError(without_qid)
    objective = _objective_of(estimator)
    if objective is not None and objective._reads_columns:
        y = first_labels(y)
    rule = negative_label_rule(objective, column=0)
    data = read_rows(X, y, ids, None, sample_weight, ignore_negative_labels=rule)
    return data, np.asarray(estimator.predict(X))


def _objective_of(estimator: Any) -> RankingObjective | None:
    """Return the objective of the ranker in a pipeline or search, whose rule for negative labels applies."""
    while not hasattr(estimator, "pairwise_objective"):
        if hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return None
    objective: RankingObjective | None = estimator.pairwise_objective()
    return objective

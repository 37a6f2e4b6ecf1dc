"""Ranking metrics, exact under ties and compiled.

A metric is a function of arrays, ``ndcg(y_true, y_pred, qid=qid, k=10)``. Rankers, boosters and scorers take it by
name, ``"ndcg@10"``.

Metrics of graded labels

- ``ndcg``: normalised discounted cumulative gain, "ndcg".
- ``err``: expected reciprocal rank, "err".

Metrics of binary relevance

- ``average_precision``: average precision, whose mean over queries is MAP, "average_precision" or "map".
- ``reciprocal_rank``: reciprocal rank of the first relevant row, whose mean is MRR, "reciprocal_rank" or "mrr".
- ``precision``: share of relevant rows in the first k ranks, "precision" or "pre".
- ``recall``: share of a query's relevant rows that are in the first k ranks, "recall".
- ``hit_rate``: share of queries with a relevant row in the first k ranks, "hit_rate".

Metrics of pairs and of whole orders

- ``pair_accuracy``: share of pairs in the right order, "pair_accuracy".
- ``auc``: area under the receiver operating characteristic curve of each query, "auc".
- ``spearman``: Spearman's rank correlation of labels and scores, "spearman".

Metrics by name

- ``get_metric``: make a metric from its name.
- ``Metric``: the object that ``get_metric`` returns.
- ``feval``: make a callable for ``lightgbm.train`` and ``xgboost.train`` from one or more metrics.
- ``Feval``: the object that ``feval`` returns.
- ``METRICS``: the definition of every metric, by each of its names.
"""

# To add a metric: write its kernel, (data, scores, **options) -> one value per query, and below it the public function
# under @register (see _binary.py), then list the function here. The kernel ranks the rows (_ranking.py) and passes them
# to a compiled loop (engine/cpu/metrics.cpp), whose definition in NumPy is in _definition.py, or to NumPy alone.

from __future__ import annotations

from ._binary import average_precision, hit_rate, precision, recall, reciprocal_rank
from ._graded import err, ndcg
from ._names import Feval, Metric, feval, get_metric
from ._pairs import auc, pair_accuracy, spearman
from ._registry import METRICS

__all__ = [
    "METRICS",
    "Feval",
    "Metric",
    "auc",
    "average_precision",
    "err",
    "feval",
    "get_metric",
    "hit_rate",
    "ndcg",
    "pair_accuracy",
    "precision",
    "recall",
    "reciprocal_rank",
    "spearman",
]

"""Ranking metrics, exact under ties and compiled, by function (``ndcg``) or by name (``"ndcg@10"``).

To add one: write its kernel, ``(data, scores, **options) -> one value per query``, and below it the public function
under ``@register`` (see ``_binary.py``); then list the function here. The kernel ranks the rows (``_ranking.py``) and
hands them to a compiled loop (``_kernels.py``) or to NumPy.
"""

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

"""XGBoost's ranker on Dask clusters: the workers find each other through a tracker on the first one."""

from __future__ import annotations

import socket
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlparse

from xgboost.collective import CommunicatorContext
from xgboost.tracker import RabitTracker

from ..boosters._parameters import keyword_signature
from ..boosters.xgboost.ranker import XGBRanker
from ._cluster import gather, submitted
from ._ranker import DaskRankerMixin
from ._workers import Network


def _start_tracker(host: str, n_workers: int) -> dict[str, Any]:
    tracker = RabitTracker(n_workers=n_workers, host_ip=socket.gethostbyname(host), sortby="task")
    tracker.start()
    # It ends when all workers have left.
    threading.Thread(target=tracker.wait_for, daemon=True).start()
    return dict(tracker.worker_args())


@dataclass(frozen=True)
class XGBoostNetwork(Network):
    """The collective of one training with XGBoost."""

    arguments: dict[str, Any]

    @classmethod
    def of(cls, client: Any, workers: list[str], ranker: Any) -> XGBoostNetwork:
        """Start a tracker on the first worker."""
        host = str(urlparse(workers[0]).hostname)
        (arguments,) = gather(client, submitted(client, _start_tracker, [(workers[0], (host, len(workers)))]))
        return cls(arguments)

    def joined(self, ranker: Any, rank: int) -> AbstractContextManager[Any]:
        """Inside XGBoost's collective."""
        context: AbstractContextManager[Any] = CommunicatorContext(**self.arguments, dmlc_task_id=f"{rank:06d}")
        return context


class DaskXGBRanker(DaskRankerMixin, XGBRanker):  # type: ignore[misc]
    """:class:`gbdt_pairloss.XGBRanker` on a Dask cluster.

    Parameters
    ----------
    client : dask.distributed.Client, optional
        Default: the process's own.
    objective : str or PairwiseObjective, default="pairwise_logistic"
        As in :class:`gbdt_pairloss.XGBRanker`; it has to pickle.
    **kwargs
        Its other parameters.

    Raises
    ------
    ValueError
        As :class:`gbdt_pairloss.XGBRanker`.
    """

    _local_ranker = XGBRanker
    _network = XGBoostNetwork
    _score_dtype = "float32"

    def __init__(self, *, client: Any = None, objective: Any = "pairwise_logistic", **kwargs: Any) -> None:
        super().__init__(objective=objective, **kwargs)
        self.client = client

    __init__.__signature__ = keyword_signature(XGBRanker.__init__, client=None)  # type: ignore[attr-defined]

"""XGBoost's ranker on Dask clusters: the workers connect through a tracker on the first worker."""

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
from ._cluster import gather, submit
from ._ranker import DaskRankerMixin
from ._workers import Network


def _start_tracker(host: str, n_workers: int) -> dict[str, Any]:
    """Start a tracker in this process, and return the arguments with which workers connect to it."""
    tracker = RabitTracker(n_workers=n_workers, host_ip=socket.gethostbyname(host), sortby="task")
    tracker.start()
    # The thread ends when all workers have left the collective.
    threading.Thread(target=tracker.wait_for, daemon=True).start()
    return dict(tracker.worker_args())


@dataclass(frozen=True)
class XGBoostNetwork(Network):
    """The collective of one training with XGBoost.

    Attributes
    ----------
    arguments : dict
        Arguments with which a worker connects to the tracker.
    """

    arguments: dict[str, Any]

    @classmethod
    def of(cls, client: Any, workers: list[str], ranker: Any) -> XGBoostNetwork:
        """Make the network by starting a tracker on the first worker."""
        host = str(urlparse(workers[0]).hostname)
        (arguments,) = gather(client, submit(client, _start_tracker, [(workers[0], (host, len(workers)))]))
        return cls(arguments)

    def joined(self, ranker: Any, rank: int) -> AbstractContextManager[Any]:
        """Return a context in which this process is a member of XGBoost's collective."""
        context: AbstractContextManager[Any] = CommunicatorContext(**self.arguments, dmlc_task_id=f"{rank:06d}")
        return context


class DaskXGBRanker(DaskRankerMixin, XGBRanker):  # type: ignore[misc]
    """XGBoost's ranker with exact pairwise objectives, on a Dask cluster.

    Parameters
    ----------
    client : dask.distributed.Client, optional
        The client of the cluster. None: the current client of this process.
    objective : str or RankingObjective, default="auto"
        A name that ``get_objective`` takes, an objective of this package, or any objective of ``xgboost.XGBRanker``,
        such as "rank:ndcg". The objective must be picklable.
    **kwargs
        The other parameters of :class:`gbdt_pairloss.XGBRanker`. ``eval_fraction`` is not supported.

    Raises
    ------
    ValueError
        If a parameter of the objective is given without ``objective__``, does not exist, or has an invalid value.

    See Also
    --------
    gbdt_pairloss.XGBRanker : The local ranker.
    DaskLGBMRanker : LightGBM's ranker on a Dask cluster.
    """

    _local_ranker = XGBRanker
    _network = XGBoostNetwork
    _score_dtype = "float32"

    def __init__(self, *, client: Any = None, objective: Any = "auto", **kwargs: Any) -> None:
        super().__init__(objective=objective, **kwargs)
        self.client = client

    __init__.__signature__ = keyword_signature(XGBRanker.__init__, client=None)  # type: ignore[attr-defined]

"""LightGBM's ranker on Dask clusters: every worker listens on a port, and all workers have the list of ports."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlparse
from uuid import uuid4

from ..boosters._parameters import keyword_signature
from ..boosters.lightgbm.dataset import lgb
from ..boosters.lightgbm.ranker import LGBMRanker
from ._cluster import gather, submit
from ._ranker import DaskRankerMixin
from ._workers import Network

_LEARNER_NAMES = ("tree_learner", "tree", "tree_type", "tree_learner_type")

# Sockets that keep ports of this process reserved until a training begins, by the key of its network.
_RESERVED: dict[str, socket.socket] = {}


def _reserve_port(key: str) -> int:
    """Reserve a free port of this process, and return its number."""
    _RESERVED[key] = held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.bind(("", 0))
    return int(held.getsockname()[1])


@dataclass(frozen=True)
class LightGBMNetwork(Network):
    """The network of one training with LightGBM.

    Attributes
    ----------
    key : str
        The name under which each worker has reserved its port.
    machines : tuple of str
        "host:port" of each worker, by rank.
    learner : str
        LightGBM's ``tree_learner``.
    """

    key: str
    machines: tuple[str, ...]
    learner: str

    @classmethod
    def of(cls, client: Any, workers: list[str], ranker: Any) -> LightGBMNetwork:
        """Make the network by reserving a port on every worker.

        Raises
        ------
        ValueError
            If the ranker's ``tree_learner`` does not support rows on several workers.
        """
        params = ranker.get_params(deep=False)
        learner = next((params[name] for name in _LEARNER_NAMES if name in params), "data")
        if learner not in ("data", "data_parallel", "voting", "voting_parallel"):
            raise ValueError(
                f"tree_learner={learner!r} does not support rows on several workers; use 'data' or 'voting'"
            )
        key = uuid4().hex
        ports = gather(client, submit(client, _reserve_port, [(worker, (key,)) for worker in workers]))
        machines = tuple(f"{urlparse(worker).hostname}:{port}" for worker, port in zip(workers, ports, strict=True))
        return cls(key, machines, learner)

    def prepare(self, ranker: Any, rank: int, threads: int) -> None:
        """Set the parameters of LightGBM's data-parallel training."""
        super().prepare(ranker, rank, threads)
        _RESERVED.pop(self.key).close()  # LightGBM opens it next
        if len(self.machines) > 1:
            ranker.set_params(
                machines=",".join(self.machines),
                num_machines=len(self.machines),
                local_listen_port=int(self.machines[rank].rpartition(":")[2]),
                tree_learner=self.learner,
            )

    @contextmanager
    def joined(self, ranker: Any, rank: int) -> Iterator[None]:
        """Return a context at whose end this process leaves the network, even after an error.

        LightGBM has one network per process, which the next training needs.
        """
        try:
            yield
        finally:
            if len(self.machines) > 1:
                # A placeholder for self: after an error the Booster cannot be reached.
                lgb.Booster.free_network(SimpleNamespace())
                for name in ("machines", "num_machines", "local_listen_port", "tree_learner"):
                    vars(ranker).pop(name, None)


class DaskLGBMRanker(DaskRankerMixin, LGBMRanker):  # type: ignore[misc]
    """LightGBM's ranker with exact pairwise objectives, on a Dask cluster.

    Parameters
    ----------
    client : dask.distributed.Client, optional
        The client of the cluster. None: the current client of this process.
    objective : str, RankingObjective or callable, default="auto"
        A name that ``get_objective`` takes, an objective of this package, or any objective of
        ``lightgbm.LGBMRanker``, such as "lambdarank". None: LightGBM's default. The objective must be picklable.
    **kwargs
        The other parameters of :class:`gbdt_pairloss.LGBMRanker`. ``tree_learner`` may be "data", the default, or
        "voting". ``eval_fraction`` is not supported.

    Raises
    ------
    ValueError
        If a parameter of the objective is given without ``objective__``, does not exist, or has an invalid value.

    See Also
    --------
    gbdt_pairloss.LGBMRanker : The local ranker.
    DaskXGBRanker : XGBoost's ranker on a Dask cluster.
    """

    _local_ranker = LGBMRanker
    _network = LightGBMNetwork
    _score_dtype = "float64"

    def __init__(self, *, client: Any = None, objective: Any = "auto", **kwargs: Any) -> None:
        super().__init__(objective=objective, **kwargs)
        self.client = client

    __init__.__signature__ = keyword_signature(LGBMRanker.__init__, client=None)  # type: ignore[attr-defined]

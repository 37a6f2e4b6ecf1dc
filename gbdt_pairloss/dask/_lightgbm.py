"""LightGBM's ranker on Dask clusters: every worker listens on a port that all know of."""

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
from ._cluster import gather, submitted
from ._ranker import DaskRankerMixin
from ._workers import Network

_LEARNER_NAMES = ("tree_learner", "tree", "tree_type", "tree_learner_type")

# The ports that this process keeps for trainings to come.
_PORTS: dict[str, socket.socket] = {}


def _reserve_port(key: str) -> int:
    _PORTS[key] = held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.bind(("", 0))
    return int(held.getsockname()[1])


@dataclass(frozen=True)
class LightGBMNetwork(Network):
    """The machines of one training with LightGBM."""

    key: str
    machines: tuple[str, ...]
    learner: str

    @classmethod
    def of(cls, client: Any, workers: list[str], ranker: Any) -> LightGBMNetwork:
        """Reserve a port on every worker."""
        params = ranker.get_params(deep=False)
        learner = next((params[name] for name in _LEARNER_NAMES if name in params), "data")
        if learner not in ("data", "data_parallel", "voting", "voting_parallel"):
            raise ValueError(
                f"tree_learner={learner!r} does not suit rows that lie on several workers; take 'data' or 'voting'"
            )
        key = uuid4().hex
        ports = gather(client, submitted(client, _reserve_port, [(worker, (key,)) for worker in workers]))
        machines = tuple(f"{urlparse(worker).hostname}:{port}" for worker, port in zip(workers, ports, strict=True))
        return cls(key, machines, learner)

    def prepare(self, ranker: Any, rank: int, threads: int) -> None:
        """Set the parameters of LightGBM's data-parallel training."""
        super().prepare(ranker, rank, threads)
        _PORTS.pop(self.key).close()  # LightGBM opens it
        if len(self.machines) > 1:
            ranker.set_params(
                machines=",".join(self.machines),
                num_machines=len(self.machines),
                local_listen_port=int(self.machines[rank].rpartition(":")[2]),
                tree_learner=self.learner,
            )

    @contextmanager
    def joined(self, ranker: Any, rank: int) -> Iterator[None]:
        """Leave the network in the end, whatever happens: it is the process's, and the next training's."""
        try:
            yield
        finally:
            if len(self.machines) > 1:
                lgb.Booster.free_network(SimpleNamespace())  # of no Booster: one that failed is out of reach
                for name in ("machines", "num_machines", "local_listen_port", "tree_learner"):
                    vars(ranker).pop(name, None)


class DaskLGBMRanker(DaskRankerMixin, LGBMRanker):  # type: ignore[misc]
    """:class:`gbdt_pairloss.LGBMRanker` on a Dask cluster.

    Parameters
    ----------
    client : dask.distributed.Client, optional
        Default: the process's own.
    objective : str or PairwiseObjective or callable, default="pairwise_logistic"
        As in :class:`gbdt_pairloss.LGBMRanker`; it has to pickle.
    **kwargs
        Its other parameters; ``tree_learner`` may be "data", the default, or "voting".

    Raises
    ------
    ValueError
        As :class:`gbdt_pairloss.LGBMRanker`.
    """

    _local_ranker = LGBMRanker
    _network = LightGBMNetwork
    _score_dtype = "float64"

    def __init__(self, *, client: Any = None, objective: Any = "pairwise_logistic", **kwargs: Any) -> None:
        super().__init__(objective=objective, **kwargs)
        self.client = client

    __init__.__signature__ = keyword_signature(LGBMRanker.__init__, client=None)  # type: ignore[attr-defined]

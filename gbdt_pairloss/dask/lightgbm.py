"""LightGBM's ranker on Dask clusters: every worker listens on a port that all know of."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlparse
from uuid import uuid4

from ..boosters.lightgbm_ranker import LGBMRanker
from ..boosters.ranker import keyword_signature
from .ranker import DaskRankerMixin
from .workers import Network

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

    @classmethod
    def of(cls, client: Any, workers: list[str]) -> LightGBMNetwork:
        """Reserve a port on every worker."""
        key = uuid4().hex
        ports = client.run(_reserve_port, key, workers=workers)
        return cls(key, tuple(f"{urlparse(worker).hostname}:{ports[worker]}" for worker in workers))

    def prepare(self, ranker: Any, rank: int, threads: int) -> None:
        """Set the parameters of LightGBM's data-parallel training."""
        super().prepare(ranker, rank, threads)
        _PORTS.pop(self.key).close()  # LightGBM opens it
        if len(self.machines) > 1:
            ranker.set_params(**self.parameters(rank, ranker.get_params(deep=False)))

    def parameters(self, rank: int, params: dict[str, Any]) -> dict[str, Any]:
        """LightGBM's parameters of the network."""
        names = ("tree_learner", "tree", "tree_type", "tree_learner_type")
        learner = next((params[name] for name in names if name in params), "data")
        if learner not in ("data", "data_parallel", "voting", "voting_parallel"):
            raise ValueError(
                f"tree_learner={learner!r} does not suit rows that lie on several workers; take 'data' or 'voting'"
            )
        return {
            "machines": ",".join(self.machines),
            "num_machines": len(self.machines),
            "local_listen_port": int(self.machines[rank].rpartition(":")[2]),
            "tree_learner": learner,
        }

    @contextmanager
    def joined(self, ranker: Any, rank: int) -> Iterator[None]:
        """Leave the network in the end; a Booster that fails does so itself."""
        yield
        if len(self.machines) > 1:
            ranker.booster_.free_network()


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
    """

    _local_ranker = LGBMRanker
    _network = LightGBMNetwork
    _score_dtype = "float64"

    def __init__(self, *, client: Any = None, objective: Any = "pairwise_logistic", **kwargs: Any) -> None:
        super().__init__(objective=objective, **kwargs)
        self.client = client

    __init__.__signature__ = keyword_signature(LGBMRanker.__init__, client=None)  # type: ignore[attr-defined]

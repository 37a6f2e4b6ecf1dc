"""Trainings on clusters whose workers fail or die."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time

import cloudpickle
import dask
import distributed
import numpy as np
import pytest
import xgboost as xgb
from _support.clusters import BOTH, make_ranker, on_cluster
from distributed import Client, LocalCluster

pytestmark = pytest.mark.slow
cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers cannot import the tests


@pytest.fixture
def mortal_client():
    """Return a client of a cluster that is not shared, so that it may lose workers."""
    # A LocalCluster gives a worker up if it has not returned within this time after its death.
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"}):
        cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0")
        with cluster, Client(cluster) as client:
            yield client


MAY_RESTART_OTHERS = pytest.mark.filterwarnings("ignore:the training failed; the workers:UserWarning")


class FailsOnWorkers(xgb.callback.TrainingCallback):
    """A callback for both boosters that fails on some workers in the second round."""

    def __init__(self, names=(1,)) -> None:
        self.names = names

    def after_iteration(self, model, epoch, evals_log) -> bool:
        if epoch == 1 and distributed.get_worker().name in self.names:
            self.fail()
        return False

    def fail(self) -> None:
        raise RuntimeError("on this worker")

    def __call__(self, env) -> None:
        self.after_iteration(env.model, env.iteration, None)


class DiesOnWorkers(FailsOnWorkers):
    """A callback that kills the process of those workers, as the system does if memory is short."""

    def fail(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def settle(client) -> None:
    """Wait until two workers answer, and keep answering."""
    seen: list[set[int]] = []
    while len(seen) < 6 or any(len(now) < 2 or now != seen[-1] for now in seen[-6:]):
        time.sleep(0.5)
        seen.append(set(client.run(os.getpid, on_error="ignore").values()))
        assert len(seen) < 120


@BOTH
@MAY_RESTART_OTHERS
def test_an_error_on_one_worker_is_raised_and_the_cluster_remains_usable(Ranker, rows, mortal_client) -> None:
    """The other worker waits for it, with LightGBM for ever. The ranker frees it, and the next training works."""
    frame, labels = on_cluster(rows)
    with pytest.raises(RuntimeError, match="on this worker"):
        make_ranker(Ranker).fit(frame, labels, callbacks=[FailsOnWorkers()])
    settle(mortal_client)
    make_ranker(Ranker).fit(frame, labels)


@BOTH
@MAY_RESTART_OTHERS
@pytest.mark.parametrize("alone", [False, True])
def test_the_death_of_a_worker_is_an_error_and_the_cluster_remains_usable(Ranker, alone, rows, mortal_client) -> None:
    """Dask itself would wait for the address of the worker for ever."""
    X, y, qid = rows
    if alone:  # with one query, the other worker gets no rows
        qid = np.full(y.size, "q")
    frame, labels = on_cluster((X, y, qid))
    dies = DiesOnWorkers([0, 1] if alone else [1])
    with pytest.raises(RuntimeError, match="the worker tcp://.* has left the cluster during fit"):
        make_ranker(Ranker).fit(frame, labels, callbacks=[dies])
    settle(mortal_client)
    make_ranker(Ranker).fit(*on_cluster(rows))


@BOTH
@MAY_RESTART_OTHERS
@pytest.mark.parametrize("n_workers", [1, 2])
def test_the_death_of_a_worker_is_an_error_if_it_returns_under_its_address(Ranker, n_workers, rows) -> None:
    """Dask runs the task of the worker again, but the network of the booster is gone."""
    ports = free_ports()
    cluster = LocalCluster(n_workers=n_workers, threads_per_worker=1, worker_port=ports, dashboard_address=":0")
    gone = pytest.raises(RuntimeError, match="the worker tcp://.* has left the cluster during fit")
    with cluster, Client(cluster), gone:
        make_ranker(Ranker).fit(*on_cluster(rows), callbacks=[DiesOnWorkers([n_workers - 1])])


def free_ports() -> str:
    """Return a range of four consecutive ports that are not in use."""
    for first in range(20_000, 30_000, 4):
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for port in range(first, first + 4):
                held.enter_context(socket.socket()).bind(("", port))
            return f"{first}:{first + 3}"
    raise AssertionError("no ports")

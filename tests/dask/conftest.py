"""A cluster of two processes, and rows, for the tests of the Dask rankers."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

collect_ignore_glob = [] if find_spec("distributed") and find_spec("dask.dataframe") else ["test_*.py"]


@pytest.fixture(scope="module")
def rows():
    """Return scattered rows. Their features have few values, so that bins do not depend on the rows of a worker."""
    rng = np.random.default_rng(0)
    n = 3000
    X = rng.integers(-6, 7, (n, 5)) / 2
    qid = np.array([f"q{i:03}" for i in rng.integers(0, 120, n)])
    y = np.clip(np.round(X[:, 0] - X[:, 1] / 2 + rng.normal(scale=0.7, size=n) + 1), 0, 4)
    return pd.DataFrame(X, columns=list("abcde")), y, qid


@pytest.fixture(scope="module")
def client():
    from distributed import Client, LocalCluster

    cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0")
    with cluster, Client(cluster) as client:
        yield client

"""The Dask rankers, and rows on a cluster, for the tests of both."""

from __future__ import annotations

import pytest

pytest.importorskip("distributed")
pytest.importorskip("dask.dataframe")

import dask.dataframe as dd
import pandas as pd

from gbdt_pairloss import LGBMRanker, XGBRanker
from gbdt_pairloss.dask import DaskLGBMRanker, DaskXGBRanker

BOTH = pytest.mark.parametrize("Ranker", [DaskLGBMRanker, DaskXGBRanker])


def make_ranker(Ranker, **params):
    if issubclass(Ranker, LGBMRanker):
        return Ranker(**{"n_estimators": 12, "min_child_samples": 5, "random_state": 0, "verbose": -1, **params})
    return Ranker(**{"n_estimators": 12, "max_depth": 4, "random_state": 0, **params})


def local(Ranker, **params):
    """Return the ranker of one machine with the same parameters."""
    return make_ranker(LGBMRanker if Ranker is DaskLGBMRanker else XGBRanker, n_jobs=1, **params)


def on_cluster(rows, npartitions=5):
    """Return a Dask frame, with the column qid, and its labels."""
    X, y, qid = rows
    return (
        dd.from_pandas(X.assign(qid=qid), npartitions=npartitions),
        dd.from_pandas(pd.Series(y), npartitions=npartitions),
    )

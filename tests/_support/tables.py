"""Tables and pipelines around the rankers, for the tests of scikit-learn's tools."""

from __future__ import annotations

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from _support.rankers import make_ranker


def as_frame(X, qid) -> pd.DataFrame:
    return pd.DataFrame(X, columns=list("abcdef")).assign(qid=qid)


def ranker_in_pipeline(Ranker, **params) -> Pipeline:
    return Pipeline([("scale", StandardScaler()), ("ranker", make_ranker(Ranker, **params))])


def pipeline_of_frames(Ranker, **params) -> Pipeline:
    """Return a pipeline whose transformers pass the column qid on."""
    scale = ColumnTransformer(
        [("scale", StandardScaler(), list("abcdef"))], remainder="passthrough", verbose_feature_names_out=False
    )
    return make_pipeline(scale, make_ranker(Ranker, **params)).set_output(transform="pandas")

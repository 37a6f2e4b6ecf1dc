"""The rankers in the pipelines of scikit-learn: the query column, and evaluation sets that are transformed."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest
import sklearn
from _support.rankers import BOTH, make_ranker, stopping
from _support.tables import as_frame, pipeline_of_frames, ranker_in_pipeline
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from gbdt_pairloss import LGBMRanker


@BOTH
def test_a_column_qid_serves_instead_of_routing(Ranker, scattered) -> None:
    X, y, qid = scattered
    frame = as_frame(X, qid)
    search = GridSearchCV(
        pipeline_of_frames(Ranker), {f"{Ranker.__name__.lower()}__max_depth": [2, 4]}, cv=GroupKFold(3)
    )
    search.fit(frame, y, groups=qid)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = GridSearchCV(ranker_in_pipeline(Ranker), {"ranker__max_depth": [2, 4]}, cv=GroupKFold(3))
        routed.fit(X, y, qid=qid, groups=qid)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], routed.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(search.predict(frame), routed.predict(X))
    assert search.score(frame, y) == search.best_estimator_.score(frame, y)


@BOTH
@pytest.mark.parametrize("prefixed", [False, True])
def test_a_query_column_that_a_transformer_renamed_is_found(Ranker, prefixed, scattered) -> None:
    X, y, qid = scattered
    frame = as_frame(X, qid)
    columns = [("scale", StandardScaler(), list("abcdef"))]
    if prefixed:
        columns.append(("qid", "passthrough", ["qid"]))
    renaming = ColumnTransformer(columns, remainder="passthrough").set_output(transform="pandas")
    pipeline = make_pipeline(renaming, make_ranker(Ranker)).fit(frame, y)
    np.testing.assert_array_equal(pipeline.predict(frame), pipeline_of_frames(Ranker).fit(frame, y).predict(frame))
    twice = frame.rename(columns={"a": "a__qid", "qid": "b__qid"})
    with pytest.raises(ValueError, match="X has several columns of query ids: 'a__qid', 'b__qid'"):
        make_ranker(Ranker).fit(twice, y)
    with pytest.raises(ValueError, match="X has no features, only the column 'qid'"):
        make_ranker(Ranker).fit(frame[["qid"]], y)


@BOTH
def test_numbers_and_categories_pass_through_a_column_transformer(Ranker, scattered) -> None:
    X, y, qid = scattered
    colour = pd.Categorical(np.random.default_rng(3).choice(["red", "green", "blue"], y.size))
    frame = as_frame(np.where(np.abs(X) > 2, np.nan, X), qid).assign(colour=colour)
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), make_column_selector("^[a-f]$"))],
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    categorical = {} if Ranker is LGBMRanker else {"enable_categorical": True}
    ranker = make_ranker(Ranker, objective__hessian_scale=1, **categorical)
    pipeline = make_pipeline(columns, ranker).set_output(transform="pandas")
    pipeline.fit(frame, y)
    assert list(pipeline[-1].feature_names_in_) == [*"abcdef", "colour"]
    assert pipeline.score(frame, y) > 0.8


@pytest.mark.skipif(
    "transform_input" not in inspect.signature(Pipeline).parameters, reason="scikit-learn 1.6 has transform_input"
)
@BOTH
@pytest.mark.parametrize("several", [False, True])
def test_a_pipeline_transforms_the_evaluation_set(Ranker, several, problem, make, routing) -> None:
    other = make(1)
    evaluation = {"eval_X": 1000 * other.X, "eval_y": other.y, "eval_qid": other.qid}
    ranker = stopping(Ranker).set_fit_request(eval_X=True, eval_y=True, eval_qid=True)
    pipeline = Pipeline([("scale", StandardScaler()), ("ranker", ranker)], transform_input=["eval_X"])
    pipeline.fit(
        1000 * problem.X,
        problem.y,
        qid=problem.qid,
        **{name: (value,) if several else value for name, value in evaluation.items()},
    )
    scale = StandardScaler().fit(1000 * problem.X)
    by_hand = stopping(Ranker).fit(
        scale.transform(1000 * problem.X),
        problem.y,
        qid=problem.qid,
        eval_set=[(scale.transform(1000 * other.X), other.y)],
        eval_qid=[other.qid],
    )
    assert pipeline[-1].evals_result_ == by_hand.evals_result_
    assert 0 < by_hand.best_iteration_ < 100

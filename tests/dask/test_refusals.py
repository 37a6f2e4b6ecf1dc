"""Data and arguments that the Dask rankers refuse or warn of."""

from __future__ import annotations

import sys

import cloudpickle
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from _support.clusters import BOTH, make_ranker, on_cluster

from gbdt_pairloss import BPR
from gbdt_pairloss.dask import DaskLGBMRanker, DaskXGBRanker

pytestmark = pytest.mark.slow
cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the workers cannot import the tests


@BOTH
class TestRefusals:
    """Each refusal leaves the cluster usable for the tests that share it."""

    @pytest.mark.parametrize(
        ("change", "error", "message"),
        [
            ({"qid": None}, ValueError, "fit on a cluster needs qid=, one id per row"),
            ({"pairs": ([0], [1])}, ValueError, "pairs has no meaning on a cluster"),
            ({"group": [3000]}, ValueError, "group has no meaning on a cluster"),
            ({"y": np.zeros(3000)}, TypeError, "y must be a Dask array, DataFrame or Series, got a ndarray"),
            ({"qid": "short"}, ValueError, "X has 3000 rows, but qid has 2990"),
            ({"qid": "missing"}, ValueError, "partition 1: qid is missing at row 500"),
            ({"y": "nan"}, ValueError, "partition 2: y is nan at row 7"),
            ({"y": "negative"}, ValueError, "partition 0: .* negative"),
            ({"sample_weight": "negative"}, ValueError, "partition 0: sample_weight is -1.0 at row 3"),
        ],
    )
    def test_bad_arguments_are_refused(self, Ranker, change, error, message, rows, client) -> None:
        X, y, qid = rows
        arguments = {"y": da.from_array(y, chunks=1000), "qid": da.from_array(qid, chunks=1000)}
        ((name, value),) = change.items()
        if isinstance(value, str):
            values = {"y": y, "qid": qid.astype(object), "sample_weight": np.ones(y.size)}[name].copy()
            if value == "short":
                values = values[:-10]
            else:
                row = {"missing": 1500, "nan": 2007, "negative": 3}[value]
                values[row] = {"missing": None, "nan": np.nan, "negative": -1}[value]
            value = da.from_array(values, chunks=1000)
        arguments[name] = value
        with pytest.raises(error, match=message):
            make_ranker(Ranker).fit(da.from_array(X.to_numpy(), chunks=1000), **arguments)

    def test_a_tree_learner_that_needs_all_rows_is_refused(self, Ranker, rows, client) -> None:
        if Ranker is DaskLGBMRanker:
            with pytest.raises(ValueError, match="tree_learner='feature' does not support rows on several workers"):
                make_ranker(Ranker, tree_learner="feature").fit(*on_cluster(rows))
            make_ranker(Ranker, tree_learner="voting").fit(*on_cluster(rows))

    def test_eval_fraction_is_refused(self, Ranker, rows, client) -> None:
        with pytest.raises(ValueError, match="eval_fraction does not work on a cluster"):
            make_ranker(Ranker, eval_fraction=0.2).fit(*on_cluster(rows))

    def test_data_without_anything_to_learn_causes_a_warning_or_an_error(self, Ranker, rows, client) -> None:
        X, y, qid = rows
        with pytest.warns(UserWarning, match="nothing can be learned"):
            make_ranker(Ranker).fit(*on_cluster((X, np.ones(y.size), qid)))
        frame, labels = on_cluster(rows)
        with pytest.raises(ValueError, match="every pair has weight zero"):
            make_ranker(Ranker).fit(frame, labels, sample_weight=labels * 0)
        with pytest.raises(ValueError, match="nothing can be learned"):
            make_ranker(Ranker, objective="bpr").fit(frame, labels * 0)

    def test_the_error_of_a_metric_is_raised_and_the_cluster_remains_usable(self, Ranker, rows, client) -> None:
        def broken(y_true, y_pred):
            raise RuntimeError("the metric failed")

        frame, labels = on_cluster(rows)
        with pytest.raises(RuntimeError, match="the metric failed"):
            make_ranker(Ranker).fit(frame, labels, eval_set=[(frame, labels)], eval_metric=broken)
        make_ranker(Ranker).fit(frame, labels)  # the network of the workers is free again

    @pytest.mark.parametrize("ids", [[1, "1"], [b"q1"], [(1, 2)], [1, 1.5, None]])
    def test_query_ids_of_mixed_types_are_refused(self, Ranker, ids, rows, client) -> None:
        X, y, _ = rows
        qid = np.empty(y.size, dtype=object)
        qid[:] = [ids[i % len(ids)] for i in range(y.size)]
        arrays = [da.from_array(values, chunks=1000) for values in (X.to_numpy(), y, qid)]
        with pytest.raises(
            (TypeError, ValueError), match="qid (must be numbers, dates or strings|is missing at row [0-9])"
        ):
            make_ranker(Ranker).fit(arrays[0], arrays[1], qid=arrays[2])

    def test_unknown_categories_are_refused(self, Ranker, rows, client) -> None:
        X, y, qid = rows
        words = X["a"].map("a{}".format)
        frame, labels = on_cluster((X.assign(a=pd.Categorical(words)), y, qid))
        unknown = frame.assign(a=frame["a"].astype(str).astype("category"))
        params = {} if Ranker is DaskLGBMRanker else {"enable_categorical": True}
        with pytest.raises(ValueError, match=r"the categories of column 'a' differ .*: call X.categorize\(\) first"):
            make_ranker(Ranker, **params).fit(unknown, labels)
        make_ranker(Ranker, **params).fit(frame, labels)

    def test_arguments_are_checked_before_training(self, Ranker, rows, client) -> None:
        y = rows[1]
        frame, labels = on_cluster(rows)
        values = pd.Series(np.where(np.arange(y.size) == 77, np.nan, 0.0))
        start = {"init_score" if Ranker is DaskLGBMRanker else "base_margin": dd.from_pandas(values, npartitions=5)}
        with pytest.raises(ValueError, match="nan at row"):
            make_ranker(Ranker).fit(frame, labels, **start)
        with pytest.raises(ValueError, match="200 negatives are to be drawn"):
            make_ranker(Ranker, objective="bpr", objective__negatives=200).fit(frame, labels)
        with pytest.raises(ValueError, match="negative_weight= of the objective is an array"):
            make_ranker(Ranker, objective=BPR(negative_weight=np.ones(y.size))).fit(frame, labels)
        with pytest.raises(TypeError, match="fit has no argument 'sampel_weight'"):
            make_ranker(Ranker).fit(frame, labels, sampel_weight=labels)
        if Ranker is DaskXGBRanker:
            with pytest.raises(ValueError, match="one weight per query, and sample_weight differs within a query"):
                make_ranker(Ranker, objective="rank:pairwise").fit(frame, labels, sample_weight=labels)

    def test_a_model_without_a_split_causes_a_warning(self, Ranker, rows, client) -> None:
        with pytest.warns(UserWarning, match="no tree of the model has a split"):
            make_ranker(Ranker, min_child_weight=1e9).fit(*on_cluster(rows))

    def test_score_without_queries_is_refused(self, Ranker, rows, client) -> None:
        ranker = make_ranker(Ranker).fit(*on_cluster(rows))
        frame, labels = on_cluster(rows)
        with pytest.raises(ValueError, match="score ranks within queries: it needs qid="):
            ranker.score(frame.drop(columns="qid"), labels)

    def test_columns_of_one_name_are_refused(self, Ranker, rows, client) -> None:
        frame, y = on_cluster(rows)
        first = frame.columns[0]
        twice = frame.map_partitions(lambda part: pd.concat([part, part[[first]]], axis=1))
        with pytest.raises(ValueError, match=f"2 columns of X are called {first!r}"):
            make_ranker(Ranker).fit(twice, y)

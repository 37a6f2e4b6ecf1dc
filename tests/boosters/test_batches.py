"""``whole_queries``: batches of XGBoost's data iterators that do not split a query."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost as xgb
from _support.boosters import Batches, external

from gbdt_pairloss import PairwiseLogistic, whole_queries


@pytest.mark.parametrize("ids", ["numbers", "strings", "sizes"])
def test_batches_of_whole_queries_train_the_model_of_one_batch(ids, problem, tmp_path) -> None:
    ends = np.cumsum(problem.sizes)
    cuts = [0, ends[7], ends[8], ends[20], ends[-1]]
    fields = {
        "numbers": lambda rows: {"qid": 2**40 + problem.qid[rows]},  # XGBoost would cut the upper bits off
        "strings": lambda rows: {"qid": np.char.add("q", problem.qid[rows].astype(str))},
        "sizes": lambda rows: {"group": np.unique(problem.qid[rows], return_counts=True)[1]},
    }[ids]
    dataset = external(whole_queries(Batches(problem, cuts, tmp_path, fields)))
    np.testing.assert_array_equal(dataset.get_uint_info("group_ptr"), [0, *ends])
    params = {"objective": "rank:pairwise", "base_score": 0, "disable_default_eval_metric": True, "nthread": 1}
    objective = PairwiseLogistic()
    model = xgb.train(params, dataset, 5, obj=objective)
    one = xgb.QuantileDMatrix(problem.X, problem.y, group=problem.sizes, nthread=1)
    expected = xgb.train(params, one, 5, obj=objective)
    test = xgb.DMatrix(problem.X, nthread=1)
    np.testing.assert_allclose(model.predict(test), expected.predict(test), rtol=1e-5, atol=1e-5)


class TestRefusals:
    def test_a_query_split_over_two_batches(self, problem, tmp_path) -> None:
        end = int(np.cumsum(problem.sizes)[9])
        batches = Batches(problem, [0, end - 1, end + 5, problem.y.size], tmp_path)
        with pytest.raises(ValueError, match="query 9 is split over batches 0 and 1: XGBoost would make two queries"):
            external(whole_queries(batches))

    def test_a_query_that_returns_in_a_later_batch(self, problem, tmp_path) -> None:
        ends = [0, *np.cumsum(problem.sizes)]
        batches = Batches(
            problem, ends, tmp_path, lambda rows: {"qid": np.full(rows.stop - rows.start, rows.start % 2)}
        )
        with pytest.raises(ValueError, match="query [01] is split over batches"):
            external(whole_queries(batches))

    def test_batches_without_queries_and_batches_with_both_qid_and_group(self, problem, tmp_path) -> None:
        cuts = [0, problem.y.size]
        with pytest.raises(ValueError, match="batch 0 has no query ids"):
            external(whole_queries(Batches(problem, cuts, tmp_path, lambda rows: {})))
        both = {"qid": problem.qid, "group": problem.sizes}
        with pytest.raises(ValueError, match="batch 0 has both qid and group"):
            external(whole_queries(Batches(problem, cuts, tmp_path, lambda rows: both)))

    def test_a_batch_whose_queries_are_scattered(self, problem, tmp_path) -> None:
        batches = Batches(problem, [0, problem.y.size], tmp_path, lambda rows: {"qid": np.arange(problem.y.size) % 3})
        with pytest.raises(ValueError, match="batch 0: the rows of query 0 are not contiguous"):
            external(whole_queries(batches))

    def test_too_few_ids(self, problem, tmp_path) -> None:
        batches = Batches(problem, [0, problem.y.size], tmp_path, lambda rows: {"qid": problem.qid[:-1]})
        with pytest.raises(ValueError, match="the qid of batch 0 has 630 entries"):
            external(whole_queries(batches))

    def test_anything_but_an_iterator(self) -> None:
        with pytest.raises(TypeError, match="whole_queries takes an xgboost.DataIter, got a list"):
            whole_queries([])

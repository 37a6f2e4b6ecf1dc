"""The objectives in LightGBM 3.3, lgb.train(params, dataset, fobj=objective). Skipped under later versions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold

from gbdt_pairloss import BPR, PairwiseLogistic, attach, cv, metrics

lgb = pytest.importorskip("lightgbm")
if int(lgb.__version__.split(".")[0]) >= 4:
    pytest.skip("LightGBM 4 takes the objective as a parameter", allow_module_level=True)

PARAMS = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, "deterministic": True}


@pytest.mark.parametrize("objective", [PairwiseLogistic(), BPR(threshold=1.0)])
def test_training_lowers_the_loss_and_raises_ndcg(objective, problem) -> None:
    dataset = lgb.Dataset(problem.X, problem.y, group=problem.sizes)
    history = {}
    lgb.train(
        PARAMS,
        dataset,
        15,
        [dataset],
        ["data"],
        fobj=objective,
        feval=[objective.metric, metrics.feval("ndcg@5")],
        callbacks=[lgb.record_evaluation(history)],
    )
    losses = history["data"][objective.name]
    assert losses[-1] < 0.7 * losses[0] < 0.7 * np.log(2)
    assert history["data"]["ndcg@5"][-1] > history["data"]["ndcg@5"][0]


def test_weights_are_applied_once(problem) -> None:
    w = np.random.default_rng(0).uniform(0.5, 2, problem.y.size)
    dataset = lgb.Dataset(problem.X, problem.y, group=list(problem.sizes), weight=w).construct()
    gradient, hessian = PairwiseLogistic()(problem.scores, dataset)
    expected = PairwiseLogistic().gradient_hessian(problem.y, problem.scores, group=problem.sizes, sample_weight=w)
    np.testing.assert_allclose(gradient, expected[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(hessian, expected[1], rtol=1e-4, atol=1e-6)


def test_a_part_of_a_dataset_keeps_its_attachments(problem) -> None:
    w = np.random.default_rng(0).uniform(0.5, 2, problem.y.size)
    whole = lgb.Dataset(problem.X, problem.y, group=problem.sizes).construct()
    attach(whole, item_weight=w)
    n_rows = int(problem.sizes[:5].sum())
    part = whole.subset(list(range(n_rows))).construct()
    expected = PairwiseLogistic().gradient_hessian(
        problem.y[:n_rows], problem.scores[:n_rows], group=problem.sizes[:5], sample_weight=w[:n_rows]
    )
    gradient, _ = PairwiseLogistic()(problem.scores[:n_rows], part)
    np.testing.assert_allclose(gradient, expected[0], rtol=1e-5, atol=1e-7)


def test_a_dataset_without_groups_is_refused(problem) -> None:
    with pytest.raises(ValueError, match="has no query groups"):
        lgb.train(PARAMS, lgb.Dataset(problem.X, problem.y), 2, fobj=PairwiseLogistic())


def test_cross_validation_keeps_queries_whole(problem) -> None:
    dataset = lgb.Dataset(problem.X, problem.y, group=problem.sizes, free_raw_data=False)
    folds = list(GroupKFold(3).split(problem.X, groups=problem.qid))
    results = cv({**PARAMS, "objective": "pairwise_logistic"}, dataset, 15, folds=folds)
    losses = results["pairwise_logistic-mean"]
    assert losses[-1] < losses[0] < np.log(2)
    with pytest.raises(ValueError, match=r"folds\[0\] splits query"):
        cv({**PARAMS, "objective": "pairwise_logistic"}, dataset, 2, folds=[([0], [1])])

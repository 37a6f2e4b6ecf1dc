"""Every loss trains both boosters' rankers."""

from __future__ import annotations

import pytest
from _support.objectives import LOSSES, callable_weight
from _support.rankers import BOTH, make_ranker

from gbdt_pairloss import PairwiseHinge, metrics


@BOTH
@pytest.mark.parametrize("name", [*(name for name in LOSSES if name != "bpr"), "callable pair weight"])
def test_the_metric_of_every_loss_goes_down_in_training(name, Ranker, make) -> None:
    train, test = make(0, n_queries=60), make(1, n_queries=40)
    objective = PairwiseHinge(pair_weight=callable_weight) if name not in LOSSES else LOSSES[name][0]
    model = make_ranker(Ranker, objective=objective, n_estimators=25)
    model.fit(
        train.X,
        train.y,
        qid=train.qid,
        eval_set=[(test.X, test.y)],
        eval_qid=[test.qid],
        eval_metric=[objective, "pair_accuracy"],
    )
    (results,) = model.evals_result_.values()
    assert results[objective.name][-1] < 0.9 * results[objective.name][0]
    scores = model.predict(test.X)
    assert results["pair_accuracy"][-1] == pytest.approx(metrics.pair_accuracy(test.y, scores, group=test.sizes))
    assert results["pair_accuracy"][-1] > 0.8
    loss = objective.loss(test.y, scores, group=test.sizes, reduction="pair_weights")
    assert results[objective.name][-1] == pytest.approx(loss, rel=1e-5)

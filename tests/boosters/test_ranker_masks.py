"""Rows that take no part in a ranker's training and evaluation: ``mask=``, and masked arrays of labels."""

from __future__ import annotations

import numpy as np
import pytest
from _support.rankers import BOTH, history_of, make_ranker

from gbdt_pairloss import LGBMRanker, PairwiseHinge, PairwiseLogistic, metrics


@pytest.fixture
def masked(problem):
    """Return labels that are masked, the mask, and the labels with NaN in its place."""
    mask = np.random.default_rng(0).random(problem.y.size) < 0.8
    return np.ma.masked_array(problem.y, ~mask), mask, np.where(mask, problem.y, np.nan)


@BOTH
def test_masked_labels_and_a_mask_leave_the_same_rows_out(Ranker, problem, masked) -> None:
    y, mask, missing = masked
    labels = np.where(mask, problem.y, -1)  # the same rows by another way
    by_labels = make_ranker(Ranker, objective__ignore_negative_labels=True)
    expected = by_labels.fit(problem.X, labels, qid=problem.qid).predict(problem.X)
    for given in ({"y": y}, {"y": missing, "mask": mask}, {"y": y, "mask": np.ones(mask.size, dtype=bool)}):
        ranker = make_ranker(Ranker).fit(problem.X, qid=problem.qid, **given)
        np.testing.assert_array_equal(ranker.predict(problem.X), expected)


@BOTH
@pytest.mark.parametrize("scattered", [False, True])
def test_evaluation_sets_and_scores_have_masks(Ranker, scattered, problem, masked) -> None:
    y, mask, missing = masked
    X, order = problem.X, np.arange(mask.size)
    if scattered:
        order = np.random.default_rng(1).permutation(order)
    X, qid, y, mask, missing = X[order], problem.qid[order], y[order], mask[order], missing[order]
    metric = {"eval_metric": ["pairwise_logistic", "ndcg"]}
    ranker = make_ranker(Ranker)
    sets = [(X.copy(), y), (X.copy(), missing)]
    ranker.fit(X, y, qid=qid, eval_set=sets, eval_qid=[qid, qid], eval_mask=[None, mask], **metric)
    scores = ranker.predict(X)
    expected = metrics.ndcg(missing, scores, qid=qid, mask=mask)
    results = ranker.evals_result_ if Ranker is LGBMRanker else ranker.evals_result()
    for history in results.values():
        assert history["ndcg"][-1] == pytest.approx(expected, abs=1e-6)
        loss = PairwiseLogistic(pair_weight="ndcg").loss(missing, scores, qid=qid, mask=mask, reduction="pair_weights")
        assert history["pairwise_logistic"][-1] == pytest.approx(loss, rel=1e-5)
    assert ranker.score(X, y, qid=qid) == ranker.score(X, missing, qid=qid, mask=mask) == pytest.approx(expected)


@BOTH
def test_several_labels_and_held_out_queries(Ranker, problem, masked) -> None:
    _, mask, missing = masked
    objective = PairwiseLogistic() + PairwiseHinge()
    both = np.column_stack([missing, missing])
    given = {"qid": problem.qid, "mask": mask, "eval_metric": "ndcg"}
    ranker = make_ranker(Ranker, objective=objective, eval_fraction=0.3).fit(problem.X, both, **given)
    alone = make_ranker(Ranker, objective=objective, eval_fraction=0.3).fit(problem.X, missing, **given)
    np.testing.assert_allclose(ranker.predict(problem.X), alone.predict(problem.X), rtol=1e-5)
    np.testing.assert_allclose(history_of(ranker)["ndcg"], history_of(alone)["ndcg"])
    both = np.ma.masked_array(np.nan_to_num(both), np.column_stack([~mask, ~mask]))
    by_array = make_ranker(Ranker, objective=objective, eval_fraction=0.3).fit(problem.X, both, qid=problem.qid)
    np.testing.assert_array_equal(by_array.predict(problem.X), ranker.predict(problem.X))
    both[np.flatnonzero(mask)[0], 1] = np.ma.masked
    with pytest.raises(ValueError, match="y is a masked array of several columns: a row must be masked in all"):
        make_ranker(Ranker, objective=objective).fit(problem.X, both, qid=problem.qid)


@BOTH
def test_what_cannot_be_masked_is_refused(Ranker, problem, masked) -> None:
    y, mask, missing = masked
    native = "rank_xendcg" if Ranker is LGBMRanker else "rank:ndcg"
    qid, X = np.ma.masked_array(problem.qid, ~mask), np.ma.masked_array(problem.X, problem.X > 1)

    def fit(message, X=problem.X, y=problem.y, objective="auto", **given):
        with pytest.raises(ValueError, match=message):
            make_ranker(Ranker, objective=objective).fit(X, y, **{"qid": problem.qid, **given})

    fit("y is nan at row .*mask= leaves rows out", y=missing)
    fit("qid is a masked array: only labels and scores", qid=qid)
    fit("sample_weight is a masked array", sample_weight=y + 1.0)
    fit("mask has shape", mask=mask[1:])
    fit("X is a masked array, whose mask the boosters do not read", X=X)
    fit("the booster's own objective cannot leave rows out", y=y, objective=native)
    fit("mask needs an objective of gbdt_pairloss", mask=mask, objective=native)
    ranker = make_ranker(Ranker).fit(problem.X, problem.y, qid=problem.qid)
    with pytest.raises(ValueError, match="X is a masked array"):
        ranker.predict(X)

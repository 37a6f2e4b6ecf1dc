"""The default objective of the rankers: pair_weight="auto", which depends on the labels."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from _support.rankers import BOTH, history_of, make_ranker
from sklearn.base import clone

from gbdt_pairloss import LGBMRanker, PairwiseHinge, PairwiseLogistic, get_objective

UNIFORM = PairwiseLogistic()
NDCG = PairwiseLogistic(pair_weight="ndcg", rank_noise=1)


def predictions(Ranker, problem, y, objective=None, **params):
    given = params if objective is None else {"objective": objective, **params}
    return make_ranker(Ranker, **given).fit(problem.X, y, qid=problem.qid).predict(problem.X)


@BOTH
@pytest.mark.parametrize(("change", "expected"), [(0, NDCG), (0.5, UNIFORM), (30, UNIFORM)])
def test_the_labels_decide(Ranker, change, expected, problem) -> None:
    y = problem.y + change
    np.testing.assert_array_equal(predictions(Ranker, problem, y), predictions(Ranker, problem, y, expected))


@BOTH
def test_explicit_pairs_weigh_alike(Ranker, problem) -> None:
    first = problem.starts[:-1][problem.sizes > 1]
    given = {"qid": problem.qid, "pairs": (first + 1, first)}
    rankers = (make_ranker(Ranker), make_ranker(Ranker, objective=UNIFORM))
    np.testing.assert_array_equal(*(ranker.fit(problem.X, None, **given).predict(problem.X) for ranker in rankers))


@BOTH
@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"temperature": 2.0}, {"temperature": 2.0, "pair_weight": "ndcg", "rank_noise": 1}),
        ({"pair_weight": "label_diff"}, {"pair_weight": "label_diff"}),
        ({"rank_noise": 0}, {"pair_weight": "ndcg"}),
        ({"truncation": 3}, {"pair_weight": "ndcg", "rank_noise": 1, "truncation": 3}),
        ({"random_state": 7}, {"pair_weight": "ndcg", "rank_noise": 1, "random_state": 7}),
    ],
)
def test_nested_parameters(Ranker, params, expected, problem) -> None:
    nested = {f"objective__{name}": value for name, value in params.items()}
    expected = predictions(Ranker, problem, problem.y, PairwiseLogistic(**expected))
    np.testing.assert_array_equal(predictions(Ranker, problem, problem.y, **nested), expected)


@BOTH
def test_the_noise_is_drawn_by_the_seed_of_the_ranker(Ranker, problem) -> None:
    # LightGBM and XGBoost draw nothing themselves here: only the noise depends on the seed.
    first, again, other = (predictions(Ranker, problem, problem.y, random_state=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@BOTH
def test_metrics_have_no_noise_and_the_weights_of_the_default(Ranker, problem, make) -> None:
    other = make(1)
    ranker = make_ranker(Ranker)
    given = {"eval_set": [(other.X, other.y)], "eval_qid": [other.qid], "eval_metric": ["pairwise_logistic", "ndcg"]}
    history = history_of(ranker.fit(problem.X, problem.y, qid=problem.qid, **given))
    loss = PairwiseLogistic(pair_weight="ndcg").loss(
        other.y, ranker.predict(other.X), qid=other.qid, reduction="pair_weights"
    )
    assert history["pairwise_logistic"][-1] == pytest.approx(loss, rel=1e-5)


@BOTH
@pytest.mark.parametrize("metric", ["pairwise_logistic", PairwiseLogistic(pair_weight="auto")])
@pytest.mark.parametrize(
    ("change", "other_change", "weight"),
    [(0, 0.25, {"pair_weight": "ndcg"}), (0, 30, {"pair_weight": "ndcg"}), (0.25, 0, {}), (30, 0, {})],
)
def test_the_training_set_decides_for_evaluation_sets(
    Ranker, metric, change, other_change, weight, problem, make
) -> None:
    other = make(1)
    given = {"eval_set": [(other.X, other.y + other_change)], "eval_qid": [other.qid], "eval_metric": metric}
    ranker = make_ranker(Ranker).fit(problem.X, problem.y + change, qid=problem.qid, **given)
    loss = PairwiseLogistic(**weight).loss(
        other.y + other_change, ranker.predict(other.X), qid=other.qid, reduction="pair_weights"
    )
    assert history_of(ranker)["pairwise_logistic"][-1] == pytest.approx(loss, rel=1e-5)


@BOTH
def test_the_training_set_decides_for_each_term_of_a_sum(Ranker, problem, make) -> None:
    other, auto = make(1), PairwiseLogistic(pair_weight="auto")
    objective = 1 * auto + PairwiseHinge(pair_weight="auto")
    y, labels = np.column_stack([problem.y, problem.y + 0.5]), np.column_stack([other.y + 0.5, other.y])
    given = {"eval_set": [(other.X, labels)], "eval_qid": [other.qid], "eval_metric": objective}
    ranker = make_ranker(Ranker, objective=objective).fit(problem.X, y, qid=problem.qid, **given)
    scores, history = ranker.predict(other.X), history_of(ranker)
    for term, column in ((PairwiseLogistic(pair_weight="ndcg"), 0), (PairwiseHinge(), 1)):
        loss = term.loss(labels[:, column], scores, qid=other.qid, reduction="pair_weights")
        assert history[term.name][-1] == pytest.approx(loss, rel=1e-5)


@BOTH
def test_it_is_a_name_like_any_other(Ranker, problem) -> None:
    ranker = make_ranker(Ranker)
    assert ranker.get_params()["objective"] == ranker.objective == "auto"
    assert repr(ranker.pairwise_objective()) == "PairwiseLogistic(pair_weight='auto')"
    assert repr(clone(ranker)) == repr(ranker)
    ranker.fit(problem.X, problem.y, qid=problem.qid)
    assert ranker.objective == "auto"
    loaded = pickle.loads(pickle.dumps(ranker))
    np.testing.assert_array_equal(loaded.predict(problem.X), ranker.predict(problem.X))
    by_object = predictions(Ranker, problem, problem.y, get_objective("auto"))
    np.testing.assert_array_equal(by_object, ranker.predict(problem.X))


@BOTH
def test_a_fitted_ranker_says_what_it_is_for_the_labels(Ranker, problem) -> None:
    def trained(y, **params):
        return repr(make_ranker(Ranker, **params).fit(problem.X, y, qid=problem.qid).objective_)

    assert trained(problem.y) == "PairwiseLogistic(pair_weight='ndcg', rank_noise=1.0)"
    assert trained(problem.y + 0.5) == "PairwiseLogistic()"
    objective = 2 * PairwiseLogistic(pair_weight="auto", rank_noise=2) + PairwiseHinge()
    ranker = make_ranker(Ranker, objective=objective).fit(problem.X, problem.y, qid=problem.qid)
    assert repr(ranker.objective_) == repr(2 * PairwiseLogistic(pair_weight="ndcg", rank_noise=2) + PairwiseHinge())
    assert ranker.objective is objective
    assert objective.get_params()["0__pair_weight"] == "auto"
    assert repr(pickle.loads(pickle.dumps(ranker)).objective_) == repr(ranker.objective_)
    native = "rank_xendcg" if Ranker is LGBMRanker else "rank:ndcg"
    assert make_ranker(Ranker, objective=native).fit(problem.X, problem.y, qid=problem.qid).objective_ == native


@BOTH
def test_messages_name_it(Ranker, problem) -> None:
    name = "LGBMRanker" if Ranker is LGBMRanker else "XGBRanker"
    with pytest.raises(ValueError, match=f"objective 'automatic' is not known: {name} takes auto, bpr"):
        predictions(Ranker, problem, problem.y, "automatic")

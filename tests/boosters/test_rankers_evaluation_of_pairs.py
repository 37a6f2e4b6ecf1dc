"""Evaluation sets of explicit pairs: losses and metrics of rankers, early stopping, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from _support.datasets import lgb
from _support.explicit_pairs import Duels
from _support.rankers import BOTH, history_of, make_ranker

from gbdt_pairloss import LGBMRanker, PairwiseLogistic, get_objective, metrics


@pytest.fixture(scope="module")
def data() -> Duels:
    return Duels()


def predictions_by_round(ranker, X):
    """Return the scores after each round."""
    rounds = range(1, 1 + len(next(iter(history_of(ranker).values()))))
    if isinstance(ranker, LGBMRanker):
        return [ranker.predict(X, num_iteration=k) for k in rounds]
    return [ranker.predict(X, iteration_range=(0, k)) for k in rounds]


@BOTH
def test_the_objectives_own_loss_is_evaluated_on_the_given_pairs(Ranker, data) -> None:
    test = Duels(7, n_queries=5)
    objective = PairwiseLogistic(normalize="query", temperature=0.5)
    fit = {"qid": data.qid, "pairs": data.pairs, "eval_set": [(test.X, test.zeros)], "eval_qid": [test.qid]}
    ranker = make_ranker(Ranker, objective=objective).fit(data.X, data.zeros, eval_pairs=[test.pairs], **fit)
    history = history_of(ranker)
    assert list(history) == ["pairwise_logistic"]
    expected = [
        objective.loss(test.zeros, s, group=test.sizes, pairs=test.pairs, reduction="pair_weights")
        for s in predictions_by_round(ranker, test.X)
    ]
    assert history["pairwise_logistic"] == pytest.approx(expected, rel=1e-6)
    assert expected[-1] < 0.8 * expected[0]
    asked = ["pair_accuracy", "pairwise_exponential"]
    ranker.fit(data.X, data.zeros, eval_pairs=[test.pairs], eval_metric=asked, **fit)
    history = history_of(ranker)
    assert sorted(history) == asked
    predictions = predictions_by_round(ranker, test.X)
    expected = [metrics.pair_accuracy(test.zeros, s, group=test.sizes, pairs=test.pairs) for s in predictions]
    assert history["pair_accuracy"] == pytest.approx(expected, rel=1e-6)
    exponential = get_objective("pairwise_exponential")
    given = {"group": test.sizes, "pairs": test.pairs, "reduction": "pair_weights"}
    expected = [exponential.loss(test.zeros, s, **given) for s in predictions]
    assert history["pairwise_exponential"] == pytest.approx(expected, rel=1e-6)


@BOTH
def test_evaluation_sets_that_differ_only_in_their_pairs_are_told_apart(Ranker, data) -> None:
    winner, loser, weight = data.pairs
    first, second = (tuple(array[k::2] for array in data.pairs) for k in (0, 1))
    backwards = loser, winner, weight
    objective = PairwiseLogistic()
    ranker = make_ranker(Ranker).fit(
        data.X,
        data.zeros,
        qid=data.qid,
        pairs=data.pairs,
        eval_set=[
            (data.X.copy(), data.zeros.copy()),
            (data.X, data.zeros),  # with the training set's pairs
            (data.X.copy(), data.zeros.copy()),
            (data.X, data.zeros),
        ],
        eval_qid=[data.qid, None, data.qid, data.qid],
        eval_pairs=[first, None, second, backwards],
        eval_metric=["pairwise_logistic", "pair_accuracy"],
    )
    expected = [first, data.pairs, second, backwards]
    histories = list(ranker.evals_result_.values())
    assert len(histories) == 4
    if Ranker is LGBMRanker:  # which reports the training set before all others
        assert next(iter(ranker.evals_result_)) == "training"
        expected = [data.pairs, first, second, backwards]
    for history, pairs in zip(histories, expected, strict=True):
        given = {"group": data.sizes, "pairs": pairs}
        scores = predictions_by_round(ranker, data.X)
        losses = [objective.loss(data.zeros, s, reduction="pair_weights", **given) for s in scores]
        assert history["pairwise_logistic"] == pytest.approx(losses, rel=1e-6)
        shares = [metrics.pair_accuracy(data.zeros, s, **given) for s in scores]
        assert history["pair_accuracy"] == pytest.approx(shares, rel=1e-6)


@BOTH
def test_one_evaluation_set_may_have_pairs_and_another_labels(Ranker, data) -> None:
    test = Duels(7, n_queries=5)
    grades = np.clip(np.round(test.strength + 2), 0, 4)
    ranker = make_ranker(Ranker).fit(
        data.X,
        None,
        qid=data.qid,
        pairs=data.pairs,
        eval_set=[(test.X, None), (test.X, grades)],
        eval_qid=[test.qid, test.qid],
        eval_pairs=[test.pairs, None],
        eval_metric="pair_accuracy",
    )
    scores = ranker.predict(test.X)
    by_pairs = metrics.pair_accuracy(test.zeros, scores, qid=test.qid, pairs=test.pairs)
    by_grades = metrics.pair_accuracy(grades, scores, qid=test.qid)
    assert history_of(ranker, 0)["pair_accuracy"][-1] == pytest.approx(by_pairs, rel=1e-6)
    assert history_of(ranker, 1)["pair_accuracy"][-1] == pytest.approx(by_grades, rel=1e-6)
    assert abs(by_pairs - by_grades) > 1e-3


@BOTH
@pytest.mark.parametrize("metric", ["pairwise_logistic", "pair_accuracy"])
def test_early_stopping_follows_the_given_pairs(Ranker, metric) -> None:
    data, test = Duels(n_pairs=150, noise=2.0), Duels(7, n_queries=5, n_pairs=80, noise=2.0)
    params = {"n_estimators": 200, "learning_rate": 0.3}
    fit = {"qid": data.qid, "pairs": data.pairs, "eval_set": [(test.X, test.zeros)], "eval_qid": [test.qid]}
    fit |= {"eval_pairs": [test.pairs], "eval_metric": metric}
    if Ranker is LGBMRanker:
        ranker = make_ranker(Ranker, **params)
        ranker.fit(data.X, None, callbacks=[lgb.early_stopping(4, verbose=False)], **fit)
        best = ranker.best_iteration_ - 1
    else:
        ranker = make_ranker(Ranker, early_stopping_rounds=4, **params).fit(data.X, None, **fit)
        best = ranker.best_iteration
    values = np.array(history_of(ranker)[metric])
    assert best == (values.argmin() if metric == "pairwise_logistic" else values.argmax())
    assert len(values) == best + 5 < 200


@BOTH
def test_bad_pairs_of_an_evaluation_set_name_the_set(Ranker, data) -> None:
    ranker = make_ranker(Ranker)
    fit = {"qid": data.qid, "pairs": data.pairs, "eval_set": [(data.X, data.zeros)] * 2, "eval_qid": [data.qid] * 2}
    for bad, message in (
        (([0], [data.n]), rf"eval_set\[1\]: pairs\[0\]: the loser is row {data.n}, but there are {data.n} rows"),
        (([0], [25]), r"eval_set\[1\]: pairs\[0\] crosses two queries: .* row 0, is in query 0, .* row 25, in query 1"),
        (([0], [1], [-1]), r"eval_set\[1\]: the weight of pairs is -1.0 at pair 0"),
        (([0], [1], [0]), r"eval_set\[1\]: pairwise_logistic is undefined: .*all weights are 0"),
    ):
        with pytest.raises(ValueError, match=message):
            ranker.fit(data.X, data.zeros, eval_pairs=[data.pairs, bad], **fit)
    with pytest.raises(ValueError, match="eval_pairs has 3 entries for 2 evaluation set"):
        ranker.fit(data.X, data.zeros, eval_pairs=data.pairs, **fit)
    assert not ranker.__sklearn_is_fitted__()


@BOTH
def test_pairs_of_no_known_form_name_the_set(Ranker, data) -> None:
    fit = {"qid": data.qid, "pairs": data.pairs, "eval_set": [(data.X, data.zeros)]}
    with pytest.raises(TypeError, match=r"eval_set\[0\]: pairs must be a tuple"):
        make_ranker(Ranker).fit(data.X, data.zeros, eval_pairs=[np.stack(data.pairs[:2])], **fit)


@BOTH
def test_an_evaluation_set_with_nothing_to_compare_is_refused(data, Ranker) -> None:
    ranker = make_ranker(Ranker)
    message = r"eval_set\[0\]: its labels are all equal, and it has no pairs: give them as eval_pairs="
    with pytest.raises(ValueError, match=message):
        ranker.fit(
            data.X, None, qid=data.qid, pairs=data.pairs, eval_set=[(data.X.copy(), data.zeros)], eval_qid=[data.qid]
        )
    assert not ranker.__sklearn_is_fitted__()

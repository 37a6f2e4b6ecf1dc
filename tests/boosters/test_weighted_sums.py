"""Sums of objectives in both boosters: gradients, lists of metrics, several labels, rankers and their searches."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from _support.boosters import (
    BOTH_BOOSTERS,
    LGB,
    XGB,
    assert_same_in_float32,
    constructed,
    dataset_of,
    lgb,
    predict,
    train,
    xgb,
)
from _support.rankers import BOTH, history_of, make_ranker, stopping
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold

import gbdt_pairloss
from gbdt_pairloss import (
    BPR,
    LGBMRanker,
    PairwiseHinge,
    PairwiseLogistic,
    PairwiseMeanSquaredError,
    WeightedSum,
    XGBRanker,
    attach,
    make_ranking_scorer,
    metrics,
)

NAMES = ["pairwise_logistic", "pairwise_hinge", "weighted_sum"]


def two(weights=(0.7, 0.3), **params):
    """Return a sum of two losses."""
    return WeightedSum([PairwiseLogistic(), PairwiseHinge()], weights, **params)


def unscaled(**params):
    """Return the same sum, with the same Hessians for arrays and both boosters."""
    return two(**params).set_params(**{"0__hessian_scale": 1, "1__hessian_scale": 1})


def columns_of(problem):
    """Return two labels of each row: that of the problem, and its opposite."""
    return np.column_stack([problem.y, problem.y.max() - problem.y]).astype(float)


@BOTH_BOOSTERS
def test_gradients_of_a_dataset(booster, problem) -> None:
    dataset = constructed(dataset_of(booster, problem))
    expected = unscaled().gradient_hessian(problem.y, problem.scores, group=problem.sizes)
    assert_same_in_float32(unscaled()(problem.scores, dataset), expected)
    columns = columns_of(problem)
    attach(dataset, labels=columns)
    for labels in (None, [1, 0], [1, 1]):
        objective = unscaled(labels=labels)
        expected = objective.gradient_hessian(columns, problem.scores, group=problem.sizes)
        assert_same_in_float32(objective(problem.scores, dataset), expected)
    # Other objectives read the label of the dataset.
    term = unscaled().objectives[0]
    expected = term.gradient_hessian(problem.y, problem.scores, group=problem.sizes)
    assert_same_in_float32(term(problem.scores, dataset), expected)
    attach(dataset, labels=columns[:, ::-1])
    expected = unscaled().gradient_hessian(columns[:, ::-1], problem.scores, group=problem.sizes)
    assert_same_in_float32(unscaled()(problem.scores, dataset), expected)


@BOTH_BOOSTERS
def test_a_changed_weight_counts_at_once(booster, problem) -> None:
    dataset, objective = constructed(dataset_of(booster, problem)), two()
    before = objective(problem.scores, dataset)
    objective.set_params(weights=[0.7, 3.0])
    after = objective(problem.scores, dataset)
    hinge = PairwiseHinge()(problem.scores, dataset)
    assert_same_in_float32(np.subtract(after, before), np.multiply(hinge, 2.7))


@BOTH_BOOSTERS
def test_training_reports_the_losses_of_the_terms_and_of_the_sum(booster, problem) -> None:
    objective = two()
    history = {}
    dataset = dataset_of(booster, problem)
    if booster == "lightgbm":
        valid = lgb.Dataset(problem.X, problem.y, group=problem.sizes, reference=dataset)
        record = [lgb.record_evaluation(history)]
        lgb.train({**LGB, "objective": objective}, dataset, 5, [valid], ["v"], objective.metric, callbacks=record)
        model = train(booster, objective, dataset_of(booster, problem), 5)
    else:
        arguments = {"evals": [(dataset, "v")], "custom_metric": objective.metric, "evals_result": history}
        model = xgb.train(XGB, dataset, 5, obj=objective, verbose_eval=False, **arguments)
    values = history["v"]
    assert list(values) == (NAMES if booster == "xgboost" else [NAMES[-1], *NAMES[:-1]])  # that stops the training
    scores = predict(booster, model, problem.X)
    for term in objective.objectives:
        expected = term.loss(problem.y, scores, group=problem.sizes, reduction="pair_weights")
        assert values[term.name][-1] == pytest.approx(expected, rel=1e-5)
    expected = 0.7 * np.array(values[NAMES[0]]) + 0.3 * np.array(values[NAMES[1]])
    np.testing.assert_allclose(values["weighted_sum"], expected, rtol=1e-5)  # of XGBoost's six digits
    assert values["weighted_sum"][-1] < values["weighted_sum"][0]


@BOTH_BOOSTERS
def test_names_of_equal_terms_have_their_numbers(booster, problem) -> None:
    dataset = constructed(dataset_of(booster, problem))
    objective = BPR() + PairwiseLogistic() + PairwiseLogistic(temperature=2.0)
    results = objective.metric(problem.scores, dataset)
    names = ["bpr", "pairwise_logistic_1", "pairwise_logistic_2"]
    assert sorted(r[0] for r in results) == [*names, "weighted_sum"]
    objective.set_params(weights=[1, 0, 1])
    results = objective.metric(problem.scores, dataset)
    assert sorted(r[0] for r in results) == ["bpr", "pairwise_logistic_2", "weighted_sum"]
    assert results[0 if booster == "lightgbm" else -1][0] == "weighted_sum"
    assert [r[2:] for r in results] == [(False,) if booster == "lightgbm" else ()] * 3


@BOTH_BOOSTERS
def test_grades_and_pairs_of_a_dataset(booster, problem) -> None:
    dataset = constructed(dataset_of(booster, problem))
    starts = problem.starts[:-1][problem.sizes > 1]
    pairs = (starts, starts + 1)
    attach(dataset, pairs=pairs)
    objective = unscaled(labels=[0, "pairs"])
    expected = objective.gradient_hessian(problem.y, problem.scores, group=problem.sizes, pairs=pairs)
    assert_same_in_float32(objective(problem.scores, dataset), expected)
    with pytest.raises(ValueError, match="there are pairs, but no term of the sum reads them"):
        two()(problem.scores, dataset)


@BOTH_BOOSTERS
def test_a_part_of_a_dataset_keeps_its_labels(booster, problem) -> None:
    columns = columns_of(problem)
    whole = dataset_of(booster, problem)
    attach(whole, labels=columns)
    rows = np.flatnonzero(problem.qid % 3 == 1)
    sizes = np.unique(problem.qid[rows], return_counts=True)[1]
    if booster == "lightgbm":
        part = whole.construct().subset(list(rows)).construct()
    else:
        part = whole.slice(rows, allow_groups=True)
        part.set_group(sizes)
    expected = unscaled().gradient_hessian(columns[rows], problem.scores[rows], group=sizes)
    assert_same_in_float32(unscaled()(problem.scores[rows], part), expected)


@BOTH_BOOSTERS
def test_folds_of_a_cross_validation_keep_their_labels(booster, problem) -> None:
    """The label of the dataset is noise: only the attached labels can be learned."""
    rng = np.random.default_rng(0)
    dataset = dataset_of(booster, problem, y=rng.integers(0, 3, problem.y.size).astype(float))
    attach(dataset, labels=np.column_stack([problem.y, problem.y]))
    params = {**(LGB if booster == "lightgbm" else XGB), "objective": two(), "objective__weights": [1, 2]}
    results = gbdt_pairloss.cv(params, dataset, 8, nfold=3)
    names = [f"valid {name}-mean" if booster == "lightgbm" else f"test-{name}-mean" for name in NAMES]
    values = [np.asarray(results[name]) for name in names]
    np.testing.assert_allclose(values[2], values[0] + 2 * values[1], rtol=1e-5)
    assert values[2][-1] < 0.95 * values[2][0]


@BOTH_BOOSTERS
def test_attached_labels_that_are_refused(booster, problem) -> None:
    dataset = constructed(dataset_of(booster, problem))
    with pytest.raises(ValueError, match=rf"labels has shape \({problem.y.size},\); it must be \(n_rows, n_columns\)"):
        attach(dataset, labels=problem.y)
    with pytest.raises(ValueError, match=rf"labels has 3 entries, but there are {problem.y.size} rows"):
        attach(dataset, labels=np.zeros((3, 2)))
    columns = columns_of(problem)
    columns[5, 1] = np.inf
    with pytest.raises(ValueError, match="labels in column 1 is inf at row 5; it must be finite"):
        attach(dataset, labels=columns)
    attach(dataset, labels=columns[:, :1].repeat(3, axis=1))
    with pytest.raises(ValueError, match="the labels have 3 columns, but the sum has 2 terms"):
        two()(problem.scores, dataset)


@BOTH_BOOSTERS
def test_terms_from_which_nothing_can_be_learned_are_named(booster, problem) -> None:
    dataset = constructed(dataset_of(booster, problem))
    attach(dataset, labels=np.column_stack([problem.y, np.ones(problem.y.size)]))
    with pytest.warns(UserWarning, match=r"learned: term 1 \(pairwise_hinge\): no query has two rows with different"):
        two()(problem.scores, dataset)
    with pytest.raises(ValueError, match=r"term 1 \(bpr\): nothing can be learned: no query has both a positive"):
        (PairwiseLogistic() + BPR(threshold=5.0))(problem.scores, dataset)
    attach(dataset, loser_weight=np.zeros(problem.y.size))
    with pytest.raises(ValueError, match=r"term 0 \(pairwise_logistic\): nothing can be learned: every pair has weig"):
        two()(problem.scores, dataset)


@BOTH_BOOSTERS
def test_a_training_that_learns_nothing_warns_once(booster, problem) -> None:
    dataset = constructed(dataset_of(booster, problem))
    tiny = 1e-9 * two()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        tiny(np.zeros(problem.y.size), dataset)
    assert [str(w.message).startswith("the Hessians of all rows sum to") for w in said] == [True]


# Rankers.


@BOTH
def test_a_callback_may_change_the_weights(Ranker, problem) -> None:
    """As it may change other parameters: a schedule, from the first term to the second."""
    objective = two(weights=[1.0, 1e-6])
    seen = []

    def schedule(round_number):
        objective.set_params(weights=[1e-6, 1.0] if round_number >= 2 else [1.0, 1e-6])
        seen.append(round_number)

    if Ranker is LGBMRanker:
        callbacks = [lambda env: schedule(env.iteration + 1)]
    else:

        class Schedule(xgb.callback.TrainingCallback):
            def after_iteration(self, model, epoch, evals_log):
                schedule(epoch + 1)
                return False

        callbacks = [Schedule()]
    ranker = make_ranker(Ranker, objective=objective, n_estimators=4)
    ranker.fit(problem.X, problem.y, qid=problem.qid, callbacks=callbacks)
    assert seen == [1, 2, 3, 4]
    first = make_ranker(Ranker, objective=PairwiseLogistic(), n_estimators=2).fit(problem.X, problem.y, qid=problem.qid)
    start = {"init_model": first} if Ranker is LGBMRanker else {"xgb_model": first.get_booster()}
    then = make_ranker(Ranker, objective=PairwiseHinge(), n_estimators=2)
    then.fit(problem.X, problem.y, qid=problem.qid, **start)
    np.testing.assert_allclose(ranker.predict(problem.X), then.predict(problem.X), rtol=1e-2, atol=1e-3)
    objective.set_params(weights=[1, 0])

    def late(*args):
        objective.set_params(weights=[1, 1])

    if Ranker is LGBMRanker:
        with pytest.raises(ValueError, match=r"term 1 \(pairwise_hinge\) had the weight 0 when the training began"):
            ranker.fit(problem.X, problem.y, qid=problem.qid, callbacks=[late])


@BOTH
@pytest.mark.parametrize("form", [np.asarray, np.ndarray.tolist, pd.DataFrame])
def test_a_ranker_learns_several_labels(Ranker, form, scattered) -> None:
    """The rows of a query are scattered, and the first label alone is noise."""
    X, y, qid = scattered
    noise = np.random.default_rng(1).integers(0, 3, y.size).astype(float)
    both = np.column_stack([noise, y])
    objective = WeightedSum([PairwiseLogistic(), PairwiseHinge()], [1, 2], labels=[1, 1])
    ranker = make_ranker(Ranker, objective=objective).fit(X, form(both), qid=qid)
    same = WeightedSum([PairwiseLogistic(), PairwiseHinge()], [1, 2])
    expected = make_ranker(Ranker, objective=same).fit(X, y, qid=qid)
    np.testing.assert_allclose(ranker.predict(X), expected.predict(X), rtol=1e-5, atol=1e-6)
    assert ranker.score(X, form(both), qid=qid) == ranker.score(X, noise, qid=qid)
    scorer = make_ranking_scorer("pair_accuracy")
    assert scorer(ranker, X, form(both[:, ::-1].copy()), qid=qid) == scorer(ranker, X, y, qid=qid) > 0.6


@BOTH
def test_evaluation_sets_have_several_labels_and_early_stopping_follows_the_sum(Ranker, problem, make) -> None:
    other = make(1)
    objective = two()
    ranker = stopping(Ranker, objective=objective)
    metric = {"eval_metric": objective}
    ranker.fit(
        problem.X,
        np.column_stack([problem.y, problem.y + 0.5]),
        qid=problem.qid,
        eval_set=[(other.X, np.column_stack([other.y, other.y]))],
        eval_qid=[other.qid],
        **metric,
    )
    history = history_of(ranker)
    assert sorted(history) == sorted(NAMES)
    expected = 0.7 * np.array(history[NAMES[0]]) + 0.3 * np.array(history[NAMES[1]])
    np.testing.assert_allclose(history["weighted_sum"], expected, rtol=1e-6)
    rounds = len(history["weighted_sum"])
    assert rounds < 200
    if Ranker is not LGBMRanker:  # LightGBM stops at any metric
        assert ranker.best_iteration == np.argmin(history["weighted_sum"])


@BOTH
def test_held_out_queries_have_their_labels(Ranker, problem) -> None:
    objective, columns = two(labels=[1, 1]), columns_of(problem)
    ranker = make_ranker(Ranker, objective=objective, eval_fraction=0.3, random_state=3)
    ranker.fit(problem.X, columns, qid=problem.qid, eval_metric=objective)
    alone = make_ranker(Ranker, objective=two(), eval_fraction=0.3, random_state=3)
    alone.fit(problem.X, columns[:, 1], qid=problem.qid, eval_metric=two())
    for name, values in history_of(alone).items():
        np.testing.assert_allclose(history_of(ranker)[name], values, rtol=1e-6)


@BOTH
def test_the_losses_of_a_sum_have_names(Ranker, problem) -> None:
    objective = two()
    sets = {"eval_set": [(problem.X, problem.y)]}

    def names(metric):
        ranker = make_ranker(Ranker, objective=objective, n_estimators=2)
        return list(history_of(ranker.fit(problem.X, problem.y, qid=problem.qid, eval_metric=metric, **sets)))

    in_order = [NAMES[-1], *NAMES[:-1]] if Ranker is LGBMRanker else NAMES  # the sum is where early stopping looks
    for metric in (objective, objective.metric):
        assert names(metric) == in_order
    assert names("weighted_sum") == ["weighted_sum"]
    assert sorted(names(["weighted_sum", objective])) == sorted(NAMES)
    assert names("pairwise_hinge") == ["pairwise_hinge"]
    assert names(["ndcg@3", "pairwise_squared", "weighted_sum"]) == ["ndcg@3", "pairwise_squared", "weighted_sum"]
    ranker = make_ranker(Ranker, objective="bpr", n_estimators=2)
    ranker.fit(problem.X, problem.y, qid=problem.qid, eval_metric=objective, **sets)
    assert list(history_of(ranker)) == in_order


@BOTH
def test_a_name_of_two_terms_is_refused(Ranker, problem) -> None:
    objective = 1 * PairwiseLogistic() + PairwiseLogistic(pair_weight="ndcg")
    ranker = make_ranker(Ranker, objective=objective, n_estimators=2)
    given = {"qid": problem.qid, "eval_set": [(problem.X, problem.y)]}
    with pytest.raises(ValueError, match="name one of pairwise_logistic_0, pairwise_logistic_1"):
        ranker.fit(problem.X, problem.y, **given, eval_metric="pairwise_logistic")
    ranker.fit(problem.X, problem.y, **given, eval_metric="pairwise_logistic_1")
    loss = PairwiseLogistic(pair_weight="ndcg").loss(
        problem.y, ranker.predict(problem.X), qid=problem.qid, reduction="pair_weights"
    )
    assert history_of(ranker)["pairwise_logistic_1"][-1] == pytest.approx(loss, rel=1e-5)


@BOTH
@pytest.mark.parametrize("several", [True, False])
def test_metrics_leave_out_the_rows_whose_first_label_is_ignored(Ranker, several, problem, make) -> None:
    other = make(1)
    objective = PairwiseLogistic(ignore_negative_labels=True) + PairwiseHinge(ignore_negative_labels=False)

    def labels(problem):
        return np.column_stack([problem.y - 1, problem.y]) if several else problem.y - 1.0

    ranker = make_ranker(Ranker, objective=objective)
    given = {"eval_set": [(other.X, labels(other))], "eval_qid": [other.qid], "eval_metric": "ndcg"}
    history = history_of(ranker.fit(problem.X, labels(problem), qid=problem.qid, **given))
    scores, y, counts = ranker.predict(other.X), other.y - 1, other.y > 0
    expected = metrics.ndcg(y[counts], scores[counts], qid=other.qid[counts])
    assert history["ndcg"][-1] == pytest.approx(expected, abs=1e-6)
    assert ranker.score(other.X, labels(other), qid=other.qid) == pytest.approx(expected)


@BOTH
@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("auto", "unknown metric 'auto' .the loss of objective='auto' is 'pairwise_logistic'"),
        ("weighted_sum", "unknown metric 'weighted_sum' .the ranker's objective is no sum"),
        ("pairwise_logistics", "did you mean 'pairwise_logistic'.*and those of the losses, bpr, pairwise_logistic"),
    ],
)
def test_unknown_names_are_explained(Ranker, metric, message, problem) -> None:
    given = {"qid": problem.qid, "eval_set": [(problem.X, problem.y)], "eval_metric": metric}
    with pytest.raises(ValueError, match=message):
        make_ranker(Ranker).fit(problem.X, problem.y, **given)


@BOTH
def test_pairs_and_grades_in_a_ranker(Ranker, problem) -> None:
    starts = problem.starts[:-1][problem.sizes > 1]
    pairs = (starts + 1, starts)
    objective = two(labels=[0, "pairs"])
    given = {"qid": problem.qid, "pairs": pairs, "eval_set": [(problem.X, problem.y)]}
    ranker = make_ranker(Ranker, objective=objective).fit(problem.X, problem.y, **given)
    assert list(history_of(ranker)) == ["weighted_sum"]
    scores = ranker.predict(problem.X)
    data = {"group": problem.sizes, "pairs": pairs}
    expected = objective.loss(problem.y, scores, reduction="pair_weights", **data)
    assert history_of(ranker)["weighted_sum"][-1] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="y is None, but a term of the sum reads labels"):
        make_ranker(Ranker, objective=objective).fit(problem.X, None, qid=problem.qid, pairs=pairs)
    only = two(labels=["pairs", "pairs"])
    make_ranker(Ranker, objective=only).fit(problem.X, None, qid=problem.qid, pairs=pairs)


@BOTH
def test_parameters_of_terms_in_a_ranker(Ranker, problem) -> None:
    objective = two()
    ranker = make_ranker(Ranker, objective=objective, objective__0__temperature=2.0)
    assert ranker.objective.objectives[0].temperature == 2.0
    assert objective.objectives[0].temperature == 1.0  # of the caller
    ranker.set_params(objective__1__margin=0.5, objective__weights=[1, 2])
    assert ranker.get_params()["objective__1__margin"] == 0.5
    assert ranker.get_params()["objective__weights"] == [1, 2]
    copied = clone(ranker)
    assert repr(copied.objective) == repr(ranker.objective)
    assert "PairwiseHinge(margin=0.5)" in " ".join(repr(ranker).split())
    ranker.fit(problem.X, problem.y, qid=problem.qid)
    loaded = pickle.loads(pickle.dumps(ranker))
    np.testing.assert_array_equal(loaded.predict(problem.X), ranker.predict(problem.X))
    assert repr(loaded.objective) == repr(ranker.objective)
    with pytest.raises(ValueError, match="there is no parameter '2__margin'"):
        ranker.set_params(objective__2__margin=1.0)


@BOTH
def test_a_search_over_weights_and_parameters_of_terms(Ranker, problem, routing) -> None:
    """With several labels, which scikit-learn passes through."""
    grid = {"objective__0__temperature": [0.5, 2.0], "objective__weights": [[1, 0.1], [0.1, 1]]}
    objective = WeightedSum([PairwiseLogistic(), PairwiseLogistic()], [1, 1])
    search = GridSearchCV(
        make_ranker(Ranker, objective=objective, n_estimators=4),
        grid,
        cv=GroupKFold(3),
        scoring=make_ranking_scorer("pair_accuracy"),
        error_score="raise",
    )
    y = columns_of(problem)
    search.fit(problem.X, y, qid=problem.qid, groups=problem.qid)
    scores = search.cv_results_["mean_test_score"]
    assert (scores[[0, 2]] > scores[[1, 3]]).all()  # the second label is the opposite of the first
    assert search.best_params_["objective__weights"] == [1, 0.1]
    assert search.best_estimator_.score(problem.X, y, qid=problem.qid, metric="pair_accuracy") > 0.6


@BOTH
def test_a_saved_model_of_a_sum(Ranker, problem, tmp_path) -> None:
    ranker = make_ranker(Ranker, objective=two()).fit(problem.X, problem.y, qid=problem.qid)
    file = str(tmp_path / "model.json")
    if Ranker is LGBMRanker:
        ranker.booster_.save_model(file)
        predicted = lgb.Booster(model_file=file).predict(problem.X)
    else:
        ranker.save_model(file)
        other = make_ranker(Ranker, objective=two())
        other.load_model(file)
        assert isinstance(other.objective, WeightedSum)
        predicted = other.predict(problem.X)
    np.testing.assert_allclose(predicted, ranker.predict(problem.X), rtol=1e-6)


@BOTH
def test_the_seed_of_the_ranker_reaches_every_term(Ranker, problem) -> None:
    objective = PairwiseHinge() + BPR(negatives=1)

    def predicted(objective, seed):
        ranker = make_ranker(Ranker, objective=objective, random_state=seed)
        return ranker.fit(problem.X, problem.y > 0, qid=problem.qid).predict(problem.X)

    assert not np.array_equal(predicted(objective, 0), predicted(objective, 1))
    seeded = predicted(PairwiseHinge() + BPR(negatives=1, random_state=1), 0)
    np.testing.assert_array_equal(predicted(objective, 1), seeded)


@BOTH
def test_labels_of_rankers_that_are_refused(Ranker, problem) -> None:
    y = columns_of(problem)

    def fit(labels, objective, **more):
        make_ranker(Ranker, objective=objective, n_estimators=1).fit(problem.X, labels, qid=problem.qid, **more)

    for objective in ("pairwise_logistic", "rank_xendcg" if Ranker is LGBMRanker else "rank:ndcg"):
        with pytest.raises(ValueError, match=r"y has shape .*, 2\): for several labels .* a WeightedSum"):
            fit(y, objective)
    with pytest.raises(ValueError, match="the labels have 2 columns, but the sum has 3 terms"):
        fit(y, two() + BPR())
    with pytest.raises(ValueError, match=r"term 1 \(pairwise_hinge\) reads column 1 of the labels"):
        fit(problem.y, two(labels=[0, 1]))
    bad = y.copy()
    bad[7, 1] = np.nan
    with pytest.raises(ValueError, match=r"y\[:, 1\] is nan at row 7"):
        fit(bad, two())
    bad[7, 1] = -2
    with pytest.raises(
        ValueError, match=r"term 1 \(pairwise_hinge\), column 1 of the labels: the label is -2.0 at row 7"
    ):
        fit(bad, two())
    with pytest.raises(ValueError, match=r"eval_set\[0\]: its labels have 1 column"):
        fit(
            y,
            two(labels=[0, 1]),
            eval_set=[(problem.X.copy(), problem.y)],
            eval_qid=[problem.qid],
            eval_metric=two(labels=[0, 1]),
        )
    with pytest.raises(ValueError, match="0__negative_weight is an array with one entry per row"):
        fit(problem.y, BPR(negative_weight=np.ones(problem.y.size)) + PairwiseHinge())
    with pytest.raises(
        ValueError, match="eval_item_id makes a difference to BPR only, and the objective is weighted_s"
    ):
        fit(problem.y, two(), eval_set=[(problem.X, problem.y)], eval_item_id=[problem.qid])


@BOTH
def test_early_stopping_follows_the_sum_and_not_a_term_that_gets_worse(Ranker, problem) -> None:
    noise = np.random.default_rng(0).integers(0, 3, problem.y.size)
    y = np.column_stack([problem.y, noise])
    objective = PairwiseMeanSquaredError() + 0.01 * PairwiseLogistic()
    ranker = make_ranker(Ranker, objective=objective, n_estimators=40, early_stopping_rounds=3)
    half = slice(0, problem.starts[problem.sizes.size // 2])
    sets = {"eval_set": [(problem.X[half], y[half])], "eval_qid": [problem.qid[half]], "eval_metric": "weighted_sum"}
    ranker.fit(problem.X, y, qid=problem.qid, **sets)
    history = history_of(ranker)["weighted_sum"]
    assert len(history) == 40 or np.argmin(history) == len(history) - 4
    assert len(history) > 10


@BOTH
def test_a_weight_that_a_callback_sets_to_0_leaves_the_metrics_in_their_places(Ranker, problem) -> None:
    objective = PairwiseLogistic(hessian_scale=1) + 0.5 * PairwiseMeanSquaredError(hessian_scale=1)

    def anneal(iteration):
        if iteration == 3:
            objective.weights = [0.0, 0.5]

    class Annealing(xgb.callback.TrainingCallback):
        def before_iteration(self, model, epoch, evals_log):
            anneal(epoch)
            return False

    callback = Annealing() if Ranker is XGBRanker else lambda env: anneal(env.iteration)
    ranker = make_ranker(Ranker, objective=objective, n_estimators=6)
    sets = {"eval_set": [(problem.X, problem.y)], "eval_metric": objective}
    ranker.fit(problem.X, problem.y, qid=problem.qid, callbacks=[callback], **sets)
    history = history_of(ranker)
    last = {name: values[-1] for name, values in history.items()}
    assert last["weighted_sum"] == pytest.approx(0.5 * last["pairwise_mean_squared_error"], rel=1e-5)
    scores = ranker.predict(problem.X)
    for term in objective.objectives:
        expected = term.loss(problem.y, scores, group=problem.sizes, reduction="pair_weights")
        assert last[term.name] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0, 0], "all weights are 0"),
        ([-1, 1], r"weights\[0\] must be a finite number"),
        ([np.nan, 1], r"weights\[0\] must be a finite number"),
        ([1, 1, 1], "weights has 3 entries"),
    ],
)
def test_weights_that_are_set_during_a_training_are_checked(weights, message, problem) -> None:
    objective = two()
    dataset = dataset_of("lightgbm", problem).construct()
    objective(problem.scores, dataset)
    objective.weights = weights
    with pytest.raises(ValueError, match=message):
        objective(problem.scores, dataset)


def test_a_sweep_may_begin_and_end_at_0(problem) -> None:
    for alpha in (0.0, 0.5, 1.0):
        objective = alpha * PairwiseLogistic() + (1 - alpha) * PairwiseHinge()
        assert objective.weights == [alpha, 1 - alpha]
        assert np.isfinite(objective.loss(problem.y, problem.scores, group=problem.sizes))
    with pytest.raises(ValueError, match="all weights are 0"):
        (0.0 * PairwiseLogistic()).loss(problem.y, problem.scores, group=problem.sizes)

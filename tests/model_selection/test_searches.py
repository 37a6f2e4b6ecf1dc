"""The rankers in the searches, cross-validations and inspections of scikit-learn."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import sklearn
from _support.rankers import BOTH, make_ranker, stopping
from _support.tables import as_frame, ranker_in_pipeline
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gbdt_pairloss import PairwiseLogistic, make_ranking_scorer, metrics


def expected_scores(pipeline, X, y, qid, splitter, metric=metrics.ndcg) -> list[float]:
    """Compute the scores of each fold by hand."""
    scores = []
    for train, test in splitter.split(X, y, qid):
        fitted = clone(pipeline).fit(X[train], y[train], ranker__qid=qid[train])
        scores.append(metric(y[test], fitted.predict(X[test]), qid=qid[test]))
    return scores


@BOTH
def test_a_grid_search_over_a_pipeline_scores_whole_queries(Ranker, scattered, routing) -> None:
    X, y, qid = scattered
    grid = [
        {"ranker__learning_rate": [0.05], "ranker__objective__normalize": ["none"]},
        {"ranker__learning_rate": [0.3], "ranker__objective__normalize": ["query"]},
    ]
    search = GridSearchCV(ranker_in_pipeline(Ranker), grid, cv=GroupKFold(3)).fit(X, y, qid=qid, groups=qid)
    for params, *scores in zip(
        search.cv_results_["params"], *(search.cv_results_[f"split{i}_test_score"] for i in range(3)), strict=True
    ):
        with sklearn.config_context(enable_metadata_routing=False):
            expected = expected_scores(ranker_in_pipeline(Ranker).set_params(**params), X, y, qid, GroupKFold(3))
        np.testing.assert_allclose(scores, expected)
    assert search.score(X, y, qid=qid) == search.best_estimator_.score(X, y, qid=qid)


@BOTH
@pytest.mark.parametrize("parameter", [{"objective__normalize": "none"}, {"objective__temperature": 3.0}])
def test_parameters_of_the_objective_in_a_grid_change_the_model(Ranker, parameter, scattered, routing) -> None:
    X, y, qid = scattered
    ((name, value),) = parameter.items()
    objective = PairwiseLogistic(normalize="query")
    search = GridSearchCV(make_ranker(Ranker, objective=objective), {name: [value]}, cv=GroupKFold(3))
    found = search.fit(X, y, qid=qid, groups=qid).predict(X)
    direct = PairwiseLogistic(normalize="query").set_params(**{name.removeprefix("objective__"): value})
    np.testing.assert_array_equal(found, make_ranker(Ranker, objective=direct).fit(X, y, qid=qid).predict(X))
    assert np.abs(found - make_ranker(Ranker, objective=objective).fit(X, y, qid=qid).predict(X)).max() > 0.01
    assert getattr(objective, name.removeprefix("objective__")) != value


@BOTH
def test_routed_weights_reach_fit_and_score(Ranker, scattered, routing) -> None:
    X, y, qid = scattered
    weight = np.random.default_rng(1).uniform(0.1, 3, y.size)
    result = cross_validate(
        make_ranker(Ranker),
        X,
        y,
        cv=GroupKFold(3),
        params={"qid": qid, "groups": qid, "sample_weight": weight},
        return_estimator=True,
    )
    for (train, test), ranker, score in zip(
        GroupKFold(3).split(X, y, qid), result["estimator"], result["test_score"], strict=True
    ):
        alone = make_ranker(Ranker).fit(X[train], y[train], qid=qid[train], sample_weight=weight[train])
        np.testing.assert_array_equal(ranker.predict(X), alone.predict(X))
        assert score == alone.score(X[test], y[test], qid=qid[test], sample_weight=weight[test])


@BOTH
@pytest.mark.parametrize("many", [False, True])
def test_weights_reach_fit_without_routing(Ranker, many, scattered) -> None:
    X, y, qid = scattered
    weight = np.random.default_rng(1).uniform(0.1, 3, y.size)
    scorer = make_ranking_scorer("ndcg@5")
    search = GridSearchCV(
        make_ranker(Ranker),
        {"max_depth": [2]},
        scoring={"it": scorer} if many else scorer,
        refit="it",
        cv=GroupKFold(3),
    )
    frame = as_frame(X, qid)
    search.fit(frame, y, groups=qid, sample_weight=weight)
    train, test = next(GroupKFold(3).split(X, y, qid))
    alone = make_ranker(Ranker, max_depth=2).fit(frame.iloc[train], y[train], sample_weight=weight[train])
    # From version 1.8 on, scikit-learn passes the weights to the scorer, too.
    scores = [scorer(alone, frame.iloc[test], y[test], sample_weight=w) for w in (weight[test], None)]
    assert search.cv_results_[f"split0_test_{'it' if many else 'score'}"][0] in scores


@BOTH
def test_randomized_and_halving_searches_work(Ranker, scattered, routing) -> None:
    X, y, qid = scattered
    pipeline, cv = ranker_in_pipeline(Ranker), GroupKFold(3)
    drawn = RandomizedSearchCV(pipeline, {"ranker__objective__temperature": [0.5, 1, 2]}, n_iter=2, cv=cv)
    assert np.isfinite(drawn.fit(X, y, qid=qid, groups=qid).cv_results_["mean_test_score"]).all()

    halving = HalvingGridSearchCV(
        pipeline,
        {"ranker__learning_rate": [0.01, 0.1, 0.3]},
        resource="ranker__n_estimators",
        min_resources=2,
        max_resources=18,
        cv=cv,
    ).fit(X, y, qid=qid, groups=qid)
    assert halving.n_resources_ == [2, 6]
    assert halving.best_params_["ranker__n_estimators"] == 6


@BOTH
def test_a_search_without_query_ids_is_an_error(Ranker, scattered) -> None:
    X, y, qid = scattered
    search = GridSearchCV(make_ranker(Ranker), {"max_depth": [2]}, cv=GroupKFold(3), error_score="raise")
    with pytest.raises(ValueError, match="score ranks within queries: it needs qid="):
        search.fit(X, y, qid=qid, groups=qid)


@BOTH
def test_a_search_stops_early_on_held_out_queries(Ranker, scattered, routing) -> None:
    X, y, qid = scattered
    pipeline = make_pipeline(StandardScaler(), stopping(Ranker, eval_fraction=0.2))
    name = pipeline.steps[-1][0]
    search = GridSearchCV(pipeline, {f"{name}__eval_fraction": [0.2, 0.4]}, cv=GroupKFold(3))
    search.fit(X, y, qid=qid, groups=qid)
    assert search.best_estimator_[-1].best_iteration_ < 100


@BOTH
def test_cross_val_predict_is_the_prediction_of_each_fold(Ranker, scattered, routing) -> None:
    X, y, qid = scattered
    params = {"qid": qid, "groups": qid}
    predicted = cross_val_predict(make_ranker(Ranker), X, y, cv=GroupKFold(3), params=params)
    for train, test in GroupKFold(3).split(X, y, qid):
        alone = make_ranker(Ranker).fit(X[train], y[train], qid=qid[train])
        np.testing.assert_array_equal(predicted[test], alone.predict(X[test]))


@pytest.mark.skipif(
    "params" not in inspect.signature(learning_curve).parameters, reason="scikit-learn 1.6 routes there"
)
@BOTH
def test_a_learning_curve_rises(Ranker, scattered, routing) -> None:
    X, y, qid = scattered
    params = {"qid": qid, "groups": qid}
    sizes, _, scores = learning_curve(
        make_ranker(Ranker), X, y, cv=GroupKFold(3), train_sizes=[0.1, 1.0], params=params
    )
    assert sizes[0] < sizes[1]
    assert scores[0].mean() < scores[1].mean()


@BOTH
def test_several_scorers_at_once_score_each_fold(Ranker, scattered, routing) -> None:
    X, y, qid = scattered
    scoring = {"ndcg": make_ranking_scorer("ndcg@3", gain="linear"), "map": make_ranking_scorer("map", relevant=2)}
    pipeline = ranker_in_pipeline(Ranker)
    result = cross_validate(pipeline, X, y, scoring=scoring, cv=GroupKFold(3), params={"qid": qid, "groups": qid})
    with sklearn.config_context(enable_metadata_routing=False):
        for name, by_hand in {
            "ndcg": lambda y, s, qid: metrics.ndcg(y, s, qid=qid, k=3, gain="linear"),
            "map": lambda y, s, qid: metrics.average_precision(y, s, qid=qid, relevant=2),
        }.items():
            np.testing.assert_allclose(
                result[f"test_{name}"], expected_scores(pipeline, X, y, qid, GroupKFold(3), by_hand)
            )


@BOTH
def test_permutation_importance_finds_the_signal(Ranker, scattered) -> None:
    X, y, qid = scattered
    frame = as_frame(X, qid)
    ranker = make_ranker(Ranker).fit(frame, y)
    for scoring in (None, make_ranking_scorer("ndcg@5")):
        found = permutation_importance(ranker, frame, y, scoring=scoring, n_repeats=2, random_state=0)
        by_name = dict(zip(frame.columns, found.importances_mean, strict=True))
        assert max(list("abcdef"), key=by_name.get) == "a"  # the signal is a - b / 2

"""The rankers among scikit-learn's tools: searches, cross-validation, pipelines, inspection, frames."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from _support.rankers import BOTH, history_of, make_ranker
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from gbdt_pairloss import LGBMRanker, PairwiseLogistic, XGBRanker, make_ranking_scorer, metrics


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def scattered(problem):
    """Features, labels and query ids of rows that stand in any order."""
    order = np.random.default_rng(0).permutation(problem.y.size)
    return problem.X[order], problem.y[order], np.array([f"q{i}" for i in problem.qid])[order]


def as_frame(X, qid) -> pd.DataFrame:
    return pd.DataFrame(X, columns=list("abcdef")).assign(qid=qid)


def ranker_in_pipeline(Ranker, **params) -> Pipeline:
    return Pipeline([("scale", StandardScaler()), ("ranker", make_ranker(Ranker, **params))])


def pipeline_of_frames(Ranker, **params) -> Pipeline:
    """A pipeline whose transformers let the column qid through."""
    scale = ColumnTransformer(
        [("scale", StandardScaler(), list("abcdef"))], remainder="passthrough", verbose_feature_names_out=False
    )
    return make_pipeline(scale, make_ranker(Ranker, **params)).set_output(transform="pandas")


def expected_scores(pipeline, X, y, qid, splitter, metric=metrics.ndcg) -> list[float]:
    """The scores of each fold by hand."""
    scores = []
    for train, test in splitter.split(X, y, qid):
        fitted = clone(pipeline).fit(X[train], y[train], ranker__qid=qid[train])
        scores.append(metric(y[test], fitted.predict(X[test]), qid=qid[test]))
    return scores


# Searches and cross-validations.


@BOTH
def test_a_grid_search_over_a_pipeline(Ranker, scattered, routing) -> None:
    X, y, qid = scattered
    grid = {"ranker__learning_rate": [0.05, 0.3], "ranker__objective__normalize": ["none", "query"]}
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
def test_weights_reach_fit_and_score(Ranker, scattered, routing) -> None:
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
def test_other_searches(Ranker, scattered, routing) -> None:
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
def test_cross_val_predict(Ranker, scattered, routing) -> None:
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
def test_learning_curve(Ranker, scattered, routing) -> None:
    X, y, qid = scattered
    params = {"qid": qid, "groups": qid}
    sizes, _, scores = learning_curve(
        make_ranker(Ranker), X, y, cv=GroupKFold(3), train_sizes=[0.1, 1.0], params=params
    )
    assert sizes[0] < sizes[1]
    assert scores[0].mean() < scores[1].mean()


@BOTH
def test_scorers_by_name(Ranker, scattered, routing) -> None:
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


def test_a_scorer_judges_any_estimator_and_needs_queries(problem) -> None:
    scorer = make_ranking_scorer("spearman")
    model = Ridge().fit(problem.X, problem.y)
    score = scorer(model, problem.X, problem.y, qid=problem.qid)
    assert score == metrics.spearman(problem.y, model.predict(problem.X), qid=problem.qid)
    with pytest.raises(ValueError, match="spearman ranks within queries: the scorer needs qid="):
        scorer(model, problem.X, problem.y)
    assert repr(make_ranking_scorer(metrics.get_metric("ndcg@5"))).startswith("RankingScorer(")
    with pytest.raises(TypeError, match="ndcg@5 is complete"):
        make_ranking_scorer(metrics.get_metric("ndcg@5"), gain="linear")


@BOTH
def test_a_scorer_knows_the_rankers_rule_for_negative_labels(Ranker, problem) -> None:
    y = np.where(np.arange(problem.y.size) % 7 == 0, -1, problem.y)
    ranker = ranker_in_pipeline(Ranker, objective__ignore_negative_labels=True)
    ranker.fit(problem.X, y, ranker__qid=problem.qid)
    keep = y >= 0
    scores = ranker.predict(problem.X)
    expected = metrics.ndcg(y[keep], scores[keep], qid=problem.qid[keep], k=5)
    assert make_ranking_scorer("ndcg@5")(ranker, problem.X, y, qid=problem.qid) == pytest.approx(expected)


# Without metadata routing: the column qid of a DataFrame.


@BOTH
def test_a_column_qid_needs_no_routing(Ranker, scattered) -> None:
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
def test_the_column_that_transformers_have_renamed(Ranker, prefixed, scattered) -> None:
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
@pytest.mark.parametrize("many", [False, True])
def test_weights_without_routing(Ranker, many, scattered) -> None:
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
    # scikit-learn weighs the scores, too, from version 1.8 on.
    scores = [scorer(alone, frame.iloc[test], y[test], sample_weight=w) for w in (weight[test], None)]
    assert search.cv_results_[f"split0_test_{'it' if many else 'score'}"][0] in scores


@BOTH
def test_without_query_ids_a_search_has_no_score(Ranker, scattered) -> None:
    X, y, qid = scattered
    search = GridSearchCV(make_ranker(Ranker), {"max_depth": [2]}, cv=GroupKFold(3), error_score="raise")
    with pytest.raises(ValueError, match="score ranks within queries: it needs qid="):
        search.fit(X, y, qid=qid, groups=qid)


@BOTH
def test_permutation_importance(Ranker, scattered) -> None:
    X, y, qid = scattered
    frame = as_frame(X, qid)
    ranker = make_ranker(Ranker).fit(frame, y)
    for scoring in (None, make_ranking_scorer("ndcg@5")):
        found = permutation_importance(ranker, frame, y, scoring=scoring, n_repeats=2, random_state=0)
        by_name = dict(zip(frame.columns, found.importances_mean, strict=True))
        assert max(list("abcdef"), key=by_name.get) == "a"  # the signal is a - b / 2


# Early stopping on transformed data.


def stopping(Ranker, **params):
    return make_ranker(Ranker, n_estimators=200, learning_rate=0.5, early_stopping_rounds=5, **params)


@BOTH
@pytest.mark.parametrize("weighted", [False, True])
def test_early_stopping_on_held_out_queries(Ranker, weighted, scattered) -> None:
    X, y, qid = scattered
    weight = np.random.default_rng(1).uniform(0.1, 3, y.size) if weighted else None
    pipeline = make_pipeline(MinMaxScaler(), stopping(Ranker, eval_fraction=0.3))
    name = pipeline.steps[-1][0]
    pipeline.fit(X, y, **{f"{name}__qid": qid, f"{name}__sample_weight": weight})
    ranker = pipeline[-1]
    assert 0 < ranker.best_iteration_ < 100

    # The held-out queries are whole, and none of their rows was learned from: the same by hand.
    names, first = np.unique(qid, return_index=True)
    names = names[np.argsort(first)]
    drawn = names[np.random.RandomState(0).permutation(names.size)[: round(0.3 * names.size)]]
    held_out = np.isin(qid, drawn)
    scaled = MinMaxScaler().fit_transform(X)
    weights = {}
    if weighted:
        of_sets = "eval_sample_weight" if Ranker is LGBMRanker else "sample_weight_eval_set"
        weights = {"sample_weight": weight[~held_out], of_sets: [weight[held_out]]}
    by_hand = stopping(Ranker).fit(
        scaled[~held_out],
        y[~held_out],
        qid=qid[~held_out],
        eval_set=[(scaled[held_out], y[held_out])],
        eval_qid=[qid[held_out]],
        **weights,
    )
    assert ranker.evals_result_ == by_hand.evals_result_
    np.testing.assert_array_equal(ranker.predict(scaled), by_hand.predict(scaled))


@BOTH
def test_held_out_queries_in_a_search(Ranker, scattered, routing) -> None:
    X, y, qid = scattered
    pipeline = make_pipeline(StandardScaler(), stopping(Ranker, eval_fraction=0.2))
    name = pipeline.steps[-1][0]
    search = GridSearchCV(pipeline, {f"{name}__eval_fraction": [0.2, 0.4]}, cv=GroupKFold(3))
    search.fit(X, y, qid=qid, groups=qid)
    assert search.best_estimator_[-1].best_iteration_ < 100


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


@BOTH
class TestHeldOutQueries:
    def test_everything_that_goes_with_rows_is_cut_alike(self, Ranker, scattered) -> None:
        X, y, qid = scattered
        rng = np.random.default_rng(2)
        start = rng.normal(size=y.size)
        named = "init_score" if Ranker is LGBMRanker else "base_margin"
        # Pairs that say what the labels say, on rows of the same weights.
        order = [(i, j) for i in range(y.size) for j in range(y.size) if qid[i] == qid[j] and y[i] > y[j]]
        ranker = make_ranker(Ranker, eval_fraction=0.4, objective__normalize="query")
        metric = "pairwise_logistic"
        by_pairs = clone(ranker).fit(
            X, None, qid=qid, pairs=tuple(zip(*order, strict=True)), eval_metric=metric, **{named: start}
        )
        by_labels = clone(ranker).fit(X, y, qid=qid, eval_metric=metric, **{named: start})
        np.testing.assert_allclose(by_pairs.predict(X), by_labels.predict(X), rtol=1e-4, atol=1e-4)

    def test_initial_scores_go_along(self, Ranker, problem) -> None:
        named = "init_score" if Ranker is LGBMRanker else "base_margin"
        noise = np.random.default_rng(0).normal(size=(problem.y.size, 2))
        ranker = make_ranker(Ranker, n_estimators=2, eval_fraction=0.3, min_child_weight=1e-3)
        ranker.fit(noise, problem.y, qid=problem.qid, eval_metric="ndcg@5", **{named: 5 * problem.y})
        assert history_of(ranker)["ndcg@5"][0] > 0.95

    def test_a_part_that_a_metric_does_not_suit_is_named(self, Ranker, problem) -> None:
        y = np.where(problem.qid == 7, problem.y, 0)
        ranker = make_ranker(Ranker, eval_fraction=0.05)
        with pytest.raises(ValueError, match="eval_fraction: pair_accuracy is undefined for every query"):
            ranker.fit(problem.X, y, qid=problem.qid, eval_metric="pair_accuracy")

    @pytest.mark.parametrize("generator", [np.random.RandomState, np.random.default_rng])
    def test_generators_are_random_states(self, Ranker, generator, problem) -> None:
        ranker = make_ranker(Ranker, eval_fraction=0.3, random_state=generator(0), subsample=0.5, subsample_freq=1)
        if Ranker is XGBRanker:
            ranker.set_params(subsample_freq=None)
        ranker.fit(problem.X, problem.y, qid=problem.qid)
        assert np.isfinite(ranker.predict(problem.X)).all()

    def test_they_are_drawn_by_random_state(self, Ranker, problem) -> None:
        def predictions(seed):
            ranker = make_ranker(Ranker, eval_fraction=0.3, random_state=seed)
            return ranker.fit(problem.X, problem.y, qid=problem.qid).predict(problem.X)

        np.testing.assert_array_equal(predictions(None), predictions(0))
        assert (predictions(1) != predictions(0)).any()

    def test_a_set_of_ones_own_comes_first(self, Ranker, problem, make) -> None:
        other = make(1)
        given = {"qid": problem.qid, "eval_set": [(other.X, other.y)], "eval_qid": [other.qid]}
        ranker = make_ranker(Ranker, eval_fraction=0.3).fit(problem.X, problem.y, **given)
        alone = make_ranker(Ranker).fit(problem.X, problem.y, **given)
        assert ranker.evals_result_ == alone.evals_result_

    @pytest.mark.parametrize("fraction", [0, 1, 1.5, -0.1, True, "half", np.nan])
    def test_bad_fractions(self, Ranker, fraction, problem) -> None:
        ranker = make_ranker(Ranker, eval_fraction=fraction)
        with pytest.raises(ValueError, match="eval_fraction must be a number between 0 and 1"):
            ranker.fit(problem.X, problem.y, qid=problem.qid)

    def test_one_query_cannot_be_cut(self, Ranker, problem) -> None:
        ranker = make_ranker(Ranker, eval_fraction=0.5)
        with pytest.raises(ValueError, match="eval_fraction holds out whole queries, and there is one query only"):
            ranker.fit(problem.X, problem.y, group=[problem.y.size])


# Kinds of columns and tables.


@BOTH
def test_columns_of_every_kind_through_a_column_transformer(Ranker, scattered) -> None:
    X, y, qid = scattered
    colour = pd.Categorical(np.random.default_rng(3).choice(["red", "green", "blue"], y.size))
    frame = as_frame(np.where(np.abs(X) > 2, np.nan, X), qid).assign(colour=colour)
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), make_column_selector("^[a-f]$"))],
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    categorical = {} if Ranker is LGBMRanker else {"enable_categorical": True}
    pipeline = make_pipeline(columns, make_ranker(Ranker, **categorical)).set_output(transform="pandas")
    pipeline.fit(frame, y)
    assert list(pipeline[-1].feature_names_in_) == [*"abcdef", "colour"]
    assert pipeline.score(frame, y) > 0.8


@BOTH
@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("column", [False, True])
def test_tables(Ranker, kind, column, scattered) -> None:
    X, y, qid = scattered
    X = np.where(np.abs(X) > 2, np.nan, X)
    expected = make_ranker(Ranker).fit(X, y, qid=qid).predict(X)
    frame = as_frame(X, qid) if column else as_frame(X, qid).drop(columns="qid")
    if kind == "polars":
        frame = pytest.importorskip("polars").from_pandas(frame)
    elif kind == "pyarrow":
        frame = pytest.importorskip("pyarrow").Table.from_pandas(frame)
    ranker = make_ranker(Ranker).fit(frame, y, qid=None if column else qid)
    np.testing.assert_array_equal(ranker.predict(frame), expected)
    score = ranker.score(frame, y, qid=None if column else qid)
    assert score == pytest.approx(metrics.ndcg(y, expected, qid=qid))
    assert list(ranker.feature_names_in_) == list("abcdef")


@BOTH
@pytest.mark.parametrize("form", [sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.csr_array, sp.lil_array])
def test_sparse_matrices(Ranker, form, scattered) -> None:
    X, y, qid = scattered
    X = np.where(np.abs(X) < 0.5, 0.0, X)
    expected = make_ranker(Ranker).fit(sp.csr_matrix(X), y, qid=qid).predict(sp.csr_matrix(X))
    matrix = form(X)
    ranker = make_ranker(Ranker).fit(matrix, y, qid=qid, eval_set=[(matrix, y)], eval_qid=[qid])
    np.testing.assert_array_equal(ranker.predict(matrix), expected)
    assert ranker.score(matrix, y, qid=qid) == pytest.approx(metrics.ndcg(y, expected, qid=qid))


# scikit-learn's own checks.

EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a row's weight weighs the pairs that it wins: a row that is there twice also loses twice, one of weight 0 "
        "still loses (item_weight='both' is the other convention), and the boosters bin and count rows besides"
    ),
    "check_sample_weight_equivalence_on_sparse_data": "as on dense data",
}
if "expected_failed_checks" in inspect.signature(parametrize_with_checks).parameters:
    with_checks = parametrize_with_checks(
        [LGBMRanker(n_estimators=5, min_child_samples=1, n_jobs=1), XGBRanker(n_estimators=5, n_jobs=1)],
        expected_failed_checks=lambda _: EXPECTED_FAILURES,
    )
else:  # scikit-learn 1.6 has it
    with_checks = pytest.mark.parametrize(("estimator", "check"), [])


@with_checks
def test_scikit_learns_checks(estimator, check) -> None:
    with warnings.catch_warnings():
        # Said on purpose: the checks know no queries, and the labels of some are all equal.
        for message in ("neither qid nor group", "nothing can be learned", "no tree of the model", "the Hessians of"):
            warnings.filterwarnings("ignore", message, UserWarning)
        check(estimator)

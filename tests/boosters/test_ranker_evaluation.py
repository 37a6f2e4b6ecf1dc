"""Evaluation of the rankers: metrics in every form, evaluation sets, score."""

from __future__ import annotations

import numpy as np
import pytest
from _support.rankers import BOTH, history_of, make_ranker

from gbdt_pairloss import BPR, LGBMRanker, PairwiseLogistic, XGBRanker, metrics


@BOTH
def test_metrics_by_name_have_the_values_of_the_metric_functions(Ranker, problem) -> None:
    names = ["ndcg@10", "map", "pair_accuracy", "mrr", "spearman", "pairwise_logistic", "bpr"]
    w = np.random.default_rng(0).uniform(0.5, 2, problem.sizes.size)
    weights = "eval_sample_weight" if Ranker is LGBMRanker else "sample_weight_eval_set"
    order = np.random.default_rng(1).permutation(problem.y.size)
    ranker = make_ranker(Ranker, objective="pairwise_logistic")
    ranker.fit(
        problem.X,
        problem.y,
        group=problem.sizes,
        eval_set=[(problem.X.copy(), problem.y), (problem.X[order], problem.y[order])],
        eval_qid=[problem.qid, problem.qid[order]],
        eval_metric=names,
        **{weights: [w, None]},
    )
    scores = ranker.predict(problem.X)
    for number, weight in enumerate((w, None)):
        history = history_of(ranker, number)
        assert list(history) == names
        assert all(len(values) == 12 for values in history.values())
        for name, function, options in [
            ("ndcg@10", metrics.ndcg, {"k": 10}),
            ("map", metrics.average_precision, {}),
            ("pair_accuracy", metrics.pair_accuracy, {}),
            ("mrr", metrics.reciprocal_rank, {}),
            ("spearman", metrics.spearman, {}),
        ]:
            value = function(problem.y, scores, group=problem.sizes, query_weight=weight, **options)
            assert history[name][-1] == pytest.approx(value, rel=1e-6), name
        for objective in (PairwiseLogistic(), BPR()):
            value = objective.loss(
                problem.y, scores, group=problem.sizes, sample_weight=weight, reduction="pair_weights"
            )
            assert history[objective.name][-1] == pytest.approx(value, rel=1e-5)


@BOTH
def test_the_default_metric_is_the_loss_of_the_objective(Ranker, problem) -> None:
    """By which early stopping ends in better rankings than by NDCG: benchmarks/results/stopping.md."""
    given = {"qid": problem.qid, "eval_set": [(problem.X.copy(), problem.y)], "eval_qid": [problem.qid]}
    assert list(history_of(make_ranker(Ranker).fit(problem.X, problem.y, **given))) == ["pairwise_logistic"]
    ranker = make_ranker(Ranker, objective="bpr").fit(problem.X, problem.y, **given)
    assert list(history_of(ranker)) == ["bpr"]
    if Ranker is LGBMRanker:
        ranker = make_ranker(Ranker).fit(problem.X, problem.y, eval_at=[3, 5], **given)
        assert list(history_of(ranker)) == ["ndcg@3", "ndcg@5"]


def test_a_callable_metric_of_xgboost_is_a_mean_over_queries(problem) -> None:
    def share_right(y_true, y_pred):
        return float(y_true[np.argmax(y_pred)] == y_true.max())

    w = np.random.default_rng(0).uniform(0.5, 2, problem.sizes.size)
    ranker = make_ranker(XGBRanker, eval_metric=[share_right, "ndcg"])
    ranker.fit(
        problem.X,
        problem.y,
        group=problem.sizes,
        eval_set=[(problem.X.copy(), problem.y)],
        eval_group=[problem.sizes],
        sample_weight_eval_set=[w],
    )
    scores = ranker.predict(problem.X)
    values = [
        share_right(problem.y[a:b], scores[a:b]) for a, b in zip(problem.starts[:-1], problem.starts[1:], strict=True)
    ]
    several = problem.sizes > 1
    expected = np.average(np.array(values)[several], weights=w[several])
    assert history_of(ranker)["share_right"][-1] == pytest.approx(expected)


def test_native_metrics_and_forms_of_lightgbm_work(problem) -> None:
    def constant(y_true, y_pred):
        return "constant", 3.0, True

    ranker = make_ranker(LGBMRanker)
    ranker.fit(
        problem.X,
        problem.y,
        group=problem.sizes,
        eval_X=problem.X.copy(),
        eval_y=problem.y,
        eval_group=[problem.sizes],
        eval_metric=["ndcg", "l2", constant],
        eval_at=[2, 4],
    )
    assert list(history_of(ranker)) == ["l2", "constant", "ndcg@2", "ndcg@4"]


def test_native_metrics_of_xgboost_work(problem) -> None:
    names = ["mphe", "poisson-nloglik", "tweedie-nloglik@1.5", "error@0.3"]
    for objective in ("rank:ndcg", "pairwise_logistic"):
        ranker = make_ranker(XGBRanker, objective=objective)
        ranker.fit(problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)], eval_metric=names)
        assert list(history_of(ranker)) == names


def test_ranks_given_to_the_constructor_of_lightgbm_are_used(problem) -> None:
    for params in ({"eval_at": [3]}, {"ndcg_at": "3"}):
        ranker = make_ranker(LGBMRanker, **params)
        with pytest.warns(UserWarning, match="Found '(eval_at|ndcg_at)' in params"):  # by LightGBM
            ranker.fit(problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)])
        assert list(history_of(ranker)) == ["ndcg@3"]


def test_native_objectives_of_lightgbm_recognise_the_training_set(problem) -> None:
    w = np.linspace(1, 2, problem.y.size)
    ranker = make_ranker(LGBMRanker, objective="lambdarank")
    ranker.fit(
        problem.X,
        problem.y,
        group=problem.sizes,
        sample_weight=w,
        eval_set=[(problem.X, problem.y)],
        eval_group=[list(problem.sizes)],
    )
    assert list(ranker.evals_result_) == ["training"]
    ranker = make_ranker(LGBMRanker, objective="lambdarank", metric="pair_accuracy")
    ranker.fit(problem.X, problem.y, group=problem.sizes, eval_set=[(problem.X, problem.y)])
    assert list(history_of(ranker)) == ["pair_accuracy"]


class TestEvaluation:
    @BOTH
    def test_the_training_set_with_other_queries_or_weights_is_a_set_of_its_own(self, Ranker, problem) -> None:
        X, y = problem.X, problem.y
        other = np.arange(y.size) // 10
        w = np.random.default_rng(0).uniform(0.1, 5, problem.sizes.size)
        ranker = make_ranker(Ranker)
        ranker.fit(X, y, qid=problem.qid, eval_set=[(X, y)], eval_qid=[other], eval_metric="ndcg@5")
        expected = metrics.ndcg(y, ranker.predict(X), qid=other, k=5)
        assert history_of(ranker)["ndcg@5"][-1] == pytest.approx(expected, rel=1e-6)
        ranker.fit(X, y, qid=problem.qid, sample_weight=w, eval_set=[(X, y)], eval_metric="ndcg@5")
        expected = metrics.ndcg(y, ranker.predict(X), qid=problem.qid, k=5)
        assert history_of(ranker)["ndcg@5"][-1] == pytest.approx(expected, rel=1e-6)

    @BOTH
    def test_metrics_by_name_by_object_and_by_function(self, Ranker, problem) -> None:
        objective = PairwiseLogistic(temperature=0.5)
        asked = [
            metrics.get_metric("ndcg@3", gain="linear"),
            metrics.feval("map", "mrr"),
            BPR(threshold=1.5),
            objective.metric,
            "map",
            "map",
        ]
        ranker = make_ranker(Ranker, objective=objective)
        ranker.fit(problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)], eval_metric=asked)
        history = history_of(ranker)
        assert list(history) == ["ndcg@3", "map", "mrr", "bpr", "pairwise_logistic"]
        assert {len(values) for values in history.values()} == {12}
        expected = metrics.ndcg(problem.y, ranker.predict(problem.X), qid=problem.qid, k=3, gain="linear")
        assert history["ndcg@3"][-1] == pytest.approx(expected, rel=1e-6)

    @BOTH
    @pytest.mark.parametrize(
        ("asked", "error", "message"),
        [
            (["ndcg@3", metrics.get_metric("ndcg@3", gain="linear")], ValueError, "two different metrics called"),
            (
                ["pairwise_logistic", PairwiseLogistic(temperature=9.0)],
                ValueError,
                "two different metrics called 'pairwise_logistic'",
            ),
            ([metrics.ndcg], TypeError, "takes this metric by its name, 'ndcg'"),
        ],
    )
    def test_ambiguous_metrics_and_plain_functions_are_refused(self, Ranker, problem, asked, error, message) -> None:
        with pytest.raises(error, match=message):
            make_ranker(Ranker).fit(
                problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)], eval_metric=asked
            )

    @BOTH
    def test_labels_that_a_metric_refuses_are_named_by_set_row_and_query(self, Ranker, problem) -> None:
        order = np.random.default_rng(0).permutation(problem.y.size)
        y = problem.y[order] + 1
        y[200] = -3
        names = np.array([f"q{q}" for q in problem.qid])[order]
        objective = PairwiseLogistic(ignore_negative_labels=False)
        with pytest.raises(ValueError, match=rf"eval_set\[1\]: the label is -3.0 at row 200, query {names[200]};"):
            make_ranker(Ranker, objective=objective).fit(
                problem.X,
                problem.y,
                qid=problem.qid,
                eval_set=[(problem.X, problem.y), (problem.X[order], y)],
                eval_qid=[problem.qid, names],
                eval_metric="ndcg",
            )
        flat = [(problem.X, problem.y), (problem.X[:9], np.ones(9))]
        with pytest.raises(ValueError, match=r"eval_set\[1\]: pairwise_logistic is undefined"):
            make_ranker(Ranker).fit(
                problem.X,
                problem.y,
                qid=problem.qid,
                eval_set=flat,
                eval_qid=[problem.qid, np.zeros(9)],
                eval_metric="pairwise_logistic",
            )

    @BOTH
    def test_other_losses_and_metrics_follow_the_rule_of_the_objective_for_negative_labels(
        self, Ranker, problem
    ) -> None:
        y = problem.y - 1
        ranker = make_ranker(Ranker, objective=BPR(ignore_negative_labels=False))
        ranker.fit(
            problem.X, y, qid=problem.qid, eval_set=[(problem.X, y)], eval_metric=["pairwise_logistic", "pair_accuracy"]
        )
        assert list(history_of(ranker)) == ["pairwise_logistic", "pair_accuracy"]

    @pytest.mark.parametrize(
        ("parameter", "eval_at", "expected"),
        [
            ("ndcg", [5], ["ndcg@5"]),
            ("ndcg@10,pair_accuracy", None, ["ndcg@10", "pair_accuracy"]),
            (["map", "l2"], None, ["l2", "map"]),
            ("None", None, []),
            (None, 3, ["ndcg@3"]),
            (None, np.array([2, 4]), ["ndcg@2", "ndcg@4"]),
        ],
    )
    def test_the_metric_parameter_of_lightgbm_chooses_the_metrics(self, problem, parameter, eval_at, expected) -> None:
        params = {} if parameter is None else {"metric": parameter}
        ranker = make_ranker(LGBMRanker, **params)
        ranker.fit(problem.X, problem.y, qid=problem.qid, eval_set=[(problem.X, problem.y)], eval_at=eval_at)
        history = history_of(ranker) if expected else ranker.evals_result_
        assert list(history) == expected
        assert {len(values) for values in history.values()} <= {12}

    def test_bad_metric_parameters_of_lightgbm_are_refused(self, problem) -> None:
        fit = {"qid": problem.qid, "eval_set": [(problem.X, problem.y)]}
        with pytest.raises(ValueError, match="unknown metric 'foo'"):
            make_ranker(LGBMRanker, metric="foo").fit(problem.X, problem.y, **fit)
        with pytest.raises(ValueError, match="eval_at must be ranks, whole numbers from 1; got 0"):
            make_ranker(LGBMRanker).fit(problem.X, problem.y, eval_at=0, **fit)


@BOTH
def test_score_takes_weights_and_any_metric(Ranker, problem) -> None:
    ranker = make_ranker(Ranker, n_estimators=2).fit(problem.X, problem.y, qid=problem.qid)
    scores = ranker.predict(problem.X)
    w = np.random.default_rng(0).uniform(0.1, 5, problem.sizes.size)
    expected = metrics.ndcg(problem.y, scores, group=problem.sizes, query_weight=w)
    for weight in (w, w[problem.qid]):
        value = ranker.score(problem.X, problem.y, qid=problem.qid, sample_weight=weight)
        assert value == pytest.approx(expected)
    linear = metrics.get_metric("ndcg@5", gain="linear")
    value = ranker.score(problem.X, problem.y, qid=problem.qid, metric=linear)
    assert value == pytest.approx(metrics.ndcg(problem.y, scores, group=problem.sizes, k=5, gain="linear"))
    with pytest.raises(ValueError, match="bpr is a loss, for which smaller is better"):
        ranker.score(problem.X, problem.y, qid=problem.qid, metric="bpr")
    with pytest.raises(TypeError, match="metric must be a name"):
        ranker.score(problem.X, problem.y, qid=problem.qid, metric=metrics.ndcg)


@BOTH
@pytest.mark.parametrize("objective", ["auto", "native"])
def test_a_name_means_this_packages_metric_whatever_the_objective(Ranker, objective, problem) -> None:
    if objective == "native":
        objective = "lambdarank" if Ranker is LGBMRanker else "rank:ndcg"
    # LightGBM's map counts grades above 0; XGBoost's refuses grades above 1.
    y = problem.y.astype(float)
    given = {"qid": problem.qid, "eval_set": [(problem.X, y)], "eval_metric": ["map@3", "ndcg"]}
    ranker = make_ranker(Ranker, objective=objective).fit(problem.X, y, **given)
    history = history_of(ranker)
    assert list(history) == ["map@3", "ndcg"]
    for name, values in history.items():
        assert values[-1] == pytest.approx(ranker.score(problem.X, y, qid=problem.qid, metric=name), rel=1e-6)


@BOTH
def test_a_metric_of_the_booster_is_asked_for_by_its_prefix(Ranker, problem) -> None:
    objective = "lambdarank" if Ranker is LGBMRanker else "rank:ndcg"
    sets = {"eval_set": [(problem.X, problem.y)]}

    def history(asked, objective="auto", **params):
        ranker = make_ranker(Ranker, objective=objective, **params)
        return history_of(ranker.fit(problem.X, problem.y, qid=problem.qid, eval_metric=asked, **sets))

    for chosen in (objective, "auto"):
        assert list(history(["ndcg@3", "native:ndcg@7"], chosen)) == ["ndcg@7", "ndcg@3"]
        assert list(history("native:ndcg@7", chosen)) == ["ndcg@7"]
        with pytest.raises(ValueError, match="two different metrics called 'ndcg@3', that of this package"):
            history(["ndcg@3", "native:ndcg@3"], chosen)
    with pytest.raises(ValueError, match="'native:mrr': the booster has no metric 'mrr'"):
        history("native:mrr")
    if Ranker is LGBMRanker:
        assert list(history(None, objective, metric="ndcg@3")) == ["ndcg@3"]
        assert list(history(None, objective)) == [f"ndcg@{k}" for k in range(1, 6)]
    else:
        assert list(history(None, objective, eval_metric="ndcg@3")) == ["ndcg@3"]
        assert list(history(None, objective)) == ["ndcg@32"]

"""``train``: the boosters' training, with objectives and metrics by name, and early stopping that knows directions."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("lightgbm", minversion="4.0")
pytest.importorskip("xgboost")

import lightgbm as lgb
import xgboost as xgb

from gbdt_pairloss import PairwiseHinge, PairwiseLogistic, metrics, train

BOOSTERS = pytest.mark.parametrize("booster", ["lightgbm", "xgboost"])


def dataset_of(booster, problem, reference=None):
    if booster == "lightgbm":
        return lgb.Dataset(problem.X, problem.y, group=problem.sizes, free_raw_data=False, reference=reference)
    return xgb.DMatrix(problem.X, problem.y, group=problem.sizes, nthread=1)


def params_of(booster, **params):
    if booster == "lightgbm":
        return {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, **params}
    return {"nthread": 1, "max_depth": 4, **params}


def predictions(model, problem):
    if isinstance(model, lgb.Booster):
        return model.predict(problem.X)
    return model.predict(xgb.DMatrix(problem.X, nthread=1))


@BOOSTERS
@pytest.mark.parametrize("form", ["name", "object", "nested"])
def test_it_trains_the_model_of_the_boosters_train(booster, form, problem) -> None:
    objective = PairwiseLogistic(temperature=0.5)
    chosen = {"objective": objective}
    if form == "name":
        objective, chosen = PairwiseLogistic(), {"objective": "pairwise_logistic"}
    elif form == "nested":
        chosen = {"objective": "pairwise_logistic", "objective__temperature": 0.5}
    model = train(params_of(booster, **chosen), dataset_of(booster, problem), 6)
    if booster == "lightgbm":
        own = lgb.train(params_of(booster, objective=objective), dataset_of(booster, problem), 6)
    else:
        params = params_of(booster, objective="rank:pairwise", base_score=0, disable_default_eval_metric=True)
        own = xgb.train(params, dataset_of(booster, problem), 6, obj=objective)
    assert type(model) is type(own)
    np.testing.assert_array_equal(predictions(model, problem), predictions(own, problem))


@BOOSTERS
def test_without_an_objective_it_is_the_rankers_default(booster, problem) -> None:
    models = [
        train(params_of(booster, **chosen), dataset_of(booster, problem), 4)
        for chosen in ({}, {"objective": PairwiseLogistic(pair_weight="ndcg", rank_noise=1)})
    ]
    np.testing.assert_array_equal(*(predictions(model, problem) for model in models))


@BOOSTERS
@pytest.mark.parametrize("objective", ["pairwise_logistic", "native"])
def test_metrics_by_name_and_object_are_recorded(booster, objective, problem, make) -> None:
    other = make(1)
    dataset = dataset_of(booster, problem)
    valid = dataset_of(booster, other, dataset if booster == "lightgbm" else None)
    if objective == "native":
        objective = "lambdarank" if booster == "lightgbm" else "rank:ndcg"
    name = "metric" if booster == "lightgbm" else "eval_metric"
    params, history = params_of(booster, objective=objective, **{name: ["ndcg@3", "native:ndcg@5"]}), {}
    evals = [(dataset, "train"), (valid, "valid")]
    feval = ["mrr", metrics.get_metric("ndcg", gain="linear"), metrics.feval("spearman"), PairwiseHinge()]
    model = train(params, dataset, 5, evals=evals, feval=feval, evals_result=history)
    assert set(history) == {"train", "valid"}
    assert set(history["valid"]) == {"ndcg@3", "ndcg@5", "mrr", "ndcg", "spearman", "pairwise_hinge"}
    scores = predictions(model, other)
    assert history["valid"]["ndcg@3"][-1] == pytest.approx(
        metrics.ndcg(other.y, scores, group=other.sizes, k=3), rel=1e-6
    )
    assert len(history["train"]["mrr"]) == 5


@BOOSTERS
@pytest.mark.parametrize("metric", ["pair_accuracy", "spearman", "pairwise_logistic", "native:ndcg@5"])
def test_early_stopping_knows_the_direction(booster, metric, problem, make) -> None:
    other = make(1)
    dataset = dataset_of(booster, problem)
    valid = dataset_of(booster, other, dataset if booster == "lightgbm" else None)
    history = {}
    params = params_of(booster, objective="pairwise_logistic", learning_rate=0.3)
    given = {"evals": [(valid, "valid"), (dataset, "train")][::-1], "early_stopping_rounds": 5}
    model = train(params, dataset, 300, feval=["mrr", metric], evals_result=history, **given)
    values = np.array(history["valid"][metric.removeprefix("native:")])
    best = values.argmin() if metric == "pairwise_logistic" else values.argmax()
    assert values.size == best + 6 < 300
    assert best > 0
    # LightGBM counts trees, XGBoost rounds from 0.
    assert model.best_iteration == best + (booster == "lightgbm")


def test_the_direction_of_a_callable_is_asked_for(problem) -> None:
    dataset = dataset_of("xgboost", problem)

    def largest(preds, dataset):
        return "largest", float(preds.max())

    given = {"evals": [(dataset, "train")], "feval": largest, "early_stopping_rounds": 2}
    assert train(params_of("xgboost"), dataset, 6, maximize=True, **given).num_boosted_rounds() == 6
    assert train(params_of("xgboost"), dataset, 6, maximize=False, **given).num_boosted_rounds() < 6
    with pytest.raises(ValueError, match="early stopping needs maximize=True or maximize=False"):
        train(params_of("xgboost"), dataset, 6, **given)


@BOOSTERS
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"feval": metrics.ndcg}, TypeError, "feval takes this metric by its name, 'ndcg', with @k if needed"),
        ({"feval": "ndcg10"}, ValueError, "unknown metric 'ndcg10' .did you mean 'ndcg@10'"),
        ({"feval": 3}, TypeError, "feval takes names such as 'ndcg@10', metrics, objectives and callables, got 3"),
        ({"evals": 3}, TypeError, r"evals\[0\] must be a dataset, or a dataset and its name; got 3"),
        ({"early_stopping_rounds": 3}, ValueError, "early_stopping_rounds needs evals="),
        ({"early_stopping_rounds": 0}, ValueError, "early_stopping_rounds must be a whole number above 0, got 0"),
    ],
)
def test_bad_arguments_are_refused(booster, arguments, error, message, problem) -> None:
    with pytest.raises(error, match=message):
        train(params_of(booster), dataset_of(booster, problem), 2, **arguments)


@BOOSTERS
def test_bad_parameters_are_refused(booster, problem) -> None:
    dataset = dataset_of(booster, problem)
    name, value = ("is_unbalance", True) if booster == "lightgbm" else ("ndcg_exp_gain", False)
    for params, message in (
        ({name: value}, f"{name} belongs to the booster's own objectives"),
        ({"objective": "pairwise_logistic", "objective__temprature": 2}, "temprature"),
        ({"objective": PairwiseLogistic}, "PairwiseLogistic; give an object"),
    ):
        with pytest.raises(ValueError, match=message):
            train(params_of(booster, **params), dataset, 2)
    with pytest.raises(TypeError, match=r"train takes a lightgbm.Dataset or an xgboost.DMatrix, got a ndarray"):
        train(params_of(booster), problem.X)


def test_names_that_lightgbm_changes(problem, make) -> None:
    dataset = dataset_of("lightgbm", problem)
    callbacks: list = []
    given = {
        "evals": [(dataset_of("lightgbm", make(1), dataset), "valid")],
        "early_stopping_rounds": 3,
        "callbacks": callbacks,
    }
    history: dict = {}
    params = params_of("lightgbm", metric="native:ndcg", eval_at=[2, 4])
    train(params, dataset, 5, evals_result=history, **given)
    assert list(history["valid"]) == ["ndcg@2", "ndcg@4"]
    assert callbacks == []
    with pytest.raises(ValueError, match="early stopping finds no metric 'mse': give it by the name of its values"):
        train(params_of("lightgbm", metric="mse"), dataset, 5, **given)

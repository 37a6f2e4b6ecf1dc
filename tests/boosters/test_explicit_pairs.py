"""Trainings of both boosters on explicit pairs attached to their datasets."""

from __future__ import annotations

import numpy as np
import pytest
from _support.datasets import BOOSTERS, LGB, XGB, constructed, dataset_of, lgb, predict, train, xgb
from _support.explicit_pairs import NOT_FOR_PAIRS, Duels
from _support.objectives import LOSSES, assert_same_in_float32
from sklearn.base import clone

from gbdt_pairloss import BPR, PairwiseLogistic, attach, metrics


@pytest.fixture(scope="module")
def data() -> Duels:
    return Duels()


@BOOSTERS
@pytest.mark.parametrize("name", LOSSES)
def test_gradient_and_metric_of_a_dataset_are_those_of_arrays(booster, name, data) -> None:
    objective = clone(LOSSES[name][0]).set_params(hessian_scale=1)
    dataset = constructed(booster, data.X, sizes=data.sizes)
    attach(dataset, pairs=data.pairs)
    actual = objective(data.scores, dataset)
    given = {"group": data.sizes, "pairs": data.pairs}
    assert_same_in_float32(actual, objective.gradient_hessian(data.zeros, data.scores, **given))
    assert all(array.dtype == np.float32 and array.flags.c_contiguous for array in actual)
    result = objective.metric(data.scores, dataset)
    expected = objective.loss(data.zeros, data.scores, reduction="pair_weights", **given)
    assert result[0] == objective.name
    assert result[1] == pytest.approx(expected, rel=1e-9)


@BOOSTERS
def test_weights_of_rows_queries_and_pairs_multiply(booster, data) -> None:
    rng = np.random.default_rng(1)
    w, v, mask = rng.integers(1, 9, data.n) / 4, rng.integers(1, 9, data.n) / 4, rng.random(data.n) < 0.8
    dataset = constructed(booster, data.X, sizes=data.sizes)
    attach(dataset, loser_weight=v, mask=mask)
    attach(dataset, pairs=data.pairs)  # the others stay
    weight = w
    if booster == "lightgbm":
        dataset.set_weight(w)
    else:
        q = rng.integers(1, 9, data.sizes.size) / 4
        dataset.set_weight(q)
        attach(dataset, item_weight=w)
        weight = w * q[data.qid]
    objective = PairwiseLogistic(hessian_scale=1)
    actual = objective(data.scores, dataset)
    arguments = {"sample_weight": weight, "loser_weight": v, "mask": mask}
    expected = objective.gradient_hessian(data.zeros, data.scores, group=data.sizes, pairs=data.pairs, **arguments)
    assert_same_in_float32(actual, expected)


@pytest.mark.parametrize("grouped", [True, False])
def test_a_dmatrix_needs_no_labels(data, grouped) -> None:
    sizes = data.sizes if grouped else None
    without, zeros = xgb.DMatrix(data.X, nthread=1), xgb.DMatrix(data.X, data.zeros, nthread=1)
    models = []
    objective = PairwiseLogistic(normalize="none")
    for dataset in (without, zeros):
        if grouped:
            dataset.set_group(sizes)
        attach(dataset, pairs=data.pairs)
        models.append(train("xgboost", objective, dataset))
        assert objective.metric(data.scores, dataset)[1] == pytest.approx(
            objective.loss(data.zeros, data.scores, group=sizes, pairs=data.pairs, reduction="pair_weights"), rel=1e-9
        )
    predictions = [predict("xgboost", model, data.X) for model in models]
    np.testing.assert_array_equal(*predictions)
    assert np.ptp(predictions[0]) > 1


@BOOSTERS
def test_training_lowers_the_metric_of_the_objective(booster, data) -> None:
    dataset = dataset_of(booster, data.X, sizes=data.sizes)
    attach(dataset, pairs=data.pairs)
    objective, history = PairwiseLogistic(), {}
    if booster == "lightgbm":
        callbacks = [lgb.record_evaluation(history)]
        model = lgb.train(
            {**LGB, "objective": objective},
            dataset,
            12,
            [dataset],
            ["data"],
            feval=objective.metric,
            callbacks=callbacks,
        )
    else:
        evals = {"evals": [(dataset, "data")], "evals_result": history, "verbose_eval": False}
        model = xgb.train(XGB, dataset, 12, obj=objective, custom_metric=objective.metric, **evals)
    losses = history["data"]["pairwise_logistic"]
    assert losses[-1] < 0.7 * losses[0]
    scores = predict(booster, model, data.X)
    given = {"group": data.sizes, "pairs": data.pairs}
    assert losses[-1] == pytest.approx(objective.loss(data.zeros, scores, reduction="pair_weights", **given), rel=1e-5)
    assert metrics.pair_accuracy(data.zeros, scores, **given) > 0.8


@BOOSTERS
def test_pair_accuracy_of_a_dataset_counts_its_pairs(booster, data) -> None:
    dataset = constructed(booster, data.X, sizes=data.sizes)
    attach(dataset, pairs=data.pairs)
    ((name, value, *_),) = metrics.feval("pair_accuracy")(data.scores, dataset)
    assert name == "pair_accuracy"
    expected = metrics.pair_accuracy(data.zeros, data.scores, group=data.sizes, pairs=data.pairs)
    assert value == pytest.approx(expected, rel=1e-12)


@BOOSTERS
@pytest.mark.parametrize(("parameters", "message"), NOT_FOR_PAIRS)
def test_objectives_that_make_or_weigh_pairs_take_no_explicit_pairs(booster, parameters, message, data) -> None:
    objective = BPR(**parameters) if "negatives" in parameters else PairwiseLogistic(**parameters)
    dataset = dataset_of(booster, data.X, data.zeros, data.sizes)
    attach(dataset, pairs=data.pairs)
    with pytest.raises(ValueError, match=message):
        train(booster, objective, dataset)


@BOOSTERS
def test_pairs_that_all_weigh_nothing_are_refused_in_training(booster, data) -> None:
    """Every time, not only at the first use of the dataset."""
    pairs = *data.pairs[:2], np.zeros(data.pairs[0].size)
    dataset = dataset_of(booster, data.X, data.zeros, data.sizes)
    attach(dataset, pairs=pairs)
    for _ in range(2):
        with pytest.raises(ValueError, match="every pair has weight zero; check the weights"):
            train(booster, PairwiseLogistic(), dataset)
    with pytest.raises(ValueError, match="pairwise_logistic is undefined: .*all weights are 0"):
        PairwiseLogistic().metric(data.scores, dataset.construct() if booster == "lightgbm" else dataset)


def test_if_no_given_pair_takes_part_messages_do_not_mention_labels(data) -> None:
    pairs, mask = ([0], [1]), np.arange(data.n) > 0
    dataset = xgb.DMatrix(data.X, data.zeros, nthread=1)
    attach(dataset, pairs=pairs, mask=mask)
    with pytest.raises(ValueError, match="undefined") as by_objective:
        PairwiseLogistic().metric(data.scores, dataset)
    with pytest.raises(ValueError, match="undefined") as by_metric:
        metrics.pair_accuracy(data.zeros, data.scores, pairs=pairs, mask=mask)
    with pytest.warns(UserWarning, match="nothing can be learned") as in_training:
        PairwiseLogistic()(data.scores, dataset)
    for message in (by_objective.value, by_metric.value, in_training[0].message):
        assert "different labels" not in str(message)

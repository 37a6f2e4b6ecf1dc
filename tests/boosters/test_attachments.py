"""``attach``: masks and weights that a dataset cannot hold, and that follow its copies and parts."""

from __future__ import annotations

import copy
import pickle

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _support.boosters import BOTH_BOOSTERS, LGB, XGB, assert_same_in_float32, constructed, dataset_of, train
from sklearn.model_selection import GroupKFold

from gbdt_pairloss import PairwiseLogistic, attach, metrics


@BOTH_BOOSTERS
def test_attached_masks_and_loser_weights_are_applied(booster, problem) -> None:
    rng = np.random.default_rng(0)
    mask = rng.random(problem.y.size) < 0.7
    v = rng.uniform(0.2, 3, problem.y.size)
    dataset = constructed(dataset_of(booster, problem))
    objective = PairwiseLogistic(normalize="none", hessian_scale=1)
    attach(dataset, mask=mask)
    masked = objective(problem.scores, dataset)
    expected = objective.gradient_hessian(problem.y, problem.scores, group=problem.sizes, mask=mask)
    assert_same_in_float32(masked, expected)
    attach(dataset, loser_weight=np.full(v.size, 2.0))  # the mask stays
    assert_same_in_float32(objective(problem.scores, dataset), np.multiply(expected, 2))
    attach(dataset, loser_weight=v, mask=np.ones(v.size, dtype=bool))
    gradient, _ = objective(problem.scores, dataset)
    by_hand = np.zeros(problem.y.size)
    for start, stop in zip(problem.starts[:-1], problem.starts[1:], strict=True):
        y, s, w = problem.y[start:stop], problem.scores[start:stop], v[start:stop]
        rho = (y[:, None] > y) * w / (1 + np.exp(s[:, None] - s))
        by_hand[start:stop] = rho.sum(axis=0) - rho.sum(axis=1)
    assert_same_in_float32(gradient, by_hand)


@BOTH_BOOSTERS
def test_a_part_of_a_dataset_keeps_its_attachments(booster, problem) -> None:
    w = np.random.default_rng(0).uniform(0.2, 3, problem.y.size)
    whole = dataset_of(booster, problem)
    attach(whole, item_weight=w)
    rows = np.flatnonzero((problem.qid % 3 == 1) & (problem.qid > 4))
    sizes = np.unique(problem.qid[rows], return_counts=True)[1]
    if booster == "lightgbm":
        part = whole.construct().subset(list(rows)).construct()
    else:
        part = whole.slice(rows, allow_groups=True)
        part.set_group(sizes)
    del whole
    y, s = problem.y[rows], problem.scores[rows]
    objective = PairwiseLogistic(hessian_scale=1)
    expected = objective.gradient_hessian(y, s, group=sizes, sample_weight=w[rows])
    assert_same_in_float32(objective(s, part), expected)


@BOTH_BOOSTERS
def test_the_folds_of_a_cross_validation_keep_their_attachments(booster, problem) -> None:
    attached = np.arange(1.0, problem.y.size + 1)
    seen = []

    class Recording(PairwiseLogistic):
        def __call__(self, preds, dataset):
            result = super().__call__(preds, dataset)
            seen.append((dataset.get_label().copy(), preds.copy(), result))
            return result

    objective = Recording(hessian_scale=1)
    # Each row has a label of its own, by which it is recognised in a fold.
    y = np.random.default_rng(0).permutation(problem.y.size).astype(float)
    row_of = np.argsort(y)
    dataset = dataset_of(booster, problem, y=y)
    attach(dataset, item_weight=attached)
    folds = list(GroupKFold(3).split(problem.X, groups=problem.qid))
    if booster == "lightgbm":
        params = {**LGB, "objective": objective, "metric": "None"}
        lgb.cv(params, dataset, 2, folds=folds, feval=metrics.feval("pair_accuracy"))
    else:
        xgb.cv(XGB, dataset, 2, nfold=3, obj=objective, custom_metric=metrics.feval("pair_accuracy"))
    assert len(seen) == 6  # three folds of two rounds
    for labels, scores, result in seen:
        rows = row_of[labels.astype(int)]
        assert 0 < rows.size < problem.y.size
        assert np.unique(rows).size == rows.size
        expected = objective.gradient_hessian(y[rows], scores, qid=problem.qid[rows], sample_weight=attached[rows])
        assert_same_in_float32(result, expected)


def test_copies_of_a_dataset_keep_its_attachments(problem) -> None:
    w = np.random.default_rng(0).uniform(0.5, 2, problem.y.size)
    dataset = dataset_of("lightgbm", problem)
    attach(dataset, item_weight=w)
    expected = PairwiseLogistic().gradient_hessian(problem.y, problem.scores, group=problem.sizes, sample_weight=w)
    for twin in (copy.copy(dataset), copy.deepcopy(dataset), pickle.loads(pickle.dumps(dataset))):
        gradient, _ = PairwiseLogistic()(problem.scores, twin.construct())
        assert_same_in_float32(gradient, expected[0])


@BOTH_BOOSTERS
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"item_weight": [1.0, 2.0]}, "item_weight has 2 entries"),
        ({"item_weight": -np.ones(7)}, "item_weight"),
        ({"mask": [True]}, "mask has shape"),
    ],
)
def test_bad_attachments_are_refused(booster, problem, arguments, message) -> None:
    dataset = constructed(dataset_of(booster, problem))
    with pytest.raises(ValueError, match=message):
        attach(dataset, **arguments)


def test_item_weights_both_in_the_dataset_and_attached_are_refused(problem) -> None:
    dataset = dataset_of("lightgbm", problem, weight=np.linspace(1, 2, problem.y.size)).construct()
    attach(dataset, item_weight=np.ones(problem.y.size))
    with pytest.raises(ValueError, match="item weights are given twice"):
        PairwiseLogistic()(problem.scores, dataset)


def test_attach_refuses_anything_but_a_dataset() -> None:
    with pytest.raises(TypeError, match="attach takes a lightgbm.Dataset or an xgboost.DMatrix, got a list"):
        attach([1, 2], item_weight=[1, 2])


def test_a_booster_is_refused_as_a_dataset(problem) -> None:
    model = train("lightgbm", PairwiseLogistic(), dataset_of("lightgbm", problem), 1)
    with pytest.raises(TypeError, match="got a Booster"):
        attach(model, item_weight=[1.0])
    with pytest.raises(TypeError, match="got a Booster"):
        PairwiseLogistic()(problem.scores, model)

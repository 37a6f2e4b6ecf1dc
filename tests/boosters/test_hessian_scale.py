"""``hessian_scale``: its default is the factor of the booster's own ranking objectives, 1 for arrays."""

from __future__ import annotations

import numpy as np
import pytest
from _support.boosters import BOTH_BOOSTERS, XGBOOST, assert_same_in_float32, constructed, dataset_of
from _support.objectives import LOSSES
from _support.rankers import BOTH, make_ranker
from sklearn.base import clone

from gbdt_pairloss import (
    BPR,
    LGBMRanker,
    PairwiseHinge,
    PairwiseLogistic,
    PairwiseMeanSquaredError,
    WeightedSum,
    XGBRanker,
)

#: The factor of each booster's own ranking objectives.
FACTORS = {"lightgbm": 1, "xgboost": 2, LGBMRanker: 1, XGBRanker: 2}

OBJECTIVES = {
    **{name: objective for name, (objective, _) in LOSSES.items()},
    "ndcg": PairwiseLogistic(pair_weight="ndcg"),
    "bpr, drawn": BPR(negatives=1),
    "mean squared error": PairwiseMeanSquaredError(),
}


def a_sum(**of_terms):
    """Return a sum of two losses, of which both have some parameters."""
    return WeightedSum([PairwiseLogistic(**of_terms), PairwiseHinge(**of_terms)], [0.7, 0.3])


def of_arrays(objective, problem):
    """Return gradient and Hessian without a booster."""
    return objective.gradient_hessian(problem.y, problem.scores, group=problem.sizes)


@BOTH_BOOSTERS
@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_default_is_the_factor_of_the_booster(booster, name, problem) -> None:
    objective = OBJECTIVES[name]
    assert objective.hessian_scale is None
    dataset = constructed(dataset_of(booster, problem))
    gradient, hessian = of_arrays(objective, problem)
    actual = objective(problem.scores, dataset)
    assert_same_in_float32(actual, (gradient, FACTORS[booster] * hessian))
    explicit = clone(objective).set_params(hessian_scale=FACTORS[booster])
    np.testing.assert_array_equal(explicit(problem.scores, dataset), actual)


@BOTH_BOOSTERS
@pytest.mark.parametrize("scale", [1, 2, 0.3])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_number_is_used_as_it_is(booster, name, scale, problem) -> None:
    objective = clone(OBJECTIVES[name]).set_params(hessian_scale=scale)
    gradient, hessian = of_arrays(OBJECTIVES[name], problem)
    for actual in (
        of_arrays(objective, problem),
        objective(problem.scores, constructed(dataset_of(booster, problem))),
    ):
        assert_same_in_float32(actual, (gradient, scale * hessian))


@BOTH_BOOSTERS
def test_each_term_of_a_sum_has_its_own(booster, problem) -> None:
    dataset, factor = constructed(dataset_of(booster, problem)), FACTORS[booster]
    gradient, hessian = of_arrays(a_sum(), problem)
    assert_same_in_float32(a_sum()(problem.scores, dataset), (gradient, factor * hessian))
    assert_same_in_float32(a_sum(hessian_scale=3)(problem.scores, dataset), (gradient, 3 * hessian))
    mixed = a_sum().set_params(**{"1__hessian_scale": 3})
    logistic, hinge = (of_arrays(term, problem)[1] for term in a_sum().objectives)
    expected = gradient, 0.7 * factor * logistic + 0.3 * 3 * hinge
    assert_same_in_float32(mixed(problem.scores, dataset), expected)


@BOTH_BOOSTERS
@pytest.mark.parametrize("make_objective", [PairwiseLogistic, PairwiseMeanSquaredError, a_sum])
def test_losses_do_not_depend_on_it(booster, make_objective, problem) -> None:
    dataset = constructed(dataset_of(booster, problem))
    default = make_objective()
    loss = default.loss(problem.y, problem.scores, group=problem.sizes)
    value = default.metric(problem.scores, dataset)
    losses = {result[0]: result[1] for result in (value if isinstance(value, list) else [value])}
    mean = default.loss(problem.y, problem.scores, group=problem.sizes, reduction="pair_weights")
    assert losses[default.name] == pytest.approx(mean, rel=1e-6)
    for scale in (1, 2, 100):
        objective = make_objective(hessian_scale=scale)
        assert objective.loss(problem.y, problem.scores, group=problem.sizes) == loss
        assert objective.metric(problem.scores, dataset) == value


@BOTH
@pytest.mark.parametrize("make_objective", [PairwiseLogistic, PairwiseMeanSquaredError, a_sum])
def test_a_ranker_grows_the_trees_of_its_boosters_factor(Ranker, make_objective, problem) -> None:
    def scores_of(**params):
        ranker = make_ranker(Ranker, objective=make_objective(**params))
        return ranker.fit(problem.X, problem.y, group=problem.sizes).predict(problem.X)

    default = scores_of()
    np.testing.assert_array_equal(scores_of(hessian_scale=FACTORS[Ranker]), default)
    assert not np.allclose(scores_of(hessian_scale=3 - FACTORS[Ranker]), default)


@pytest.mark.skipif(XGBOOST < (3, 0), reason="XGBoost 2 always normalises by the scores")
def test_the_rankers_objective_and_rank_pairwise_over_all_pairs_grow_the_same_trees(problem) -> None:
    native = XGBRanker(
        objective="rank:pairwise",
        n_jobs=1,
        base_score=0.0,
        lambdarank_pair_method="topk",
        lambdarank_num_pair_per_sample=int(problem.sizes.max()),
        lambdarank_normalization=False,
        lambdarank_score_normalization=False,
    )
    own = XGBRanker(objective="pairwise_logistic", objective__normalize="none", n_jobs=1)
    expected, actual = (
        ranker.fit(problem.X, problem.y, group=problem.sizes).predict(problem.X) for ranker in (native, own)
    )
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * np.ptp(expected))

"""pair_weight="auto": |delta NDCG| with rank noise where all labels are grades, otherwise equal weights."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from gbdt_pairloss import BPR, PairwiseHinge, PairwiseLogistic, WeightedSum, get_objective
from gbdt_pairloss.objectives import as_pairwise

AUTO = PairwiseLogistic(pair_weight="auto")
UNIFORM = PairwiseLogistic()
NDCG = PairwiseLogistic(pair_weight="ndcg", rank_noise=1)


def assert_same(objective, expected, labels, scores, **given) -> None:
    """Assert that two objectives have the same gradients, Hessians and losses."""
    results = (o.gradient_hessian(labels, scores, **given) for o in (objective, expected))
    np.testing.assert_array_equal(*results)
    losses = (o.loss(labels, scores, reduction="pair_weights", **given) for o in (objective, expected))
    np.testing.assert_array_equal(*losses)


def pairs_of(problem):
    """Return one explicit pair of each query that has two rows."""
    first = problem.starts[:-1][problem.sizes > 1]
    return first + 1, first


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, NDCG),
        ({3: 31.0}, NDCG),
        ({3: 32.0}, UNIFORM),
        ({3: 0.5}, UNIFORM),
        ({3: 1e9}, UNIFORM),
        ({3: -1.0}, UNIFORM),
    ],
)
def test_the_labels_decide(change, expected, problem) -> None:
    labels = problem.y.astype(float)
    for row, label in change.items():
        labels[row] = label
    auto, expected = (clone(o).set_params(ignore_negative_labels=False) for o in (AUTO, expected))
    assert_same(auto, expected, labels, problem.scores, group=problem.sizes)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.float32, object])
def test_grades_of_any_type(dtype, problem) -> None:
    labels = (problem.y > 1).astype(dtype)
    assert_same(AUTO, NDCG, labels, problem.scores, group=problem.sizes)


def test_rows_that_take_no_part_do_not_decide(problem) -> None:
    labels = problem.y.astype(float)
    labels[:3] = -0.5, -7, -1
    auto, expected = (clone(o).set_params(ignore_negative_labels=True) for o in (AUTO, NDCG))
    assert_same(auto, expected, labels, problem.scores, group=problem.sizes)
    labels[:3] = 0.5, 99, 2.25
    mask = np.arange(labels.size) >= 3
    assert_same(AUTO, NDCG, labels, problem.scores, group=problem.sizes, mask=mask)
    assert_same(AUTO, UNIFORM, labels, problem.scores, group=problem.sizes, mask=mask | (labels == 99))


def test_explicit_pairs_weigh_alike(problem) -> None:
    pairs = pairs_of(problem)
    auto = PairwiseLogistic(pair_weight="auto", rank_noise=0.5, truncation=3)
    for objective in (AUTO, auto):
        assert_same(objective, UNIFORM, problem.y, problem.scores, group=problem.sizes, pairs=pairs)


@pytest.mark.parametrize("params", [{"rank_noise": 0}, {"rank_noise": 0.25}, {"truncation": 3}, {"gain": "linear"}])
def test_parameters_of_ndcg(params, problem) -> None:
    auto = PairwiseLogistic(pair_weight="auto", **params)
    ndcg = PairwiseLogistic(pair_weight="ndcg", **{"rank_noise": 1, **params})
    assert_same(auto, ndcg, problem.y, problem.scores, group=problem.sizes)
    assert_same(auto, UNIFORM, problem.y + 0.5, problem.scores, group=problem.sizes)


def test_rank_noise_is_0_unless_the_pair_weight_is_auto(problem) -> None:
    for pair_weight in ("ndcg", "lambdarank"):
        default, silent = (PairwiseLogistic(pair_weight=pair_weight, rank_noise=noise) for noise in (None, 0))
        assert_same(default, silent, problem.y, problem.scores, group=problem.sizes)


def test_the_random_state_is_that_of_the_noise(problem) -> None:
    auto, other = (PairwiseLogistic(pair_weight="auto", random_state=seed) for seed in (3, 4))
    assert_same(auto, clone(NDCG).set_params(random_state=3), problem.y, problem.scores, group=problem.sizes)
    gradients = [o.gradient_hessian(problem.y, problem.scores, group=problem.sizes)[0] for o in (auto, other)]
    assert (gradients[0] != gradients[1]).any()


@pytest.mark.parametrize("negatives", [False, True])
def test_bpr_ranks_two_grades_whatever_the_labels(negatives, problem) -> None:
    labels = problem.y + 0.5 - 3 * negatives
    params = {"threshold": 1.0 - 2 * negatives, "ignore_negative_labels": False}
    auto = BPR(pair_weight="auto", **params)
    assert_same(auto, BPR(pair_weight="ndcg", rank_noise=1, **params), labels, problem.scores, group=problem.sizes)
    for has_grades in (False, True):  # as the workers of a cluster report it
        assert_same(auto._decided(has_grades), auto, labels, problem.scores, group=problem.sizes)


def test_other_losses(problem) -> None:
    auto, ndcg = PairwiseHinge(pair_weight="auto"), PairwiseHinge(pair_weight="ndcg", rank_noise=1)
    assert_same(auto, ndcg, problem.y, problem.scores, group=problem.sizes)


def test_each_term_of_a_sum_decides_by_its_own_labels(problem) -> None:
    columns = np.column_stack([problem.y, problem.y + 0.5])
    both = WeightedSum([AUTO, AUTO], [0.7, 0.3])
    assert_same(both, WeightedSum([NDCG, UNIFORM], [0.7, 0.3]), columns, problem.scores, group=problem.sizes)
    pairs = pairs_of(problem)
    mixed, expected = (WeightedSum([a, b], [1, 1], [0, "pairs"]) for a, b in ((AUTO, AUTO), (NDCG, UNIFORM)))
    assert_same(mixed, expected, problem.y, problem.scores, group=problem.sizes, pairs=pairs)


def test_a_cluster_needs_the_weights_of_the_terms_of_a_sum() -> None:
    with pytest.raises(ValueError, match='1__pair_weight="auto" depends on all labels of a column.*name the weight'):
        (UNIFORM + AUTO)._decided(True)
    both = UNIFORM + NDCG
    assert both._decided(True) is both


@pytest.mark.parametrize("objective", [AUTO, clone(AUTO).set_params(truncation=5, rank_noise=0.5, temperature=2)])
def test_a_cluster_decides_once(objective, problem) -> None:
    before = repr(objective)
    assert_same(objective._decided(True), objective, problem.y, problem.scores, group=problem.sizes)
    assert_same(objective._decided(False), objective, problem.y + 0.5, problem.scores, group=problem.sizes)
    assert repr(objective) == before
    assert UNIFORM._decided(True) is UNIFORM


def test_a_changed_pair_weight_counts_at_once(problem) -> None:
    objective = clone(AUTO)
    for pair_weight, expected in (("uniform", UNIFORM), ("auto", NDCG), ("ndcg", PairwiseLogistic(pair_weight="ndcg"))):
        objective.set_params(pair_weight=pair_weight)
        assert_same(objective, expected, problem.y, problem.scores, group=problem.sizes)


def test_auto_is_a_name_of_the_logistic_loss() -> None:
    objective = get_objective("auto")
    assert type(objective) is PairwiseLogistic
    assert objective.name == "pairwise_logistic"
    assert objective.get_params() == AUTO.get_params()
    assert get_objective("auto", temperature=2.0).temperature == 2.0
    assert get_objective("auto", pair_weight="label_diff").pair_weight == "label_diff"
    assert repr(as_pairwise("auto")) == repr(objective) == "PairwiseLogistic(pair_weight='auto')"
    for copied in (clone(objective), pickle.loads(pickle.dumps(objective))):
        assert repr(copied) == repr(objective)
    with pytest.raises(TypeError, match="nonsense"):
        get_objective("auto", nonsense=1)

"""What an objective's gradient, Hessian and loss promise, by property."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from gbdt_pairloss import (
    BPR,
    PairwiseExponential,
    PairwiseHinge,
    PairwiseLogistic,
    PairwiseSoftZeroOne,
    PairwiseSquared,
    get_objective,
)

NORMALIZERS = ["none", "query", "log"]


def pairs_by_hand(y, s, sizes, *, w=None, q=None, mask=None, temperature=1.0, normalize="none", both=False):
    """The definition, pair by pair in plain Python: loss, gradient, Hessian, and each row's query factor."""
    n = len(y)
    gradient, hessian, factor = np.zeros(n), np.zeros(n), np.ones(n)
    loss, start = 0.0, 0
    for query, size in enumerate(sizes):
        rows = [r for r in range(start, start + size) if mask is None or mask[r]]
        pairs = [(i, j) for i in rows for j in rows if y[i] > y[j]]
        wrong = {(i, j): 1 / (1 + np.exp((s[i] - s[j]) / temperature)) for i, j in pairs}
        f = 1.0
        if normalize == "query" and pairs:
            f = len(rows) / len(pairs)
        elif normalize == "log" and pairs:
            total = 2 * sum(wrong.values()) / temperature
            f = np.log1p(total) / np.log(2) / total
        factor[start : start + size] = f
        for i, j in pairs:
            omega = f * (1 if q is None else q[query]) * (1 if w is None else w[i])
            omega *= w[j] if both and w is not None else 1
            p = wrong[i, j]
            loss += omega * np.log1p(np.exp(-(s[i] - s[j]) / temperature))
            gradient[i] -= omega * p / temperature
            gradient[j] += omega * p / temperature
            hessian[i] += omega * p * (1 - p) / temperature**2
            hessian[j] += omega * p * (1 - p) / temperature**2
        start += size
    return loss, gradient, hessian, factor


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = draw(st.lists(st.integers(0, 7), min_size=1, max_size=4).filter(lambda sizes: sum(sizes) > 0))
    n = sum(sizes)
    y = draw(
        st.sampled_from([rng.integers(0, 4, n).astype(float), rng.integers(0, 2, n).astype(float), rng.normal(size=n)])
    )
    return {
        "y": y,
        "s": rng.normal(scale=draw(st.sampled_from([0.1, 1.0, 5.0])), size=n),
        "sizes": sizes,
        "w": draw(st.sampled_from([None, rng.uniform(0, 3, n), rng.integers(0, 2, n).astype(float)])),
        "q": draw(st.sampled_from([None, rng.uniform(0, 3, len(sizes))])),
        "mask": draw(st.sampled_from([None, rng.random(n) < 0.7])),
        "temperature": draw(st.sampled_from([0.3, 1.0, 2.5])),
        "normalize": draw(st.sampled_from(NORMALIZERS)),
        "both": draw(st.booleans()),
    }


def arguments_of(p):
    """A problem as the public methods take it; item and query weights in turn, since there is one argument."""
    weight = p["w"] if p["q"] is None else p["q"]
    p = {**p, "w": p["w"] if p["q"] is None else None}
    objective = PairwiseLogistic(
        temperature=p["temperature"],
        normalize=p["normalize"],
        item_weight="both" if p["both"] else "winner",
        ignore_negative_labels=False,
    )
    if p["q"] is not None and len(p["sizes"]) == sum(p["sizes"]):
        weight, p = None, {**p, "q": None}  # as many queries as rows: the length cannot tell them apart
    return objective, p, {"group": p["sizes"], "sample_weight": weight, "mask": p["mask"]}


@settings(max_examples=150, deadline=None)
@given(problems())
def test_agrees_with_the_definition_by_hand(p) -> None:
    objective, p, arguments = arguments_of(p)
    loss, gradient, hessian, _ = pairs_by_hand(
        p["y"], p["s"], p["sizes"], **{k: p[k] for k in ("w", "q", "mask", "temperature", "normalize", "both")}
    )
    ours = objective.gradient_hessian(p["y"], p["s"], **arguments)
    np.testing.assert_allclose(ours[0], gradient, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours[1], hessian, rtol=1e-9, atol=1e-12)
    assert objective.loss(p["y"], p["s"], **arguments) == pytest.approx(loss, rel=1e-9, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(problems())
def test_gradient_and_hessian_are_the_finite_differences_of_the_loss(p) -> None:
    objective, p, arguments = arguments_of(p)
    gradient, hessian = objective.gradient_hessian(p["y"], p["s"], **arguments)
    if p["normalize"] == "log":  # rescales a gradient: its factor is held fixed
        *_, factor = pairs_by_hand(
            p["y"], p["s"], p["sizes"], mask=p["mask"], temperature=p["temperature"], normalize="log"
        )
        objective.set_params(normalize="none")
    else:
        factor = np.ones(len(p["y"]))
    step = 1e-5
    for row in range(len(p["y"])):
        up, down = p["s"].copy(), p["s"].copy()
        up[row] += step
        down[row] -= step
        loss = [float((objective.loss(p["y"], s, reduction="none", **arguments) * factor).sum()) for s in (up, down)]
        assert (loss[0] - loss[1]) / (2 * step) == pytest.approx(gradient[row], rel=1e-5, abs=1e-7)
        slope = [(objective.gradient_hessian(p["y"], s, **arguments)[0] * factor)[row] for s in (up, down)]
        assert (slope[0] - slope[1]) / (2 * step) == pytest.approx(hessian[row], rel=1e-5, abs=1e-7)


@settings(max_examples=100, deadline=None)
@given(problems())
def test_the_gradient_of_a_query_sums_to_zero_and_the_hessian_is_not_negative(p) -> None:
    objective, p, arguments = arguments_of(p)
    gradient, hessian = objective.gradient_hessian(p["y"], p["s"], **arguments)
    assert (hessian >= 0).all()
    codes = np.repeat(np.arange(len(p["sizes"])), p["sizes"])
    total = np.bincount(codes, weights=gradient, minlength=len(p["sizes"]))
    magnitude = np.bincount(codes, weights=np.abs(gradient), minlength=len(p["sizes"]))
    assert (np.abs(total) <= 1e-6 * magnitude).all()


@pytest.mark.parametrize("normalize", NORMALIZERS)
def test_every_way_of_giving_groups_is_the_same(make, normalize) -> None:
    rng = np.random.default_rng(1)
    length = 6
    y, s = rng.integers(0, 3, (5, length)), rng.normal(size=(5, length))
    w = rng.uniform(0.5, 2, (5, length))
    objective = PairwiseLogistic(normalize=normalize)
    lists = objective.gradient_hessian(y, s, sample_weight=w)
    names = np.array(["d", "b", "a", "e", "c"])
    qid = np.repeat(names, length)
    order = rng.permutation(qid.size)
    flat = [a.ravel() for a in (y, s, w)]
    for k in range(2):
        expected = lists[k].ravel()
        grouped = objective.gradient_hessian(flat[0], flat[1], group=[length] * 5, sample_weight=flat[2])[k]
        np.testing.assert_allclose(grouped, expected, rtol=1e-12)
        for ids in (qid, qid.astype(object), np.repeat([3.5, -1, 0, 2**40, 7], length)):
            by_id = objective.gradient_hessian(
                flat[0][order], flat[1][order], qid=ids[order], sample_weight=flat[2][order]
            )[k]
            np.testing.assert_allclose(by_id, expected[order], rtol=1e-12)


def test_a_masked_row_may_hold_anything() -> None:
    y, s = [2.0, np.nan, 1.0, 0.0, -5.0], [0.1, 0.4, np.nan, 0.3, np.inf]
    mask, w = [True, False, False, True, False], [1.0, np.nan, -1.0, 2.0, np.inf]
    objective = PairwiseLogistic()
    gradient, hessian = objective.gradient_hessian(y, s, sample_weight=w, mask=mask)
    expected = objective.gradient_hessian([2.0, 0.0], [0.1, 0.3], sample_weight=[1.0, 2.0])
    np.testing.assert_array_equal(gradient[[0, 3]], expected[0])
    np.testing.assert_array_equal(hessian[[0, 3]], expected[1])
    assert (gradient[[1, 2, 4]] == 0).all()
    assert (hessian[[1, 2, 4]] == 0).all()


def test_negative_labels_take_no_part_or_are_labels(problem) -> None:
    y = problem.y - 1
    ignoring = PairwiseLogistic(ignore_negative_labels=True).gradient_hessian(y, problem.scores, group=problem.sizes)
    masked = PairwiseLogistic().gradient_hessian(y, problem.scores, group=problem.sizes, mask=y >= 0)
    np.testing.assert_array_equal(ignoring, masked)
    as_labels = PairwiseLogistic(ignore_negative_labels=False).gradient_hessian(y, problem.scores, group=problem.sizes)
    shifted = PairwiseLogistic().gradient_hessian(problem.y, problem.scores, group=problem.sizes)
    np.testing.assert_array_equal(as_labels, shifted)


def test_item_weight_both_removes_and_duplicates_rows() -> None:
    y, s = np.array([2.0, 1.0, 0.0, 1.0]), np.array([0.3, 0.9, -0.2, 0.4])
    objective = PairwiseLogistic(normalize="none", item_weight="both")
    gradient, hessian = objective.gradient_hessian(y, s, sample_weight=[1, 2, 1, 0])
    twice = np.array([0, 1, 1, 2])
    plain = PairwiseLogistic(normalize="none").gradient_hessian(y[twice], s[twice])
    np.testing.assert_allclose(gradient, [plain[0][0], plain[0][1] + plain[0][2], plain[0][3], 0], rtol=1e-12)
    np.testing.assert_allclose(hessian, [plain[1][0], plain[1][1] + plain[1][2], plain[1][3], 0], rtol=1e-12)


@pytest.mark.parametrize("normalize", NORMALIZERS)
@pytest.mark.parametrize("item_weight", ["winner", "both"])
def test_scaling_the_weights_scales_gradient_and_hessian(problem, normalize, item_weight) -> None:
    objective = PairwiseLogistic(normalize=normalize, item_weight=item_weight)
    w = np.random.default_rng(2).uniform(0.1, 1, problem.y.size)
    factor = 9.0 if item_weight == "both" else 3.0
    one = objective.gradient_hessian(problem.y, problem.scores, group=problem.sizes, sample_weight=w)
    three = objective.gradient_hessian(problem.y, problem.scores, group=problem.sizes, sample_weight=3 * w)
    np.testing.assert_allclose(three, np.multiply(one, factor), rtol=1e-9, atol=1e-12)


def test_temperature_divides_the_scores(problem) -> None:
    T = 0.4
    hot = PairwiseLogistic(temperature=T, normalize="query")
    cold = PairwiseLogistic(normalize="query")
    y, s, group = problem.y, problem.scores, problem.sizes
    assert hot.loss(y, s, group=group) == pytest.approx(cold.loss(y, s / T, group=group), rel=1e-12)
    gradient, hessian = hot.gradient_hessian(y, s, group=group)
    scaled = cold.gradient_hessian(y, s / T, group=group)
    np.testing.assert_allclose(gradient, scaled[0] / T, rtol=1e-9)
    np.testing.assert_allclose(hessian, scaled[1] / T**2, rtol=1e-9)


def test_hessian_scale_scales_the_hessian_alone(problem) -> None:
    one = PairwiseLogistic().gradient_hessian(problem.y, problem.scores, group=problem.sizes)
    two = PairwiseLogistic(hessian_scale=2).gradient_hessian(problem.y, problem.scores, group=problem.sizes)
    np.testing.assert_array_equal(two[0], one[0])
    np.testing.assert_array_equal(two[1], 2 * one[1])


def test_bpr_is_the_logistic_loss_of_labels_cut_at_the_threshold(problem) -> None:
    for threshold in (0.0, 1.0, 2.5):
        ours = BPR(threshold=threshold).gradient_hessian(problem.y, problem.scores, group=problem.sizes)
        cut = PairwiseLogistic().gradient_hessian(problem.y > threshold, problem.scores, group=problem.sizes)
        np.testing.assert_array_equal(ours, cut)


def test_bpr_compute_is_the_loss_of_each_negative() -> None:
    positives, negatives = np.array([[1.0], [-90.0]]), np.array([[0.5, 2.0], [3.0, -90.0]])
    losses = BPR(temperature=2.0).compute(positives, negatives)
    np.testing.assert_allclose(losses, np.log1p(np.exp(-(positives - negatives) / 2.0)), rtol=1e-12)
    y = np.hstack([np.ones((2, 1)), np.zeros((2, 2))])
    total = BPR(temperature=2.0, normalize="none").loss(y, np.hstack([positives, negatives]))
    assert losses.sum() == pytest.approx(total, rel=1e-12)


def test_a_badly_wrong_pair_keeps_its_gradient() -> None:
    # Merlin's BPRLoss goes dead at a difference of 88 in float32.
    gradient, _ = BPR(normalize="none").gradient_hessian([1, 0], np.array([-500, 500], dtype=np.float32))
    np.testing.assert_array_equal(gradient, [-1, 1])
    assert BPR(normalize="none").loss([1, 0], [-500.0, 500.0]) == 1000.0


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1.0, 1e30, 1e306])
@pytest.mark.parametrize("normalize", NORMALIZERS)
def test_any_finite_score_gives_a_finite_gradient(scale, normalize) -> None:
    s = scale * np.array([3.0, -2.0, 0.0, 1.0, 1.0, -3.0])
    gradient, hessian = PairwiseLogistic(normalize=normalize).gradient_hessian([0, 1, 2, 3, 0, 0], s)
    assert np.isfinite(gradient).all()
    assert np.isfinite(hessian).all()
    assert gradient[0] > 0 > gradient[1]
    loss = PairwiseLogistic(normalize=normalize).loss([0, 1, 2, 3, 0, 0], s, sample_weight=[1, 1, 0, 1, 1, 1])
    assert np.isfinite(loss)


def test_a_query_of_many_tiles_agrees_with_a_whole_matrix() -> None:
    rng = np.random.default_rng(3)
    n = 2500
    y, s, w = rng.normal(size=n), rng.normal(size=n), rng.uniform(size=n)
    wins = y[:, None] > y[None, :]
    wrong = 1 / (1 + np.exp(s[:, None] - s[None, :]))
    rho = np.where(wins, w[:, None] * wrong, 0)
    gradient, hessian = PairwiseLogistic(normalize="none", ignore_negative_labels=False).gradient_hessian(
        y, s, sample_weight=w
    )
    np.testing.assert_allclose(gradient, rho.sum(axis=0) - rho.sum(axis=1), rtol=1e-9, atol=1e-9)
    curve = rho * (1 - wrong)
    np.testing.assert_allclose(hessian, curve.sum(axis=0) + curve.sum(axis=1), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_follows_the_scores_and_inputs_may_be_read_only(problem, dtype) -> None:
    arrays = [problem.y.astype(dtype), problem.scores.astype(dtype), problem.sizes.copy()]
    for array in arrays:
        array.setflags(write=False)
    gradient, hessian = PairwiseLogistic().gradient_hessian(arrays[0], arrays[1], group=arrays[2])
    assert gradient.dtype == hessian.dtype == dtype
    loose = PairwiseLogistic().gradient_hessian(list(problem.y), arrays[1], group=list(problem.sizes))
    np.testing.assert_array_equal(gradient, loose[0])


def test_empty_queries_and_lonely_rows_get_nothing() -> None:
    gradient, hessian = PairwiseLogistic().gradient_hessian([1, 2, 0], [0.1, 0.2, 0.3], group=[1, 0, 2, 0])
    assert gradient[0] == hessian[0] == 0
    assert gradient[1] < 0 < gradient[2]
    assert PairwiseLogistic().loss([], [], group=[]) == 0.0


def test_reductions_divide_the_sum(problem) -> None:
    y, s, group = problem.y, problem.scores, problem.sizes
    w = np.random.default_rng(4).uniform(0.5, 2, y.size)
    objective = PairwiseLogistic(normalize="none")
    total = objective.loss(y, s, group=group, sample_weight=w)
    by_hand = [
        (w[i], 1)
        for start, size in zip(problem.starts, group, strict=False)
        for i in range(start, start + size)
        for j in range(start, start + size)
        if y[i] > y[j]
    ]
    expected = {
        "mean": total / y.size,
        "sum_over_batch_size": total / y.size,
        "mean_with_sample_weight": total / w.sum(),
        "pairs": total / len(by_hand),
        "pair_weights": total / sum(weight for weight, _ in by_hand),
    }
    for reduction, value in expected.items():
        loss = objective.loss(y, s, group=group, sample_weight=w, reduction=reduction)
        assert loss == pytest.approx(value, rel=1e-12)
    rows = objective.loss(y, s, group=group, sample_weight=w, reduction="none")
    assert rows.shape == y.shape
    assert rows.sum() == pytest.approx(total, rel=1e-12)


def test_scalar_weights_are_kerasrs() -> None:
    objective = PairwiseLogistic(normalize="none")
    plain = objective.loss([[1, 0]], [[0.2, 0.5]])
    assert objective.loss([[1, 0]], [[0.2, 0.5]], sample_weight=2.0) == pytest.approx(2 * plain)
    mean = objective.loss([[1, 0]], [[0.2, 0.5]], sample_weight=2.0, reduction="mean_with_sample_weight")
    assert mean == pytest.approx(plain)


@pytest.mark.parametrize(
    "objective",
    [
        PairwiseLogistic(temperature=0.5, normalize="log"),
        BPR(threshold=2.0),
        BPR(negatives=1, random_state=3, temperature=0.5),
        PairwiseHinge(margin=0.5),
        PairwiseSquared(margin=2.0),
        PairwiseExponential(temperature=0.5),
        PairwiseSoftZeroOne(temperature=0.5),
    ],
    ids=repr,
)
def test_an_objective_lives_an_ordinary_life(objective, problem) -> None:
    expected = objective.gradient_hessian(problem.y, problem.scores, group=problem.sizes)
    for twin in (
        clone(objective),
        copy.deepcopy(objective),
        pickle.loads(pickle.dumps(objective)),
        type(objective)().set_params(**objective.get_params()),
    ):
        assert twin is not objective
        assert twin.get_params() == objective.get_params()
        np.testing.assert_array_equal(twin.gradient_hessian(problem.y, problem.scores, group=problem.sizes), expected)
    assert "0.5" in repr(objective) or "2.0" in repr(objective)


def test_get_objective() -> None:
    assert isinstance(get_objective("pairwise_logistic", temperature=2.0), PairwiseLogistic)
    assert get_objective("bpr", threshold=1.0).threshold == 1.0
    objective = BPR()
    assert get_objective(objective) is objective
    with pytest.raises(ValueError, match=r"no objective 'ranknet'; known: bpr, pairwise_logistic, "):
        get_objective("ranknet")


@pytest.mark.parametrize("pair_weight", ["uniform", "label_diff", "gain_diff", "ndcg", "lambdarank"])
def test_no_row_takes_part(pair_weight) -> None:
    objective = PairwiseLogistic(pair_weight=pair_weight)
    gradient, hessian = objective.gradient_hessian([1.0, 0.0], [0.1, 0.2], mask=[False, False])
    assert not np.any([gradient, hessian])
    assert objective.loss([1.0, 0.0], [0.1, 0.2], mask=[False, False]) == 0.0
    assert objective.gradient_hessian(np.empty(0), np.empty(0), group=[0, 0])[0].shape == (0,)

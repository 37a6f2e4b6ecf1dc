"""The contract of an engine: results agree with the definition, whatever the query, scores and weights.

Each test is a property and runs on every engine that supports its sum. "cpu" is the engine that the CPU selects for the
sum; "simulator" is the CUDA kernels, compiled by a C++ compiler; "cuda" is a device, where there is one. Which
combinations of parameters are tested, and which are slow tests, ``on_every_engine`` chooses.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from _support.engines import (
    CUDA,
    DTYPES,
    ENGINES,
    LABELS,
    LARGE,
    MARKS,
    NORMALIZE,
    SCORES,
    SIZES,
    assert_matches,
    assert_matches_reference,
    cpu_engine,
    gpu_engine,
    labels_of,
    on_engines,
    on_every_engine,
    on_host,
    plan_of,
    scores_of,
    some_zero,
    spec_of,
    weight_of_labels,
)
from _support.simulator import SimulatedDevice
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gbdt_pairloss import (
    BPR,
    PairwiseExponential,
    PairwiseHinge,
    PairwiseLogistic,
    PairwiseMeanSquaredError,
    PairwiseSoftZeroOne,
    PairwiseSquared,
)
from gbdt_pairloss.engine.cpu.pair_by_pair import PairByPairEngine


def mixed_labels(n, rng):
    """Draw labels of which one half are grades, and the others distinct."""
    y = rng.uniform(0, 4, n)
    y[: n // 2] = np.round(y[: n // 2])
    return y


# --- results agree with the definition -------------------------------------------------------------------------------


@on_every_engine(
    {"labels": ["grades", "distinct"], "normalize": ["log"]},
    usual_on_cpu={"normalize": ["log", "none"]},
    labels=LABELS,
    normalize=NORMALIZE,
    dtype=DTYPES,
)
def test_queries_of_every_size(engine, labels, normalize, dtype) -> None:
    rng = np.random.default_rng(0)
    y = labels_of(labels, sum(SIZES), rng)
    scores = 1.5 * rng.standard_normal(y.size) + 0.3 * (y - y.mean())
    objective = PairwiseLogistic(normalize=normalize, ignore_negative_labels=False)
    assert_matches_reference(ENGINES[engine], objective, y, scores, dtype, group=SIZES)


@on_every_engine(
    {"pair_weight": ["uniform", "label_diff"], "weights": ["none", "both"]},
    pair_weight=["uniform", "label_diff", "gain_diff"],
    normalize=NORMALIZE,
    weights=["none", "winner", "both"],
    dtype=DTYPES,
)
def test_weights_of_pairs_rows_and_queries(engine, pair_weight, normalize, weights, dtype) -> None:
    rng = np.random.default_rng(1)
    y = mixed_labels(sum(SIZES), rng)
    scores = 2 * rng.standard_normal(y.size) + y
    objective = PairwiseLogistic(
        item_weight="both" if weights == "both" else "winner",
        pair_weight=pair_weight,
        normalize=normalize,
        temperature=0.7,
        hessian_scale=2.0,
    )
    weight = None if weights == "none" else some_zero(y.size, rng)
    for mask in (None, rng.random(y.size) < 0.8):
        given = {"group": SIZES, "sample_weight": weight, "mask": mask}
        assert_matches_reference(ENGINES[engine], objective, y, scores, dtype, **given)


@on_every_engine(
    {"delta": [{"pair_weight": "ndcg"}], "normalize": ["query"]},
    delta=[
        {"pair_weight": "ndcg"},
        {"pair_weight": "ndcg", "gain": "linear"},
        {"pair_weight": "ndcg", "truncation": 10},
        {"pair_weight": "ndcg", "gain": "linear", "truncation": 10},
        {"pair_weight": "lambdarank"},
        {"pair_weight": "lambdarank", "truncation": 30, "temperature": 0.5},
    ],
    normalize=NORMALIZE,
    weighted=[False, True],
    dtype=DTYPES,
)
def test_delta_ndcg(engine, delta, normalize, weighted, dtype) -> None:
    rng = np.random.default_rng(8)
    y = mixed_labels(sum(SIZES), rng)
    y[:2] = 0  # an ideal DCG of 0
    scores = np.where(rng.random(y.size) < 0.5, np.round(2 * rng.standard_normal(y.size)), rng.standard_normal(y.size))
    scores[6:11] = 1.0  # all scores of a query are equal
    weight = some_zero(y.size, rng) if weighted else None
    objective = PairwiseLogistic(**delta, normalize=normalize)
    assert_matches_reference(ENGINES[engine], objective, y, scores, dtype, group=SIZES, sample_weight=weight)


@on_every_engine(
    {"delta": [{"pair_weight": "ndcg"}], "noise": [1.0], "temperature": [0.5], "normalize": ["query"]},
    usual_on_cpu={"noise": [1.0]},
    delta=[
        {"pair_weight": "ndcg"},
        {"pair_weight": "ndcg", "truncation": 10},
        {"pair_weight": "lambdarank"},
        {"pair_weight": "lambdarank", "truncation": 30},
    ],
    noise=[1e-9, 1.0, 1e4],
    temperature=[1.0, 0.5],
    normalize=NORMALIZE,
    weighted=[False, True],
    dtype=DTYPES,
)
def test_rank_noise(engine, delta, noise, temperature, normalize, weighted, dtype) -> None:
    rng = np.random.default_rng(8)
    y = mixed_labels(sum(SIZES), rng)
    scores = np.where(rng.random(y.size) < 0.5, np.round(2 * rng.standard_normal(y.size)), rng.standard_normal(y.size))
    scores[6:11] = 1.0  # all scores of a query are equal, those with noise are not
    given = {"group": SIZES, "sample_weight": some_zero(y.size, rng) if weighted else None}
    objective = PairwiseLogistic(
        **delta, rank_noise=noise, random_state=2**64 - 1, temperature=temperature, normalize=normalize
    )
    for mask in (None, rng.random(y.size) < 0.8):
        assert_matches_reference(ENGINES[engine], objective, y, scores, dtype, mask=mask, **given)


@on_every_engine(
    {"delta": [{"pair_weight": "lambdarank"}], "scores": ["1000 apart"], "noise": [0.1]},
    usual_on_cpu={"noise": [10.0]},
    delta=[{"pair_weight": "ndcg"}, {"pair_weight": "lambdarank"}],
    scores=SCORES,
    noise=[0.1, 10.0],  # more would cost the smallest distances, 0.01, their last digits
    dtype=DTYPES,
)
def test_hostile_scores_with_rank_noise(engine, delta, scores, noise, dtype) -> None:
    rng = np.random.default_rng(9)
    sizes = [60, 1300]
    y = rng.integers(0, 5, sum(sizes)).astype(float)
    s = scores_of(scores, y, sizes, rng)
    objective = PairwiseLogistic(**delta, rank_noise=noise, normalize="none")
    assert_matches_reference(ENGINES[engine], objective, y, s, dtype, group=sizes)


@on_every_engine(
    {"weights": ["none", "both"]},
    weights=["none", "winner", "both", "one row"],
    normalize=["query", "none"],
    temperature=[1.0, 0.3],
    dtype=DTYPES,
)
def test_squared_residuals(engine, weights, normalize, temperature, dtype) -> None:
    rng = np.random.default_rng(17)
    y = mixed_labels(sum(SIZES), rng)
    scores = 2 * rng.standard_normal(y.size) + y
    objective = PairwiseMeanSquaredError(
        item_weight="winner" if weights == "winner" else "both",
        normalize=normalize,
        temperature=temperature,
        hessian_scale=2.0,
    )
    weight = {"none": None, "one row": (np.arange(y.size) % 900 == 30).astype(float)}.get(
        weights, some_zero(y.size, rng)
    )
    for mask in (None, rng.random(y.size) < 0.8):
        given = {"group": SIZES, "sample_weight": weight, "mask": mask}
        assert_matches_reference(ENGINES[engine], objective, y, scores, dtype, **given)


@on_every_engine(
    {"scores": ["far outlier", "far from zero"], "labels": ["near a million"], "weights": ["both"]},
    usual_on_cpu={"scores": ["equal", "far outlier", "far from zero"], "dtype": [np.float64]},
    scores=SCORES,
    labels=["grades", "distinct", "near a million"],
    weights=["none", "both", "widths"],
    dtype=DTYPES,
)
def test_squared_residuals_of_hostile_scores(engine, scores, labels, weights, dtype) -> None:
    rng = np.random.default_rng(18)
    sizes = [90, 1900]
    y = labels_of(labels, sum(sizes), rng)
    s = scores_of(scores, y, sizes, rng)
    weight = {"none": None, "both": some_zero(y.size, rng), "widths": 10.0 ** rng.uniform(-20, 20, y.size)}[weights]
    objective = PairwiseMeanSquaredError(item_weight="both", ignore_negative_labels=False)
    if dtype == np.float32 and (scores in ("far outlier", "huge", "widths") or weights == "widths"):
        weight = 1e-40 if weight is None else 1e-40 * weight / weight.max()  # float32 holds the results
    assert_matches_reference(ENGINES[engine], objective, y, s, dtype, group=sizes, sample_weight=weight)


@on_every_engine({"normalize": ["log"]}, normalize=NORMALIZE, weighted=[False, True], dtype=DTYPES)
def test_weights_of_pairs_by_a_callable(engine, normalize, weighted, dtype) -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(0, 5, sum(SIZES)).astype(float)
    scores, weight = rng.standard_normal(y.size), rng.random(y.size)
    objective = PairwiseLogistic(pair_weight=weight_of_labels, normalize=normalize)
    given = {"group": SIZES, "sample_weight": weight if weighted else None}
    assert_matches_reference(ENGINES[engine], objective, y, scores, dtype, **given)


# On the CPU they are summed pair by pair; tests/objectives/test_explicit_pairs.py has their definition by hand.
@on_every_engine(
    {"normalize": ["log"]},
    CUDA,
    normalize=NORMALIZE,
    weighted=[False, True],
    scale=[1.0, 1e4],
    dtype=DTYPES,
)
def test_explicit_pairs(engine, normalize, weighted, scale, dtype) -> None:
    rng = np.random.default_rng(4)
    sizes = [40, 3, 300, 900]
    n = sum(sizes)
    begin = np.repeat(np.cumsum([0, *sizes[:-1]]), sizes)
    size = np.repeat(sizes, sizes)
    winner = rng.choice(n, 5000)
    winner[:2000] = 50  # a row with many pairs
    loser = begin[winner] + rng.integers(0, size[winner])
    different = winner != loser
    pairs: tuple[np.ndarray, ...] = (winner[different], loser[different])
    weight = None
    if weighted:
        pairs, weight = (*pairs, rng.random(different.sum())), rng.random(n)
    scores = scale * rng.standard_normal(n)
    objective = PairwiseLogistic(normalize=normalize, temperature=2.0)
    mask = rng.random(n) < 0.9
    plan = plan_of(objective, np.zeros(n), scores, group=sizes, sample_weight=weight, mask=mask, pairs=pairs)
    assert_matches(PairByPairEngine(), ENGINES[engine](plan, spec_of(objective)), objective, plan, scores, dtype)


@on_every_engine(
    {"scores": ["ties", "1000 apart", "far outlier"], "labels": ["grades", "distinct"]},
    usual_on_cpu={"scores": [kind for kind in SCORES if kind not in ("30 apart", "outlier")]},
    scores=SCORES,
    labels=LABELS,
    dtype=DTYPES,
)
def test_hostile_scores(engine, scores, labels, dtype) -> None:
    rng = np.random.default_rng(2)
    sizes = [90, 1000]
    y = labels_of(labels, sum(sizes), rng)
    s = scores_of(scores, y, sizes, rng)
    objective = PairwiseLogistic(normalize="none", ignore_negative_labels=False)
    assert_matches_reference(ENGINES[engine], objective, y, s, dtype, group=sizes)


@on_every_engine(
    {"delta": [{"pair_weight": "ndcg"}], "scores": ["1000 apart"], "labels": ["distinct"]},
    usual_on_cpu={"scores": ["equal", "30 apart", "1000 apart", "far outlier", "huge"]},
    delta=[{"pair_weight": "ndcg"}, {"pair_weight": "lambdarank", "truncation": 5}],
    scores=SCORES,
    labels=["grades", "distinct"],
    dtype=DTYPES,
)
def test_hostile_scores_with_delta_ndcg(engine, delta, scores, labels, dtype) -> None:
    rng = np.random.default_rng(9)
    sizes = [60, 1300]
    y = rng.integers(0, 5, sum(sizes)).astype(float) if labels == "grades" else rng.uniform(0, 4, sum(sizes))
    s = scores_of(scores, y, sizes, rng)
    objective = PairwiseLogistic(**delta, normalize="none")
    assert_matches_reference(ENGINES[engine], objective, y, s, dtype, group=sizes)


@pytest.mark.slow
@on_every_engine(
    pair_weight=["uniform", "label_diff", "ndcg"], labels=["grades", "distinct"], scale=[1e4, 1e30], dtype=DTYPES
)
def test_a_long_query_of_scores_spread_widely(engine, pair_weight, labels, scale, dtype) -> None:
    rng = np.random.default_rng(8)
    y, scores = labels_of(labels, 3000, rng), scale * rng.standard_normal(3000)
    scores[:200] = rng.standard_normal(200)  # and some that lie together
    y -= y.min()
    weight = rng.random(3000) if labels == "grades" else None
    objective = PairwiseLogistic(pair_weight=pair_weight)
    assert_matches_reference(ENGINES[engine], objective, y, scores, dtype, sample_weight=weight)


@on_every_engine({"n": [5000]}, usual_on_cpu={"n": [40]}, n=[40, 5000], order=["right", "wrong"], dtype=DTYPES)
def test_all_pairs_far_apart(engine, n, order, dtype) -> None:
    # In the right order the largest gradient is about 1e-9, and is right to 1e-6 of itself. In the wrong one the
    # Hessians are as small, the gradients are not.
    y = (np.arange(n) < n // 3).astype(float)
    scores = 28.0 * y + 0.2 * np.random.default_rng(0).standard_normal(n)
    objective = PairwiseLogistic(normalize="none")
    if order == "right":
        for array in objective.gradient_hessian(y, scores):
            assert 0 < np.abs(array).max() < 1e-8
    assert_matches_reference(ENGINES[engine], objective, y if order == "right" else 1 - y, scores, dtype)


@on_every_engine(
    {"temperature": [0.05]}, usual_on_cpu={"dtype": [np.float32]}, temperature=[1e-3, 0.05, 1.0, 300.0], dtype=DTYPES
)
def test_temperatures(engine, temperature, dtype) -> None:
    rng = np.random.default_rng(3)
    y, scores = rng.integers(0, 50, 4000).astype(float), rng.standard_normal(4000)
    objective = PairwiseLogistic(temperature=temperature)
    assert_matches_reference(ENGINES[engine], objective, y, scores, dtype, group=[100, 900, 3000])


@on_engines("cpu", *CUDA, slow=CUDA)
@settings(deadline=None, max_examples=30)
@given(
    rows=st.lists(st.tuples(st.integers(0, 4), st.floats(-60, 60), st.floats(0, 3)), min_size=1, max_size=40),
    dtype=st.sampled_from(DTYPES),
)
# A loss of the order of 1 between scores that float32 holds to 1e-6 only.
@example(rows=[(0, 0.0, 0.0), (1, 32.43574356891868, 0.0), (1, -0.5, 0.0)], dtype=np.float32)
# A loss of 2e-40, below float32's normal numbers.
@example(rows=[(0, -32.65625, 0.0), (1, 58.984422233928285, 0.0)], dtype=np.float32)
def test_any_small_query(engine, rows, dtype) -> None:
    y, scores, weight = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    assert_matches_reference(ENGINES[engine], PairwiseLogistic(), y, scores, dtype)
    objective = PairwiseLogistic(pair_weight="label_diff")
    assert_matches_reference(ENGINES[engine], objective, y, scores, dtype, sample_weight=weight)


#: Objective, labels, scores, and other arguments.
AT_THE_LIMITS = {
    "scores that their temperature takes out of range": (
        PairwiseLogistic(temperature=1e-3, normalize="none"),
        [0, 1, 2, 1, 0],
        [1e308, -1e308, 0.0, 1.0, 2.0],
        {"loss": False},
    ),
    "scores that span float64 in one query among others": (
        PairwiseLogistic(),
        [1.0, 0.0, 1.0, 0.0, 2.0],
        [0.0, 1e300, 0.3, 0.1, 0.2],
        {"group": [2, 3]},
    ),
    "gains beyond float32": (PairwiseLogistic(pair_weight="ndcg"), [130.0, 1, 0, 129], [0.1, 0.3, 0.2, 0.0], {}),
    "equal scores beyond float32, and a truncation": (
        PairwiseLogistic(pair_weight="ndcg", truncation=2),
        [2.0, 0.0, 1.0],
        [1e39, 1e39, 1e39],
        {},
    ),
    "gradients above the smallest normal float32": (PairwiseLogistic(normalize="none"), [1, 0], [81.0, 0.0], {}),
    "gradients below the smallest normal float32": (PairwiseLogistic(normalize="none"), [1, 0], [85.0, 0.0], {}),
}


@on_every_engine(name=list(AT_THE_LIMITS), dtype=DTYPES)
def test_numbers_at_the_limits_of_their_type(engine, name, dtype) -> None:
    objective, y, scores, more = AT_THE_LIMITS[name]
    assert_matches_reference(ENGINES[engine], objective, y, np.array(scores), dtype, **more)


@on_engines("reference", "cpu", *CUDA, slow=CUDA)
def test_weights_of_one_query_do_not_drown_those_of_another(engine) -> None:
    y, weight = np.array([1.0, 0.0, 1.0, 0.0]), np.array([1e12, 1e12, 1e-6, 1e-6])
    objective = PairwiseLogistic(normalize="none", item_weight="both")
    plan, spec = plan_of(objective, y, np.zeros(4), group=[2, 2], sample_weight=weight), spec_of(objective)
    _, won = on_host(ENGINES[engine](plan, spec).winner_loss(plan, np.zeros(4), spec, np.float64))
    np.testing.assert_allclose(won, [1e24, 0, 1e-12, 0])


@on_engines("cpu", *CUDA, slow=CUDA)
def test_bpr_of_many_users(engine) -> None:
    rng = np.random.default_rng(7)
    y = np.tile(np.r_[np.ones(20), np.zeros(1980)], 5)
    assert_matches_reference(ENGINES[engine], BPR(), y, rng.standard_normal(y.size), group=[2000] * 5)


@on_engines("cpu", *CUDA)
def test_bpr_with_weights_of_losers(engine) -> None:
    rng = np.random.default_rng(12)
    y = (rng.random(sum(SIZES)) < 0.1).astype(float)
    scores, weight = rng.standard_normal(y.size), rng.random(y.size)
    assert_matches_reference(ENGINES[engine], BPR(), y, scores, group=SIZES, loser_weight=weight)


# --- what every engine does, whatever it sums ------------------------------------------------------------------------

#: What engines are asked for; the CPU has an engine of its own for most of these.
OBJECTIVES = {
    "logistic": PairwiseLogistic(),
    "label differences": PairwiseLogistic(pair_weight="label_diff"),
    "delta NDCG": PairwiseLogistic(pair_weight="ndcg"),
    "weights by a callable": PairwiseLogistic(pair_weight=weight_of_labels),
    "hinge": PairwiseHinge(),
    "squared": PairwiseSquared(),
    "exponential": PairwiseExponential(),
    "soft zero-one": PairwiseSoftZeroOne(),
    "drawn negatives": BPR(negatives=2, random_state=0),
    "rank noise": PairwiseLogistic(pair_weight="lambdarank", rank_noise=1.0),
    "mean squared error": PairwiseMeanSquaredError(),
}
_ON_CUDA = [
    "logistic",
    "label differences",
    "delta NDCG",
    "weights by a callable",
    "rank noise",
    "mean squared error",
]

on_every_sum = pytest.mark.parametrize(
    ("engine", "name"),
    [
        pytest.param(engine, name, marks=MARKS.get(engine, []))
        for engine, names in {
            "reference": OBJECTIVES,
            "cpu": OBJECTIVES,
            "simulator": _ON_CUDA,
            "cuda": _ON_CUDA,
        }.items()
        for name in names
    ],
)


def labels_for(objective, n, rng):
    """Draw labels that an objective takes: BPR takes 0 and 1."""
    return rng.integers(0, 2 if isinstance(objective, BPR) else 3, n).astype(float)


@on_every_sum
def test_rows_that_take_no_part_get_0(engine, name) -> None:
    objective = OBJECTIVES[name]
    spec = spec_of(objective)
    y = np.array([0.0, 1, 0, 1, 0, 1]) if isinstance(objective, BPR) else np.arange(6.0)
    scores = np.array([0.0, 1, np.nan, 2, 3, 4])
    mask = np.isfinite(scores)
    plan = plan_of(objective, y, np.zeros(6), mask=mask)
    gradient, hessian = on_host(ENGINES[engine](plan, spec).gradient_hessian(plan, scores, spec, np.float32))
    assert gradient[2] == hessian[2] == 0
    assert np.isfinite(gradient).all()
    if name not in ("hinge", "drawn negatives"):  # of which some rows have a slope of 0, or no pair
        assert (hessian[mask] > 0).all()


@on_every_sum
def test_without_rows_all_results_are_0(engine, name) -> None:
    objective = OBJECTIVES[name]
    spec = spec_of(objective)
    plan = plan_of(objective, np.arange(6.0) % 2, np.zeros(6), mask=np.zeros(6, dtype=bool))
    scores = np.array([0.0, 1, np.nan, 2, 3, 4])
    sums = ENGINES[engine](plan, spec)
    for array in on_host([*sums.gradient_hessian(plan, scores, spec, np.float32)]):
        np.testing.assert_array_equal(array, np.zeros(6))
        assert array.dtype == np.float32
    for array in on_host([*sums.winner_loss(plan, scores, spec, np.float32)]):
        np.testing.assert_array_equal(array, np.zeros(6))


@on_every_sum
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_scores_are_named(engine, name, bad) -> None:
    rng = np.random.default_rng(15)
    objective, sizes = OBJECTIVES[name], [20, 30]
    spec, y = spec_of(objective), labels_for(objective, 50, rng)
    scores = rng.standard_normal(50)
    plan = plan_of(objective, y, scores, group=sizes)
    scores[[31, 44]] = bad
    sums = ENGINES[engine](plan, spec)
    for method in (sums.gradient_hessian, sums.winner_loss):
        with pytest.raises(ValueError, match="the score is (nan|inf) at row 31"):
            method(plan, scores, spec, np.float32)


@on_every_sum
def test_results_out_of_range_are_refused(engine, name) -> None:
    objective = OBJECTIVES[name].__class__(**{**OBJECTIVES[name].get_params(), "normalize": "none"})
    spec, y, weight = spec_of(objective), np.array([1.0, 0.0, 0.0]), np.full(3, 1e300)
    plan = plan_of(objective, y, y, sample_weight=weight)
    with pytest.raises(ValueError, match="leaves the range of float32"):
        ENGINES[engine](plan, spec).gradient_hessian(plan, np.array([0.4, 0.0, 0.0]), spec, np.float32)


@on_engines("reference", "cpu")
@pytest.mark.parametrize(
    ("objective", "scores"),
    [
        (PairwiseLogistic(pair_weight="label_diff"), [-8e307, 8e307, 8e307]),
        (PairwiseLogistic(normalize="query"), [-8e307, 8e307, 8e307]),
        (PairwiseExponential(pair_weight="ndcg"), [-1000.0, 0.0, 1000.0]),
        (PairwiseSquared(), [0.0, 3e307, 3e307]),
    ],
    ids=["logistic", "query", "exponential", "squared"],
)
def test_a_loss_out_of_range_is_refused_without_a_warning(engine, objective, scores) -> None:
    y, scores = np.array([1.0, 0.0, 0.0]), np.array(scores)
    plan, spec = plan_of(objective, y, y), spec_of(objective)
    with pytest.raises(ValueError, match="range of float64"):
        ENGINES[engine](plan, spec).winner_loss(plan, scores, spec, np.float64)


def spread_over(scores):
    """Return the scores as every second entry of an array."""
    apart = np.full(2 * scores.size, np.nan)
    apart[::2] = scores
    return apart[::2]


def read_only(scores):
    """Return the scores as an array that cannot be written to."""
    frozen = scores.copy()
    frozen.setflags(write=False)
    return frozen


LAYOUTS = {"read-only": read_only, "strided": spread_over, "reversed": lambda scores: scores[::-1].copy()[::-1]}


@on_every_sum
def test_the_layout_of_scores_changes_no_bit(engine, name) -> None:
    rng = np.random.default_rng(16)
    objective = OBJECTIVES[name]
    spec, y, scores = spec_of(objective), labels_for(objective, 50, rng), rng.standard_normal(50)
    plan = plan_of(objective, y, scores, group=[20, 30])
    sums = ENGINES[engine](plan, spec)
    for method in (sums.gradient_hessian, sums.winner_loss):
        expected = on_host(method(plan, scores, spec, np.float32))
        for layout in LAYOUTS.values():
            given = layout(scores)
            for array, exact in zip(on_host(method(plan, given, spec, np.float32)), expected, strict=True):
                np.testing.assert_array_equal(array, exact)
            np.testing.assert_array_equal(given, scores)  # an engine does not write to them


def different_ways(engine):
    """Return engines, as in ``ENGINES``, that compute in different orders, or again."""
    return {
        "cpu": [partial(cpu_engine, n_threads=n) for n in (1, 2, 3, 7, None)],
        "simulator": [lambda *_, b=b: gpu_engine(SimulatedDevice(backwards=b)) for b in (False, True)],
        "cuda": 6 * [ENGINES["cuda"]],
    }[engine]


def problem_for_threads(engine, pair_weight):
    """Draw labels, scores and query sizes that keep many threads busy."""
    rng = np.random.default_rng(4)
    if engine == "simulator":
        sizes = [50, 700] if pair_weight == "ndcg" else LARGE
        y = rng.uniform(0, 4, sum(sizes))
    elif engine == "cuda":
        sizes = [*([120] * 1000), *([] if pair_weight == "ndcg" else [3000, 3000, 174_000])]
        y = rng.uniform(0, 4, sum(sizes))
    else:
        sizes = [*rng.integers(1, 300, 700), 5000, 70_000, 1, 90_000]
        n = sum(sizes)
        y = np.where(np.arange(n) < n - 90_000, rng.integers(0, 5, n), rng.random(n))
    scores = 2 * rng.standard_normal(y.size)
    return y, scores.astype(np.float32) if engine == "cuda" else scores, sizes


@on_engines("cpu", *CUDA)
@pytest.mark.parametrize(
    "objective",
    [
        PairwiseLogistic(),
        PairwiseLogistic(pair_weight="label_diff"),
        PairwiseLogistic(pair_weight="ndcg"),
        PairwiseLogistic(pair_weight="ndcg", rank_noise=0.5),
        PairwiseMeanSquaredError(item_weight="both"),
    ],
    ids=["uniform", "label_diff", "ndcg", "rank noise", "mean squared error"],
)
def test_results_do_not_depend_on_threads_to_the_last_bit(engine, objective) -> None:
    y, scores, sizes = problem_for_threads(engine, getattr(objective, "pair_weight", "uniform"))
    weight = np.random.default_rng(13).random(y.size) if engine == "simulator" else None
    plan, spec = plan_of(objective, y, scores, group=sizes, sample_weight=weight), spec_of(objective)
    results = set()
    for way in different_ways(engine):
        sums = way(plan, spec)
        arrays = [
            *sums.gradient_hessian(plan, scores, spec, np.float32),
            *sums.winner_loss(plan, scores, spec, np.float32),
        ]
        results.add(tuple(array.tobytes() for array in on_host(arrays)))
    assert len(results) == 1

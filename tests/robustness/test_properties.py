"""Properties of every objective and metric on any problem, ordinary or hostile: thousands of examples.

The examples are the same in every run.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from _support.engines import BOUNDS, assert_matches, cpu_engine, plan_of, reference_engine, share_of_largest, spec_of
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from gbdt_pairloss import (
    BPR,
    PairwiseExponential,
    PairwiseHinge,
    PairwiseLogistic,
    PairwiseSoftZeroOne,
    PairwiseSquared,
    metrics,
)

pytestmark = pytest.mark.slow

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def examples(n):
    return settings(max_examples=n, deadline=None, derandomize=True, database=None, suppress_health_check=SLOW)


SMALL = st.lists(st.integers(0, 12), min_size=1, max_size=5).filter(lambda sizes: sum(sizes) > 0)
LARGE = st.lists(st.sampled_from([1, 17, 64, 150, 400]), min_size=1, max_size=3)
SCORES = {
    "ordinary": lambda rng, n: rng.normal(size=n),
    "ties": lambda rng, n: np.round(rng.normal(size=n)),
    "equal": lambda rng, n: np.full(n, 0.3),
    "tiny": lambda rng, n: 1e-30 * rng.normal(size=n),
    "30 apart": lambda rng, n: np.where(rng.random(n) < 0.5, 30.0, 0.0) + rng.normal(size=n),
    "far from zero": lambda rng, n: 1e9 + np.round(rng.normal(size=n), 2),
    "1000 apart": lambda rng, n: np.where(rng.random(n) < 0.5, 1000.0, 0.0) + rng.normal(size=n),
    "outlier": lambda rng, n: np.where(np.arange(n) == n // 2, 1e30, rng.normal(size=n)),
    "widths": lambda rng, n: np.sign(rng.normal(size=n)) * 10.0 ** rng.uniform(-20, 20, n),
}
TAME = ["ordinary", "ties", "equal", "tiny"]
LABELS = {
    "grades": lambda rng, n: rng.integers(0, 5, n).astype(float),
    "binary": lambda rng, n: (rng.random(n) < 0.2).astype(float),
    "distinct": lambda rng, n: rng.uniform(0, 4, n),
    "equal": lambda rng, n: np.ones(n),
    "signed": lambda rng, n: rng.integers(-2, 3, n).astype(float),
}
WEIGHTS = {
    "none": lambda rng, n: None,
    "some zero": lambda rng, n: np.where(rng.random(n) < 0.3, 0.0, rng.uniform(0.1, 3, n)),
    "widths": lambda rng, n: 10.0 ** rng.uniform(-2, 2, n),
}


@st.composite
def objectives(draw, kinds=(PairwiseLogistic, BPR, PairwiseHinge, PairwiseSquared, PairwiseSoftZeroOne), delta=True):
    kind = draw(st.sampled_from(kinds))
    weights = ["uniform", "label_diff", "gain_diff", *(["ndcg", "lambdarank"] if delta else [])]
    pair_weight = draw(st.sampled_from(weights))
    return kind(
        pair_weight=pair_weight,
        truncation=draw(st.sampled_from([None, 3])) if pair_weight in ("ndcg", "lambdarank") else None,
        gain=draw(st.sampled_from(["exp2", "linear"])),
        normalize=draw(st.sampled_from(["log", "query", "none"])),
        temperature=draw(st.sampled_from([0.5, 1.0, 2.0])),
        item_weight=draw(st.sampled_from(["winner", "both"])),
        ignore_negative_labels=True if pair_weight in ("ndcg", "lambdarank") else draw(st.booleans()),
        hessian_scale=draw(st.sampled_from([1.0, 2.0])),
    )


@st.composite
def problems(draw, sizes=SMALL | LARGE, scores=tuple(SCORES), labels=tuple(LABELS), weights=tuple(WEIGHTS)):
    """Draw labels, scores, and the arguments of ``gradient_hessian``; a query's rows need not be adjacent."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = np.array(draw(sizes))
    n = int(sizes.sum())
    y, s = LABELS[draw(st.sampled_from(labels))](rng, n), SCORES[draw(st.sampled_from(scores))](rng, n)
    arguments = {
        "sample_weight": WEIGHTS[draw(st.sampled_from(weights))](rng, n),
        "loser_weight": WEIGHTS[draw(st.sampled_from(weights))](rng, n),
        "mask": draw(st.sampled_from([None, rng.random(n) < 0.7])),
    }
    layout = draw(st.sampled_from(["group", "qid", "scattered"]))
    codes = np.repeat(np.arange(sizes.size), sizes)
    if layout == "group":
        arguments["group"] = sizes
    else:
        codes = rng.permutation(codes) if layout == "scattered" else codes
        arguments["qid"] = np.array([f"query {code}" for code in codes], dtype=object)
    return y, s, arguments, codes, rng


# The sum of the weights that a row wins has the rounding of its query's largest weight: so weights are of one size.
EVEN = ["none", "some zero"]


@examples(1000)
@given(problems(weights=EVEN), objectives(), st.sampled_from([np.float32, np.float64]))
def test_the_fast_engine_agrees_with_the_definition(problem, objective, dtype) -> None:
    y, s, arguments, *_ = problem
    plan, spec = plan_of(objective, y, s, **arguments), spec_of(objective)
    # The hinge's loss, not its slope, has the rounding of the query's mean score.
    loss = objective.pair_loss.name != "hinge" or np.ptp(s) < 100
    assert_matches(reference_engine(), cpu_engine(plan, spec, 2), objective, plan, s, dtype, loss)


@examples(200)
@given(problems(scores=TAME, weights=EVEN), objectives(kinds=[PairwiseExponential]))
def test_the_exponential_loss_agrees_with_the_definition(problem, objective) -> None:
    y, s, arguments, *_ = problem
    plan, spec = plan_of(objective, y, s, **arguments), spec_of(objective)
    assert_matches(reference_engine(), cpu_engine(plan, spec, 2), objective, plan, s, np.float64)


@examples(400)
@given(problems(), objectives())
def test_the_gradients_of_a_query_sum_to_0_and_hessians_are_not_negative(problem, objective) -> None:
    y, s, arguments, codes, _ = problem
    gradient, hessian = objective.gradient_hessian(y, s, **arguments)
    assert (hessian >= 0).all()
    total, size = np.bincount(codes, gradient), np.bincount(codes, np.abs(gradient))
    assert (np.abs(total) <= 1e-12 * size * np.sqrt(np.bincount(codes))).all()


@examples(400)
@given(problems(), objectives(delta=False))
def test_the_order_of_rows_and_queries_does_not_matter(problem, objective) -> None:
    y, s, arguments, codes, rng = problem
    expected = objective.gradient_hessian(y, s, **arguments)
    order = rng.permutation(y.size)
    moved = {name: None if arguments[name] is None else arguments[name][order] for name in ("sample_weight", "mask")}
    moved["loser_weight"] = None if arguments["loser_weight"] is None else arguments["loser_weight"][order]
    results = objective.gradient_hessian(y[order], s[order], qid=codes[order], **moved)
    for array, exact, bound in zip(results, expected, BOUNDS[np.float64], strict=False):
        assert share_of_largest(array - exact[order], exact[order], codes[order], 1e-300) <= 2 * bound


@examples(300)
@given(problems(scores=["ties", "30 apart"]), objectives(), st.integers(-1000, 1000))
def test_the_level_of_a_querys_scores_does_not_matter(problem, objective, shift) -> None:
    y, s, arguments, codes, rng = problem
    s = np.round(s * 64) / 64  # whose sums with whole numbers are exact
    level = rng.integers(-1000, 1000, codes.max() + 1)
    expected = objective.gradient_hessian(y, s, **arguments)
    results = objective.gradient_hessian(y, s + level[codes] + shift, **arguments)
    for array, exact, bound in zip(results, expected, BOUNDS[np.float64], strict=False):
        assert share_of_largest(array - exact, exact, codes, 1e-300) <= 2 * bound


@examples(300)
@given(problems(sizes=LARGE), objectives(), st.sampled_from([np.float32, np.float64]))
def test_the_number_of_threads_changes_no_bit(problem, objective, dtype) -> None:
    y, s, arguments, *_ = problem
    s = s.astype(dtype)
    one = clone(objective).set_params(n_threads=1)
    expected = one.gradient_hessian(y, s, **arguments), one.loss(y, s, **arguments)
    for n_threads in (2, 3, 7):
        many = clone(objective).set_params(n_threads=n_threads)
        np.testing.assert_array_equal(many.gradient_hessian(y, s, **arguments), expected[0])
        assert many.loss(y, s, **arguments) == expected[1]


@examples(300)
@given(
    problems(sizes=SMALL, scores=["ordinary"], weights=["none", "some zero"]),
    objectives(kinds=[PairwiseLogistic, PairwiseSquared, PairwiseExponential, PairwiseSoftZeroOne], delta=False),
)
def test_the_gradient_is_the_finite_difference_of_the_loss(problem, objective) -> None:
    y, s, arguments, *_ = problem
    objective.set_params(normalize="none")
    gradient, _ = objective.gradient_hessian(y, s, **arguments)
    for row in range(y.size):
        step = np.zeros(y.size)
        step[row] = 1e-4
        up, down = (objective.loss(y, s + sign * step, **arguments) for sign in (1, -1))
        # The difference of two sums has the rounding of both.
        rounding = 1e-11 * max(abs(up), abs(down))
        assert (up - down) / 2e-4 == pytest.approx(gradient[row], rel=1e-5, abs=1e-9 + rounding)


# --- metrics ---------------------------------------------------------------------------------------------------------

NAMES = sorted({definition.name for definition in metrics.METRICS.values()})
TIED = [name for name in NAMES if name not in ("err", "spearman")]  # these have ties of their own


def values_of(name, y, s, **arguments):
    return metrics.METRICS[name].function(y, s, per_query=True, **arguments)


@pytest.mark.filterwarnings("ignore:no label reaches relevant")
@examples(600)
@given(problems(labels=["grades", "binary", "distinct", "equal"]), st.sampled_from(NAMES))
def test_a_metric_is_within_its_bounds_and_depends_on_the_order_alone(problem, name) -> None:
    y, s, arguments, *_ = problem
    arguments = {key: arguments.get(key) for key in ("group", "qid", "mask")}
    values = values_of(name, y, s, **arguments)
    low = -1.0 if name == "spearman" else 0.0
    defined = values[~np.isnan(values)]
    assert ((defined >= low - 1e-12) & (defined <= 1 + 1e-12)).all()
    distinct = np.unique(s)
    for monotone in (np.searchsorted(distinct, s), 3.0 * np.searchsorted(distinct, s) ** 3 - 1e6):
        np.testing.assert_allclose(values_of(name, y, monotone, **arguments), values, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:no label reaches relevant")
@examples(300)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=2, max_size=5),
    st.sampled_from(TIED),
    st.sampled_from([None, 1, 3]),
)
def test_equal_scores_count_as_the_mean_of_all_their_orders(rows, name, k) -> None:
    y, s = np.array(rows, dtype=float).T
    cut = {"k": k} if k is not None and name not in ("pair_accuracy", "auc", "spearman") else {}
    (value,) = values_of(name, y, s, **cut)
    assume(not np.isnan(value))
    orders = [
        values_of(name, y, s + 0.1 * np.array(order), **cut)[0] for order in itertools.permutations(range(y.size))
    ]
    assert value == pytest.approx(np.mean(orders), abs=1e-12)

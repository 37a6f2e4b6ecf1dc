"""Engines sum and do not finish: what is common to all of them, and queries that an engine cannot sum."""

from __future__ import annotations

import numpy as np
import pytest
from _support.engines import plan_of, spec_of, weight_of_labels

from gbdt_pairloss import BPR, PairwiseHinge, PairwiseLogistic, PairwiseSoftZeroOne
from gbdt_pairloss.engine.base import SummingEngine
from gbdt_pairloss.engine.cpu import native
from gbdt_pairloss.engine.reference import ReferenceEngine
from gbdt_pairloss.engine.select import cpu_engines, select_cpu_engine
from gbdt_pairloss.engine.spec import OUT_OF_RANGE

SIZES = [4, 30, 5, 1, 60]


class Refuses(SummingEngine):
    """The definition, which reports some queries as not summed and returns NaN for them."""

    def __init__(self, queries, fallback) -> None:
        self.queries, self.fallback = queries, fallback

    def supports(self, plan, spec):
        return True

    def sums(self, plan, scores, spec, dtype, *, loss=False):
        sums = ReferenceEngine().sums(plan, scores, spec, dtype, loss=loss)
        rows = plan.rows[plan.positions_of(self.queries)]
        sums.first[rows] = sums.second[rows] = np.nan
        sums.lambda_sum[self.queries] = sums.phi_sum[self.queries] = np.nan
        sums.status[self.queries] = OUT_OF_RANGE
        return sums


class Records(ReferenceEngine):
    """The definition, which records the rows that it sums over."""

    def __init__(self) -> None:
        self.rows = set()

    def sums(self, plan, scores, spec, dtype=None, *, loss=False):
        self.rows |= set(plan.rows.tolist())
        return super().sums(plan, scores, spec, dtype, loss=loss)


def problem(kind):
    """Return an objective's plan of a kind, scores, and what the objective asks for."""
    rng = np.random.default_rng(3)
    n = sum(SIZES)
    y, scores = rng.integers(0, 4, n).astype(float), rng.standard_normal(n)
    given = {"group": SIZES, "sample_weight": rng.random(n), "mask": rng.random(n) < 0.9}
    parameters = {}
    if kind == "explicit pairs":
        begin = np.repeat(np.cumsum([0, *SIZES[:-1]]), SIZES)
        winner = rng.permutation(np.repeat(np.flatnonzero(np.repeat(SIZES, SIZES) > 1), 3))
        size = np.repeat(SIZES, SIZES)[winner]
        loser = begin[winner] + (winner - begin[winner] + rng.integers(1, size)) % size
        given["pairs"] = (winner, loser, rng.random(winner.size))
    elif kind == "weights by a callable":
        parameters["pair_weight"] = weight_of_labels
    else:
        parameters["pair_weight"] = kind
    return y, scores, given, parameters


@pytest.mark.parametrize("kind", ["uniform", "label_diff", "ndcg", "weights by a callable", "explicit pairs"])
@pytest.mark.parametrize("normalize", ["none", "query", "log"])
def test_the_fallback_sums_the_queries_that_an_engine_refuses_and_no_others(kind, normalize) -> None:
    y, scores, given, parameters = problem(kind)
    objective = PairwiseLogistic(**parameters, normalize=normalize)
    plan, spec = plan_of(objective, y, scores, **given), spec_of(objective)
    fallback = Records()
    engine, exact = Refuses(np.array([1, 4]), fallback), ReferenceEngine()
    for method in ("gradient_hessian", "winner_loss"):
        results = getattr(engine, method)(plan, scores, spec, np.float32)
        for array, expected in zip(results, getattr(exact, method)(plan, scores, spec, np.float32), strict=True):
            np.testing.assert_array_equal(array, expected)
    refused = np.repeat(np.isin(np.arange(len(SIZES)), [1, 4]), SIZES) & given["mask"]
    assert fallback.rows == set(np.flatnonzero(refused).tolist())


@pytest.mark.parametrize("pair_weight", ["uniform", weight_of_labels])
@pytest.mark.parametrize("objective", [PairwiseLogistic(), PairwiseSoftZeroOne()])
def test_an_engine_made_of_another_reports_the_queries_that_the_other_refuses(objective, pair_weight) -> None:
    objective = type(objective)(pair_weight=pair_weight)
    y, scores = np.array([2.0, 0, 1, 0, 2, 0, 1]), np.array([1.0, -1, 0, 2, 1e300, 0, 1])
    plan, spec = plan_of(objective, y, scores, group=[3, 4]), spec_of(objective)
    engine = select_cpu_engine(1, plan, spec)
    for loss in (False, True):
        np.testing.assert_array_equal(engine.sums(plan, scores, spec, np.float64, loss=loss).status, [0, OUT_OF_RANGE])
    exact = ReferenceEngine().gradient_hessian(plan, scores, spec)
    for array, expected in zip(engine.gradient_hessian(plan, scores, spec), exact, strict=True):
        np.testing.assert_allclose(array, expected, rtol=1e-12, atol=1e-15)


OBJECTIVES = [
    PairwiseLogistic(),
    PairwiseLogistic(pair_weight="ndcg", normalize="query"),
    PairwiseLogistic(pair_weight=weight_of_labels),
    PairwiseHinge(pair_weight="label_diff"),
    PairwiseHinge(pair_weight="ndcg", normalize="query"),
    PairwiseSoftZeroOne(),
    BPR(negatives=2, random_state=1),
]


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("explicit", [False, True])
def test_every_engine_that_supports_a_sum_computes_it(objective, explicit) -> None:
    y, scores, given, _ = problem("explicit pairs")
    y = (y > 1).astype(float) if isinstance(objective, BPR) else y
    if explicit and (objective.pair_weight != "uniform" or isinstance(objective, BPR)):
        pytest.skip("explicit pairs have no pair weight and no negatives")
    given = given if explicit else {**given, "pairs": None}
    plan, spec = plan_of(objective, y, scores, **given), spec_of(objective)
    engines = [engine for engine in cpu_engines(1) if engine.supports(plan, spec)]
    assert engines
    exact = ReferenceEngine()
    for engine in engines:
        for method in ("gradient_hessian", "winner_loss"):
            results = getattr(engine, method)(plan, scores, spec, np.float64)
            for array, expected in zip(results, getattr(exact, method)(plan, scores, spec), strict=True):
                np.testing.assert_allclose(array, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_without_the_compiled_module_the_definition_is_the_only_engine(objective, monkeypatch) -> None:
    monkeypatch.setattr(native, "native", lambda: None)
    y, scores, given, _ = problem("uniform")
    y = (y > 1).astype(float) if isinstance(objective, BPR) else y
    plan, spec = plan_of(objective, y, scores, **given), spec_of(objective)
    assert type(select_cpu_engine(1, plan, spec)) is ReferenceEngine

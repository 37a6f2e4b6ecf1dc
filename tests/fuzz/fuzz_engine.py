"""Fuzz the CPU engines with random plans and hostile scores, and compare with the definition.

Run it on a build with AddressSanitizer (.ci/sanitize with FUZZ_SECONDS), or as it is:

    python tests/fuzz/fuzz_engine.py --seconds 60
    python tests/fuzz/fuzz_engine.py --seed 7 --case 1234      # a case again

Each case draws an objective, labels, scores and weights. Scores that are not finite must be an error, and must not
crash an engine that gets them unchecked. Results for finite scores must be finite, the same bits for any number of
threads, and, for queries that are small enough, those of the definition within the bounds of ``_support/engines.py``.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from _support.engines import assert_matches, cpu_engine, plan_of, reference_engine, spec_of

from gbdt_pairloss import (
    BPR,
    PairwiseExponential,
    PairwiseHinge,
    PairwiseLogistic,
    PairwiseMeanSquaredError,
    PairwiseSoftZeroOne,
    PairwiseSquared,
)

#: Rows of a query up to which the definition, in O(pairs), is fast enough.
COMPARED = 4000

LABELS = {
    "grades": lambda rng, n: rng.integers(0, 5, n).astype(float),
    "binary": lambda rng, n: (rng.random(n) < 0.1).astype(float),
    "distinct": lambda rng, n: rng.uniform(0, 4, n),
    "many": lambda rng, n: rng.integers(0, 100, n) / 8,
    "near a million": lambda rng, n: 1e6 + rng.integers(0, 7, n) / 8,
    "equal": lambda rng, n: np.ones(n),
    "one winner": lambda rng, n: (np.arange(n) == n // 3).astype(float),
}
#: Scores for which every loss keeps its bounds, and scores for which only some do.
TAME = {
    "ordinary": lambda rng, n: rng.normal(size=n),
    "ties": lambda rng, n: np.round(rng.normal(size=n)),
    "equal": lambda rng, n: np.full(n, 0.3),
    "zeros": lambda rng, n: np.where(rng.random(n) < 0.5, 0.0, -0.0),
    "tiny": lambda rng, n: 1e-30 * rng.normal(size=n),
    "denormal": lambda rng, n: 5e-324 * rng.integers(-9, 10, n),
}
WILD = {
    "20 apart": lambda rng, n: np.where(rng.random(n) < 0.5, 20.0, 0.0) + rng.normal(size=n),
    "1000 apart": lambda rng, n: np.where(rng.random(n) < 0.5, 1000.0, 0.0) + rng.normal(size=n),
    "far from zero": lambda rng, n: 1e9 + np.round(rng.normal(size=n), 2),
    "outlier": lambda rng, n: np.where(np.arange(n) == n // 2, 1e30, rng.normal(size=n)),
    "huge": lambda rng, n: 1e30 * rng.normal(size=n),
    "widths": lambda rng, n: np.sign(rng.normal(size=n)) * 10.0 ** rng.uniform(-30, 30, n),
    "largest": lambda rng, n: rng.choice([-1.0, 1.0, 0.5], n) * np.finfo(np.float64).max,
}
NOT_FINITE = {
    "NaN": lambda rng, n: np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
    "infinite": lambda rng, n: np.where(rng.random(n) < 0.2, rng.choice([-np.inf, np.inf], n), rng.normal(size=n)),
    "all infinite": lambda rng, n: np.full(n, np.inf),
}
SCORES = {**TAME, **WILD, **NOT_FINITE}
#: Item and loser weights. The sums of losses have the rounding of a query's largest weight: weights are of one size.
WEIGHTS = {
    "none": lambda rng, n: None,
    "some zero": lambda rng, n: np.where(rng.random(n) < 0.2, 0.0, rng.uniform(0.1, 5, n)),
    "all zero": lambda rng, n: np.zeros(n),
}
LOSSES = [
    *[PairwiseLogistic] * 4,
    *(BPR, PairwiseHinge, PairwiseSquared, PairwiseExponential, PairwiseSoftZeroOne, PairwiseMeanSquaredError),
]


@dataclass
class Case:
    """One problem: an objective, and arguments of ``gradient_hessian``."""

    objective: object
    y: np.ndarray
    scores: np.ndarray
    arguments: dict
    dtype: type
    kinds: dict = field(default_factory=dict)

    @property
    def is_finite(self) -> bool:
        return self.kinds["scores"] not in NOT_FINITE

    @property
    def is_compared(self) -> bool:
        """Whether the definition supports the sum, and the engine promises its bounds for these scores."""
        if self.y.size == 0 or max(self.arguments["group"]) > COMPARED:
            return False
        name = self.objective.pair_loss.name
        if "pairs" in self.arguments or getattr(self.objective, "negatives", "all") != "all":
            return False
        if (
            self.dtype == np.float64 and np.abs(self.scores).max() > 500 * self.objective.temperature
        ):  # scores over the temperature round to 1e-16 of their size
            return False
        return self.kinds["scores"] in TAME or name in ("logistic", "squared_residual")

    def __str__(self) -> str:
        listed = ", ".join(f"{name}: {kind}" for name, kind in self.kinds.items())
        return f"{self.objective!r}, {self.dtype.__name__}, group {self.arguments['group']}, {listed}"


def pick(rng, values):
    """Draw one of a sequence of any objects."""
    values = list(values)
    return values[int(rng.integers(len(values)))]


def draw_sizes(rng):
    """Draw the rows of each query: mostly a few small queries, now and then a large one."""
    luck = rng.random()
    if luck < 0.002:
        return [70_000]
    if luck < 0.02:
        return [3000, int(rng.integers(0, 200))]
    return rng.integers(0, pick(rng, [4, 20, 201]), int(rng.integers(1, 9))).tolist()


def draw_objective(rng):
    """Draw an objective with any parameters that a CPU engine reads."""
    kind = pick(rng, LOSSES)
    if kind is PairwiseMeanSquaredError:
        return kind(
            temperature=pick(rng, [1.0, 1.0, 0.1, 3.0]),
            normalize=pick(rng, ["query", "none"]),
            item_weight=pick(rng, ["winner", "both"]),
        )
    ranked = rng.random() < 0.3
    parameters = {
        "temperature": pick(rng, [1.0, 1.0, 0.1, 3.0]),
        "pair_weight": pick(rng, ["ndcg", "lambdarank"] if ranked else ["uniform", "label_diff", "gain_diff"]),
        "gain": pick(rng, ["exp2", "linear"]),
        "truncation": pick(rng, [None, 1, 10]) if ranked else None,
        "rank_noise": pick(rng, [0.0, 0.0, 1.0, 10.0]) if ranked else None,
        "normalize": pick(rng, ["log", "query", "none"]),
        "item_weight": pick(rng, ["winner", "both"]),
        "hessian_scale": pick(rng, [1.0, 2.0]),
    }
    if kind is BPR and parameters["pair_weight"] == "uniform" and rng.random() < 0.7:
        parameters |= {"negatives": pick(rng, [1, 3]), "random_state": 0}
    return kind(**parameters)


def draw_case(rng) -> Case:
    """Draw a case."""
    objective, sizes = draw_objective(rng), draw_sizes(rng)
    n = sum(sizes)
    kinds = {
        "labels": pick(rng, ["binary", "one winner"] if n > COMPARED else LABELS),
        "scores": pick(rng, SCORES),
        "item weights": pick(rng, WEIGHTS),
        "loser weights": pick(rng, ["none", "none", "some zero"]),
    }
    is_regression = isinstance(objective, PairwiseMeanSquaredError)
    if kinds["labels"] == "near a million" and not is_regression and (objective.gain == "exp2" or objective.truncation):
        kinds["labels"] = "grades"  # 2^y overflows
    y, scores = LABELS[kinds["labels"]](rng, n), SCORES[kinds["scores"]](rng, n)
    arguments = {
        "group": sizes,
        "sample_weight": WEIGHTS[kinds["item weights"]](rng, n),
        "loser_weight": WEIGHTS[kinds["loser weights"]](rng, n),
        "mask": pick(rng, [None, None, rng.random(n) < 0.7]),
    }
    takes_pairs = getattr(objective, "pair_weight", "") == "uniform" and getattr(objective, "negatives", "all") == "all"
    if takes_pairs and rng.random() < 0.15:
        rows = np.split(np.arange(n), np.cumsum(sizes)[:-1])
        pairs = [rng.choice(own, 2, replace=False) for own in rows if own.size > 1 for _ in range(5)]
        if pairs:
            arguments["pairs"] = tuple(np.transpose(pairs))
    return Case(objective, y, scores, arguments, pick(rng, [np.float32, np.float64]), kinds)


def check(case: Case) -> None:
    """Raise an AssertionError if the results of a case are wrong."""
    plan, spec = plan_of(case.objective, case.y, np.zeros(case.y.size), **case.arguments), spec_of(case.objective)
    # Scores of infinity and NaN reach an engine only if a check before it fails.
    if not case.is_finite:
        for n_threads in (1, 3):
            engine = cpu_engine(plan, spec, n_threads)
            for sums in (engine.gradient_hessian, engine.winner_loss):
                with contextlib.suppress(ValueError, OverflowError):
                    sums(plan, case.scores, spec, case.dtype)
        if np.isfinite(case.scores[plan.rows]).all():  # rows that take no part may have any score
            return
        try:
            case.objective.gradient_hessian(case.y, case.scores.astype(case.dtype), **case.arguments)
        except ValueError:
            return
        raise AssertionError("scores that are not finite were accepted")
    with np.errstate(over="ignore"):
        scores = case.scores.astype(case.dtype)
    if np.isfinite(scores).all():
        results = [attempt(plan, spec, scores.astype(float), case.dtype, n_threads) for n_threads in (1, 3)]
        for one, other in zip(*results, strict=True):
            assert one.tobytes() == other.tobytes(), "results depend on the number of threads"
            assert np.isfinite(one).all(), "results are not finite"
        if case.is_compared and results[0]:
            engine = cpu_engine(plan, spec, 2)
            loss = case.objective.pair_loss.name != "hinge" or np.ptp(scores) < 100
            assert_matches(reference_engine(), engine, case.objective, plan, scores.astype(float), case.dtype, loss)
        check_public(case, scores)


def attempt(plan, spec, scores, dtype, n_threads):
    """Return the results of the CPU engine; none if it refuses: out of range, or too few losers to draw from."""
    engine = cpu_engine(plan, spec, n_threads)
    try:
        return [*engine.gradient_hessian(plan, scores, spec, dtype), engine.winner_loss(plan, scores, spec, dtype)[0]]
    except ValueError as error:
        if not any(words in str(error) for words in ("range", "loss overflows", "draw fewer")):
            raise
        return []


def check_public(case: Case, scores) -> None:
    """Check that the public functions accept the case, except for results that leave the range of the type."""
    with contextlib.suppress(ValueError):
        results = case.objective.gradient_hessian(case.y, scores, **case.arguments)
        loss = case.objective.loss(case.y, scores, **case.arguments)
        assert all(np.isfinite(array).all() for array in (*results, loss)), "public results are not finite"


def main() -> None:
    """Run cases until the time is over or a case fails."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, help="run this case only")
    options = parser.parse_args()
    warnings.simplefilter("error")
    end = time.monotonic() + options.seconds
    number = 0 if options.case is None else options.case
    while True:
        case = draw_case(np.random.default_rng((options.seed, number)))
        if options.case is not None:
            print(case)
        try:
            # A crash ends the process: the last number printed is that of the case.
            print(f"\rseed {options.seed}, case {number}", end="", flush=True)
            check(case)
        except Exception:
            print(f"\n{case}")
            raise
        number += 1
        if options.case is not None or time.monotonic() > end:
            break
    print(": the last of the cases, none of which failed")


if __name__ == "__main__":
    main()

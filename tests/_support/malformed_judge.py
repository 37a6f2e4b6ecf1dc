"""Run cases of malformed.py in a process that may crash or hang, and report how each ended."""

from __future__ import annotations

import collections
import faulthandler
import json
import linecache
import re
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np

import gbdt_pairloss
from _support.engines import BOUNDS, plan_of, share_of_largest, spec_of
from _support.malformed import case_of
from _support.malformed_fits import case_of as case_of_fit
from _support.malformed_fits import fitted, plain
from gbdt_pairloss.engine.reference import ReferenceEngine

PACKAGE = str(Path(gbdt_pairloss.__file__).parent)

#: Seconds that one case may take before the process ends with a traceback.
LIMIT = 60

#: Messages of the boosters that are clear: about columns of tables, and about callables.
PLAIN = re.compile(
    "pandas dtypes must be|DataFrame.dtypes for data must be|expected: |Self-defined eval function should have"
)


def complaint(error, names=()):
    """Return a complaint about an error, or None if the package raises it and names a wrong argument."""
    if not isinstance(error, (ValueError, TypeError)):
        return f"{type(error).__name__}: {error}"
    if PLAIN.search(str(error)):
        return None
    last = traceback.extract_tb(error.__traceback__)[-1]
    from_package = last.filename.startswith(PACKAGE) and linecache.getline(
        last.filename, last.lineno
    ).strip().startswith("raise")
    if not (from_package or last.filename.endswith(("/sklearn/utils/validation.py", "/sklearn/base.py"))):
        return f"not raised by the package, but at {last.filename}:{last.lineno}: {type(error).__name__}: {error}"
    if names and not any(re.search(rf"\b{name}\b", str(error)) for name in names):
        return f"names none of {names}: {error}"
    return None


def judge(number, method):
    """Return how a case ends ("error" or "result"), a complaint or None, and the case."""
    case = case_of(number, method)
    expected_error = bool(case.names) and not case.anything
    given = dict(case.given)
    try:
        result = getattr(case.objective, method)(given.pop("y_true"), given.pop("y_pred"), **given)
    except Exception as error:
        text = str(error)
        wrong = complaint(error, case.names if expected_error else ())
        if wrong is None and not expected_error and not case.anything and not allowed(text, case):
            wrong = f"a sound problem is refused: {text}"
        return "error", wrong, case
    if expected_error:
        return "result", "a fault went unnoticed", case
    if not all(np.isfinite(array).all() for array in np.atleast_1d(np.asarray(result, dtype=float))):
        return "result", f"not finite: {result}", case
    if case.anything:
        return "result", None, case
    return "result", difference(case, method, result), case


def judge_fit(number, ranker):
    """Judge a fit. Its predictions must be finite, and those of plain arrays if the problem is sound."""
    case = case_of_fit(number, ranker)
    expected_error = bool(case.names)
    try:
        model = fitted(ranker, case.exact["params"], dict(case.given))
    except Exception as error:
        wrong = complaint(error, case.names)
        if wrong is None and not expected_error and not case.anything and "nothing can be learned" not in str(error):
            wrong = f"a sound problem is refused: {error}"
        return "error", wrong, case
    if expected_error:
        return "result", "a fault went unnoticed", case
    scores = model.predict(np.zeros((3, model.n_features_in_)) if case.anything else case.given["X"])
    if not np.isfinite(scores).all():
        return "result", f"not finite: {scores}", case
    if not case.anything and "X: sparse" not in case.what:  # zeros of a sparse matrix are missing values to XGBoost
        expected = fitted(ranker, case.exact["params"], plain(case, ranker)).predict(case.exact["X"])
        if not np.array_equal(scores, expected):
            return "result", f"{scores} instead of {expected}", case
    return "result", None, case


def allowed(text, case):
    """Return True if a sound problem may be refused: the exact result leaves the range of its type."""
    if "the range of float" not in text and "the exponential loss overflows" not in text:
        return False
    exact = listed_sums(case) if "pairs" in case.exact else sums(case)
    return max(np.abs(values).max(initial=0.0) for values in map(np.atleast_1d, exact)) > 1e38


def difference(case, method, result):
    """Return a complaint if a result is too far from the definition, else None."""
    loss, weight, n_pairs, gradient, hessian = listed_sums(case) if "pairs" in case.exact else sums(case)
    if method == "loss":
        dtype = np.float32 if np.asarray(case.given["y_pred"]).dtype == np.float32 else np.float64
        n, given = float(loss.size), case.exact.get("sample_weight", np.ones(loss.size))
        divisor = {"pairs": n_pairs, "pair_weights": weight.sum(), "mean_with_sample_weight": given.sum()}
        divisor |= {"mean": n, "sum_over_batch_size": n, "sum": 1.0, "none": 1.0}
        by = divisor[case.reduction]
        expected = (loss if case.reduction == "none" else loss.sum()) / by if by > 0 else 0.0
        tolerance = BOUNDS[dtype][2] * max(np.abs(expected).max(initial=0.0), float(np.finfo(np.float32).tiny))
        if np.abs(np.ravel(result) - expected).max(initial=0.0) <= tolerance:
            return None
        return f"{result} instead of {expected}"
    bounds = BOUNDS[result[0].dtype.type]
    for array, exact, bound in zip(result, (gradient, hessian), bounds, strict=False):
        if array.size == 0:
            continue
        error = array.ravel().astype(float) - exact
        share = share_of_largest(error, exact, case.exact["codes"], 3 * np.finfo(np.float32).smallest_subnormal)
        if share > bound:
            return f"{share:.1e} of the largest away: {array.ravel()} instead of {exact}"
    return None


def sums(case):
    """Return losses, weights, number of pairs, gradient and Hessian of the pairs of labels, by the reference engine."""
    exact, objective = case.exact, case.objective
    order = np.argsort(exact["codes"], kind="stable")
    rows = {name: exact[name][order] for name in ("loser_weight", "mask", "item_id") if name in exact}
    weight = exact.get("sample_weight")
    if weight is not None:
        rows["sample_weight"] = weight[order] if weight.size == order.size else weight
    scores = exact["y_pred"][order]
    plan = plan_of(objective, exact["y_true"][order], scores, group=exact["sizes"], **rows)
    pairs, engine = spec_of(objective), ReferenceEngine()
    results = np.zeros((4, order.size))
    results[:, order] = (*engine.winner_loss(plan, scores, pairs), *engine.gradient_hessian(plan, scores, pairs))
    return *results[:2], plan.n_pairs.sum(), *results[2:]


def listed_sums(case):
    """Return the same for explicit pairs, computed pair by pair."""
    exact, pairs = case.exact, spec_of(case.objective)
    n, codes, scores = exact["y_pred"].size, exact["codes"], exact["y_pred"]
    mask = exact.get("mask", np.ones(n, dtype=bool))
    weight = exact.get("sample_weight", np.ones(n))
    query_weight = weight if weight.size != n else np.ones(codes.max(initial=0) + 1)
    weight = weight if weight.size == n else np.ones(n)
    losing = exact.get("loser_weight", np.ones(n))
    if case.objective.item_weight == "both":
        losing = losing * weight
    winner, loser, *of_pairs = exact["pairs"]
    of_pair = of_pairs[0] if of_pairs else np.ones(winner.size)
    n_pairs, results = 0, np.zeros((4, n))
    for query in np.unique(codes):
        own = [p for p in range(winner.size) if codes[winner[p]] == query and mask[winner[p]] and mask[loser[p]]]
        if not own:
            continue
        i, j = winner[own], loser[own]
        value, slope, curve = pairs.pair_loss.derivatives((scores[i] - scores[j]) / pairs.temperature)
        factor = query_weight[query]
        if pairs.normalize == "query":
            factor *= mask[codes == query].sum() / len(own)
        elif pairs.normalize == "log":
            strength = 2 * np.abs(slope).sum() / pairs.temperature
            factor *= np.log1p(strength) / np.log(2) / strength if strength > 0 else 1 / np.log(2)
        omega = factor * weight[i] * losing[j] * of_pair[own]
        n_pairs += len(own)
        np.add.at(results[0], i, omega * value)
        np.add.at(results[1], i, omega)
        for rows, sign in ((i, 1), (j, -1)):
            np.add.at(results[2], rows, sign * omega * slope / pairs.temperature)
            np.add.at(results[3], rows, omega * curve / pairs.temperature**2 * pairs.hessian_scale)
    return *results[:2], n_pairs, *results[2:]


def main(method, first, last):
    counts, wrong = collections.Counter(), []
    warnings.simplefilter("error")
    if method.endswith("Ranker"):
        warnings.simplefilter("ignore", UserWarning)  # about data without anything to learn
    for number in range(first, last):
        print(f"case {number}", file=sys.stderr)
        faulthandler.dump_traceback_later(LIMIT, exit=True)
        ending, complaint_, case = (judge_fit if method.endswith("Ranker") else judge)(number, method)
        kind = "fault" if case.names and not case.anything else "anything" if case.anything else "sound"
        counts[f"{kind}: {ending}"] += 1
        if complaint_ is not None:
            wrong.append(f"case {number} ({type(case.objective).__name__}; {'; '.join(case.what)}): {complaint_}")
    faulthandler.cancel_dump_traceback_later()
    print(json.dumps({"counts": counts, "wrong": wrong}))

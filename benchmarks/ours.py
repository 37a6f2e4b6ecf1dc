"""Our objective, called as the rankers call it every round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from shapes import Ranking
from timing import Candidate, RefusedError, timed

# Blocks of a ranking: enough to compile the kernels on, and to see how the time grows.
_PARTS, _FEWEST = (0.04, 0.16), 2_000

# Two when the plan is new, one to warm up, one sample.
_FEWEST_CALLS = 4


def make_call(data: Ranking, threads: int, **params: Any) -> Callable[[], Any]:
    """A function from nothing to the gradient and Hessian of the ranking's scores, on a plan built once.

    Raises
    ------
    RefusedError
        If the installed version does not know the parameters.
    """
    # Here, so that a process that times compilation has imported nothing yet.
    from gbdt_pairloss import PairwiseLogistic

    try:
        objective = PairwiseLogistic(n_threads=threads, device="cpu", **params)
    except (TypeError, ValueError):  # of an unknown parameter or value
        raise RefusedError("not in this version") from None
    return boost_call(objective, data)


def boost_call(objective: Any, data: Ranking, pairs: Any = None) -> Callable[[], Any]:
    """The same of any objective of ours, on explicit pairs if there are some."""
    from gbdt_pairloss.objectives._diagnostics import TrainingWatch
    from gbdt_pairloss.ranking._reading import read_arrays

    evaluator = objective._evaluator()
    plan = evaluator.plan(read_arrays(data.labels, data.scores, group=data.sizes, pairs=pairs).data)
    watch = TrainingWatch(0.0)
    # The watch looks at the first two rounds; what is timed is a round after these.
    evaluator.boost(plan, 0.5 * data.scores, watch)
    evaluator.boost(plan, data.scores, watch)
    return lambda: evaluator.boost(plan, data.scores, watch)


def our_candidate(make: Callable[[float], Ranking], threads: int, limit: float, **params: Any) -> Candidate:
    """Our objective on a ranking; refused where small parts of it say that it takes too long."""

    def start() -> Callable[[], float]:
        call = make_affordable_call(make, threads, limit, **params)
        return lambda: timed(call)

    return Candidate(our_name(params), "all", start)


def make_affordable_call(
    make: Callable[[float], Ranking], threads: int, limit: float, **params: Any
) -> Callable[[], Any]:
    """``make_call`` on the whole, unless a few calls would take longer than the limit.

    Raises
    ------
    RefusedError
        If they would, or if the installed version does not know the parameters.
    """
    whole = make(1.0)
    parts = [make(min(1.0, max(part, _FEWEST / whole.n_docs))) for part in _PARTS]
    if _extrapolated(parts, whole.n_docs, threads, params) * _FEWEST_CALLS > limit:
        raise RefusedError("not run")
    return make_call(whole, threads, **params)


def _extrapolated(parts: list[Ranking], n_docs: int, threads: int, params: dict[str, Any]) -> float:
    """Seconds expected of a call, as a power of the number of documents between the first and the second."""
    small, large = (part.n_docs for part in parts)
    calls = [make_call(part, threads, **params) for part in parts]
    seconds = [min(timed(call) for _ in range(3)) for call in calls]
    power = 1.0 if small == large else float(np.log(seconds[1] / seconds[0]) / np.log(large / small))
    return float(seconds[1] * (n_docs / large) ** min(2.0, max(1.0, power)))


def our_name(params: dict[str, Any]) -> str:
    return "gbdt_pairloss" + "".join(
        f", noise {value:g}" if name == "rank_noise" else f", {value}" for name, value in params.items()
    )

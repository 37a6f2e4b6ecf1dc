"""Our objective, called as the rankers call it every round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shapes import Ranking
from timing import Candidate, RefusedError, timed

# Of a ranking's documents: enough to compile the kernels on, and to see how long the whole will take.
_SMALL, _FEWEST = 0.01, 2_000


def make_call(data: Ranking, threads: int, **params: Any) -> Callable[[], Any]:
    """A function from nothing to the gradient and Hessian of the ranking's scores, on a plan built once.

    Raises
    ------
    RefusedError
        If the installed version does not know the parameters.
    """
    # Here, so that a process that times compilation has imported nothing yet.
    from gbdt_pairloss import PairwiseLogistic
    from gbdt_pairloss.data import read_arrays
    from gbdt_pairloss.training import TrainingWatch

    try:
        objective = PairwiseLogistic(n_threads=threads, device="cpu", **params)
    except ValueError:
        raise RefusedError("not in this version") from None
    plan = objective.plan(read_arrays(data.labels, data.scores, group=data.sizes).data)
    watch = TrainingWatch(0.0)
    # The watch looks at the first two rounds; what is timed is a round after these.
    objective.boost(plan, 0.5 * data.scores, watch)
    objective.boost(plan, data.scores, watch)
    return lambda: objective.boost(plan, data.scores, watch)


def our_candidate(make: Callable[[float], Ranking], threads: int, limit: float, **params: Any) -> Candidate:
    """Our objective on a ranking; refused where a hundredth of it says that it takes too long."""

    def start() -> Callable[[], float]:
        whole = make(1.0)
        small = make(min(1.0, max(_SMALL, _FEWEST / whole.n_docs)))
        if timed(make_call(small, threads, **params)) * whole.n_docs / small.n_docs > limit:
            raise RefusedError("not run")
        call = make_call(whole, threads, **params)
        return lambda: timed(call)

    return Candidate(our_name(params), "all", start)


def our_name(params: dict[str, Any]) -> str:
    return "gbdt_pairloss" + "".join(f", {value}" for value in params.values())

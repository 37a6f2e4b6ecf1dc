"""Choose the engine for a plan and a sum.

To add an engine, put it in a folder beside ``cpu`` and ``cuda``, or in one of these, and add a branch here.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import _device
from ..ranking._explicit_plan import ExplicitPlan
from ..ranking._plan import Plan
from ..ranking._table_plan import TablePlan
from .spec import Engine, PairSum


def unsupported_on_cuda(spec: PairSum) -> str | None:
    """Return the part of a sum that the CUDA engine does not support, in words, or None if it supports all of it."""
    if spec.pair_loss.name != "logistic":
        return f"the {spec.pair_loss.name} loss"
    return None if spec.negatives is None else "drawn negatives"


def select_engine(device: str, n_threads: int | None, plan: Plan, spec: PairSum, scores: Any = None) -> Engine:
    """Return the fastest engine for a plan and a sum.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        "auto" is "cuda" if the scores are on a CUDA device, the CUDA engine supports the sum, and it is expected to be
        faster than the CPU. Otherwise it is "cpu".
    n_threads : int or None
        Threads of an engine on the CPU. None: as many as this process may use.
    plan : Plan
    spec : PairSum
    scores : array, optional
        Only read for the device that they are on.

    Raises
    ------
    ValueError
        For ``device="cuda"``, if the CUDA engine does not support the sum.
    RuntimeError
        For ``device="cuda"``, if there is no device.
    """
    on_device = _device.is_on_device(scores)
    if device == "cuda" or (device == "auto" and on_device):
        # Imported when first needed: the CUDA engine takes its tables from modules that import Numba.
        from .cuda.engine import GPUEngine, is_expected_to_be_faster

        unsupported = unsupported_on_cuda(spec)
        if unsupported is None and (device == "cuda" or is_expected_to_be_faster(plan, spec)):
            where = _device.device_of(scores) if on_device else _device.cuda_device()
            return GPUEngine(where, partial(select_cpu_engine, n_threads))
        if device == "cuda":
            raise ValueError(f'device="cuda" does not support {unsupported}: use device="auto" or "cpu"')
    return select_cpu_engine(n_threads, plan, spec)


def select_cpu_engine(n_threads: int | None, plan: Plan, spec: PairSum) -> Engine:
    """Return the fastest engine on the CPU for a plan and a sum.

    Notes
    -----
    The first of these rules that applies decides:

    1. explicit pairs and drawn negatives: ``PairByPairEngine``, since other engines sum over all ordered pairs;
    2. the logistic loss: ``CPUEngine``, the only fast engine that supports |delta NDCG|;
    3. the other losses with |delta NDCG|: ``PairByPairEngine``;
    4. the soft zero-one loss: ``SoftZeroOneEngine``, which splits a table plan itself;
    5. the hinge, squared and exponential losses: ``SeparableEngine``;
    6. custom losses: ``PairByPairEngine``.

    For a plan with a table of weights, ``TableEngine`` wraps the engines of 2 and 5.
    """
    # Imported when first needed, because these modules import Numba.
    from .cpu.engine import PAIR_LOSSES, CPUEngine
    from .cpu.pair_by_pair import PairByPairEngine
    from .cpu.separable import SEPARABLE_LOSSES, SeparableEngine
    from .cpu.soft_zero_one import SoftZeroOneEngine
    from .cpu.tables import TableEngine

    name = spec.pair_loss.name
    if isinstance(plan, ExplicitPlan) or spec.negatives is not None:
        return PairByPairEngine(n_threads)
    if name in PAIR_LOSSES:
        engine: CPUEngine | SeparableEngine = CPUEngine(n_threads)
    elif spec.delta is not None:
        return PairByPairEngine(n_threads)
    elif name == "soft_zero_one":
        return SoftZeroOneEngine(n_threads)
    elif name in SEPARABLE_LOSSES:
        engine = SeparableEngine(n_threads)
    else:
        return PairByPairEngine(n_threads)
    return TableEngine(engine) if isinstance(plan, TablePlan) else engine

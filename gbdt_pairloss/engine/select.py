"""Choose the engine for a plan and a sum. To add an engine: a folder beside ``cpu`` and ``cuda``, and a branch here."""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import _device
from ..ranking._explicit_plan import ExplicitPlan
from ..ranking._plan import Plan
from ..ranking._table_plan import TablePlan
from .spec import Engine, PairSum


def unsupported_on_cuda(spec: PairSum) -> str | None:
    """Return what the CUDA engine does not support of a sum; None if it supports it."""
    if spec.pair_loss.name != "logistic":
        return f"the {spec.pair_loss.name} loss"
    return None if spec.negatives is None else "drawn negatives"


def select_engine(device: str, n_threads: int | None, plan: Plan, spec: PairSum, scores: Any = None) -> Engine:
    """Return the fastest engine for a plan and a sum.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
    n_threads : int or None
        Threads of an engine on the CPU; None: all cores.
    plan : Plan
    spec : PairSum
    scores : array, optional
        If they are on a CUDA device, "auto" computes there, provided that the CUDA engine supports the sum and is
        expected to be faster.

    Raises
    ------
    ValueError
        For ``device="cuda"``, if the CUDA engine does not support the sum.
    RuntimeError
        For ``device="cuda"``, if there is no device.
    """
    on_device = _device.is_on_device(scores)
    if device == "cuda" or (device == "auto" and on_device):
        from .cuda.engine import GPUEngine, pays  # its tables are made by code that imports Numba

        missing = unsupported_on_cuda(spec)
        if missing is None and (device == "cuda" or pays(plan, spec)):
            where = _device.device_of(scores) if on_device else _device.cuda_device()
            return GPUEngine(where, partial(select_cpu_engine, n_threads))
        if device == "cuda":
            raise ValueError(f'device="cuda" does not support {missing}: use device="auto" or "cpu"')
    return select_cpu_engine(n_threads, plan, spec)


def select_cpu_engine(n_threads: int | None, plan: Plan, spec: PairSum) -> Engine:
    """Return the fastest engine on the CPU for a plan and a sum."""
    # Imported when first needed: these import Numba.
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

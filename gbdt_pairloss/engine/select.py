"""Choose the engine for a plan and a sum.

To add an engine, put it in a folder beside ``cpu`` and ``cuda``, or in one of these. An engine on the CPU becomes an
entry of :func:`cpu_engines`, an engine of another device a branch of :func:`select_engine`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from .. import _device
from ..ranking._plan import Plan
from .base import SummingEngine
from .cuda.support import unsupported
from .reference import ReferenceEngine
from .spec import Engine, PairSum


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
        # Imported when first needed, because most processes have no device.
        from .cuda.engine import GPUEngine, is_expected_to_be_faster

        missing = unsupported(spec)
        if missing is None and (device == "cuda" or is_expected_to_be_faster(plan, spec)):
            where = _device.device_of(scores) if on_device else _device.cuda_device()
            return GPUEngine(where, partial(select_cpu_engine, n_threads))
        if device == "cuda":
            raise ValueError(f'device="cuda" does not support {missing}: use device="auto" or "cpu"')
    return select_cpu_engine(n_threads, plan, spec)


def select_cpu_engine(n_threads: int | None, plan: Plan, spec: PairSum) -> SummingEngine:
    """Return the first engine on the CPU that supports a sum over the pairs of a plan."""
    return next(engine for engine in cpu_engines(n_threads) if engine.supports(plan, spec))


def cpu_engines(n_threads: int | None) -> list[SummingEngine]:
    """Return the engines on the CPU: an engine is faster than those after it, for every sum that both support.

    Every sum is supported by one of them. Without the compiled module it is the only one.
    """
    # Imported when first needed: they load the compiled module.
    from .cpu.native import native

    if native() is None:
        return [ReferenceEngine()]
    from .cpu.engine import CPUEngine
    from .cpu.pair_by_pair import PairByPairEngine
    from .cpu.residuals import ResidualEngine
    from .cpu.separable import SeparableEngine
    from .cpu.soft_zero_one import SoftZeroOneEngine
    from .cpu.tables import TableEngine

    logistic, separable, pair_by_pair = CPUEngine(n_threads), SeparableEngine(n_threads), PairByPairEngine(n_threads)
    return [
        logistic,
        separable,
        SoftZeroOneEngine(logistic, pair_by_pair),
        TableEngine(logistic, pair_by_pair),
        TableEngine(separable, pair_by_pair),
        ResidualEngine(n_threads),
        pair_by_pair,
    ]

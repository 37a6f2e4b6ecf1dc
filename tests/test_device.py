"""Without a CUDA device, ``device="cuda"`` raises an error that says why there is none."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from gbdt_pairloss import PairwiseLogistic
from gbdt_pairloss import _device as cuda
from gbdt_pairloss._device import has_device


class Fails(Exception):
    pass


def fail(*arguments):
    raise Fails("as it happens")


def cupy_that(**functions):
    """Return a module that behaves as CuPy does where some of its functions behave otherwise."""
    runtime = SimpleNamespace(is_hip=False, getDeviceCount=lambda: 1)
    vars(runtime).update({name: value for name, value in functions.items() if name != "compile"})
    kernel = SimpleNamespace(compile=functions.get("compile", lambda: None))
    module = ModuleType("cupy")
    vars(module).update(cuda=SimpleNamespace(runtime=runtime), RawKernel=lambda code, name: kernel)
    return module


@pytest.mark.parametrize(
    ("cupy", "reason"),
    [
        (None, r"CuPy cannot be imported .* Install gbdt_pairloss\[cuda12\] or gbdt_pairloss\[cuda13\]"),
        (cupy_that(getDeviceCount=lambda: 0), "the driver reports none"),
        (cupy_that(getDeviceCount=fail), "CuPy raises Fails: as it happens"),
        (cupy_that(compile=fail), "CuPy raises Fails: as it happens"),
        (cupy_that(is_hip=True), "this CuPy is for ROCm"),
    ],
)
def test_the_error_gives_the_reason_why_there_is_no_device(cupy, reason, problem, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    cuda._connected.cache_clear()
    try:
        with pytest.raises(RuntimeError, match=f"there is no CUDA device to compute on: {reason}"):
            PairwiseLogistic(device="cuda").gradient_hessian(problem.y, problem.scores, group=problem.sizes)
        PairwiseLogistic(device="auto").gradient_hessian(problem.y, problem.scores, group=problem.sizes)
        assert not has_device()
    finally:
        cuda._connected.cache_clear()


@pytest.mark.skipif(has_device(), reason="there is a CUDA device")
def test_without_a_device_its_absence_is_reported(problem) -> None:
    with pytest.raises(RuntimeError, match="there is no CUDA device to compute on: "):
        PairwiseLogistic(device="cuda").gradient_hessian(problem.y, problem.scores, group=problem.sizes)

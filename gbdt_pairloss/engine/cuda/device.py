"""The CUDA device, by CuPy; it is imported when it is first asked for."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from importlib.util import find_spec
from typing import Any

from .source import TILE, Device, Kernel, code_of


class NoDevice(RuntimeError):
    """There is no CUDA device to compute on."""


class CudaDevice:
    """One CUDA device.

    Parameters
    ----------
    cupy : module
    ordinal : int
    """

    def __init__(self, cupy: Any, ordinal: int) -> None:
        self._cupy, self._ordinal = cupy, ordinal
        self._module, self._function = cache(self._compile), cache(self._find)

    def selected(self) -> AbstractContextManager[Any]:
        return self._cupy.cuda.Device(self._ordinal)  # type: ignore[no-any-return]

    def upload(self, array: Any) -> Any:
        return self._cupy.ascontiguousarray(self._cupy.asarray(array))

    def download(self, array: Any) -> Any:
        return self._cupy.asnumpy(self._cupy.asarray(array))

    def empty(self, shape: Any, dtype: Any) -> Any:
        return self._cupy.empty(shape, dtype)

    def zeros(self, shape: Any, dtype: Any) -> Any:
        return self._cupy.zeros(shape, dtype)

    def run(self, kernel: Kernel, n_blocks: int, arguments: tuple[Any, ...]) -> None:
        self._function(kernel)((n_blocks,), (TILE,), arguments)

    def _find(self, kernel: Kernel) -> Any:
        return self._module(kernel.file, kernel.defines).get_function(kernel.name)

    def _compile(self, file: str, defines: tuple[tuple[str, str], ...]) -> Any:
        options = ("-std=c++14", *(f"-D{name}={value}" for name, value in defines))
        return self._cupy.RawModule(code=code_of(file), options=options)


def cuda_device(ordinal: int | None = None) -> Device:
    """A device to compute on; None: CuPy's current one.

    Raises
    ------
    NoDevice
        If CuPy is not installed, there is no CUDA device, or its driver is too old.
    """
    connected = _connected()
    if isinstance(connected, str):
        raise NoDevice(f"there is no CUDA device to compute on: {connected}")
    return _device(connected.cuda.runtime.getDevice() if ordinal is None else ordinal)


def device_of(array: Any) -> Device:
    """The device that an array is on.

    Raises
    ------
    NoDevice
        As ``cuda_device``.
    """
    connected = _connected()
    return cuda_device(None if isinstance(connected, str) else int(connected.asarray(array).device.id))


def is_there() -> bool:
    """Whether there is a device to compute on."""
    return not isinstance(_connected(), str)


@cache
def is_installed() -> bool:
    """Whether there is a CuPy to import, which takes a while and wakes the device."""
    return find_spec("cupy") is not None


@cache
def _connected() -> Any:
    """CuPy, or why it cannot be used."""
    try:
        import cupy

        if cupy.cuda.runtime.is_hip:
            return "this CuPy is for ROCm, and the kernels are for warps of 32"
        if cupy.cuda.runtime.getDeviceCount() == 0:
            return "the driver finds none"
        # CuPy alone has no compiler and no headers of CUDA's.
        cupy.RawKernel('extern "C" __global__ void nothing() {}', "nothing").compile()
    except ImportError as error:
        return (
            f"CuPy cannot be imported ({error}). Install gbdt_pairloss[cuda12] or gbdt_pairloss[cuda13], the CUDA "
            "version that the driver supports"
        )
    except Exception as error:  # no driver or an old one, no compiler, another NumPy's CuPy: all of it is a reason
        return f"CuPy says {type(error).__name__}: {error}"
    return cupy


@cache
def _device(ordinal: int) -> CudaDevice:
    return CudaDevice(_connected(), ordinal)

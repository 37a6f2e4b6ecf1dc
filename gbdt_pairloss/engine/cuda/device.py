"""The CUDA device, by CuPy; it is imported when it is first asked for."""

from __future__ import annotations

from functools import cache
from typing import Any

from .source import TILE, Device, Kernel, code_of


class NoDevice(RuntimeError):
    """There is no CUDA device to compute on."""


class CudaDevice:
    """CuPy's current device.

    Parameters
    ----------
    cupy : module
    """

    def __init__(self, cupy: Any) -> None:
        self._cupy = cupy
        self._module = cache(self._compile)

    def upload(self, array: Any) -> Any:
        return self._cupy.asarray(array)

    def download(self, array: Any) -> Any:
        return self._cupy.asnumpy(array)

    def empty(self, shape: Any, dtype: Any) -> Any:
        return self._cupy.empty(shape, dtype)

    def zeros(self, shape: Any, dtype: Any) -> Any:
        return self._cupy.zeros(shape, dtype)

    def run(self, kernel: Kernel, n_blocks: int, arguments: tuple[Any, ...]) -> None:
        # A RawModule compiles for, and is loaded on, each device that it is used on.
        function = self._module(kernel.file, kernel.defines).get_function(kernel.name)
        function((n_blocks,), (TILE,), arguments)

    def _compile(self, file: str, defines: tuple[tuple[str, str], ...]) -> Any:
        options = ("-std=c++14", *(f"-D{name}={value}" for name, value in defines))
        return self._cupy.RawModule(code=code_of(file), options=options)


@cache
def _connected() -> CudaDevice | str:
    """The device, or why there is none."""
    try:
        import cupy
    except ImportError as error:
        return f'CuPy cannot be imported ({error}): pip install "gbdt_pairloss[cuda12]" or [cuda13], as the driver is'
    try:
        n_devices = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:  # no driver, or one that is too old
        return f"CUDA does not start: {error}"
    return CudaDevice(cupy) if n_devices > 0 else "there is no CUDA device"


def cuda_device() -> Device:
    """The device to compute on.

    Raises
    ------
    NoDevice
        If CuPy is not installed, there is no CUDA device, or its driver is too old.
    """
    device = _connected()
    if isinstance(device, str):
        raise NoDevice(f'device="cuda" cannot be used: {device}')
    return device

"""Arrays on the host and on CUDA devices: where an array is, copies between both, and the device itself.

CuPy is imported when a device is first asked for. This module knows no kernel: engines hand their source code in.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.util import find_spec
from typing import Any, Protocol


class Program(Hashable, Protocol):
    """A compiled function to be: source code, the name of the function, and macros."""

    @property
    def name(self) -> str:
        """Name of the function."""

    @property
    def defines(self) -> tuple[tuple[str, str], ...]:
        """Macros and their values, such as ("REAL", "float")."""

    @property
    def code(self) -> str:
        """Source code in CUDA C++."""

    @property
    def threads_per_block(self) -> int:
        """Threads of every block."""


class Device(Protocol):
    """Memory and a processor. Arrays are CuPy's, or arrays with NumPy's interface."""

    def selected(self) -> AbstractContextManager[Any]:
        """Make this device the current one: inside the context, new arrays are made on it."""

    def upload(self, array: Any) -> Any:
        """Copy a NumPy array to the device; an array of the device is returned as it is."""

    def download(self, array: Any) -> Any:
        """Copy an array of the device to NumPy."""

    def empty(self, shape: Any, dtype: Any) -> Any:
        """Return an uninitialised array."""

    def zeros(self, shape: Any, dtype: Any) -> Any:
        """Return an array of zeros."""

    def run(self, program: Program, n_blocks: int, arguments: tuple[Any, ...]) -> None:
        """Run ``n_blocks`` blocks of a program's threads."""


class NoDevice(RuntimeError):
    """There is no CUDA device to compute on."""


class CudaDevice:
    """One CUDA device.

    Parameters
    ----------
    cupy : module
    ordinal : int
        Number of the device, from 0.
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

    def run(self, program: Program, n_blocks: int, arguments: tuple[Any, ...]) -> None:
        self._function(program)((n_blocks,), (program.threads_per_block,), arguments)

    def _find(self, program: Program) -> Any:
        return self._module(program.code, program.defines).get_function(program.name)

    def _compile(self, code: str, defines: tuple[tuple[str, str], ...]) -> Any:
        options = ("-std=c++14", *(f"-D{name}={value}" for name, value in defines))
        return self._cupy.RawModule(code=code, options=options)


def cuda_device(ordinal: int | None = None) -> Device:
    """Return the CUDA device with a number; None: CuPy's current one.

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
    """Return the device that an array is on.

    Raises
    ------
    NoDevice
        As :func:`cuda_device`.
    """
    connected = _connected()
    return cuda_device(None if isinstance(connected, str) else int(connected.asarray(array).device.id))


def has_device() -> bool:
    """Return whether there is a CUDA device to compute on, and CuPy."""
    return not isinstance(_connected(), str)


@cache
def may_have_device() -> bool:
    """Return whether CuPy can be imported; importing it takes a while and wakes the device, finding it does not."""
    return find_spec("cupy") is not None


@cache
def _connected() -> Any:
    """Return CuPy, or the reason why it cannot be used."""
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


def is_on_device(array: Any) -> bool:
    """Return whether an array is on a CUDA device: CuPy's, or any with its interface."""
    return hasattr(array, "__cuda_array_interface__")


def beside(array: Any) -> AbstractContextManager[Any]:
    """Select the device of an array: inside the context, new device arrays are made there."""
    return device_of(array).selected() if is_on_device(array) else nullcontext()


def to_host(array: Any) -> Any:
    """Copy an array of a device to NumPy; return anything else as it is."""
    return device_of(array).download(array) if is_on_device(array) else array


def to_device(array: Any, ordinal: int | None = None) -> Any:
    """Copy an array to the device with a number; None: leave it where it is, or use CuPy's current device."""
    if ordinal is None and is_on_device(array):
        return array
    device = cuda_device(ordinal)
    with device.selected():
        return device.upload(array)


def like(example: Any, *arrays: Any) -> tuple[Any, ...]:
    """Copy arrays to where an example is."""
    with beside(example):
        return tuple(map(to_device if is_on_device(example) else to_host, arrays))

"""Arrays on the host and on CUDA devices: the location of an array, copies between host and device, and devices.

CuPy is imported when a device is first needed. The module contains no kernels: engines provide their source code.
"""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib.util import find_spec
from typing import Any, Protocol


class Program(Hashable, Protocol):
    """A function to compile: its source code, its name, and macros."""

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
    def contracted(self) -> bool:
        """True if the compiler may contract products and sums to fused multiply-adds."""

    @property
    def threads_per_block(self) -> int:
        """Threads of every block."""


class Device(Protocol):
    """Memory and a processor. Its arrays are CuPy arrays or have the same interface."""

    def selected(self) -> AbstractContextManager[Any]:
        """Return a context in which this device is the current one, on which new arrays are allocated."""

    def upload(self, array: Any) -> Any:
        """Copy a NumPy array to the device; return an array of the device unchanged."""

    def download(self, array: Any) -> Any:
        """Copy an array of the device to NumPy."""

    def empty(self, shape: Any, dtype: Any) -> Any:
        """Return an uninitialised array."""

    def zeros(self, shape: Any, dtype: Any) -> Any:
        """Return an array of zeros."""

    def run(self, program: Program, n_blocks: int, arguments: tuple[Any, ...]) -> None:
        """Run a program with ``n_blocks`` blocks of threads."""


class NoDevice(RuntimeError):
    """Exception raised if there is no CUDA device to compute on."""


class CudaDevice:
    """One CUDA device.

    Parameters
    ----------
    cupy : module
        CuPy.
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
        return self._module(program.code, program.defines, program.contracted).get_function(program.name)

    def _compile(self, code: str, defines: tuple[tuple[str, str], ...], contracted: bool) -> Any:
        options = ("-std=c++17", *(f"-D{name}={value}" for name, value in defines))
        if not contracted:
            options += ("--fmad=false",)
        return self._cupy.RawModule(code=code, options=options)


def cuda_device(ordinal: int | None = None) -> Device:
    """Return the CUDA device with number ``ordinal``; None: CuPy's current device.

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
        If there is no CUDA device to compute on; see :func:`cuda_device`.
    """
    connected = _connected()
    return cuda_device(None if isinstance(connected, str) else int(connected.asarray(array).device.id))


def has_device() -> bool:
    """Return whether CuPy is installed and there is a CUDA device to compute on."""
    return not isinstance(_connected(), str)


@cache
def may_have_device() -> bool:
    """Return whether CuPy is installed, without importing it, which is slow and initialises the device."""
    return find_spec("cupy") is not None


@cache
def _connected() -> Any:
    """Return CuPy, or the reason why it cannot be used."""
    try:
        import cupy

        if cupy.cuda.runtime.is_hip:
            return "this CuPy is for ROCm, but the kernels need warps of 32 threads, as CUDA has"
        if cupy.cuda.runtime.getDeviceCount() == 0:
            return "the driver reports none"
        # CuPy does not include CUDA's compiler and headers: compile a kernel to see whether they are installed.
        cupy.RawKernel('extern "C" __global__ void nothing() {}', "nothing").compile()
    except ImportError as error:
        return (
            f"CuPy cannot be imported ({error}). Install gbdt_pairloss[cuda12] or gbdt_pairloss[cuda13], the CUDA "
            "version that the driver supports"
        )
    except Exception as error:  # no driver or an old one, no compiler, a CuPy built for another NumPy
        return f"CuPy raises {type(error).__name__}: {error}"
    return cupy


@cache
def _device(ordinal: int) -> CudaDevice:
    return CudaDevice(_connected(), ordinal)


def is_on_device(array: Any) -> bool:
    """Return whether an array is on a CUDA device: a CuPy array, or another one with the CUDA array interface."""
    return hasattr(array, "__cuda_array_interface__")


def beside(array: Any) -> AbstractContextManager[Any]:
    """Return a context in which the device of an array is the current one; no effect for an array on the host."""
    return device_of(array).selected() if is_on_device(array) else nullcontext()


def to_host(array: Any) -> Any:
    """Copy an array of a device to NumPy; return any other object unchanged."""
    return device_of(array).download(array) if is_on_device(array) else array


def to_device(array: Any, ordinal: int | None = None) -> Any:
    """Copy an array to the device with number ``ordinal``.

    With None, an array on a device is returned unchanged, and another one is copied to CuPy's current device.
    """
    if ordinal is None and is_on_device(array):
        return array
    device = cuda_device(ordinal)
    with device.selected():
        return device.upload(array)


def like(example: Any, *arrays: Any) -> tuple[Any, ...]:
    """Copy arrays to the location of an example array: its device, or the host."""
    with beside(example):
        return tuple(map(to_device if is_on_device(example) else to_host, arrays))

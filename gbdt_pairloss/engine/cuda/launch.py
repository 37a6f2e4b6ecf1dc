"""Launch kernels with arguments by name."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from ..._device import Device
from .sources import NOT_CONTRACTED, code_of, kernels_of

#: Threads of every block, TILE in arithmetic.cuh.
TILE = 128

#: Lanes of a warp.
WARP = 32

#: The names of floating-point types in C++.
C_TYPES = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}


class Kernel(NamedTuple):
    """A kernel of a source file, with the macros that it is compiled with.

    Attributes
    ----------
    file, name : str
    defines : tuple of (str, str)
        Macros and their values, such as ("REAL", "float").
    """

    file: str
    name: str
    defines: tuple[tuple[str, str], ...]

    @property
    def code(self) -> str:
        """Source code for the compiler."""
        return code_of(self.file)

    @property
    def contracted(self) -> bool:
        """True if the compiler may make one operation of a product and a sum, which rounds once."""
        return self.file not in NOT_CONTRACTED

    @property
    def threads_per_block(self) -> int:
        """Threads of every block."""
        return TILE


_TYPES = {
    "int": "int32",
    "long long": "int64",
    "unsigned long long": "uint64",
    "float": "float32",
    "double": "float64",
}


def scores_on(device: Device, scores: Any) -> Any:
    """Copy scores to a device, contiguous in memory, as floating-point numbers of a type that the kernels support."""
    uploaded = device.upload(scores)
    return uploaded if uploaded.dtype in C_TYPES else uploaded.astype(np.float64)


def launch(device: Device, kernel: Kernel, n_blocks: int, **arguments: Any) -> None:
    """Run a kernel with arguments by name. None is an array that the kernel does not read.

    Raises
    ------
    TypeError
        If an argument is missing or unknown, or an array has another type than the parameter. The device does not check
        this.
    """
    parameters = _signature(kernel)
    if arguments.keys() != parameters.keys():
        unknown = ", ".join(sorted(arguments.keys() ^ parameters.keys()))
        raise TypeError(f"{kernel.name}: {unknown} is missing or is not a parameter")
    ordered = []
    for name, (dtype, is_pointer) in parameters.items():
        value = arguments[name]
        if not is_pointer:
            value = dtype.type(value)
        elif value is None:
            value = device.empty(1, dtype)
        elif value.dtype != dtype:
            raise TypeError(f"{kernel.name}: {name} has dtype {value.dtype}; it must be {dtype}")
        ordered.append(value)
    if n_blocks > 0:
        device.run(kernel, n_blocks, tuple(ordered))


@cache
def _signature(kernel: Kernel) -> dict[str, tuple[np.dtype[Any], bool]]:
    """Return for each parameter, in order, its NumPy type and True if it is an array."""
    defined = dict(kernel.defines)
    return {
        parameter.name: (np.dtype(_TYPES[defined.get(parameter.type.upper(), parameter.type)]), parameter.is_pointer)
        for parameter in kernels_of(kernel.file)[kernel.name]
    }

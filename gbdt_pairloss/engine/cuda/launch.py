"""The kernels as text: what they are called, what they take, and how they are launched by the names of that."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..._device import Device

#: Threads of every block, TILE in arithmetic.cu.
TILE = 128

#: Lanes of a warp.
WARP = 32

#: Types of floats as C++ names them.
C_TYPES = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}

_FOLDER = Path(__file__).parent / "kernels"
_COMMON = "arithmetic.cu"

_KERNEL = re.compile(r'extern "C" __global__ void (?:__launch_bounds__\(\w+\) )?(\w+)\(([^)]*)\)', re.DOTALL)


class Parameter(NamedTuple):
    """A parameter of a kernel; of a pointer the type that it points to."""

    name: str
    type: str
    is_pointer: bool


class Kernel(NamedTuple):
    """A kernel of a file, and what its types and constants are.

    Attributes
    ----------
    file, name : str
    defines : tuple of (str, str)
        Macros, such as ("REAL", "float").
    """

    file: str
    name: str
    defines: tuple[tuple[str, str], ...]

    @property
    def code(self) -> str:
        """Source code that a compiler is given."""
        return code_of(self.file)

    @property
    def threads_per_block(self) -> int:
        """Threads of every block."""
        return TILE


_TYPES = {"int": "int32", "long long": "int64", "float": "float32", "double": "float64"}


def scores_on(device: Device, scores: Any) -> Any:
    """Scores on a device, one after another, as floats that the kernels know."""
    there = device.upload(scores)
    return there if there.dtype in C_TYPES else there.astype(np.float64)


def launch(device: Device, kernel: Kernel, n_blocks: int, **arguments: Any) -> None:
    """Run a kernel with arguments by name; None stands for an array that it will not read.

    Raises
    ------
    TypeError
        If an argument is missing or unknown, or an array of another type than the kernel's: on the device nobody
        would notice.
    """
    parameters = _signature(kernel)
    if arguments.keys() != parameters.keys():
        unknown = ", ".join(sorted(arguments.keys() ^ parameters.keys()))
        raise TypeError(f"{kernel.name}: {unknown} is missing, or not a parameter")
    ordered = []
    for name, (dtype, is_pointer) in parameters.items():
        value = arguments[name]
        if not is_pointer:
            value = dtype.type(value)
        elif value is None:
            value = device.empty(1, dtype)
        elif value.dtype != dtype:
            raise TypeError(f"{kernel.name}: {name} has dtype {value.dtype}, not {dtype}")
        ordered.append(value)
    if n_blocks > 0:
        device.run(kernel, n_blocks, tuple(ordered))


@cache
def _signature(kernel: Kernel) -> dict[str, tuple[np.dtype[Any], bool]]:
    """The type of each parameter as NumPy knows it, and whether it is an array; in order."""
    defined = dict(kernel.defines)
    return {
        parameter.name: (np.dtype(_TYPES[defined.get(parameter.type.upper(), parameter.type)]), parameter.is_pointer)
        for parameter in kernels_of(kernel.file)[kernel.name]
    }


@cache
def kernels_of(file: str) -> dict[str, tuple[Parameter, ...]]:
    """The kernels that a file defines, by name."""
    found = {}
    for name, parameters in _KERNEL.findall((_FOLDER / file).read_text()):
        found[name] = tuple(_parameter(text) for text in parameters.split(","))
    return found


def _parameter(text: str) -> Parameter:
    words = text.replace("const ", "").split()
    kind, name = " ".join(words[:-1]), words[-1]
    return Parameter(name, kind.rstrip("*").strip(), kind.endswith("*"))


@cache
def code_of(file: str) -> str:
    """What a compiler is given: what all files share, and the file."""
    parts = [f'#line 1 "{name}"\n{(_FOLDER / name).read_text()}' for name in (_COMMON, file)]
    return "\n".join(parts)


def files() -> list[str]:
    """All files with kernels."""
    return sorted(path.name for path in _FOLDER.glob("*.cu") if path.name != _COMMON)

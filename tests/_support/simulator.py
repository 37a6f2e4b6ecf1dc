"""A simulated CUDA device: a C++ compiler compiles the kernels, whose threads run one after another (simulator.h)."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from gbdt_pairloss.engine.cuda.launch import TILE, Kernel
from gbdt_pairloss.engine.cuda.sources import NOT_CONTRACTED, code_of, kernels_of

_HEADER = Path(__file__).with_name("simulator.h")

#: Options for the compiler. A program need not use all constants of the headers that are part of it.
FLAGS = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused-const-variable"]

compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")


class DeviceArray(np.ndarray):
    """An array of the simulated device; arithmetic with NumPy's arrays is a TypeError, as it is with CuPy's."""

    __cuda_array_interface__: ClassVar[dict[str, Any]] = {}

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        for array in inputs:
            if isinstance(array, np.ndarray) and not isinstance(array, DeviceArray) and array.ndim > 0:
                raise TypeError("arithmetic of an array on the host with one on the device")
        plain = [array.view(np.ndarray) if isinstance(array, DeviceArray) else array for array in inputs]
        if "out" in kwargs:
            kwargs["out"] = tuple(array.view(np.ndarray) for array in kwargs["out"])
        result = getattr(ufunc, method)(*plain, **kwargs)
        return result.view(DeviceArray) if isinstance(result, np.ndarray) else result

    def get(self) -> np.ndarray:
        return np.array(self, subok=False)


class SimulatedDevice:
    """A device whose kernels run on the host.

    Parameters
    ----------
    backwards : bool
        Run the last thread of the last block first.
    flags : tuple of str
        Further options for the compiler.
    """

    def __init__(self, backwards: bool = False, flags: tuple[str, ...] = ()) -> None:
        self.backwards, self.flags = backwards, flags
        self.launched: list[str] = []

    def selected(self) -> Any:
        return contextlib.nullcontext()

    def upload(self, array: Any) -> Any:
        if isinstance(array, DeviceArray):
            return np.ascontiguousarray(array).view(DeviceArray)
        return np.array(array).view(DeviceArray)

    def download(self, array: Any) -> Any:
        return array.get()

    def empty(self, shape: Any, dtype: Any) -> Any:
        # Memory that is read before it is written gives NaN, or an index that is out of range.
        array = np.empty(shape, dtype)
        array.view(np.uint8)[...] = 0xFF
        return array.view(DeviceArray)

    def zeros(self, shape: Any, dtype: Any) -> Any:
        return np.zeros(shape, dtype).view(DeviceArray)

    def run(self, kernel: Kernel, n_blocks: int, arguments: tuple[Any, ...]) -> None:
        self.launched.append(kernel.name)
        values = []
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                assert isinstance(argument, DeviceArray)
                assert argument.flags.c_contiguous
                values.append(ctypes.c_void_p(argument.ctypes.data))
            else:
                values.append(np.ctypeslib.as_ctypes_type(argument.dtype)(argument.item()))
        getattr(_library(kernel.file, kernel.defines, self.flags), f"launch_{kernel.name}")(
            ctypes.c_int(n_blocks), ctypes.c_int(TILE), ctypes.c_int(self.backwards), *values
        )


def build_usual() -> None:
    """Compile the kernels that most tests need."""
    if compiler is None:
        return
    queries = {"REAL": "float", "SCORE": "double"}
    usual = [("queries.cu", {**queries, "OUT": out}) for out in ("float", "double")]
    for loss in "01":
        usual += [
            ("pairs.cu", {"REAL": "float", "PHI": phi, "WEIGHTED": weighted, "LOSS": loss})
            for phi in "0123"
            for weighted in "01"
        ]
        usual.append(("listed.cu", {"REAL": "float", "LOSS": loss}))
    usual += [("expansion.cu", {"REAL": "double", "TERMS": "8"}), ("residuals.cu", {"REAL": "double"})]
    usual += [(file, {"REAL": "float"}) for file in ("ranking.cu", "rank_noise.cu")]
    for file, defines in usual:
        build(file, tuple(defines.items()))


@cache
def _library(file: str, defines: tuple[tuple[str, str], ...], flags: tuple[str, ...]) -> ctypes.CDLL:
    return ctypes.CDLL(str(build(file, defines, flags)))


def build(file: str, defines: tuple[tuple[str, str], ...], flags: tuple[str, ...] = ()) -> Path:
    """Return the shared library of a file's kernels; it is compiled if there is none of the same code yet."""
    code = [f'#include "{_HEADER}"', code_of(file)]
    for name, parameters in kernels_of(file).items():
        listed = ", ".join(f"{p.type}{'*' if p.is_pointer else ''} {p.name}" for p in parameters)
        names = ", ".join(p.name for p in parameters)
        code.append(
            f'extern "C" void launch_{name}(int n_blocks_, int n_threads_, int backwards_, {listed}) {{\n'
            f"    simulator::run(n_blocks_, n_threads_, backwards_, [=] {{ {name}({names}); }});\n}}\n"
        )
    text = "\n".join(code)
    options = ["-shared", "-fPIC", *FLAGS, *flags, *(f"-D{name}={value}" for name, value in defines)]
    if file in NOT_CONTRACTED:
        options.append("-ffp-contract=off")
    digest = hashlib.sha256((_HEADER.read_text() + text + " ".join(options)).encode()).hexdigest()[:16]
    library = Path(tempfile.gettempdir()) / "gbdt_pairloss-simulated" / f"{digest}.so"
    if not library.exists():
        library.parent.mkdir(exist_ok=True)
        partial = library.with_suffix(f".{os.getpid()}")
        subprocess.run([compiler, *options, "-x", "c++", "-", "-o", str(partial)], input=text, text=True, check=True)
        partial.rename(library)
    return library

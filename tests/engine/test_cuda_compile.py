"""Every kernel compiles without a warning, for architectures that the compilers of CUDA 12 and 13 support."""

from __future__ import annotations

import ctypes
import itertools
import site
from pathlib import Path

import pytest

from gbdt_pairloss.engine.cuda.launch import code_of, files, kernels_of

pytestmark = pytest.mark.slow

#: The options of the package, and those that CuPy adds.
CUPY = ["-std=c++14", "-ftz=true", "--device-as-default-execution-space"]

#: CUDA 13 does not support sm_70.
ARCHITECTURES = {12: ["sm_70", "sm_75", "sm_80", "sm_90"], 13: ["sm_75", "sm_80", "sm_90"]}

REALS = ["float", "double"]
VARIANTS = {
    "queries.cu": [{"REAL": r, "SCORE": s, "OUT": o} for r, s, o in itertools.product(REALS, REALS, REALS)],
    "pairs.cu": [
        {"REAL": r, "PHI": phi, "WEIGHTED": w, "LOSS": loss}
        for r, phi, w, loss in itertools.product(REALS, "0123", "01", "01")
    ],
    "listed.cu": [{"REAL": r, "LOSS": loss} for r, loss in itertools.product(REALS, "01")],
    "expansion.cu": [{"REAL": "double", "TERMS": terms} for terms in ("8", "18")],
    "ranking.cu": [{"REAL": r} for r in REALS],
    "metrics.cu": [{"REAL": "double"}],
}


def library(version: int) -> ctypes.CDLL:
    """Load NVRTC of a CUDA version from NVIDIA's packages."""
    for folder in site.getsitepackages():
        for path in Path(folder).glob(f"nvidia/*/lib/libnvrtc.so.{version}"):
            return ctypes.CDLL(str(path))
    pytest.skip(f"the compiler of CUDA {version} is not installed")


def compile_kernels(nvrtc: ctypes.CDLL, file: str, options: list[str]) -> tuple[bytes, str]:
    """Compile a file; return the binary and the compiler's messages."""
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    text = code_of(file).encode()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, file.encode(), 0, None, None) == 0
    given = [option.encode() for option in options]
    status = nvrtc.nvrtcCompileProgram(program, len(given), (ctypes.c_char_p * len(given))(*given))
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    messages = log.value.decode()
    assert status == 0, messages
    assert nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size)) == 0
    binary = ctypes.create_string_buffer(size.value)
    assert nvrtc.nvrtcGetCUBIN(program, binary) == 0
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return binary.raw, messages


def test_every_file_is_compiled() -> None:
    assert files() == sorted(VARIANTS)


@pytest.mark.parametrize("file", VARIANTS)
@pytest.mark.parametrize(("version", "architecture"), [(v, a) for v, names in ARCHITECTURES.items() for a in names])
def test_kernels_compile(version, architecture, file) -> None:
    nvrtc = library(version)
    for defines in VARIANTS[file]:
        options = [*CUPY, f"--gpu-architecture={architecture}", *(f"-D{n}={v}" for n, v in defines.items())]
        binary, messages = compile_kernels(nvrtc, file, options)
        # NVRTC says of sm_70 that it is deprecated.
        messages = "\n".join(line for line in messages.splitlines() if "are deprecated" not in line)
        assert messages.strip("\n\0 ") == "", f"{defines}: {messages}"
        for name in kernels_of(file):
            assert name.encode() in binary

"""Every kernel compiles for every architecture that the compilers of CUDA 12 and 13 know of those we name."""

from __future__ import annotations

import ctypes
import itertools
import site
from pathlib import Path

import pytest

from gbdt_pairloss.engine.cuda.launch import code_of, files, kernels_of

pytestmark = pytest.mark.slow

#: Ours, and what CuPy adds.
CUPY = ["-std=c++14", "-ftz=true", "--device-as-default-execution-space"]

#: CUDA 13 does not know sm_70 any more.
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
    """NVRTC of a CUDA version, from NVIDIA's packages."""
    for folder in site.getsitepackages():
        for path in Path(folder).glob(f"nvidia/*/lib/libnvrtc.so.{version}"):
            return ctypes.CDLL(str(path))
    pytest.skip(f"the compiler of CUDA {version} is not installed")


def compile_kernels(nvrtc: ctypes.CDLL, file: str, options: list[str]) -> tuple[bytes, str]:
    """What becomes of a file, and what the compiler says to it."""
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    text = code_of(file).encode()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), text, file.encode(), 0, None, None) == 0
    given = [option.encode() for option in options]
    status = nvrtc.nvrtcCompileProgram(program, len(given), (ctypes.c_char_p * len(given))(*given))
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    said = log.value.decode()
    assert status == 0, said
    assert nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size)) == 0
    binary = ctypes.create_string_buffer(size.value)
    assert nvrtc.nvrtcGetCUBIN(program, binary) == 0
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return binary.raw, said


def test_every_file_is_compiled() -> None:
    assert files() == sorted(VARIANTS)


@pytest.mark.parametrize("file", VARIANTS)
@pytest.mark.parametrize(("version", "architecture"), [(v, a) for v, names in ARCHITECTURES.items() for a in names])
def test_kernels_compile(version, architecture, file) -> None:
    nvrtc = library(version)
    for defines in VARIANTS[file]:
        options = [*CUPY, f"--gpu-architecture={architecture}", *(f"-D{n}={v}" for n, v in defines.items())]
        binary, said = compile_kernels(nvrtc, file, options)
        said = "\n".join(line for line in said.splitlines() if "are deprecated" not in line)  # of sm_70
        assert said.strip("\n\0 ") == "", f"{defines}: {said}"
        for name in kernels_of(file):
            assert name.encode() in binary

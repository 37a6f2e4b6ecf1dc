"""Every kernel and every header of the core compile without a warning, for architectures of CUDA 12 and 13."""

from __future__ import annotations

import ctypes
import itertools
import site
import subprocess
from pathlib import Path

import pytest
from _support.engines import needs_compiler
from _support.simulator import FLAGS, compiler

from gbdt_pairloss.engine.cuda import sources
from gbdt_pairloss.engine.cuda.sources import code_of, files, kernels_of, with_includes

#: The options of the package, and those that CuPy adds.
CUPY = ["-std=c++17", "-ftz=true", "--device-as-default-execution-space"]

#: CUDA 13 does not support sm_70, and CUDA 12 supports the last two from 12.8 on.
ARCHITECTURES = {
    12: ["sm_70", "sm_75", "sm_80", "sm_90"],
    13: ["sm_75", "sm_80", "sm_90", "sm_100", "sm_120"],
}

#: The headers that the kernels share with the loops on the CPU.
CORE = sorted((Path(sources.__file__).parents[1] / "core").glob("*.h"))

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


def compile_code(nvrtc: ctypes.CDLL, code: str, options: list[str]) -> tuple[bytes, str]:
    """Compile a text; return the binary and the compiler's messages."""
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    assert nvrtc.nvrtcCreateProgram(ctypes.byref(program), code.encode(), b"code.cu", 0, None, None) == 0
    given = [option.encode() for option in options]
    status = nvrtc.nvrtcCompileProgram(program, len(given), (ctypes.c_char_p * len(given))(*given))
    nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    nvrtc.nvrtcGetProgramLog(program, log)
    # NVRTC says of sm_70 that it is deprecated.
    messages = "\n".join(line for line in log.value.decode().splitlines() if "are deprecated" not in line)
    assert status == 0, messages
    assert nvrtc.nvrtcGetCUBINSize(program, ctypes.byref(size)) == 0
    binary = ctypes.create_string_buffer(size.value)
    assert nvrtc.nvrtcGetCUBIN(program, binary) == 0
    nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
    return binary.raw, messages.strip()


def test_every_file_is_compiled() -> None:
    assert files() == sorted(VARIANTS)


@pytest.mark.parametrize("file", VARIANTS)
def test_a_program_is_one_text(file) -> None:
    code = code_of(file)
    assert '#include "' not in code
    assert code.count("struct PairCurve {") == 1


@pytest.mark.parametrize("header", CORE, ids=lambda path: path.name)
@pytest.mark.parametrize("version", ARCHITECTURES)
def test_headers_compile_for_the_device(version, header) -> None:
    _, messages = compile_code(library(version), with_includes(header), [*CUPY, "--gpu-architecture=sm_80"])
    assert messages == ""


@needs_compiler
@pytest.mark.parametrize("header", CORE, ids=lambda path: path.name)
def test_headers_compile_for_the_host(header) -> None:
    result = subprocess.run(
        [str(compiler), *FLAGS, "-fsyntax-only", "-x", "c++", "-"],
        input=with_includes(header),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("file", VARIANTS)
@pytest.mark.parametrize(("version", "architecture"), [(v, a) for v, names in ARCHITECTURES.items() for a in names])
def test_kernels_compile(version, architecture, file) -> None:
    nvrtc = library(version)
    for defines in VARIANTS[file]:
        options = [*CUPY, f"--gpu-architecture={architecture}", *(f"-D{n}={v}" for n, v in defines.items())]
        binary, messages = compile_code(nvrtc, code_of(file), options)
        assert messages == "", f"{defines}: {messages}"
        for name in kernels_of(file):
            assert name.encode() in binary

"""Every kernel and every header of the core compile without a warning, for architectures of CUDA 12 and 13."""

from __future__ import annotations

import ctypes
import itertools
import site
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from _support.engines import needs_compiler
from _support.simulator import FLAGS, compiler

from gbdt_pairloss._device import CudaDevice
from gbdt_pairloss.engine.cuda import sources
from gbdt_pairloss.engine.cuda.launch import Kernel
from gbdt_pairloss.engine.cuda.sources import NOT_CONTRACTED, code_of, files, kernels_of, with_includes

#: The options that CuPy adds.
CUPY = ["-ftz=true", "--device-as-default-execution-space"]

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
    "rank_noise.cu": [{"REAL": r} for r in REALS],
    "residuals.cu": [{"REAL": "double"}],
    "metrics.cu": [{"REAL": "double"}],
}


def library(version: int) -> ctypes.CDLL:
    """Load NVRTC of a CUDA version from NVIDIA's packages."""
    for folder in site.getsitepackages():
        for path in Path(folder).glob(f"nvidia/*/lib/libnvrtc.so.{version}"):
            return ctypes.CDLL(str(path))
    pytest.skip(f"the compiler of CUDA {version} is not installed")


def options_of(file: str, defines: dict[str, str], architecture: str) -> list[str]:
    """Return the options that a file is compiled with."""
    asked: list[tuple[str, ...]] = []
    module = SimpleNamespace(get_function=lambda name: lambda *_: None)
    cupy = SimpleNamespace(RawModule=lambda code, options: asked.append(options) or module)
    CudaDevice(cupy, 0).run(Kernel(file, next(iter(kernels_of(file))), tuple(defines.items())), 1, ())
    return [*asked[0], *CUPY, f"--gpu-architecture={architecture}"]


def compile_code(nvrtc: ctypes.CDLL, code: str, options: list[str], kind: str = "CUBIN") -> tuple[bytes, str]:
    """Compile a text; return the binary, or the text in PTX, and the compiler's messages."""
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
    assert getattr(nvrtc, f"nvrtcGet{kind}Size")(program, ctypes.byref(size)) == 0
    binary = ctypes.create_string_buffer(size.value)
    assert getattr(nvrtc, f"nvrtcGet{kind}")(program, binary) == 0
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
    _, messages = compile_code(
        library(version), with_includes(header), ["-std=c++17", *CUPY, "--gpu-architecture=sm_80"]
    )
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


@pytest.mark.parametrize("version", ARCHITECTURES)
def test_draws_are_the_same_on_every_processor(version) -> None:
    # A fused multiply-add would round otherwise than the CPU does.
    (file,) = NOT_CONTRACTED
    options, nvrtc = options_of(file, {"REAL": "float"}, "compute_80"), library(version)
    assert b"fma" not in compile_code(nvrtc, code_of(file), options, "PTX")[0]
    options.remove("--fmad=false")
    assert b"fma.rn.f64" in compile_code(nvrtc, code_of(file), options, "PTX")[0]


@pytest.mark.slow
@pytest.mark.parametrize("file", VARIANTS)
@pytest.mark.parametrize(("version", "architecture"), [(v, a) for v, names in ARCHITECTURES.items() for a in names])
def test_kernels_compile(version, architecture, file) -> None:
    nvrtc = library(version)
    for defines in VARIANTS[file]:
        binary, messages = compile_code(nvrtc, code_of(file), options_of(file, defines, architecture))
        assert messages == "", f"{defines}: {messages}"
        for name in kernels_of(file):
            assert name.encode() in binary
